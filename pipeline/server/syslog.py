"""Send syslog as a device would: the lines for smoke tests, the demo and the image's tests."""

import socket
from collections.abc import Iterable
from datetime import datetime
from typing import Literal

TIMEOUT = 10.0  # seconds, for a connection and for each write

# Not strftime's %b: RFC 3164 wants English whatever the locale says.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class SendError(Exception):
    """Nothing took the lines; the message says where they were sent and what the system answered."""


def message(
    text: str, pri: int = 38, host: str = "web1", tag: str = "sshd[1234]", when: datetime | None = None
) -> str:
    """One RFC 3164 line without a line end: `<38>Nov 23 04:50:00 web1 sshd[1234]: text`.

    `pri` is facility * 8 + severity (38: auth, info), `when` is now in local time unless given.
    Raises ValueError for a `pri` outside 0 to 191.
    """
    if not 0 <= pri <= 191:
        raise ValueError(f"syslog priority {pri} is not between 0 and 191")
    when = when or datetime.now()
    return f"<{pri}>{_MONTHS[when.month - 1]} {when.day:2d} {when:%H:%M:%S} {host} {tag}: {text}"


def send_udp(host: str, port: int, lines: Iterable[str]) -> None:
    """Send each line as one datagram to `host`, a name, an IPv4 or an IPv6 address.

    UDP does not say whether anything arrived: SendError is raised for a name that does not resolve, a line
    too long for a datagram, or a port that has already answered "closed" to an earlier line.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as sender:
            sender.connect(address)  # without it the kernel does not report a closed port
            for line in lines:
                sender.send(_encoded(line))
    except OSError as error:
        raise _send_error("UDP", host, port, error) from error


def send_tcp(
    host: str,
    port: int,
    lines: Iterable[str],
    framing: Literal["lf", "octet-counting"] = "lf",
    one_write: bool = True,
) -> None:
    """Send the lines over one TCP connection to `host`, a name, an IPv4 or an IPv6 address, and close it.

    `framing` is RFC 6587's: "lf" ends each line with a newline, "octet-counting" puts its length in bytes
    before it. All lines go in one write unless `one_write` is false: then each has its own.
    Raises SendError where nothing listens or the connection breaks, ValueError, before anything is sent,
    for another framing or for a line that has a newline in it with "lf" (it would arrive as two).
    """
    frames = [_frame(_encoded(line), framing) for line in lines]
    try:
        with socket.create_connection((host, port), TIMEOUT) as sender:
            # Otherwise the kernel gathers small writes into one, and `one_write=False` would mean little.
            sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for write in [b"".join(frames)] if one_write else frames:
                sender.sendall(write)
    except OSError as error:
        raise _send_error("TCP", host, port, error) from error


def _encoded(line: str) -> bytes:
    # surrogateescape: a test can send any byte, b"\xff".decode("utf-8", "surrogateescape")
    return line.encode("utf-8", "surrogateescape")


def _frame(line: bytes, framing: str) -> bytes:
    if framing == "octet-counting":
        return b"%d %b" % (len(line), line)
    if framing != "lf":
        raise ValueError(f'syslog framing "{framing}" is neither "lf" nor "octet-counting"')
    if b"\n" in line:
        raise ValueError(f"syslog line {line!r} has a newline in it: send it with octet-counting")
    return line + b"\n"


def _send_error(protocol: str, host: str, port: int, error: OSError) -> SendError:
    return SendError(f"cannot send syslog to {host} port {port} over {protocol}: {error.strerror or error}")

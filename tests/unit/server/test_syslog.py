"""The syslog sender against real sockets on loopback."""

import socket
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Literal

import pytest

from pipeline.server.syslog import SendError, message, send_tcp, send_udp

WHEN = datetime(2026, 11, 3, 4, 5, 6)
Framing = Literal["lf", "octet-counting"]


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


LOOPBACKS = [
    "127.0.0.1",
    pytest.param("::1", marks=pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")),
]


@pytest.fixture(params=LOOPBACKS)
def loopback(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def a_socket(host: str, kind: socket.SocketKind) -> socket.socket:
    opened = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
    opened.settimeout(10)
    opened.bind((host, 0))
    return opened


@pytest.fixture
def listener(loopback: str) -> Iterator[socket.socket]:
    with a_socket(loopback, socket.SOCK_STREAM) as opened:
        opened.listen()
        yield opened


def sent(listener: socket.socket, lines: list[str], framing: Framing = "lf", one_write: bool = True) -> bytes:
    """What a server reads until the sender closes."""
    host, port = listener.getsockname()[:2]
    send_tcp(host, port, lines, framing, one_write=one_write)
    connection, _ = listener.accept()
    with connection, connection.makefile("rb") as stream:
        return stream.read()


def closed_port(kind: socket.SocketKind) -> int:
    with a_socket("127.0.0.1", kind) as opened:
        return int(opened.getsockname()[1])


def test_a_message_is_an_rfc_3164_line_with_the_day_padded_by_a_blank() -> None:
    line = message("Failed password for bob", pri=86, host="db", tag="sshd[9]", when=WHEN)
    assert line == "<86>Nov  3 04:05:06 db sshd[9]: Failed password for bob"


def test_a_message_without_a_time_is_of_now() -> None:
    before = datetime.now().replace(microsecond=0)
    stamp = message("x").removeprefix("<38>")[:15]
    assert before <= datetime.strptime(f"{before.year} {stamp}", "%Y %b %d %H:%M:%S") <= datetime.now()


@pytest.mark.parametrize("pri", [-1, 192])
def test_a_priority_that_does_not_exist_is_refused(pri: int) -> None:
    with pytest.raises(ValueError, match=f"priority {pri} is not"):
        message("x", pri=pri)


def test_udp_sends_one_datagram_a_line(loopback: str) -> None:
    with a_socket(loopback, socket.SOCK_DGRAM) as receiver:
        send_udp(loopback, receiver.getsockname()[1], ["<38>one", "<38>zwölf", "two\nlines", "x" * 9000])
        got = [receiver.recv(65535) for _ in range(4)]
    assert got == [b"<38>one", "<38>zwölf".encode(), b"two\nlines", b"x" * 9000]


def test_any_byte_can_be_sent() -> None:
    with a_socket("127.0.0.1", socket.SOCK_DGRAM) as receiver:
        line = b"<38>\xff\x00\xfe"
        send_udp("127.0.0.1", receiver.getsockname()[1], [line.decode("utf-8", "surrogateescape")])
        assert receiver.recv(100) == line


def test_lf_framing_ends_each_line(listener: socket.socket) -> None:
    assert sent(listener, ["one", "zwölf"]) == "one\nzwölf\n".encode()


def test_octet_counting_counts_bytes_and_lets_newlines_through(listener: socket.socket) -> None:
    assert sent(listener, ["zwölf", "a\nb"], "octet-counting") == "6 zwölf3 a\nb".encode()


@pytest.mark.parametrize(("one_write", "writes"), [(True, 1), (False, 100)])
def test_all_lines_go_in_one_write_unless_told_otherwise(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch, one_write: bool, writes: int
) -> None:
    written: list[bytes] = []
    send = socket.socket.sendall

    def counting(self: socket.socket, data: bytes) -> None:
        written.append(data)
        send(self, data)

    monkeypatch.setattr(socket.socket, "sendall", counting)
    lines = [f"line {number}" for number in range(100)]
    assert sent(listener, lines, one_write=one_write).decode().splitlines() == lines
    assert len(written) == writes


def test_a_newline_in_a_line_is_refused_with_lf_before_anything_is_sent() -> None:
    with pytest.raises(ValueError, match="octet-counting"):
        send_tcp("127.0.0.1", closed_port(socket.SOCK_STREAM), ["fine", "not\nfine"])


def test_an_unknown_framing_is_refused() -> None:
    with pytest.raises(ValueError, match='"crlf" is neither'):
        send_tcp("127.0.0.1", 1, ["x"], "crlf")  # type: ignore[arg-type]


def test_a_closed_tcp_port_is_named() -> None:
    port = closed_port(socket.SOCK_STREAM)
    with pytest.raises(SendError, match=f"127.0.0.1 port {port} over TCP: Connection refused"):
        send_tcp("127.0.0.1", port, ["x"])


def test_a_udp_port_that_answers_closed_is_named() -> None:
    port = closed_port(socket.SOCK_DGRAM)
    with pytest.raises(SendError, match=f"127.0.0.1 port {port} over UDP: Connection refused"):
        send_udp("127.0.0.1", port, ["first: nobody knows yet", "second: the answer to the first is here"])


def test_a_line_too_long_for_a_datagram_is_an_error() -> None:
    with pytest.raises(SendError, match="Message too long"):
        send_udp("127.0.0.1", 9, ["x" * 70000])


@pytest.mark.parametrize("send", [send_udp, send_tcp])
def test_a_name_that_does_not_resolve_is_named(
    send: Callable[[str, int, list[str]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_args: object, **_options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(SendError, match=r"to no\.such\.invalid port 514 over .*: Name or service not known"):
        send("no.such.invalid", 514, ["x"])

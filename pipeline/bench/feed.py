"""The bench's load generator: messages over TCP, over RELP and, at a rate, over UDP."""

import os
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from pipeline.bench.lines import numbered
from pipeline.soak.relp import Frame, Frames

PORT, RELP_PORT = 514, 2514
STALL = 20.0  # seconds; a TCP receiver that takes nothing for so long has given up
BATCH = 400  # messages a write over TCP
WINDOW = 512  # lines that a RELP connection may have unacknowledged
CATCH_UP = 0.01  # seconds; who makes up for more sends a burst at another rate than the one asked for
PAUSE = 0.0005  # seconds, while no datagram is due
OFFERS = b"relp_version=0\nrelp_software=feed\ncommands=syslog"

# By which protocol, and over so many connections, or so many datagrams a second.
How = tuple[str, float]


@dataclass(frozen=True)
class Sent:
    """How many messages left (over RELP: were acknowledged), and when the first and the last (seconds since 1970).

    What could not be sent, because nobody takes it any more, is not counted.
    """

    count: int
    began: float
    ended: float


def feed(how: How, address: str, lines: Sequence[str], first: int, count: int) -> Sent:
    """Send so many messages, made of the lines in turn, with ids from `first` on. All are made before one leaves."""
    protocol, number = how
    messages = [f"<38>{numbered(lines[n % len(lines)], first + n)}".encode() for n in range(count)]
    if protocol == "udp":
        senders = [partial(_udp, address, number, messages)]
    else:
        send, made = (_tcp, _line) if protocol == "tcp" else (_relp, _frame)
        shares = [messages[at :: int(number)] for at in range(int(number))]
        senders = [partial(send, address, [made(*each) for each in enumerate(share)]) for share in shares]
    began = time.time()
    with ThreadPoolExecutor(len(senders)) as threads:
        running = [threads.submit(sender) for sender in senders]
    return Sent(sum(one.result() for one in running), began, time.time())


def _line(_: int, message: bytes) -> bytes:
    return message + b"\n"


def _frame(number: int, message: bytes) -> bytes:
    return bytes(Frame(number + 2, b"syslog", message))  # the first transaction is the opening


def _tcp(address: str, messages: Sequence[bytes]) -> int:
    sent = 0
    with suppress(OSError), socket.create_connection((address, PORT), STALL) as out:
        while sent < len(messages):
            batch = messages[sent : sent + BATCH]
            out.sendall(b"".join(batch))
            sent += len(batch)
    return sent


def _relp(address: str, messages: Sequence[bytes]) -> int:
    sent = acknowledged = 0
    with suppress(OSError), socket.create_connection((address, RELP_PORT), STALL) as out:
        out.sendall(bytes(Frame(1, b"open", OFFERS)))
        opened, data = Frames(), b""
        while not any(opened.put(data)):
            if not (data := out.recv(1 << 16)):
                return 0
        while acknowledged < len(messages):
            batch = messages[sent : acknowledged + WINDOW]
            out.sendall(b"".join(batch))
            sent += len(batch)
            if not (data := out.recv(1 << 16)):
                break
            acknowledged += data.count(b"\n")  # each answer is one line
    return acknowledged


def _udp(address: str, rate: float, messages: Sequence[bytes]) -> int:
    # In life the senders are other machines, which do not wait for this one's CPUs. Where it may not, it goes without.
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -10)  # of this thread
    sent = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.connect((address, PORT))
        began = time.monotonic()
        while sent < len(messages):
            late = time.monotonic() - began - sent / rate
            if late < 0:
                time.sleep(PAUSE)
                continue
            began += max(0.0, late - CATCH_UP)
            due = messages[sent : sent + int(min(late, CATCH_UP) * rate) + 1]
            for message in due:
                # Where nobody listens any more it goes on, as a device would.
                with suppress(ConnectionRefusedError):
                    out.send(message)
            sent += len(due)
    return sent

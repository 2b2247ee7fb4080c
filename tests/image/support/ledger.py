"""What a failure test counts: numbered lines that were sent, and those that the engine has analysed."""

import socket
import struct
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from pipeline.server import Server, syslog
from pipeline.server.shell import KILLED
from pipeline.wait import WaitTimeout, wait_until

DATA = "/var/ossec/data"
ARCHIVE = "/var/ossec/logs/archives/archives.log"
DAYS = "/var/ossec/logs/archives/*/*/ossec-archive-*.log"  # of which that one is today's
CHUNK = 50  # lines a write
LONG = 900  # seconds that a sender may be held back before its connection counts as broken


@dataclass(frozen=True)
class Ledger:
    """What was promised, and what became of it. `taken` is what the test holds the server to."""

    promised: str
    sent: int  # lines
    taken: int  # lines that may not be lost
    analysed: int  # different lines in the archive
    twice: int  # lines in the archive that are there already
    gaps: tuple[
        tuple[int, int], ...
    ]  # first and last number of each run that was sent and is not in the archive

    @property
    def lost(self) -> int:
        return max(0, self.taken - self.analysed)

    def __str__(self) -> str:
        return (
            f"promised: {self.promised}; sent {self.sent}, taken {self.taken}, analysed {self.analysed}, "
            f"lost {self.lost}, twice {self.twice}, runs not in the archive: {list(self.gaps[:10]) or 'none'}"
        )


def numbered(mark: str, numbers: Iterable[int], length: int = 0) -> list[bytes]:
    """A line for each number, at least `length` bytes long."""
    head = syslog.message("", tag="app").encode()
    return [head + b"x" * (length - len(head) - 9 - len(mark)) + f" {mark} {n:07d}".encode() for n in numbers]


def archived(server: Server, mark: str) -> Counter[int]:
    """How often each number is in the archive, on whatever day."""
    found = server.run("bash", "-c", f"cat {DAYS} | grep -oaE '{mark} [0-9]{{7}}$' || test $? = 1")
    return Counter(int(line[-7:]) for line in found.splitlines())


def archived_count(server: Server, mark: str) -> int:
    """The same in short: how many there are, each as often as it is there."""
    return int(server.run("bash", "-c", f"cat {DAYS} | grep -caE '{mark} [0-9]{{7}}$' || test $? = 1"))


def wait_all(server: Server, mark: str, count: int, seconds: float = 120) -> None:
    """Return when so many lines are in the archive, or after that time: the ledger then says what is missing."""
    with suppress(WaitTimeout):
        wait_until(lambda: archived_count(server, mark) >= count, seconds, 0.3, f"{count} lines of {mark}")


def drained(server: Server, mark: str) -> None:
    """Return once what the server has taken is analysed."""
    # What waits in another connection might be read after the line.
    wait_until(
        lambda: server.counters()["connections"] == 0, 60, what="the connections to be read to their end"
    )
    send(server.address(), [b"<38>Nov 23 04:50:00 web1 app: behind " + mark.encode()])
    # The engine works in order: with that line it has analysed all that came before.
    behind = f"grep -qa 'app: behind {mark}$' {ARCHIVE}"
    wait_until(lambda: server.answer("bash", "-c", behind)[0] == 0, 240, 0.3, "the last line")


def settle(server: Server, mark: str, promised: str, sent: int, taken: int | None = None) -> Ledger:
    """The ledger of the numbers 0 to `sent`, of which `taken`, or all, must be there."""
    got = archived(server, mark)
    missing = [n for n in range(sent) if n not in got]
    ledger = Ledger(
        promised,
        sent,
        sent if taken is None else taken,
        len(got),
        got.total() - len(got),
        tuple(runs(missing)),
    )
    print(ledger)
    return ledger


def runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """Sorted numbers as first and last of each run."""
    breaks = [i + 1 for i, (a, b) in enumerate(pairwise(numbers)) if b != a + 1]
    for first, end in zip([0, *breaks], [*breaks, len(numbers)], strict=True):
        if end > first:
            yield numbers[first], numbers[end - 1]


def send(host: str, lines: list[bytes], together: Barrier | None = None) -> int:
    """Send over one TCP connection; returns how many may have left when it broke, or all."""
    done = 0
    with suppress(OSError), socket.create_connection((host, 514), LONG) as sender:
        if together:
            together.wait()
        while done < len(lines):
            chunk = b"\n".join(lines[done : done + CHUNK]) + b"\n"
            done = min(len(lines), done + CHUNK)
            sender.sendall(chunk)
    return done


def come_and_go(host: str, connections: int) -> None:
    """Open so many connections, one after the other, and drop each: at once, silent, or in the middle of a line."""
    for n in range(connections):
        with socket.create_connection((host, 514), 10) as one:
            if n % 2:
                one.sendall(b"<38>Nov 23 04:50:00 web1 app: half a li")
            if (
                n % 5
            ):  # with a reset instead of a farewell, after which this machine would keep the port for a minute
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@contextmanager
def sending(host: str, lines: list[bytes], connections: int) -> Iterator[list[Future[int]]]:
    """Send in the background over so many connections. Whoever leaves waits for the senders."""
    with ThreadPoolExecutor(connections) as pool:
        yield [pool.submit(send, host, lines[n::connections]) for n in range(connections)]


def signal(server: Server, command: str, name: str, once: str = "true") -> None:
    """Send a signal to the process whose command line has this in it, such as "ossec-intake --journal", as soon as
    that condition of the container's shell holds, or after a minute.
    """
    script = (
        f"until {once} || ((SECONDS > 60)); do sleep 0.02; done; "
        "for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline | grep -qE -- \"$1\" && "
        '[[ $p != /proc/$$ ]] && kill -$2 ${p#/proc/} && exit 0; done 2>/dev/null; echo "no process $1"; exit 1'
    )
    code, said = server.answer("bash", "-c", script, "bash", command, name)
    assert code in (0, KILLED), said  # the container may have ended of it


@contextmanager
def stopped(server: Server, command: str, once: str = "true") -> Iterator[None]:
    """The process does nothing meanwhile, from when the condition holds."""
    signal(server, command, "STOP", once)
    try:
        yield
    finally:
        signal(server, command, "CONT")


def stuck(server: Server) -> str:
    """What `ossec-log-server health` complains of; nothing when it does not."""
    code, said = server.answer("ossec-log-server", "health")
    return said.strip() if code else ""


def restart(server: Server) -> None:
    """Start the container again, with its volume, and wait until it listens."""
    server.container.start()
    server.wait_listening()


@dataclass(frozen=True)
class Resources:
    """What all processes of a container hold."""

    files: int  # open descriptors
    kib: int  # memory of their own


def resources(server: Server) -> Resources:
    # The daemons only: a health check or this command itself would be counted now and not then.
    script = "for p in $(cat /proc/1/task/1/children); do ls /proc/$p/fd | wc -l; grep -h RssAnon /proc/$p/status; done"
    rows = [row.split() for row in server.run("bash", "-c", script).splitlines()]
    return Resources(
        sum(int(row[0]) for row in rows if len(row) == 1), sum(int(row[1]) for row in rows if len(row) > 1)
    )


def memory(server: Server) -> int:
    """MiB of a container's memory that the kernel could not take back, unlike a file's pages."""
    snapshot: Any = server.container.stats(stream=False)
    counted = snapshot["memory_stats"]["stats"]
    return int(counted.get("anon", counted.get("total_rss", 0))) >> 20  # cgroup v2 and v1


FAKE_CLOCK = {
    "LD_PRELOAD": "/faketime/libfaketimeMT.so.1",
    "FAKETIME_TIMESTAMP_FILE": "/faketime/clock",
    "FAKETIME_NO_CACHE": "1",
    "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # as the kernel's own does not step either
}


def fake_clock(folder: Path) -> Path:
    """Put libfaketime into the folder; returns the file that says by how many seconds the clock is off, "+0" now."""
    subprocess.run(["apt-get", "download", "libfaketime"], cwd=folder, capture_output=True)
    if not (packages := list(folder.glob("libfaketime_*.deb"))):
        pytest.skip("NOT RUN, A CLOCK THAT STEPS: apt-get download libfaketime gives nothing on this machine")
    subprocess.run(["dpkg-deb", "-x", packages[0], folder / "package"], check=True)
    [library] = folder.rglob("libfaketimeMT.so.1")
    library.rename(folder / library.name)
    clock = folder / "clock"
    clock.write_text("+0\n")
    folder.chmod(0o755)  # the container's user is not ours
    return clock

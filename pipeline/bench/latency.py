"""How long a datagram takes to its alert, at a steady rate of lines that all alert."""

import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pipeline.bench.subject import PORT, Subject
from pipeline.server import syslog
from pipeline.wait import WaitTimeout, wait_until

RATE = 1_000  # a second
PATIENCE = 30.0  # seconds for the last alert

_ID = re.compile(rb"latency([0-9]{7})")


def measure(running: Subject, count: int) -> list[float]:
    """Seconds from each datagram to its alert. Raises WaitTimeout if fewer than 9 of 10 come."""
    sent, seen = [0.0] * count, [0.0] * count
    with _alerts(running) as stream:
        watcher = threading.Thread(target=_watch, args=(stream, seen), daemon=True)
        watcher.start()
        _send(running.host, sent)
        with suppress(WaitTimeout):
            wait_until(lambda: all(seen), PATIENCE, 0.2, what="the last alert")
    times = [after - before for before, after in zip(sent, seen, strict=True) if after]
    if len(times) < 0.9 * count:
        raise WaitTimeout(f"of {count} alerts, {len(times)} came")
    return times


def _send(address: str, sent: list[float]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        began = time.time()
        for number in range(len(sent)):
            # From an address of its own each, so that no rule takes several for one attack.
            source = f"11.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
            text = f"Failed password for latency{number:07d} from {source} port 22 ssh2"
            line = syslog.message(text).encode()
            time.sleep(max(0.0, began + number / RATE - time.time()))
            sent[number] = time.time()
            out.sendto(line, (address, PORT))


def _watch(stream: Iterator[bytes], seen: list[float]) -> None:
    for chunk in stream:
        now = time.time()
        for match in _ID.finditer(chunk):
            number = int(match[1])
            seen[number] = seen[number] or now


@contextmanager
def _alerts(running: Subject) -> Iterator[Iterator[bytes]]:
    """What comes out, line by line."""
    name = str(running.container.id)
    command = ["docker", "attach", "--no-stdin", "--sig-proxy=false", name]
    if not running.kind.ours:
        # By itself it looks once a second on some file systems.
        look = ["tail", "-n", "0", "-s", "0.005", "---disable-inotify", "-F"]
        command = ["docker", "exec", name, *look, f"{running.kind.logs}/alerts/alerts.log"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        try:
            yield process.stdout
        finally:
            process.kill()

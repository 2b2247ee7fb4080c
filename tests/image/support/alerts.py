"""Alerts by the number: lines that make them, and what came of each where they arrive."""

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache

from pipeline.server import Server, syslog
from pipeline.server.alerts import parse
from pipeline.wait import WaitTimeout, wait_until
from tests.image.conftest import FROM_HERE
from tests.image.support.collector import Collector
from tests.image.support.ledger import send


def attack(server: Server, mark: str, numbers: Iterable[int]) -> None:
    """Send a line that alerts for each number."""
    lines = [f"Failed password for {mark}{n:06d} from 203.0.113.9 port 22 ssh2" for n in numbers]
    send(server.address(), [syslog.message(line).encode() for line in lines])


def numbers_in(lines: Iterable[str], mark: str) -> Counter[int]:
    """How often each number of `attack` is in alerts as JSON lines, whatever stands before the object.

    Raises ValueError if one is not as its schema says.
    """
    logs = [_log_of(line[line.index("{") :]) for line in lines]
    return Counter(int(log.partition(mark)[2][:6]) for log in logs if mark in log)


@lru_cache(maxsize=1 << 16)  # most are asked for again and again
def _log_of(alert: str) -> str:
    return str(parse(alert)["full_log"])


def printed(server: Server) -> list[str]:
    return server.container.logs(stdout=True, stderr=False).decode().splitlines()


def wait_for(what: str, lines: Callable[[], list[str]], mark: str, count: int) -> Counter[int]:
    """The numbers, once there are so many different ones, or after a time."""
    with suppress(WaitTimeout):
        # Of a file the last line may be there by half.
        wait_until(lambda: len(numbers_in(lines(), mark)) >= count, 60, 0.5, what, ignoring=(ValueError,))
    return numbers_in(lines(), mark)


def to(collector: Collector, way: str, **more: str) -> dict[str, str]:
    host, port = collector.address
    return {**FROM_HERE, "OSSEC_FORWARD": f"{way}://{host}:{port}", **more}

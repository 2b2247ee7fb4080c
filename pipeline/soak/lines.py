"""Lines that alert, each with an id of its own, and tallies of the ids that were seen somewhere."""

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from pipeline.server import syslog

MAILED_EVERY = 50  # of so many lines one is of a level that is mailed
MAIL_LEVEL = 8  # of rule 5701; a failed login, rule 5716, is level 5

_ID = rb"soak_([a-z]+)_([0-9]{8})(?![0-9])"
ID = re.compile(_ID)
# In an alert as JSON the id stands in several fields: only the log line counts.
FULL_LOG = re.compile(rb'"full_log":"[^"\n]*?' + _ID)


def line(channel: str, number: int) -> bytes:
    """The number-th alerting line of a channel, a few small letters, without a line end.

    Each comes from an address of its own, so that no rule counts several of them as one attack, and none is ignored.
    """
    octets = (11 + sum(channel.encode()) % 100, number >> 16 & 255, number >> 8 & 255, number & 255)
    address = ".".join(map(str, octets))
    token = f"soak_{channel}_{number:08d}"
    if mailed(number):
        text = f"Bad protocol version identification 'x' from {address} {token}"
    else:
        text = f"Failed password for {token} from {address} port 22 ssh2"
    return syslog.message(text).encode()


def mailed(number: int) -> bool:
    """Whether the alert of that line is to be mailed."""
    return number % MAILED_EVERY == 0


class Tally:
    """How often each id was seen, up to 255 times."""

    def __init__(self) -> None:
        self._seen: dict[str, bytearray] = {}

    def add(self, channel: str, number: int) -> None:
        seen = self._seen.setdefault(channel, bytearray())
        if number >= len(seen):
            seen.extend(bytes(number + 1 - len(seen) + len(seen) // 4))
        seen[number] = min(255, seen[number] + 1)

    def times(self, channel: str, number: int) -> int:
        seen = self._seen.get(channel, b"")
        return seen[number] if number < len(seen) else 0

    def numbers(self, channel: str) -> Iterator[int]:
        """The different numbers of a channel, in their order."""
        return (number for number, times in enumerate(self._seen.get(channel, b"")) if times)

    def unique(self, channel: str) -> int:
        seen = self._seen.get(channel, b"")
        return len(seen) - seen.count(0)

    def total(self, channel: str) -> int:
        return sum(self._seen.get(channel, b""))

    def repeated(self, channel: str) -> int:
        """How often a number was seen that had been seen before."""
        return self.total(channel) - self.unique(channel)

    def copy(self) -> "Tally":
        """As it is now, while others go on counting."""
        found = Tally()
        found._seen = {channel: bytearray(seen) for channel, seen in list(self._seen.items())}
        return found


def tally(chunks: Iterable[bytes], pattern: re.Pattern[bytes] = ID, into: Tally | None = None) -> Tally:
    """Count the ids in a stream of lines, however it is cut into chunks."""
    found = Tally() if into is None else into
    rest = b""
    for chunk in chain(chunks, [b"\n"]):
        whole, _, rest = (rest + chunk).rpartition(b"\n")
        for match in pattern.finditer(whole):
            found.add(match[1].decode(), int(match[2]))
    return found

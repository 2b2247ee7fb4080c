"""RELP's frames: TXNR COMMAND DATALEN[ DATA] and a newline."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

# With no data, the newline that ends the frame stands where the space before the data would.
_HEAD = re.compile(rb"(\d+) (\w+) (\d+)[ \n]")
_HEAD_MAX = 64  # bytes


@dataclass(frozen=True)
class Frame:
    number: int  # of its transaction
    command: bytes
    data: bytes

    def __bytes__(self) -> bytes:
        data = b" " + self.data if self.data else b""
        return b"%d %s %d%s\n" % (self.number, self.command, len(self.data), data)


class Frames:
    """The frames of a connection, whose bytes are put in as they come."""

    def __init__(self) -> None:
        self._data = b""

    def put(self, data: bytes) -> Iterator[Frame]:
        """The frames that are whole now. Raises ConnectionError for what is no RELP."""
        self._data += data
        at = 0
        while head := _HEAD.match(self._data, at):
            length = int(head[3])
            end = head.end() + length + (1 if length else 0)
            if len(self._data) < end:
                break
            yield Frame(int(head[1]), head[2], self._data[head.end() : head.end() + length])
            at = end
        self._data = self._data[at:]
        if len(self._data) > _HEAD_MAX and not _HEAD.match(self._data):
            raise ConnectionError(f"no RELP: {self._data[:_HEAD_MAX]!r}")

"""What is sent and what of it arrived: the sample lines of OSSEC's own tests, each with an id of its own."""

import re
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from pipeline.errors import UserError

# Nothing alerts on it, and no correlation list grows by it: it costs every engine the same.
_MESSAGE = "session statistics: 3 opened, 3 closed"
PLAIN = f"Nov 23 04:50:00 web1 sshd[1234]: {_MESSAGE}"

# The same message under each header that senders write. None may cost much more than the first, which OSSEC reads.
HEADERS = {
    "canonical": PLAIN,
    "iso": f"2026-11-23T04:50:00.123456+01:00 web1 sshd[1234]: {_MESSAGE}",
    "iso_z": f"2026-11-23T04:50:00Z web1 sshd[1234]: {_MESSAGE}",
    "rfc5424": f"<38>1 2026-11-23T04:50:00.123Z web1 sshd 1234 - - {_MESSAGE}",
    "rfc5424_sd": f'<38>1 2026-11-23T04:50:00.123Z web1 sshd 1234 ID1 [a@1 b="c" d="e"] {_MESSAGE}',
    "no_host": f"Nov 23 04:50:00 sshd[1234]: {_MESSAGE}",
    "year": f"Nov 23 2026 04:50:00 web1 sshd[1234]: {_MESSAGE}",
    "cr_lf": f"Nov 23 04:50:00 web1 sshd[1234]: {_MESSAGE}\r",
}

_SAMPLES = re.compile(r"[^/]+/contrib/ossec-testing/tests/[^/]+\.ini")
_LINE = re.compile(r"^log \d+ (?:pass|fail)[ \t]*=[ \t]*(\S.*?)[ \t\r]*$", re.MULTILINE)
_ID = re.compile(rb"uid=([0-9]{7})(?![0-9])")


@dataclass(frozen=True)
class Found:
    """How many ids were found at least once, and how often one was found again."""

    unique: int
    repeated: int


def mixed_lines(tarball: Path) -> tuple[str, ...]:
    """The sample log lines of the release's own tests, by their files' names. Raises UserError if there are none."""
    lines: list[str] = []
    with tarfile.open(tarball) as tar:
        for member in sorted(tar.getmembers(), key=lambda one: one.name):
            if _SAMPLES.fullmatch(member.name) and (file := tar.extractfile(member)):
                lines += sample_lines(file.read().decode("utf-8", "replace"))
    if not lines:
        raise UserError(f"{tarball} has no sample lines in contrib/ossec-testing/tests: bench OSSEC itself.")
    return tuple(lines)


def sample_lines(ini: str) -> list[str]:
    """The log lines of one file of upstream's tests, `log 1 pass = LINE`, whether OSSEC knows them or not."""
    return _LINE.findall(ini)


def numbered(line: str, number: int) -> str:
    """The line with that id behind it; where it ends with CR LF, the id is its last word."""
    text = line.rstrip("\r")
    return f"{text} uid={number:07d}{line[len(text) :]}"


def count_ids(chunks: Iterable[bytes], first: int, count: int) -> Found:
    """Count the ids from `first` to `first + count - 1` in a stream of lines, however it is cut into chunks."""
    seen = bytearray(count)
    matches, rest = 0, b""
    for chunk in chain(chunks, [b"\n"]):
        whole, _, rest = (rest + chunk).rpartition(b"\n")
        for match in _ID.finditer(whole):
            number = int(match[1]) - first
            if 0 <= number < count:
                seen[number] = 1
                matches += 1
    unique = sum(seen)
    return Found(unique, matches - unique)

"""Lines to attack the engine with: known log lines, broken in ways that a seed repeats.

`Mutator(seeds, seed).lines(n)` gives the same n lines each time. A line is bytes, and may hold any byte: the
sender's framing decides what can pass. Where hypothesis looks at few lines closely, this makes many quickly.
"""

import configparser
import random
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

LENGTHS = (
    0,
    1,
    15,
    16,
    27,
    31,
    127,
    255,
    256,
    1023,
    1024,
    1025,
    2047,
    2048,
    4095,
    4096,
    4097,
    6120,
    6143,
    7000,
)
# What has no place in the engine's form, and stands behind the message there, with what ends a name, a pid and an id.
EXTRAS = (b'ID9 [x@1 a="b\\] c: "] ', b"ID9 - ", b'- [x@1 a="]: [1]: | "][ID 1] ')
BODIES = (
    b"Failed password for bob from 10.9.8.7 port 22 ssh2",
    b"error: PAM: authentication failure for root from 10.9.8.7",
    b'10.9.8.7 - - [23/Nov/2026:04:50:00 +0000] "GET /?a=../../etc/passwd HTTP/1.1" 404 1 "-" "Googlebot/2.1"',
)
# Each date that OSSEC's analysisd/cleanevent.c knows.
DATES = (
    b"Nov 23 04:50:00 ",
    b"M\xc3\xa4r 02 17:30:52 ",
    b"2026 Nov 23 04:50:00 ",
    b"2026-11-23 04:50:00,805 ",
    b"2026-11-23T04:50:00-04:00 ",
    b"2026-11-23T04:50:00.3352-04:00 ",
    b"2026-11-23T04:50:00.214994-07:00 ",
    b"2026:11:23-04:50:00 ",
    b"Mon Nov 23 04:50:00 2026 1 10.9.8.7 ",
    b"11/23-04:50:00.240702  [**] ",
    b"11/23/2026-04:50:00.240702  [**] ",
    b"[Mon Nov 23 04:50:00 2026] [error] ",
    b"[Time 2026.11.23 04:50:00 UTC] [Facility auth] [Sender sshd] [PID 1] [Message failed] [Host web1] ",
    b"1795409400.368  11623 10.9.8.7 TCP_DENIED/403 ",
    b"04:50:00 ",
    b"Nov 23 04:50:00.522341 rule 3/(match) ",
)
HOSTS = (
    b"web1", b"(foo)", b"(foo", b"()-", b"(a) 10.9.8.7->/var/log/x", b"(" + b"x" * 1200 + b")", b"../../../../tmp/x",
    b"->", b"ossec-keepalive", b"h" * 300, b"::1", b"%n%s", b"\xff\xfe", b".", b"",
)  # fmt: skip
TAGS = (
    b"sshd[1234]: ", b"sshd[12", b"sshd[99999999999999999999]: ", b"sshd: ", b"auth|security:info sshd: ",
    b"|auth:info su[ID 1 auth.info ",
    b"slapd[1]: conn=1 op=1 BIND dn=\"uid=a,o=b\" ", b"pf: ", b"kernel: [ID 1 kern.info] ", b"[ID ", b"su: ",
    b"snort[1]: [1:2:3] ", b"%ASA-6-106015: ", b"ossec: Alert Level: 7; Rule: 5716 - x; Location: a->b; ",
    b"ossec: Alert Level: 1; Rule: 510 - x; Location: (a) 10.9.8.7->rootcheck; srcip: 1; user: a;  ",
    b"ossec: output: 'netstat -tan': ",
    b"** Alert 1.2: mail - x,y\n2026 Nov 23 04:50:00 a->b\nRule: 1 (level 9) -> 'x'",
)  # fmt: skip
TOKENS = (
    b"%n", b"%s%s%s%n", b"%99999d", b"\0", b"\r", b"\t", b"\x1b[2J", b"\x7f", b"\x80", b"\xff", b"\xc3", b"\xc3\x28",
    b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x80\xae", b"\xc2\x85", b"(x) 1.2.3.4->y", b"(x", b")", b"->", b"(",
    b"[", b"]", b"{", b"}", b":", b": ", b"::", b";", b",", b"=", b"'", b'"', b"\\", b"/", b"|", b"-", b" ", b"  ",
    b"<", b">", b'{"a":{"b":[1,"', b'"}]}', b"{PCI: 1.1, " + b"9" * 40 + b"}", b"<x><![CDATA[", b"]]></x>", b"&#x0;",
    b"<!-- ", b"1:", b"2:", b"3:", b"8:", b"9:", b"2:10.9.8.7:", b"8:(x) 1.2.3.4->syscheck:",
    b"9:(x) 1.2.3.4->rootcheck:", b"5:syscheck-db-completed", b"1:ossec-keepalive:", b"#!1- ", b"0", b"-1",
    b"4294967296", b"99999999999999999999",
    b"256.256.256.256", b"1.2.3.4", b"fe80::1%lo", b"Googlebot", b"srcip: ", b" user: ", b"GET /?", b"error", b"attack",
)  # fmt: skip


def samples(tarball: Path) -> list[bytes]:
    """The log lines of a release's own rule tests, contrib/ossec-testing/tests/*.ini, which each say what a
    rule matches; a few of our own where it has none.
    """
    found: dict[bytes, None] = {}  # in the order of the archive, each once
    with tarfile.open(tarball) as tar:
        for entry in tar:
            if "/ossec-testing/tests/" in entry.name and entry.name.endswith(".ini"):
                file = tar.extractfile(entry)
                assert file is not None
                for line in _logs(file.read().decode("utf-8", "surrogateescape")):
                    found[line.encode("utf-8", "surrogateescape")] = None
    return list(found) or [b"Nov 23 04:50:00 web1 sshd[1234]: " + body for body in BODIES]


def _logs(text: str) -> Iterator[str]:
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(text)
    for section in parser.sections():
        yield from (value for key, value in parser.items(section) if key.startswith("log ") and value)


class Mutator:
    """Endless mutations of `seeds`; `seed` repeats them."""

    def __init__(self, seeds: Sequence[bytes], seed: int) -> None:
        self.seeds = list(seeds)
        self.seed = seed

    def lines(self, count: int) -> Iterator[bytes]:
        """`count` lines, the same ones at each call."""
        dice = random.Random(self.seed)
        chance, choice = dice.random, dice.choice
        for _ in range(count):
            line = choice(self.seeds)
            for _ in range(
                1 + int(chance() * chance() * 5)
            ):  # one is likeliest: a line near to a good one goes deepest
                line = choice(self._CHANGES)(self, dice, line)
            yield line[:7000]

    def _insert(self, dice: random.Random, line: bytes) -> bytes:
        at = int(dice.random() * (len(line) + 1))
        return line[:at] + dice.choice(TOKENS) + line[at:]

    def _overwrite(self, dice: random.Random, line: bytes) -> bytes:
        at = int(dice.random() * (len(line) + 1))
        token = dice.choice(TOKENS)
        return line[:at] + token + line[at + len(token) :]

    def _flip(self, dice: random.Random, line: bytes) -> bytes:
        broken = bytearray(line)
        for _ in range(1 + int(dice.random() * 4)):
            if broken:
                broken[int(dice.random() * len(broken))] = int(dice.random() * 256)
        return bytes(broken)

    def _delete(self, dice: random.Random, line: bytes) -> bytes:
        at = int(dice.random() * (len(line) + 1))
        return line[:at] + line[at + 1 + int(dice.random() * dice.random() * 40) :]

    def _cut(self, dice: random.Random, line: bytes) -> bytes:
        return line[: int(dice.random() * (len(line) + 1))]

    def _splice(self, dice: random.Random, line: bytes) -> bytes:
        other = dice.choice(self.seeds)
        return line[: int(dice.random() * (len(line) + 1))] + other[int(dice.random() * (len(other) + 1)) :]

    def _lengthen(self, dice: random.Random, line: bytes) -> bytes:
        """One part again and again, up to one of the lengths at which something may be full. Rare, as it is slow."""
        if dice.random() > 0.1:
            return self._insert(dice, line)
        at = int(dice.random() * (len(line) + 1))
        part = line[at : at + 1 + int(dice.random() * dice.random() * 30)] or b"A"
        room = max(0, dice.choice(LENGTHS) + int(dice.random() * 3) - 1 - len(line))
        return line[:at] + (part * (room // len(part) + 1))[:room] + line[at:]

    def _redate(self, dice: random.Random, line: bytes) -> bytes:
        """Another date, often cut short, before what may follow it."""
        date = dice.choice(DATES)
        if dice.random() < 0.5:
            date = date[: int(dice.random() * (len(date) + 1))]
        return date + (line[16:] if line[15:16] == b" " else line) if dice.random() < 0.8 else date

    def _extend(self, dice: random.Random, line: bytes) -> bytes:
        """The header of RFC 5424, which leaves the program to the message."""
        host, _, rest = line[16:].partition(b" ")
        return b"1 2026-11-23T04:50:00.123Z " + (host or b"-") + b" - - " + dice.choice(EXTRAS) + rest

    def _rehost(self, dice: random.Random, line: bytes) -> bytes:
        rest = line[16:].partition(b" ")[2]
        return line[:16] + dice.choice(HOSTS) + b" " + rest

    def _retag(self, dice: random.Random, line: bytes) -> bytes:
        head, _, rest = line.partition(b": ")
        return head.rpartition(b" ")[0] + b" " + dice.choice(TAGS) + (rest or dice.choice(BODIES))

    def _renumber(self, dice: random.Random, line: bytes) -> bytes:
        """Other digits, so that addresses, ports and users differ from line to line."""
        at = int(dice.random() * (len(line) + 1))
        digits = b"%d" % int(dice.random() * 10000)
        return line[:at] + bytes(
            digits[n % len(digits)] if 48 <= c <= 57 else c for n, c in enumerate(line[at:])
        )

    _CHANGES = (
        _insert, _insert, _overwrite, _overwrite, _flip, _delete, _delete, _cut, _splice, _splice, _lengthen, _redate,
        _rehost, _retag, _renumber, _extend,
    )  # fmt: skip

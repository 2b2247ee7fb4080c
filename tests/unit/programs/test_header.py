"""docker/intake's reader of headers: a table of what senders write, mutations of it, and what a line costs."""

import os
import re
import shutil
import struct
import subprocess
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from pipeline.image import DOCKER
from pipeline.project import ROOT
from tests.unit.conftest import Once

FUZZ_SECONDS = float(os.environ.get("FUZZ_SECONDS", "5"))
HERE = Path(__file__).parent
LINES: list[dict[str, Any]] = tomllib.loads((ROOT / "tests" / "headers.toml").read_text())["line"]
INTAKE = DOCKER / "intake"
SOURCES = [
    INTAKE / f"{name}.c"
    for name in [
        "as_it_is",
        "cisco",
        "dates",
        "header",
        "names",
        "plain",
        "rfc5424",
        "stamp",
        "tag",
        "time_parts",
        "vendors",
        "write",
    ]
]
WARNINGS = ("-std=gnu11", "-Wall", "-Wextra", "-Werror")
SANITIZERS = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
# As the harness has them.
SENDER = "2001:db8::9"
NOW = "Nov 27 06:00:00"
ENGINE_LIMIT = 6143
NAME, EXTRA = b"\x1d", b"\x1e"
# Of one line, each in another header.
VARIANTS = {
    "canonical": "Nov 26 06:00:00 web1 sshd[77]: ",
    "ISO": "2026-11-26T06:00:00+01:00 web1 sshd[77]: ",
    "ISO Z": "2026-11-26T06:00:00.123Z web1 sshd[77]: ",
    "RFC 5424": "1 2026-11-26T06:00:00.123456+00:00 web1 sshd 77 - - ",
    "RFC 5424 with data": '1 2026-11-26T06:00:00.123456+00:00 web1 sshd 77 ID47 [timeQuality tzKnown="1"] ',
    "no host": "Nov 26 06:00:00 sshd[77]: ",
    "year": "Nov 26 2026 06:00:00 web1 sshd[77]: ",
    "no header": "",
}
MOST_NANOSECONDS = 2000
MUTATIONS = 50_000

pytestmark = pytest.mark.skipif(
    shutil.which("gcc") is None, reason="gcc is missing, so the reader of headers is NOT tested here"
)


def compiled(folder: Path, *flags: str) -> Path:
    program = folder / "harness"
    harness = HERE / "header_harness.c"
    subprocess.run(
        ["gcc", *WARNINGS, *flags, f"-I{INTAKE}", str(harness), *map(str, SOURCES), "-o", str(program)],
        check=True,
    )
    return program


@pytest.fixture(scope="module")
def harness(once: Once) -> Path:
    return once("header", lambda folder: compiled(folder, *SANITIZERS))


def run(program: Path, records: Iterable[bytes], *command: str) -> bytes:
    packed = b"".join(struct.pack("I", len(record)) + record for record in records)
    done = subprocess.run(
        [str(program), *command],
        input=packed,
        capture_output=True,
        env={**os.environ, "TZ": "UTC"},
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


def converted(program: Path, records: Iterable[bytes], room: int = ENGINE_LIMIT) -> list[tuple[bytes, bool]]:
    """What the engine gets of each, and whether it was cut."""
    out = run(program, records, "convert", str(room))
    results = []
    while out:
        (length,) = struct.unpack_from("I", out)
        results.append((out[5 : 4 + length], out[4] != 0))
        out = out[4 + length :]
    return results


def sent(row: dict[str, Any]) -> bytes:
    text: str = row["sent"]
    return text.encode("latin-1" if row.get("latin1") else "utf-8")


def expected(row: dict[str, Any]) -> tuple[bytes, bytes]:
    text: str = row.get("engine", re.sub(r"^<\d{1,3}>", "", row["sent"]))
    text = text.replace("{sender}", SENDER).replace("{now}", NOW)
    return text.encode("latin-1" if row.get("latin1") else "utf-8"), row.get("extra", "").encode()


def test_the_engine_gets_each_line_of_the_table_in_its_own_form(harness: Path) -> None:
    assert len(LINES) >= 120
    results = converted(harness, map(sent, LINES))
    wrong = {}
    for row, (got, cut) in zip(LINES, results, strict=True):
        message, _, extra = got.replace(NAME, b"").partition(EXTRA)
        if cut or (message, extra.removeprefix(b"| ")) != expected(row):
            wrong[row["from"]] = (message, extra)
    assert wrong == {}


def test_a_name_that_the_engine_would_not_take_is_marked_and_no_other(harness: Path) -> None:
    """The shim gives it back its characters."""
    for row, (got, _) in zip(LINES, converted(harness, map(sent, LINES)), strict=True):
        parts = got.partition(EXTRA)[0].split(NAME)
        assert len(parts) % 2 == 1, row["from"]
        for name in parts[1::2]:
            in_pid = b"[" + NAME + name + NAME + b"]" in got
            assert re.search(rb"[^0-9]" if in_pid else rb"[^A-Za-z0-9()\-./@_]", name), row["from"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_over_long_line_is_cut_at_the_end_of_a_character_and_says_so(harness: Path, variant: str) -> None:
    line = f"<38>{VARIANTS[variant]}{'ä€𝄞' * 500}".encode()
    for room in range(300, 309):
        ((got, cut),) = converted(harness, [line], room)
        assert cut
        assert room - 4 < len(got) <= room
        got.decode()


def test_the_extra_of_a_line_that_only_just_fits_is_what_is_cut(harness: Path) -> None:
    line = b"<38>" + VARIANTS["RFC 5424 with data"].encode() + b"x" * 100
    ((whole, _),) = converted(harness, [line])
    message = whole.partition(EXTRA)[0]
    ((got, cut),) = converted(harness, [line], len(message) + 10)
    assert cut
    assert got.partition(EXTRA)[0] == message


@pytest.mark.parametrize("line", [b"", b"<38>", b"\r\n", b"\0", b"<38>   ", b"\xef\xbb\xbf"])
def test_a_line_that_says_nothing_becomes_none(harness: Path, line: bytes) -> None:
    assert converted(harness, [line]) == [(b"", False)]


def test_lines_that_were_mutated_break_nothing(harness: Path) -> None:
    """The harness aborts where memory is misused, and where what it checks of every line does not hold."""
    lines = int(run(harness, map(sent, LINES), "fuzz", str(FUZZ_SECONDS)))
    print(f"{lines} mutated lines")
    assert lines > 1000


STAMPS = ["Nov 26 06:00:00", "Nov  6 2026 06:00:00", "2026-11-26T06:00:00Z", "2026-11-06T06:00:00.123+01:00"]
HOSTS = [
    "web1",
    "WEB1",
    "a.b.c",
    "10.0.0.1",
    "info",
    "auth.info",
    "Nov",
    "UTC",
    "2026",
    "Thu",
    "last",
    "message",
    "Z",
    "",
]
TAGS = ["sshd[77]:", "sshd:", "sshd[77]", "err:", "daemon.err:", "12345 a[1]:", "Forwarded:", "rtr1:"]
MESSAGES = [
    "hello",
    "%SYS-5-CONFIG_I: hello",
    "Nov 26 06:00:00: %SYS-5-CONFIG_I: hello",
    "2345: *Nov 26 06:00:00.123: %SYS-5-CONFIG_I: hello",
    "2026/11/26 06:00:00 [error] 1#1: hello",
    "app 77 - - hello",
]


def test_the_short_way_of_a_plain_line_comes_to_the_same_end_as_the_tables(
    harness: Path, tmp_path: Path
) -> None:
    """plain.c is there for speed alone."""
    made = [
        f"<38>{stamp} {host and host + ' '}{tag} {message}".encode()
        for stamp in STAMPS
        for host in HOSTS
        for tag in TAGS
        for message in MESSAGES
    ]
    lines = [*map(sent, LINES), *made]
    by_tables = compiled(tmp_path, *SANITIZERS, "-DPLAIN=0")
    for record, way, tables in zip(
        lines, converted(harness, lines), converted(by_tables, lines), strict=True
    ):
        assert way == tables, record
    mutations = [run(program, lines, "mutate", str(MUTATIONS)) for program in (harness, by_tables)]
    at = next((i for i, (way, tables) in enumerate(zip(*mutations, strict=False)) if way != tables), None)
    assert at is None, mutations[0][max(0, at - 200) : at + 100]


def test_a_line_costs_next_to_nothing_in_every_variant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside the ten microseconds and more that the engine takes for it. The limit is that of a busy machine."""
    message = "Failed password for bob from 203.0.113.10 port 40022 ssh2"
    program = compiled(tmp_path, "-O2")
    out = run(program, [f"<38>{header}{message}".encode() for header in VARIANTS.values()], "time")
    times = dict(zip(VARIANTS, map(float, out.split()), strict=True))
    with capsys.disabled():
        print("\nns a line:", ", ".join(f"{variant} {time:.0f}" for variant, time in times.items()))
    assert max(times.values()) < MOST_NANOSECONDS

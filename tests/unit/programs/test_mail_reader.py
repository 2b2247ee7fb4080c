"""What ossec-maild reads of the alerts, by docker/shim/mail.c in a program of our own: each alert once."""

import os
import re
import subprocess
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from pipeline.project import ROOT
from tests.unit.conftest import Once

LIBRARY = ROOT / "docker" / "rootfs" / "usr" / "local" / "lib" / "ossec-log-server"
SECONDS = 30


class Mail:
    """OSSEC's folder of alerts as text, the position, and a reader that can be started again."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.program, self.folder = program, folder
        self.today = date.today()
        self.alerts, self.position = folder / "alerts", folder / "position"
        self.alerts.mkdir()
        self.live = self.alerts / "alerts.log"
        self.number = 0
        self.errors = folder / "errors"
        self._process: subprocess.Popen[str] | None = None

    def file(self, day: date) -> Path:
        path = self.alerts / f"{day:%Y}" / f"{day:%b}" / f"ossec-alerts-{day:%d}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def text(self, count: int, flag: str = "mail ") -> bytes:
        """So many more alerts, each with a number of its own."""
        found = b""
        for _ in range(count):
            found += (
                f"** Alert 1700000000.{self.number}: {flag} - syslog\nn\nalert {self.number}\n\n".encode()
            )
            self.number += 1
        return found

    def write(self, count: int = 1, days: int = 0, raw: bytes = b"") -> Path:
        """Alerts of the day so many days from today."""
        path = self.file(self.today + timedelta(days))
        with path.open("ab") as file:
            if not self.live.exists() or not self.live.samefile(path):
                self.live.unlink(missing_ok=True)
                self.live.hardlink_to(path)
            file.write(raw or self.text(count))
        return path

    def prepare(self) -> str:
        """Before the engine and ossec-maild start; what it says."""
        script = (
            (LIBRARY / "mail" / "mail-position")
            .read_text()
            .replace("/usr/local/lib/ossec-log-server", str(LIBRARY))
        )
        done = subprocess.run(
            ["perl", "-", str(self.position), str(self.alerts)], input=script, text=True, capture_output=True
        )
        assert done.returncode == 0, done.stderr
        return done.stderr

    def start(self) -> str:
        said = self.prepare()
        self.start_program()
        return said

    def start_program(self) -> None:
        with self.errors.open("a") as errors:
            self._process = subprocess.Popen(
                [self.program],
                cwd=self.folder,
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )

    def read(self, keep: bool = True, word: str = "read") -> list[int]:
        """The numbers of the alerts that are there now; `keep` where their mail is in the queue."""
        process = self._process
        assert process
        assert process.stdin
        assert process.stdout
        process.stdin.write(f"{word}\n")
        process.stdin.flush()
        found = []
        while (line := process.stdout.readline()) != ".\n":
            match = re.fullmatch(r"date\x01([\d -]+)\x01 alert (\d+)\n", line)
            assert match, (line, self.errors.read_text())
            found.append(int(match[2]))
            if keep:
                self.position.write_text(f"{match[1]}\n")
        return found

    def stop(self) -> None:
        if self._process:
            assert self._process.stdin
            assert self._process.stdout
            self._process.stdin.close()
            assert self._process.wait(SECONDS) == 0, self.errors.read_text()
            self._process.stdout.close()
            self._process = None

    def restart(self) -> str:
        self.stop()
        return self.start()


@pytest.fixture(scope="module")
def program(once: Once) -> Path:
    """The reader, of the folder that it runs in."""
    return once("maild", reader)


def reader(folder: Path) -> Path:
    made = folder / "maild"
    shim = ROOT / "docker" / "shim"
    sources = [shim / "mail.c", shim / "mail_files.c", Path(__file__).with_name("maild") / "maild.c"]
    flags = ["-std=gnu11", "-g", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined"]
    paths = ['-DFOLDER="alerts"', '-DPOSITION="position"', f"-I{shim}", f"-I{sources[-1].parent}"]
    subprocess.run(["gcc", *flags, *paths, *map(str, sources), "-o", str(made)], check=True)
    return made


@pytest.fixture
def mail(program: Path, tmp_path: Path) -> Iterator[Mail]:
    """One that has been started on an empty file of today, and has ended."""
    made = Mail(program, tmp_path)
    made.file(made.today).touch()
    made.live.hardlink_to(made.file(made.today))
    made.prepare()
    yield made
    made.stop()


def test_each_alert_is_read_once_over_restarts(mail: Mail) -> None:
    mail.write(10)
    mail.start()
    assert mail.read() == list(range(10))
    mail.write(5)
    assert mail.read() == list(range(10, 15))
    mail.write(5)
    assert mail.read(keep=False) == list(range(15, 20))
    mail.restart()  # their mail was in no queue
    assert mail.read() == list(range(15, 20))
    mail.restart()
    assert mail.read() == []


def test_once_it_is_asked_to_end_what_waits_stays_in_the_file(mail: Mail) -> None:
    mail.write(5)
    mail.start()
    assert mail.read() == list(range(5))
    mail.write(1000)
    assert mail.read(word="end") == []
    mail.restart()
    assert mail.read()[:1] == [5]


def test_only_what_is_to_be_mailed_is_read(mail: Mail) -> None:
    mail.write(raw=mail.text(3, flag=""))
    mail.write(1)
    mail.write(raw=mail.text(3, flag=""))
    mail.start()
    assert mail.read() == [3]


@pytest.mark.parametrize(
    "content", ["", "\0" * 30, "2026-13-01 5 6\n", "yesterday\n", "2026-11-26 5", "2026-11-26 -5 1\n"]
)
def test_a_position_that_is_damaged_repeats_today_and_says_so(mail: Mail, content: str) -> None:
    mail.start()
    mail.write(5, -1)
    assert mail.read() == list(range(5))
    mail.write(5)
    assert mail.read() == list(range(5, 10))
    mail.stop()
    mail.position.write_text(content)
    said = mail.start()
    assert said.count("\n") == 1
    assert "cannot be used" in said
    assert "so the alerts of today are mailed again" in said
    assert mail.read() == list(range(5, 10))
    mail.write(2)
    assert mail.restart() == ""
    assert mail.read() == [10, 11]


def test_a_position_that_is_damaged_under_way_switches_nothing_off(mail: Mail) -> None:
    mail.write(5)
    mail.start()
    assert mail.read() == list(range(5))
    mail.stop()
    mail.prepare()
    mail.position.write_text("\0")
    mail.start_program()
    assert mail.read() == list(range(5))
    assert "so the alerts of today are mailed again" in mail.errors.read_text()


def test_the_position_of_a_release_before_goes_on(mail: Mail) -> None:
    mail.write(2)
    offset = mail.file(mail.today).stat().st_size
    mail.write(2)
    mail.position.write_text(f"{mail.today} {offset}\n")
    mail.start()
    assert mail.read() == [2, 3]


def test_a_file_that_a_power_failure_has_shortened_goes_on_at_its_end(mail: Mail) -> None:
    path = mail.write(10)
    mail.start()
    mail.read()
    mail.stop()
    whole = path.read_bytes()
    cut = whole.index(b"** Alert 1700000000.6:")
    path.write_bytes(whole[: cut + 20])
    said = mail.start()
    assert "as after a power failure" in said
    os.truncate(path, cut)  # by the engine, at its start
    mail.write(3)
    assert mail.read() == [10, 11, 12]


def test_zeros_at_the_end_that_the_engine_cuts_off(mail: Mail) -> None:
    path = mail.write(5)
    size = path.stat().st_size
    mail.write(raw=b"** Alert 17" + bytes(5000))
    mail.start()
    assert mail.read() == list(range(5))
    os.truncate(path, size)
    mail.write(2)
    assert mail.read() == [5, 6]


@pytest.mark.parametrize(
    "junk", [b"** Alert 1.1: mail  - half\n2026", bytes(9000), b"** Alert 1.1: mail  - a\n" + bytes(50)]
)
def test_what_is_no_alert_is_left_out_and_takes_none_with_it(mail: Mail, junk: bytes) -> None:
    mail.write(3)
    mail.write(raw=junk + (b"\n" if junk[-1:] != b"\0" else b""))
    mail.write(3)
    mail.start()
    assert mail.read() == list(range(6))
    assert mail.errors.read_text().count("are no whole alert, and are not mailed") == 1


def test_half_an_alert_waits_for_its_end(mail: Mail) -> None:
    whole = mail.text(1)
    mail.write(raw=whole[:20])
    mail.start()
    assert mail.read() == []
    mail.write(raw=whole[20:-1])
    assert mail.read() == []
    mail.write(raw=whole[-1:])
    assert mail.read() == [0]


def test_more_than_may_wait_are_left_out_from_the_oldest_on(mail: Mail) -> None:
    mail.write(20_100)
    mail.start()
    assert mail.read(keep=False) == list(range(100, 190))  # and the next when their mail is in the queue
    said = mail.errors.read_text()
    assert "ossec-log-server: 100 alerts were not mailed: more than 20000 waited" in said
    assert said.count("above alert: (ossec-log-server: 100 alerts before this one were not mailed") == 1
    assert all(mail.read(keep=False) == [] for _ in range(2))
    mail.restart()
    assert mail.read()[0] == 100


def test_days_that_passed_meanwhile_are_read_to_their_ends(mail: Mail) -> None:
    mail.write(3)
    mail.start()
    assert mail.read() == [0, 1, 2]
    mail.write(3)
    for n in (1, 3, 4):
        mail.write(3, n)
    mail.restart()
    assert mail.read() == list(range(3, 15))


def test_the_clock_jumps_both_ways(mail: Mail) -> None:
    mail.start()
    jumps = [0, 1, 0, 2, 1, 0, 2, 0, -3, 0, 300, 0, -3]
    for n, days in enumerate(jumps):
        mail.write(3, days)
        assert mail.read() == list(range(n * 3, n * 3 + 3)), days
        if n % 2:
            mail.restart()
            assert mail.read() == []


def test_another_file_of_the_same_day_is_read_from_its_beginning(mail: Mail) -> None:
    path = mail.write(10)
    mail.start()
    mail.read()
    mail.write(1, 1)
    mail.read()
    path.rename(path.with_name("kept"))  # compressed, by OSSEC
    mail.write(3)
    assert mail.read() == [11, 12, 13]
    mail.restart()
    mail.write(1)
    assert mail.read() == [14]


def test_the_position_is_written_durably(tmp_path: Path) -> None:
    """File synced before it gets its name, its folder after: told by a library that stands between."""
    trace = tmp_path / "trace.c"
    trace.write_text(
        "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <stdio.h>\n"
        'int fsync(int f) { fprintf(stderr, "fsync\\n"); return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(f); }\n'
        'int rename(const char *a, const char *b) { fprintf(stderr, "rename\\n");'
        ' return ((int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename"))(a, b); }\n'
    )
    library = tmp_path / "trace.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, trace, "-ldl"], check=True)
    script = f"require '{LIBRARY / 'mail' / 'durable.pl'}'; write_durably($ARGV[0], qq(text\\n)) or die $!"
    done = subprocess.run(
        ["perl", "-e", script, str(tmp_path / "position")],
        env={**os.environ, "LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.split() == ["fsync", "rename", "fsync"]
    assert (tmp_path / "position").read_text() == "text\n"

"""ossec-output, compiled with sanitizers, and the folder of alerts that it reads: what its tests share."""

import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from datetime import date
from pathlib import Path

import pytest

from pipeline.project import ROOT
from pipeline.wait import wait_until

SOURCES = ROOT / "docker" / "outputs"
TODAY = date(2026, 11, 26)
SECONDS = 30


def compiled(folder: Path, *flags: str) -> Path:
    program = folder / "ossec-output"
    journal = SOURCES.parent / "journal"
    sources = [*sorted(map(str, SOURCES.glob("*.c"))), f"-I{journal}", str(journal / "state.c")]
    warnings = ["-std=gnu11", "-Wall", "-Wextra", "-Werror"]
    libraries = ["-ljansson", "-lssl", "-lcrypto", "-lz"]
    if not shutil.which("gcc"):
        pytest.skip("gcc is not installed, so ossec-output is NOT tested here")
    command = ["gcc", *flags, *warnings, *sources, *libraries, "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True)
    if re.search(r"fatal error: (openssl/|zlib\.h|jansson\.h)", done.stderr):
        pytest.skip(
            "headers are not installed (libjansson-dev, libssl-dev, zlib1g-dev): ossec-output is NOT tested"
        )
    assert done.returncode == 0, done.stderr
    return program


class Engine:
    """What OSSEC's engine does in its folder: a file a day, and alerts.json as a second name of the last."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.live = folder / "alerts.json"
        self.number = 0
        folder.mkdir()

    def file(self, day: date) -> Path:
        path = self.folder / f"{day:%Y}" / f"{day:%b}" / f"ossec-alerts-{day:%d}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def alerts(self, count: int, padding: int = 0) -> bytes:
        """So many more, each with a number of its own."""
        lines = []
        for _ in range(count):
            alert = {"rule": {"level": 5}, "TimeStamp": 1795600000000 + self.number, "n": self.number}
            lines.append(json.dumps({**alert, "full_log": "x" * padding}).encode())
            self.number += 1
        return b"".join(line + b"\n" for line in lines)

    def write(self, count: int = 10, day: date = TODAY, raw: bytes = b"", padding: int = 0) -> Path:
        """Append to the file of that day, as when the clock says so."""
        path = self.file(day)
        with path.open("ab") as file:
            if not self.live.exists() or not self.live.samefile(path):
                self.live.unlink(missing_ok=True)
                self.live.hardlink_to(path)
            file.write(raw or self.alerts(count, padding))
        return path

    def compress(self, day: date, part: int = 0) -> Path:
        path = self.file(day)
        packed = path.with_suffix(".json.gz")
        if part:
            packed = path.with_name(f"ossec-alerts-{day:%d}-{part}.json.gz")
        packed.write_bytes(gzip.compress(path.read_bytes(), 1))
        path.unlink()
        return packed


class Output:
    """The program with a position of its own. What it prints is collected."""

    def __init__(self, program: Path, engine: Engine, folder: Path) -> None:
        self.program, self.engine = program, engine
        self.position = folder / "position"
        self.environment = {**os.environ, "OSSEC_OUTPUT_CERTIFICATES": str(folder / "forward")}
        self.printed = bytearray()
        self.errors = ""
        self.process: subprocess.Popen[bytes] | None = None

    def command(self, *words: str) -> str:
        """`--settle` or `--counters`; what it says to standard error is kept, too."""
        arguments = [str(self.program), *words, str(self.engine.folder), str(self.position)]
        done = subprocess.run(arguments, capture_output=True, timeout=SECONDS)
        self.errors += done.stderr.decode()
        assert done.returncode == 0, self.errors
        return done.stdout.decode()

    def counters(self) -> tuple[int, int]:
        """How many were handed on, and how many bytes wait."""
        handed_on, waiting = self.command("--counters").split()
        return int(handed_on), int(waiting)

    def start(self, *target: str, read: bool = True) -> subprocess.Popen[bytes]:
        target = target or ("stdout", "-", "-", "json")
        arguments = [str(self.program), *target, str(self.engine.folder), str(self.position)]
        process = subprocess.Popen(
            arguments, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.process = process
        self._threads = [threading.Thread(target=self._errors, args=(process,), daemon=True)]
        if read:
            self._threads.append(threading.Thread(target=self._read, args=(process,), daemon=True))
        for thread in self._threads:
            thread.start()
        wait_until(lambda: catches_end(process.pid), SECONDS, 0.005, "the program to run")
        return process

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout
        while part := os.read(process.stdout.fileno(), 65536):
            self.printed += part

    def _errors(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr
        for line in process.stderr:
            self.errors += line.decode(errors="replace")

    def end(self, signal_number: int = signal.SIGTERM) -> float:
        """The seconds that it takes to end."""
        assert self.process
        began = time.monotonic()
        self.process.send_signal(signal_number)
        status = self.process.wait(SECONDS)
        took = time.monotonic() - began
        for thread in self._threads:
            thread.join(SECONDS)
        if signal_number == signal.SIGTERM:
            assert status == 0, self.errors
        assert not re.search("Sanitizer|runtime error", self.errors), self.errors
        return took

    def numbers(self) -> list[int]:
        return numbers(self.printed)

    def wait_for(self, count: int) -> list[int]:
        wait_until(lambda: len(set(self.numbers())) >= count, SECONDS, 0.02, f"{count} alerts: {self.errors}")
        return self.numbers()

    def run(self, count: int) -> list[int]:
        """Start, wait until so many different alerts have been printed in all, and end."""
        self.start()
        self.wait_for(count)
        self.end()
        return self.numbers()


def catches_end(process: int) -> bool:
    """Whether it has a handler for SIGTERM; or it has ended."""
    found = re.search(r"^SigCgt:\s*([0-9a-f]+)$", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
    return found is None or bool(int(found[1], 16) & 1 << (signal.SIGTERM - 1))


def numbers(lines: bytes | bytearray) -> list[int]:
    """Of alerts as lines; raises where one is no JSON."""
    return [json.loads(line[line.index(b"{") :])["n"] for line in lines.split(b"\n")[:-1]]

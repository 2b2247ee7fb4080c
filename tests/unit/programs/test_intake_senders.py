"""The list of senders: how long one is unheard, over restarts, and how many there are at most."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from tests.unit.conftest import Once
from tests.unit.programs.intake import Intake, compiled, eventually, intake_sources, running

SENDER = "10.0.0.7"
BALANCER = "127.0.0.3"


@pytest.fixture(scope="module")
def hasty(once: Once) -> Path:
    """ossec-intake that looks for silent senders each second, not each ten seconds."""
    flags = ('-DSTATE_PATH="intake.state"', '-DSENDERS_PATH="senders.state"', "-DSENDERS_MS=1000")
    return once("hasty", lambda folder: compiled(folder, *intake_sources(), flags=flags))


def options(folder: Path, silent: int) -> list[str]:
    (folder / "proxies").write_text(f"{BALANCER}\n")
    return [f"--proxies={folder / 'proxies'}", f"--senders={folder / 'list'}", f"--silent={silent}"]


def line_from(intake: Intake, source: str) -> None:
    """A line that a balancer hands on."""
    header = f"PROXY TCP4 {source} 192.0.2.10 40022 514\r\n"
    with intake.connect("tcp", BALANCER) as balancer:
        balancer.sendall(f"{header}<13>Nov 26 06:00:00 web1 app: from {source}\n".encode())


def listed(program: Path, folder: Path, form: str) -> str:
    done = subprocess.run(
        [program, "--list-senders", form], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


def told(intake: Intake) -> list[str]:
    return [line for line in intake.lines() if "sender 10." in line]


def test_restarts_make_nobody_silent_and_put_no_silence_off(hasty: Path, tmp_path: Path) -> None:
    silent, run = 5, 2.5
    for number in range(20):
        with running(hasty, tmp_path, *options(tmp_path, silent), networks="10.0.0.0/8\n") as intake:
            if number == 0:
                line_from(intake, SENDER)
                intake.wait_lines(1)
                began = time.monotonic()
            # No run is as long as the silence that counts.
            until = time.monotonic() + run
            eventually(lambda: told(intake) or time.monotonic() > until, "an alert, or the run's end", 60)  # noqa: B023
            if found := told(intake):
                break
    assert f"sender {SENDER} is silent: its last line came at " in found[0]
    assert number > 0
    assert time.monotonic() - began > silent / 2  # not each restart is a silence of its own


def test_more_senders_than_have_room_are_counted_together(hasty: Path, tmp_path: Path) -> None:
    most, more = 4096, 20
    with running(hasty, tmp_path, *options(tmp_path, 0), networks="10.0.0.0/8\n") as intake, intake.engine():
        for number in range(most + more):
            line_from(intake, f"10.1.{number >> 8}.{number & 255}")
        eventually(lambda: intake.received("tcp") == most + more, "all lines", 60)
        rows = json.loads(listed(hasty, tmp_path, "json"))
        assert len({row["sender"] for row in rows}) == len(rows) == most
        assert listed(hasty, tmp_path, "table").endswith(f"\n{more} lines of further senders\n")
        metrics = listed(hasty, tmp_path, "prometheus").splitlines()
        assert sum("sender_lines_total{" in row for row in metrics) == 200
        assert intake.log().count("more than 4096 senders: the others are not in the list of senders") == 1
    # What is kept is as large at most, and is taken back.
    with running(hasty, tmp_path, *options(tmp_path, 0), networks="10.0.0.0/8\n"):
        assert len(json.loads(listed(hasty, tmp_path, "json"))) == most

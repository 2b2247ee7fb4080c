"""The machine loses its power while lines are acknowledged over RELP: none is lost, and the server starts again.

tests/image/support/power.py says what such a failure leaves. `--power-failures 20` is what the issue asks for.
"""

import os
import random
import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from pipeline import image, server
from pipeline.server import Server
from pipeline.soak import ends
from pipeline.soak.lines import Tally
from pipeline.soak.senders import RelpSender
from pipeline.wait import WaitTimeout, wait_until
from tests.image.conftest import FROM_HERE
from tests.image.support.ledger import DATA, stuck
from tests.image.support.power import MAKE, SIZE, USER, copy, mounted, power_volume, require

RATE = 500.0  # lines a second
SETTINGS = {**FROM_HERE, "OSSEC_RELP": "yes"}
BETWEEN = (0.1, 1.5)  # seconds between two failures
NEW = 100  # lines that are sent after each


@dataclass(frozen=True)
class Failure:
    """When the power failed: the log's length, what had been acknowledged before, and printed until then."""

    mark: int
    acknowledged: Tally
    printed: Tally


@pytest.mark.parametrize("kind", MAKE)
def test_a_power_failure_costs_nothing_that_was_acknowledged(
    client: docker.DockerClient,
    ossec_image: image.Image,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    kind: str,
) -> None:
    """L7, L8."""
    require(kind)
    count, chance = request.config.getoption("--power-failures"), random.Random(7)
    failures: list[Failure] = []
    complaints: list[str] = []
    with (
        power_volume(tmp_path, kind) as volume,
        server.server(client, ossec_image.name, SETTINGS, volumes=[f"{volume.path}:{DATA}"]) as running,
    ):
        running.wait_listening()
        sender = RelpSender("power", lambda: running.address(), RATE)
        sender.start()
        wait_until(lambda: sender.acknowledged.unique("power") > 2 * RATE, 60, what="the load")
        for _ in range(count):
            time.sleep(chance.uniform(*BETWEEN))
            acknowledged = sender.acknowledged.copy()
            mark = volume.mark()
            failures.append(Failure(mark, acknowledged, ends.printed(str(running.container.id))))
        sender.finish()
    marks = [failure.mark for failure in failures]
    images = volume.after_failures(marks, tmp_path, chance)
    for number, (failure, cut) in enumerate(zip(failures, images, strict=True)):
        with mounted(cut, tmp_path / "cut", kind) as folder:
            complaint = _after(client, ossec_image.name, folder, failure, NEW * number)
        if complaint:
            complaints.append(
                f"failure {number}, {failure.acknowledged.unique('power')} acknowledged: {complaint}"
            )
    assert not complaints, "\n".join(complaints)


def _after(client: docker.DockerClient, name: str, folder: Path, failure: Failure, first: int) -> str:
    """Start a server on what is left; what is wrong with it then."""
    with server.server(client, name, SETTINGS, volumes=[f"{folder}:{DATA}"]) as running:
        try:
            running.wait_listening()
        except (RuntimeError, WaitTimeout) as problem:
            return str(problem)
        if problems := stuck(running):
            return problems
        sender = RelpSender("new", lambda: running.address(), only=first + NEW)
        sender.sent.extend([0.0] * first)
        sender.opened.extend([0.0] * first)
        sender.start()
        sender.join(60)
        if sender.acknowledged.unique("new") < NEW:
            return f"of {NEW} new lines, {sender.acknowledged.unique('new')} were acknowledged"
        return _missing(running, name, str(folder), failure)


def _missing(running: Server, name: str, folder: str, failure: Failure) -> str:
    """What of the acknowledged lines, and of the new ones, does not arrive."""
    complaint = ""

    def all_there() -> bool:
        nonlocal complaint
        archived, alerts = ends.archived(name, folder), ends.alerts(name, folder)
        printed = ends.printed(str(running.container.id))
        wanted = list(failure.acknowledged.numbers("power"))
        missing = {
            "archive": sum(not archived.times("power", n) for n in wanted),
            "alerts.json": sum(not alerts.times("power", n) for n in wanted),
            "standard output": sum(
                not (printed.times("power", n) or failure.printed.times("power", n)) for n in wanted
            ),
            "new ones in the archive": NEW - archived.unique("new"),
            "new ones on standard output": NEW - printed.unique("new"),
        }
        complaint = ", ".join(f"{count} not in {where}" for where, count in missing.items() if count)
        return not complaint

    try:
        wait_until(all_there, 60, 0.5, "the acknowledged lines")
    except WaitTimeout:
        log = "\n".join(running.log().splitlines()[-5:])
        return f"{complaint}; its last lines:\n{log}"
    return ""


@pytest.mark.parametrize("kind", MAKE)
def test_the_disk_of_these_tests_keeps_what_was_synced_and_may_lose_the_rest(
    tmp_path: Path, kind: str
) -> None:
    require(kind)
    synced = lost = 0
    with power_volume(tmp_path, kind) as volume:
        marks = []
        for number in range(10):
            for name in ("synced", "not synced"):
                with (volume.path / f"{name} {number}").open("wb") as file:
                    file.write(b"x" * 10_000)
                    if name == "synced":
                        os.fsync(file.fileno())
            folder = os.open(volume.path, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
            marks.append(volume.mark())
    for number, cut in enumerate(volume.after_failures(marks, tmp_path, random.Random(7))):
        with mounted(cut, tmp_path / "cut", kind) as folder_then:
            for before in range(number + 1):
                synced += (folder_then / f"synced {before}").read_bytes() == b"x" * 10_000
                lost += (folder_then / f"not synced {before}").read_bytes() != b"x" * 10_000
    assert synced == sum(range(1, 11))
    assert lost > 10


@pytest.mark.parametrize("kind", MAKE)
def test_a_volume_that_another_still_holds_is_waited_for(tmp_path: Path, kind: str) -> None:
    """Else a copy of it lacks what was written last."""
    require(kind)
    image = tmp_path / "volume.img"
    with image.open("wb") as file:
        file.truncate(SIZE)
    subprocess.run([*MAKE[kind], image], check=True, capture_output=True)
    with ExitStack() as holder:
        with mounted(image, tmp_path / "volume", kind) as root:
            # A copy of all mounts, as a container has that starts just now.
            held = ["unshare", "--mount", "bash", "-c", "echo held; sleep 1"]
            process = holder.enter_context(subprocess.Popen(held, stdout=subprocess.PIPE))
            assert process.stdout
            assert process.stdout.readline() == b"held\n"
            os.chown(root, USER, 0)
        copy(image, tmp_path / "copy.img")
    with mounted(tmp_path / "copy.img", tmp_path / "copy", kind) as copied:
        assert copied.stat().st_uid == USER

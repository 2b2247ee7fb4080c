"""What several of these tests use: programs of the image, compiled with sanitizers, and a web server."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import settings

from tests.once import once as made_once
from tests.unit.http_server import Server, serving
from tests.unit.programs import output_program
from tests.unit.programs.intake import compiled, intake_sources
from tests.unit.programs.output_program import Engine, Output

Once = Callable[[str, Callable[[Path], Path]], Path]

# Times are of this project's own measurements; a busy machine makes no test fail.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that would have been waited between attempts at a download or a request."""
    waited: list[float] = []
    clock = SimpleNamespace(time=time.time, sleep=waited.append)
    monkeypatch.setattr("urllib3.util.retry.time", clock)  # what retries know as the module of that name
    return waited


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """What is made into a folder of that name by the first of pytest-xdist's workers that needs it."""
    return partial(made_once, tmp_path_factory)


@pytest.fixture(scope="session")
def intake_program(once: Once) -> Path:
    """ossec-intake with the sanitizers; it keeps its counters and senders in the folder that it runs in."""
    flags = ('-DSTATE_PATH="intake.state"', '-DSENDERS_PATH="senders.state"')
    return once("intake", lambda folder: compiled(folder, *intake_sources(), flags=flags))


@pytest.fixture(scope="session")
def program(once: Once) -> Path:
    """ossec-output with the sanitizers."""
    flags = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    return once("output", lambda folder: output_program.compiled(folder, *flags))


@pytest.fixture
def server() -> Iterator[Server]:
    """A web server that answers as its script says."""
    with serving() as running:
        yield running


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(tmp_path / "alerts")


@pytest.fixture
def output(program: Path, engine: Engine, tmp_path: Path) -> Iterator[Output]:
    """One that has been started once, on an empty folder."""
    made = Output(program, engine, tmp_path)
    made.command("--settle")
    yield made
    if made.process and made.process.poll() is None:
        made.process.kill()
        made.process.wait()

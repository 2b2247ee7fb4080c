"""The order of the tests, and what midnight does to them.

The files that take longest begin first, so that none is left to run by itself at the end. The server keeps one file a
day: a test that was under way at midnight may have looked for a line in the other day's. It is no failure, and runs
again. What the server itself does at midnight is tested with a clock of its own (test_outputs.py, test_retention.py).
"""

from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
# What takes a minute or more, most of which it waits, the longest first.
LONG = [
    TESTS / name
    for name in (
        "swarm/test_swarm.py",
        "publish/test_workflows.py",
        "image/outputs/test_mail_relay.py",
        "image/rules/test_fuzz.py",
        "image/outputs/test_mail.py",
        "image/loss/test_no_loss.py",
        "image/docs/test_podman.py",
        "image/loss/test_soak.py",
        "image/build/test_pipeline.py",
        "unit/programs/test_output_targets.py",
        "image/build/test_reproduce.py",
        "image/loss/test_reload.py",
        "image/start/test_awkward.py",
        "image/intake/test_silent.py",
        "image/outputs/test_retention.py",
        "image/docs/test_docker_logs.py",
        "unit/upkeep/test_dev.py",
    )
]
BEGUN = pytest.StashKey[date]()


def today() -> date:
    """The day of the containers that have no time zone of their own."""
    return datetime.now(UTC).date()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    places = {path: place for place, path in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path, len(LONG)))
    if not config.getoption("usepdb"):  # pytest-rerunfailures refuses it
        for item in items:
            item.add_marker(pytest.mark.flaky(reruns=1, condition=partial(midnight_came, item)))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.stash[BEGUN] = today()


def midnight_came(item: pytest.Item) -> bool:
    return today() != item.stash[BEGUN]


def pytest_sessionstart() -> None:
    for path in LONG:
        if not path.exists():
            raise pytest.UsageError(
                f"tests/conftest.py: LONG: {path} is not there; write the file's name of today."
            )

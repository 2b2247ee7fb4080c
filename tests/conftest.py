"""The order of the tests: the files that take longest begin first, so that none is left to run by itself at the end."""

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
        "image/build/test_reproduce.py",
        "image/loss/test_reload.py",
        "image/start/test_awkward.py",
        "image/intake/test_silent.py",
        "image/outputs/test_retention.py",
        "image/docs/test_docker_logs.py",
    )
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {path: place for place, path in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path, len(LONG)))


def pytest_sessionstart() -> None:
    for path in LONG:
        if not path.exists():
            raise pytest.UsageError(
                f"tests/conftest.py: LONG: {path} is not there; write the file's name of today."
            )

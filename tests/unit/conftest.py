"""What several of these tests use."""

from pathlib import Path

import pytest

from tests.unit.intake import compiled, intake_sources


@pytest.fixture(scope="session")
def intake_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ossec-intake with the sanitizers; it keeps its page of counters in the folder that it runs in."""
    flags = ('-DSTATE_PATH="intake.state"',)
    return compiled(tmp_path_factory.mktemp("intake"), *intake_sources(), flags=flags)

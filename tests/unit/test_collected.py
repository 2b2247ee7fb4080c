"""How the tests are run: every file of them, and again what failed while midnight came."""

import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from pipeline.project import ROOT


def test_pytest_goes_into_each_folder_of_tests(pytestconfig: pytest.Config) -> None:
    left_out = pytestconfig.getini("norecursedirs")
    folders = {path.parent for path in (ROOT / "tests").glob("**/test_*.py")}
    names = {name for folder in folders for name in folder.relative_to(ROOT).parts}
    assert "build" in names
    assert not [name for name in names if any(fnmatch(name, pattern) for pattern in left_out)]


@pytest.mark.parametrize(
    ("midnight", "wanted"),
    [(True, "1 passed, 1 rerun"), (False, "1 failed")],
    ids=["midnight", "no midnight"],
)
def test_what_fails_while_midnight_comes_runs_again(tmp_path: Path, midnight: bool, wanted: str) -> None:
    (tmp_path / "test_day.py").write_text(f"""
from datetime import timedelta
from tests import conftest

def test_day():
    if not hasattr(conftest, "failed_once"):
        conftest.failed_once, tomorrow = True, conftest.today() + timedelta(days={int(midnight)})
        conftest.today = lambda: tomorrow
        assert False
""")
    suite = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "-p", "tests.conftest"]
    done = subprocess.run(
        [*suite, "--rootdir", str(tmp_path), str(tmp_path)], cwd=ROOT, capture_output=True, text=True
    )
    assert wanted in done.stdout, done.stdout + done.stderr
    assert ("RERUN test_day.py::test_day" in done.stdout) is midnight

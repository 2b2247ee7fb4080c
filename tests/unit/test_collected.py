"""Every file of tests is run: pytest leaves out folders of some names, such as build, without a word."""

import subprocess
import sys

from pipeline.project import ROOT


def test_pytest_collects_each_file_of_tests() -> None:
    # Not of tests/ alone: that knows nothing of the options that the folders' own conftest.py add.
    folders = sorted(str(path.parent) for path in ROOT.glob("tests/*/conftest.py"))
    words = [sys.executable, "-m", "pytest", "--collect-only", "-qq", *folders]
    said = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    collected = {line.rpartition(": ")[0] for line in said.splitlines() if ": " in line}
    assert collected == {str(path.relative_to(ROOT)) for path in ROOT.glob("tests/**/test_*.py")}

"""The menu: what is missing or wrong is told in one line."""

import subprocess
import sys

import pytest

from pipeline.project import ROOT


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "invoke", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("words", "missing"),
    [
        (["publish"], "publish: --to is missing"),
        (["notes"], "notes: --of is missing"),
        (["notes", "--of", "x/y"], "notes: --into is missing"),
        (["describe"], "describe: --to is missing"),
    ],
)
def test_an_option_that_a_task_cannot_do_without_is_named(words: list[str], missing: str) -> None:
    done = run(*words)
    assert done.returncode == 64
    assert missing in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_version_is_tested_alone_only_by_the_image_s_tests() -> None:
    done = run("test", "--of", "4.2.0")
    assert "--of: is for the image's tests alone; write --only image --of VERSION." in done.stderr

"""The menu: what is missing or wrong is told in one line."""

import subprocess
import sys

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from pipeline import menu
from pipeline.errors import UserError
from pipeline.project import ROOT
from pipeline.registry import cosign


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
        (["describe", "--to", ""], "describe: --to is missing"),
        (["verify"], "verify: TAG is missing; `./dev --help verify` says what it is."),
        (["verify", "--no-rebuild"], "verify: TAG is missing"),
        (["detect"], "detect: CORPUS is missing"),
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


@pytest.mark.parametrize(("error", "code"), [(UserError("wrong"), 1), (cosign.NotKnown("away"), 75)])
def test_what_could_not_be_found_out_has_a_code_of_its_own(error: UserError, code: int) -> None:
    def fail(_: Context) -> None:
        raise error

    with pytest.raises(Exit) as ended:
        menu.task(fail).body(Context())
    assert ended.value.code == code

"""`./dev` for real, in a copy of the repository whose one locked package is a wheel made here: no network."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pipeline.project import ROOT
from pipeline.wait import wait_until
from tests.unit.conftest import Once

DEV = ROOT / "dev"
# All that ./dev uses beside Python; a PATH of only these is a machine on which nothing else is installed.
TOOLS = ("sh", "cat", "cksum", "dirname", "id", "rm")
INVOKE = """
import os, sys
def main():
    print(sys.argv[1:], os.getcwd(), os.environ.get("OSSEC_LOG_SERVER_YES"), os.environ["PATH"].split(":")[0])
"""


class Repository:
    """A copy of the project as far as ./dev knows it."""

    def __init__(self, root: Path, wheels: Path, tools: Path) -> None:
        self.root, self.wheels, self.tools = root, wheels, tools
        root.mkdir(parents=True)
        shutil.copy(DEV, root / "dev")
        self.lock("1.0")

    def lock(self, version: str) -> None:
        """Write requirements.txt for that version of the stand-in for invoke."""
        wheel = make_wheel(self.wheels, version)
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        (self.root / "requirements.txt").write_text(
            f"--no-index\n--find-links {self.wheels}\ninvoke=={version} --hash=sha256:{digest}\n"
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start ./dev on a machine that has only the tools, its two streams to be read."""
        return subprocess.Popen(
            [self.root / "dev", *arguments],
            cwd="/",
            env={"PATH": str(self.tools), "HOME": str(self.root)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def dev(self, *arguments: str) -> tuple[int, str, str]:
        """Run ./dev: its exit code, what it prints and what it says on standard error."""
        process = self.start(*arguments)
        output, errors = process.communicate(timeout=120)
        return process.returncode, output, errors

    def installed(self) -> str:
        """The version of the package in .venv."""
        [folder] = (self.root / ".venv").glob("lib/python*/site-packages/invoke-*.dist-info")
        return folder.name.removeprefix("invoke-").removesuffix(".dist-info")


def make_wheel(folder: Path, version: str) -> Path:
    folder.mkdir(exist_ok=True)
    info = f"invoke-{version}.dist-info"
    path = folder / f"invoke-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("invoke.py", INVOKE)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: invoke\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/entry_points.txt", "[console_scripts]\ninvoke = invoke:main\n")
        wheel.writestr(f"{info}/RECORD", "")
    return path


def script(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def real_python() -> str:
    """This Python outside of any virtual environment."""
    return os.path.realpath(sys.executable)


RUN_PYTHON = f'exec "{real_python()}" "$@"'


@pytest.fixture(scope="module")
def ready_made(once: Once) -> Path:
    """An environment as Python makes it, which takes seconds, to be copied."""

    def made(folder: Path) -> Path:
        subprocess.run([real_python(), "-m", "venv", folder], check=True)
        return folder

    return once("environment", made)


@pytest.fixture
def tools(tmp_path: Path, ready_made: Path) -> Path:
    """A PATH with TOOLS and python3, whose environments are copies; the space in its name is on purpose."""
    folder = tmp_path / "the tools"
    folder.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found, f"this machine has no {tool}"
        (folder / tool).symlink_to(found)
    cp, rm = shutil.which("cp"), shutil.which("rm")
    copy = f'"{rm}" -rf "$4" && exec "{cp}" -Rpl "{ready_made}" "$4"'
    script(folder / "python3", f'case "$*" in "-m venv --clear "*) {copy};; esac; {RUN_PYTHON}')
    return folder


@pytest.fixture
def makes_environments(tools: Path) -> None:
    """Python makes them itself."""
    script(tools / "python3", RUN_PYTHON)


@pytest.fixture
def repository(tmp_path: Path, tools: Path) -> Repository:
    return Repository(tmp_path / "the project", tmp_path / "wheels", tools)


def said(errors: str) -> list[str]:
    """What ./dev itself says, without what pip and apt-get say."""
    return [line for line in errors.splitlines() if line.startswith("dev: ")]


INSTALLING = "dev: installing the locked Python packages into .venv"


@pytest.mark.usefixtures("makes_environments")
def test_a_fresh_machine_gets_an_environment_once(repository: Repository) -> None:
    code, output, errors = repository.dev("demo", "--yes", "two words")
    root = repository.root
    assert (code, said(errors)) == (0, [INSTALLING])
    assert output == f"['demo', 'two words'] {root} 1 {root}/.venv/bin\n"

    for tool in repository.tools.glob("python*"):
        tool.unlink()  # what is fresh needs no search for Python, no pip, nothing
    assert repository.dev() == (0, f"['--list'] {root} None {root}/.venv/bin\n", "")
    assert repository.dev("--yes", "demo") == (0, f"['demo'] {root} 1 {root}/.venv/bin\n", "")
    for words in (("build", "4.2.0", "--help"), ("-h", "build")):
        assert repository.dev(*words) == (0, f"['--help', 'build'] {root} None {root}/.venv/bin\n", "")


def test_another_lock_makes_another_environment(repository: Repository) -> None:
    repository.dev()
    repository.lock("2.0")
    (repository.root / ".venv" / "left over").touch()
    code, _, errors = repository.dev()
    assert (code, said(errors), repository.installed()) == (0, [INSTALLING], "2.0")
    assert not (repository.root / ".venv" / "left over").exists()


def test_an_environment_does_not_outlive_its_python_or_its_place(repository: Repository) -> None:
    repository.dev()
    (repository.root / ".venv/bin/python").unlink()
    code, _, errors = repository.dev()
    assert (code, said(errors)) == (0, [INSTALLING])

    repository.root = repository.root.rename(repository.root.with_name("moved"))
    code, output, errors = repository.dev()
    assert (code, said(errors)) == (0, [INSTALLING])
    assert f"{repository.root}/.venv/bin" in output


def test_an_interrupted_install_is_redone(repository: Repository) -> None:
    python = repository.tools / "python3"
    as_it_was = python.read_text()
    half = f'{shutil.which("mkdir")} -p "$4/bin" && exec {shutil.which("sleep")} 60'
    script(python, f'case "$*" in "-m venv --clear "*) {half};; esac; {RUN_PYTHON}')
    process = repository.start()
    wait_until(lambda: (repository.root / ".venv" / "bin").is_dir(), timeout=30)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()

    python.write_text(as_it_was)
    code, output, errors = repository.dev()
    assert (code, said(errors)) == (0, [INSTALLING])
    assert output.startswith("['--list']")


def test_a_failed_renewal_does_not_leave_the_old_stamp(repository: Repository) -> None:
    repository.dev()
    locked = (repository.root / "requirements.txt").read_text()
    repository.lock("2.0")
    python = repository.tools / "python3"
    as_it_was = python.read_text()
    script(python, f'case "$*" in *--clear*) exit 1;; esac; {RUN_PYTHON}')
    code, _, errors = repository.dev()
    assert (code, said(errors)) == (
        1,
        [INSTALLING, "dev: python3 could not make .venv: see its message above"],
    )

    python.write_text(as_it_was)
    (repository.root / "requirements.txt").write_text(locked)
    code, _, errors = repository.dev()
    assert (code, said(errors)) == (0, [INSTALLING])


def test_a_package_that_is_not_the_locked_one_is_refused(repository: Repository) -> None:
    with (repository.wheels / "invoke-1.0-py3-none-any.whl").open("ab") as wheel:
        wheel.write(b"tampered")
    code, output, errors = repository.dev()
    assert (code, output) == (1, "")
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in errors
    assert said(errors)[-1].startswith("dev: pip could not install requirements.txt")
    assert not (repository.root / ".venv/bin/invoke").exists()


def test_two_at_once_install_once(repository: Repository) -> None:
    both = [repository.start("one"), repository.start("two")]
    results = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert [output.split()[0] for output, _ in results] == ["['one']", "['two']"]
    assert sorted(line for _, errors in results for line in said(errors)) == [INSTALLING]


# Machines that lack something


@pytest.mark.parametrize("old", [None, "exit 1"])
def test_without_a_new_enough_python_one_line_says_so(repository: Repository, old: str | None) -> None:
    (repository.tools / "python3").unlink()
    if old:
        for name in ("python3", "python3.12"):
            script(repository.tools / name, old)
    code, output, errors = repository.dev()
    assert (code, output) == (1, "")
    assert errors == "dev: no Python 3.11 or newer found: install one that runs as python3 and try again\n"


def test_a_newer_python_beside_an_old_python3_is_taken(repository: Repository) -> None:
    (repository.tools / "python3").rename(repository.tools / "python3.12")
    script(repository.tools / "python3", "exit 1")
    code, output, _ = repository.dev()
    assert (code, output.split()[0]) == (0, "['--list']")


@pytest.fixture
def bare(repository: Repository) -> Repository:
    """A machine with Debian's python3 alone: it has no ensurepip until a file called `ensurepip` is there."""
    python = repository.tools / "python3"
    lacks = f'case "$*" in *ensurepip*) [ -e "{repository.tools}/ensurepip" ] || exit 1;; esac'
    script(python, f"{lacks}\n{python.read_text()}")
    return repository


VENV = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"


def as_user(machine: Repository, uid: int) -> None:
    script(machine.tools / "id", f"echo {uid}")


def with_apt_get(machine: Repository, last: str) -> Path:
    """Give the machine an apt-get that logs what it is asked for; `last` is what it does at the end."""
    log = machine.tools / "apt.log"
    script(machine.tools / "apt-get", f'echo "$*" >>"{log}"; echo chatter; {last}')
    return log


def test_root_on_debian_gets_the_venv_package(bare: Repository) -> None:
    as_user(bare, 0)
    log = with_apt_get(bare, f'case "$*" in *install*) : >"{bare.tools}/ensurepip";; esac')
    code, output, errors = bare.dev()
    assert (code, said(errors)) == (0, [f"dev: installing {VENV} with apt-get", INSTALLING])
    assert output.startswith("['--list']")
    assert "chatter" not in errors
    update, install = log.read_text().splitlines()
    assert "update" in update
    assert install.endswith(VENV)


def test_an_apt_get_that_fails_ends_it(bare: Repository) -> None:
    as_user(bare, 0)
    with_apt_get(bare, "echo E: broken >&2; exit 100")
    code, output, errors = bare.dev()
    assert (code, output) == (1, "")
    assert "E: broken" in errors
    assert said(errors)[-1].startswith(f"dev: apt-get could not install {VENV}")


@pytest.mark.parametrize(("uid", "apt_get"), [(1000, True), (0, False)])
def test_anyone_else_is_told_what_to_install(bare: Repository, uid: int, apt_get: bool) -> None:
    as_user(bare, uid)
    log = with_apt_get(bare, "exit 0") if apt_get else None
    code, output, errors = bare.dev()
    assert (code, output) == (1, "")
    assert len(errors.splitlines()) == 1
    assert f"({VENV} on Debian and Ubuntu)" in errors
    assert log is None or not log.exists()

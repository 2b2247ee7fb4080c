"""What `./dev test` runs, in this order. `.venv/bin/nox -s unit -- -k fetch` runs a part of it.

Every session uses the environment that `./dev` made, so that what is tested is what is locked.
"""

import os
import shutil
import sys
from pathlib import Path

import nox

sys.path.insert(0, str(Path(__file__).parent))  # nox does not put the project's folder there
from pipeline.upkeep import scripts

nox.options.default_venv_backend = "none"
os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # nox may be called without ./dev

# Most tests wait most of the time; those of a file share what they have started. tests/conftest.py has the order.
WORKERS = "--numprocesses=6"
TOGETHER = (WORKERS, "--dist=loadfile", "--no-loadscope-reorder")
SLOWEST = ("--durations=15", "--durations-min=5")


@nox.session
def lint(session: nox.Session) -> None:
    """Style and likely mistakes in Python, Dockerfiles, shell scripts, YAML and workflows."""
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("hadolint", *scripts.dockerfiles())
    if shutil.which("shellcheck") is None:
        session.error(
            "shellcheck has no wheel for this machine: install it (Debian: apt-get install shellcheck)."
        )
    session.run("shellcheck", "--external-sources", "--check-sourced", *scripts.shell())
    # What shellcheck does not look for: a command that would end the container without a word of ours.
    session.run("python", "-m", "pipeline.upkeep.shell_lint", *scripts.start_up())
    session.run("yamllint", "--strict", ".")
    session.run("zizmor", "--offline", "--persona=auditor", ".github")
    session.run("check-jsonschema", "--builtin-schema=vendor.github-workflows", *scripts.workflows())
    session.run("check-jsonschema", "--builtin-schema=vendor.github-issue-forms", *scripts.issue_forms())
    with scripts.of_workflows() as steps:
        session.run("shellcheck", "--shell=bash", *steps)
    if shutil.which("actionlint"):  # no wheel has it, so what the others find must do where it is missing
        session.run("actionlint", *scripts.workflows(), external=True)


@nox.session
def types(session: nox.Session) -> None:
    """Static types, strictly."""
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """All tests: what the sessions unit, image and publish are about, side by side."""
    _pytest(session, "tests/image", "tests/publish", "tests/swarm", "tests/unit")


@nox.session(default=False)
def unit(session: nox.Session) -> None:
    """The pipeline's own tests: no Docker, no network but loopback."""
    session.run("pytest", "tests/unit", *(session.posargs or (WORKERS, *SLOWEST)))


@nox.session(default=False)
def image(session: nox.Session) -> None:
    """The image, built and attacked in a Docker engine; and on three of them as a swarm."""
    _pytest(session, "tests/swarm", "tests/image")


@nox.session(default=False)
def publish(session: nox.Session) -> None:
    """Publishing and verifying, against a real registry on loopback and with real signatures."""
    _pytest(session, "tests/publish")


@nox.session(default=False)
def swarm(session: nox.Session) -> None:
    """Of the session image, the part about examples/swarm: on three engines in privileged containers."""
    _pytest(session, "tests/swarm")


@nox.session(default=False)
def fast(session: nox.Session) -> None:
    """The unit tests, and beside them the images of OSSEC and of the stand-in, built and smoke-tested."""
    smoke = "tests/image/build/test_pipeline.py::test_smoke_passes"
    session.run("pytest", smoke, "tests/unit", WORKERS, *SLOWEST)


def _pytest(session: nox.Session, *folders: str) -> None:
    version = session.posargs if session.posargs[:1] == ["--release"] and len(session.posargs) == 2 else []
    if session.posargs and not version:
        session.run("pytest", *folders, *session.posargs)
        return
    session.run("pytest", *folders, *TOGETHER, *SLOWEST, *version)

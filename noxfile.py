"""What `./dev test` runs, in this order. `.venv/bin/nox -s unit -- -k fetch` runs a part of it.

Every session uses the environment that `./dev` made, so that what is tested is what is locked.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nox
import yaml

nox.options.default_venv_backend = "none"
os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # nox may be called without ./dev


@nox.session
def lint(session: nox.Session) -> None:
    """Style and likely mistakes in Python, Dockerfiles, shell scripts, YAML and workflows."""
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run(
        "hadolint", "docker/Dockerfile", "pipeline/bench/stock.Dockerfile", "tests/image/senders.Dockerfile"
    )
    if shutil.which("shellcheck") is None:
        session.error(
            "shellcheck has no wheel for this machine: install it (Debian: apt-get install shellcheck)."
        )
    session.run(
        "shellcheck",
        "--external-sources",
        "--check-sourced",
        "dev",
        ".ci/run",
        *shell_scripts(Path(".github")),
        *shell_scripts(Path("docker")),
        *shell_scripts(Path("examples")),
        *shell_scripts(Path("pipeline/bench")),
    )
    # What shellcheck does not look for: a command that would end the container without a word of ours.
    start_up = Path("docker/rootfs/usr/local")
    session.run(
        "python",
        "-m",
        "pipeline.shell_lint",
        str(start_up / "bin/ossec-log-server"),
        *map(str, sorted(start_up.glob("lib/ossec-log-server/*.bash"))),
    )
    session.run("yamllint", "--strict", ".")
    workflows = sorted(str(path) for path in Path(".github/workflows").glob("*.yml"))
    session.run("zizmor", "--offline", "--persona=auditor", ".github")
    session.run("check-jsonschema", "--builtin-schema=vendor.github-workflows", *workflows)
    for script in workflow_scripts(workflows):
        session.run("shellcheck", "--shell=bash", script)
    if shutil.which(
        "actionlint"
    ):  # no wheel has it, so what the others find must do where it is not installed
        session.run("actionlint", *workflows, external=True)


@nox.session
def types(session: nox.Session) -> None:
    """Static types, strictly."""
    session.run("mypy")


@nox.session
def unit(session: nox.Session) -> None:
    """The pipeline's own tests: no Docker, no network but loopback."""
    session.run("pytest", "tests/unit", *session.posargs)


@nox.session
def image(session: nox.Session) -> None:
    """The image, built and attacked in a Docker engine."""
    session.run("pytest", "tests/image", *session.posargs)


@nox.session
def publish(session: nox.Session) -> None:
    """Publishing and verifying, against a real registry on loopback and with real signatures."""
    session.run("pytest", "tests/publish", *session.posargs)


def workflow_scripts(workflows: list[str]) -> Iterator[str]:
    """The shell in each step of the workflows, one after the other as a file."""
    with tempfile.TemporaryDirectory() as folder:
        for workflow in workflows:
            for job, said in yaml.safe_load(Path(workflow).read_text())["jobs"].items():
                for number, step in enumerate(said["steps"], start=1):
                    if "run" in step:
                        file = Path(folder, f"{Path(workflow).stem}-{job}-step-{number}.sh")
                        file.write_text(f"set -eo pipefail # as the runner does\n{step['run']}")
                        yield str(file)


def shell_scripts(folder: Path) -> list[str]:
    """The files in `folder` that name a shell in their first line."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    first_lines = {path: path.read_bytes().partition(b"\n")[0] for path in files}
    return [
        str(path) for path, line in first_lines.items() if line.startswith(b"#!") and line.endswith(b"sh")
    ]

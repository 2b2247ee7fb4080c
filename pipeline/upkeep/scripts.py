"""What lint looks at: the shell scripts of the project and of its workflows, Dockerfiles, and GitHub's own files."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from pipeline.project import ROOT

FOLDERS = ("docker", "examples", "pipeline/bench", ".github")
ALONE = ("dev", ".ci/run")
GITHUB = ROOT / ".github"


def shell() -> list[str]:
    """The shell scripts, relative to the project's folder: files whose first line names a shell."""
    files = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file())
    return [
        *ALONE,
        *(str(path.relative_to(ROOT)) for path in files if re.match(rb"#!.*sh\n", path.read_bytes())),
    ]


def dockerfiles() -> list[str]:
    folders = ("docker", "examples", "pipeline", "tests")
    files = sorted(path for folder in folders for path in (ROOT / folder).rglob("*Dockerfile"))
    return [str(path.relative_to(ROOT)) for path in files]


def start_up() -> list[str]:
    """The scripts that run in the image, the start-up path first."""
    folder = ROOT / "docker/rootfs/usr/local/lib/ossec-log-server"
    return [str(path.relative_to(ROOT)) for path in (folder / "server", *sorted(folder.rglob("*.bash")))]


def workflows() -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for path in GITHUB.glob("workflows/*.yml"))


def issue_forms() -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for path in GITHUB.glob("ISSUE_TEMPLATE/*.yml"))


@contextmanager
def of_workflows() -> Iterator[list[str]]:
    """The shell in each step of the workflows, each as a file that exists inside of the `with` block."""
    with TemporaryDirectory() as folder:
        files = []
        for workflow in sorted(GITHUB.glob("workflows/*.yml")):
            for job, declared in yaml.safe_load(workflow.read_text())["jobs"].items():
                for number, step in enumerate(declared.get("steps", []), start=1):
                    if "run" in step:
                        file = Path(folder, f"{workflow.stem}-{job}-step-{number}.sh")
                        file.write_text(f"set -eo pipefail # as the runner does\n{step['run']}")
                        files.append(str(file))
        yield files

"""docker compose, as a person calls it in this project's folder."""

import os
import subprocess
from pathlib import Path

from pipeline.project import ROOT


def compose(*files: Path, command: list[str], **environment: str) -> str:
    """What docker compose says on standard output."""
    names = [argument for file in files for argument in ("--file", str(file))]
    done = subprocess.run(
        ["docker", "compose", *names, *command],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout

"""Streams made at random, for the parts of ossec-intake that take them apart."""

import os
import subprocess
import time
from pathlib import Path

from tests.unit.programs.intake import DOCKER, compiled


def test_random_streams(tmp_path: Path) -> None:
    intake = DOCKER / "intake"
    harness = Path(__file__).parent / "harness" / "streams.c"
    program = compiled(tmp_path, harness, intake / "frames.c", intake / "relp.c")
    seed = os.environ.get("INTAKE_SEED", str(time.time_ns() % 1_000_000))  # a failure's output names it
    seconds = os.environ.get("INTAKE_FUZZ_SECONDS", "5")
    done = subprocess.run([program, seconds, seed], capture_output=True, text=True)
    assert done.returncode == 0, f"INTAKE_SEED={seed}\n{done.stderr[:4000]}"
    assert int(done.stdout) > 50

"""The commands that a page of docs/ shows, run as they stand there but for the names, which are a test's own."""

import re
import subprocess
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
IMAGE = re.compile(r"ossec-log-server:\d+\.\d+\.\d+-r\d+")


def commands(page: str) -> list[str]:
    """Those of a page, in its order: each line that is indented by four spaces, with what continues it."""
    blocks = re.findall(r"(?m)^ {4}((?=\S)(?:.*\\\n)*.*)", (DOCS / page).read_text())
    return [block.replace("\\\n", " ") for block in blocks]


def run(command: str, image: str, name: str, volume: str) -> str:
    """What it says, with this image, name of the container, and volume, and ports of its own. Raises if it fails."""
    command = (
        IMAGE.sub(image, command)
        .replace("-v ossec:", f"-v {volume}:")
        .replace("--name ossec", f"--name {name}")
    )
    command = command.replace("docker exec ossec", f"docker exec {name}").replace("-p 514:", "-p 127.0.0.1::")
    done = subprocess.run(
        ["bash", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert done.returncode == 0, f"{command}: {done.stdout}"
    return done.stdout

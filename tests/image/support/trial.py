"""Many starts in one container, each at a tenth of the price: what the image says of settings and files."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container

from pipeline.server import HARDENED, container
from pipeline.server.execute import STDERR, execute

OWN = "/etc/ossec-log-server"
VALUE = "/etc/values/value"
LONGEST = 60  # seconds


@dataclass(frozen=True)
class Ended:
    """How one ended: its code, and the lines on standard error."""

    code: int
    lines: list[str]


class Trial:
    """A container in which no server runs until `run` tries one. Its /etc/ossec-log-server is `own` of `folder`."""

    def __init__(self, made: Container, folder: Path) -> None:
        self.container = made
        self.own, self.values = folder / "own", folder / "values"

    def empty(self) -> None:
        """Take away what was put there."""
        for path in [*self.own.iterdir(), *self.values.iterdir()]:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    def put(self, name: str, content: bytes) -> None:
        """Put a file into its /etc/ossec-log-server."""
        place = self.own / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)

    def put_value(self, content: bytes) -> None:
        """Write its file VALUE."""
        (self.values / "value").write_bytes(content)

    def run(self, settings: Mapping[str, str], *command: str) -> Ended:
        """Start the image's program with these variables. One that runs for a minute is ended with code 124."""
        words = ["timeout", str(LONGEST), "ossec-log-server", *command]
        code, error = execute(self.container, words, only=STDERR, environment=dict(settings))
        return Ended(code, error.decode(errors="replace").splitlines())

    def refused(self, settings: Mapping[str, str], code: int, *words: str, command: str = "") -> str:
        """The one line that it ends with. Raises AssertionError if it is another, or more, or the code is."""
        ended = self.run(settings, *command.split())
        assert (ended.code, len(ended.lines)) == (code, 1), ended
        line = ended.lines[0]
        assert line.startswith("ossec-log-server: ")
        for word in words:
            assert word in line
        return line


def says(container: Container, words: Sequence[str], **options: Any) -> tuple[int, str]:
    """What a command ends with, and what it says."""
    code, output = execute(container, words, **options)
    return code, output.decode(errors="replace")


@contextmanager
def trial(client: docker.DockerClient, image: str, folder: Path, **options: Any) -> Iterator[Trial]:
    """One with files in this folder, and any further option of the Docker SDK's `create`."""
    volumes = {}
    for name, place in (("own", OWN), ("values", "/etc/values")):
        (folder / name).mkdir()
        volumes[str(folder / name)] = {"bind": place, "mode": "ro"}
    volumes.update(options.pop("volumes", {}))
    given = {**HARDENED, "entrypoint": ["sleep", "infinity"], "healthcheck": {"test": ["NONE"]}, **options}
    with container(client, image, volumes=volumes, **given) as made:
        yield Trial(made, folder)

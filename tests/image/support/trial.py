"""Many starts in one container, each at a tenth of the price: what the image says of settings and files."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container

from pipeline.server import HARDENED, UNASKED, container
from pipeline.server.execute import STDERR
from pipeline.server.shell import Shell

OWN = "/etc/ossec-log-server"
VALUE = "/etc/values/value"
LONGEST = 60  # seconds
# Behind the command come, for each trial, the number of its variables and each as NAME=VALUE.
EACH = f"""
while (($# > 1)); do
    words=("${{@:3:$2}}")
    env "${{words[@]}}" timeout {LONGEST} ossec-log-server $1 2>&1 > /dev/null
    printf '\\0%s\\0' $?
    set -- "$1" "${{@:3 + $2}}"
done
"""


@dataclass(frozen=True)
class Ended:
    """How one ended: its code, and the lines on standard error."""

    code: int
    lines: list[str]


class Trial:
    """A container in which no server runs until `run` tries one. Its /etc/ossec-log-server is `own` of `folder`."""

    def __init__(self, made: Container, folder: Path) -> None:
        self.container = made
        self.shell = Shell(made)
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

    def put_value(self, content: bytes, mode: int = 0o644) -> None:
        """Write its file VALUE."""
        (self.values / "value").write_bytes(content)
        (self.values / "value").chmod(mode)

    def run(self, settings: Mapping[str, str], *command: str) -> Ended:
        """Start the image's program with these variables. One that runs for a minute is ended with code 124."""
        words = ["timeout", str(LONGEST), "ossec-log-server", *command]
        code, error = self.shell.execute(words, STDERR, settings)
        return Ended(code, error.decode(errors="replace").splitlines())

    def each(self, trials: Sequence[Mapping[str, str]], command: str = "") -> list[Ended]:
        """What `run` gives for each of these settings, in one command: it is cheaper."""
        words = [
            word
            for settings in trials
            for word in (str(len(settings)), *(f"{name}={value}" for name, value in settings.items()))
        ]
        code, output = self.shell.execute(["bash", "-c", EACH, "bash", command, *words])
        parts = output.decode(errors="replace").split("\0")
        assert (code, len(parts)) == (0, 2 * len(trials) + 1), output
        said, codes = parts[:-1:2], parts[1::2]
        return [Ended(int(one), lines.splitlines()) for one, lines in zip(codes, said, strict=True)]

    def says(self, words: Sequence[str], settings: Mapping[str, str] | None = None) -> tuple[int, str]:
        """What a command ends with, with these variables, and what it says."""
        code, output = self.shell.execute(words, environment=settings)
        return code, output.decode(errors="replace")

    def refused(self, settings: Mapping[str, str], code: int, *words: str, command: str = "") -> str:
        """The one line that it ends with. Raises AssertionError if it is another, or more, or the code is."""
        return one_line(self.run(settings, *command.split()), code, *words)


def one_line(ended: Ended, code: int, *words: str) -> str:
    """The one line that it said, with these words. Raises AssertionError if it is another, or more, or the code is."""
    assert (ended.code, len(ended.lines)) == (code, 1), ended
    line = ended.lines[0]
    assert line.startswith("ossec-log-server: ")
    for word in words:
        assert word in line, line
    return line


@contextmanager
def trial(client: docker.DockerClient, image: str, folder: Path, **options: Any) -> Iterator[Trial]:
    """One with files in this folder, and any further option of the Docker SDK's `create`."""
    volumes = {}
    for name, place in (("own", OWN), ("values", "/etc/values")):
        (folder / name).mkdir()
        volumes[str(folder / name)] = {"bind": place, "mode": "ro"}
    volumes.update(options.pop("volumes", {}))
    given = {**HARDENED, "entrypoint": ["sleep", "infinity"], **UNASKED, **options}
    with container(client, image, volumes=volumes, **given) as made:
        one = Trial(made, folder)
        with closing(one.shell):
            yield one

"""Where a line can be seen at the end: the archive, alerts.json, standard output, the mailbox, the forward target."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields

from pipeline.server.mailbox import Mailbox
from pipeline.soak.lines import FULL_LOG, ID, Tally, tally

CHUNK = 1 << 20

# Each file once: archives.log and alerts.json have another name in the folder of their day. Compressed days, too.
_EACH_FILE = r"""
find "$1" -type f \( -name '*.log' -o -name '*.json' -o -name '*.gz' \) -name "$2" -printf '%i %p\n' |
    sort -u -k 1,1n | while read -r _ file; do zcat -f "$file" | grep -ohaE "$3"; done
true
"""


def archived(image: str, volume: str) -> Tally:
    """The ids in the archives on the volume, whether its server runs or not. `volume` is a name, or a folder's path."""
    with _reading(image, volume, "/data/logs/archives", "*archive*", ID.pattern) as chunks:
        return tally(chunks)


def alerts(image: str, volume: str) -> Tally:
    with _reading(image, volume, "/data/logs/alerts", "*alerts*.json*", b'"full_log":"[^"]*') as chunks:
        return tally(chunks, FULL_LOG)


def printed(*containers: str) -> Tally:
    """The ids in the alerts on the standard output of these containers, over all their starts."""
    found = Tally()
    for name in containers:
        with _output("docker", "logs", name) as chunks:
            tally(chunks, FULL_LOG, found)
    return found


def mailed(mailbox: Mailbox) -> Tally:
    return tally(mail.body.encode() + b"\n" for mail in mailbox.messages())


@contextmanager
def _reading(image: str, volume: str, folder: str, name: str, pattern: bytes) -> Iterator[Iterator[bytes]]:
    # grep has no lookahead; whoever counts looks closer.
    wanted = re.sub(r"\(\?!.*?\)", "", pattern.decode())
    options = ["--rm", "--network=none", f"--volume={volume}:/data:ro", "--entrypoint=bash"]
    with _output("docker", "run", *options, image, "-c", _EACH_FILE, "bash", folder, name, wanted) as chunks:
        yield chunks


@contextmanager
def _output(*command: str) -> Iterator[Iterator[bytes]]:
    # The command and not the SDK, which takes ten times as long for each line.
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        stream = process.stdout
        yield iter(lambda: stream.read(CHUNK), b"")
    if process.returncode:
        raise RuntimeError(f"{' '.join(command[:4])} … ended with {process.returncode}")


@dataclass(frozen=True)
class Ends:
    archived: Tally
    alerts: Tally
    printed: Tally
    forwarded: Tally
    mailed: Tally

    def by_name(self) -> dict[str, Tally]:
        return {one.name: getattr(self, one.name) for one in fields(self)}

"""The same image again: built twice in different surroundings, or once more from what a published one says."""

import os
import shutil
import stat
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from pipeline import image
from pipeline.console import err, out
from pipeline.errors import UserError
from pipeline.image import content, labels, layers
from pipeline.image.content import Content
from pipeline.image.layers import Difference
from pipeline.machine import engine


@dataclass(frozen=True)
class Outcome:
    """What came of a second build.

    `subject` names the image, `digest` is its manifest's, `again` the rebuild's, `differences` are what differs
    (the first image's value comes first). `snapshot` is the day of Debian's archive that the packages are of, or
    empty where they are of the present one, so that a later rebuild may differ.
    """

    subject: str
    digest: str
    again: str
    differences: tuple[Difference, ...]
    snapshot: str

    @property
    def equal(self) -> bool:
        """Whether the two are the same bit for bit."""
        return self.digest == self.again

    @property
    def same_files(self) -> bool:
        """Whether at least all files are the same: another version of the builder may compress otherwise."""
        return all(each.what == layers.PACKED for each in self.differences)


# None of this may be seen in an image: a locale with other upper and lower case, a time zone with another day, a umask
# that hides files, and a user with no rights.
STRANGE = {"LC_ALL": "tr_TR.UTF-8", "TZ": "Pacific/Kiritimati"}
UMASK, NOBODY = 0o077, 65534


def reproduce(made_from: image.Recipe, archive: Path | None = None) -> Outcome:
    """Build without cache in strange surroundings, and compare with the image in `archive`, bit for bit.

    Where there is none, or it is of another recipe, it is built first. Nothing gets into the engine. Raises UserError
    when a build fails.
    """
    if archive is not None and archive.is_file():
        held = content.read(archive)
        if made_from.labels.items() <= held.labels.items():
            return rebuild(made_from, held)
        err.print(f"{archive} is of another commit or base, so two new builds are compared.")
    with tempfile.TemporaryDirectory(prefix="ossec-log-server-") as folder:
        err.print("The first build …")
        first = _build(made_from, Path(folder))
        err.print("The second build …")
        return rebuild(made_from, first)


def rebuild(made_from: image.Recipe, first: Content, cache: bool = False) -> Outcome:
    """Build in strange surroundings, not for the engine, and compare with the first. Raises UserError if it fails."""
    if os.geteuid() != 0:
        err.print("Only root can build as another user, so this build is run by the present one.")
    with tempfile.TemporaryDirectory(prefix="ossec-log-server-") as folder:
        place = Path(folder, "in", "another", "place")
        copy = replace(made_from, docker=checked_out(made_from.docker, place / "docker", UMASK))
        second = _build(copy, place, cache, strange=True)
        differences = layers.compare(first, second)
    subject = f"{made_from.labels[labels.VERSION]} for {made_from.platform}"
    return Outcome(subject, first.digest, second.digest, tuple(differences), made_from.under.snapshot)


def checked_out(docker: Path, to: Path, umask: int) -> Path:
    """A copy of the Dockerfile's folder as someone with that umask has it, who checked it out another day."""
    shutil.copytree(docker, to)
    for path in [to, *to.rglob("*")]:
        path.chmod((0o777 if path.is_dir() or path.stat().st_mode & 0o100 else 0o666) & ~umask)
        os.utime(path, (1_000_000_000, 1_000_000_000))
    return to


def report(outcome: Outcome) -> None:
    """Print the outcome, with every difference. Raises UserError where the two are not equal."""
    if outcome.equal:
        until = (
            f"with packages of Debian's archive of {outcome.snapshot}"
            if outcome.snapshot
            else "as long as Debian's archive stays as it is today"
        )
        out.print(f"[bold green]{outcome.subject} is reproducible[/], {until}: {outcome.digest}, twice.")
        return
    shown = Table("where", "what differs", box=None, pad_edge=False)
    for each in outcome.differences:
        shown.add_row(Text(each.where), Text(each.what))
    out.print(shown)
    only = ", though all files are the same" if outcome.same_files else ""
    raise UserError(f"{outcome.subject} is not reproducible{only}: {outcome.digest}, then {outcome.again}.")


def _build(made_from: image.Recipe, place: Path, cache: bool = False, strange: bool = False) -> Content:
    to = place / "image.tar"
    process: dict[str, Any] = {"environment": STRANGE, "umask": UMASK, "cwd": place} if strange else {}
    with image.arguments(made_from, place) as words:
        if not cache:
            words.append("--no-cache")
        if strange and os.geteuid() == 0:
            process |= _as_nobody(place)
        image.write(to, "ossec-log-server:again", words, made_from.release.source.commit_date, **process)
    return content.read(to)


def _as_nobody(place: Path) -> dict[str, Any]:
    """How a process is started as a user with no rights but to the engine's socket and the folder, then its own."""
    host = engine.look().host
    socket = Path(host.removeprefix("unix://"))
    for path in [place, *place.rglob("*")]:
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    for parent in place.parents:  # let it be reached
        if parent == Path(tempfile.gettempdir()):
            break
        parent.chmod(stat.S_IMODE(parent.stat().st_mode) | 0o011)
    home = {"DOCKER_HOST": host, "HOME": str(place), "DOCKER_CONFIG": str(place / "docker-config")}
    groups = [socket.stat().st_gid] if socket.exists() else []
    return {"environment": STRANGE | home, "user": NOBODY, "group": NOBODY, "extra_groups": groups}

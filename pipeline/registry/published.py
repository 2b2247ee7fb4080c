"""A published image and what its labels say: made again from that, and compared."""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from semver import Version

from pipeline import image, project, release, source
from pipeline.errors import UserError
from pipeline.image import content, labels, reproduce
from pipeline.image.content import Content
from pipeline.machine import emulation, engine


def find(reference: str, platform: str) -> Content:
    """The image of that platform which a registry has as `NAME:TAG` or `NAME@sha256:…`. Raises UserError if none."""
    *_, found = content.under(reference)
    for one in found:
        if one.platform_name == platform:
            return one
    there = ", ".join(one.platform_name for one in found)
    raise UserError(f"{reference} is there for {there}, but not for {platform}.")


def against(published: Content, cache: bool = False) -> reproduce.Outcome:
    """Build again what a published image says it was made from, and compare the two.

    Raises UserError where that can't be had here: its commit, its base, or its day of Debian's archive.
    """
    engine.ensure()
    emulation.ensure(published.platform_name)
    with recipe(published) as made_from:
        return reproduce.rebuild(made_from, published, cache)


@contextmanager
def recipe(published: Content) -> Iterator[image.Recipe]:
    """What an image says it was made from; its commit's files are there until the end. Raises as `against` does."""
    said = published.labels
    tag, commit = said.get(labels.VERSION, ""), said.get(labels.REVISION, "")
    version = tag.rpartition("-r")[0]
    # What a stranger's image says goes to git and into a path.
    if not Version.is_valid(version) or not re.fullmatch("[0-9a-f]{40}", commit):
        raise UserError(f"The image says it is {tag!r} of the commit {commit!r}, which can't be built again.")
    with tempfile.TemporaryDirectory(prefix="ossec-log-server-") as folder:
        _check_out(commit, version, Path(folder))
        made_of = release.load(Path(folder, "versions", f"{version}.toml"))
        if made_of.immutable_tag != tag:
            raise UserError(f"The image says it is {tag}, but commit {commit} says {made_of.immutable_tag}.")
        if said.get(labels.SNAPSHOT) == labels.NO_SNAPSHOT:
            made_of = replace(made_of, base=replace(made_of.base, snapshot=""))
        tarball = source.fetch(made_of)
        made_from = image.recipe(
            made_of,
            tarball,
            platform=published.platform_name,
            docker=Path(folder, "docker"),
            revision=commit,
            home=said.get(labels.SOURCE, ""),
        )
        for label in (labels.BASE, labels.BASE_DIGEST, labels.SNAPSHOT):
            if said.get(label) != made_from.labels[label]:
                raise UserError(
                    f"{tag} can't be built again here: it says {label} {said.get(label)}, and here that is "
                    f"{made_from.labels[label]}."
                )
        yield made_from


def _check_out(commit: str, version: str, folder: Path) -> None:
    """Put what an image of the version is made from into the folder, as that commit has it."""
    done = project.git("archive", "--format=tar", commit, "docker", f"versions/{version}.toml")
    if done.returncode:
        raise UserError(
            f"The image was made from the commit {commit}, and this repository does not have it with a "
            f"versions/{version}.toml: fetch it (git fetch --unshallow), or look at the image's labels."
        )
    # Not by tarfile, which is safe with strangers' archives from Python 3.11.4 on only.
    words = ["tar", "--extract", "--no-same-owner", f"--directory={folder}"]
    if subprocess.run(words, input=done.stdout, capture_output=True).returncode:
        raise UserError(f"The commit {commit} can't be unpacked into {folder}: is its disk full?")

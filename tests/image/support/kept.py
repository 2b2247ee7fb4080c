"""Images that are built only when what they are made from has changed: the builder takes 5 CPU-s to see that."""

import hashlib
from pathlib import Path

import docker
from docker.errors import ImageNotFound

from pipeline import image
from pipeline.project import ROOT
from pipeline.release import Release


def build(
    client: docker.DockerClient, wanted: Release, tarball: Path, repository: str = image.REPOSITORY
) -> image.Image:
    """As `image.build`. What it was made from, and what came of it, is noted beside its archive."""
    name = image.name(wanted, repository)
    archive = image.archive(name)
    note = archive.with_suffix(".made-from")
    made_from = digest_of(image.recipe(wanted, tarball, repository))
    if archive.exists() and note.exists():
        kept = image.inspect(archive, name)
        if note.read_text() == f"{made_from} {kept.digest}" and in_engine(client, kept):
            return kept
    made = image.build(wanted, tarball, repository)
    note.write_text(f"{made_from} {made.digest}")
    return made


def digest_of(recipe: image.Recipe) -> str:
    """Of the recipe, with the files that it names, and of the code that follows it."""
    found = hashlib.sha256(repr((recipe.release, recipe.under, recipe.platform, recipe.labels)).encode())
    for path in sorted([*recipe.docker.rglob("*"), *(ROOT / "pipeline" / "image").glob("*.py")]):
        if path.is_file():
            found.update(f"\n{path.relative_to(ROOT)} {path.stat().st_mode & 0o100} ".encode())
            found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def in_engine(client: docker.DockerClient, wanted: image.Image) -> bool:
    try:
        return client.images.get(wanted.name).id == wanted.digest
    except ImageNotFound:
        return False

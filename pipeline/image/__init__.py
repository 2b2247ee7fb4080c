"""From a verified tarball to an image in the engine, and its archive: the bytes that are tested and published."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import docker
from docker.errors import ImageNotFound
from rich.filesize import decimal
from rich.table import Column, Table

from pipeline import project
from pipeline.console import err
from pipeline.errors import UserError
from pipeline.image import base, content, labels, platforms
from pipeline.image.context import context
from pipeline.release import Release

DOCKER = project.ROOT / "docker"
# Another name keeps the images of two checkouts apart that share an engine.
REPOSITORY = os.environ.get("OSSEC_LOG_SERVER_IMAGE") or "ossec-log-server"


@dataclass(frozen=True)
class Layer:
    """One layer: what made it, its compressed size in bytes, and whether it came with the base."""

    made_by: str
    size: int
    of_base: bool


@dataclass(frozen=True)
class Image:
    """A built image: its name in the engine, its manifest's digest, the archive (docker's and OCI's form in
    one file) that holds it, its labels and its layers, the lowest first.
    """

    name: str
    digest: str
    archive: Path
    labels: dict[str, str]
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class Recipe:
    """All that an image is made from: `docker` is the folder of its Dockerfile."""

    release: Release
    tarball: Path
    under: base.BaseImage
    platform: str
    docker: Path
    labels: dict[str, str]


def name(release: Release, repository: str = REPOSITORY, platform: str = platforms.NATIVE) -> str:
    """The name in the engine of the image that `build` makes of the release."""
    return f"{repository}:{release.immutable_tag}{platforms.suffix(platform)}"


def archive(reference: str, platform: str = platforms.NATIVE) -> Path:
    """Where the archive of an image lies that `build` has made under that name."""
    stem = reference.replace(":", "-").removesuffix(platforms.suffix(platform))
    file = f"{stem}-{platforms.architecture(platform)}.tar"
    return project.cache_dir() / "images" / file


def build(
    release: Release,
    tarball: Path,
    repository: str = REPOSITORY,
    platform: str = platforms.NATIVE,
    require_snapshot: bool = False,
) -> Image:
    """Build the release's image from its verified tarball and load it into the engine under its `name`.

    Raises UserError when the base, or with `require_snapshot` the day of Debian's archive, cannot be had, or the build
    fails; then nothing new is in the engine.
    """
    made_from = recipe(release, tarball, repository, platform, require_snapshot=require_snapshot)
    with arguments(made_from) as words:
        return built(name(release, repository, platform), words, release.source.commit_date, platform)


def recipe(
    release: Release,
    tarball: Path,
    repository: str = REPOSITORY,
    platform: str = platforms.NATIVE,
    docker: Path = DOCKER,
    revision: str = "",
    home: str | None = None,
    require_snapshot: bool = False,
) -> Recipe:
    """What `build` makes the image from. `docker`, `revision` and `home` are another commit's and repository's, if not
    this folder's.

    Raises UserError when the base cannot be had.
    """
    under = base.obtain(release.base, release.source.commit_date, platform, require_snapshot)
    revision = revision or revision_of(release)
    said = labels.of(release, under, revision, stand_in_release=repository != REPOSITORY)
    said |= labels.of_home(project.home() if home is None else home)
    return Recipe(release, tarball, under, platform, docker, said)


@contextmanager
def arguments(made_from: Recipe, within: Path | None = None) -> Iterator[list[str]]:
    """What the builder is told of a recipe; the folder that it names is there until the end, as `context` has it."""
    with context(made_from.docker, made_from.tarball, made_from.under.sources, within) as folder:
        yield [
            *build_arguments(made_from.release, made_from.under, folder),
            f"--platform={made_from.platform}",
            *(f"--label={key}={value}" for key, value in made_from.labels.items()),
            str(folder / "docker"),
        ]


def build_arguments(release: Release, under: base.BaseImage, folder: Path) -> list[str]:
    """What the builder is told of a release, its base, and the folder that `context` made."""
    values = {
        "BASE": under.reference,
        "SNAPSHOT": under.snapshot,
        "VERSION": str(release.version),
        "SOURCE_SHA256": release.source.sha256,
        "EXTRA_CFLAGS": " ".join(release.build.cflags),
        "WITHOUT_WRAPS": " ".join(release.build.without_wraps),
        "PACKAGES": " ".join(release.build.packages),
    }
    return [
        *(f"--build-arg={key}={value}" for key, value in values.items()),
        f"--build-context=source={folder / 'source'}",
        # Provenance holds the time of the build; it is made where it is signed, not in the image.
        "--provenance=false",
    ]


def built(reference: str, words: Sequence[str], epoch: int, platform: str = platforms.NATIVE) -> Image:
    """Build with these arguments, archive the result in the cache and load it into the engine as `reference`.

    `epoch` (seconds since 1970) is the newest date of any file. Raises UserError when the build fails.
    """
    kept = archive(reference, platform)
    kept.parent.mkdir(parents=True, exist_ok=True)
    part = kept.with_suffix(f".{os.getpid()}.part")
    try:
        write(part, reference, words, epoch)
        part.replace(kept)
    finally:
        part.unlink(missing_ok=True)
    made = inspect(kept, reference)
    with closing(docker.from_env()) as client:
        if not _loaded(client, made):
            with kept.open("rb") as file:
                client.images.load(file)
    return made


def _loaded(client: docker.DockerClient, made: Image) -> bool:
    """Whether the engine has that very image. One that names images by another digest is given it again."""
    try:
        return client.images.get(made.name).id == made.digest
    except ImageNotFound:
        return False


def write(to: Path, reference: str, words: Sequence[str], epoch: int, **client: Any) -> None:
    """Build with these arguments into an archive; the rest as `buildx` has it."""
    form = f"type=docker,dest={to},name={reference},rewrite-timestamp=true,oci-mediatypes=true"
    buildx(f"--output={form}", *words, epoch=epoch, **client)


def inspect(archive: Path, name: str) -> Image:
    """What an archive of `build` holds."""
    held = content.read(archive)
    steps = held.steps
    # Our first layer is the one that installs packages; all under it came with the base.
    first = next((number for number, step in enumerate(steps) if "/mnt/apt-install" in step), len(steps))
    layers = tuple(
        Layer(_shortened(step), layer["size"], of_base=number < first)
        for number, (step, layer) in enumerate(zip(steps, held.manifest.data["layers"], strict=True))
    )
    return Image(name, held.digest, archive, dict(held.labels), layers)


def sizes(image: Image) -> Table:
    """The image's compressed size, layer by layer, and what it adds to its base."""
    table = Table("layer", Column("compressed", justify="right"), box=None, pad_edge=False)
    megabytes = partial(decimal, precision=2)
    for layer in image.layers:
        table.add_row(("base: " if layer.of_base else "") + layer.made_by, megabytes(layer.size))
    added = sum(layer.size for layer in image.layers if not layer.of_base)
    table.add_section()
    table.add_row("added to the base", megabytes(added), style="bold")
    table.add_row("in all", megabytes(sum(layer.size for layer in image.layers)), style="bold")
    return table


def revision_of(release: Release) -> str:
    """The newest commit that changed what this image is made from, so that other commits leave it as it is."""
    return commit("docker", f"versions/{release.version}.toml")


def commit(*paths: str) -> str:
    """The newest commit that changed these paths, or any; with `-dirty` where something there is not committed."""
    found = project.git_says("log", "-1", "--format=%H", "--", *paths)
    if not found:
        return "unknown"
    return found + ("-dirty" if project.git_says("status", "--porcelain", "--", *paths) else "")


def buildx(*words: str, epoch: int, environment: Mapping[str, str] | None = None, **process: Any) -> None:
    """Run the builder, which shows its progress on a terminal, elsewhere only what failed. Raises UserError then.

    `environment` is added to ours; `process` are options of `subprocess.run`, such as `user` and `umask`.
    """
    command = ["docker", "buildx", "build", *words]
    process["env"] = {**os.environ, **(environment or {}), "SOURCE_DATE_EPOCH": str(epoch)}
    if sys.stderr.isatty():
        if subprocess.run(command, **process).returncode:
            raise UserError("The build failed: see the builder's message above.")
        return
    done = subprocess.run([*command, "--progress=plain"], capture_output=True, text=True, **process)
    if done.returncode:
        err.print("\n".join(done.stderr.splitlines()[-40:]), markup=False)
        raise UserError("The build failed: see the builder's last lines above.")


def _shortened(step: str) -> str:
    step = step.removeprefix("RUN ").split("# buildkit")[0].strip()
    step = step.removeprefix("|").partition("/bin/sh -c ")[2] or step
    return step if len(step) <= 60 else step[:59] + "…"

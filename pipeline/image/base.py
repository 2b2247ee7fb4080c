"""The image underneath: Docker's official one, or where that cannot be had, a stand-in from Debian's archive."""

import os
import shutil
import subprocess
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.errors import APIError, ImageNotFound

from pipeline import machine, release
from pipeline.console import err
from pipeline.errors import UserError
from pipeline.image import platforms, snapshot

# What an official slim image leaves out too, so that sizes can be compared; licences stay.
SLIM = (
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/info/*",
)
# How the engine says that it found no way to the registry, as against the registry saying no.
NO_WAY = ("no such host", "dial tcp", "timeout", "connection refused", "server misbehaving", "TLS handshake")


@dataclass(frozen=True)
class BaseImage:
    """What the Dockerfile starts from.

    `reference` is for its FROM line, `digest` is the image's own, `snapshot` the day of Debian's archive for
    its packages (`YYYYMMDDTHHMMSSZ`), empty for the present day, and `sources` the lines of a sources.list for
    that day. `stand_in` is true where it is not the official image.
    """

    reference: str
    digest: str
    snapshot: str
    sources: list[str]
    stand_in: bool


def obtain(
    wanted: release.Base, epoch: int, platform: str = platforms.NATIVE, require_snapshot: bool = False
) -> BaseImage:
    """The official image, pulled if need be; where no registry answers, a stand-in for it, and it says so.

    It also says so where the archive of the wanted day does not answer, so that packages are the present ones; where
    no day is wanted, they are that anyway.
    `epoch` (seconds since 1970) dates the stand-in's files. Raises UserError when the registry refuses the
    image, when neither it nor a stand-in can be had, or, with `require_snapshot`, when the archive does not answer.
    """
    pinned = f"{wanted.image}@{wanted.digest}"
    suite = wanted.image.partition(":")[2].partition("-")[0]
    there = wanted.snapshot and snapshot.reachable(wanted.snapshot, suite, patient=require_snapshot)
    day = wanted.snapshot if there else ""
    sources = snapshot.sources(day, suite) if day else []
    if require_snapshot and not day:
        raise UserError(
            f"Debian's archive of {wanted.snapshot} does not answer at {snapshot.address()}, and a build of today's "
            f"packages could not be repeated: try again later, or name a mirror in {snapshot.VARIABLE}."
        )
    with closing(docker.from_env()) as client:
        official = _pulled(client, pinned, platform)
        if day != wanted.snapshot:
            err.print(
                f"[bold yellow]Debian's archive of {wanted.snapshot} cannot be reached,[/] so packages come from the "
                "present one: this build can be repeated bit for bit only as long as that stays as it is."
            )
        if official:
            return BaseImage(pinned, wanted.digest, day, sources, stand_in=False)
        name, digest = _stand_in(client, wanted.image, suite, sources, epoch, platform)
        return BaseImage(name, digest, day, sources, stand_in=True)


def _pulled(client: docker.DockerClient, pinned: str, platform: str) -> bool:
    """Whether the official image is here or could be pulled. Raises UserError when the registry refuses it."""
    try:
        client.images.get(pinned)
        return True  # a platform of it that is missing the builder pulls itself
    except ImageNotFound:
        err.print(f"Pulling {pinned.partition('@')[0]} …")
    try:
        client.images.pull(pinned, platform=platform)
    except APIError as problem:
        reason = str(problem.explanation or problem)
        if any(sign in reason for sign in NO_WAY):
            return False
        raise UserError(
            f"The base image {pinned} cannot be pulled: {reason}. Look at [base] in the version file."
        ) from problem
    return True


def _stand_in(
    client: docker.DockerClient, official: str, suite: str, sources: list[str], epoch: int, platform: str
) -> tuple[str, str]:
    """The stand-in's name, and its digest."""
    day = "-of-its-day" if sources else ""
    name = f"ossec-log-server-stand-in/{official}{day}{platforms.suffix(platform)}"
    err.print(
        f"[bold yellow]No registry answers, so a stand-in takes the place of {official}:[/] the same Debian "
        "release, bootstrapped from Debian's archive. The image will be labelled so and can't be published."
    )
    try:
        image = client.images.get(name)
    except ImageNotFound:
        _bootstrap(name, suite, sources, epoch, platform)
        image = client.images.get(name)
    return name, str(image.id)


def _bootstrap(name: str, suite: str, sources: list[str], epoch: int, platform: str) -> None:
    if not shutil.which("mmdebstrap") or (platform != platforms.NATIVE and not shutil.which("arch-test")):
        if shutil.which("apt-get") is None or os.geteuid() != 0:
            raise UserError(
                "No registry answers, and the stand-in for the base image needs mmdebstrap and arch-test: install "
                "them (Debian and Ubuntu: apt-get install mmdebstrap arch-test), or make the registry reachable."
            )
        with err.status("Installing mmdebstrap …"):
            machine.install(["mmdebstrap", "arch-test"])
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
    with tempfile.TemporaryDirectory(prefix="ossec-log-server-") as folder:
        tar = str(Path(folder, "root.tar"))
        _run(
            f"Bootstrapping {suite}",
            "mmdebstrap",
            "--variant=minbase",
            f"--architectures={platforms.architecture(platform)}",
            *(f"--dpkgopt={line}" for line in SLIM),
            suite,
            tar,
            *sources,
            environment=environment,
        )
        Path(folder, "Dockerfile").write_text('FROM scratch\nADD root.tar /\nCMD ["bash"]\n')
        # Through the builder rather than `docker import`, which writes the present time into the image.
        _run(
            f"Packing {suite}", "docker", "buildx", "build", "--quiet", "--provenance=false", "--load",
            f"--platform={platform}", "--tag", name, folder, environment=environment,
        )  # fmt: skip


def _run(what: str, *command: str, environment: dict[str, str] | None = None) -> None:
    with err.status(f"{what} …"):
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-5:])
        raise UserError(f"{what} failed: `{' '.join(command)}` said:\n{last}")

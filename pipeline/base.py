"""The image underneath: Docker's official one, or where that cannot be had, a stand-in from Debian's archive."""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.errors import APIError, ImageNotFound

from pipeline import machine, release
from pipeline.console import err
from pipeline.errors import UserError

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
    its packages (`YYYYMMDDTHHMMSSZ`), empty for the present day. `stand_in` is true where it is not the
    official image.
    """

    reference: str
    digest: str
    snapshot: str
    stand_in: bool


def obtain(wanted: release.Base, epoch: int) -> BaseImage:
    """The official image, pulled if need be; where no registry answers, a stand-in for it, and it says so.

    `epoch` (seconds since 1970) dates the stand-in's files. Raises UserError when the registry refuses the
    image, or when neither it nor a stand-in can be had.
    """
    pinned = f"{wanted.image}@{wanted.digest}"
    client = docker.from_env()
    try:
        try:
            client.images.get(pinned)
        except ImageNotFound:
            err.print(f"Pulling {wanted.image} …")
            try:
                client.images.pull(pinned)
            except APIError as problem:
                reason = str(problem.explanation or problem)
                if not any(sign in reason for sign in NO_WAY):
                    raise UserError(
                        f"The base image {pinned} cannot be pulled: {reason}. Look at [base] in the version file."
                    ) from problem
                return _stand_in(client, wanted, epoch)
        return BaseImage(pinned, wanted.digest, wanted.snapshot, stand_in=False)
    finally:
        client.close()


def _stand_in(client: docker.DockerClient, wanted: release.Base, epoch: int) -> BaseImage:
    name = f"ossec-log-server-stand-in/{wanted.image}"
    err.print(
        f"[bold yellow]No registry answers, so a stand-in takes the place of {wanted.image}:[/] the same Debian "
        "release, bootstrapped from the present archive. The image will be labelled so and can't be published.",
        highlight=False,
    )
    try:
        image = client.images.get(name)
    except ImageNotFound:
        _bootstrap(name, suite=wanted.image.partition(":")[2].partition("-")[0], epoch=epoch)
        image = client.images.get(name)
    return BaseImage(name, str(image.id), snapshot="", stand_in=True)


def _bootstrap(name: str, suite: str, epoch: int) -> None:
    if shutil.which("mmdebstrap") is None:
        if shutil.which("apt-get") is None or os.geteuid() != 0:
            raise UserError(
                "No registry answers, and the stand-in for the base image needs mmdebstrap: install it (Debian "
                "and Ubuntu: apt-get install mmdebstrap), or make the registry reachable."
            )
        with err.status("Installing mmdebstrap …"):
            machine.install(["mmdebstrap"])
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
    with tempfile.TemporaryDirectory(prefix="ossec-log-server-") as folder:
        options = [f"--dpkgopt={line}" for line in SLIM]
        tar = str(Path(folder, "root.tar"))
        _run(
            f"Bootstrapping {suite}",
            "mmdebstrap",
            "--variant=minbase",
            *options,
            suite,
            tar,
            environment=environment,
        )
        Path(folder, "Dockerfile").write_text('FROM scratch\nADD root.tar /\nCMD ["bash"]\n')
        # Through the builder rather than `docker import`, which writes the present time into the image.
        _run(
            f"Packing {suite}", "docker", "buildx", "build", "--quiet", "--provenance=false", "--load",
            "--tag", name, folder, environment=environment,
        )  # fmt: skip


def _run(what: str, *command: str, environment: dict[str, str] | None = None) -> None:
    with err.status(f"{what} …"):
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-5:])
        raise UserError(f"{what} failed: `{' '.join(command)}` said:\n{last}")

"""The stock image that ours is compared with, and the load generator; both built as stock.Dockerfile says."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import docker

from pipeline import base, image, source
from pipeline.console import err
from pipeline.errors import UserError
from pipeline.release import Release

HERE = Path(__file__).resolve().parent
REPOSITORY = "ossec-log-server-bench-stock"


def build(release: Release, tarball: Path, tools: Path) -> image.Image:
    """Build stock OSSEC from the release's verified tarball, load it into the engine, and put `feed` into `tools`.

    Raises UserError when the base cannot be had or the build fails.
    """
    under = base.obtain(release.base, release.source.commit_date)
    reference = f"{REPOSITORY}:{release.version}"
    archive = source.cache_dir() / "images" / f"{REPOSITORY}-{release.version}.tar"
    archive.parent.mkdir(parents=True, exist_ok=True)
    part = archive.with_suffix(f".{os.getpid()}.part")
    arguments = {
        "BASE": under.reference,
        "SNAPSHOT": under.snapshot,
        "VERSION": str(release.version),
        "SOURCE_SHA256": release.source.sha256,
    }
    try:
        with tempfile.TemporaryDirectory(prefix="ossec-log-server-") as folder:
            shutil.copyfile(tarball, Path(folder, "ossec.tar.gz"))
            common = (
                *(f"--build-arg={key}={value}" for key, value in arguments.items()),
                f"--build-context=source={folder}",
                f"--build-context=scripts={image.ROOT / 'docker' / 'build'}",
                f"--file={HERE / 'stock.Dockerfile'}",
                "--provenance=false",
            )
            _buildx(*common, f"--output=type=docker,dest={part},name={reference},oci-mediatypes=true")
            _buildx(*common, "--target=tools", f"--output=type=local,dest={tools}")
        part.replace(archive)
    finally:
        part.unlink(missing_ok=True)
    client = docker.from_env()
    try:
        with archive.open("rb") as file:
            client.images.load(file)
    finally:
        client.close()
    return image.inspect(archive, reference)


def _buildx(*arguments: str) -> None:
    done = subprocess.run(
        ["docker", "buildx", "build", "--progress=plain", *arguments, str(HERE)],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        err.print("\n".join(done.stderr.splitlines()[-20:]), markup=False, highlight=False)
        raise UserError("Stock OSSEC could not be built: see the builder's last lines above.")

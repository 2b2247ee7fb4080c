"""The stock image that ours is compared with, built as stock.Dockerfile says."""

from pathlib import Path

from pipeline import image
from pipeline.image import base
from pipeline.image.context import context
from pipeline.release import Release

HERE = Path(__file__).resolve().parent
REPOSITORY = f"{image.REPOSITORY}-bench-stock"


def build(release: Release, tarball: Path) -> image.Image:
    """Build stock OSSEC from the verified tarball into the engine. Raises UserError if its base or the build fails."""
    epoch = release.source.commit_date
    under = base.obtain(release.base, epoch)
    with context(image.DOCKER, tarball, under.sources) as folder:
        arguments = [
            *image.build_arguments(release, under, folder),
            f"--build-context=scripts={folder / 'docker' / 'build'}",
            f"--file={HERE / 'stock.Dockerfile'}",
            str(HERE),
        ]
        return image.built(f"{REPOSITORY}:{release.version}", arguments, epoch)

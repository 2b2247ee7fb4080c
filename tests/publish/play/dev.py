"""Stands for `./dev` in a played workflow: all of it is real but the engine, whose images are tiny ones made by hand.

PLAY_FOLDER holds what the player has laid down; its file `fails` names what is to fail, a line each, such as
`image 9.8.0 arm64`, which is then taken out of it.
"""

import os
import platform
import sys
from pathlib import Path
from typing import Any

PLAY = Path(os.environ["PLAY_FOLDER"])
ARCHITECTURE = os.environ["PLAY_ARCHITECTURE"]
platform.machine = {"amd64": lambda: "x86_64", "arm64": lambda: "aarch64"}[
    ARCHITECTURE
]  # before pipeline reads it

import pytest  # noqa: E402
from invoke.collection import Collection  # noqa: E402
from invoke.program import Program  # noqa: E402

import tasks  # noqa: E402
from pipeline import image, project, registry, release, source  # noqa: E402
from pipeline.errors import UserError  # noqa: E402
from pipeline.image import base, platforms, reproduce  # noqa: E402
from pipeline.machine import emulation, engine  # noqa: E402
from pipeline.registry import cosign, verify  # noqa: E402
from pipeline.release import Release  # noqa: E402
from pipeline.server import smoke, tested  # noqa: E402
from tests.publish import tiny  # noqa: E402

HERE = Path.cwd()


def fail_if_told(what: str, version: object) -> None:
    """Raise UserError if the player wants this to fail, and let it pass the next time."""
    told = PLAY / "fails"
    wanted = told.read_text().splitlines() if told.exists() else []
    if (line := f"{what} {version} {ARCHITECTURE}") in wanted:
        wanted.remove(line)
        told.write_text("\n".join(wanted))
        raise UserError(f"as the player wants it: {line}")


def made(recipe: image.Recipe, to: Path) -> image.Image:
    """A tiny image with the recipe's labels."""
    architecture = platforms.architecture(recipe.platform)
    tiny.write(to, recipe.release, architecture, "played", dict(recipe.labels))
    return image.inspect(to, to.stem)


def build(
    wanted: Release, tarball: Path, platform: str = platforms.NATIVE, require_snapshot: bool = False
) -> image.Image:
    fail_if_told("build", wanted.version)
    assert require_snapshot, "a release that does not ask for its day of Debian's archive"
    return made(
        image.recipe(wanted, tarball, platform=platform), image.archive(image.name(wanted, platform=platform))
    )


def rebuild(recipe: image.Recipe, place: Path, *_: Any, **__: Any) -> image.Image:
    fail_if_told("rebuild", recipe.release.version)
    return made(recipe, place / "image.tar")


def run_smoke(name: str, archive: Path) -> tested.Passed | None:
    fail_if_told("smoke", name.rpartition(":")[2].rpartition("-r")[0])
    return tested.record(archive, image.inspect(archive, name).digest, "tests")


def fetch(wanted: Release) -> Path:
    path = source.tarball_path(wanted)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tiny.tarball(str(wanted.version)))
    return path


def test(only: str, of: str) -> None:
    assert only == "image"
    fail_if_told("image", of)


def main() -> None:
    """Play."""
    signer, trusted = cosign.Signer(str(PLAY / "cosign.key")), cosign.Trust(key=str(PLAY / "cosign.pub"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(project, "ROOT", HERE)
        patch.setattr(image, "DOCKER", HERE / "docker")
        patch.setattr(release.load_all, "__defaults__", (HERE / "versions",))
        patch.setattr(release.find, "__defaults__", (None, HERE / "versions"))
        patch.setattr(registry, "CERTIFICATES", PLAY / "certs.d")
        patch.setattr(engine, "ensure", lambda: None)
        patch.setattr(emulation, "ensure", lambda _: None)
        patch.setattr(cosign, "Signer", lambda _: signer)
        patch.setattr(verify, "trust", lambda *_: trusted)
        patch.setattr(source, "fetch", fetch)
        patch.setattr(image, "build", build)
        patch.setattr(reproduce, "_build", rebuild)
        patch.setattr(smoke, "smoke", run_smoke)
        patch.setattr(
            base,
            "obtain",
            lambda wanted, *_: base.BaseImage(
                wanted.image, wanted.digest, wanted.snapshot, [], stand_in=False
            ),
        )
        collection = Collection.from_module(tasks)
        collection.tasks["test"].body = lambda _, only="", of="": test(only, of)
        Program(namespace=collection, binary="dev").run(
            ["dev", *(one for one in sys.argv[1:] if one != "--yes")]
        )


if __name__ == "__main__":
    main()

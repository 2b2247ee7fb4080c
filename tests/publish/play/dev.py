"""Stands for `./dev` in a played workflow: all of it is real but the engine, whose images are tiny ones made by hand.

`dev.py FOLDER ARCHITECTURE` listens in the folder, until its standard input is closed, for what call.py wants done on a
machine of that architecture. Each is done by a process of its own, which has imported everything already: that takes
ten times as long as most of what is done.

PLAY_FOLDER holds what the player has laid down; its file `fails` names what is to fail, a line each, such as
`image 9.8.0 arm64`, which is then taken out of it.
"""

import atexit
import json
import os
import platform
import socket
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from select import select
from typing import Any, NoReturn

ARCHITECTURE = sys.argv[2]
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


def fail_if_told(what: str, version: object) -> None:
    """Raise UserError if the player wants this to fail, and let it pass the next time."""
    told = Path(os.environ["PLAY_FOLDER"], "fails")
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


def play(words: list[str]) -> None:
    """Do what `./dev` with these words would."""
    here, laid = Path.cwd(), Path(os.environ["PLAY_FOLDER"])
    signer, trusted = cosign.Signer(str(laid / "cosign.key")), cosign.Trust(key=str(laid / "cosign.pub"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(project, "ROOT", here)
        patch.setattr(image, "DOCKER", here / "docker")
        patch.setattr(release.load_all, "__defaults__", (here / "versions",))
        patch.setattr(release.find, "__defaults__", (None, here / "versions"))
        patch.setattr(registry, "CERTIFICATES", laid / "certs.d")
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
        Program(namespace=collection, binary="dev").run(["dev", *(one for one in words if one != "--yes")])


def answer(asked: socket.socket) -> NoReturn:
    """Be who has asked: in the same folder, with the same environment and streams; the answer is the exit code."""
    length, streams, *_ = socket.recv_fds(asked, 4, 3)
    with asked.makefile("rb") as said:
        words, folder, environment = json.loads(said.read(int.from_bytes(length, "big")))
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    code: Any = 0
    try:
        play(words)
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    if not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    asked.sendall(bytes([code]))
    os._exit(code)


def main() -> None:
    with socket.create_server(f"{sys.argv[1]}/{ARCHITECTURE}", family=socket.AF_UNIX) as listener:
        print("ready", flush=True)
        while sys.stdin not in select([listener, sys.stdin], [], [])[0]:
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            asked, _ = listener.accept()
            with asked:
                if os.fork() == 0:
                    answer(asked)


if __name__ == "__main__":
    main()

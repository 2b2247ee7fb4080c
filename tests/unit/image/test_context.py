"""What the builder reads looks the same whoever checked it out; only what git keeps of a file counts."""

import os
import stat
from pathlib import Path

import pytest

from pipeline.image.context import context

OLD = 1_000_000_000  # when the files were checked out, in seconds since 1970


def checkout(folder: Path, umask: int) -> Path:
    """A small folder with a Dockerfile, as someone with that umask has it."""
    build = folder / "docker" / "build"
    build.mkdir(parents=True)
    (build / "compile").write_text("#!/bin/sh\n")
    (folder / "docker" / "Dockerfile").write_text("FROM scratch\n")
    (folder / "docker" / "link").symlink_to("build/compile")
    (build / "compile").chmod(0o777 & ~umask)
    (folder / "docker" / "Dockerfile").chmod(0o666 & ~umask)
    for path in (build, folder / "docker"):
        path.chmod(0o777 & ~umask)
        os.utime(path, (OLD, OLD))
    (folder / "ossec.tgz").write_bytes(b"tarball")
    return folder


def seen(folder: Path, sources: list[str]) -> dict[str, tuple[int, int, bytes]]:
    """What the builder sees of it: mode, date and bytes of each path."""
    found = {}
    with context(folder / "docker", folder / "ossec.tgz", sources) as copies:
        docker = copies / "docker"
        for path in [docker, *docker.rglob("*")]:
            what = path.lstat()
            data = path.read_bytes() if path.is_file() else b""
            found[path.relative_to(docker).as_posix()] = (what.st_mode, int(what.st_mtime), data)
        assert (copies / "source" / "ossec.tar.gz").read_bytes() == b"tarball"
    assert not docker.exists()
    return found


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o027, 0o077])
def test_modes_and_dates_do_not_depend_on_who_made_the_files(tmp_path: Path, umask: int) -> None:
    found = seen(checkout(tmp_path, umask), [])
    modes = {name: stat.S_IMODE(mode) for name, (mode, _, _) in found.items() if not stat.S_ISLNK(mode)}
    assert modes == {
        ".": 0o755,
        "Dockerfile": 0o644,
        "build": 0o755,
        "build/compile": 0o755,
        "build/sources.list": 0o644,
    }
    # The builder makes newer dates older, never older ones newer.
    assert min(date for _, date, _ in found.values()) > OLD + 86400
    assert found["link"][2] == b"#!/bin/sh\n"


def test_the_lines_for_packages_of_a_certain_day(tmp_path: Path) -> None:
    assert (
        seen(checkout(tmp_path, 0o022), ["deb a b c", "deb d e f"])["build/sources.list"][2]
        == b"deb a b c\ndeb d e f\n"
    )

"""What the builder is given to read: copies that look the same whoever made them, when, and under which umask."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def context(docker: Path, tarball: Path, sources: list[str], within: Path | None = None) -> Iterator[Path]:
    """Copy the folder of the Dockerfile and the tarball, for as long as the builder needs them.

    The folder has them as docker/ and source/ossec.tar.gz, and lies in the folder `within`, or where the system has its
    temporary files. `sources` are the lines of a sources.list for packages of a certain day, none for the present day.
    They are no build arguments, as an image's history tells those, and a mirror's address is no part of an image.
    """
    with tempfile.TemporaryDirectory(prefix="ossec-log-server-", dir=within) as name:
        folder, copy = Path(name), Path(name, "docker")
        shutil.copytree(docker, copy, symlinks=True, copy_function=shutil.copyfile)
        (copy / "build" / "sources.list").write_text("".join(f"{line}\n" for line in sources))
        (folder / "source").mkdir()
        shutil.copyfile(tarball, folder / "source" / "ossec.tar.gz")
        for path in [copy, *copy.rglob("*")]:
            if not path.is_symlink():
                like = docker / path.relative_to(copy)
                # As git keeps it: the owner's bit says it, the others' depend on the umask at the checkout.
                executable = like.exists() and like.stat().st_mode & 0o100
                path.chmod(0o755 if path.is_dir() or executable else 0o644)
            # Now: the builder makes dates older where they must be, but not newer. No date that is always the same,
            # since by date and size it knows which files it has to read again.
            os.utime(path, follow_symlinks=False)
        yield folder

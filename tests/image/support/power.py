"""A volume whose machine loses its power: what such a disk may hold then, as often as one likes.

The volume is a file system on a loop device on a disk of ours (disk.py), which logs every write and flush in order. A
power failure at some point of the log keeps what was written before the last flush. Of what was written after it, any
part may be there and any may not, whole or cut between two sectors, as a disk's own cache may write it down in any
order: a seed chooses. Nothing is frozen, stopped or synced for it, as a freeze or a copy of the file would.
"""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.wait import wait_until
from tests.image.support.disk import FLUSH, RECORD

SIZE = 512 << 20  # bytes; XFS wants 300 MiB
SECTOR = 512
USER = 10514  # the image's
MAKE = {"ext4": ["mkfs.ext4", "-q", "-F"], "xfs": ["mkfs.xfs", "-q", "-f"]}
TOOLS = {"ext4": "e2fsprogs", "xfs": "xfsprogs"}


def require(kind: str) -> None:
    """Skip, and say so, where this machine can't have such a volume."""
    if os.geteuid():
        pytest.skip("NOT RUN, POWER FAILURES: only root can mount a file system")
    if not Path("/dev/fuse").exists() or not Path("/dev/loop-control").exists():
        pytest.skip("NOT RUN, POWER FAILURES: this machine has no /dev/fuse or no loop devices")
    command = MAKE[kind][0]
    if shutil.which(command) is None:
        subprocess.run(["apt-get", "install", "-y", "-qq", TOOLS[kind]], capture_output=True)
    if shutil.which(command) is None:
        pytest.skip(f"NOT RUN, POWER FAILURES ON {kind}: {command} is not installed ({TOOLS[kind]})")


class PowerVolume:
    """A mounted volume, and the log of its disk."""

    def __init__(self, path: Path, base: Path, log: Path, process: "subprocess.Popen[str]") -> None:
        self.path = path
        self._base = base
        self._log = log
        self._process = process

    def mark(self) -> int:
        """Now: a point at which the power may fail."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def after_failures(self, marks: list[int], into: Path, chance: random.Random) -> Iterator[Path]:
        """What the disk holds after a power failure at each mark: an image of it, valid until the next is asked for."""
        durable = into / "durable.img"
        copy(self._base, durable)
        with self._log.open("rb") as log, durable.open("r+b", buffering=0) as disk:
            cached: list[tuple[int, bytes]] = []
            for number, mark in enumerate(sorted(marks)):
                while log.tell() < mark:
                    kind, offset, length = RECORD.unpack(log.read(RECORD.size))
                    if kind == FLUSH:
                        for where, data in cached:
                            os.pwrite(disk.fileno(), data, where)
                        cached.clear()
                    else:
                        cached.append((offset, log.read(length)))
                # A name of its own each: mount would take the loop device, and its cache, of a file that it knows.
                cut = into / f"cut-{number}.img"
                copy(durable, cut)
                with cut.open("r+b", buffering=0) as image:
                    for where, data in survivors(cached, chance):
                        os.pwrite(image.fileno(), data, where)
                yield cut
                cut.unlink()


def survivors(cached: list[tuple[int, bytes]], chance: random.Random) -> Iterator[tuple[int, bytes]]:
    """Some of the writes that were not flushed: each whole, cut after a sector, or not at all."""
    for where, data in cached:
        fate = chance.random()
        if fate < 0.4:
            yield where, data
        elif fate < 0.6:
            yield where, data[: chance.randrange(0, len(data) // SECTOR + 1) * SECTOR]


def copy(source: Path, target: Path) -> None:
    subprocess.run(["cp", "--sparse=always", source, target], check=True)


@contextmanager
def mounted(image: Path, folder: Path, kind: str) -> Iterator[Path]:
    """The file system in that file, through a loop device. Afterwards all that was written is in the file."""
    folder.mkdir(exist_ok=True)
    # Another mount namespace, such as a container's that just starts, may still hold the last one of the same UUID.
    options = "loop,nouuid" if kind == "xfs" else "loop"
    done = subprocess.run(["mount", "-t", kind, "-o", options, image, folder], capture_output=True, text=True)
    assert not done.returncode, f"the file system can't be mounted: {done.stderr}"
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)
        # A container that starts in this moment has a copy of our mounts until it has left our root. The file system
        # is in use until then, and what is in the kernel's memory of it is not in the file.
        listed = ["losetup", "--associated", str(image)]
        wait_until(lambda: not subprocess.check_output(listed), 60, what="the last who holds the volume")


@contextmanager
def power_volume(folder: Path, kind: str) -> Iterator[PowerVolume]:
    """A new volume of that file system."""
    base, work, log = folder / "base.img", folder / "work.img", folder / "disk.log"
    with base.open("wb") as file:
        file.truncate(SIZE)
    subprocess.run([*MAKE[kind], base], check=True, capture_output=True)
    with mounted(base, folder / "volume", kind) as root:
        os.chown(root, USER, 0)
    copy(base, work)
    disk = folder / "disk"
    disk.mkdir()
    command = [sys.executable, str(Path(__file__).with_name("disk.py")), str(work), str(log), str(disk)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "mounted\n"
            with mounted(disk / "disk", folder / "volume", kind) as root:
                yield PowerVolume(root, base, log, process)
        finally:
            process.kill()
            subprocess.run(["umount", "--lazy", disk], check=True)

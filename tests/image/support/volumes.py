"""Volumes as people have them: small, full, foreign, on other file systems, one within another."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import pytest

from pipeline.server import HARDENED, SECCOMP, container, volume

DATA = "/var/ossec/data"
Mounts = dict[str, dict[str, str]]


def at(name: str, place: str = DATA, mode: str = "rw") -> Mounts:
    """Docker's `volumes` for one volume or folder, mounted there."""
    return {name: {"bind": place, "mode": mode}}


@contextmanager
def memory_volume(client: docker.DockerClient, options: str) -> Iterator[str]:
    """A volume that is a tmpfs of its own with these mount options, such as "size=18m"."""
    given = {"type": "tmpfs", "device": "tmpfs", "o": f"uid=10514,gid=0,mode=0775,{options}"}
    with volume(client, driver_opts=given) as name:
        yield name


@contextmanager
def exfat(folder: Path, megabytes: int = 128) -> Iterator[Path]:
    """An exFAT of that size, through FUSE. Skips where this machine can't mount one."""
    if (
        not shutil.which("mount.exfat-fuse")
        or not shutil.which("mkfs.exfat")
        or not Path("/dev/fuse").exists()
    ):
        pytest.skip("NOT RUN ON EXFAT: this machine has no exfat-fuse, exfatprogs or /dev/fuse")
    image, point = folder / "exfat.img", folder / "exfat"
    with image.open("wb") as file:
        file.truncate(megabytes << 20)
    point.mkdir()
    subprocess.run(["mkfs.exfat", str(image)], check=True, capture_output=True)
    attach = ["losetup", "--find", "--show", str(image)]
    device = subprocess.run(attach, check=True, capture_output=True, text=True).stdout.strip()
    try:
        mount = ["mount.exfat-fuse", "-o", "allow_other,uid=10514,gid=0", device, str(point)]
        subprocess.run(mount, check=True, capture_output=True)
        yield point
    finally:
        subprocess.run(["umount", "--lazy", str(point)], check=False)
        subprocess.run(["losetup", "--detach", device], check=True)


@contextmanager
def fuse_without_mmap(folder: Path) -> Iterator[Path]:
    """A folder through FUSE with direct_io: no file there can be mapped shared. Skips where none can be mounted."""
    if not shutil.which("bindfs") or not Path("/dev/fuse").exists():
        pytest.skip("NOT RUN ON FUSE: this machine has no bindfs or /dev/fuse")
    below, point = folder / "below", folder / "point"
    for path in (below, point):
        path.mkdir()
        path.chmod(0o777)
    subprocess.run(["bindfs", "-o", "direct_io,allow_other", str(below), str(point)], check=True)
    try:
        yield point
    finally:
        subprocess.run(["umount", "--lazy", str(point)], check=False)


def prepare(client: docker.DockerClient, image: str, mounts: Mounts, script: str) -> None:
    """Run a script as root, without a server, on these volumes. Raises AssertionError if it fails."""
    options: dict[str, Any] = {"entrypoint": ["bash", "-ec", script], "user": "0", "network_mode": "none"}
    with container(client, image, volumes=mounts, **options) as made:
        assert made.wait(timeout=60)["StatusCode"] == 0, made.logs().decode()


def profile(without: Mapping[str, int], argument: int | None = None) -> dict[str, Any]:
    """Options of a container in which these system calls fail with these numbers of errno.

    With an `argument`, only where it is their first one.
    """
    allowed = json.loads(SECCOMP.read_text())
    for name, number in without.items():
        for rule in allowed["syscalls"]:
            rule["names"] = [one for one in rule["names"] if one != name]
        refused: dict[str, Any] = {"names": [name], "action": "SCMP_ACT_ERRNO", "errnoRet": number}
        if argument is not None:
            compared = {"index": 0, "value": argument}
            refused["args"] = [{**compared, "op": "SCMP_CMP_EQ"}]
            others = {
                "names": [name],
                "action": "SCMP_ACT_ALLOW",
                "args": [{**compared, "op": "SCMP_CMP_NE"}],
            }
            allowed["syscalls"].append(others)
        allowed["syscalls"].append(refused)
    allowed["syscalls"] = [rule for rule in allowed["syscalls"] if rule["names"]]
    security = [one for one in HARDENED["security_opt"] if not one.startswith("seccomp=")]
    return {"security_opt": [*security, f"seccomp={json.dumps(allowed)}"]}


def remedy(line: str, image: str) -> list[str]:
    """The command that the line names behind its ": ", for this image."""
    found = re.search(r"docker run .*", line)
    assert found, f"no command is named in {line!r}"
    command = shlex.split(found.group().replace(" IMAGE ", f" {image} "))
    assert image in command, command
    return command

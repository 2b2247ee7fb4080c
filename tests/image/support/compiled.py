"""Small programs of the tests, compiled here with functions of the release's OSSEC, with the shim and without it."""

import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline import source
from pipeline.release import Release

ROOT = Path(__file__).resolve().parents[3]
HARNESS = Path(__file__).resolve().parent / "harness"
# The shim needs what the engine's sources include.
HEADERS = ("", "headers", "analysisd", "external/cJSON", "external/compat")
# Upstream's JSON writer reads one byte of its stack that it has not written, where a group is one of PCI's.
FLAGS = ("-O1", "-w", "-fcommon", "-ftrivial-auto-var-init=zero", "-DUSE_PCRE2_JIT")


@dataclass(frozen=True)
class Sources:
    """A release's OSSEC, unpacked, and the shim, compiled for it."""

    ossec: Path
    shim: Path
    wraps: tuple[str, ...]

    def program(self, harness: str, files: Sequence[Path], shim: bool) -> Path:
        """That file of the folder `harness`, with these of OSSEC's, linked with the shim or without."""
        program = self.shim.parent / f"{harness.removesuffix('.c')}-{'shim' if shim else 'stock'}"
        linked: tuple[str | Path, ...] = (*self.wraps, self.shim / "libshim.a") if shim else ()
        includes: tuple[str, ...] = (*(f"-I{self.ossec / one}" for one in HEADERS), f"-I{self.shim}")
        call("cc", *FLAGS, *includes, HARNESS / harness, *files, *linked, "-lpcre2-8", "-lm", "-o", program)
        return program


def unpack(wanted: Release, folder: Path) -> Sources:
    """The release's sources in that folder. Skips the test where they or a compiler can't be had."""
    if not all(map(shutil.which, ("cc", "make", "ar"))) or not Path("/usr/include/pcre2.h").exists():
        pytest.skip("OSSEC'S FUNCTIONS ARE NOT COMPILED HERE: cc, make or pcre2.h (libpcre2-dev) is missing")
    try:
        tarball = source.fetch(wanted)
    except source.SourceUnreachable as problem:
        pytest.skip(f"NOT RUN ON REAL OSSEC {wanted.version}: {problem}")
    with tarfile.open(tarball) as tar:
        tar.extractall(folder, filter="data")
    [ossec] = folder.glob("ossec-hids-*/src")
    for name in ("intake", "journal", "shim"):
        shutil.copytree(ROOT / "docker" / name, folder / name)
    shim = folder / "shim"
    without = f"WITHOUT_WRAPS={' '.join(wanted.build.without_wraps)}"
    flags = " ".join(["-O2", "-w", "-fcommon", *wanted.build.cflags])
    call("make", "-C", shim, f"OSSEC={ossec}", f"CFLAGS={flags}", without, "libshim.a")
    return Sources(ossec, shim, tuple(call("make", "-s", "-C", shim, without, "wraps").split()))


def written(program: Path, texts: Sequence[bytes]) -> list[bytes]:
    """The lines that the program prints for these texts, which a zero byte ends."""
    done = subprocess.run([program], input=b"".join(text + b"\0" for text in texts), capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def call(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout

"""The stand-in release: the same bytes each time, a version file that counts, and C that the image's shim fits."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from pipeline import release, source, standin
from pipeline.project import CACHE_VARIABLE, ROOT
from tests.unit.conftest import Once
from tests.unit.http_server import Server, whole

PROGRAMS = ("ossec-analysisd", "ossec-maild", "ossec-monitord", "ossec-logtest", "ossec-makelists")

needs_compiler = pytest.mark.skipif(
    sys.platform != "linux" or not all(map(shutil.which, ("cc", "make", "ar", "nm"))),
    reason="THE STAND-IN'S C IS NOT COMPILED HERE: this is no Linux, or it lacks cc, make, ar or nm",
)


def unpacked(folder: Path) -> Path:
    """The unpacked tarball's src folder."""
    _, tarball = standin.write_release(folder)
    subprocess.run(["tar", "--extract", f"--file={tarball}", f"--directory={folder}"], check=True)
    return folder / "ossec-hids-0.1.0" / "src"


@pytest.fixture(scope="module")
def programs(once: Once) -> Path:
    """The folder of the programs, compiled and linked with the image's shim as docker/build/compile does."""
    return once("standin-programs", compiled)


def compiled(folder: Path) -> Path:
    sources = unpacked(folder)
    without = without_wraps(sources)
    for name in ("intake", "journal", "shim"):
        shutil.copytree(ROOT / "docker" / name, folder / name)
    shim = folder / "shim"
    _make(shim, f"OSSEC={sources}", "CFLAGS=-O2 -Wall -Wextra", "libshim.a", WITHOUT_WRAPS=without)
    wraps = _make(shim, "-s", "wraps", WITHOUT_WRAPS=without)
    flags = {
        "CFLAGS": "-O2 -Werror -Wl,--start-group",
        "LDFLAGS": f"{wraps} {shim}/libshim.a -Wl,--end-group -lz -ldeflate",
    }
    _make(sources, "TARGET=server", "USE_MAGIC=no", "USE_SYSTEMD=no", "V=1", *PROGRAMS, **flags)
    return sources


def test_two_writes_give_equal_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = standin.write_release(tmp_path)[1].read_bytes()
    monkeypatch.setattr(time, "time", lambda: 1e9)
    assert standin.write_release(tmp_path)[1].read_bytes() == first


def test_the_bytes_do_not_depend_on_who_checked_out_and_when(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = standin.write_release(tmp_path)[1].read_bytes()
    copy = tmp_path / "copy"
    shutil.copytree(standin.SOURCES, copy)
    for path in copy.rglob("*"):
        path.chmod(0o700)
        os.utime(path, (1, 1))
    (copy / "src" / "left-over.o").write_bytes(b"what a compiler left")
    monkeypatch.setattr(standin, "SOURCES", copy)
    assert standin.write_release(tmp_path)[1].read_bytes() == before


def test_the_tarball_is_laid_out_like_the_real_one(tmp_path: Path) -> None:
    with tarfile.open(standin.write_release(tmp_path)[1]) as tar:
        entries = tar.getmembers()
    names = {entry.name.removeprefix("ossec-hids-0.1.0/") for entry in entries}
    assert all(entry.name.startswith("ossec-hids-0.1.0/") for entry in entries)
    assert {"src/Makefile", "etc/decoder.xml", "etc/internal_options.conf", "etc/ossec-server.conf"} <= names
    assert {(entry.mode, entry.uid, entry.gid, entry.uname, entry.mtime) for entry in entries} == {
        (0o644, 0, 0, "", standin.COMMIT_DATE)
    }
    # Every file of rules that the configuration names is there, and the one that the image makes its own.
    included = re.findall("<include>(.+?)</include>", (standin.SOURCES / "etc/ossec-server.conf").read_text())
    assert "local_rules.xml" in included
    assert {f"etc/rules/{file}" for file in included} <= names


def test_the_version_file_is_one(tmp_path: Path) -> None:
    found, _ = standin.write_release(tmp_path)
    assert (str(found.version), found.revision) == ("0.1.0", 1)
    assert found.source.url == "http://127.0.0.1/ossec-hids-0.1.0.tar.gz"
    assert found.base == release.find().base
    # And it is never among those that are released.
    assert "0.1.0" not in {str(known.version) for known in release.load_all()}


def test_it_is_fetched_and_verified_as_any_release_is(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv(source.MIRROR_VARIABLE, server.address)
    found, tarball = standin.write_release(tmp_path)
    server.script = [whole(tarball.read_bytes())]
    assert source.fetch(found).read_bytes() == tarball.read_bytes()
    assert server.paths == ["/ossec-hids-0.1.0.tar.gz"]


@needs_compiler
def test_every_function_that_the_shim_wraps_is_called(programs: Path) -> None:
    objects = [str(path) for path in programs.rglob("*.o")]
    symbols = subprocess.run(["nm", "-u", *objects], check=True, capture_output=True, text=True).stdout
    without = without_wraps(programs)
    wraps = _make(ROOT / "docker" / "shim", "-s", "wraps", WITHOUT_WRAPS=without)
    wrapped = set(re.findall(r"--wrap=(\w+)", wraps))
    assert wrapped
    called = set(re.findall(r" U (\w+)", symbols))
    assert wrapped - called == set()
    assert set(without.split()) & called == set()


@needs_compiler
@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_says_that_it_is_the_stand_in(programs: Path, program: str) -> None:
    done = subprocess.run([programs / program, "-V"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "OSSEC stand-in v0.1.0" in done.stdout + done.stderr


def test_every_file_of_settings_says_that_it_is_the_stand_in() -> None:
    files = [path for path in (standin.SOURCES / "etc").rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if "stand-in release, not OSSEC" not in path.read_text()] == []


def without_wraps(sources: Path) -> str:
    """What the stand-in's version file says that it does not have."""
    return " ".join(release.load(sources.parents[1] / "0.1.0.toml").build.without_wraps)


def _make(folder: Path, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        ["make", "-C", str(folder), *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout

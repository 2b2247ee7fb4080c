"""The stand-in release: a small log analyser of our own under the names of OSSEC's programs and files.

It takes OSSEC's way, from a version file to a running image, where OSSEC's source cannot be had. Its sources lie in
`source/`; here they become a release tarball with a version file of its own.
"""

import gzip
import io
import tarfile
from pathlib import Path

from pipeline import image
from pipeline.release import Build, Release, load
from pipeline.upkeep.add import written

VERSION = "0.1.0"
TOP = f"ossec-hids-{VERSION}"
TARBALL = f"{TOP}.tar.gz"
URL = f"http://127.0.0.1/{TARBALL}"  # from where it would be fetched: it stands in the image's label
REPOSITORY = f"{image.REPOSITORY}-stand-in"  # its image's name in the engine, without the tag
COMMIT_DATE = 1795392000  # 2026-11-23 00:00 UTC, in seconds since 1970; every file in the tarball bears it

SOURCES = Path(__file__).resolve().parent / "source"
KINDS = {".c", ".h", ".xml", ".conf", ""}  # "" is the Makefile; what a compiler may have left is not packed
# Its engine is written like those before 4.2.0, its other programs like those of 4.2.0; it writes no archive as JSON,
# takes no alert of another server, and its patterns are words.
WITHOUT_WRAPS = (
    "OSSECAlert_Decoder_Exec", "OS_CleanMSG_ex", "analysisd_pipeline_run", "print_out", "cJSON_GetArrayItem",
    "cJSON_GetArraySize", "cJSON_Print", "W_isRootcheck", "W_JSON_ParseAgentIP", "W_JSON_ParseHostname",
    "W_JSON_ParseLocation", "OSMatch_Execute", "OSRegex_Execute", "OSPcre2_Execute",
)  # fmt: skip


def write_release(folder: Path) -> tuple[Release, Path]:
    """Write the release's version file and its tarball into `folder`, which exists: what it says, and the tarball.

    The base image is that of the newest stable release in `versions/`. The same sources give the same bytes.
    """
    data = gzip.compress(_tar(), mtime=0)
    tarball, version_file = folder / TARBALL, folder / f"{VERSION}.toml"
    tarball.write_bytes(data)
    version_file.write_text(written(VERSION, URL, data, COMMIT_DATE, Build(without_wraps=WITHOUT_WRAPS)))
    return load(version_file), tarball


def build(folder: Path) -> image.Image:
    """Write the release into `folder`, and build its image. Raises what `image.build` raises."""
    return image.build(*write_release(folder), REPOSITORY)


def _tar() -> bytes:
    out = io.BytesIO()
    files = sorted(path for path in SOURCES.rglob("*") if path.is_file() and path.suffix in KINDS)
    # GNU format, because that of PAX writes headers that differ between Python versions.
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path in files:
            data = path.read_bytes()
            # A TarInfo of our own has owner 0, no names and mode 0644, whoever has checked the sources out.
            entry = tarfile.TarInfo(f"{TOP}/{path.relative_to(SOURCES).as_posix()}")
            entry.size = len(data)
            entry.mtime = COMMIT_DATE
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()

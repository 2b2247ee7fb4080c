"""The stand-in release: a small log analyser of our own under the names of OSSEC's programs and files.

It takes OSSEC's way through the pipeline, from a version file to a running image, where OSSEC's source cannot
be had. Its sources lie in `source/`; here they become a release tarball with a version file of its own.
"""

import gzip
import io
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from pipeline import image, source
from pipeline.release import Build, Release, load
from pipeline.upkeep.add import written

VERSION = "0.1.0"
TOP = f"ossec-hids-{VERSION}"
TARBALL = f"{TOP}.tar.gz"
REPOSITORY = f"{image.REPOSITORY}-stand-in"  # its image's name in the engine, without the tag
COMMIT_DATE = 1795392000  # 2026-11-23 00:00 UTC, in seconds since 1970; every file in the tarball bears it

SOURCES = Path(__file__).resolve().parent / "source"
KINDS = {".c", ".h", ".xml", ".conf", ""}  # "" is the Makefile; what a compiler may have left is not packed
# Its engine is written like those before 4.2.0, its other programs like those of 4.2.0; it writes no archive as JSON,
# and its patterns are words.
WITHOUT_WRAPS = (
    "OS_CleanMSG_ex", "analysisd_pipeline_run", "print_out", "cJSON_GetArrayItem", "cJSON_GetArraySize",
    "cJSON_Print", "W_isRootcheck", "W_JSON_ParseAgentIP", "W_JSON_ParseHostname", "W_JSON_ParseLocation",
    "OSMatch_Execute", "OSRegex_Execute", "OSPcre2_Execute",
)  # fmt: skip


@dataclass(frozen=True)
class StandIn:
    """A stand-in release on disk."""

    tarball: Path
    version_file: Path


def write_release(folder: Path, url: str) -> StandIn:
    """Write `ossec-hids-0.1.0.tar.gz` and `0.1.0.toml` into `folder`, which exists.

    `url` is the address of the folder that the tarball will be fetched from, such as `serve(folder)` gives.
    The base image is that of the newest stable release in `versions/`. The same sources give the same bytes.
    """
    data = gzip.compress(_tar(), mtime=0)
    tarball = folder / TARBALL
    tarball.write_bytes(data)
    version_file = folder / f"{VERSION}.toml"
    address = f"{url.rstrip('/')}/{TARBALL}"
    version_file.write_text(written(VERSION, address, data, COMMIT_DATE, Build(without_wraps=WITHOUT_WRAPS)))
    return StandIn(tarball, version_file)


def fetch(folder: Path) -> tuple[Release, Path]:
    """Write the release into `folder`, which exists, and download it: its version file, read, and its tarball.

    It is downloaded each time, so that a cached one never hides what the sources have become. Raises what
    `source.fetch` raises.
    """
    with serve(folder) as url:
        # An address that does not change, as it stands in the image's label; the real one is the mirror's.
        release = load(write_release(folder, "http://127.0.0.1").version_file)
        source.tarball_path(release).unlink(missing_ok=True)
        # The mirror is named so that one that the user has set for OSSEC itself is not asked for this.
        return release, source.fetch(release, mirror=url)


def build(folder: Path) -> image.Image:
    """Take the release through every station: `fetch` it into `folder`, build its image.

    Raises what `source.fetch` and `image.build` raise.
    """
    release, tarball = fetch(folder)
    return image.build(release, tarball, REPOSITORY)


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve the folder's files over HTTP on a free port of loopback; yields its address, without a final slash."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


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

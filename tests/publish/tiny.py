"""An image of a few bytes, made by hand: a package list, a program, and labels that say whatever a test needs.

Every image that is built on a machine without Docker Hub has a stand-in base, and must not be published. What is
published here is honest: it is about what publishing does with an archive, not about what is in it.
"""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from semver import Version

from pipeline.release import Base, Release, Source

STATUS = """Package: bash
Status: install ok installed
Architecture: amd64
Source: bash-source (5.2-1)
Version: 5.2-1+b1

Package: removed
Status: deinstall ok config-files
Architecture: amd64
Version: 1.0

Package: libc6
Status: install ok installed
Architecture: amd64
Version: 1:2.41-12
"""
SYSTEM = 'ID=debian\nVERSION_ID="13"\n'
PROGRAM = b"\x7fELF ... %1.15g ... "  # as what has cJSON in it
CJSON = "#define CJSON_VERSION_MAJOR 1\n#define CJSON_VERSION_MINOR 7\n#define CJSON_VERSION_PATCH 18\n"
ZLIB = '#define ZLIB_VERSION "1.3.1"\n'
OURS = {"stand_in": "ossec-log-server.stand-in", "snapshot": "ossec-log-server.snapshot"}
BASE = Base("debian:trixie-20261005-slim", f"sha256:{'b' * 64}", "20261005T000000Z")


def tarball(version: str) -> bytes:
    """OSSEC's source, as far as it tells what OSSEC carries with it: cJSON, and a zlib that no program here has."""
    top = f"ossec-hids-{version}/src/external"
    return gzip.compress(
        tar({f"{top}/cJSON/cJSON.h": CJSON.encode(), f"{top}/zlib-1.3.1/zlib.h": ZLIB.encode()}), mtime=0
    )


def release(version: str = "9.9.9", revision: int = 1) -> Release:
    """A release of that tarball."""
    data = tarball(version)
    url = f"https://example.org/{version}.tar.gz"
    source = Source(url, len(data), hashlib.sha256(data).hexdigest(), 1_700_000_000)
    return Release(Version.parse(version), revision, source, BASE)


def layer(files: dict[str, bytes] | None = None, nonce: str = "") -> bytes:
    """A layer with these files, or with what an image of ours holds."""
    files = files or {
        "var/lib/dpkg/status": STATUS.encode(),
        "usr/lib/os-release": SYSTEM.encode(),
        "var/ossec/bin/ossec-analysisd": PROGRAM,
    }
    return gzip.compress(tar(files | {"nonce": nonce.encode()}), mtime=0)


def write(
    path: Path,
    of: Release,
    architecture: str,
    nonce: str,
    about: Mapping[str, str | None],
) -> str:
    """Write the archive of an image as `build` keeps it: its manifest's digest.

    `about` is more of what the image says of itself, or other, by a label's whole name or the end of it; None takes a
    label away. No layer of it is that of
    an image with another `nonce`.
    """
    oci = "org.opencontainers.image"
    said: dict[str, str | None] = {
        f"{oci}.version": of.immutable_tag,
        f"{oci}.base.name": of.base.image,
        f"{oci}.base.digest": of.base.digest,
        "ossec-log-server.snapshot": of.base.snapshot,
        **{
            OURS.get(name, name if name.startswith((oci, "ossec-")) else f"{oci}.{name}"): text
            for name, text in about.items()
        },
    }
    layers = [layer(nonce=nonce), layer({"architecture": architecture.encode()}, nonce)]
    config = {
        "architecture": architecture,
        "os": "linux",
        "created": "2023-11-14T22:13:20Z",
        "config": {"Labels": {name: text for name, text in said.items() if text is not None}},
        "history": [{"created_by": "one"}, {"created_by": "another"}],
        "rootfs": {"type": "layers", "diff_ids": [_digest(gzip.decompress(one)) for one in layers]},
    }
    kind = "application/vnd.oci.image"
    blobs = {}

    def kept(data: bytes, media_type: str) -> dict[str, Any]:
        blobs[f"blobs/{_digest(data).replace(':', '/')}"] = data
        return {"mediaType": media_type, "digest": _digest(data), "size": len(data)}

    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{kind}.manifest.v1+json",
        "config": kept(_json(config), f"{kind}.config.v1+json"),
        "layers": [kept(one, f"{kind}.layer.v1.tar+gzip") for one in layers],
    }
    entry = kept(_json(manifest), f"{kind}.manifest.v1+json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tar({"index.json": _json({"schemaVersion": 2, "manifests": [entry]}), **blobs}))
    return str(entry["digest"])


def _label(name: str) -> str:
    whole = name.startswith(("org.", "ossec-"))
    return OURS.get(name, name if whole else f"org.opencontainers.image.{name}")


def tar(files: dict[str, bytes]) -> bytes:
    """A tar archive of these files."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as made:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def _json(data: Any) -> bytes:
    return json.dumps(data).encode()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"

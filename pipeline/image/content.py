"""What an image consists of, blob by blob: out of the archive of a build, or out of a registry."""

import hashlib
import io
import json
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from pipeline import registry
from pipeline.errors import UserError
from pipeline.registry import Manifest, NotItsDigest, Repository


@dataclass(frozen=True)
class Content:
    """One image of one platform: its manifest, its configuration, and a way to open each of its blobs."""

    manifest: Manifest
    config: Mapping[str, Any]
    open: Callable[[str], IO[bytes]]

    @property
    def digest(self) -> str:
        return self.manifest.digest

    @property
    def labels(self) -> Mapping[str, str]:
        return self.config.get("config", {}).get("Labels") or {}

    @property
    def platform(self) -> dict[str, str]:
        """As an index names it: `os`, `architecture`, and `variant` where there is one."""
        return {key: self.config[key] for key in ("os", "architecture", "variant") if self.config.get(key)}

    @property
    def platform_name(self) -> str:
        """As `--platform` takes it, such as linux/arm64."""
        return f"{self.config['os']}/{self.config['architecture']}"

    @property
    def steps(self) -> list[str]:
        """What made each layer, the lowest first."""
        steps = self.config.get("history", [])
        return [step.get("created_by", "") for step in steps if not step.get("empty_layer")]

    @property
    def blobs(self) -> tuple[dict[str, Any], ...]:
        """The descriptors of the layers, the lowest first, and then of the configuration."""
        return (*self.manifest.data["layers"], self.manifest.data["config"])


def read(path: Path) -> Content:
    """What the archive of a build holds. Raises UserError when it is no such archive."""

    def blob(digest: str) -> IO[bytes]:
        return member(f"blobs/{digest.replace(':', '/')}")

    def member(name: str) -> IO[bytes]:
        with tarfile.open(path) as tar:
            file = tar.extractfile(name)
            assert file is not None
            return io.BytesIO(file.read())

    try:
        [entry] = json.load(member("index.json"))["manifests"]
        manifest = Manifest(entry["mediaType"], blob(entry["digest"]).read())
        config = json.load(blob(manifest.data["config"]["digest"]))
    except (KeyError, ValueError, AssertionError, tarfile.TarError) as problem:
        raise UserError(f"{path} is not the archive of one image: build it again.") from problem
    if manifest.digest != entry["digest"]:
        raise UserError(f"{path} is damaged: its manifest is not the one its index names. Build it again.")
    return Content(manifest, config, blob)


def under(
    reference: str, remedy: str = "look at its name"
) -> tuple[Repository, str, Manifest, tuple[Content, ...]]:
    """What a registry has as `NAME:TAG` or `NAME@sha256:…`: where, its tag or digest, what lies there, its images.

    Raises UserError where there is none.
    """
    repository, name = registry.parse(reference)
    top = repository.manifest(name)
    if top is None:
        raise UserError(f"There is no {reference}: {remedy}.")
    return repository, name, top, published(repository, top)


def published(repository: Repository, top: Manifest) -> tuple[Content, ...]:
    """The images under a registry's manifest: itself, or those of its index. Raises UserError where there is none."""
    try:
        found = [_one(repository, manifest) for manifest in _manifests(repository, top)]
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise UserError(f"{repository.name}@{top.digest} is no image.") from problem
    if not found:
        raise UserError(f"{repository.name}@{top.digest} lists no image.")
    return tuple(found)


def files(content: Content, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    """The regular files of the image whose path, without a leading slash, is wanted: path → bytes.

    Each layer is compared with its digest on the way. Raises NotItsDigest when one is not its own.
    """
    found: dict[str, bytes] = {}
    settled: set[str] = set()  # by a higher layer: given, or removed
    for layer in reversed(content.manifest.data["layers"]):
        here: set[str] = set()
        with _checked(content, layer["digest"]) as stream, tarfile.open(fileobj=stream) as tar:
            for member in tar:
                path = PurePosixPath(member.name.removeprefix("./"))
                if path.name == ".wh..wh..opq":  # the folder is another than below
                    here.add(str(path.parent))
                elif path.name.startswith(".wh."):
                    here.add(str(path.with_name(path.name[4:])))
                elif wanted(str(path)) and settled.isdisjoint(map(str, (path, *path.parents))):
                    here.add(str(path))
                    if member.isreg() and (file := tar.extractfile(member)):
                        found[str(path)] = file.read()
        settled |= here
    return found


def _manifests(repository: Repository, top: Manifest) -> Iterator[Manifest]:
    if not top.is_index:
        yield top
        return
    for entry in top.data["manifests"]:
        if entry.get("platform", {}).get("os") == "unknown":
            continue  # a builder's own attestation, not an image
        manifest = repository.manifest(entry["digest"])
        if manifest is None:
            raise UserError(f"{repository.name} lacks the manifest {entry['digest']} that its index names.")
        yield manifest


def _one(repository: Repository, manifest: Manifest) -> Content:
    config = repository.small_blob(manifest.data["config"]["digest"])
    return Content(manifest, dict(json.loads(config)), repository.blob)


@contextmanager
def _checked(content: Content, digest: str) -> Iterator[IO[bytes]]:
    """A blob, once all of it has been compared with its digest."""
    sha256 = hashlib.sha256()
    with tempfile.TemporaryFile() as copy:
        with content.open(digest) as stream:
            while chunk := stream.read(1 << 20):
                sha256.update(chunk)
                copy.write(chunk)
        if f"sha256:{sha256.hexdigest()}" != digest:
            raise NotItsDigest(f"The layer {digest} of the image {content.digest} holds something else.")
        copy.seek(0)
        yield copy

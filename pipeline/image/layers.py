"""Two images compared: which file of which layer differs, and in what."""

import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import IO, Any

from pipeline.image.content import Content

ONLY = "is only in the {} image"
PACKED = "holds the same files, packed or compressed in another way"
AROUND = 8  # bytes of a file that are shown where it differs
FIELDS = ("type", "mode", "uid", "gid", "uname", "gname", "mtime", "size", "linkname", "devmajor", "devminor")
TYPES = {
    tarfile.REGTYPE: "file",
    tarfile.DIRTYPE: "folder",
    tarfile.SYMTYPE: "symbolic link",
    tarfile.LNKTYPE: "hard link",
    tarfile.CHRTYPE: "character device",
    tarfile.BLKTYPE: "block device",
    tarfile.FIFOTYPE: "FIFO",
}


@dataclass(frozen=True)
class Difference:
    """`where` is a layer with a path, or a key of the image's configuration; `what` says what differs there."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def compare(one: Content, other: Content) -> list[Difference]:
    """How two images differ: not at all where their digests are equal. Raises what opening their blobs raises."""
    if one.digest == other.digest:
        return []
    manifests = one.manifest.data, other.manifest.data
    configs = dict(one.config), dict(other.config)
    found: list[Difference] = []
    pairs = zip_longest(*(manifest["layers"] for manifest in manifests))
    for number, (layer, other_layer) in enumerate(pairs, start=1):
        if layer is None or other_layer is None:
            found.append(Difference(f"layer {number}", ONLY.format("first" if layer else "second")))
        elif layer["digest"] != other_layer["digest"]:
            made_by = " ".join(one.steps[number - 1].split())[:70] if number <= len(one.steps) else "unknown"
            left, right = one.open(layer["digest"]), other.open(other_layer["digest"])
            found += _layer(f"layer {number} ({made_by})", left, right)
    if any(each.what != PACKED for each in found):
        for config in configs:
            del config["rootfs"]  # the layers' digests: what is in the layers has been told
    found += _values("configuration", *configs)
    return found or list(_values("manifest", *manifests))


def _values(where: str, one: Any, other: Any) -> Iterator[Difference]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            yield from _values(f"{where}: {key}", one.get(key), other.get(key))
    elif isinstance(one, list) and isinstance(other, list):
        for number, (left, right) in enumerate(zip_longest(one, other), start=1):
            yield from _values(f"{where} {number}", left, right)
    elif one != other:
        yield Difference(where, f"{_shown(one)} and {_shown(other)}")


def _shown(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value)


def _layer(where: str, one: IO[bytes], other: IO[bytes]) -> list[Difference]:
    # In memory, as they are read in the order of names; a layer of ours is small.
    with _tar(one) as left, _tar(other) as right:
        entries, other_entries = ({entry.name: entry for entry in tar} for tar in (left, right))
        found = [
            Difference(f"{where}: /{name}", ONLY.format("first" if name in entries else "second"))
            for name in sorted(entries.keys() ^ other_entries.keys())
        ]
        for name in sorted(entries.keys() & other_entries.keys()):
            what = list(_entry(left, entries[name], right, other_entries[name]))
            found += [Difference(f"{where}: /{name}", each) for each in what]
        if not found and list(entries) != list(other_entries):
            pairs = zip(entries, other_entries, strict=True)
            first = next(f"/{name} and /{other_name}" for name, other_name in pairs if name != other_name)
            found.append(Difference(where, f"holds the same files in another order, from {first} on"))
    return found or [Difference(where, PACKED)]


def _tar(blob: IO[bytes]) -> tarfile.TarFile:
    return tarfile.open(fileobj=io.BytesIO(blob.read()))


def _entry(
    tar: tarfile.TarFile, one: tarfile.TarInfo, other_tar: tarfile.TarFile, other: tarfile.TarInfo
) -> Iterator[str]:
    left, right = _facts(one), _facts(other)
    for name in left | right:
        if left.get(name) != right.get(name):
            yield f"{name} {left.get(name)} and {right.get(name)}"
    if one.isfile() and other.isfile():
        yield from _content(tar.extractfile(one), other_tar.extractfile(other))


def _facts(entry: tarfile.TarInfo) -> dict[str, str]:
    found = {field: _field(field, getattr(entry, field)) for field in FIELDS}
    # Other headers are what FIELDS already tell, or where the name or the time does not fit into a plain header.
    more = {key: repr(value) for key, value in entry.pax_headers.items() if key.startswith("SCHILY.")}
    return found | more


def _field(name: str, value: Any) -> str:
    if name == "type":
        return TYPES.get(value, repr(value))
    return f"{value:04o}" if name == "mode" else str(value) or "nothing"


def _content(one: IO[bytes] | None, other: IO[bytes] | None) -> Iterator[str]:
    assert one is not None
    assert other is not None
    left, right = one.read(), other.read()
    if left != right:
        places = [place for place, (a, b) in enumerate(zip(left, right, strict=False)) if a != b]
        places += range(min(len(left), len(right)), max(len(left), len(right)))
        at = places[0]
        first = f"from byte {at} on: {left[at : at + AROUND]!r} and {right[at : at + AROUND]!r}"
        yield f"content differs in {len(places)} bytes, {first}"

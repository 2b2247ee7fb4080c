"""Two small images, and everything in which they may differ: each is named with its layer and its path."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from typing import IO, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.image import layers
from pipeline.image.content import Content
from pipeline.registry import Manifest

FILES = {"etc/hosts": b"127.0.0.1 localhost\n", "usr/bin/tool": bytes(range(256)) * 1000}


class Blobs:
    """Where an image's blobs lie, such as an archive or a registry."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def add(self, data: bytes) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.kept[digest] = data
        return {"digest": digest, "size": len(data)}

    def open(self, digest: str) -> IO[bytes]:
        return io.BytesIO(self.kept[digest])


def entry(name: str, data: bytes = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.mtime, info.mode, info.size = 1_700_000_000, 0o644, len(data)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


def plain() -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    return {name: entry(name, data) for name, data in FILES.items()}


def image(
    blobs: Blobs, entries: list[tuple[tarfile.TarInfo, bytes]], level: int = 6, label: str = "", more: int = 0
) -> Content:
    """An image of two layers, the second with these entries."""
    packed = []
    for files in [[entry("bin", type=tarfile.DIRTYPE)], entries, *[[entry("more")]] * more]:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for info, data in files:
                tar.addfile(info, io.BytesIO(data))
        packed.append(out.getvalue())
    config = {
        "config": {"Labels": {"name": label}},
        "rootfs": {"diff_ids": [hashlib.sha256(data).hexdigest() for data in packed]},
        "history": [{"created_by": "ADD base"}, {"created_by": "ENV x", "empty_layer": True}]
        + [{"created_by": "RUN  install"}] * (1 + more),
    }
    manifest = {
        "config": blobs.add(json.dumps(config).encode()),
        "layers": [blobs.add(gzip.compress(data, level, mtime=0)) for data in packed],
    }
    return Content(Manifest("", json.dumps(manifest).encode()), config, blobs.open)


def differences(
    entries: list[tuple[tarfile.TarInfo, bytes]], other: list[tuple[tarfile.TarInfo, bytes]], **options: Any
) -> list[str]:
    found = layers.compare(image(Blobs(), entries), image(Blobs(), other, **options))
    return [str(each) for each in found]


def test_equal_images_have_no_difference() -> None:
    assert differences([*plain().values()], [*plain().values()]) == []


@given(st.sampled_from(sorted(FILES)), st.data())
def test_a_changed_byte_anywhere_is_named_by_file(name: str, data: st.DataObject) -> None:
    files = plain()
    info, content = files[name]
    place = data.draw(st.integers(0, len(content) - 1))
    changed = bytearray(content)
    changed[place] ^= data.draw(st.integers(1, 255))
    files[name] = (info, bytes(changed))
    [found] = differences([*plain().values()], [*files.values()])
    assert found.startswith(
        f"layer 2 (RUN install): /{name}: content differs in 1 bytes, from byte {place} on: "
    )


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        ("mode", 0o4755, "mode 0644 and 4755"),
        ("uid", 10514, "uid 0 and 10514"),
        ("gid", 5, "gid 0 and 5"),
        ("uname", "root", "uname nothing and root"),
        ("mtime", 1_700_000_001, "mtime 1700000000 and 1700000001"),
        ("pax_headers", {"SCHILY.xattr.user.x": "y"}, "SCHILY.xattr.user.x None and 'y'"),
    ],
)
def test_what_else_a_file_has_is_compared(field: str, value: Any, what: str) -> None:
    files = plain()
    files["etc/hosts"] = entry("etc/hosts", FILES["etc/hosts"], **{field: value})
    found = differences([*plain().values()], [*files.values()])
    assert found == [f"layer 2 (RUN install): /etc/hosts: {what}"]


def test_a_link_in_place_of_a_file() -> None:
    files = plain()
    files["etc/hosts"] = entry("etc/hosts", type=tarfile.SYMTYPE, linkname="/run/hosts")
    found = differences([*plain().values()], [*files.values()])
    where = "layer 2 (RUN install): /etc/hosts"
    assert found == [
        f"{where}: type file and symbolic link",
        f"{where}: size 20 and 0",
        f"{where}: linkname nothing and /run/hosts",
    ]


def test_a_longer_file_and_one_that_is_missing() -> None:
    files = plain()
    files["usr/bin/tool"] = entry("usr/bin/tool", FILES["usr/bin/tool"] + b"more")
    del files["etc/hosts"]
    assert differences([*plain().values()], [*files.values()]) == [
        "layer 2 (RUN install): /etc/hosts: is only in the first image",
        "layer 2 (RUN install): /usr/bin/tool: size 256000 and 256004",
        "layer 2 (RUN install): /usr/bin/tool: content differs in 4 bytes, from byte 256000 on: b'' and b'more'",
    ]


def reordered() -> dict[str, Any]:
    return {"other": [*plain().values()][::-1]}


def compressed_otherwise() -> dict[str, Any]:
    return {"other": [*plain().values()], "level": 1}


def labelled() -> dict[str, Any]:
    return {"other": [*plain().values()], "label": "x"}


def with_a_third_layer() -> dict[str, Any]:
    return {"other": [*plain().values()], "more": 1}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (
            reordered,
            [
                "layer 2 (RUN install): holds the same files in another order, from /etc/hosts and /usr/bin/tool on"
            ],
        ),
        (compressed_otherwise, [f"layer {n}: {layers.PACKED}" for n in ("1 (ADD base)", "2 (RUN install)")]),
        (labelled, ['configuration: config: Labels: name: "" and "x"']),
        (
            with_a_third_layer,
            [
                "layer 3: is only in the second image",
                'configuration: history 4: nothing and {"created_by": "RUN  install"}',
            ],
        ),
    ],
)
def test_what_is_no_file_is_named_too(change: Callable[[], dict[str, Any]], what: list[str]) -> None:
    assert differences([*plain().values()], **change()) == what

"""What is found in an image's layers: the uppermost file counts, what was removed does not."""

import io
import json
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.image import content
from pipeline.image.content import Content
from pipeline.registry import Manifest, digest_of
from tests.publish import tiny


def image(*layers: dict[str, bytes]) -> Content:
    """An image of these layers, the lowest first."""
    blobs = {digest_of(blob): blob for blob in map(tiny.layer, layers)}
    manifest = {"layers": [{"digest": digest} for digest in blobs]}
    return Content(Manifest("", json.dumps(manifest).encode()), {}, lambda digest: io.BytesIO(blobs[digest]))


def found(*layers: dict[str, bytes]) -> dict[str, bytes]:
    return content.files(image(*layers), lambda path: path != "nonce")


def test_the_uppermost_file_counts() -> None:
    assert found({"a": b"1", "b": b"1"}, {"a": b"2"}) == {"a": b"2", "b": b"1"}


def test_what_was_removed_is_not_there() -> None:
    assert found({"d/a": b"1", "d/b": b"1"}, {"d/.wh.a": b""}) == {"d/b": b"1"}
    assert found({"a": b"1"}, {".wh.a": b""}, {"a": b"3"}) == {"a": b"3"}


def test_a_folder_that_was_removed_takes_all_with_it() -> None:
    assert found({"d/e/a": b"1"}, {".wh.d": b""}) == {}


def test_a_folder_that_was_replaced_holds_only_the_new() -> None:
    assert found({"d/a": b"1", "e": b"1"}, {"d/.wh..wh..opq": b"", "d/b": b"2"}) == {"d/b": b"2", "e": b"1"}


def test_a_file_where_a_folder_was_hides_it() -> None:
    assert found({"d/a": b"1"}, {"d": b"2"}) == {"d": b"2"}


def test_a_layer_must_have_its_own_content() -> None:
    honest = image({"a": b"1"})
    lying = Content(honest.manifest, {}, lambda _: io.BytesIO(tiny.layer({"a": b"2"})))
    with pytest.raises(UserError, match="holds something else"):
        content.files(lying, lambda _: True)


@pytest.mark.parametrize("data", [b"", b"no archive", tiny.tar({"index.json": b"{}"})])
def test_what_is_no_archive(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "image.tar"
    path.write_bytes(data)
    with pytest.raises(UserError, match="is not the archive of one image"):
        content.read(path)

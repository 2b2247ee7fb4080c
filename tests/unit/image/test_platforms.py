"""The platforms by name, and the index that is the same whoever makes it."""

import json
from itertools import permutations

import pytest

from pipeline.errors import UserError
from pipeline.image import platforms


def descriptor(architecture: str, digit: str) -> dict[str, object]:
    return {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": f"sha256:{digit * 64}",
        "size": 1234,
        "platform": {"os": "linux", "architecture": architecture},
    }


def test_without_a_name_it_is_this_machines() -> None:
    assert platforms.find("") == platforms.NATIVE
    assert platforms.suffix(platforms.NATIVE) == ""


def test_another_machines_platform_shows_in_the_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platforms, "NATIVE", "linux/amd64")
    assert platforms.suffix(platforms.find("linux/arm64")) == "-arm64"
    monkeypatch.setattr(platforms, "NATIVE", "linux/arm64")
    assert platforms.suffix(platforms.find("linux/amd64")) == "-amd64"


@pytest.mark.parametrize("wrong", ["arm64", "linux/riscv64", "windows/amd64"])
def test_a_platform_that_no_image_is_built_for_is_named(wrong: str) -> None:
    with pytest.raises(UserError, match=f"{wrong}.*linux/amd64, linux/arm64"):
        platforms.find(wrong)


def test_the_index_is_the_same_in_any_order() -> None:
    entries = [descriptor("arm64", "a"), descriptor("amd64", "b")]
    made = {platforms.index(order) for order in permutations(entries)}
    [index] = [json.loads(one) for one in made]
    assert index["schemaVersion"] == 2
    assert [entry["platform"]["architecture"] for entry in index["manifests"]] == ["amd64", "arm64"]


def test_two_images_for_one_platform_make_no_index() -> None:
    with pytest.raises(ValueError, match="amd64"):
        platforms.index([descriptor("amd64", "a"), descriptor("amd64", "b")])

"""The same image for everybody: whoever builds it, where and when; and what differs is named."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import image, layers, release, reproduce, source, standin


@pytest.fixture
def recipe(built: image.Image, tmp_path: Path) -> image.Recipe:
    """What `built` was made from."""
    if built.name.startswith(f"{standin.REPOSITORY}:"):
        return image.recipe(*standin.fetch(tmp_path), standin.REPOSITORY)
    wanted = release.find()
    return image.recipe(wanted, source.fetch(wanted))


@pytest.mark.skipif(os.geteuid() != 0, reason="ONLY ROOT CAN BUILD AS ANOTHER USER")
def test_a_build_without_cache_in_other_surroundings_gives_the_same_image(
    built: image.Image, recipe: image.Recipe
) -> None:
    with layers.archive(built.archive) as blobs:
        outcome = reproduce.rebuild(recipe, built.digest, blobs)
    assert [str(each) for each in outcome.differences] == []
    assert outcome.again == built.digest


@pytest.fixture
def changed(standin_image: image.Image, tmp_path: Path) -> tuple[image.Recipe, Path]:
    """The stand-in release's recipe with a copy of the Dockerfile's folder, and that copy."""
    made_from = image.recipe(*standin.fetch(tmp_path), standin.REPOSITORY)
    copy = reproduce.checked_out(made_from.docker, tmp_path / "docker", umask=0o077)
    return replace(made_from, docker=copy), copy


def differences(first: image.Image, made_from: image.Recipe, folder: Path) -> list[str]:
    """What differs in a build of the recipe, with cache."""
    to = folder / "image.tar"
    with image.arguments(made_from) as words:
        image.write(to, "ossec-log-server:changed", words, made_from.release.source.commit_date)
    second = image.inspect(to, "ossec-log-server:changed")
    with layers.archive(first.archive) as blobs, layers.archive(to) as other_blobs:
        return [str(each) for each in layers.compare(first.digest, blobs, second.digest, other_blobs)]


def test_who_checked_the_files_out_and_when_is_not_seen(
    standin_image: image.Image, changed: tuple[image.Recipe, Path], tmp_path: Path
) -> None:
    assert differences(standin_image, changed[0], tmp_path) == []


def test_a_changed_byte_is_named_by_its_file(
    standin_image: image.Image, changed: tuple[image.Recipe, Path], tmp_path: Path
) -> None:
    made_from, docker = changed
    script = docker / "rootfs" / "usr" / "local" / "lib" / "ossec-log-server" / "counters"
    script.write_bytes(script.read_bytes()[:-1] + b" ")
    [found] = differences(standin_image, made_from, tmp_path)
    place = script.stat().st_size - 1
    assert found.startswith(
        "layer 4 (COPY rootfs/ / # buildkit): /usr/local/lib/ossec-log-server/counters: "
        f"content differs in 1 bytes, from byte {place} on: "
    )


def test_a_changed_mode_is_named_by_its_file(
    standin_image: image.Image, changed: tuple[image.Recipe, Path], tmp_path: Path
) -> None:
    made_from, docker = changed
    (docker / "rootfs" / "usr" / "local" / "bin" / "ossec-log-server").chmod(0o600)
    assert differences(standin_image, made_from, tmp_path) == [
        "layer 4 (COPY rootfs/ / # buildkit): /usr/local/bin/ossec-log-server: mode 0755 and 0644"
    ]

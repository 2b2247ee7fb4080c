"""The same image for everybody: whoever builds it, where and when; and what differs is named."""

import os
import re
import shutil
import time
import warnings
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import image, release, source, standin
from pipeline.image import content, layers, reproduce
from pipeline.registry import published
from tests.image.support.ledger import fake_clock

DAYS = 2  # that the clock is ahead
# The library, how far it is ahead, and that every program loads it.
CLOCK = {"faketime.so": "/mnt/faketime.so", "faketimerc": "/etc/faketimerc", "preload": "/etc/ld.so.preload"}


@pytest.fixture
def with_another_clock(tmp_path: Path) -> Path:
    """The Dockerfile's folder, in which each step has another clock: mounted, so that the image tells nothing of it."""
    copy, clock = tmp_path / "docker", tmp_path / "clock"
    clock.mkdir()
    try:
        fake_clock(clock)
    except pytest.skip.Exception as problem:
        warnings.warn(f"{problem}: built by today's", stacklevel=1)
        return image.DOCKER
    shutil.copytree(image.DOCKER, copy)
    mounted = copy / "build" / "clock"
    mounted.mkdir()
    shutil.copy(clock / "libfaketimeMT.so.1", mounted / "faketime.so")
    (mounted / "faketimerc").write_text(f"+{DAYS}d\n")
    (mounted / "preload").write_text(f"{CLOCK['faketime.so']}\n")
    mounts = "".join(
        f"--mount=type=bind,source=build/clock/{name},target={to} " for name, to in CLOCK.items()
    )
    steps = (copy / "Dockerfile").read_text()
    (copy / "Dockerfile").write_text(steps.replace("\nRUN ", f"\nRUN {mounts}"))
    for script in (copy / "build").iterdir():
        if os.access(script, os.X_OK) and script.is_file():
            with script.open("a") as file:
                file.write(
                    f"[ $(date +%s) -gt {time.time() + (DAYS - 1) * 86400:.0f} ] # or the clock is not faked\n"
                )
    return copy


@pytest.mark.skipif(os.geteuid() != 0, reason="ONLY ROOT CAN BUILD AS ANOTHER USER")
def test_a_build_without_cache_in_other_surroundings_on_another_day_gives_the_same_image(
    ossec_image: image.Image, with_another_clock: Path
) -> None:
    wanted = release.find(ossec_image.labels["org.opencontainers.image.version"].rpartition("-r")[0])
    first = content.read(ossec_image.archive)
    outcome = reproduce.rebuild(image.recipe(wanted, source.fetch(wanted), docker=with_another_clock), first)
    assert [str(each) for each in outcome.differences] == []
    assert outcome.equal
    assert outcome.again == ossec_image.digest


def test_a_published_image_is_built_again_from_what_it_says(ossec_image: image.Image) -> None:
    revision = ossec_image.labels["org.opencontainers.image.revision"]
    if not re.fullmatch("[0-9a-f]{40}", revision):
        pytest.skip(f"NOT BUILT AGAIN: the image is of no commit, but of {revision}")
    outcome = published.against(content.read(ossec_image.archive), cache=True)
    assert [str(each) for each in outcome.differences] == []
    assert outcome.equal


@pytest.fixture
def recipe(standin_image: image.Image, tmp_path: Path) -> image.Recipe:
    """What the stand-in release's image was made from."""
    return image.recipe(*standin.write_release(tmp_path), standin.REPOSITORY)


def build(made_from: image.Recipe, folder: Path) -> image.Image:
    """Build the recipe, with cache, into an archive in the folder."""
    to = folder / "image.tar"
    with image.arguments(made_from) as words:
        image.write(to, "ossec-log-server:again", words, made_from.release.source.commit_date)
    return image.inspect(to, "ossec-log-server:again")


def differences(first: image.Image, second: image.Image) -> list[str]:
    return [str(each) for each in layers.compare(content.read(first.archive), content.read(second.archive))]


@pytest.fixture
def checkout(recipe: image.Recipe, tmp_path: Path) -> image.Recipe:
    """The recipe with the Dockerfile's folder as somebody else has checked it out."""
    return replace(recipe, docker=reproduce.checked_out(recipe.docker, tmp_path / "docker", umask=0o077))


def test_who_checked_the_files_out_and_when_is_not_seen(
    standin_image: image.Image, checkout: image.Recipe, tmp_path: Path
) -> None:
    assert differences(standin_image, build(checkout, tmp_path)) == []


def test_a_changed_byte_is_named_by_its_file(
    standin_image: image.Image, checkout: image.Recipe, tmp_path: Path
) -> None:
    script = (
        checkout.docker / "rootfs" / "usr" / "local" / "lib" / "ossec-log-server" / "metrics" / "prometheus"
    )
    script.write_bytes(script.read_bytes()[:-1] + b" ")
    [found] = differences(standin_image, build(checkout, tmp_path))
    place = script.stat().st_size - 1
    assert found.startswith(
        "layer 4 (COPY rootfs/ / # buildkit): /usr/local/lib/ossec-log-server/metrics/prometheus: "
        f"content differs in 1 bytes, from byte {place} on: "
    )


def test_a_changed_mode_is_named_by_its_file(
    standin_image: image.Image, checkout: image.Recipe, tmp_path: Path
) -> None:
    (checkout.docker / "rootfs/usr/local/lib/ossec-log-server/server").chmod(0o600)
    assert differences(standin_image, build(checkout, tmp_path)) == [
        "layer 4 (COPY rootfs/ / # buildkit): /usr/local/lib/ossec-log-server/server: mode 0755 and 0644"
    ]

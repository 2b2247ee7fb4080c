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
    built: image.Image, with_another_clock: Path, tmp_path: Path
) -> None:
    if built.name.startswith(standin.REPOSITORY):
        made_from = image.recipe(
            *standin.write_release(tmp_path), standin.REPOSITORY, docker=with_another_clock
        )
    else:
        wanted = release.find(built.labels["org.opencontainers.image.version"].rpartition("-r")[0])
        made_from = image.recipe(wanted, source.fetch(wanted), docker=with_another_clock)
    outcome = reproduce.rebuild(made_from, content.read(built.archive))
    assert [str(each) for each in outcome.differences] == []
    assert outcome.equal
    assert outcome.again == built.digest


def test_a_published_image_is_built_again_from_what_it_says(ossec_image: image.Image) -> None:
    revision = ossec_image.labels["org.opencontainers.image.revision"]
    if not re.fullmatch("[0-9a-f]{40}", revision):
        pytest.skip(f"NOT BUILT AGAIN: the image is of no commit, but of {revision}")
    outcome = published.against(content.read(ossec_image.archive), cache=True)
    assert [str(each) for each in outcome.differences] == []
    assert outcome.equal


def test_a_byte_and_a_mode_that_were_changed_are_named_and_no_more(
    standin_image: image.Image, tmp_path: Path
) -> None:
    """Who checked the files out, and when, is not seen."""
    made_from = image.recipe(*standin.write_release(tmp_path), standin.REPOSITORY)
    checkout = reproduce.checked_out(made_from.docker, tmp_path / "docker", umask=0o077)
    scripts = checkout / "rootfs/usr/local/lib/ossec-log-server"
    changed = scripts / "metrics" / "prometheus"
    changed.write_bytes(changed.read_bytes()[:-1] + b" ")
    (scripts / "server").chmod(0o600)
    to = tmp_path / "image.tar"
    with image.arguments(replace(made_from, docker=checkout)) as words:
        image.write(to, "ossec-log-server:again", words, made_from.release.source.commit_date)
    byte, mode = map(str, layers.compare(content.read(standin_image.archive), content.read(to)))
    layer = "layer 4 (COPY rootfs/ / # buildkit): /usr/local/lib/ossec-log-server"
    place = changed.stat().st_size - 1
    assert byte.startswith(f"{layer}/metrics/prometheus: content differs in 1 bytes, from byte {place} on: ")
    assert mode == f"{layer}/server: mode 0755 and 0644"

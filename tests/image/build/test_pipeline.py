"""The stations around the image: what the build leaves in it, and a smoke test that leaves nothing behind."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.errors import ImageNotFound

from pipeline import image, release, source, standin
from pipeline.errors import UserError
from pipeline.image import base
from pipeline.project import CACHE_VARIABLE, ROOT
from pipeline.server import LABEL, removal, server, smoke, tested


@pytest.fixture
def mailhog(client: docker.DockerClient) -> None:
    try:
        smoke.have_mailhog(client)
    except UserError as problem:
        pytest.skip(f"SMOKE TEST NOT RUN: {problem}")


def started(client: docker.DockerClient, by: int = os.getpid()) -> set[str]:
    """The containers and networks that the process has in the engine."""
    mine: dict[str, str | list[str] | bool] | None = {"label": f"{LABEL}={by}"}
    containers = client.containers.list(all=True, filters=mine, sparse=True)
    return {one.id or "" for one in [*containers, *client.networks.list(filters=mine)]}


@pytest.fixture
def nothing_left(client: docker.DockerClient) -> Iterator[None]:
    """What was there before the test is another fixture's; whatever the test starts must be gone at its end."""
    removal.sweep()
    before = started(client)
    yield
    removal.sweep()
    assert started(client) <= before


@pytest.mark.usefixtures("mailhog", "nothing_left")
def test_smoke_passes(each_image: image.Image) -> None:
    passed = smoke.smoke(each_image.name, each_image.archive)
    assert passed is not None
    assert passed.digest == each_image.digest
    assert tested.find(each_image.digest) == passed


@pytest.mark.usefixtures("mailhog", "nothing_left")
def test_smoke_fails_on_an_image_that_does_nothing(standin_image: image.Image) -> None:
    under = standin_image.labels["org.opencontainers.image.base.name"]
    with pytest.raises(smoke.SmokeFailure, match="failed at “starts"):
        smoke.smoke(under)


@pytest.mark.usefixtures("mailhog")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_smoke_test_leaves_nothing_behind(
    client: docker.DockerClient,
    standin_image: image.Image,
    number: signal.Signals,
) -> None:
    code = f"from pipeline.server import smoke; smoke.smoke({standin_image.name!r})"
    running = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        # What a shell starts in the background, these tests for instance, ignores it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert running.stderr is not None
    running.stderr.readline()  # the first step is passed: everything has been started
    assert started(client, running.pid)
    running.send_signal(number)
    assert running.wait(60) != 0
    assert not started(client, running.pid)


def test_the_image_says_what_it_is(each_image: image.Image) -> None:
    labels = {
        key.removeprefix("org.opencontainers.image."): value for key, value in each_image.labels.items()
    }
    assert labels["version"] == each_image.name.partition(":")[2]
    assert each_image.labels["ossec-log-server.ossec"].endswith(".tar.gz")
    assert re.fullmatch("[0-9a-f]{64}", each_image.labels["ossec-log-server.ossec.sha256"])
    wanted = {"revision", "licenses", "base.name", "base.digest", "created", "authors", "vendor"}
    assert wanted <= set(labels)
    # Where the repository lies is known of a clone from GitHub only.
    assert {"source", "url", "documentation"} <= set(labels) or "source" not in labels
    assert each_image.digest.startswith("sha256:")


def test_what_it_adds_to_its_base_is_small(ossec_image: image.Image) -> None:
    added = sum(layer.size for layer in ossec_image.layers if not layer.of_base)
    assert added < 15_000_000
    assert any(layer.of_base for layer in ossec_image.layers)


def test_nothing_of_the_build_is_left(client: docker.DockerClient, each_image: image.Image) -> None:
    script = """
        for program in gcc cc make ld; do command -v $program; done
        find / -xdev -type f -perm /6000
        find / -xdev -type d -perm -0002 ! -path /tmp ! -path /run
        find /var/cache/apt /var/lib/apt/lists /var/log /build /source /mnt -type f
        true
    """
    entrypoint = ["bash", "-c"]
    with server(
        client, each_image.name, command=[script + " 2>/dev/null"], entrypoint=entrypoint, user="0"
    ) as running:
        assert running.exit_code() == 0
        assert running.container.logs(stdout=True, stderr=False).decode() == ""


def test_a_second_build_is_quick_and_gives_the_same_image(standin_image: image.Image, tmp_path: Path) -> None:
    # The rebuild of an unchanged image is promised in 3 s; here it shares two cores with everything else.
    before = time.monotonic()
    again = standin.build(tmp_path)
    print(f"rebuilt in {time.monotonic() - before:.1f} s")
    assert again.digest == standin_image.digest


def test_a_tarball_that_is_not_the_released_one_is_not_compiled(
    standin_image: image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, _ = standin.write_release(tmp_path)
    other = tmp_path / "other.tar.gz"
    other.write_bytes(b"not what the version file says")
    with pytest.raises(UserError, match="build failed"):
        image.build(found, other, "ossec-log-server-test")
    with pytest.raises(ImageNotFound):
        docker.from_env().images.get("ossec-log-server-test:0.1.0-r1")


@pytest.mark.usefixtures("standin_image")
def test_the_demo_shows_the_stand_in_where_the_source_cannot_be_had(
    client: docker.DockerClient, tmp_path: Path
) -> None:
    # An own cache, and a mirror on a port where nobody listens.
    environment = {
        **os.environ,
        CACHE_VARIABLE: str(tmp_path),
        source.MIRROR_VARIABLE: "http://127.0.0.1:1",
    }
    words = [sys.executable, "-m", "invoke", "demo"]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, cwd=ROOT, env=environment, text=True, stdout=pipe, stderr=pipe) as demo:
        output, errors = demo.communicate()
    assert demo.returncode == 0, errors
    assert not started(client, demo.pid)
    lines = output.splitlines()
    assert "not OSSEC but our own small stand-in" in lines[0]
    assert "not OSSEC but our own small stand-in" in " ".join(lines[-2:])
    assert "ossec-hids-" in errors  # how to bring the tarball
    assert "Rule: 5720 fired (level 10)" in output


def test_a_base_that_the_registry_refuses_is_named(
    client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = release.Base("debian:trixie-20261005-slim", "sha256:" + "0" * 64, "20261005T000000Z")

    def refuse(*_: object, **__: object) -> None:
        raise docker.errors.NotFound("no", explanation="manifest unknown")

    monkeypatch.setattr("docker.models.images.ImageCollection.pull", refuse)
    with pytest.raises(UserError, match=r"manifest unknown.*\[base\]"):
        base.obtain(wanted, 0)

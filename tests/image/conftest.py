"""The images under test: OSSEC as it is released, where its source can be had, and the stand-in anywhere.

`pytest tests/image --release 3.8.0` takes that version of OSSEC instead of the newest, and `--image NAME` an image
that is there already: whether a test fails on the one before a fix.
"""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import docker
import pytest

from pipeline import image, release, source, standin
from pipeline.machine import engine
from pipeline.project import ROOT, cache_dir
from pipeline.server import Server, removal
from pipeline.server import server as run_server
from pipeline.server import volume as new_volume
from tests.image.support import kept
from tests.image.support.compose import compose
from tests.image.support.trial import Trial, trial
from tests.once import once

T = TypeVar("T")

# What senders on this machine look like to a container.
FROM_HERE = {"OSSEC_ALLOWED_IPS": "172.16.0.0/12,192.168.0.0/16,10.0.0.0/8"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--release", help="the version of OSSEC to test; without it the newest")
    parser.addoption(
        "--image", help="the name of an image in the engine to test in its place, such as an older one's"
    )
    parser.addoption("--rounds", type=int, default=2, help="how often each end comes in test_no_loss.py")
    parser.addoption("--power-failures", type=int, default=3, help="how many on each file system")
    parser.addoption("--lines", type=int, default=20_000, help="how many lines each round sends there")


@pytest.fixture(scope="session")
def client() -> Iterator[docker.DockerClient]:
    """The Docker engine, installed and started if this machine has none."""
    engine.ensure()
    client = docker.from_env()
    with removal.together():
        yield client
    client.close()


def _given(client: docker.DockerClient, request: pytest.FixtureRequest) -> image.Image | None:
    if name := request.config.getoption("--image", default=None):
        labels = client.images.get(name).labels
        return image.Image(name, "", image.archive(name), labels, ())
    return None


@pytest.fixture(scope="session")
def standin_image(
    client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> image.Image:
    """The stand-in release's image, built as OSSEC's own from a version file and a tarball."""
    if given := _given(client, request):
        return given
    return _built_once(
        tmp_path_factory,
        "standin",
        lambda folder: kept.build(client, *standin.write_release(folder), standin.REPOSITORY),
    )


@pytest.fixture(scope="session")
def ossec_image(
    client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> image.Image:
    """OSSEC's image, of the newest version or the one that --release names. Skips where its source can't be had."""
    wanted = release.find(request.config.getoption("--release", default=None))
    if given := _given(client, request):
        return given
    return image_of(client, tmp_path_factory, wanted)


def image_of(
    client: docker.DockerClient, factory: pytest.TempPathFactory, wanted: release.Release
) -> image.Image:
    """The image of that version of OSSEC. Skips where its source can't be had."""
    try:
        return _built_once(
            factory,
            f"ossec-{wanted.version}",
            lambda _: kept.build(client, wanted, source.fetch(wanted)),
        )
    except source.SourceUnreachable as problem:
        pytest.skip(f"NOT RUN ON REAL OSSEC {wanted.version}: {problem}")


@pytest.fixture(scope="session")
def built(request: pytest.FixtureRequest) -> image.Image:
    """The image that most tests are about: OSSEC's, and where its source is not available, the stand-in's."""
    try:
        found: image.Image = request.getfixturevalue("ossec_image")
    except pytest.skip.Exception:  # which the tests of `ossec_image` itself print, with the reason
        found = request.getfixturevalue("standin_image")
    return found


@pytest.fixture(scope="session", params=["ossec", "standin"])
def each_image(request: pytest.FixtureRequest) -> image.Image:
    """Both images in turn, for the short suite that the stand-in has of its own."""
    found: image.Image = request.getfixturevalue(f"{request.param}_image")
    return found


@pytest.fixture(scope="module")
def server(client: docker.DockerClient, built: image.Image) -> Iterator[Server]:
    """A server that a whole module shares: tests that use it leave it running."""
    with run_server(client, built.name, FROM_HERE) as running:
        running.wait_listening()
        yield running


@pytest.fixture(scope="module")
def idle(
    client: docker.DockerClient, built: image.Image, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Trial]:
    """A container of the image in which no server runs, for commands that end."""
    with trial(client, built.name, tmp_path_factory.mktemp("trial")) as one:
        yield one


@pytest.fixture
def tried(idle: Trial) -> Trial:
    """A container for many starts, without a file of the user's."""
    idle.empty()
    return idle


@pytest.fixture
def volume(client: docker.DockerClient) -> Iterator[str]:
    """The name of a new volume, removed at the end."""
    with new_volume(client) as name:
        yield name


@pytest.fixture(scope="session")
def senders(
    client: docker.DockerClient, ossec_image: image.Image, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The name of an image with rsyslog, syslog-ng, journald, HAProxy, Python and Podman's generator."""
    return helper_image(tmp_path_factory, "senders", ossec_image)


@pytest.fixture(scope="session")
def acme(
    client: docker.DockerClient, ossec_image: image.Image, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The name of an image with Pebble, an ACME server for tests, and lego, an ACME client."""
    return helper_image(tmp_path_factory, "acme", ossec_image)


def helper_image(factory: pytest.TempPathFactory, kind: str, tested: image.Image) -> str:
    """The name of the image that support/KIND.Dockerfile makes on the base of the image that is tested."""
    name = f"{image.REPOSITORY}-{kind}"

    def build(nothing: Path) -> str:
        image.buildx(
            "--load",
            f"--tag={name}",
            f"--build-arg=BASE={tested.labels['org.opencontainers.image.base.name']}",
            f"--build-context=scripts={ROOT / 'docker' / 'build'}",
            f"--file={ROOT / f'tests/image/support/{kind}.Dockerfile'}",
            str(nothing),
            epoch=0,
        )
        return name

    return _built_once(factory, kind, build)


@pytest.fixture
def project(client: docker.DockerClient) -> Iterator[str]:
    """The name of a compose project that is gone at the end, with the images that it built."""
    engine.ensure(compose=True)
    name = f"ossec-log-server-{uuid.uuid4().hex[:12]}"
    yield name
    compose(command=["--project-name", name, "down", "--volumes", "--remove-orphans", "--timeout", "1"])
    # By the name, too: some were found that stayed behind when only those with the label were removed.
    built = client.images.list(filters={"label": f"com.docker.compose.project={name}"})
    for one in {str(found.id) for found in [*built, *client.images.list(name=f"{name}-*")]}:
        client.images.remove(one, force=True)


def _built_once(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], T]) -> T:
    """What is built, by one worker of one run at a time: to find that nothing is to be built takes seconds, too."""
    folder = cache_dir()
    folder.mkdir(parents=True, exist_ok=True)
    return once(factory, name, build, lock=folder / "images.lock")

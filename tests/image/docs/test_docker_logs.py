"""The example that sends what every container of a machine prints: nothing is lost, whatever is restarted."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import docker
import pytest
import requests
from docker.errors import APIError
from docker.models.containers import Container
from docker.models.networks import Network
from docker.types import LogConfig

from pipeline import image
from pipeline.project import ROOT
from pipeline.server import Server, address, container, network
from pipeline.server import server as run_server
from pipeline.server.execute import execute
from pipeline.wait import wait_until
from tests.image.conftest import FROM_HERE, helper_image
from tests.image.intake.test_intake import archived, wait_archived
from tests.image.support.compose import compose

SERVER = "ossec.example.org"
EXAMPLE = ROOT / "examples" / "compose.docker-logs.yaml"


@pytest.fixture
def net(client: docker.DockerClient) -> Iterator[Network]:
    with network(client) as made:
        yield made


@pytest.fixture
def relp_server(client: docker.DockerClient, ossec_image: image.Image, net: Network) -> Iterator[Server]:
    with run_server(
        client,
        ossec_image.name,
        {**FROM_HERE, "OSSEC_RELP": "yes"},
        network=net.name,
        networking_config={str(net.name): client.api.create_endpoint_config(aliases=[SERVER])},
    ) as running:
        running.wait_listening()
        yield running


def numbers(lines: list[str]) -> set[int]:
    """What each line's message ends in; what its header had more than the engine's form has stands behind it."""
    return {int(line.partition(" | ")[0].rpartition(" ")[2]) for line in lines}


# Each start counts from a number of its own, so that no line of one start stands for another's.
COUNTING = (
    "n=${{EPOCHSECONDS}}00000; trap 'exit 0' TERM;"
    " while true; do n=$((n + 1)); echo counted in {0} $n; sleep 0.02; done"
)


def printed(running: Container) -> set[int]:
    """The numbers of all lines that Docker has of a container, whatever its starts."""
    return {int(line.rpartition(" ")[2]) for line in running.logs(stderr=False).decode().splitlines()}


def more_lines(running: Container, count: int) -> None:
    """Return once it has printed so many more."""
    before = len(printed(running))
    wait_until(lambda: len(printed(running)) >= before + count, 30, what=f"{count} lines of {running.name}")


def all_arrive(server: Server, running: Container, name: str) -> None:
    """Return once all that Docker has of a container that is stopped is in the archive."""
    wanted = printed(running)
    assert len(wanted) > 20
    wait_until(
        lambda: wanted <= numbers(archived(server, f"counted in {name} ")), 180, 0.5, f"all lines of {name}"
    )


def test_what_each_container_prints_arrives_whatever_is_restarted(
    client: docker.DockerClient,
    ossec_image: image.Image,
    net: Network,
    relp_server: Server,
    project: str,
    tmp_path: Path,
) -> None:
    more = tmp_path / "more.yaml"
    more.write_text(f"networks: {{default: {{name: {net.name}, external: true}}}}\n")
    variables = {
        "DEBIAN": ossec_image.labels["org.opencontainers.image.base.name"],
        "DOCKER_ROOT": client.info()["DockerRootDir"],
        "LOGS_SERVER": SERVER,
        "LOGS_HOST": "docker1",
    }

    def logs(*command: str) -> None:
        compose(EXAMPLE, more, command=["--project-name", project, *command], **variables)

    with ExitStack() as stack:
        server = relp_server

        def counting(name: str, **options: str) -> Container:
            command = ["bash", "-c", COUNTING.format(name)]
            config = LogConfig(type=LogConfig.types.JSON, config=options)
            started = container(
                client, ossec_image.name, entrypoint=command, network=net.name, log_config=config
            )
            return stack.enter_context(started)

        early = counting("early", **{"max-size": "8k", "max-file": "99"})  # a new file for every 70 lines
        logs("up", "--detach", "--build")
        late = counting("late")
        wait_archived(server, "counted in early ", 20, seconds=180)
        wait_archived(server, "counted in late ", 20, seconds=180)
        early.restart(timeout=2)
        logs("restart", "--timeout", "10")
        logs("kill")  # what it had sent and not noted comes twice
        logs("start")
        server.stop()
        while_away = counting("away")
        more_lines(while_away, 20)
        logs("restart", "--timeout", "10")
        server.container.start()
        server.wait_listening()
        for end in ("restart", "kill"):  # while lines have been sent and not been acknowledged
            server.container.pause()
            more_lines(early, 50)
            logs(end)
            server.container.unpause()
            logs("start")
        logs("kill")
        for running in (early, late, while_away):
            running.stop(timeout=2)
        logs("start")
        for name, running in [("early", early), ("late", late), ("away", while_away)]:
            all_arrive(server, running, name)
        [line, *_] = archived(server, "counted in away ")
        assert f" docker1 {while_away.name}: counted in away" in line
        assert f'[docker@32473 image="{ossec_image.name}" stream="stdout"]' in line


# A Docker engine of its own, which is started again whenever it ends.
ENGINE = (
    "while :; do dockerd --host=unix:///run/docker.sock --host=tcp://0.0.0.0:2375 --tls=false;"
    " rm -f /run/docker.pid; done"
)


class Inside:
    """A Docker engine in a privileged container."""

    def __init__(self, node: Container, net: Network) -> None:
        self._node = node
        self.host = f"tcp://{address(node, net)}:2375"
        self.client = docker.DockerClient(base_url=self.host, version="1.41", timeout=60)

    def wait(self) -> None:
        wait_until(self.client.ping, 180, 0.5, "dockerd", ignoring=(requests.RequestException, APIError))

    def load(self, name: str) -> None:
        saved = subprocess.run(["docker", "save", name], check=True, capture_output=True).stdout
        command = ["docker", "exec", "--interactive", str(self._node.id), "docker", "load", "--quiet"]
        subprocess.run(command, input=saved, check=True, capture_output=True)

    def end(self, signal: str) -> None:
        """End dockerd, and return once another one is there."""
        before = self._pid()
        assert execute(self._node, ["sh", "-c", f"kill -{signal} {before}"]).exit_code == 0
        wait_until(lambda: self._pid() not in ("", before), 180, what="another dockerd")
        self.wait()

    def _pid(self) -> str:
        code, output = execute(self._node, ["cat", "/run/docker.pid"])
        return output.decode().strip() if code == 0 else ""


@contextmanager
def docker_inside(client: docker.DockerClient, image_name: str, net: Network) -> Iterator[Inside]:
    """Skips where no privileged container can be started."""
    options = {
        "privileged": True,
        "cgroupns": "private",
        "tmpfs": {"/run": ""},
        "volumes": ["/var/lib/docker"],
    }
    with ExitStack() as stack:
        try:
            node = stack.enter_context(
                container(client, image_name, entrypoint=["sh", "-c", ENGINE], network=net.name, **options)
            )
        except APIError as problem:
            pytest.skip(f"DOCKERD IS NOT RESTARTED HERE: a privileged container does not start: {problem}")
        inside = Inside(node, net)
        stack.callback(inside.client.close)
        inside.wait()
        yield inside


def test_an_end_of_docker_itself_loses_nothing(
    client: docker.DockerClient,
    ossec_image: image.Image,
    net: Network,
    relp_server: Server,
    project: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """What dockerd had written to its files arrives, whether it was stopped or killed."""
    debian = ossec_image.labels["org.opencontainers.image.base.name"]
    ours = ["--project-name", project]
    compose(EXAMPLE, command=[*ours, "build"], DEBIAN=debian)
    with docker_inside(client, helper_image(tmp_path_factory, "docker", ossec_image), net) as inside:
        for name in (ossec_image.name, f"{project}-docker-logs:latest"):
            inside.load(name)
        counting = inside.client.containers.run(
            ossec_image.name,
            entrypoint=["bash", "-c", COUNTING.format("inside")],
            detach=True,
            restart_policy={"Name": "always"},
        )
        at = address(relp_server.container, net)
        compose(
            EXAMPLE, command=[*ours, "up", "--detach", "--no-build"], DOCKER_HOST=inside.host, LOGS_SERVER=at
        )
        wait_archived(relp_server, "counted in inside ", 20, seconds=180)
        for signal in ("TERM", "KILL"):
            had = len(printed(counting))
            inside.end(signal)
            wait_until(
                lambda: len(printed(counting)) > had + 50,  # noqa: B023 # is over before the next
                180,
                0.5,
                "lines under another dockerd",
                ignoring=(requests.RequestException, APIError),
            )
        counting.stop(timeout=2)
        all_arrive(relp_server, counting, "inside")

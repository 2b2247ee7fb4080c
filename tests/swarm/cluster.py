"""A Docker Swarm of three nodes on this machine, each an engine in a privileged container."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container
from docker.types import IPAMConfig, IPAMPool

from pipeline.server import LABEL, container, labels
from pipeline.server.execute import execute
from pipeline.server.shell import Shell
from pipeline.wait import wait_until

NETWORK = "ossec-swarm-test"
SUBNET = "10.77.18"
ARCHIVE = "/var/lib/docker/volumes/ossec_data/_data/logs/archives/archives.log"
DOCKERD = ["dockerd", "--host=unix:///run/docker.sock"]
LINE = re.compile(rb"->([0-9.]+) [^\n]*?swarm-test: (swarm-test [a-z0-9]+ [a-z]+ [0-9]+) end")


class CannotRun(Exception):
    """This machine can't run a Swarm; the message says why."""


class Swarm:
    def __init__(self, nodes: list[Container]) -> None:
        self.nodes = nodes
        self._shells = [Shell(node) for node in nodes]
        self.at = [f"{SUBNET}.{11 + number}" for number in range(len(nodes))]

    def run(self, number: int, *command: str, **options: Any) -> str:
        if options:
            code, output = execute(self.nodes[number], command, **options)
        else:
            code, output = self._shells[number].execute(command)
        text = output.decode(errors="replace")
        if code:
            raise RuntimeError(f"{' '.join(command)} on node {number + 1} ended with {code}: {text}")
        return text

    def load(self, *names: str) -> None:
        """The images, from this machine's engine to every node's, at once: most of their layers they share."""
        saved = subprocess.run(["docker", "save", *names], check=True, capture_output=True).stdout
        for node in self.nodes:
            command = ["docker", "exec", "--interactive", str(node.id), "docker", "load", "--quiet"]
            subprocess.run(command, input=saved, check=True, capture_output=True)

    def deploy(self, folder: str, **environment: str) -> None:
        """The stack of that folder on the first node; returns when all servers are healthy."""
        command = [
            "docker",
            "stack",
            "deploy",
            "--detach=false",
            "--resolve-image=never",
            "-c",
            "stack.yaml",
            "ossec",
        ]
        self.run(0, *command, workdir=folder, environment=environment)
        for number in range(len(self.nodes)):
            self.wait_healthy(number)

    def wait_healthy(self, number: int) -> None:
        def healthy() -> bool:
            return bool(self.run(number, "docker", "ps", "-q", "--filter", "health=healthy").strip())

        wait_until(
            healthy,
            120,
            0.5,
            f"the server on node {number + 1}",
            ignoring=(RuntimeError, docker.errors.APIError),
        )

    def servers(self, number: int) -> list[str]:
        """The images of the servers that run there."""
        return self.run(number, "docker", "ps", "--format", "{{.Image}}").split()

    def arrived(self, number: int) -> list[tuple[str, str]]:
        """The ids in the archive of that node's volume, with the address that each is said to be from."""
        code, output = self._shells[number].execute(["cat", ARCHIVE])
        return [(at.decode(), what.decode()) for at, what in LINE.findall(output)] if code == 0 else []


@contextmanager
def network(client: docker.DockerClient) -> Iterator[str]:
    pool = IPAMPool(
        subnet=f"{SUBNET}.0/24", iprange=f"{SUBNET}.128/25"
    )  # whose addresses stay over a restart
    for left in client.networks.list(names=[f"^{NETWORK}$"], filters={"label": LABEL}):
        if not Path("/proc", left.attrs["Labels"][LABEL]).exists():  # of tests that were killed
            left.remove()
    made = client.networks.create(NETWORK, ipam=IPAMConfig(pool_configs=[pool]), labels=labels())
    try:
        yield str(made.name)
    finally:
        made.remove()


def at(client: docker.DockerClient, net: str, host: int) -> dict[str, Any]:
    """The options of a container with that address."""
    config = client.api.create_endpoint_config(ipv4_address=f"{SUBNET}.{host}")
    return {"network": net, "networking_config": {net: config}}


@contextmanager
def swarm(client: docker.DockerClient, node: str, net: str) -> Iterator[Swarm]:
    """Three managers, so that one may go. Raises CannotRun."""
    with ExitStack() as stack:
        nodes = []
        for number in range(3):
            options = {
                "privileged": True,
                "cgroupns": "private",
                "tmpfs": {"/run": ""},
                "hostname": f"node{number + 1}",
                "command": DOCKERD,
            }
            try:
                nodes.append(
                    stack.enter_context(
                        container(
                            client,
                            node,
                            volumes=["/var/lib/docker"],
                            **options,
                            **at(client, net, 11 + number),
                        )
                    )
                )
            except docker.errors.APIError as problem:
                raise CannotRun(f"a privileged container does not start: {problem}") from problem
        made = Swarm(nodes)
        for number in range(3):
            try:
                wait_engine(made, number)
            except Exception as problem:
                log = nodes[number].logs(tail=3).decode(errors="replace")
                raise CannotRun(f"no Docker engine starts within a container: {problem}: {log}") from problem
        made.run(0, "docker", "swarm", "init", "--advertise-addr", made.at[0])
        token = made.run(0, "docker", "swarm", "join-token", "--quiet", "manager").strip()
        for number in (1, 2):
            made.run(number, "docker", "swarm", "join", "--token", token, f"{made.at[0]}:2377")
        yield made


def wait_engine(made: Swarm, number: int) -> None:
    def answers() -> bool:
        return bool(made.run(number, "docker", "version", "--format", "{{.Server.Version}}"))

    wait_until(
        answers, 90, 0.5, f"the engine of node {number + 1}", ignoring=(RuntimeError, docker.errors.APIError)
    )

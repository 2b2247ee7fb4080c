"""A running server: the image started as a careful person starts it, and what can be seen of it from outside."""

import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Any

import docker
from docker.errors import APIError
from docker.models.containers import Container
from docker.models.networks import Network

from pipeline import project
from pipeline.server import removal
from pipeline.server.alerts import parse
from pipeline.server.shell import KILLED, Shell
from pipeline.wait import wait_until

LABEL = "ossec-log-server.started-by"  # of containers and networks, with the PID of what started them
# What the image may ask the kernel for. The engine wants the profile itself, not its file's name.
SECCOMP = project.ROOT / "docker" / "seccomp.json"
# As `docker run` would have it: nothing that the image does not need. A tmpfs takes its mode from the image.
HARDENED: Mapping[str, Any] = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges", f"seccomp={SECCOMP.read_text()}"],
    "tmpfs": {"/run": "", "/tmp": ""},
}
# Where others than Linux reach a server: the engine's network is in a virtual machine there.
LOOPBACK: Mapping[str, Any] = {"514/udp": ("127.0.0.1", None), "514/tcp": ("127.0.0.1", None)}
# Nobody asks for its health: each question costs the engine a process.
UNASKED: Mapping[str, Any] = {"healthcheck": {"test": ["NONE"]}}
# For a server that prints much: this costs the engine half of what JSON does.
MUCH_OUTPUT: Mapping[str, Any] = {
    "log_config": {"Type": "local", "Config": {"max-size": "1g", "compress": "false"}}
}
GRACE = 10  # seconds, what `docker stop` gives
# The last that starts, once the server says that it is ready.
STARTED = b"ossec-monitord: INFO: Started "
# Asked from within: each process that the engine starts in a container costs it twenty times what the question costs.
UNTIL_READY = "exec 3<> <(:); until ossec-log-server ready; do read -rt 0.05 -u 3; done"
START = 90  # seconds in which a server is expected to listen, on a slow and busy machine or an emulated one


class Server:
    """A container of the image."""

    def __init__(self, container: Container) -> None:
        self.container = container
        self._waited = False
        self._shell = Shell(container)

    @property
    def udp(self) -> tuple[str, int]:
        """Where its 514/udp is reached from this machine."""
        return self._reached(514, "udp")

    @property
    def tcp(self) -> tuple[str, int]:
        """Where its 514/tcp is reached from this machine."""
        return self._reached(514, "tcp")

    def address(self) -> str:
        """Its own address, which this machine reaches if it is Linux; "" if it does not run.

        Behind a published port, Docker's proxy takes lines that the server has not seen.
        """
        self.container.reload()
        return str(next(iter(self.container.attrs["NetworkSettings"]["Networks"].values()))["IPAddress"])

    def _reached(self, port: int, protocol: str) -> tuple[str, int]:
        own = self.address()
        if self.container.ports.get(f"{port}/{protocol}"):
            return published(self.container, f"{port}/{protocol}")
        assert own, f"{self.container.name} has no address: it does not run"
        return own, port

    def alerts(self) -> list[dict[str, Any]]:
        """The alerts on its standard output, the oldest first. Raises ValueError if one is not as its schema says."""
        return [parse(line) for line in self.container.logs(stdout=True, stderr=False).splitlines()]

    def log(self) -> str:
        """What it said on standard error."""
        return self.container.logs(stdout=False, stderr=True).decode(errors="replace")

    def wait_said(self, text: str, seconds: float = 60) -> str:
        """Its log, once the text is in it: Docker may write it down later than what it tells of can be seen."""
        return wait_until(
            lambda: log if text in (log := self.log()) else None, seconds, what=f"{text!r} in the log"
        )

    def answer(self, *command: str) -> tuple[int, str]:
        """What a command in the container ends with, and its output."""
        code, output = self._shell.execute(command)
        return code, output.decode(errors="replace")

    def close(self) -> None:
        """End what was started to ask it."""
        self._shell.close()

    def run(self, *command: str) -> str:
        """The output of a command in the container. Raises RuntimeError, with the output, if it fails."""
        code, text = self.answer(*command)
        if code:
            raise RuntimeError(f"{' '.join(command)} in the container ended with {code}: {text}")
        return text

    def wait_listening(self) -> None:
        """Return once the receiver and the engine are up. Raises WaitTimeout, or RuntimeError if it ended."""

        # At first its log is short: to look into it is a tenth of what a process costs the engine.
        short, self._waited = not self._waited, True

        def listening() -> bool:
            if not self.running():
                raise RuntimeError(f"the server ended with {self.exit_code()} while starting:\n{self.log()}")
            if short:
                begun = datetime.fromisoformat(self.container.attrs["State"]["StartedAt"]).timestamp()
                terminal = bool(self.container.attrs["Config"]["Tty"])  # there both streams are one
                return STARTED in self.container.logs(stdout=terminal, stderr=True, since=begun)
            return self._shell.execute(["timeout", "20", "bash", "-c", UNTIL_READY]).exit_code == 0

        wait_until(listening, START, what="the server to be ready", ignoring=(APIError,))

    def running(self) -> bool:
        """Whether the container runs."""
        self.container.reload()
        return self.container.status == "running"

    def stop(self) -> int:
        """`docker stop`: SIGTERM, and SIGKILL after ten seconds. Returns the exit code: 137 if it took SIGKILL."""
        self.container.stop(timeout=GRACE)
        return self.exit_code()

    def exit_code(self) -> int:
        """The exit code of a container that has ended, or is about to. Raises on one that goes on for a minute."""
        return int(self.container.wait(timeout=60)["StatusCode"])

    def counters(self) -> dict[str, int]:
        """What the server counts: messages received, refused, cut, sent to the engine, and so on, by name."""
        lines = self.run("ossec-log-server", "counters").splitlines()
        return {name: int(number) for name, number in map(str.split, lines)}

    def processes(self) -> dict[str, int]:
        """The daemons by the names that the server uses in its messages, with their PIDs inside the container.

        Nothing that a daemon has started: for a moment that has the daemon's name.
        """
        found: dict[str, int] = {}
        children = "1 $(cat /proc/1/task/1/children)"
        script = f"for p in {children}; do echo $p $(tr '\\0' ' ' < /proc/$p/cmdline); done 2>/dev/null"
        for line in self.run("bash", "-c", script).splitlines():
            number, _, command = line.partition(" ")
            name = command.split(" ")[0].rpartition("/")[2]
            found.setdefault("ossec-forward" if "/queue/forward/" in command else name, int(number))
        return found

    def kill(self, name: str, signal: str = "KILL") -> None:
        """Send a signal to one daemon inside the container, which may end before it is said that it was sent."""
        code, said = self.answer("bash", "-c", f"kill -{signal} {self.processes()[name]}")
        assert code in (0, KILLED), said


def published(container: Container, port: str) -> tuple[str, int]:
    """Where on this machine's loopback a running container's port, such as "514/udp", is reached."""
    found = container.ports.get(port)
    assert found, f"{container.name} publishes no {port}"
    return "127.0.0.1", int(found[0]["HostPort"])


def address(container: Container, on: Network) -> str:
    """A running container's own address in that network, which this machine reaches if it is Linux."""
    container.reload()
    return str(container.attrs["NetworkSettings"]["Networks"][on.name]["IPAddress"])


@contextmanager
def network(client: docker.DockerClient) -> Iterator[Network]:
    """A bridge network of our own, gone at the end."""
    made = client.networks.create(_name(), driver="bridge", labels=labels())
    try:
        yield made
    finally:
        made.remove()


@contextmanager
def volume(client: docker.DockerClient, **options: Any) -> Iterator[str]:
    """The name of a new volume, made with these options of the Docker SDK's `create`; gone at the end."""
    made = client.volumes.create(**options)
    try:
        yield str(made.name)
    finally:
        removal.remove(made)


def gateway(of: Network) -> str:
    """The address that this machine's packets have inside that network."""
    of.reload()
    return str(of.attrs["IPAM"]["Config"][0]["Gateway"])


@contextmanager
def container(client: docker.DockerClient, image: str, **options: Any) -> Iterator[Container]:
    """Any container, detached; removed at the end, with its anonymous volumes, whatever happens in between."""
    # Created first and started inside `try`: a start that fails or is interrupted leaves a container, too.
    made = client.containers.create(image, name=_name(), labels=labels(), **options)
    try:
        made.start()
        made.reload()
        yield made
    finally:
        removal.remove(made)


@contextmanager
def server(
    client: docker.DockerClient,
    image: str,
    environment: Mapping[str, str] | None = None,
    command: Sequence[str] = (),
    **options: Any,
) -> Iterator[Server]:
    """The image, hardened, with these variables, and any further option of the Docker SDK's `create`.

    `ports` is one: LOOPBACK publishes syslog on this machine. Without it the server is reached at its own address, as
    two published ports are a sixth of what a start costs: proxies, packet filter, tables of connections. Docker
    asks for its health only with `healthcheck=None`.
    """
    with (
        container(
            client,
            image,
            environment=dict(environment or {}),
            command=list(command),
            **{**HARDENED, **UNASKED, **options},
        ) as made,
        closing(Server(made)) as started,
    ):
        yield started


def labels() -> dict[str, str]:
    """By which it is seen what this process has started, and must not leave behind."""
    return {LABEL: str(os.getpid())}


def _name() -> str:
    return f"ossec-log-server-{uuid.uuid4().hex[:12]}"

"""The Docker engine that builds and runs the images: found, or installed and started where that is ours."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import docker
import requests
from docker.context import ContextAPI
from docker.errors import DockerException
from filelock import FileLock
from rich.prompt import Confirm

from pipeline import machine
from pipeline.console import err
from pipeline.errors import UserError
from pipeline.wait import WaitTimeout, wait_until

LOCK = Path("/run/ossec-log-server-engine.lock")
LOG = Path("/var/log/ossec-log-server-dockerd.log")
CONFIG = Path("/etc/docker/daemon.json")
PID_FILES = {"dockerd": Path("/run/docker.pid"), "containerd": Path("/run/docker/containerd/containerd.pid")}
PROCESSES = Path("/proc")
SYSTEMD = Path("/run/systemd/system")  # is there if systemd is PID 1
START_TIMEOUT = 60.0  # seconds

LOCAL_HOST = "unix:///var/run/docker.sock"
# Bookworm's own docker.io is 20.10 and has no buildx; forky's needs no newer libc than bookworm's.
FORKY_PACKAGES = ("docker.io", "docker-cli", "docker-buildx", "docker-compose", "containerd", "tini-static")


class Answer(Enum):
    YES = "it answers"
    DENIED = "this user may not use it"
    NO = "it does not answer"


@dataclass(frozen=True)
class Engine:
    """What there is of Docker here; `host` is where the docker command looks for the engine."""

    cli: bool
    buildx: bool
    dockerd: bool
    answer: Answer
    host: str = LOCAL_HOST
    compose: bool = False

    def ready(self, compose: bool = False) -> bool:
        """Whether images can be built and run, with `compose` by that plugin, too."""
        return self.buildx and self.answer is Answer.YES and self.compose >= compose


def ensure(compose: bool = False) -> None:
    """Return once a Docker engine with buildx answers at the address that the docker command uses.

    With `compose`, once there is that plugin, too; an engine that we install gets it in any case.

    On Debian and Ubuntu, as root, what is missing is installed from the distribution's archive and started;
    on a terminal only after a question, unless OSSEC_LOG_SERVER_YES is 1. Raises UserError where that is not
    ours to do, was declined, or failed.
    """
    engine = look()
    if engine.ready(compose):
        return
    if not mendable(engine):
        raise UserError(complaint(engine, sys.platform))
    with FileLock(LOCK):  # another run may be mending it: look again once that is done
        engine = look()
        if not engine.ready(compose):
            mend(engine, compose)


def look() -> Engine:
    """Find out what there is of Docker here. Changes nothing."""
    return Engine(
        cli=shutil.which("docker") is not None,
        buildx=machine.run("docker", "buildx", "version").returncode == 0,
        dockerd=shutil.which("dockerd", path=machine.PATH) is not None,
        answer=ping(),
        host=os.environ.get("DOCKER_HOST") or ContextAPI.kwargs_from_context().get("base_url", LOCAL_HOST),
        compose=machine.run("docker", "compose", "version").returncode == 0,
    )


def ping() -> Answer:
    """Ask the engine whether it is there, at the address that DOCKER_HOST or the docker context names."""
    try:
        with closing(docker.from_env(timeout=10)) as client:
            client.ping()
    except (DockerException, requests.RequestException, OSError) as error:
        return Answer.DENIED if caused_by(error, PermissionError) else Answer.NO
    return Answer.YES


def caused_by(error: BaseException | None, kind: type[BaseException]) -> bool:
    """Whether an error of that kind is behind `error`: the Docker SDK wraps them several times over."""
    while error is not None and not isinstance(error, kind):
        error = error.__cause__ or error.__context__
    return error is not None


def mendable(engine: Engine) -> bool:
    """Whether it is ours to install or start what is missing: not if someone chose an engine elsewhere."""
    return machine.ours_to_install() and engine.host == LOCAL_HOST and engine.answer is not Answer.DENIED


def complaint(engine: Engine, platform: str) -> str:
    """What is missing and how to mend it, where that is not ours to do; `platform` as in sys.platform."""
    # Elsewhere than on Linux the engine runs in a virtual machine, and only the command is seen here.
    installed = engine.dockerd if platform == "linux" else engine.cli
    if engine.answer is not Answer.YES and engine.host != LOCAL_HOST:
        return (
            f"The Docker engine at {engine.host}, which DOCKER_HOST or the docker context names, "
            f"cannot be used ({engine.answer.value}): mend that or choose another."
        )
    if engine.answer is Answer.DENIED:
        return (
            "This user may not use the Docker engine: run `sudo usermod -aG docker $USER` and log in again, "
            "or run the same command as root."
        )
    if engine.answer is Answer.NO and not installed:
        return (
            "There is no Docker engine here: install Docker Engine 25 or newer with its buildx plugin "
            "(on Debian and Ubuntu, the same command does that when run as root)."
        )
    if engine.answer is Answer.NO:
        start = "run `sudo systemctl start docker`" if platform == "linux" else "start Docker Desktop"
        return f"The Docker engine is installed, but it is not running: {start}."
    if engine.ready():
        return "Docker's compose plugin is missing: install it (docker-compose on Debian, docker-compose-v2 on Ubuntu)."
    return (
        "The docker command or its buildx plugin is missing: install both "
        "(docker-cli and docker-buildx on Debian and Ubuntu)."
    )


def mend(engine: Engine, compose: bool) -> None:
    """Install and start what is missing, on Debian or Ubuntu. Raises UserError if declined or failed."""
    packages = missing(engine, compose)
    start = engine.answer is not Answer.YES
    steps = [f"install {', '.join(packages)} with apt-get"] if packages else []
    steps += ["start dockerd"] if start else []
    plugins = "buildx and compose" if compose else "buildx"
    agree(f"No Docker engine with {plugins} is running here. To do: {' and '.join(steps)}.")
    if "docker.io" in packages:
        use_containerd_images()
    if machine.os_release().get("ID") == "ubuntu":  # where docker-compose is the old one
        packages = [f"{name}-v2" if name == "docker-compose" else name for name in packages]
    if packages and machine.os_release().get("VERSION_CODENAME") == "bookworm":
        machine.install_from_later("forky", packages, FORKY_PACKAGES)
    elif packages:
        # Ubuntu has no docker-cli: the command is in its docker.io.
        own = [package for package in packages if package != "docker-cli"]
        machine.install(own, if_known=[package for package in packages if package not in own])
    if start:
        start_dockerd()
    engine = look()
    if not engine.ready(compose):
        raise UserError(complaint(engine, sys.platform))


def missing(engine: Engine, compose: bool) -> list[str]:
    """The packages that the machine lacks, as Debian names them."""
    packages = []
    if engine.answer is not Answer.YES and not engine.dockerd:
        packages += ["docker.io", "ca-certificates"]
    if not engine.cli:
        packages += ["docker-cli"]
    if not engine.buildx:
        packages += ["docker-buildx"]
    if not engine.compose and (compose or "docker.io" in packages):
        packages += ["docker-compose"]
    return packages


def agree(plan: str) -> None:
    """Say what will be done and, on a terminal, ask first. Raises UserError if the answer is no."""
    err.print(plan, soft_wrap=True)
    if os.environ.get("OSSEC_LOG_SERVER_YES") == "1" or not sys.stdin.isatty():
        return
    try:
        agreed = Confirm.ask("Go on?", console=err, default=True)
    except EOFError:
        agreed = False
    if not agreed:
        raise UserError("Nothing changed: install and start Docker Engine 25 or newer with buildx yourself.")


def use_containerd_images() -> None:
    """Let an engine that we install keep its images in containerd, unless someone has set it up already."""
    if not CONFIG.exists():
        CONFIG.parent.mkdir(parents=True, exist_ok=True)
        CONFIG.write_text(json.dumps({"features": {"containerd-snapshotter": True}}, indent=2) + "\n")


def start_dockerd() -> None:
    """Start the engine and return once it answers. Raises UserError, saying why, if it does not."""
    if SYSTEMD.is_dir():
        done = machine.run("systemctl", "start", "docker")
        if done.returncode != 0:
            raise UserError(f"Docker does not start: `journalctl -u docker` says why. {done.stdout.strip()}")
        process = None
    else:
        process = None if running("dockerd") else spawn_dockerd()

    def answers() -> bool:
        if process is not None and process.poll() is not None and not running("dockerd"):
            said = [line for line in LOG.read_text(errors="replace").splitlines() if "level=info" not in line]
            raise UserError("\n".join([f"dockerd ended, and its log {LOG} says why:", *said[-5:]]))
        return ping() is Answer.YES

    try:
        wait_until(answers, timeout=START_TIMEOUT, interval=0.2, what="dockerd to answer")
    except WaitTimeout as timeout:
        raise UserError(f"dockerd was started but does not answer ({timeout}): see {LOG}.") from timeout


def running(program: str) -> bool:
    """Whether the process that the program's PID file names is that program; if not, the file is removed.

    After a crash or on a restored machine another process may have that PID, and then dockerd would refuse
    to start, or take that process for its containerd and kill it.
    """
    file = PID_FILES[program]
    try:
        pid = file.read_text().strip()
    except FileNotFoundError:
        return False
    try:
        name = (PROCESSES / pid / "comm").read_text().strip()
    except OSError:
        name = ""
    if name != program:
        file.unlink(missing_ok=True)
    return name == program


def spawn_dockerd() -> subprocess.Popen[bytes]:
    """Start dockerd in a session of its own, so that it outlives us, with its log in LOG."""
    running("containerd")
    command = [shutil.which("dockerd", path=machine.PATH) or "dockerd"]
    # A setting may not stand in both places, and dockerd before 28 has no such option.
    if not CONFIG.exists() and "--feature" in machine.run(*command, "--help").stdout:
        command += ["--feature", "containerd-snapshotter=true"]
    err.print(f"Starting dockerd; its log is {LOG}", soft_wrap=True)
    with LOG.open("wb") as log:
        return subprocess.Popen(
            command,
            env=os.environ | {"PATH": machine.PATH},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

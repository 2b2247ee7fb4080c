"""What is done about each state that a machine's Docker may be in; a script stands in for dockerd."""

import hashlib
import json
import os
import signal
import socketserver
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from docker.errors import DockerException

from pipeline import machine
from pipeline.errors import UserError
from pipeline.machine import engine
from pipeline.machine.engine import Answer, Engine
from pipeline.wait import wait_until
from tests.loopback import in_thread

READY = Engine(cli=True, buildx=True, dockerd=True, answer=Answer.YES)
STOPPED = replace(READY, answer=Answer.NO)
NOTHING = Engine(cli=False, buildx=False, dockerd=False, answer=Answer.NO)
ELSEWHERE = replace(STOPPED, host="tcp://build.example:2376")
BOOKWORM = {"ID": "debian", "VERSION_CODENAME": "bookworm"}
TRIXIE = {"ID": "debian", "VERSION_CODENAME": "trixie"}
UBUNTU = {"ID": "ubuntu", "VERSION_CODENAME": "noble"}


@pytest.fixture(autouse=True)
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All that the module would write or read on the machine, in a folder of the test's own; no terminal."""
    monkeypatch.setattr(engine, "LOCK", tmp_path / "lock")
    monkeypatch.setattr(engine, "LOG", tmp_path / "log")
    monkeypatch.setattr(engine, "CONFIG", tmp_path / "etc" / "daemon.json")
    monkeypatch.setattr(engine, "SYSTEMD", tmp_path / "systemd")
    monkeypatch.setattr(engine, "PID_FILES", {name: tmp_path / name for name in ("dockerd", "containerd")})
    monkeypatch.delenv("OSSEC_LOG_SERVER_YES", raising=False)
    return tmp_path


class Machine:
    """A machine whose Docker is in the state `engine`, and gets better when mended; `done` is how."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, before: Engine, os_release: Mapping[str, str]
    ) -> None:
        self.engine = before
        self.done: list[str] = []
        monkeypatch.setattr(engine, "look", lambda: self.engine)
        monkeypatch.setattr(engine, "start_dockerd", self.start)
        monkeypatch.setattr(machine, "os_release", lambda: os_release)
        monkeypatch.setattr(machine, "install", self.install)
        monkeypatch.setattr(machine, "install_from_later", self.install_from_later)
        monkeypatch.setattr(os, "geteuid", lambda: 0)

    def start(self) -> None:
        self.done.append("start")
        self.engine = replace(self.engine, answer=Answer.YES)

    def install(self, packages: list[str], if_known: list[str]) -> None:
        self.done.append(f"install {' '.join(packages)} ({' '.join(if_known)})")
        compose = self.engine.compose or any(name.startswith("docker-compose") for name in packages)
        self.engine = replace(self.engine, cli=True, buildx=True, dockerd=True, compose=compose)

    def install_from_later(self, later: str, packages: list[str], may_be_later: list[str]) -> None:
        self.done.append(f"install from {later} {' '.join(packages)}")
        compose = self.engine.compose or any(name.startswith("docker-compose") for name in packages)
        self.engine = replace(self.engine, cli=True, buildx=True, dockerd=True, compose=compose)


@pytest.mark.parametrize(
    ("before", "os_release", "done"),
    [
        (READY, TRIXIE, []),
        (STOPPED, TRIXIE, ["start"]),
        (
            NOTHING,
            TRIXIE,
            ["install docker.io ca-certificates docker-buildx docker-compose (docker-cli)", "start"],
        ),
        (
            NOTHING,
            UBUNTU,
            ["install docker.io ca-certificates docker-buildx docker-compose-v2 (docker-cli)", "start"],
        ),
        (
            NOTHING,
            BOOKWORM,
            ["install from forky docker.io ca-certificates docker-cli docker-buildx docker-compose", "start"],
        ),
        (
            replace(NOTHING, cli=True, buildx=True, compose=True),
            TRIXIE,
            ["install docker.io ca-certificates ()", "start"],
        ),
        (replace(READY, buildx=False), TRIXIE, ["install docker-buildx ()"]),
        (replace(READY, buildx=False), BOOKWORM, ["install from forky docker-buildx"]),
        (replace(STOPPED, buildx=False), TRIXIE, ["install docker-buildx ()", "start"]),
    ],
)
def test_root_on_debian_and_ubuntu_gets_what_is_missing(
    before: Engine, os_release: Mapping[str, str], done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Machine(monkeypatch, before, os_release)
    engine.ensure()
    assert here.done == done
    engine.ensure()
    assert here.done == done  # and the second time there is nothing left to do


@pytest.mark.parametrize(
    ("os_release", "done"),
    [
        (TRIXIE, ["install docker-compose ()"]),
        (UBUNTU, ["install docker-compose-v2 ()"]),
        (BOOKWORM, ["install from forky docker-compose"]),
    ],
)
def test_compose_is_installed_where_it_is_wanted(
    os_release: Mapping[str, str], done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Machine(monkeypatch, READY, os_release)
    engine.ensure(compose=True)
    assert here.done == done
    engine.ensure(compose=True)
    assert here.done == done


@pytest.mark.parametrize(
    ("before", "os_release", "root"),
    [
        (NOTHING, TRIXIE, False),
        (NOTHING, {"ID": "fedora"}, True),
        (NOTHING, {}, True),
        (ELSEWHERE, TRIXIE, True),
        (replace(STOPPED, answer=Answer.DENIED), TRIXIE, True),
    ],
)
def test_nothing_is_done_to_any_other_machine(
    before: Engine, os_release: Mapping[str, str], root: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Machine(monkeypatch, before, os_release)
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
    with pytest.raises(UserError):
        engine.ensure()
    assert here.done == []


@pytest.mark.parametrize(
    ("state", "platform", "told"),
    [
        (NOTHING, "linux", "There is no Docker engine here: install Docker Engine 25 or newer"),
        (replace(NOTHING, cli=True, buildx=True), "linux", "There is no Docker engine here"),
        (STOPPED, "linux", "installed, but it is not running: run `sudo systemctl start docker`"),
        (replace(STOPPED, dockerd=False), "darwin", "not running: start Docker Desktop"),
        (NOTHING, "darwin", "There is no Docker engine here"),
        (replace(STOPPED, answer=Answer.DENIED), "linux", "`sudo usermod -aG docker $USER`"),
        (replace(READY, buildx=False), "linux", "buildx plugin is missing"),
        (READY, "linux", "compose plugin is missing"),
        (ELSEWHERE, "linux", "at tcp://build.example:2376, which DOCKER_HOST or the docker context names"),
    ],
)
def test_each_state_has_its_own_message(state: Engine, platform: str, told: str) -> None:
    message = engine.complaint(state, platform)
    assert told in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("terminal", "yes", "typed", "asks", "goes_on"),
    [
        (True, False, "y\n", True, True),
        (True, False, "n\n", True, False),
        (True, False, "", True, False),  # the terminal was closed
        (True, True, "", False, True),
        (False, False, "", False, True),
    ],
)
def test_only_a_person_at_a_terminal_is_asked(
    terminal: bool,
    yes: bool,
    typed: str,
    asks: bool,
    goes_on: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    read, write = os.pipe()
    os.write(write, typed.encode())
    os.close(write)
    here = Machine(monkeypatch, STOPPED, TRIXIE)
    if yes:
        monkeypatch.setenv("OSSEC_LOG_SERVER_YES", "1")
    with os.fdopen(read) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        monkeypatch.setattr(stdin, "isatty", lambda: terminal, raising=False)
        if goes_on:
            engine.ensure()
        else:
            with pytest.raises(UserError, match="Nothing changed"):
                engine.ensure()
    assert here.done == (["start"] if goes_on else [])
    said = capsys.readouterr().err
    assert "To do: start dockerd." in said
    assert ("Go on?" in said) == asks


def test_an_engine_that_we_install_keeps_its_images_in_containerd(monkeypatch: pytest.MonkeyPatch) -> None:
    Machine(monkeypatch, NOTHING, TRIXIE)
    engine.ensure()
    assert json.loads(engine.CONFIG.read_text()) == {"features": {"containerd-snapshotter": True}}


@pytest.mark.parametrize("before", [NOTHING, STOPPED])
def test_a_configuration_that_is_there_is_left_alone(before: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.CONFIG.parent.mkdir()
    engine.CONFIG.write_text('{"debug": true}')
    Machine(monkeypatch, before, TRIXIE)
    engine.ensure()
    assert engine.CONFIG.read_text() == '{"debug": true}'


def test_an_engine_of_someone_else_gets_no_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    Machine(monkeypatch, STOPPED, TRIXIE)
    engine.ensure()
    assert not engine.CONFIG.exists()


def test_what_another_run_has_mended_meanwhile_is_not_mended_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Machine(monkeypatch, NOTHING, TRIXIE)

    @contextmanager
    def wait_for_the_other(_: Path) -> Iterator[None]:
        here.engine = READY
        yield

    monkeypatch.setattr(engine, "FileLock", wait_for_the_other)
    engine.ensure()
    assert here.done == []


def test_what_does_not_help_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Machine(monkeypatch, replace(READY, buildx=False), TRIXIE)
    monkeypatch.setattr(machine, "install", lambda packages, if_known: None)
    with pytest.raises(UserError, match="buildx plugin is missing"):
        engine.ensure()
    assert here.done == []


# The ping, against an engine that is really listening


class DockerApi(BaseHTTPRequestHandler):
    """As much of the engine's API as a ping needs."""

    def do_GET(self) -> None:
        body = b'{"ApiVersion": "1.47"}' if self.path.endswith("/version") else b"OK"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def socket(tmp_path: Path) -> Iterator[str]:
    path = tmp_path / "docker.sock"
    with socketserver.ThreadingUnixStreamServer(str(path), DockerApi) as server, in_thread(server):
        yield f"unix://{path}"


def test_an_engine_is_found_where_docker_host_names_it(socket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", socket)
    assert engine.ping() is Answer.YES
    assert engine.look().host == socket


def test_an_engine_is_found_where_the_context_names_it(
    socket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)
    folder = tmp_path / "docker"
    meta = folder / "contexts" / "meta" / hashlib.sha256(b"mine").hexdigest()
    meta.mkdir(parents=True)
    (folder / "config.json").write_text('{"currentContext": "mine"}')
    (meta / "meta.json").write_text(
        json.dumps({"Name": "mine", "Metadata": {}, "Endpoints": {"docker": {"Host": socket}}})
    )
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    assert engine.ping() is Answer.YES
    assert engine.look().host == socket


def test_no_engine_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing.sock")
    assert engine.ping() is Answer.NO
    monkeypatch.setenv("DOCKER_HOST", "nonsense://")
    assert engine.ping() is Answer.NO


def test_a_closed_door_is_told_from_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        try:
            try:
                raise PermissionError(13, "Permission denied")
            except OSError as error:
                raise ConnectionError("aborted") from error
        except OSError:
            raise DockerException("Error while fetching server API version")  # noqa: B904 as the SDK does

    monkeypatch.setattr("docker.from_env", refuse)
    assert engine.ping() is Answer.DENIED


# Starting dockerd, with a script in its place


class Dockerd:
    """A script called dockerd that does what a test says, in a folder that is the first on the PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = folder / "bin" / "dockerd"
        self.program.parent.mkdir()
        self.write("exit 1")

    def write(self, script: str, help_text: str = "") -> None:
        self.program.write_text(
            "#!/bin/sh\n"
            f'if [ "$1" = --help ]; then echo "{help_text}"; exit; fi\n'
            f'cd {self.folder}; echo "$*" >arguments; echo $$ >new; mv new dockerd\n'
            f"{script}\n"
        )
        self.program.chmod(0o755)

    def arguments(self) -> str:
        return (self.folder / "arguments").read_text().strip()

    def pid(self) -> int:
        return int((self.folder / "dockerd").read_text())


RUN = "touch answers; sleep 60 & wait"


@pytest.fixture
def dockerd(paths: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dockerd]:
    """The stand-in; it answers once it has made a file `answers`. It is killed after the test."""
    script = Dockerd(paths)
    spawn = engine.spawn_dockerd
    started: list[subprocess.Popen[bytes]] = []

    def remembered() -> subprocess.Popen[bytes]:
        started.append(spawn())
        return started[-1]

    monkeypatch.setattr(engine, "spawn_dockerd", remembered)
    monkeypatch.setattr(machine, "PATH", f"{script.program.parent}:/usr/bin:/bin")
    monkeypatch.setattr(engine, "ping", lambda: Answer.YES if (paths / "answers").exists() else Answer.NO)
    yield script
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_dockerd_is_started_apart_from_us_and_waited_for(dockerd: Dockerd) -> None:
    dockerd.write(f"sleep 0.3; {RUN}")
    engine.start_dockerd()
    assert (dockerd.folder / "answers").exists()
    assert os.getsid(dockerd.pid()) == dockerd.pid()  # Ctrl-C at our terminal does not reach it


def test_a_dockerd_that_dies_is_quoted(dockerd: Dockerd) -> None:
    dockerd.write('echo "level=info msg=fine"; echo "failed to start daemon: no overlay"; exit 1')
    with pytest.raises(UserError, match="no overlay") as raised:
        engine.start_dockerd()
    assert str(engine.LOG) in str(raised.value)
    assert "level=info" not in str(raised.value)


def test_a_dockerd_that_never_answers_is_not_waited_for_forever(
    dockerd: Dockerd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "START_TIMEOUT", 0.3)
    dockerd.write("sleep 60")
    with pytest.raises(UserError, match="does not answer"):
        engine.start_dockerd()


@pytest.mark.parametrize(
    ("help_text", "configured", "arguments"),
    [
        ("--feature map", False, "--feature containerd-snapshotter=true"),
        ("--feature map", True, ""),
        ("--debug", False, ""),
    ],
)
def test_images_go_to_containerd_if_dockerd_knows_how_and_nobody_said_otherwise(
    help_text: str, configured: bool, arguments: str, dockerd: Dockerd
) -> None:
    if configured:
        engine.use_containerd_images()
    dockerd.write(RUN, help_text)
    engine.start_dockerd()
    assert dockerd.arguments() == arguments


def test_a_dockerd_that_is_starting_already_is_not_started_twice(dockerd: Dockerd) -> None:
    dockerd.write(f"sleep 0.3; {RUN}")
    other = subprocess.Popen([dockerd.program, "of another"], start_new_session=True)
    try:
        wait_until(lambda: engine.running("dockerd"), timeout=10)
        engine.start_dockerd()
        assert dockerd.arguments() == "of another"
    finally:
        os.killpg(other.pid, signal.SIGKILL)
        other.wait()


def test_a_pid_file_that_names_another_process_is_removed(dockerd: Dockerd) -> None:
    dockerd.write(RUN)
    for file in engine.PID_FILES.values():
        file.write_text(f"{os.getpid()}\n")
    engine.start_dockerd()
    assert dockerd.pid() != os.getpid()
    assert not engine.PID_FILES["containerd"].exists()


@pytest.mark.parametrize("content", ["", "no number", "999999999"])
def test_a_pid_file_that_names_nothing_is_removed(content: str) -> None:
    engine.PID_FILES["dockerd"].write_text(content)
    assert not engine.running("dockerd")
    assert not engine.PID_FILES["dockerd"].exists()


def test_systemd_starts_what_it_looks_after(dockerd: Dockerd, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = []

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        (dockerd.folder / "answers").touch()
        return subprocess.CompletedProcess(command, 0, "")

    engine.SYSTEMD.mkdir()
    monkeypatch.setattr(machine, "run", run)
    engine.start_dockerd()
    assert commands == [("systemctl", "start", "docker")]
    assert not (dockerd.folder / "arguments").exists()


def test_what_systemd_could_not_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    engine.SYSTEMD.mkdir()
    monkeypatch.setattr(machine, "run", lambda *c: subprocess.CompletedProcess(c, 1, "Job failed.\n"))
    with pytest.raises(UserError, match=r"`journalctl -u docker` says why. Job failed\."):
        engine.start_dockerd()

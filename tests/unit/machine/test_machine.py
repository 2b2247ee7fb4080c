"""What is asked of apt-get: a recorder stands in its place, and the files that it is given are real."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import machine
from pipeline.errors import UserError

MIRROR = "http://mirror.example/debian/"


class Recorder:
    """Stands in for machine.run: remembers each command and what the options' files held then."""

    def __init__(self, answer: Callable[[tuple[str, ...]], tuple[int, str]]) -> None:
        self.answer = answer
        self.commands: list[tuple[str, ...]] = []
        self.files: dict[str, str] = {}

    def __call__(self, *command: str) -> subprocess.CompletedProcess[str]:
        self.commands.append(command)
        for option in command:
            name, _, value = option.partition("=")
            if name in ("Dir::Etc::sourcelist", "Dir::Etc::preferences"):
                self.files[Path(value).name] = Path(value).read_text()
        code, output = self.answer(command)
        return subprocess.CompletedProcess(command, code, output)

    def installed(self) -> list[str]:
        """The packages of the one `apt-get install` there was."""
        [command] = [command for command in self.commands if "install" in command]
        return list(command[command.index("--no-install-recommends") + 1 :])


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The machine's /etc/apt: a source of each format, one that is switched off, and preferences."""
    folder = tmp_path / "apt"
    (folder / "sources.list.d").mkdir(parents=True)
    (folder / "sources.list").write_text("deb http://one.example bookworm main\n")
    (folder / "sources.list.d" / "two.sources").write_text("Types: deb\n")
    (folder / "sources.list.d" / "three.list.disabled").write_text("deb http://three.example bookworm main\n")
    (folder / "preferences").write_text("Package: own\nPin: version 1\nPin-Priority: 1\n")
    monkeypatch.setattr(machine, "APT", folder)
    monkeypatch.setattr(machine, "os_release", lambda: {"ID": "debian", "VERSION_CODENAME": "bookworm"})
    return folder


def record(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[tuple[str, ...]], tuple[int, str]] = lambda _: (0, "")
) -> Recorder:
    recorder = Recorder(answer)
    monkeypatch.setattr(machine, "run", recorder)
    return recorder


def test_a_program_that_fails_or_is_not_there_is_a_result() -> None:
    assert machine.run("sh", "-c", "echo out; echo err >&2; exit 3").returncode == 3
    assert machine.run("sh", "-c", "echo out; echo err >&2").stdout == "out\nerr\n"
    assert machine.run("no-such-program").returncode == 127
    assert machine.run("cat").stdout == ""  # no input, so nothing ever waits for a person


def test_a_package_that_the_archive_may_lack_is_asked_for_only_if_it_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorder = record(monkeypatch, lambda command: (100 if command[-1] == "docker-cli" else 0, ""))
    machine.install(["docker.io"], if_known=["docker-cli"])
    assert recorder.installed() == ["docker.io"]

    recorder = record(monkeypatch)
    machine.install(["docker.io"], if_known=["docker-cli"])
    assert recorder.installed() == ["docker.io", "docker-cli"]


def test_aptgets_own_error_is_what_the_person_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    record(monkeypatch, lambda _: (100, "Reading\nE: Unable to locate package x\nW: something\n"))
    with pytest.raises(UserError, match=r"E: Unable to locate package x$"):
        machine.install(["x"])


def test_without_an_error_line_aptgets_last_line_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    record(monkeypatch, lambda _: (127, "apt-get: No such file or directory\n"))
    with pytest.raises(UserError, match="No such file or directory"):
        machine.install(["x"])


def test_a_later_release_is_seen_by_one_install_and_only_for_the_named_packages(
    apt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.read_text() for path in apt.rglob("*") if path.is_file()}
    recorder = record(monkeypatch, lambda command: (0, MIRROR if "indextargets" in command else ""))
    machine.install_from_later("forky", ["docker.io"], ["docker.io", "containerd"])

    assert recorder.installed() == ["docker.io"]
    assert recorder.files["sources.list"] == (
        "deb http://one.example bookworm main\n\n\n"
        f"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {MIRROR} forky main\n"
    )
    assert recorder.files["preferences"] == (
        "Package: own\nPin: version 1\nPin-Priority: 1\n\n\n"
        "Package: docker.io containerd\nPin: release n=forky\nPin-Priority: 990\n\n"
        "Package: *\nPin: release n=forky\nPin-Priority: -1\n"
    )
    assert before == {path: path.read_text() for path in apt.rglob("*") if path.is_file()}
    update, install = recorder.commands[-2:]
    used = [option for option in install if "ossec-log-server-apt-" in option]
    assert len(used) == 3
    assert set(used) < set(update)
    assert not any(Path(option.partition("=")[2]).exists() for option in used)


def test_a_machine_without_debians_archive_is_told_so(apt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record(monkeypatch)
    with pytest.raises(UserError, match=r"do not name Debian's archive of bookworm"):
        machine.install_from_later("forky", ["docker.io"], ["docker.io"])

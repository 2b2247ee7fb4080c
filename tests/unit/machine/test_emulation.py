"""What is done where the engine does not run another platform's programs."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import machine
from pipeline.errors import UserError
from pipeline.machine import emulation, engine
from pipeline.machine.engine import Answer, Engine

HERE = Engine(cli=True, buildx=True, dockerd=True, answer=Answer.YES)
RULE = r":qemu-aarch64:M::\x7f\x45:\xff\xff:/usr/bin/qemu-aarch64-static:"


class Machine:
    """A machine whose engine runs arm64 programs once `needs` has been done; `done` is what was done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, needs: str, root: bool = True) -> None:
        self.done: list[str] = []
        monkeypatch.setattr(emulation, "runs", lambda _: not needs or needs in self.done)
        monkeypatch.setattr(emulation, "register", lambda name: self.done.append(f"register {name}"))
        monkeypatch.setattr(machine, "install", lambda packages: self.done.append(f"install {packages[0]}"))
        monkeypatch.setattr(machine, "os_release", lambda: {"ID": "debian"})
        monkeypatch.setattr(engine, "look", lambda: HERE)
        monkeypatch.setattr(engine, "agree", lambda _: None)
        monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)


@pytest.mark.parametrize(
    ("needs", "done"),
    [
        ("", []),
        ("install qemu-user-static", ["install qemu-user-static"]),
        ("register qemu-aarch64", ["install qemu-user-static", "register qemu-aarch64"]),
    ],
)
def test_no_more_is_done_than_needed(monkeypatch: pytest.MonkeyPatch, needs: str, done: list[str]) -> None:
    here = Machine(monkeypatch, needs)
    emulation.ensure("linux/arm64")
    assert here.done == done


def test_what_does_not_help_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    Machine(monkeypatch, "a miracle")
    with pytest.raises(UserError, match="runs no programs of linux/arm64"):
        emulation.ensure("linux/arm64")


def test_without_root_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Machine(monkeypatch, "a miracle", root=False)
    with pytest.raises(UserError, match="apt-get install qemu-user-static"):
        emulation.ensure("linux/arm64")
    assert here.done == []


def test_an_engine_elsewhere_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Machine(monkeypatch, "a miracle")
    monkeypatch.setattr(engine, "look", lambda: replace(HERE, host="tcp://build.example:2376"))
    with pytest.raises(UserError, match="on the engine's machine"):
        emulation.ensure("linux/arm64")
    assert here.done == []


@pytest.mark.parametrize(("flags", "written"), [("OC", "OCF"), ("OCF", "OCF"), ("", "F")])
def test_the_interpreter_is_registered_for_containers_too(tmp_path: Path, flags: str, written: str) -> None:
    (tmp_path / "register").touch()
    (tmp_path / "qemu-aarch64.conf").write_text(f"{RULE}{flags}\n")
    emulation.register("qemu-aarch64", rules=tmp_path, binfmt=tmp_path)
    assert (tmp_path / "register").read_text() == RULE + written


def test_a_rule_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "register").touch()
    with pytest.raises(UserError, match="qemu-aarch64 cannot be registered"):
        emulation.register("qemu-aarch64", rules=tmp_path, binfmt=tmp_path)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("Name: default\nPlatforms:        linux/amd64, linux/amd64/v2, linux/arm64\n", True),
        ("Name: default\nPlatforms:        linux/amd64, linux/arm64*\n", True),
        ("Name: default\nPlatforms:        linux/amd64, linux/arm/v7\n", False),
        ("docker: 'buildx' is not a docker command\n", False),
    ],
)
def test_the_builder_says_what_it_runs(monkeypatch: pytest.MonkeyPatch, said: str, answer: bool) -> None:
    real = machine.run("true")
    monkeypatch.setattr(machine, "run", lambda *_: type(real)((), 0, said))
    assert emulation.runs("linux/arm64") is answer

"""Debian's archive of a certain day: where it lies, whether it answers, and what is said where it does not."""

import socket

import pytest

from pipeline import release
from pipeline.errors import UserError
from pipeline.image import base, snapshot
from tests.unit.http_server import Server, status

DAY = "20261005T000000Z"


def test_the_sources_are_those_of_a_debian_image_on_that_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(snapshot.VARIABLE, raising=False)
    start = "deb [check-valid-until=no] http://snapshot.debian.org/archive"
    assert snapshot.sources(DAY, "trixie") == [
        f"{start}/debian/{DAY} trixie main",
        f"{start}/debian/{DAY} trixie-updates main",
        f"{start}/debian-security/{DAY} trixie-security main",
    ]


def test_a_mirror_may_take_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(snapshot.VARIABLE, "https://mirror.example/snapshots/")
    assert f"https://mirror.example/snapshots/debian/{DAY} trixie main" in snapshot.sources(DAY, "trixie")[0]


@pytest.mark.parametrize("wrong", ["mirror.example", "ftp://mirror.example", "http://a b"])
def test_a_wrong_mirror_is_named(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv(snapshot.VARIABLE, wrong)
    with pytest.raises(UserError, match=f"{snapshot.VARIABLE} must be .*{wrong}"):
        snapshot.address()


def test_an_archive_that_has_the_day_is_reachable_and_one_that_has_not_is_not(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(snapshot.VARIABLE, server.address)
    server.script = [status(200), status(404)]
    assert snapshot.reachable(DAY, "trixie")
    assert not snapshot.reachable("20200101T000000Z", "trixie")
    days = (DAY, "20200101T000000Z")
    assert server.paths == [f"/debian/{day}/dists/trixie/InRelease" for day in days]


def test_one_that_does_not_answer_is_not_reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv(snapshot.VARIABLE, f"http://127.0.0.1:{port}")
    assert not snapshot.reachable(DAY, "trixie")


def test_an_archive_that_answers_only_the_third_time_is_reachable(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """snapshot.debian.org limits requests, and is busy at times: that is no reason to build with other packages."""
    monkeypatch.setenv(snapshot.VARIABLE, server.address)
    server.script = [status(503), status(429, Retry_After="3600"), status(200)]
    assert snapshot.reachable(DAY, "trixie")
    server.script = [status(404)]
    before = len(server.paths)
    assert not snapshot.reachable(DAY, "trixie")
    assert len(server.paths) == before + 1, "what is not there is not asked for again"


def test_a_build_that_requires_its_day_does_not_take_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "reachable", lambda *_, **__: False)
    wanted = release.Base("debian:trixie-20261005-slim", f"sha256:{'0' * 64}", DAY)
    with pytest.raises(UserError, match=f"Debian's archive of {DAY} does not answer at .*try again later"):
        base.obtain(wanted, 0, require_snapshot=True)

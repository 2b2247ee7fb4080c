import hashlib
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from filelock import FileLock
from semver import Version

from pipeline import source, web
from pipeline.errors import UserError
from pipeline.project import CACHE_VARIABLE, ROOT, cache_dir
from pipeline.release import Base, Release, Source
from pipeline.source import SourceUnreachable
from tests.unit.http_server import Server, cut, held, serving, status, unmeasured, whole

BODY = random.Random(2).randbytes(300_000)
HALF = len(BODY) // 2
OTHER = bytes(len(BODY))  # as long as the tarball, and not it


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.delenv(source.MIRROR_VARIABLE, raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    return tmp_path / "cache"


@pytest.fixture
def release(server: Server) -> Release:
    return at(f"{server.address}/4.2.0.tar.gz")


def at(url: str) -> Release:
    """OSSEC 4.2.0 as if BODY were its tarball and lay there."""
    return Release(
        version=Version(4, 2, 0),
        revision=1,
        source=Source(url, len(BODY), hashlib.sha256(BODY).hexdigest(), 1),
        base=Base("debian:trixie-20261005-slim", "sha256:" + "0" * 64, "20261005T000000Z"),
    )


def fails(release: Release, match: str, kind: type[UserError] = UserError) -> str:
    """Fetch, see it fail with exactly this error in one line and without a tarball; the error's message."""
    with pytest.raises(UserError, match=match) as caught:
        source.fetch(release)
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)
    assert not source.tarball_path(release).exists()
    assert source.cached(release) is None
    return str(caught.value)


def test_the_tarball_comes_into_the_cache(server: Server, release: Release, cache: Path) -> None:
    server.script = [whole(BODY)]
    path = source.fetch(release)
    assert path == cache / "sources" / "ossec-hids-4.2.0.tar.gz"
    assert path.read_bytes() == BODY
    assert server.paths == ["/4.2.0.tar.gz"]
    assert not list(path.parent.glob("*.part"))


def test_a_tarball_in_the_cache_is_not_fetched_again(server: Server, release: Release) -> None:
    server.script = [whole(BODY), status(500)]
    assert source.cached(release) is None
    path = source.fetch(release)
    assert source.cached(release) == path
    assert source.fetch(release) == path
    assert len(server.paths) == 1


@pytest.mark.parametrize(
    "wrong", [OTHER, BODY[:-1], BODY + b"x", b""], ids=["other", "short", "long", "empty"]
)
def test_a_wrong_file_in_the_cache_is_set_aside(
    server: Server, release: Release, wrong: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    server.script = [whole(BODY)]
    path = source.tarball_path(release)
    path.parent.mkdir(parents=True)
    path.write_bytes(wrong)
    assert source.cached(release) is None
    assert source.fetch(release).read_bytes() == BODY
    assert path.with_name(f"{path.name}.wrong").read_bytes() == wrong
    said = capsys.readouterr().err
    how = (
        "has the sha256" if len(wrong) == len(BODY) else f"has {len(wrong):,} bytes instead of {len(BODY):,}"
    )
    assert f"{path} {how}" in said
    assert f"moved to {path.name}.wrong, fetching it again" in said


def test_a_wrong_file_does_not_stay_when_nothing_better_can_be_had(server: Server, release: Release) -> None:
    server.script = [status(404)]
    path = source.tarball_path(release)
    path.parent.mkdir(parents=True)
    path.write_bytes(OTHER)
    fails(release, "404", SourceUnreachable)


def test_a_gzip_label_does_not_unpack_the_tarball(server: Server, release: Release) -> None:
    server.script = [whole(BODY, Content_Encoding="gzip")]
    assert source.fetch(release).read_bytes() == BODY


def test_redirects_are_followed(server: Server, release: Release) -> None:
    server.script = [status(302, Location="/elsewhere"), whole(BODY)]
    assert source.fetch(release).read_bytes() == BODY
    assert server.paths[-1] == "/elsewhere"


def test_a_redirect_loop_ends(server: Server, release: Release) -> None:
    server.script = [status(302, Location="/4.2.0.tar.gz")]
    fails(release, "redirects more than 5 times", SourceUnreachable)
    assert len(server.paths) == 6


@pytest.mark.parametrize("target", ["http://192.0.2.1/4.2.0.tar.gz", "file:///etc/passwd"])
def test_a_redirect_to_somewhere_unsafe_is_refused(server: Server, release: Release, target: str) -> None:
    server.script = [status(302, Location=target)]
    fails(release, f"redirects to {target}, which is not https", SourceUnreachable)
    assert len(server.paths) == 1


@pytest.mark.parametrize("code", [403, 404, 410, 302])
def test_a_final_answer_is_not_asked_for_twice(server: Server, release: Release, code: int) -> None:
    server.script = [status(code)]
    fails(release, f"the server answered {code}", SourceUnreachable)
    assert len(server.paths) == 1


@pytest.mark.parametrize("code", [429, 500, 502, 503])
def test_a_passing_trouble_is_waited_out(server: Server, release: Release, code: int) -> None:
    server.script = [status(code), status(code), whole(BODY)]
    assert source.fetch(release).read_bytes() == BODY


def test_attempts_end_and_the_pauses_between_them_grow(
    server: Server, release: Release, pauses: list[float]
) -> None:
    server.script = [status(500)]
    fails(release, r"500.*5 attempts", SourceUnreachable)
    assert pauses == sorted(set(pauses))
    assert 1 < sum(pauses) < 30
    assert len(server.paths) == 5


def test_a_server_s_wish_for_a_pause_is_met_within_reason(
    server: Server, release: Release, pauses: list[float]
) -> None:
    server.script = [status(429, Retry_After="7"), status(503, Retry_After="86400"), whole(BODY)]
    source.fetch(release)
    assert pauses == [7, 30]


def test_a_tampered_tarball_is_refused(server: Server, release: Release) -> None:
    server.script = [whole(OTHER)]
    message = fails(release, "is not the tarball of OSSEC 4.2.0")
    assert hashlib.sha256(OTHER).hexdigest() in message
    assert not list(source.tarball_path(release).parent.glob("*.part"))
    assert len(server.paths) == 1


@pytest.mark.parametrize("body", [BODY[:-1], BODY + b"x", b""], ids=["short", "long", "empty"])
def test_a_wrong_length_is_refused_before_anything_is_fetched(
    server: Server, release: Release, body: bytes
) -> None:
    server.script = [whole(body)]
    fails(release, f"has {len(body)} bytes, not {len(BODY)}")
    assert len(server.paths) == 1


def test_an_endless_body_is_cut_off(server: Server, release: Release) -> None:
    hung_up = threading.Event()

    def endless(request: object) -> None:
        try:
            for _ in range(10_000):  # 3 GB, should nobody hang up
                unmeasured(BODY)(request) if _ == 0 else request.wfile.write(BODY)  # type: ignore[arg-type,attr-defined]
        except OSError:
            hung_up.set()

    server.script = [endless]
    fails(release, f"has more than {len(BODY)} bytes")
    assert hung_up.wait(10)
    assert not list(source.tarball_path(release).parent.glob("*.part"))


def test_a_short_body_of_unknown_length_is_an_error(server: Server, release: Release) -> None:
    server.script = [unmeasured(BODY[:HALF])]
    fails(release, f"it ended after {HALF:,} of {len(BODY):,} bytes, and 5 attempts", SourceUnreachable)


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_a_cut_connection_is_asked_again(server: Server, release: Release, reset: bool) -> None:
    server.script = [cut(BODY, HALF, reset), whole(BODY)]
    assert source.fetch(release).read_bytes() == BODY
    assert len(server.paths) == 2


def test_a_connection_that_is_always_cut_is_an_error(server: Server, release: Release) -> None:
    server.script = [cut(BODY, HALF)]
    fails(release, "5 attempts", SourceUnreachable)
    assert len(server.paths) == 5


def test_what_a_killed_fetch_left_is_written_over(server: Server, release: Release) -> None:
    path = source.tarball_path(release)
    path.parent.mkdir(parents=True)
    path.with_name(f"{path.name}.part").write_bytes(BODY[:HALF])
    server.script = [whole(BODY)]
    assert source.fetch(release).read_bytes() == BODY
    assert not list(path.parent.glob("*.part"))


def test_a_silent_server_is_given_up(
    server: Server, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "TIMEOUT", (5.0, 0.05))
    arrived, go = threading.Event(), threading.Event()
    server.script = [held(whole(BODY), arrived, go)]
    try:
        fails(release, "timed out, and 5 attempts", SourceUnreachable)
    finally:
        go.set()


def test_without_a_network_the_error_says_what_to_put_where(server: Server, release: Release) -> None:
    with serving() as gone:
        pass  # nobody listens on its port any more
    release = at(f"{gone.address}/4.2.0.tar.gz")
    message = fails(release, "Connection refused", SourceUnreachable)
    assert str(source.tarball_path(release)) in message
    assert release.source.sha256 in message
    assert source.MIRROR_VARIABLE in message


def test_a_tarball_put_by_hand_needs_no_network(server: Server, release: Release) -> None:
    path = source.tarball_path(release)
    path.parent.mkdir(parents=True)
    path.write_bytes(BODY)
    assert source.fetch(release) == path
    assert server.paths == []


def test_plain_http_where_https_was_meant_is_an_error(server: Server) -> None:
    server.script = [whole(BODY)]
    fails(at(server.address.replace("http:", "https:") + "/4.2.0.tar.gz"), "SSL", SourceUnreachable)


def test_a_mirror_is_asked_instead(server: Server, release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    server.script = [whole(BODY)]
    elsewhere = at("https://192.0.2.1/4.2.0.tar.gz")
    monkeypatch.setenv(source.MIRROR_VARIABLE, f"{server.address}/mirror/")
    source.fetch(elsewhere)
    assert server.paths == ["/mirror/ossec-hids-4.2.0.tar.gz"]


@pytest.mark.parametrize("mirror", ["/srv/mirror", "ftp://127.0.0.1/", "mirror.example.org"])
def test_a_mirror_that_is_no_address_is_named(
    release: Release, monkeypatch: pytest.MonkeyPatch, mirror: str
) -> None:
    monkeypatch.setenv(source.MIRROR_VARIABLE, mirror)
    fails(release, f"{mirror}.*{source.MIRROR_VARIABLE}")


@pytest.mark.parametrize("address", ["http://", "http://exa mple", "http://127.0.0.1:99999"])
def test_a_mirror_s_broken_address_is_an_error(
    release: Release, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv(source.MIRROR_VARIABLE, address)
    fails(release, source.MIRROR_VARIABLE, SourceUnreachable)


def test_a_mirror_s_password_is_not_shown(
    server: Server, release: Release, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server.script = [status(500), status(401)]
    monkeypatch.setenv(source.MIRROR_VARIABLE, server.address.replace("//", "//me:secret@"))
    assert "secret" not in fails(release, "401", SourceUnreachable)
    assert "secret" not in capsys.readouterr().err
    assert server.headers[0]["Authorization"].startswith("Basic ")


def test_two_fetches_at_once_share_one_download(server: Server, release: Release, cache: Path) -> None:
    arrived, go = threading.Event(), threading.Event()
    server.script = [held(whole(BODY), arrived, go), status(500)]
    text = f"import test_source as t; print(t.source.fetch(t.at({release.source.url!r})))"
    root = ROOT
    environment = os.environ | {"PYTHONPATH": f"{root}:{Path(__file__).parent}"}

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", text],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    with start() as first:
        assert arrived.wait(30)
        with start() as second:
            assert second.stderr
            line = second.stderr.readline()
            go.set()
            assert "Another fetch of ossec-hids-4.2.0.tar.gz is under way" in line
            for process in (first, second):
                shown, errors = process.communicate(timeout=30)
                assert (process.returncode, shown) == (0, f"{source.tarball_path(release)}\n"), errors
    assert source.tarball_path(release).read_bytes() == BODY
    assert len(server.paths) == 1


def test_a_lock_that_is_never_let_go_is_named(
    server: Server, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "LOCK_TIMEOUT", 0.01)
    path = source.tarball_path(release)
    path.parent.mkdir(parents=True)
    with FileLock(f"{path}.lock"):
        fails(release, f"Another process has held {path}.lock")


@pytest.mark.parametrize("in_the_way", ["", "sources"], ids=["cache", "sources"])
def test_a_cache_that_cannot_be_written_is_named(
    server: Server, release: Release, cache: Path, in_the_way: str
) -> None:
    # A file where a folder should be keeps out root as well, whom permissions do not.
    server.script = [whole(BODY)]
    (cache / in_the_way).parent.mkdir(exist_ok=True)
    (cache / in_the_way).write_text("in the way")
    fails(release, rf"The cache {cache} cannot be written.*{CACHE_VARIABLE}")
    assert server.paths == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write where permissions say nobody may")
def test_a_cache_without_permission_is_named(server: Server, release: Release, cache: Path) -> None:
    server.script = [whole(BODY)]
    cache.mkdir(mode=0o500)
    fails(release, rf"The cache {cache} cannot be written.*Permission denied.*{CACHE_VARIABLE}")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_cache_is_named_and_keeps_nothing(server: Server, release: Release, cache: Path) -> None:
    server.script = [whole(BODY)]
    part = source.tarball_path(release).with_name("ossec-hids-4.2.0.tar.gz.part")
    part.parent.mkdir(parents=True)
    part.symlink_to("/dev/full")  # the kernel's own "No space left on device", for root too
    fails(release, rf"The cache {cache} cannot be written.*No space left.*Make room.*{CACHE_VARIABLE}")
    assert not os.path.lexists(part)


def test_the_cache_is_the_user_s_unless_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, "~/mine")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_dir() == tmp_path / "mine"
    monkeypatch.setenv(CACHE_VARIABLE, "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir().name == "ossec-log-server"
    assert cache_dir().is_relative_to(tmp_path)

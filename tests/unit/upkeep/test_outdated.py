import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from semver import Version

from pipeline.errors import UserError
from pipeline.project import ROOT
from pipeline.release import Base, Release, Source
from pipeline.upkeep import outdated
from pipeline.upkeep.outdated import Newer
from tests.unit.http_server import Answer, Server, serving, status, whole

HEX = "0123456789abcdef" * 4


def make(version: str, image: str = "debian:trixie-20261005-slim") -> Release:
    source = Source(f"https://example.org/{version}.tar.gz", 1, HEX, 1)
    return Release(Version.parse(version), 1, source, Base(image, f"sha256:{HEX}", "20261005T000000Z"))


OURS = [make("4.2.0"), make("4.1.0"), make("3.8.0")]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this machine's own settings."""
    for name in [*os.environ]:
        if name.startswith("PIP_") or name == "GITHUB_TOKEN":
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


def tags(*names: str) -> bytes:
    return json.dumps([{"name": name, "commit": {"sha": "0" * 40}} for name in names]).encode()


def hub(*names: str, following: str | None = None) -> bytes:
    results = [{"name": name, "digest": f"sha256:of {name}"} for name in names]
    return json.dumps({"count": len(names), "next": following, "results": results}).encode()


def index(versions: dict[str, str], asked: list[str]) -> Answer:
    """What a package index answers: a page for each package, with one file."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        name = request.path.strip("/").rpartition("/")[2]
        asked.append(name)
        if name not in versions:
            return status(404)(request)
        file = f"{name.replace('-', '_')}-{versions[name]}-py3-none-any.whl"
        return whole(f'<a href="{file}#sha256={HEX}">{file}</a>'.encode(), Content_Type="text/html")(request)

    return answer


def test_newer_versions_of_ossec_and_patches_of_our_lines_are_named(server: Server) -> None:
    server.script = [
        whole(tags("4.4.0-rc1", "4.3.0", "4.2.0", "v2.8.0"), Link=f'<{server.address}/2>; rel="next"'),
        whole(tags("4.1.1", "4.1.2", "4.1.0", "3.8.0", "3.7.9", "latest", "5.0.0+x")),
    ]
    assert outdated.ossec(OURS, f"{server.address}/ossec") == [
        Newer("ossec", "OSSEC", "4.1.0", "4.1.1", "./dev add 4.1.1"),
        Newer("ossec", "OSSEC", "4.1.0", "4.1.2", "./dev add 4.1.2"),
        Newer("ossec", "OSSEC", "4.2.0", "4.3.0", "./dev add 4.3.0"),
    ]
    assert server.paths == ["/ossec/tags?per_page=100", "/2"]


def test_github_s_token_goes_to_github(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.script = [whole(tags("4.2.0"))]
    assert outdated.ossec(OURS, server.address) == []
    monkeypatch.setenv("GITHUB_TOKEN", "t0ken")
    assert outdated.ossec(OURS, server.address) == []
    with serving() as other:
        other.script = [whole(tags("4.2.0"))]
        server.script = [status(302, Location=f"{other.address}/elsewhere")]
        assert outdated.ossec(OURS, server.address) == []
        assert other.headers[0]["Authorization"] is None
    assert [headers["Authorization"] for headers in server.headers] == [None, "Bearer t0ken", "Bearer t0ken"]


def test_a_base_image_of_a_later_day_is_named(server: Server) -> None:
    server.script = [
        whole(hub("trixie-slim", "trixie-20261005-slim", following=f"{server.address}/2")),
        whole(hub("trixie-20261102", "trixie-20261019-slim", "trixie-20261102-slim", "trixie-2026-slim")),
    ]
    [found] = outdated.bases(OURS, server.address)
    assert (found.what, found.used, found.newer) == ("debian", "trixie-20261005-slim", "trixie-20261102-slim")
    assert "sha256:of trixie-20261102-slim" in found.remedy
    assert server.paths == ["/library/debian/tags?page_size=100&name=trixie-", "/2"]


def test_each_base_image_is_asked_for_once(server: Server) -> None:
    server.script = [whole(hub("x-20261005"))]
    ours = [*OURS, make("4.3.0", "someone/x:x-20261005")]
    assert outdated.bases(ours, server.address) == []
    assert [path.partition("?")[0] for path in server.paths] == ["/library/debian/tags", "/someone/x/tags"]


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"<html>", "answers no JSON"),
        (b'{"message": "no"}', "is no list of tags"),
        (b'["4.3.0"]', "is no list of tags"),
        (b"7", "is no list of tags"),
    ],
)
def test_an_answer_of_another_kind_is_an_error(server: Server, body: bytes, complaint: str) -> None:
    server.script = [whole(body)]
    for ask in (outdated.ossec, outdated.bases):
        with pytest.raises(UserError, match=complaint):
            ask(OURS, server.address)


def test_a_list_without_an_end_is_an_error(server: Server) -> None:
    server.script = [whole(tags("4.2.0"), Link=f'<{server.address}/again>; rel="next"')]
    with pytest.raises(UserError, match="more than 20 pages"):
        outdated.ossec(OURS, server.address)


def installed() -> dict[str, str]:
    """The packages of this environment."""
    command = [sys.executable, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"]
    listed = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return {one["name"].lower().replace("_", "-"): one["version"] for one in listed}


def test_packages_of_the_lock_that_are_outdated_are_named(server: Server, tmp_path: Path) -> None:
    have, asked = installed(), list[str]()
    lock = tmp_path / "requirements.txt"
    lock.write_text(f"# a comment\nsemver=={have['semver']} \\\n    --hash=sha256:0\nrich=={have['rich']}\n")
    server.script = [index({"semver": "999.0", "rich": have["rich"], "docker": "999.0"}, asked)]
    assert outdated.packages(f"{server.address}/simple", lock) == [
        Newer("python", "semver", have["semver"], "999.0", "see requirements.in")
    ]
    assert "docker" in asked  # it is outdated, too, and not of this lock


def test_an_index_that_cannot_be_reached_is_not_one_without_news(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.txt"
    lock.write_text("semver==1.0\n")
    with serving() as gone:
        pass
    with pytest.raises(UserError, match=r"pip cannot tell .*semver"):
        outdated.packages(f"{gone.address}/simple", lock)


def everything(server: Server, tmp_path: Path, tag: str, as_json: bool = False) -> int:
    """All three, of which only OSSEC has a newer version, if any."""
    lock = tmp_path / "requirements.txt"
    lock.write_text("semver==1.0\n")

    def answer(request: BaseHTTPRequestHandler) -> None:
        if request.path.startswith("/ossec"):
            return (whole(tags(tag)) if tag else status(503))(request)
        if request.path.startswith("/hub"):
            return whole(hub("trixie-20261005-slim"))(request)
        return index({"semver": "1.0"}, [])(request)

    server.script = [answer]
    return outdated.outdated(
        as_json, OURS, f"{server.address}/ossec", f"{server.address}/hub", f"{server.address}/simple", lock
    )


def test_the_exit_code_tells_what_was_found(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert everything(server, tmp_path, "4.2.0") == 0
    assert capsys.readouterr().out == "Everything is up to date.\n"
    assert everything(server, tmp_path, "4.3.0") == 2
    assert "./dev add 4.3.0" in capsys.readouterr().out
    assert everything(server, tmp_path, "4.3.0", as_json=True) == 2
    [found] = json.loads(capsys.readouterr().out)
    assert found["newer"] == "4.3.0"
    assert everything(server, tmp_path, "") == 1
    shown = capsys.readouterr()
    assert "503" in shown.err
    assert "the tags of OSSEC" in shown.err
    assert shown.out == ""


def test_the_menu_passes_the_exit_code_on() -> None:
    code = "import tasks; tasks.pipeline.upkeep.outdated.outdated = lambda as_json: 2; from invoke import Program; "
    code += "Program(namespace=tasks.namespace).run(['invoke', 'outdated'])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "")

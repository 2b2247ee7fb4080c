"""Docker Hub's description: a file of the repository, sent to an API that is played here."""

import json
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from pipeline import project
from pipeline.errors import UserError
from pipeline.registry import credentials, describe
from tests.unit.http_server import Server, status, whole

LOGIN = credentials.Login("me", "token")


@pytest.fixture
def logged_in(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(describe.API_VARIABLE, server.address)
    monkeypatch.setattr(credentials, "login", lambda _: LOGIN)


@pytest.mark.usefixtures("logged_in")
def test_the_file_and_its_first_paragraph_are_shown(server: Server) -> None:
    taken: list[tuple[str, str, dict[str, str]]] = []

    def take(request: BaseHTTPRequestHandler) -> None:
        said = json.loads(request.rfile.read(int(request.headers["Content-Length"])))
        taken.append((request.command, request.headers.get("Authorization", ""), said))
        whole(b'{"access_token": "T"}')(request)

    server.script = [take, take]
    describe.describe("docker.io/me/ossec-log-server")
    assert server.paths == ["/auth/token", "/repositories/me/ossec-log-server/"]
    assert taken[0] == ("POST", "", {"identifier": "me", "secret": "token"})
    method, authorization, said = taken[1]
    assert (method, authorization) == ("PATCH", "Bearer T")
    assert said["full_description"].startswith("# ossec-log-server\n")
    assert "me/ossec-log-server:TAG" in said["full_description"]
    assert "NAME" not in said["full_description"]
    assert said["description"].startswith("Syslog server that notices attacks")


@pytest.mark.usefixtures("logged_in")
def test_a_token_that_may_not_is_told(server: Server) -> None:
    server.script = [status(403)]
    with pytest.raises(UserError, match=r"answers 403 to POST auth/token\. The token must have the right"):
        describe.describe("docker.io/me/ossec-log-server")


def test_only_docker_hub_has_a_description() -> None:
    with pytest.raises(UserError, match=r"--to: example\.org/x is not on Docker Hub"):
        describe.describe("example.org/x")


def test_without_a_login_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "login", lambda _: None)
    with pytest.raises(UserError, match="There is no login for Docker Hub"):
        describe.describe("docker.io/me/x")


def test_the_file_fits_docker_hub() -> None:
    text = (Path(project.ROOT) / describe.TEXT).read_text()
    assert 20 < len(describe.summary(text)) <= describe.LONGEST_SUMMARY
    with pytest.raises(UserError, match="its first paragraph must have 1 to 100 bytes"):
        describe.summary(f"# x\n\n{'x' * 101}\n")

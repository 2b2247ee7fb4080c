"""A registry's answers, also wrong ones, and what it is told of us. Publishing to a real one: tests/publish."""

import json
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from pipeline import registry
from pipeline.errors import UserError
from pipeline.registry import Manifest, NotItsDigest, RegistryError, Repository, credentials, digest_of, parse
from pipeline.web import NoAnswer
from tests.unit.http_server import Answer, Server, cut, serving, status, whole

MANIFEST = b'{"schemaVersion": 2, "layers": []}'


@pytest.fixture(autouse=True)
def docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Docker's configuration file, which is not there yet."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path / "config.json"


def repository(server: Server) -> Repository:
    return Repository(f"{server.address.removeprefix('http://')}/some/name")


@pytest.mark.parametrize(
    ("written", "name", "reference"),
    [
        ("ossec:4.2.0-r1", "docker.io/library/ossec", "4.2.0-r1"),
        ("me/ossec:latest", "docker.io/me/ossec", "latest"),
        ("docker.io/me/ossec:1", "docker.io/me/ossec", "1"),
        ("localhost/x:1", "localhost/x", "1"),
        ("registry.example:5000/a/b_c:1", "registry.example:5000/a/b_c", "1"),
        (f"[::1]:5000/x@sha256:{'a' * 64}", "[::1]:5000/x", f"sha256:{'a' * 64}"),
    ],
)
def test_a_name_is_read_as_docker_reads_it(written: str, name: str, reference: str) -> None:
    found, what = parse(written)
    assert (found.name, what) == (name, reference)


@pytest.mark.parametrize(
    "written", ["ossec", "ossec:", "Ossec:1", "x/../y:1", "x@sha256:12", "a b:1", "x/-y:1"]
)
def test_what_is_no_name_is_refused(written: str) -> None:
    with pytest.raises(UserError, match="names no"):
        parse(written)


def test_a_digest_must_have_its_own_content(server: Server) -> None:
    server.script = [whole(MANIFEST)]
    assert repository(server).manifest(digest_of(MANIFEST)) is not None
    with pytest.raises(NotItsDigest, match="has the digest"):
        repository(server).manifest(digest_of(b"something else"))


def test_what_is_not_there_is_none(server: Server) -> None:
    server.script = [status(404)]
    assert repository(server).manifest("latest") is None
    assert not repository(server).has_blob(digest_of(b""))


def test_the_registrys_own_words_are_told(server: Server) -> None:
    said = json.dumps({"errors": [{"code": "DENIED", "message": "the quota is used up"}]}).encode()
    server.script = [whole(said, status=507)]
    with pytest.raises(RegistryError, match="answers 507 to GET manifests/latest: the quota is used up"):
        repository(server).manifest("latest")


def test_a_token_is_asked_for_with_the_login_and_sent(server: Server, docker_config: Path) -> None:
    _log_in(docker_config, server)
    server.script = [_challenge(server), whole(b'{"token": "T"}'), whole(MANIFEST)]
    assert repository(server).manifest("latest") is not None
    query = parse_qs(urlsplit(server.paths[1]).query)
    assert query == {"service": ["a registry"], "scope": ["repository:some/name:pull"]}
    assert [headers["Authorization"] for headers in server.headers] == [None, BASIC, "Bearer T"]


def test_everybody_gets_a_token_for_a_public_repository(server: Server) -> None:
    server.script = [_challenge(server), whole(b'{"access_token": "T"}'), whole(MANIFEST)]
    assert repository(server).manifest("latest") is not None
    assert [headers["Authorization"] for headers in server.headers] == [None, None, "Bearer T"]


def test_an_identity_token_is_traded_for_a_token(server: Server, docker_config: Path) -> None:
    host = server.address.removeprefix("http://")
    docker_config.write_text(json.dumps({"auths": {host: {"identitytoken": "I"}}}))
    server.script = [_challenge(server), whole(b'{"access_token": "T"}'), whole(MANIFEST)]
    assert repository(server).manifest("latest") is not None
    assert server.headers[2]["Authorization"] == "Bearer T"


def test_a_wrong_login_is_told_and_not_shown(server: Server, docker_config: Path) -> None:
    _log_in(docker_config, server)
    server.script = [status(401, WWW_Authenticate='Basic realm="x"')]
    with pytest.raises(RegistryError, match=r"answers 401.*and `docker login 127\.0\.0\.1:") as told:
        repository(server).manifest("latest")
    assert "secret" not in str(told.value)
    assert len(server.paths) == 2, "asked once more with the login, and then no more"


def test_a_missing_login_is_told(server: Server) -> None:
    server.script = [status(401, WWW_Authenticate='Basic realm="x"')]
    with pytest.raises(UserError, match="wants a login, and there is none: run `docker login"):
        repository(server).manifest("latest")


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (status(401), UserError, r"refuses the login \(401\): run `docker login"),
        (status(429), NoAnswer, r"/token answers 429\. Try again later\."),
        (status(503), NoAnswer, r"/token answers 503\. Try again later\."),
        (whole(b"<html>"), NoAnswer, r"http://\S+/token answers none"),
        (whole(b"{}"), NoAnswer, r"http://\S+/token answers none"),
        (cut(b'{"token": "T"}', 5), NoAnswer, r"/token cannot be reached: "),
    ],
    ids=["login", "limit", "trouble", "html", "empty", "cut"],
)
def test_who_gives_no_token_does_not_always_refuse_the_login(
    server: Server, docker_config: Path, answer: Answer, kind: type[UserError], said: str
) -> None:
    _log_in(docker_config, server)
    server.script = [_challenge(server), *[answer] * 9]
    with pytest.raises(UserError, match=said) as told:
        repository(server).manifest("latest")
    assert type(told.value) is kind
    assert "secret" not in str(told.value)


def test_a_login_goes_nowhere_without_tls(server: Server, docker_config: Path) -> None:
    _log_in(docker_config, server)
    server.script = [status(401, WWW_Authenticate='Bearer realm="http://example.org/token"')]
    with pytest.raises(UserError, match="is not https: not done"):
        repository(server).manifest("latest")


def test_a_login_does_not_go_to_another_host(server: Server, docker_config: Path) -> None:
    _log_in(docker_config, server)
    with serving() as other:
        server.script = [
            status(401, WWW_Authenticate='Basic realm="x"'),
            status(404),  # the blob is not there yet
            status(202, Location=f"{other.address}/upload"),
        ]
        other.script = [status(201)]
        repository(server).push_blob(digest_of(b""), lambda: b"")
        assert server.headers[-1]["Authorization"] == BASIC
        assert [headers["Authorization"] for headers in other.headers] == [None]


def test_a_credential_helper_is_asked(
    server: Server, docker_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = server.address.removeprefix("http://")
    docker_config.write_text(json.dumps({"credHelpers": {host: "mine"}}))
    helper = tmp_path / "docker-credential-mine"
    helper.write_text('#!/bin/sh\necho \'{"Username": "publisher", "Secret": "secret"}\'\n')
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert credentials.login(host) == credentials.Login("publisher", "secret")
    helper.write_text("#!/bin/sh\necho secret; exit 1\n")
    with pytest.raises(UserError, match="credential helper that it names fails") as told:
        credentials.login(host)
    assert "secret" not in str(told.value)


def test_a_login_is_in_no_traceback() -> None:
    assert "secret" not in repr(credentials.Login("publisher", "secret", "secret"))


def test_docker_hub_has_names_of_its_own(docker_config: Path) -> None:
    auth = {"https://index.docker.io/v1/": {"auth": "cHVibGlzaGVyOnNlY3JldA=="}}
    docker_config.write_text(json.dumps({"auths": auth}))
    assert credentials.login("docker.io") == credentials.Login("publisher", "secret")


def test_a_registry_that_keeps_a_list_of_referrers_is_left_to_it(server: Server) -> None:
    there, subject = repository(server), Manifest(registry.MANIFEST, MANIFEST)
    stored: list[bytes] = []

    def store(request: BaseHTTPRequestHandler) -> None:
        stored.append(request.rfile.read(int(request.headers["Content-Length"])))
        status(201, OCI_Subject=subject.digest)(request)

    def stored_one(request: BaseHTTPRequestHandler) -> None:
        status(200, Docker_Content_Digest=digest_of(stored[0]))(request)

    listed = json.dumps({"manifests": [{"digest": "sha256:x"}, "none"]}).encode()
    kind = "application/vnd.oci.image.index.v1+json"
    server.script = [status(200), status(200), store, stored_one, whole(listed, Content_Type=kind)]
    there.attach(subject, "application/x", b"content", {"about": "it"})
    assert len(server.paths) == 5, "both blobs are there, and no tag holds a list"
    assert server.paths[-1].endswith(f"/referrers/{subject.digest}")
    assert there.referrers(subject.digest) == [{"digest": "sha256:x"}]
    said = json.loads(stored[0])
    assert said["subject"] == {
        "mediaType": registry.MANIFEST,
        "digest": subject.digest,
        "size": len(MANIFEST),
    }
    assert [blob["digest"] for blob in said["layers"]] == [digest_of(b"content")]


def test_a_registry_that_is_not_there(server: Server) -> None:
    there = repository(server)
    there.host = "127.0.0.1:9"  # discard: nothing listens there
    with pytest.raises(
        RegistryError, match=r"127\.0\.0\.1:9 cannot be reached: Connection refused\. Look at its name"
    ):
        there.manifest("latest")


BASIC = "Basic cHVibGlzaGVyOnNlY3JldA=="  # publisher:secret


def _log_in(docker_config: Path, server: Server) -> None:
    host = server.address.removeprefix("http://")
    docker_config.write_text(json.dumps({"auths": {host: {"auth": BASIC.removeprefix("Basic ")}}}))


def _challenge(server: Server) -> Answer:
    bearer = f'Bearer realm="{server.address}/token",service="a registry",scope="repository:some/name:pull"'
    return status(401, WWW_Authenticate=bearer)

"""A real registry on loopback, Debian's docker-registry, with TLS and a login; and a proxy that cuts requests short."""

import base64
import json
import re
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from requests.auth import _basic_auth_str

from pipeline import registry
from pipeline.wait import wait_until
from tests import debian, loopback

Answer = tuple[int, dict[str, str], bytes]  # status, headers, body
USER, PASSWORD = "publisher", "secret"
# bcrypt of PASSWORD, the one form that docker-registry takes, at its cheapest: each request is judged by it.
LOGINS = f"{USER}:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n"


@dataclass
class HubRules:
    """What Docker Hub does and a plain registry does not.

    Tokens with a scope; 401 for a repository that nobody has made, until somebody pushes to it with that right, if
    `made_by_push`; a `limit` of GETs of manifests, `pulls` so far; tags that never move.
    """

    limit: int = 100
    immutable: str = r"\d+\.\d+\.\d+.*-r\d+"
    made_by_push: bool = True
    repositories: set[str] = field(default_factory=set)
    pulls: int = 0

    def answer(self, method: str, path: str, authorization: str, local: "LocalRegistry") -> Answer | None:
        """What Docker Hub would say to this in place of the registry, or None."""
        url = urlsplit(path)
        if url.path == "/token":
            return self._token(parse_qs(url.query), authorization)
        match = re.fullmatch(r"/v2/(.+)/(manifests|blobs|referrers|tags)/(.+)", url.path)
        if match is None:
            return None
        name, kind, reference = match.groups()
        wanted = "pull" if method in ("GET", "HEAD") else "pull,push"
        scope = base64.b64decode(authorization.removeprefix("Bearer ") or b"").decode(errors="replace")
        granted = scope.partition(f"repository:{name}:")[2].split(",")
        asked = f'Bearer realm="https://{local.host}/token",service="hub",scope="repository:{name}:{wanted}"'
        if not set(wanted.split(",")) <= set(granted):
            return _error(401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": asked})
        if name not in self.repositories:
            if wanted == "pull" or not self.made_by_push:
                asked += ',error="insufficient_scope"'
                said = "access to the requested resource is not authorized"
                return _error(401, "UNAUTHORIZED", said, {"WWW-Authenticate": asked})
            self.repositories.add(name)
        if kind == "referrers":
            return _error(404, "UNSUPPORTED", "no such endpoint")
        if kind == "manifests" and method == "GET":
            self.pulls += 1
            if self.pulls > self.limit:
                said = "You have reached your pull rate limit."
                return _error(429, "TOOMANYREQUESTS", said, {"Retry-After": "21600"})
        moves = kind == "manifests" and method == "PUT" and re.fullmatch(self.immutable, reference)
        if moves and local.get(f"{name}/manifests/{reference}").status_code == 200:
            return _error(403, "DENIED", f"tag {reference} is immutable")
        return None

    def _token(self, asked: dict[str, list[str]], authorization: str) -> Answer:
        known = authorization == f"Basic {base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"
        scope = asked.get("scope", [""])[0]
        if not known:
            scope = scope.replace(",push", "")
        return 200, {}, json.dumps({"token": base64.b64encode(scope.encode()).decode()}).encode()


def _error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Answer:
    return status, headers or {}, json.dumps({"errors": [{"code": code, "message": message}]}).encode()


@dataclass
class LocalRegistry:
    """A running registry. `host` is its address behind the proxy, `seen` the requests that came there so far.

    `cut` is a pattern of a request ("PUT /v2/x/manifests/latest"): the next that it fits ends in its middle.
    `certificate` is the authority's file, `storage` the folder that holds every blob, `behind` the registry's own
    address. With `hub` the proxy keeps Docker Hub's rules.
    """

    host: str
    certificate: Path
    storage: Path
    behind: str
    hub: HubRules | None = None
    seen: list[str] = field(default_factory=list)
    cut: str = ""

    def docker_config(self, folder: Path, password: str = PASSWORD) -> Path:
        """Write docker's configuration as `docker login` would, into the folder."""
        auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
        (folder / "config.json").write_text(json.dumps({"auths": {self.host: {"auth": auth}}}))
        return folder

    def get(self, path: str) -> requests.Response:
        """Ask past everything of ours, and past the proxy."""
        return requests.get(
            f"{self.behind}/v2/{path}",
            auth=(USER, PASSWORD),
            headers={"Accept": f"{registry.MANIFEST}, {registry.INDEX}"},
            verify=str(self.certificate),
            timeout=30,
        )


@contextmanager
def running(folder: Path, login: bool = True) -> Iterator[LocalRegistry]:
    """A registry that keeps everything in the folder, which exists; ended at the end."""
    authority = loopback.certificates(folder, localhost="localhost") / "ca.crt"
    (folder / "logins").write_text(LOGINS)
    log = folder / "log"
    config: dict[str, Any] = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(folder / "blobs")}},
        "http": {
            "addr": "127.0.0.1:0",
            "tls": {"certificate": str(folder / "localhost.crt"), "key": str(folder / "localhost.key")},
        },
    }
    if login:
        config["auth"] = {"htpasswd": {"realm": "test", "path": str(folder / "logins")}}
    (folder / "config.json").write_text(json.dumps(config))  # JSON is YAML
    with ExitStack() as stack:
        process = stack.enter_context(
            subprocess.Popen(
                [debian.program("docker-registry", "docker-registry"), "serve", folder / "config.json"],
                stdout=log.open("wb"),
                stderr=subprocess.STDOUT,
            )
        )
        stack.callback(process.terminate)

        def listening() -> str | None:
            assert process.poll() is None, log.read_text()
            match = re.search(r"listening on 127\.0\.0\.1:(\d+)", log.read_text())
            return match and match[1]

        port = wait_until(listening, 60, what="docker-registry to listen")
        yield stack.enter_context(_proxy(folder, f"https://127.0.0.1:{port}", authority))


@contextmanager
def _proxy(folder: Path, behind: str, authority: Path) -> Iterator[LocalRegistry]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            local.seen.append(f"{self.command} {self.path}")
            if local.cut and re.search(local.cut, local.seen[-1]):
                local.cut = ""
                self.close_connection = True
                return  # without an answer; nothing of it has reached the registry
            headers = dict(self.headers)
            if local.hub:
                said = local.hub.answer(self.command, self.path, headers.get("Authorization", ""), local)
                if said:
                    self.reply(*said)
                    return
                headers["Authorization"] = _basic_auth_str(USER, PASSWORD)
            # With the Host header that came, so that the registry names this proxy where uploads go.
            answer = onward.request(
                self.command,
                f"{behind}{self.path}",
                data=body,
                headers=headers,
                verify=str(authority),
                timeout=60,
                allow_redirects=False,
            )
            unfit = ("transfer-encoding", "connection")
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in unfit}
            self.reply(answer.status_code, kept, answer.content)

        def reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if "content-length" not in map(str.lower, headers):
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = forward  # noqa: N815

    # One for all requests, so that most find a connection that is open.
    onward = requests.Session()
    onward.trust_env = False
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "localhost.crt", folder / "localhost.key")
    with loopback.serving(Handler, context) as port:
        local = LocalRegistry(f"127.0.0.1:{port}", authority, folder / "blobs", behind)
        yield local

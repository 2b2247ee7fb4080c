"""A real registry on loopback, Debian's docker-registry, with TLS and a login; and a proxy that cuts requests short."""

import base64
import json
import re
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import requests
from filelock import FileLock

from pipeline import machine, registry
from pipeline.errors import UserError
from pipeline.project import cache_dir
from pipeline.wait import wait_until
from tests import loopback

USER, PASSWORD = "publisher", "secret"
# bcrypt of PASSWORD, the one form that docker-registry takes.
LOGINS = f"{USER}:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n"


@dataclass
class LocalRegistry:
    """A running registry. `host` is its address behind the proxy, `seen` the requests that came there so far.

    `cut` is a pattern of a request ("PUT /v2/x/manifests/latest"): the next that it fits ends in its middle.
    `certificate` is the authority's file, `storage` the folder that holds every blob.
    """

    host: str
    certificate: Path
    storage: Path
    seen: list[str] = field(default_factory=list)
    cut: str = ""

    def docker_config(self, folder: Path, password: str = PASSWORD) -> Path:
        """Write docker's configuration as `docker login` would, into the folder."""
        auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
        (folder / "config.json").write_text(json.dumps({"auths": {self.host: {"auth": auth}}}))
        return folder

    def get(self, path: str) -> requests.Response:
        """Ask past everything of ours."""
        return requests.get(
            f"https://{self.host}/v2/{path}",
            auth=(USER, PASSWORD),
            headers={"Accept": f"{registry.MANIFEST}, {registry.INDEX}"},
            verify=str(self.certificate),
            timeout=30,
        )


def program() -> str:
    """The docker-registry program: the machine's own, or out of Debian's package, which is not installed.

    Raises UserError where apt-get can't get it.
    """
    if found := shutil.which("docker-registry"):
        return found
    folder = cache_dir() / "docker-registry"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "usr/bin/docker-registry"
    with FileLock(f"{folder}.lock"):
        if not path.exists():
            _unpack("docker-registry", folder)
    return str(path)


def _unpack(package: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as downloads:
        Path(downloads).chmod(0o777)  # apt-get downloads as a user of its own
        fetch = ("env", f"--chdir={downloads}", "apt-get", "-qq", "download", package)
        if machine.run(*fetch).returncode:
            machine.apt_get("update")
            if (done := machine.run(*fetch)).returncode:
                raise UserError(done.stdout.strip())
        [archive] = Path(downloads).glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", archive, folder], check=True)


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
                [program(), "serve", folder / "config.json"], stdout=log.open("wb"), stderr=subprocess.STDOUT
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
            # With the Host header that came, so that the registry names this proxy where uploads go.
            answer = requests.request(
                self.command,
                f"{behind}{self.path}",
                data=body,
                headers=dict(self.headers),
                verify=str(authority),
                timeout=60,
                allow_redirects=False,
            )
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name.lower() not in ("transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.content)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = forward  # noqa: N815

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "localhost.crt", folder / "localhost.key")
    with loopback.serving(Handler, context) as port:
        local = LocalRegistry(f"127.0.0.1:{port}", authority, folder / "blobs")
        yield local

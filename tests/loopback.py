"""What the tests' own servers on this machine need: certificates, and a thread to serve in."""

import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


def certificate(folder: Path, name: str, signed_by: str = "", host: str = "localhost") -> None:
    """Make NAME.crt and NAME.key for that host and 127.0.0.1, signed by another of the folder or by itself."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{host},IP:127.0.0.1"]
    command += ["-keyout", f"{name}.key", "-out", f"{name}.crt"]
    if signed_by:
        command += ["-CA", f"{signed_by}.crt", "-CAkey", f"{signed_by}.key"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    (folder / f"{name}.key").chmod(0o644)  # a container's user is not ours


def certificates(folder: Path, **hosts: str) -> Path:
    """Make an authority in the folder, ca.crt and ca.key, and by it a certificate for each NAME=host: the folder."""
    certificate(folder, "ca")
    for name, host in hosts.items():
        certificate(folder, name, signed_by="ca", host=host)
    return folder


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Answer on a free port of 127.0.0.1, which it gives, until the end; requests are logged nowhere."""

    class Silent(handler):  # type: ignore[misc, valid-type]
        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # clients here hang up early on purpose

    with Server(("127.0.0.1", 0), Silent) as http:
        if tls:
            http.socket = tls.wrap_socket(http.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield http.server_port
        finally:
            http.shutdown()
            thread.join()

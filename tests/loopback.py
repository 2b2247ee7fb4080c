"""What the tests' own servers on this machine need: certificates, and a thread to serve in."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseServer
from typing import Any

from pipeline.server.certificates import certificate, certificates

__all__ = ["certificate", "certificates", "in_thread", "serving"]


@contextmanager
def in_thread(server: BaseServer) -> Iterator[None]:
    """It serves in a thread until the end."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


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
        with in_thread(http):
            yield http.server_port

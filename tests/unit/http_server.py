"""A real HTTP server on loopback that answers as a test's script says, also wrongly."""

import io
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler

from tests import loopback

Answer = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """Each request gets the script's next answer; the last answer is given again for ever."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.script: list[Answer] = []
        self.paths: list[str] = []
        self.headers: list[Message] = []

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        # What stays unread resets the connection at its end.
        connection, body = request.rfile, request.rfile.read(int(request.headers.get("Content-Length") or 0))
        request.rfile = io.BytesIO(body)
        self.paths.append(request.path)
        self.headers.append(request.headers)
        self.script[min(len(self.paths), len(self.script)) - 1](request)
        request.rfile = connection


def status(code: int, **headers: str) -> Answer:
    """Only a status, without a body; `Retry_After="3"` is sent as `Retry-After: 3`."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        _head(request, code, {"Content-Length": "0"} | {k.replace("_", "-"): v for k, v in headers.items()})

    return answer


def whole(body: bytes, status: int = 200, **headers: str) -> Answer:
    """The body and its length, whatever range was asked for."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        _head(request, status, {"Content-Length": str(len(body))} | named)
        request.wfile.write(body)

    return answer


def unmeasured(body: bytes) -> Answer:
    """The body without its length: only the connection's end shows that it is over."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        _head(request, 200, {})
        request.wfile.write(body)

    return answer


def cut(body: bytes, after: int, reset: bool = False) -> Answer:
    """The whole length announced, then the connection's end after so many bytes, in order or with a reset."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        _head(request, 200, {"Content-Length": str(len(body))})
        request.wfile.write(body[:after])
        if reset:  # lingering for 0 s makes the kernel send RST instead of FIN
            request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            request.connection.close()

    return answer


def held(answer: Answer, arrived: threading.Event, go: threading.Event) -> Answer:
    """The answer, but not before `go`; `arrived` says that the request is here."""

    def wait(request: BaseHTTPRequestHandler) -> None:
        arrived.set()
        assert go.wait(30), "the test never let the answer go"
        answer(request)

    return wait


@contextmanager
def serving() -> Iterator[Server]:
    """A server on a free port of 127.0.0.1, gone at the end."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            server.answer(self)

        do_HEAD = do_POST = do_PUT = do_PATCH = do_GET  # noqa: N815

    with loopback.serving(Handler) as port:
        server = Server(port)
        yield server


def _head(request: BaseHTTPRequestHandler, code: int, headers: dict[str, str]) -> None:
    request.send_response(code)
    for name, value in ({"Connection": "close"} | headers).items():
        request.send_header(name, value)
    request.end_headers()

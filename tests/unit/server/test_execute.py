"""What a command in a container prints is all there, however the engine's answer is cut into packets."""

import json
import struct
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

import docker
import pytest
from docker.errors import APIError
from docker.models.containers import Container

from pipeline.server.execute import STDERR, execute
from tests.unit import http_server

Answer = Callable[[BaseHTTPRequestHandler], None]
FRAMES = [(1, b"first\n"), (2, b"wrong\n"), (1, b"last\n")]
OUTPUT = b"".join(struct.pack(">BxxxL", stream, len(text)) + text for stream, text in FRAMES)


def body(content: object, status: int = 200) -> Answer:
    return http_server.whole(json.dumps(content).encode(), status, Content_Type="application/json")


def at_once(request: BaseHTTPRequestHandler) -> None:
    """The head and the output in one packet, as a busy machine's engine sends them."""
    request.wfile.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n" + OUTPUT
    )
    request.close_connection = True


def container(server: http_server.Server, *answers: Answer) -> Container:
    server.script = list(answers)
    client = docker.DockerClient(base_url=server.address.replace("http", "tcp"), version="1.47")
    return Container(attrs={"Id": "c" * 64}, client=client)


def test_output_that_comes_with_the_head_of_the_answer_is_not_lost(server: http_server.Server) -> None:
    ends = body({"ExitCode": 3})
    one = container(server, body({"Id": "e"}, 201), at_once, ends)
    assert execute(one, ["try"]) == (3, b"first\nwrong\nlast\n")
    one = container(server, *server.script * 2)
    server.paths.clear()
    assert execute(one, ["try"], only=STDERR, user="0") == (3, b"wrong\n")
    assert server.paths == [
        "/v1.47/containers/" + "c" * 64 + "/exec",
        "/v1.47/exec/e/start",
        "/v1.47/exec/e/json",
    ]


def test_a_container_that_has_ended_meanwhile_is_an_error_of_the_engine_s(server: http_server.Server) -> None:
    stopped = body({"message": "container is not running"}, 409)
    with pytest.raises(APIError, match="is not running"):
        execute(container(server, body({"Id": "e"}, 201), stopped), ["try"])

"""A command in a running container, with all of its output.

The Docker SDK's own `exec_run` loses the beginning of the output where it arrives together with the head of the
engine's answer: it reads the head through a buffer, and then past that buffer. On a busy machine that is one command
in 150.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from docker.errors import create_api_error_from_http_exception
from docker.models.containers import Container
from requests import HTTPError

STDERR = 2
_FRAME = struct.Struct(">BxxxL")  # which stream, how many bytes follow


class Executed(NamedTuple):
    exit_code: int
    output: bytes  # of both streams, in their order


def execute(
    container: Container, command: Sequence[str], only: int | None = None, **options: Any
) -> Executed:
    """Run it to its end. `only` names one stream, whose output is wanted; options are those of the SDK's `exec_create`.

    Raises APIError if the container does not run.
    """
    assert container.client
    api = container.client.api
    made = api.exec_create(container.id, list(command), **options)["Id"]
    start = f"{api.base_url}/v{api.api_version}/exec/{made}/start"
    answer = api.post(start, json={"Detach": False, "Tty": False})
    try:
        answer.raise_for_status()
    except HTTPError as problem:
        create_api_error_from_http_exception(problem)  # raises the SDK's own form of it
    output = b"".join(text for stream, text in _frames(answer.content) if only in (None, stream))
    return Executed(int(api.exec_inspect(made)["ExitCode"] or 0), output)


def _frames(content: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place < len(content):
        stream, length = _FRAME.unpack_from(content, place)
        place += _FRAME.size + length
        yield stream, content[place - length : place]

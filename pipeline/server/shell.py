"""Commands in a running container through one shell that stays: each costs a tenth of a process that the engine starts.

What a command is given is what `docker exec` gives it, and so is what comes of it.
"""

import re
import select
import socket
import struct
import uuid
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

from docker.models.containers import Container

from pipeline.server.execute import STDERR, Executed, execute

KILLED = 137  # what the engine gives for a command whose container ends
# Reads, for each command, a mark, the stream that is wanted or 0 for both, the number of its words, and the words;
# prints the mark and the code behind what the command prints. What bash adds to the environment it keeps to itself.
SERVE = r"""
export -n PWD OLDPWD SHLVL
while IFS= read -rd '' mark && IFS= read -rd '' only && IFS= read -rd '' count; do
    words=()
    for ((; count; count--)); do
        IFS= read -rd '' word
        words+=("$word")
    done
    if ((only == 2)); then
        (exec "${words[@]}") < /dev/null 2>&1 > /dev/null
    else
        (exec "${words[@]}") < /dev/null 2>&1
    fi
    printf '%s %d\n' "$mark" $?
done
"""
_FRAME = struct.Struct(">BxxxL")  # which stream, how many bytes follow


class Shell:
    """A shell in a container that has bash. It is started with the first command, and again after the container is."""

    def __init__(self, container: Container) -> None:
        self._container = container
        self._stream: Any = None
        self._busy = Lock()

    def execute(
        self, command: Sequence[str], only: int | None = None, environment: Mapping[str, str] | None = None
    ) -> Executed:
        """Run it to its end with these variables. `only` may be STDERR. A second at the same time gets a process of the
        engine's.

        Raises APIError if the container does not run.
        """
        assert only in (None, STDERR)
        if not self._busy.acquire(blocking=False):
            return execute(self._container, command, only, environment=dict(environment or {}))
        try:
            if self._ended():
                self._start()
            variables = [f"{name}={value}" for name, value in (environment or {}).items()]
            return self._ask(["env", *variables, *command] if variables else command, only or 0)
        except BaseException:
            self.close()  # whose answer may be half read
            raise
        finally:
            self._busy.release()

    def close(self) -> None:
        """End the shell."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _start(self) -> None:
        self.close()
        assert self._container.client
        api = self._container.client.api
        made = api.exec_create(self._container.id, ["bash", "-c", SERVE], stdin=True)["Id"]
        self._stream = api.exec_start(made, socket=True)
        self._stream._sock.settimeout(api.timeout)

    def _ended(self) -> bool:
        if self._stream is None:
            return True
        readable = select.poll()  # and not select(), which knows no descriptor above 1023
        readable.register(self._stream, select.POLLIN)
        return bool(readable.poll(0)) and not self._stream._sock.recv(1, socket.MSG_PEEK)

    def _ask(self, command: Sequence[str], only: int) -> Executed:
        mark = uuid.uuid4().hex
        words = [mark, str(only), str(len(command)), *command]
        given = "".join(f"{word}\0" for word in words).encode(errors="surrogateescape")
        try:
            self._stream._sock.sendall(given)
        except ConnectionError:  # the container has been started again
            self._start()
            self._stream._sock.sendall(given)
        end = re.compile(rf"{mark} (\d+)\n\Z".encode())
        output = bytearray()
        while not (found := end.search(output, max(0, len(output) - len(mark) - 8))):
            head = self._read(_FRAME.size)
            stream, length = _FRAME.unpack(head) if head else (0, 0)
            text = self._read(length)
            if not text:
                return Executed(KILLED, bytes(output))
            if stream == 1:  # the other has what bash says of a command that a signal ended
                output += text
        return Executed(int(found[1]), bytes(output[: found.start()]))

    def _read(self, count: int) -> bytes:
        """So many bytes, or none where the container has ended."""
        read = bytearray()
        while len(read) < count:
            try:
                got = self._stream._sock.recv(count - len(read))
            except ConnectionError:
                return b""
            if not got:
                return b""
            read += got
        return bytes(read)

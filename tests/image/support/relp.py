"""A small RELP sender that counts acknowledgements: frames are "TXNR COMMAND DATALEN[ DATA]" and a newline."""

import socket
import ssl
from types import TracebackType
from typing import Self

WINDOW = 128  # lines that may wait for their acknowledgement at once
OFFERS = b"relp_version=0\nrelp_software=test\ncommands=syslog"


class RelpSender:
    """One session. `with RelpSender(host) as sender:` opens it; raises OSError when it cannot or when it breaks."""

    def __init__(self, host: str, port: int = 2514, tls: ssl.SSLContext | None = None) -> None:
        self._socket = socket.create_connection((host, port), 30)
        if tls:
            self._socket = tls.wrap_socket(self._socket, server_hostname="localhost")
        self._answers = self._socket.makefile("rb")
        self._number = 0
        self._command(b"open", OFFERS)
        self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._answers.close()
        self._socket.close()

    def send(self, lines: dict[int, bytes], acknowledged: set[int]) -> None:
        """Send the lines; the number of each that is acknowledged goes into the set, also when an OSError is raised."""
        waiting: dict[int, int] = {}
        for number, line in lines.items():
            waiting[self._command(b"syslog", line)] = number
            while len(waiting) >= WINDOW:
                acknowledged.add(waiting.pop(self._answer()))
        while waiting:
            acknowledged.add(waiting.pop(self._answer()))

    def _command(self, name: bytes, data: bytes) -> int:
        self._number += 1
        self._socket.sendall(b"%d %s %d %s\n" % (self._number, name, len(data), data))
        return self._number

    def _answer(self) -> int:
        """The number of the next command that is answered with "200". Raises ConnectionError for any other answer."""
        header = b""
        while header.count(b" ") < 3 and not header.endswith(b"\n"):
            byte = self._answers.read(1)
            if not byte:
                raise ConnectionError("RELP: the server closed the connection")
            header += byte
        number, command, length, *_ = header.split()
        data = self._answers.read(int(length) + 1) if int(length) else b""
        if command != b"rsp" or not data.startswith(b"200"):
            raise ConnectionError(f"RELP: {header!r} {data!r}")
        return int(number)

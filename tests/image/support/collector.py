"""A receiver of forwarded alerts on this machine: by TCP, TLS or RELP, with what it got byte by byte."""

import re
import socket
import ssl
import threading
from contextlib import suppress
from types import TracebackType

RELP_HEAD = re.compile(rb"(\d+) (\w+) (\d+)[ \n]")


class Collector:
    """Listens from the beginning of a `with` to its end; at another beginning on the same port again."""

    def __init__(self, host: str, tls: ssl.SSLContext | None = None, relp: bool = False) -> None:
        self.address = (host, 0)
        self.received = (
            bytearray()
        )  # over all connections, in the order of arrival; of RELP, the messages as lines
        self._tls = tls
        self._relp = relp
        self._connections: list[socket.socket] = []
        self._readers: list[threading.Thread] = []
        # A port that is ours from now on, so that nothing else listens there while this does not.
        with socket.create_server(self.address) as listener:
            self.address = listener.getsockname()[:2]

    def __enter__(self) -> "Collector":
        self._listener = socket.create_server(self.address)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in [self._listener, *self._connections]:
            with suppress(OSError):
                socket.socket.shutdown(one, socket.SHUT_RDWR)  # under TLS, too, which goes on as it is
        self._thread.join()
        self.read_to_end()
        for one in [self._listener, *self._connections]:
            one.close()
        self._connections.clear()
        self._readers.clear()

    def read_to_end(self) -> None:
        """Return once all is received that was sent over connections that have ended."""
        for reader in self._readers:
            reader.join(10)

    @property
    def lines(self) -> list[str]:
        """What came as lines. Raises UnicodeDecodeError where it is no UTF-8."""
        return bytes(self.received).decode().split("\n")[:-1]

    @property
    def frames(self) -> list[str]:
        """What came with its length before it, as RFC 5425 has it. Raises ValueError where it came otherwise."""
        found, rest = [], bytes(self.received)
        while rest:
            length, _, rest = rest.partition(b" ")
            found.append(rest[: int(length)].decode())
            rest = rest[int(length) :]
        return found

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                reader = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                self._readers.append(reader)
                reader.start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError):
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            self._connections.append(connection)
            if self._relp:
                self._serve_relp(connection)
            while not self._relp and (data := connection.recv(65536)):
                self.received += data

    def _serve_relp(self, connection: socket.socket) -> None:
        waiting = b""
        while data := connection.recv(65536):
            waiting += data
            while (head := RELP_HEAD.match(waiting)) and len(waiting) > head.end() + int(head[3]):
                message = waiting[head.end() : head.end() + int(head[3])]
                waiting = waiting[head.end() + int(head[3]) + 1 :]
                if head[2] == b"syslog":
                    self.received += message + b"\n"
                connection.sendall(head[1] + b" rsp 6 200 OK\n")

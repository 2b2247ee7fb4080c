"""The target of forwarded alerts: a RELP receiver on this machine that counts the ids of what it acknowledges."""

import re
import socket
import threading
from contextlib import suppress

from pipeline.soak.lines import FULL_LOG, Tally
from pipeline.soak.relp import Frame, Frames


class Collector:
    """Listens between `open` and `close`, and again after the next `open`, on the same port."""

    def __init__(self, host: str, pattern: re.Pattern[bytes] = FULL_LOG) -> None:
        self.seen = Tally()
        self._pattern = pattern
        self._connections: set[socket.socket] = set()
        self._listener = socket.create_server((host, 0))
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        self._listener.close()

    def open(self) -> None:
        self._listener = socket.create_server(self.address)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def close(self) -> None:
        for one in [self._listener, *self._connections]:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._connections.clear()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                self._connections.add(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        frames = Frames()
        with suppress(OSError):
            while data := connection.recv(1 << 17):
                answers = []
                for frame in frames.put(data):
                    if frame.command == b"syslog" and (found := self._pattern.search(frame.data)):
                        self.seen.add(found[1].decode(), int(found[2]))
                    answers.append(bytes(Frame(frame.number, b"rsp", b"200 OK")))
                connection.sendall(b"".join(answers))
        self._connections.discard(connection)
        connection.close()

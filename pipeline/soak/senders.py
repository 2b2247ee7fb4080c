"""Senders over each protocol: they keep a rate, with bursts, go on after a break, and remember what they sent when."""

import socket
import ssl
import threading
import time
from array import array
from collections.abc import Callable
from contextlib import suppress
from select import select

from pipeline.soak.lines import Tally, line
from pipeline.soak.relp import Frame, Frames

CHUNK = 40  # lines a write
PATIENCE = 15.0  # seconds without an answer or a byte taken, after which a connection counts as broken
RETRY = 0.1  # seconds between two attempts to connect
SEND_BUFFER = 64 << 10  # bytes asked of the kernel for each TCP connection: what it may hold when that breaks
WINDOW = 256  # lines that RELP may have unacknowledged
BURST_EVERY, BURST_SECONDS, BURST_FACTOR = 7.0, 2.0, 4.0
CATCH_UP = 0.5  # seconds that a sender which was held up makes good

_OFFERS = b"relp_version=0\nrelp_software=soak\ncommands=syslog"

Host = Callable[[], str]  # the server's address, which may change with a restart


class Sender(threading.Thread):
    """One sender of a channel's lines, in a thread. `sent[n]` is when line n was written, and `opened[n]` when
    the connection was opened that it was written to (time.time()).

    Between `start` and `finish` it sends; `only` limits the number of lines. A rate of 0 is as fast as it can.
    """

    protocol = ""
    port = 514
    looks = False  # before each write, whether the peer has hung up

    def __init__(
        self, channel: str, address: Host, rate: float = 0, only: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(name=channel, daemon=True)
        self.channel = channel
        self.sent = array("d")
        self.opened = array("d")
        # When (time.time()) the write of these lines failed, or was not tried: some may have left.
        self.cut_off: dict[int, float] = {}
        self.broken = 0  # connections that ended otherwise than by us
        self.error: Exception | None = None  # a fault of the sender itself
        self._address = address
        self._rate = rate
        self._only = only
        self._tls = tls
        self.until = 0  # lines after which it waits until this is raised; 0: it does not
        self.acknowledged, self.resent = Tally(), Tally()  # over RELP
        self._waiting: list[int] = []  # for that: numbers of lines, the oldest first
        self._over = threading.Event()
        self._began = 0.0
        self._debt = 0.0
        self._opened = 0.0  # when the connection was opened; 0 where there is none

    def finish(self) -> None:
        """Send no new line, and return when what was sent is acknowledged, where the protocol has that."""
        self._over.set()
        self.join()
        if self.error:
            raise self.error

    def run(self) -> None:
        try:
            self._began = self._last = time.monotonic()
            self._work()
        except Exception as error:
            self.error = error

    def _work(self) -> None:
        raise NotImplementedError

    def _connect(self) -> socket.socket:
        connection = socket.create_connection((self._address(), self.port), PATIENCE)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        return self._tls.wrap_socket(connection, server_hostname="localhost") if self._tls else connection

    @property
    def _exhausted(self) -> bool:
        return self._over.is_set() or 0 < self._only <= len(self.sent)

    def _due(self, most: int = CHUNK) -> int:
        """How many lines are to be sent now, after a short pause where there is none."""
        if self._only:
            most = min(most, self._only - len(self.sent))
        if self.until:
            most = min(most, self.until - len(self.sent))
        if most <= 0:
            self._over.wait(0.01)
            return 0
        if not self._rate:
            return most
        now = time.monotonic()
        burst = (now - self._began) % BURST_EVERY < BURST_SECONDS
        rate = self._rate * (BURST_FACTOR if burst else 1)
        self._debt = min(self._debt + (now - self._last) * rate, rate * CATCH_UP)
        self._last = now
        count = min(most, int(self._debt))
        self._debt -= count
        if count < most:
            self._over.wait(0.01)
        return count

    def _next(self, count: int) -> list[bytes]:
        return [line(self.channel, n) for n in range(len(self.sent), len(self.sent) + count)]

    def _note(self, count: int, when: float = 0) -> None:
        when = when or time.time()
        self.sent.extend([when] * count)
        self.opened.extend([self._opened or when] * count)


class UdpSender(Sender):
    """A device: it sends whether anybody listens or not."""

    protocol = "UDP"

    def _work(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            while not self._exhausted:
                # One by one: a datagram's own time tells whether it was sent before an outage.
                for one in self._next(self._due(10)):
                    with suppress(OSError):
                        out.sendto(one, (self._address(), self.port))
                    self._note(1)


class TcpSender(Sender):
    """As rsyslog's omfwd sends: before each write it looks whether the peer has hung up; nothing is sent twice."""

    protocol = "TCP"
    looks = True

    def _work(self) -> None:
        connection: socket.socket | None = None
        while not self._exhausted:
            if connection is None:
                with suppress(OSError):
                    connection = self._connect()
                    self._opened = time.time()
                if connection is None:
                    self._over.wait(RETRY)
                    continue
            if not (lines := self._next(self._due())):
                continue
            began, whole = time.time(), False
            with suppress(OSError):
                if not hung_up(connection):
                    connection.sendall(b"".join(one + b"\n" for one in lines))
                    whole = True
            if whole:
                self._note(len(lines))
            else:
                # Some of them may have left, so none is sent again.
                numbers = range(len(self.sent), len(self.sent) + len(lines))
                self.cut_off.update(dict.fromkeys(numbers, time.time()))
                self._note(len(lines), began)
                self.broken += 1
                connection.close()
                connection = None
        if connection:
            with suppress(OSError):
                if isinstance(connection, ssl.SSLSocket):
                    connection = connection.unwrap()
                connection.shutdown(socket.SHUT_WR)
            connection.close()


class TlsSender(TcpSender):
    protocol = "TLS"
    port = 6514


class RelpSender(Sender):
    """A sender that keeps each line until it is acknowledged, and sends it again after a break."""

    protocol = "RELP"
    port = 2514

    def _work(self) -> None:
        while not self._exhausted or self._waiting:
            try:
                with self._connect() as connection:
                    self._session(connection)
            except OSError:
                self.broken += 1
                time.sleep(RETRY)

    def _session(self, connection: socket.socket) -> None:
        """Send and wait for answers until all is over. Raises OSError when the connection breaks."""
        answers = _Answers(connection)
        connection.sendall(bytes(Frame(1, b"open", _OFFERS)))
        while 1 not in answers.ready(0.1):
            if answers.silent > PATIENCE:
                raise TimeoutError("no answer to open")
        transactions: dict[int, int] = {}  # of those waiting, by the number of the transaction
        number = 1
        for again in self._waiting:
            number += 1
            transactions[number] = again
            self.resent.add(self.channel, again)
            connection.sendall(bytes(Frame(number, b"syslog", line(self.channel, again))))
        while not self._exhausted or transactions:
            room = min(CHUNK, WINDOW - len(transactions))
            lines = self._next(self._due(room)) if room > 0 and not self._exhausted else []
            frames = []
            for one in lines:
                number += 1
                transactions[number] = len(self.sent)
                self._waiting.append(len(self.sent))
                self._note(1)
                frames.append(bytes(Frame(number, b"syslog", one)))
            if frames:
                connection.sendall(b"".join(frames))
            # Without any room, or at the end, there is nothing else to do but wait.
            for answered in answers.ready(0 if lines else 0.01):
                done = transactions.pop(answered)
                self.acknowledged.add(self.channel, done)
                self._waiting.remove(done)
            if transactions and answers.silent > PATIENCE:
                raise TimeoutError("no acknowledgement")
        with suppress(OSError):
            connection.sendall(bytes(Frame(number + 1, b"close", b"")))


class _Answers:
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._frames = Frames()
        self._heard = time.monotonic()

    @property
    def silent(self) -> float:
        """Seconds since the last one."""
        return time.monotonic() - self._heard

    def ready(self, seconds: float) -> list[int]:
        """The transactions that were answered with 200, after waiting so long. Raises ConnectionError otherwise."""
        if not select([self._connection], [], [], seconds)[0]:
            return []
        # One record of TLS at most is read with this, so that none is left where select does not see it.
        if not (data := self._connection.recv(1 << 16)):
            raise ConnectionResetError("the server closed the connection")
        self._heard = time.monotonic()
        done = []
        for frame in self._frames.put(data):
            if frame.command != b"rsp" or not frame.data.startswith(b"200"):
                raise ConnectionResetError(f"RELP: {frame}")
            done.append(frame.number)
        return done


def hung_up(connection: socket.socket) -> bool:
    """Whether the peer has closed its side, or broken it."""
    if not select([connection], [], [], 0)[0]:
        return False
    if isinstance(connection, ssl.SSLSocket):
        connection.settimeout(0)
        try:
            return not connection.recv(1)
        except ssl.SSLWantReadError:  # session tickets
            return False
        finally:
            connection.settimeout(PATIENCE)
    return not connection.recv(1)

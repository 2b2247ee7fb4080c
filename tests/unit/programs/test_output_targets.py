"""Where ossec-output forwards alerts: what counts as delivered, and peers that misbehave."""

import json
import os
import re
import signal
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from pipeline.wait import wait_until
from tests import loopback
from tests.image.support.collector import Collector
from tests.unit.programs.output_program import SECONDS, Engine, Output, compiled, numbers

HOST = "127.0.0.1"


@contextmanager
def peer(serve: Callable[[socket.socket], None], port: int = 0) -> Iterator[int]:
    """Serve each connection in a thread; gives the port. What `serve` raises of the socket ends the connection."""
    listener = socket.create_server((HOST, port))

    def one(connection: socket.socket) -> None:
        with connection, suppress(OSError, ValueError):
            serve(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = loopback.certificates(tmp_path_factory.mktemp("tls"), server="localhost", client="localhost")
    loopback.certificate(folder, "stranger")
    return folder


def trust(output: Output, certificates: Path, own: str = "") -> None:
    """What is mounted in /etc/ossec-log-server/forward."""
    folder = output.position.parent / "forward"
    folder.mkdir()
    (folder / "ca.crt").write_bytes((certificates / "ca.crt").read_bytes())
    for kind in ("crt", "key") if own else ():
        (folder / f"tls.{kind}").write_bytes((certificates / f"{own}.{kind}").read_bytes())


def context(certificates: Path, *, ask: bool = True, newest: bool = True) -> ssl.SSLContext:
    """Of a server; `ask` for the client's certificate, and take none but the authority's."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificates / "server.crt", certificates / "server.key")
    made.load_verify_locations(certificates / "ca.crt")
    made.verify_mode = ssl.CERT_REQUIRED if ask else ssl.CERT_NONE
    if not newest:
        made.maximum_version = ssl.TLSVersion.TLSv1_2
    return made


def drain(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


@pytest.mark.parametrize("form", ["json", "syslog"])
@pytest.mark.parametrize("way", ["tcp", "tls", "relp", "relps"])
def test_each_way_delivers_all_once_and_ends_properly(
    output: Output, engine: Engine, certificates: Path, way: str, form: str
) -> None:
    trust(output, certificates, "client")
    tls = context(certificates) if way in ("tls", "relps") else None
    with Collector(HOST, tls, way.startswith("relp")) as collector:
        output.start(way, *map(str, collector.address), form)
        for _ in range(5):
            engine.write(1000, padding=100)
            wait_until(lambda: output.counters()[0] == engine.number, SECONDS, 0.1, "the count")
        assert output.end() < 4
        collector.read_to_end()
        received = bytes(collector.received)
    if (way, form) == ("tls", "syslog"):
        received = b"".join(line.encode() + b"\n" for line in collector.frames)
    assert numbers(received) == list(range(engine.number))
    if form == "syslog":
        time_of = rb"<132>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \S+ ossec-log-server - alert - \{"
        assert all(re.match(time_of, line) for line in received.splitlines())
    assert not output.errors


def test_an_alert_is_delivered_when_a_stop_comes_right_after_it(output: Output, engine: Engine) -> None:
    ends = []
    with Collector(HOST) as collector:
        for _ in range(3):
            output.start("tcp", *map(str, collector.address), "json")
            engine.write(100)
            assert output.end() < 5
            ends.append(output.counters()[0] == engine.number)
        assert any(ends)  # on a busy machine it may not get far in the time that it has to end
        output.start("tcp", *map(str, collector.address), "json")
        everything = list(range(300))
        wait_until(lambda: numbers(bytes(collector.received)) == everything, SECONDS, 0.1, "the alerts")
        output.end()
    assert output.counters() == (300, 0)


@pytest.mark.parametrize("newest", [True, False])
@pytest.mark.parametrize("own", ["stranger", ""])
def test_who_rejects_our_certificate_has_taken_nothing(
    output: Output, engine: Engine, certificates: Path, own: str, newest: bool
) -> None:
    """L6: L6: from TLS 1.3 on, our handshake is over before the peer has looked at the certificate."""
    trust(output, certificates, own)
    tls = context(certificates, newest=newest)

    def judge(connection: socket.socket) -> None:
        time.sleep(0.2)  # before the handshake, the peer's own part of it
        with tls.wrap_socket(connection, server_side=True) as wrapped:
            drain(wrapped)

    engine.write(200)
    with peer(judge) as port:
        output.start("tls", HOST, str(port), "json")
        wait_until(lambda: "takes no alerts" in output.errors, SECONDS, 0.05, "the complaint")
        time.sleep(2)
        assert output.counters()[0] == 0
        output.end()
    assert "TLS: " in output.errors


@pytest.mark.parametrize("way", ["tcp", "tls"])
@pytest.mark.parametrize("how", ["close", "reset"])
def test_who_ends_the_connection_soon_after_the_beginning_has_taken_nothing(
    output: Output, engine: Engine, certificates: Path, way: str, how: str
) -> None:
    """As a proxy does that has no server, or one that looks at the name in our certificate after the handshake."""
    trust(output, certificates, "client")
    tls = context(certificates)
    seen = []

    def refuse(connection: socket.socket) -> None:
        if way == "tls":
            connection = tls.wrap_socket(connection, server_side=True)
        seen.append(connection.recv(1000))
        time.sleep(0.3)
        if how == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    engine.write(200)
    with peer(refuse) as port:
        output.start(way, HOST, str(port), "json")
        wait_until(lambda: len(seen) >= 3, SECONDS, 0.05, "three attempts")
        assert output.counters()[0] == 0
        output.end()
    assert "takes no alerts" in output.errors


@pytest.mark.parametrize("tickets", [0, 2])
def test_a_peer_that_sends_no_ticket_is_believed_after_a_while(
    output: Output, engine: Engine, certificates: Path, tickets: int
) -> None:
    trust(output, certificates, "client")
    tls = context(certificates)
    tls.num_tickets = tickets
    engine.write(100)
    with Collector(HOST, tls) as collector:
        began = time.monotonic()
        output.start("tls", *map(str, collector.address), "json")
        wait_until(lambda: output.counters()[0] == 100, SECONDS, 0.05, "the count")
        took = time.monotonic() - began
        output.end()
    assert took > 2.5 if tickets == 0 else took < 2.5
    assert numbers(bytes(collector.received)) == list(range(100))


def test_what_a_peer_does_not_read_is_not_delivered(output: Output, engine: Engine) -> None:
    def deaf(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        time.sleep(SECONDS)

    def full() -> tuple[int] | None:
        """How many are counted, once that has been so for three seconds."""
        before, _ = output.counters()
        time.sleep(3)
        return (before,) if output.counters()[0] == before else None

    engine.write(5000, padding=2000)
    with peer(deaf) as port:
        output.start("tcp", HOST, str(port), "json")
        [counted] = wait_until(full, SECONDS, what="the connection to be full")
        assert output.end() < 5
    assert counted < 5000
    assert output.counters()[0] == counted
    with Collector(HOST) as collector:
        output.start("tcp", *map(str, collector.address), "json")
        wait_until(lambda: output.counters()[0] == 5000, SECONDS, 0.1, "the rest")
        output.end()
    assert numbers(bytes(collector.received)) == list(range(counted, 5000))


@pytest.mark.parametrize("way", ["tcp", "tls", "relp", "relps"])
def test_a_peer_that_comes_and_goes_gets_all(
    output: Output, engine: Engine, certificates: Path, way: str
) -> None:
    trust(output, certificates, "client")
    collector = Collector(
        HOST, context(certificates) if way in ("tls", "relps") else None, way.startswith("relp")
    )
    output.start(way, *map(str, collector.address), "json")
    for _ in range(3):
        engine.write(500)
        with collector:
            wait_until(lambda: output.counters()[0] == engine.number, SECONDS, 0.05, "the count")
    output.end()
    got = numbers(bytes(collector.received))
    assert set(got) == set(range(1500))


def test_a_certificate_of_another_gets_nothing(output: Output, engine: Engine, certificates: Path) -> None:
    trust(output, certificates)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificates / "stranger.crt", certificates / "stranger.key")
    engine.write(10)
    with Collector(HOST, tls) as collector:
        output.start("tls", *map(str, collector.address), "json")
        wait_until(
            lambda: "takes no alerts, so they wait: TLS: self-signed" in output.errors, SECONDS, 0.05, "it"
        )
        output.end()
    assert not collector.received


@pytest.mark.parametrize("name", ["ca.crt", "tls.crt"])
def test_a_certificate_that_is_a_link_to_nowhere_switches_no_check_off(
    output: Output, engine: Engine, certificates: Path, name: str
) -> None:
    trust(output, certificates)
    link = output.position.parent / "forward" / name
    link.unlink(missing_ok=True)
    link.symlink_to("nowhere")
    engine.write(10)
    with Collector(HOST, context(certificates, ask=False)) as collector:
        output.start("tls", *map(str, collector.address), "json")
        wait_until(
            lambda: "takes no alerts, so they wait: TLS: " in output.errors, SECONDS, 0.05, "the complaint"
        )
        output.end()
    assert not collector.received


def answer_head(connection: socket.socket) -> bytes:
    """The number of the next command of RELP, whose data is read."""
    head = b""
    while head.count(b" ") < 3:
        head += connection.recv(1)
    number, _, length, _ = head.split(b" ")
    left = int(length) + 1
    while left:
        left -= len(connection.recv(left))
    return number


def opened(connection: socket.socket) -> None:
    connection.sendall(answer_head(connection) + b" rsp 6 200 OK\n")


def says(answer: bytes, times: int = 1) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        opened(connection)
        connection.recv(65536)
        for _ in range(times):
            connection.sendall(answer)
        drain(connection)

    return serve


def says_for_ever(answer: bytes) -> Callable[[socket.socket], None]:
    return says(answer, 10**9)


def drips(connection: socket.socket) -> None:
    opened(connection)
    while True:
        connection.sendall(b"1")
        time.sleep(0.05)


def silent(connection: socket.socket) -> None:
    drain(connection)


HOSTILE: dict[str, Callable[[socket.socket], None]] = {
    "0 rsp": says(b"0 rsp 6 200 OK\n"),
    "foreign numbers": says_for_ever(b"77777 rsp 6 200 OK\n"),
    "the same number": says_for_ever(b"2 rsp 6 200 OK\n"),
    "huge length": says(b"2 rsp 999999999 200 OK"),
    "overflowing length": says(b"2 rsp 99999999999999999999999 200 OK\n"),
    "negative": says(b"-2 rsp -6 200 OK\n"),
    "no": says(b"2 rsp 6 500 no\n"),
    "another command": says_for_ever(b"2 syslog 6 200 OK\n"),
    "serverclose": says(b"0 serverclose 0\n"),
    "zeros": says_for_ever(bytes(1000)),
    "garbage": says_for_ever(b"\xff\xfe %n%s rsp\n\n "),
    "no end": says(b"2 rsp 6 200 OK!"),
    "drips": drips,
    "silence": silent,
    "closes": lambda connection: opened(connection),
}


def cpu(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_peer_costs_no_cpu_and_holds_up_no_end(output: Output, engine: Engine, kind: str) -> None:
    engine.write(1000, padding=500)
    received = 0

    def count(connection: socket.socket) -> None:
        nonlocal received
        received += 1
        HOSTILE[kind](connection)

    with peer(count) as port:
        process = output.start("relp", HOST, str(port), "syslog")
        wait_until(lambda: received > 0, SECONDS, 0.02, "a connection")
        before = cpu(process.pid)
        time.sleep(1.3)
        assert cpu(process.pid) - before < 0.4
        assert received <= 3  # at 0 and 0.5 s
        assert output.end() < 4
    assert output.counters()[0] == 0


def test_relp_ends_with_close(output: Output, engine: Engine) -> None:
    commands: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        file = connection.makefile("rb")
        while line := file.readline():
            commands.append(line.split(b" ")[1])
            if commands[-1] == b"open":
                file.readline(), file.readline()
            connection.sendall(line.split(b" ")[0] + b" rsp 6 200 OK\n")

    engine.write(2)
    with peer(serve) as port:
        output.start("relp", HOST, str(port), "json")
        wait_until(lambda: output.counters()[0] == 2, SECONDS, 0.05, "the count")
        output.end()
    assert commands == [b"open", b"syslog", b"syslog", b"close"]


def test_answers_in_pieces_and_in_any_order_are_answers(output: Output, engine: Engine) -> None:
    def serve(connection: socket.socket) -> None:
        opened(connection)
        got = [answer_head(connection) for _ in range(50)]
        for byte in b"".join(b"%s rsp 6 200 OK\n" % number for number in reversed(got)):
            connection.sendall(bytes([byte]))
        drain(connection)

    engine.write(50)
    with peer(serve) as port:
        output.start("relp", HOST, str(port), "json")
        wait_until(lambda: output.counters()[0] == 50, SECONDS, 0.05, "the count")
        output.end()


SILENT_NAMES = """
#include <unistd.h>
int __wrap_getaddrinfo(void) { for (;;) sleep(60); }
"""


def test_a_name_server_that_does_not_answer_holds_up_no_end(
    engine: Engine, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("wrapped")
    (folder / "names.c").write_text(SILENT_NAMES)
    output = Output(compiled(folder, "-Wl,--wrap=getaddrinfo", str(folder / "names.c")), engine, tmp_path)
    output.command("--settle")
    engine.write(10)
    output.start("tcp", "logs.example.org", "514", "json")
    time.sleep(0.3)
    assert output.end() < 4
    assert output.counters()[0] == 0


def test_alerts_of_a_kill_come_again(output: Output, engine: Engine) -> None:
    engine.write(20_000)
    with Collector(HOST, relp=True) as collector:
        for least in (1, 4):
            output.start("relp", *map(str, collector.address), "json")
            wait_until(lambda: len(collector.received) > least * 100_000, SECONDS, 0.001, "some")  # noqa: B023
            output.end(signal.SIGKILL)
        output.start("relp", *map(str, collector.address), "json")
        wait_until(lambda: output.counters()[0] >= 20_000, SECONDS, 0.1, "all")
        output.end()
    got = numbers(bytes(collector.received))
    assert set(got) == set(range(20_000))
    assert len(got) - 20_000 <= 2 * 500
    assert json.loads(bytes(collector.received).split(b"\n")[0])

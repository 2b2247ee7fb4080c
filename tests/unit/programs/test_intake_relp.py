"""RELP as ossec-intake speaks it: what is acknowledged is on disk, and no peer can make it spin or wait."""

import os
import random
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.image.support.relp import OFFERS, RelpSender
from tests.unit.programs.intake import Intake, eventually, running


@pytest.fixture
def intake(intake_program: Path, tmp_path: Path) -> Iterator[Intake]:
    with running(intake_program, tmp_path) as one:
        yield one


def frame(number: int, command: str, data: bytes = b"") -> bytes:
    return b"%d %s %d%s\n" % (number, command.encode(), len(data), b" " + data if data else b"")


OPEN = frame(1, "open", OFFERS)


def line(text: object) -> bytes:
    return f"<13>Nov 26 06:00:00 web1 app: {text}".encode()


def answers(sender: socket.socket) -> bytes:
    """All that comes until the server closes; nothing, where it resets."""
    sender.settimeout(10)
    got = b""
    with suppress(ConnectionResetError):
        while part := sender.recv(65536):
            got += part
    return got


def test_every_line_is_acknowledged_and_then_it_is_there(intake: Intake) -> None:
    acknowledged: set[int] = set()
    with RelpSender("127.0.0.1", intake.ports["relp"]) as sender:
        sender.send({n: line(n) for n in range(1000)}, acknowledged)
    assert acknowledged == set(range(1000))
    assert intake.texts() == [str(n) for n in range(1000)]
    assert intake.get("synced") == intake.get("flushed")


def test_each_of_many_sessions_gets_its_own_answers(intake: Intake) -> None:
    senders = [RelpSender("127.0.0.1", intake.ports["relp"]) for _ in range(30)]
    for n, sender in enumerate(senders):
        got: set[int] = set()
        sender.send({m: line(f"{n}-{m}") for m in range(20)}, got)
        assert got == set(range(20))
    assert len(set(intake.texts())) == 600


def test_the_offers_and_the_close_are_answered(intake: Intake) -> None:
    with intake.connect("relp") as sender:
        sender.sendall(OPEN + frame(2, "syslog", line("a")) + frame(3, "close"))
        got = answers(sender)
    head, _, rest = got.partition(b"commands=syslog\n")
    number, command, length, text = head.split(b" ", 3)
    assert (number, command, text.split(b"\n")[0]) == (b"1", b"rsp", b"200 OK")
    assert int(length) == len(text + b"commands=syslog")
    assert b"relp_version=0\n" in text
    assert rest == b"2 rsp 6 200 OK\n3 rsp 0\n0 serverclose 0\n"


def test_a_peer_that_stops_sending_still_gets_its_answers(intake: Intake) -> None:
    with intake.connect("relp") as sender:
        sender.sendall(OPEN + b"".join(frame(n, "syslog", line(n)) for n in range(2, 300)))
        sender.shutdown(socket.SHUT_WR)
        assert answers(sender).count(b" rsp 6 200 OK\n") == 298


def test_frames_that_come_byte_by_byte_are_whole(intake: Intake) -> None:
    with intake.connect("relp") as sender:
        sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in (
            OPEN
            + frame(2, "syslog", line("a"))
            + frame(3, "syslog")
            + frame(4, "syslog", b"\n")
            + frame(5, "close")
        ):
            sender.sendall(bytes([byte]))
        got = answers(sender)
    assert got.endswith(b"2 rsp 6 200 OK\n3 rsp 6 200 OK\n4 rsp 6 200 OK\n5 rsp 0\n0 serverclose 0\n")
    assert intake.texts() == ["a"]  # an empty line is acknowledged, and is none


def test_a_line_over_the_limit_is_cut_and_acknowledged(intake: Intake) -> None:
    with intake.connect("relp") as sender:
        sender.sendall(OPEN + frame(2, "syslog", line("x" * 300_000 + "\n3 syslog 6 forged\n")))
        sender.sendall(frame(3, "syslog", line("b")) + frame(4, "close"))
        got = answers(sender)
    assert got.endswith(b"2 rsp 6 200 OK\n3 rsp 6 200 OK\n4 rsp 0\n0 serverclose 0\n")
    lines = intake.wait_lines(2)
    assert len(lines) == 2
    assert "forged" not in "".join(lines)
    assert intake.get("cut") == 1


@pytest.mark.parametrize(
    "broken",
    [
        frame(1, "syslog", line("too early")),
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        OPEN + OPEN,
        OPEN + frame(2, "rsp", b"200 OK"),
        OPEN + frame(2, "nonsense"),
        OPEN + b"0 rsp 0\n" * 1000,
        OPEN + b"2 syslog 5 too long\n",
        OPEN + b"2 syslog 1234567890 x\n",
        OPEN + b"2  5 x\n",
        OPEN + b"2 " + b"x" * 40 + b" 0\n",
        OPEN + frame(2, "open", b"x" * 100_000),
        frame(1, "open", b"relp_version=0\ncommands=nothing,syslogger"),
        frame(1, "open"),
    ],
)
def test_what_breaks_the_protocol_is_told_so_and_closed(intake: Intake, broken: bytes) -> None:
    with intake.connect("relp") as sender:
        sender.sendall(broken)
        got = answers(sender)
    assert b" 500 " in got
    assert got.endswith(b"0 serverclose 0\n")
    eventually(
        lambda: "broke the protocol and were closed, the last from 127.0.0.1" in intake.log(), "the log"
    )
    assert intake.texts() == []
    with RelpSender("127.0.0.1", intake.ports["relp"]) as good:
        good.send({1: line("good")}, set())


def test_what_came_before_a_broken_frame_is_taken_and_acknowledged(intake: Intake) -> None:
    with intake.connect("relp") as sender:
        sender.sendall(OPEN + frame(2, "syslog", line("a")) + b"nonsense\n" + frame(3, "syslog", line("b")))
        got = answers(sender)
    assert b"\n2 rsp 6 200 OK\n" in got
    assert got.index(b" 500 ") > got.index(b"\n2 rsp 6 200 OK\n")
    assert intake.texts() == ["a"]


def test_a_peer_that_never_reads_costs_nothing_and_delays_no_stop(intake: Intake) -> None:
    with intake.connect("relp") as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sender.sendall(OPEN)
        sender.setblocking(False)
        stuck = time.monotonic() + 2
        number = 2
        while time.monotonic() < stuck:
            with suppress(BlockingIOError):
                sender.send(frame(number, "syslog", line("x")))
                number += 1
        before = intake.cpu()
        time.sleep(1)
        assert intake.cpu() - before < 0.1
        with RelpSender("127.0.0.1", intake.ports["relp"]) as other:  # nobody else is kept waiting
            other.send({1: line("other")}, set())
        began = time.monotonic()
        assert intake.stop() == 0
        assert time.monotonic() - began < 5


def test_at_a_stop_what_came_is_acknowledged_and_the_peer_is_told(intake: Intake) -> None:
    with intake.connect("relp") as sender, intake.connect("relp") as idle:
        idle.sendall(OPEN)
        sender.sendall(OPEN + b"".join(frame(n, "syslog", line(n)) for n in range(2, 2000)))
        began = time.monotonic()
        assert intake.stop() == 0
        assert time.monotonic() - began < 5
        got = answers(sender)
        assert answers(idle).endswith(b"0 serverclose 0\n")
    acknowledged = [int(text.rpartition(b"\n")[2]) for text in got.split(b" rsp 6 200 OK")[:-1]]
    assert set(map(str, acknowledged)) <= set(intake.texts())
    assert got.endswith(b"0 serverclose 0\n")
    assert len(intake.texts()) == 1998


def test_nothing_acknowledged_is_lost_when_it_is_killed(intake_program: Path, tmp_path: Path) -> None:
    acknowledged: set[int] = set()
    with running(intake_program, tmp_path, inputs=("relp",)) as intake:
        sender = RelpSender("127.0.0.1", intake.ports["relp"])
        sender.send({n: line(n) for n in range(500)}, acknowledged)
        intake.process.kill()
        intake.process.wait()
        assert {str(n) for n in acknowledged} <= set(intake.texts())
        assert len(acknowledged) == 500


def test_any_bytes_at_all_are_survived(intake: Intake) -> None:
    seed = int(os.environ.get("INTAKE_SEED", time.time_ns() % 1_000_000))
    print("seed", seed)  # which INTAKE_SEED brings back
    chance = random.Random(seed)
    pieces = [
        OPEN,
        frame(2, "syslog", line("a")),
        frame(3, "close"),
        b"0 rsp 0\n",
        b"4 syslog 99",
        b"\0",
        b" ",
        b"<13>",
        b"7",
    ]
    for _ in range(400):
        with intake.connect("relp") as sender, suppress(OSError):
            data = b"".join(chance.choices(pieces, k=chance.randrange(1, 9)))
            sender.sendall(bytes(b if chance.random() > 0.02 else chance.randrange(256) for b in data))
    with RelpSender("127.0.0.1", intake.ports["relp"]) as good:
        got: set[int] = set()
        good.send({1: line("good")}, got)
        assert got == {1}

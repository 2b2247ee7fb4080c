"""How ossec-intake takes a TCP stream apart: every message once, and none with another's text in it."""

import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.programs.intake import Intake, eventually, running


@pytest.fixture
def intake(intake_program: Path, tmp_path: Path) -> Iterator[Intake]:
    with running(intake_program, tmp_path, inputs=("udp", "tcp")) as one:
        yield one


def message(text: str) -> bytes:
    return f"<13>Nov 26 06:00:00 web1 app: {text}".encode()


def counted(data: bytes) -> bytes:
    return b"%d %b" % (len(data), data)


A, B, C = message("a"), message("b"), message("c")

# The bytes of a stream, and the messages that it holds.
STREAMS = {
    "LF": (A + b"\n" + B + b"\n", "a b"),
    "CR LF": (A + b"\r\n" + B + b"\r\n", "a b"),
    "NUL": (A + b"\0" + B + b"\0", "a b"),
    "NUL and LF": (A + b"\0\n" + B + b"\0\n", "a b"),
    "each another": (A + b"\n" + counted(B) + C + b"\0" + counted(A) + B + b"\r\n", "a b c a b"),
    "no end": (A + b"\n" + B, "a b"),
    "empty lines": (b"\n\n\r\n\0" + A + b"\n\n" + B, "a b"),
    "counted": (counted(A) + counted(B), "a b"),
    "counted, with LF inside the count": (counted(A + b"\n") + counted(B + b"\n"), "a b"),
    "counted, with LF behind the count": (counted(A) + b"\n" + counted(B) + b"\n", "a b"),
    "counted, of two lines": (counted(A + b"\n<13>Nov 26 06:00:00 web1 app: b") + counted(C), "b c"),
    "counted, cut short by the end": (counted(A) + counted(B)[:-1].replace(b"app: ", b"app: b"), "a b"),
    "count too small": (b"20 " + A + b"\n" + B + b"\n", "a b"),
    "count too small, counted neighbour": (b"20 " + A + counted(B) + counted(C), "a b c"),
    "count too large": (b"38 " + A + b"\n" + B + b"\n" + C + b"\n", "a b c"),
    "count far too large": (b"5000 " + A + b"\n" + B + b"\n", "a b"),
    "count beyond the limit": (b"900000 " + A + b"\n" + B + b"\n", "a b"),
    "count in characters, not bytes": (
        b"%d %b" % (len(message("äöü").decode()), message("äöü")) + counted(B),
        "äöü b",
    ),
}
TEXTS = {
    "a stamp": b"2026-11-26T06:00:00+00:00 web1 app: x",
    "a year": b"2026 Nov 26 06:00:00 web1 app: x",
    "a number": b"10 users logged in, app: x",
    "a long number": b"123456789012345678901234567890 app: x",
    "a number that is the line's length": b"14 users app: x",
    "a zero": b"0 users, app: x",
    "leading zeros": b"007 <13>app: x",
    "only digits, then the text": b"42, app: x",
}


# Byte by byte a count that is too small is believed: the next test is about that.
BELIEVED = ("too small", "characters")
WAYS = [
    (name, whole)
    for name in STREAMS
    for whole in (True, False)
    if whole or not any(words in name for words in BELIEVED)
]


@pytest.mark.parametrize(("name", "whole"), WAYS)
def test_a_stream_is_taken_apart(intake: Intake, name: str, whole: bool) -> None:
    stream, expected = STREAMS[name]
    with intake.connect("tcp") as sender:
        sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in [stream] if whole else [bytes([byte]) for byte in stream]:
            sender.sendall(part)
    intake.wait_lines(len(expected.split()))
    assert [text.split("#012")[0] for text in intake.texts()] == expected.split()
    assert intake.received("tcp") == len(expected.split())


@pytest.mark.parametrize("rest", [B + b"\n", B + b"\0", counted(B), counted(B) + counted(C)])
def test_a_count_too_small_at_the_end_of_what_is_there_costs_no_neighbour(
    intake: Intake, rest: bytes
) -> None:
    """What was taken is taken: the rest is a message of its own, and the next one is whole."""
    with intake.connect("tcp") as sender:
        sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sender.sendall(counted(C) + b"%d %b" % (len(A) - 6, A[:-6]))
        intake.wait_lines(2)
        sender.sendall(A[-6:-3])
        for byte in A[-3:] + (b"" if rest[:1].isdigit() else b"\n") + rest:
            sender.sendall(bytes([byte]))
    texts = intake.wait_lines(5 if C in rest else 4)
    assert texts[2].endswith(A[-6:].decode())
    assert [text[-1] for text in texts[3:]] == (["b", "c"] if C in rest else ["b"])
    assert B.decode()[4:] in texts[3]


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("place", ["alone", "first", "between", "last", "without an end"])
def test_a_line_that_begins_with_a_digit_is_a_line(intake: Intake, name: str, place: str) -> None:
    line = TEXTS[name]
    stream, expected = {
        "alone": (line + b"\n", "x"),
        "first": (line + b"\n" + A + b"\n", "x a"),
        "between": (A + b"\n" + line + b"\n" + B + b"\n", "a x b"),
        "last": (A + b"\n" + line + b"\n", "a x"),
        "without an end": (A + b"\n" + line, "a x"),
    }[place]
    intake.send("tcp", stream)
    intake.wait_lines(len(expected.split()))
    assert intake.texts() == expected.split()
    if name not in ("a stamp", "a year"):  # which are put into another form
        assert any(line.split(b" ")[0].decode() in one for one in intake.lines())


def test_counted_messages_without_a_priority(intake: Intake) -> None:
    intake.send("tcp", counted(b"first app: x") + counted(b"second app: y"))
    assert [text[-1] for text in intake.wait_lines(2)] == ["x", "y"]
    with intake.connect("tcp") as sender:  # one that said it counts is believed at once
        sender.sendall(counted(A) + counted(b"third app: zz"))
        assert [text[-2:] for text in intake.wait_lines(4)][3] == "zz"


def test_lines_are_taken_while_the_connection_stays(intake: Intake) -> None:
    with intake.connect("tcp") as sender:
        for n, stream in enumerate([A + b"\n", B + b"\0", counted(C), A + b"\r\n"], 1):
            sender.sendall(stream)
            intake.wait_lines(n)
    assert intake.texts() == ["a", "b", "c", "a"]


def test_a_count_that_is_wrong_holds_nothing_back_for_ever(intake: Intake) -> None:
    with intake.connect("tcp") as sender:
        sender.sendall(b"5000 " + A + b"\n" + B + b"\n")
        intake.wait_lines(2)  # after 10 s without more
        sender.sendall(C + b"\n")
        intake.wait_lines(3)
    assert intake.texts() == ["a", "b", "c"]


@pytest.mark.parametrize("framing", ["line", "counted", "NUL"])
def test_a_message_over_the_limit_is_one_cut_event(intake: Intake, framing: str) -> None:
    forged = message("x" * 200_000 + " <13>Nov 26 06:00:00 web1 app: forged " + "y" * 70_000)
    if framing == "counted":
        forged = forged.replace(b" <13>", b"\n<13>").replace(
            b" forged", b" 41 <13>Nov 26 06:00:00 web1 app: forged"
        )
        intake.send("tcp", counted(forged) + counted(B))
    else:
        end = b"\n" if framing == "line" else b"\0"
        intake.send("tcp", forged + end + B + end)
    lines = intake.wait_lines(2)
    assert len(lines) == 2
    assert "forged" not in "".join(lines)
    assert intake.texts()[1] == "b"
    assert len(lines[0]) <= 6143
    assert intake.get("cut") == 1
    said = "1 messages were longer than the 6143 bytes that the engine reads, and cut"
    eventually(lambda: said in intake.log(), "the log")  # told of when the lines are in the journal


def test_what_was_sent_before_a_reset_is_taken(intake: Intake) -> None:
    sender = intake.connect("tcp")
    sender.sendall(A + b"\n" + B)
    eventually(lambda: intake.texts() == ["a"], "the whole line")
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sender.close()
    intake.wait_lines(2)
    assert intake.texts() == ["a", "b"]


def test_a_datagram_is_one_message(intake: Intake) -> None:
    for data in (
        A,
        B + b"\n",
        C + b"\r\n",
        A + b"\0",
        b"",
        b"\n",
        message("two\nlines"),
        message("x" * 60_000),
    ):
        intake.datagram(data)
    lines = intake.wait_lines(6)
    assert intake.texts()[:5] == ["a", "b", "c", "a", "two#012lines"]
    assert len(lines) == 6
    assert (intake.received("udp"), intake.get("cut")) == (6, 1)


def test_lines_of_many_connections_do_not_mix(intake: Intake) -> None:
    senders = [intake.connect("tcp") for _ in range(50)]
    for part in range(10):
        for n, sender in enumerate(senders):
            sender.sendall(message(f"{n}-{part}-" + "x" * 300)[:100])
        for n, sender in enumerate(senders):
            sender.sendall(message(f"{n}-{part}-" + "x" * 300)[100:] + b"\n")
    lines = intake.wait_lines(500)
    for sender in senders:
        sender.close()
    assert sorted(text.split("-x")[0] for text in intake.texts()) == sorted(
        f"{n}-{part}" for n in range(50) for part in range(10)
    )
    assert len({len(line.partition("-x")[2]) for line in lines}) == 1


def test_a_line_waits_for_no_more_than_milliseconds(intake: Intake) -> None:
    began = time.monotonic()
    for n in range(100):
        intake.datagram(A)
        while intake.received("udp") <= n:
            assert time.monotonic() - began < 10  # 100 ms each, on a machine that has much else to do


def test_idle_it_turns_no_more_than_now_and_then(intake: Intake) -> None:
    intake.datagram(A)
    intake.wait_lines(1)
    beat, before = intake.get("beat"), intake.cpu()
    began = time.monotonic()
    time.sleep(2)
    assert 1 <= intake.get("beat") - beat <= 3 + time.monotonic() - began
    assert intake.cpu() - before < 0.025  # counted in hundredths of a second

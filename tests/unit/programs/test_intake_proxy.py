"""Behind a balancer or a relay: whose line it is, who may say so, and what becomes of broken headers."""

import os
import socket
import ssl
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import loopback
from tests.unit.conftest import Once
from tests.unit.programs.intake import DOCKER, Intake, compiled, eventually, running
from tests.unit.programs.test_intake_sources import closed, line

BALANCER = "127.0.0.3"
RELAY = "127.0.0.4"
STRANGER = "127.0.0.2"
NETWORKS = "203.0.113.0/24\n2001:db8::/32\n"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
NOBODY = "-"


def v1(source: str, family: str = "TCP4", destination: str = "192.0.2.10") -> bytes:
    return f"PROXY {family} {source} {destination} 40022 514\r\n".encode()


def v2(
    source: str | None,
    *,
    command: int = 0x21,
    family: int | None = None,
    more: bytes = b"",
    length: int | None = None,
) -> bytes:
    addresses = b""
    if source is not None:
        kind = socket.AF_INET6 if ":" in source else socket.AF_INET
        addresses = socket.inet_pton(kind, source) * 2 + struct.pack("!HH", 40022, 514)
    if family is None:
        family = 0 if source is None else 0x21 if ":" in source else 0x11
    rest = addresses + more
    return SIGNATURE + struct.pack("!BBH", command, family, len(rest) if length is None else length) + rest


# A type, a length and a value each: an authority, a unique id, and TLS's with a subtype in it.
TLVS = b"\x02\x00\x0bexample.org" + b"\x05\x00\x04abcd" + b"\x20\x00\x0f\x01\0\0\0\0\x21\x00\x07TLSv1.3"
HEADERS = {
    v1("203.0.113.7"): "203.0.113.7",
    v1("2001:db8::7", "TCP6", "2001:db8::1"): "2001:db8::7",
    v1("::ffff:203.0.113.7", "TCP6", "::1"): "203.0.113.7",
    v1("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "TCP6", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"): "ffff:",
    b"PROXY UNKNOWN\r\n": NOBODY,
    b"PROXY UNKNOWN 203.0.113.7 192.0.2.10 40022 514\r\n": NOBODY,
    v2("203.0.113.7"): "203.0.113.7",
    v2("2001:db8::7"): "2001:db8::7",
    v2("203.0.113.7", family=0x12): "203.0.113.7",
    v2("203.0.113.7", more=TLVS): "203.0.113.7",
    v2("2001:db8::7", more=TLVS + b"\x04\xff\x00" + bytes(0xFF00)): "2001:db8::7",
    v2("203.0.113.7", more=b"\x02\xff\xffno such length"): "203.0.113.7",
    v2("203.0.113.7", command=0x20): NOBODY,
    v2(None, command=0x20): NOBODY,
    v2(None): NOBODY,
    v2(None, family=0x31, more=bytes(216)): NOBODY,
}
BROKEN = {
    "no header": line("none") + b"\n",
    "counted": b"20 <13>Nov 26 06:00:00 x",
    "lower case": b"proxy TCP4 203.0.113.7 192.0.2.10 1 2\r\n",
    "no CR": b"PROXY TCP4 203.0.113.7 192.0.2.10 1 2\n",
    "a CR within": b"PROXY TCP4 203.0.113.7 192.0.2.10 1\r2\r\n",
    "a NUL": b"PROXY TCP4 203.0.113.7\0 192.0.2.10 1 2\r\n",
    "two spaces": b"PROXY TCP4  203.0.113.7 192.0.2.10 1 2\r\n",
    "a word too few": b"PROXY TCP4 203.0.113.7 192.0.2.10 1\r\n",
    "a word too many": b"PROXY TCP4 203.0.113.7 192.0.2.10 1 2 3\r\n",
    "a space at the end": b"PROXY TCP4 203.0.113.7 192.0.2.10 1 2 \r\n",
    "a port too large": b"PROXY TCP4 203.0.113.7 192.0.2.10 65536 2\r\n",
    "a port with zeros": b"PROXY TCP4 203.0.113.7 192.0.2.10 01 2\r\n",
    "a port with a sign": b"PROXY TCP4 203.0.113.7 192.0.2.10 +1 2\r\n",
    "a name": b"PROXY TCP4 localhost 192.0.2.10 1 2\r\n",
    "a zone": b"PROXY TCP6 fe80::1%lo fe80::2 1 2\r\n",
    "the other family": b"PROXY TCP6 203.0.113.7 192.0.2.10 1 2\r\n",
    "an address in octal": b"PROXY TCP4 0203.0.113.7 192.0.2.10 1 2\r\n",
    "an unknown family": b"PROXY UDP4 203.0.113.7 192.0.2.10 1 2\r\n",
    "too long": b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n",
    "endless": b"PROXY UNKNOWN " + b"x" * 5000,
    "version 3": SIGNATURE + b"\x31\x11\x00\x0c" + bytes(12),
    "an unknown command": v2("203.0.113.7", command=0x22),
    "a family that is none": v2("203.0.113.7", family=0x13),
    "addresses too short for IPv4": v2(None, family=0x11, more=bytes(11)),
    "addresses too short for IPv6": v2("203.0.113.7", family=0x21),
    "another signature": b"\r\n\r\n\0\r\nQUIX\n" + bytes(20),
}


@pytest.fixture(scope="module")
def header(once: Once) -> Path:
    harness = Path(__file__).parent / "harness" / "proxy.c"
    return once("proxy", lambda folder: compiled(folder, harness, DOCKER / "intake" / "proxy.c"))


def test_headers_are_read(header: Path) -> None:
    for bytes_, address in HEADERS.items():
        said = subprocess.run([header], input=bytes_, capture_output=True, check=True).stdout.decode().split()
        assert int(said[0]) == len(bytes_), bytes_[:60]
        assert said[1].removeprefix("::ffff:").startswith(address), bytes_[:60]


def test_broken_headers_are_none(header: Path) -> None:
    for name, bytes_ in BROKEN.items():
        said = subprocess.run([header], input=bytes_, capture_output=True, check=True).stdout
        assert said == b"-1 -\n", name


def test_random_headers(header: Path) -> None:
    seed = os.environ.get("INTAKE_SEED", str(time.time_ns() % 1_000_000))  # a failure's output names it
    seconds = os.environ.get("INTAKE_FUZZ_SECONDS", "3")
    done = subprocess.run([header, seconds, seed], capture_output=True, text=True)
    assert done.returncode == 0, f"INTAKE_SEED={seed}\n{done.stderr[:4000]}"
    assert int(done.stdout) > 1000


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return loopback.certificates(tmp_path_factory.mktemp("tls"), server="localhost", client="localhost")


@pytest.fixture
def intake(intake_program: Path, tmp_path: Path, certificates: Path) -> Iterator[Intake]:
    (tmp_path / "proxies").write_text(f"{BALANCER}\n127.0.0.1\n")
    (tmp_path / "relays").write_text(f"{RELAY}\n203.0.113.200\n")
    options = [f"--proxies={tmp_path / 'proxies'}", f"--relays={tmp_path / 'relays'}"]
    options += [f"--certificate={certificates / 'server.crt'}", f"--key={certificates / 'server.key'}"]
    inputs = ("udp", "tcp", "tls", "relp")
    with running(intake_program, tmp_path, *options, networks=NETWORKS, inputs=inputs) as one:
        yield one


def by_balancer(intake: Intake, bytes_: bytes, name: str = "tcp", pieces: int = 0) -> None:
    with intake.connect(name, BALANCER) as sender:
        sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(bytes_), pieces or len(bytes_)):
            sender.sendall(bytes_[at : at + (pieces or len(bytes_))])
            if pieces:
                time.sleep(0.002)


def locations(intake: Intake) -> list[str]:
    return [one.split(":")[1] for one in intake.lines()]


@pytest.mark.parametrize("pieces", [0, 1, 7])
def test_the_sender_is_the_one_in_the_header(intake: Intake, pieces: int) -> None:
    sent = {
        bytes_: of for bytes_, of in HEADERS.items() if of.startswith(("203", "2001")) and len(bytes_) < 1000
    }
    for number, bytes_ in enumerate(sent):
        by_balancer(intake, bytes_ + line(number) + b"\n", pieces=pieces)
        intake.wait_lines(number + 1)
    assert locations(intake) == [address.replace(":", "-") for address in sent.values()]
    assert intake.texts() == [str(number) for number in range(len(sent))]
    assert intake.get("refused") == 0


def test_a_header_of_the_longest_length(intake: Intake) -> None:
    by_balancer(intake, v2("203.0.113.7", more=b"\x04\xff\xf0" + bytes(0xFFF0)) + line("long") + b"\n")
    intake.wait_lines(1)
    assert (locations(intake), intake.texts()) == (["203.0.113.7"], ["long"])


def test_a_broken_header_ends_the_connection_and_no_line_is_taken(intake: Intake) -> None:
    for bytes_ in BROKEN.values():
        with intake.connect("tcp", BALANCER) as sender:
            sender.sendall(bytes_ + line("never") + b"\n")
            assert closed(sender)
    assert intake.get("refused") == len(BROKEN)
    said = "connections of OSSEC_TRUSTED_PROXIES closed, the last from 127.0.0.3: it does not begin with a PROXY header"
    eventually(lambda: said in intake.log(), "the log")
    assert intake.lines() == []
    eventually(lambda: intake.get("connections") == 0, "their end")


def test_a_header_that_does_not_end_is_given_up(intake: Intake) -> None:
    with intake.connect("tcp", BALANCER) as half, intake.connect("tcp", BALANCER) as silent:
        half.sendall(v2("203.0.113.7")[:20])
        ended = intake.connect("tcp", BALANCER)
        ended.sendall(b"PROXY TCP4 ")
        ended.close()
        eventually(lambda: intake.get("refused") == 1, "the count")
        before, beat = intake.cpu(), intake.get("beat")
        time.sleep(8)
        assert intake.cpu() - before < 0.1  # what is there of a header does not keep it awake
        assert intake.get("beat") - beat < 40
        assert closed(half)
        assert closed(silent)
    assert intake.get("refused") == 3


def test_allowed_networks_hold_for_the_sender_and_not_for_the_balancer(intake: Intake) -> None:
    for name in ("tcp", "tls", "relp"):
        for bytes_ in (v1("198.51.100.7"), v2("198.51.100.7"), v2("::1"), v1("127.0.0.1"), v2("127.0.0.5")):
            with intake.connect(name, BALANCER) as sender:
                sender.sendall(bytes_ + line("never") + b"\n")
                assert closed(sender)
    assert intake.get("refused") == 15
    assert "the last from 198.51.100.7, which is not in OSSEC_ALLOWED_IPS" in intake.log()
    assert intake.lines() == []


@pytest.mark.parametrize(
    "bytes_",
    [
        v1(BALANCER),
        v2(BALANCER),
        b"PROXY UNKNOWN\r\n",
        v2(None, command=0x20),
        v2("203.0.113.7", command=0x20),
        b"",
    ],
)
def test_the_balancers_own_check_is_no_sender(intake: Intake, bytes_: bytes) -> None:
    with intake.connect("tcp", BALANCER) as sender:
        sender.sendall(bytes_)
        sender.shutdown(socket.SHUT_WR)
        assert closed(sender)
    with intake.connect("tcp", BALANCER) as sender:
        sender.sendall(bytes_ + line("never") + b"\n")
        assert closed(sender)
    assert intake.lines() == []
    assert intake.get("refused") == (0 if bytes_ else 1)


def test_nobody_else_can_name_an_address(intake: Intake) -> None:
    for name in ("tcp", "relp"):
        with intake.connect(name, STRANGER) as sender:
            sender.sendall(v1("203.0.113.7") + line("never") + b"\n")
            assert closed(sender)
    intake.datagram(v1("203.0.113.7") + line("never"), STRANGER)
    intake.datagram(v2("203.0.113.7") + line("never"), STRANGER)
    eventually(lambda: intake.get("refused") == 4, "the count")
    # One who may send gives its own address whatever it writes: the header is text of its line.
    intake.send("tcp", v1("203.0.113.7") + line("own") + b"\n")
    # A second header behind the balancer's is the sender's text, too.
    by_balancer(intake, v1("203.0.113.7") + v1("203.0.113.9") + line("second") + b"\n")
    intake.wait_lines(4)
    assert sorted(locations(intake)) == ["127.0.0.1"] * 2 + ["203.0.113.7"] * 2


def test_behind_a_balancer_the_health_check_still_comes_without_a_header(intake: Intake) -> None:
    intake.send("tcp", line("own") + b"\n")
    intake.wait_lines(1)
    assert locations(intake) == ["127.0.0.1"]  # it is in the list of balancers


def test_tls_and_relp_begin_behind_the_header(intake: Intake, certificates: Path) -> None:
    context = ssl.create_default_context(cafile=certificates / "ca.crt")
    for pieces in (0, 5):
        with intake.connect("tls", BALANCER) as plain:
            header = v2("203.0.113.7", more=TLVS)
            for at in range(0, len(header), pieces or len(header)):
                plain.sendall(header[at : at + (pieces or len(header))])
            with context.wrap_socket(plain, server_hostname="localhost") as sender:
                sender.sendall(line(f"over TLS {pieces}") + b"\n")
                intake.wait_lines(1 if pieces == 0 else 2)
    with intake.connect("relp", BALANCER) as sender, intake.engine():
        message = line("over RELP")
        sender.sendall(v1("2001:db8::7", "TCP6", "::1") + b"1 open 15 commands=syslog\n")
        sender.sendall(b"2 syslog %d %s\n" % (len(message), message))
        answers = b""
        while b"2 rsp" not in answers:
            answers += sender.recv(1000)
    assert locations(intake) == ["203.0.113.7", "203.0.113.7", "2001-db8--7"]
    assert intake.texts() == ["over TLS 0", "over TLS 5", "over RELP"]


def test_places_are_counted_for_the_real_sender(intake_program: Path, tmp_path: Path) -> None:
    (tmp_path / "proxies").write_text(BALANCER)
    options = (f"--proxies={tmp_path / 'proxies'}", "--max-connections=6", "--max-per-source=2")
    with running(intake_program, tmp_path, *options, networks=NETWORKS) as intake:
        held = [intake.connect("tcp", BALANCER) for _ in range(6)]
        for number, sender in enumerate(held[:3]):
            sender.sendall(v1(f"203.0.113.{number // 2}") + line(number) + b"\n")
        intake.wait_lines(3)
        with intake.connect("tcp", BALANCER) as more:  # three that are named, three that are not yet
            assert closed(more)
        assert intake.get("limited") == 1
        held[3].sendall(v1("203.0.113.0") + line("too many") + b"\n")
        assert closed(held[3])
        said = "the last from 203.0.113.0, which has as many open"
        eventually(lambda: said in intake.log(), "the log")
        held[4].sendall(v1("203.0.113.1") + line("the second of .1") + b"\n")
        assert intake.wait_lines(4)
        for one in held:
            one.close()


def test_what_a_balancer_has_sent_is_taken_at_the_end(intake: Intake) -> None:
    intake.process.send_signal(19)  # SIGSTOP
    for number in range(20):
        by_balancer(intake, v1("203.0.113.7") + line(number) + b"\n")
    intake.process.terminate()
    intake.process.send_signal(18)
    assert intake.process.wait(30) == 0
    assert intake.texts() == [str(number) for number in range(20)]


RELAYED = [
    (b"<13>Nov 26 06:00:00 203.0.113.7 app: {}", "203.0.113.7"),
    (b"<13>1 2026-11-26T06:00:00Z 203.0.113.7 app - - - app: {}", "203.0.113.7"),
    (b"<13>2026-11-26T06:00:00.123+01:00 203.0.113.7 app: {}", "203.0.113.7"),
    (b"<13>Nov 26 06:00:00 2001:db8::7 app: {}", "2001-db8--7"),
    # What the sender wrote behind it does not count, whatever it looks like.
    (b"<13>Nov 26 06:00:00 203.0.113.7 Nov 26 05:59:59 203.0.113.9 app: {}", "203.0.113.7"),
    (b"<13>Nov 26 06:00:00 203.0.113.7 Message forwarded from 203.0.113.9: app: {}", "203.0.113.7"),
]
NOT_RELAYED = [
    b"<13>Nov 26 06:00:00 198.51.100.7 app: never",  # not allowed
    b"<13>Nov 26 06:00:00 127.0.0.1 app: never",  # the health check's address, which it may have from a socket only
    b"<13>Nov 26 06:00:00 web1 app: never",  # the relay's own, which is not allowed
    b"<13>203.0.113.7 app: never",
    b"<13>app: never 203.0.113.7",
    b"<13>Nov 26 06:00:00 web1 Nov 26 06:00:00 203.0.113.7 app: never",
    b"<13>Nov 26 06:00:00 203.0.113.7x app: never",
    b"<13>Nov 26 06:00:00 203.0.113 app: never",
    b"<13>Nov 26 06:00:00 " + b"2" * 5000,
    b"PROXY TCP4 203.0.113.7 192.0.2.10 1 2\r\n",
]


def test_a_trusted_relays_lines_are_those_of_the_host_that_it_names(intake: Intake) -> None:
    for number, (text, _) in enumerate(RELAYED):
        intake.datagram(text.replace(b"{}", b"%d" % number), RELAY)
    intake.wait_lines(len(RELAYED))
    with intake.connect("tcp", RELAY) as sender:
        for number, (text, _) in enumerate(RELAYED):
            sender.sendall(text.replace(b"{}", b"%d" % number) + b"\n")
    intake.wait_lines(2 * len(RELAYED))
    assert locations(intake) == [address for _, address in RELAYED] * 2
    assert intake.get("refused") == 0


def test_a_trusted_relay_can_pass_on_those_that_may_send_and_no_others(intake: Intake) -> None:
    for text in NOT_RELAYED:
        intake.datagram(text, RELAY)
    eventually(lambda: intake.get("refused") == len(NOT_RELAYED), "the count")
    with intake.connect("tcp", RELAY) as sender:
        sender.sendall(b"\n".join(NOT_RELAYED[:-1]) + b"\n" + RELAYED[0][0] + b"\n")
        intake.wait_lines(1)
    assert intake.get("refused") == 2 * len(NOT_RELAYED) - 1
    assert locations(intake) == ["203.0.113.7"]


def test_nobody_else_is_taken_for_a_relay(intake: Intake) -> None:
    intake.datagram(RELAYED[0][0], STRANGER)
    eventually(lambda: intake.get("refused") == 1, "the count")
    intake.datagram(RELAYED[0][0])  # allowed: its own
    by_balancer(intake, v1("203.0.113.8") + RELAYED[0][0] + b"\n")
    intake.wait_lines(2)
    by_balancer(intake, v1("203.0.113.200") + RELAYED[0][0] + b"\n")  # a relay, by the balancer's word
    intake.wait_lines(3)
    assert locations(intake) == ["127.0.0.1", "203.0.113.8", "203.0.113.7"]


def test_a_wrong_list_is_told_of(intake_program: Path, tmp_path: Path) -> None:
    (tmp_path / "networks").write_text("10.0.0.0/8\n")
    (tmp_path / "wrong").write_text("balancer1\n")
    for option in ("--proxies", "--relays"):
        command = [str(intake_program), "--check", "--networks", "networks", option, "wrong"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 78
        assert done.stderr == "ossec-log-server: 'balancer1' is a name; write the addresses that it has\n"

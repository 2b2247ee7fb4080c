"""Who may send, how much one may take, and what becomes of those who may not."""

import resource
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.unit.conftest import Once
from tests.unit.programs.intake import DOCKER, Intake, compiled, eventually, free_port, running

PLAIN = ("udp", "tcp", "relp")
STRANGER = "127.0.0.2"


def line(text: object) -> bytes:
    return f"<13>Nov 26 06:00:00 web1 app: {text}".encode()


@pytest.fixture
def intake(intake_program: Path, tmp_path: Path) -> Iterator[Intake]:
    with running(intake_program, tmp_path, networks="192.0.2.0/24\n", inputs=PLAIN) as one:
        yield one


def closed(sender: socket.socket) -> bool:
    """Whether the server has closed it, in 30 s."""
    sender.settimeout(30)
    try:
        return sender.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


@pytest.mark.parametrize("name", ["tcp", "relp"])
def test_a_stranger_is_closed_at_accept(intake: Intake, name: str) -> None:
    """D17."""
    with intake.connect(name, STRANGER) as sender:
        with suppress(OSError):
            sender.sendall(line("never") + b"\n")
        assert closed(sender)
    eventually(lambda: intake.get("refused") == 1, "the count")
    said = "1 connections or datagrams refused, the last from 127.0.0.2, which is not in OSSEC_ALLOWED_IPS"
    eventually(lambda: said in intake.log(), "the log")
    assert intake.lines() == []


def test_a_strangers_datagram_is_refused_and_ours_taken(intake: Intake) -> None:
    for n in range(5):
        intake.datagram(line(n), STRANGER)
    intake.datagram(line("own"))
    intake.wait_lines(1)
    assert intake.texts() == ["own"]
    eventually(lambda: intake.get("refused") == 5, "the count")
    # The others are told of in a minute.
    eventually(lambda: intake.log().count("refused") == 1, "the log's word of it")


def test_a_stranger_takes_no_places_and_no_time(intake_program: Path, tmp_path: Path) -> None:
    options = ("--max-connections", "20", "--max-per-source", "20")
    with running(intake_program, tmp_path, *options, networks="192.0.2.0/24", inputs=PLAIN) as intake:
        for _ in range(200):
            with suppress(OSError):
                intake.connect("tcp", STRANGER).close()
        before = intake.cpu()
        time.sleep(1)
        assert intake.cpu() - before < 0.1
        intake.send("tcp", line("own"))
        intake.wait_lines(1)
        assert intake.get("connections") == 0
        assert (intake.get("refused"), intake.get("limited")) == (200, 0)


def test_one_source_cannot_take_all_places(intake_program: Path, tmp_path: Path) -> None:
    options = ("--max-connections", "30", "--max-per-source", "10")
    with running(intake_program, tmp_path, *options, inputs=PLAIN) as intake, ExitStack() as stack:
        held = [stack.enter_context(intake.connect("tcp", STRANGER)) for _ in range(10)]
        for _ in range(3):
            with intake.connect("tcp", STRANGER) as more:
                assert closed(more)
        assert intake.get("limited") == 3
        assert (
            "the last from 127.0.0.2, which has as many open as OSSEC_MAX_CONNECTIONS_PER_SOURCE"
            in intake.log()
        )
        intake.send("tcp", line("another"))
        held.pop().close()
        eventually(lambda: intake.get("connections") == 9, "the place")
        with intake.connect("tcp", STRANGER) as again:
            again.sendall(line("again") + b"\n")
            intake.wait_lines(2)
        assert intake.texts() == ["another", "again"]


def test_when_all_places_are_taken_who_never_spoke_makes_room(intake_program: Path, tmp_path: Path) -> None:
    options = ("--max-connections", "4", "--max-per-source", "4")
    with running(intake_program, tmp_path, *options, inputs=PLAIN) as intake, ExitStack() as stack:
        speaker = stack.enter_context(intake.connect("tcp", STRANGER))
        speaker.sendall(line("speaks") + b"\n")
        intake.wait_lines(1)
        silent = [stack.enter_context(intake.connect("tcp", STRANGER)) for _ in range(3)]
        eventually(lambda: intake.get("connections") == 4, "the connections")
        with intake.connect("tcp") as early:
            assert closed(early)  # they have been silent for less than 10 s
        told = "connections closed, the last from 127.0.0.1, as OSSEC_MAX_CONNECTIONS are open"
        eventually(lambda: told in intake.log(), "the message")
        time.sleep(10)
        speaker.sendall(line("again") + b"\n")  # who speaks now and then is not silent
        intake.wait_lines(2)
        with intake.connect("tcp") as late:
            late.sendall(line("late") + b"\n")
            intake.wait_lines(3)
            assert closed(silent[0])
        speaker.sendall(line("still") + b"\n")
        intake.wait_lines(4)
        assert intake.texts() == ["speaks", "again", "late", "still"]


def test_connections_are_kept_alive(intake: Intake) -> None:
    """D7."""
    with intake.connect("tcp"), intake.connect("relp"):
        eventually(lambda: intake.get("connections") == 2, "the connections")
        shown = subprocess.run(["ss", "-tnoH", "state", "established"], capture_output=True, text=True).stdout
        ours = [
            words
            for words in shown.splitlines()
            if any(f":{intake.ports[name]} " in words.rsplit("127.0.0.1", 1)[0] for name in ("tcp", "relp"))
        ]
        assert len(ours) == 2
        assert all("timer:(keepalive" in words for words in ours)


def test_it_says_when_fewer_connections_fit_than_it_was_told(intake_program: Path, tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, before[1]))
    command = [str(intake_program), "--journal", "j", "--networks", "networks", "--limit", "1000000"]
    command += ["--max-per-source", "4096", "--tcp", str(port := free_port())]
    try:  # the soft limit is no matter, the hard one is
        with running(intake_program, tmp_path, inputs=PLAIN) as intake:
            assert "fit into the limit" not in intake.log()
        limited = subprocess.Popen(
            ["prlimit", "--nofile=200:200", *command],
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    with limited:
        eventually(lambda: connects(port), "the port")
        with ExitStack() as stack:
            for _ in range(136):
                stack.enter_context(socket.create_connection(("127.0.0.1", port), 5))
            with socket.create_connection(("127.0.0.1", port), 5) as more:
                assert closed(more)
        limited.terminate()
        _, said = limited.communicate(timeout=30)
    assert limited.returncode == 0
    assert (
        "136 connections fit into the limit of 200 open files, and not the 4096 of OSSEC_MAX_CONNECTIONS"
        in said
    )


def connects(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def test_without_descriptors_it_waits_and_says_so(intake_program: Path, tmp_path: Path) -> None:
    with running(intake_program, tmp_path, inputs=PLAIN) as intake, ExitStack() as stack:
        used = len(list(Path(f"/proc/{intake.process.pid}/fd").iterdir()))
        resource.prlimit(intake.process.pid, resource.RLIMIT_NOFILE, (used + 5, used + 5))
        senders = [stack.enter_context(intake.connect("tcp")) for _ in range(12)]
        eventually(lambda: intake.get("no_descriptors") >= 1, "the count")
        eventually(
            lambda: "times no connection could be accepted: Too many open files" in intake.log(), "the log"
        )
        before, beat = intake.cpu(), intake.get("beat")
        time.sleep(2)
        assert intake.cpu() - before < 0.1
        assert intake.get("beat") - beat < 20
        intake.datagram(line("udp goes on"))
        intake.wait_lines(1)
        for n, sender in enumerate(senders):
            sender.sendall(line(n) + b"\n")
            sender.close()
        intake.wait_lines(13)
        assert intake.log().count("no connection could be accepted") == 1


def test_ipv6_senders_are_named_with_dashes_and_refused_by_their_network(
    intake_program: Path, tmp_path: Path
) -> None:
    with running(intake_program, tmp_path, networks="::1\n", inputs=PLAIN) as intake:
        intake.datagram(line("six"), "::1")
        with intake.connect("tcp", "::1") as sender:
            sender.sendall(line("six by TCP"))
        intake.datagram(line("four"), STRANGER)
        intake.wait_lines(2)
        eventually(lambda: intake.get("refused") == 1, "the refusal")
        assert all(one.startswith("2:--1:") for one in intake.lines())
    (tmp_path / "other").mkdir()
    with running(
        intake_program, tmp_path / "other", networks="::2/127\n2001:db8::/32", inputs=PLAIN
    ) as intake:
        intake.datagram(line("six"), "::1")
        eventually(lambda: intake.get("refused") == 1, "the refusal")
        eventually(lambda: "the last from ::1, which is not" in intake.log(), "the log")


NETWORKS = [
    ("::/0", "2001:db8::1 ::1 fe80::1", "10.1.2.3 127.0.0.2"),
    ("0.0.0.0/0", "10.1.2.3 127.0.0.2", "2001:db8::1 ::1"),
    ("::ffff:10.0.0.0/104", "10.1.2.3", "11.0.0.1 ::a01:203"),
    ("::ffff:10.1.2.3", "10.1.2.3", "10.1.2.4"),
    (
        "10.0.0.0/8\n10.1.0.0/16\n11.0.0.0/8",
        "10.0.0.0 10.255.255.255 10.1.2.3 11.0.0.1",
        "9.255.255.255 12.0.0.0",
    ),
    ("10.1.2.3/31", "10.1.2.2 10.1.2.3", "10.1.2.1 10.1.2.4"),
    ("10.1.2.3/0", "0.0.0.0 255.255.255.255", "::1"),
    (
        "2001:db8:0:8000::/49",
        "2001:db8:0:8000::1 2001:db8:0:ffff:ffff:ffff:ffff:ffff",
        "2001:db8:0:7fff::1 2001:db8:1::",
    ),
    ("2001:db8::/65", "2001:db8::1 2001:db8::7fff:ffff:ffff:ffff", "2001:db8::8000:0:0:0"),
    ("2001:db8::7", "2001:db8::7", "2001:db8::6 2001:db8::8"),
    ("fe80::1%lo", "fe80::1%1", "fe80::1%2 fe80::2%1"),
    ("fe80::/10", "fe80::1%1 fe80::1%2", "fec0::1"),
    ("192.0.2.1", "192.0.2.1", ""),
]
HARNESS = r"""
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "networks.h"

/* LIST ADDRESS...: prints a 1 or a 0 for each. "speed": the CPU time that each of a million questions takes, in ns. */
int main(int argc, char **argv)
{
    char problem[512] = "";
    FILE *file = fopen(argv[1], "r");
    static struct networks *networks;

    networks = networks_read(file, problem, sizeof(problem));
    fclose(file);
    if (networks == NULL) {
        puts(problem);
        return 78;
    }
    for (int n = 2; n < argc; n++) {
        struct in6_addr address = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
        char *zone = strchr(argv[n], '%');

        if (strcmp(argv[n], "speed") == 0) {
            struct timespec from, to;
            unsigned held = 0;

            clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
            for (unsigned m = 0; m < 1000000; m++) {
                unsigned bits = htonl(m * 2654435761u);

                memcpy(address.s6_addr + 12, &bits, 4);
                held += networks_hold(networks, &address, 0);
            }
            clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
            printf("%ld %u\n", ((to.tv_sec - from.tv_sec) * 1000000000 + to.tv_nsec - from.tv_nsec) / 1000000, held);
            continue;
        }
        if (zone != NULL) {
            *zone++ = '\0';
        }
        if (inet_pton(AF_INET, argv[n], address.s6_addr + 12) != 1 && inet_pton(AF_INET6, argv[n], &address) != 1) {
            return 1;
        }
        printf("%d", networks_hold(networks, &address, zone ? strtoul(zone, NULL, 10) : 0));
    }
    networks_free(networks);
    return 0;
}
"""


@pytest.fixture(scope="module")
def lookup(once: Once) -> Path:
    def made(folder: Path) -> Path:
        (folder / "harness.c").write_text(HARNESS)
        return compiled(folder, folder / "harness.c", DOCKER / "intake" / "networks.c")

    return once("networks", made)


@pytest.mark.parametrize(("networks", "inside", "outside"), NETWORKS)
@pytest.mark.parametrize("with_others", [False, True])
def test_an_address_is_found_in_its_network_only(
    lookup: Path, tmp_path: Path, networks: str, inside: str, outside: str, with_others: bool
) -> None:
    others = (
        "".join(f"100.{n // 256}.{n % 256}.0/25\n2001:{n:x}::/48\n" for n in range(1, 3000))
        if with_others
        else ""
    )
    (tmp_path / "networks").write_text(f"{others}{networks}\n")
    asked = [*inside.split(), *([] if with_others and "2001:" in outside + inside else outside.split())]
    done = subprocess.run([lookup, tmp_path / "networks", *asked], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert done.stdout == "1" * len(inside.split()) + "0" * (len(asked) - len(inside.split()))


def test_ten_thousand_networks_cost_a_fraction_of_a_line(lookup: Path, tmp_path: Path) -> None:
    listed = "".join(f"{n % 200 + 1}.{n // 256}.{n % 256}.0/24\n" for n in range(10_000))
    (tmp_path / "networks").write_text(listed)
    done = subprocess.run([lookup, tmp_path / "networks", "speed"], capture_output=True, text=True)
    nanoseconds, held = map(int, done.stdout.split())
    assert held > 100
    assert nanoseconds < 2000  # with the sanitizers, and for addresses that were never asked for before


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (
            "10.0.0.0/33",
            "'10.0.0.0/33' has a wrong prefix length; write a number from 0 to 32 after the slash",
        ),
        ("10.0.0.0/", "'10.0.0.0/' has a wrong prefix length; write a number from 0 to 32 after the slash"),
        (
            "10.0.0.0/-1",
            "'10.0.0.0/-1' has a wrong prefix length; write a number from 0 to 32 after the slash",
        ),
        (
            "10.0.0.0/255.0.0.0",
            "'10.0.0.0/255.0.0.0' has a wrong prefix length; write a number from 0 to 32 after the slash",
        ),
        (
            "2001:db8::/129",
            "'2001:db8::/129' has a wrong prefix length; write a number from 0 to 128 after the slash",
        ),
        (
            "10.0.0",
            "'10.0.0' is not an address or network; write for example 10.0.0.0/8,192.0.2.7,2001:db8::/32",
        ),
        ("10.0.0.256", "'10.0.0.256' is not an address or network"),
        ("", "'' is not an address or network"),
        ("web1.example.org", "'web1.example.org' is a name; write the addresses that it has"),
        ("localhost", "'localhost' is a name; write the addresses that it has"),
        ("mail_1", "'mail_1' is a name; write the addresses that it has"),
        ("any", "'any' is not an address or network"),
        ("192.0.2.1-192.0.2.9", "'192.0.2.1-192.0.2.9' is not an address or network"),
        ("192.0.2.*", "'192.0.2.*' is not an address or network"),
        ('"192.0.2.1"', "'\"192.0.2.1\"' is not an address or network"),
        ("!192.0.2.1", "'!192.0.2.1' is not an address or network"),
        ("0x0a000001", "'0x0a000001' is not an address or network"),
        (
            "fe80::1%nothing",
            "'fe80::1%nothing' names an interface that is not here; leave out what is after the %",
        ),
        (
            "2001:db8::1%lo",
            "'2001:db8::1%lo' has a zone, which only link-local addresses (fe80::...) have; leave it out",
        ),
        ("10.0.0.1%lo", "'10.0.0.1%lo' is not an address or network"),
        ("x" * 400, "is a name"),
    ],
)
def test_what_is_no_network_is_said(intake_program: Path, tmp_path: Path, given: str, complaint: str) -> None:
    done = subprocess.run(
        [intake_program, "--check-networks"],
        input=f"10.0.0.0/8\n{given}\n192.0.2.1\n",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 78
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("ossec-log-server: ")
    assert complaint in done.stderr

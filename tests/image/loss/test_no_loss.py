"""Every alert arrives, counted by its id at every end: the archive, alerts.json, standard output, forward, mailbox.

Two rounds of few lines by default. For what the issue asks: `--rounds 20 --lines 60000 --release 3.8.0`.
"""

import random
import time
from collections import Counter

import docker
import pytest

from pipeline import image, server
from pipeline.console import out
from pipeline.server import Server, syslog
from pipeline.soak import drained, ends, events, staged
from pipeline.soak.events import Action, Stage
from pipeline.soak.lines import line
from pipeline.soak.report import table
from pipeline.soak.senders import RelpSender, Sender, TcpSender
from pipeline.soak.verdict import Verdict, judge
from pipeline.wait import WaitTimeout, wait_until
from tests.image.conftest import FROM_HERE
from tests.image.support.ledger import DATA, send, signal

RELP = {**FROM_HERE, "OSSEC_RELP": "yes"}
ENGINE = "bin/ossec-analysisd"
FULL_SECONDS = 15  # longer than any patience that a hand-over had

# What ends the server, and whether lines may come twice after it.
ENDS = {
    "stop": (events.stop(10), False),
    "engine killed": (events.kill("ossec-analysisd"), True),
    "container killed": (events.kill_container, True),
    "intake killed": (events.kill(events.INTAKE), True),
    "killed in the start": (events.kill_in_the_start, True),
}


@pytest.mark.parametrize("protocol", ["TCP", "RELP"])
@pytest.mark.parametrize("end", ENDS)
def test_no_alert_is_lost_under_load(
    ossec_image: image.Image, request: pytest.FixtureRequest, end: str, protocol: str
) -> None:
    """L1, L2."""
    rounds, lines = request.config.getoption("--rounds"), request.config.getoption("--lines")
    action, may_repeat = ENDS[end]
    with staged(ossec_image.name, random.Random(9)) as stage:
        kind: type[Sender] = RelpSender if protocol == "RELP" else TcpSender
        sender = kind("load", lambda: stage.address, only=rounds * lines)
        verdict = _interrupted(stage, sender, action, rounds, lines)
        out.print(table(verdict, f"{protocol}: {end}, {rounds} times"))
        assert not verdict.problems, "\n".join(verdict.problems)
        [one] = verdict.accounts
        assert one.archived > lines * rounds / 2
        if not may_repeat:
            assert not any(one.repeated.values()), one


def _interrupted(stage: Stage, sender: Sender, action: Action, rounds: int, lines: int) -> Verdict:
    """Let it happen once in each round, somewhere in the middle of its lines."""
    sender.until = lines
    sender.start()
    for number in range(rounds):
        sender.until = (number + 1) * lines  # the rest of this round's may come before and after the end
        enough = int((number + stage.random.uniform(0.1, 0.8)) * lines)
        wait_until(lambda: len(sender.sent) >= enough, 300, 0.002, "the load")  # noqa: B023
        events.happen(stage, action)
        wait_until(lambda: len(sender.sent) >= sender.until, 300, 0.01, "the rest of the round")
    sender.join()
    sender.finish()
    return judge([sender], drained(stage, [sender]), stage.events)


def acknowledged(server: Server, numbers: range) -> None:
    """Send these lines over RELP; return when all are acknowledged."""
    sender = RelpSender("before", lambda: server.address(), only=len(numbers))
    sender.start()
    sender.join(60)
    assert sender.acknowledged.unique("before") == len(numbers), sender.error


def printed_and_archived(
    server: Server, image_name: str, volume: str, count: int
) -> tuple[Counter[int], ...]:
    """How often each number of `acknowledged` is at the two, once all are there or after a time."""
    found: tuple[Counter[int], ...] = ()

    def all_there() -> bool:
        nonlocal found
        counters = server.counters()
        if counters["waiting_bytes"] or counters["print_waiting_bytes"]:
            return False  # the two cost the engine seconds to read
        tallies = [ends.printed(str(server.container.id)), ends.archived(image_name, volume)]
        found = tuple(Counter({n: one.times("before", n) for n in one.numbers("before")}) for one in tallies)
        return all(len(one) >= count for one in found)

    try:
        wait_until(all_there, 120, 1, f"{count} lines")
    except WaitTimeout as timeout:
        print(timeout)
    return found


@pytest.mark.parametrize("later", [RELP, FROM_HERE], ids=["RELP on", "RELP off"])
def test_what_waits_in_the_journal_is_analysed_without_a_new_line(
    client: docker.DockerClient, ossec_image: image.Image, volume: str, later: dict[str, str]
) -> None:
    """L4."""
    volumes = [f"{volume}:{DATA}"]
    with server.server(client, ossec_image.name, RELP, volumes=volumes) as first:
        first.wait_listening()
        signal(first, ENGINE, "STOP")
        acknowledged(first, range(500))
        first.container.kill()
        first.exit_code()
    with server.server(client, ossec_image.name, later, volumes=volumes) as second:
        second.wait_listening()
        printed, archived = printed_and_archived(second, ossec_image.name, volume, 500)
        assert (len(printed), len(archived)) == (500, 500)


def test_a_line_like_the_last_one_hides_none_before_it(
    client: docker.DockerClient, ossec_image: image.Image, volume: str
) -> None:
    """L3."""
    volumes = [f"{volume}:{DATA}"]
    same = b"<38>Nov 26 06:00:00 web1 app: the same line again"
    with server.server(client, ossec_image.name, FROM_HERE, volumes=volumes) as running:
        running.wait_listening()
        send(running.address(), [b"<38>Nov 26 06:00:00 web1 app: the first line", same])
        wait_until(lambda: archived_count_of(running, "the same line again") == 1, 30, what="the first line")
        signal(running, ENGINE, "STOP")
        before = running.counters()["received"]
        send(running.address(), [*(line("before", n) for n in range(6)), same])
        wait_until(lambda: running.counters()["received"] == before + 7, 30, what="the lines to be received")
        running.kill("ossec-analysisd")
        assert running.exit_code() == 137
        running.container.start()
        running.wait_listening()
        printed, archived = printed_and_archived(running, ossec_image.name, volume, 6)
        assert set(printed) == set(archived) == set(range(6))
        assert archived_count_of(running, "the same line again") >= 2


def archived_count_of(server: Server, text: str) -> int:
    return int(
        server.run("bash", "-c", f"grep -caF '{text}' {DATA}/logs/archives/archives.log || test $? = 1")
    )


DAEMONS = "grep -h '^Name:.*ossec' /proc/[0-9]*/status | sort"  # and not what they start for a moment


def test_a_full_journal_repeats_nothing_and_starts_nothing(
    client: docker.DockerClient, ossec_image: image.Image, volume: str
) -> None:
    """L5."""
    settings = {**RELP, "OSSEC_QUEUE_DISK": "16m"}
    # The health check would be seen among the processes.
    options = {"volumes": [f"{volume}:{DATA}"], **server.MUCH_OUTPUT}
    with server.server(client, ossec_image.name, settings, **options) as running:
        running.wait_listening()
        processes = running.run("bash", "-c", DAEMONS)
        signal(running, ENGINE, "STOP")
        count = 200_000
        sender = RelpSender("before", lambda: running.address(), only=count)
        sender.start()
        last = full_since = -1.0

        def stands() -> bool:
            """Whether nothing has been acknowledged for so long."""
            nonlocal last, full_since
            now = sender.acknowledged.unique("before")
            if now != last:
                last, full_since = now, time.monotonic()
            return time.monotonic() - full_since > FULL_SECONDS

        wait_until(stands, 180, 0.5, "a full journal")
        assert last < count, "the journal never was full: send more"
        assert running.run("bash", "-c", DAEMONS) == processes
        signal(running, ENGINE, "CONT")
        sender.join(300)
        assert not sender.is_alive()
        printed, archived = printed_and_archived(running, ossec_image.name, volume, count)
        for seen in (printed, archived):
            assert len(seen) == count
            # What the sender itself sent again after a break is its own repetition.
            again = sum(max(0, seen[n] - 1 - sender.resent.times("before", n)) for n in range(count))
            assert again == 0


def test_a_second_server_on_the_volume_is_refused(
    client: docker.DockerClient, ossec_image: image.Image, volume: str
) -> None:
    """L9."""
    volumes = [f"{volume}:{DATA}"]
    with server.server(client, ossec_image.name, FROM_HERE, volumes=volumes) as first:
        first.wait_listening()
        send(first.address(), [line("before", n) for n in range(10)])
        printed_and_archived(first, ossec_image.name, volume, 10)
        with server.server(client, ossec_image.name, FROM_HERE, volumes=volumes) as second:
            assert second.exit_code() not in (0, 137, 143)
            [complaint] = second.log().splitlines()
            assert complaint.startswith("ossec-log-server: ")
            assert DATA in complaint
            assert "in use" in complaint
            assert not second.alerts()
        send(first.address(), [line("before", n) for n in range(10, 20)])
        printed, archived = printed_and_archived(first, ossec_image.name, volume, 20)
        assert printed == archived == Counter(range(20))


def test_equal_lines_count_each(client: docker.DockerClient, ossec_image: image.Image, volume: str) -> None:
    """L11: The engine alone drops a line that equals one of the three before it."""
    lines = [*(line("before", n // 4) for n in range(400)), line("before", 100)]
    with server.server(client, ossec_image.name, FROM_HERE, volumes=[f"{volume}:{DATA}"]) as running:
        running.wait_listening()
        send(running.address(), lines)
        expected = Counter({**dict.fromkeys(range(100), 4), 100: 1})
        printed, archived = printed_and_archived(running, ossec_image.name, volume, 101)
        assert archived == expected
        assert printed == expected


def test_a_firewall_event_with_a_field_missing_is_archived(
    client: docker.DockerClient, ossec_image: image.Image
) -> None:
    """L11."""
    texts = [
        "DROP IN=eth0 OUT= SRC=192.0.2.7 LEN=28 PROTO=ICMP TYPE=8 mark{:04d}",  # no destination
        "DROP IN=eth0 OUT= MAC=00:08 LEN=28 mark{:04d}",  # no address at all
        "DROP IN=eth0 OUT= SRC=192.0.2.7 DST=192.0.2.8 LEN=28 TOS=0x00 mark{:04d}",  # no protocol
    ]
    with server.server(client, ossec_image.name, FROM_HERE) as running:
        running.wait_listening()
        lines = [texts[n % 3].format(n) for n in range(30)]
        send(running.address(), [syslog.message(text, pri=4, tag="kernel").encode() for text in lines])
        send(running.address(), [line("before", 0)])
        wait_until(lambda: archived_count_of(running, "soak_before_00000000"), 30, what="the last line")
        assert archived_count_of(running, "DROP IN=eth0") == 30

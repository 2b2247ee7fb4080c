"""What is promised when something fails under load. Each test tells what was promised, sent, analysed and lost."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import docker
import pytest

from pipeline import image
from pipeline.server import Server, syslog
from pipeline.server import server as run_server
from pipeline.wait import wait_until
from tests.image.conftest import FROM_HERE
from tests.image.support.ledger import (
    DATA,
    DAYS,
    FAKE_CLOCK,
    come_and_go,
    drained,
    fake_clock,
    memory,
    numbered,
    resources,
    restart,
    send,
    sending,
    settle,
    signal,
    stopped,
    stuck,
    wait_all,
)
from tests.image.support.relp import RelpSender
from tests.image.support.volumes import memory_volume

# What each is called by, and whether a line goes through it.
DAEMONS = {
    "ossec-intake": ("ossec-intake --journal", True),
    "ossec-analysisd": ("bin/ossec-analysisd", True),
    "ossec-output": ("ossec-output stdout", False),
    "ossec-monitord": ("bin/ossec-monitord", False),
}


BATCH = 64  # lines that a killed engine may analyse again: docker/shim/engine.c
JOURNAL_AT_REST = 9 << 20  # bytes: of two segments at most
COMPLAINTS = {
    "ossec-intake": "ossec-intake does not move",
    "ossec-analysisd": "ossec-analysisd does not get on",
}


def journal_size(server: Server) -> int:
    """Bytes. Files come and go while they are counted, which `du` and `find` complain of."""
    journal = f"{DATA}/queue/journal"
    code, said = server.answer("bash", "-c", f"stat --format %s {journal}/* 2>/dev/null; [[ -d {journal} ]]")
    assert code == 0, said
    return sum(map(int, said.split()))


def alerts(server: Server, text: str) -> int:
    """How many alerts about that text are on standard output."""
    return sum(text in one["full_log"] for one in server.alerts())


@pytest.mark.parametrize("daemon", DAEMONS)
def test_a_daemon_that_hangs_under_load_costs_nothing(server: Server, daemon: str) -> None:
    command, on_the_way = DAEMONS[daemon]
    count = 100_000 if daemon == "ossec-analysisd" else 50_000
    # So many and so long that what waits for the engine is more than the journal holds before it grows.
    lines = numbered(daemon, range(count), 600 if daemon == "ossec-analysisd" else 0)
    alert = f"Failed password for {daemon} from 203.0.113.7 port 22 ssh2"
    # Stopped by the container's own shell: a command from outside may come when the engine has read it all.
    begun = f"(($(cat {DAYS} | grep -caE '{daemon} [0-9]{{7}}$') > 500))"
    with sending(server.address(), lines, 10) as senders:
        with stopped(server, command, once=begun):
            if on_the_way:
                wait_until(lambda: COMPLAINTS[daemon] in stuck(server), 60, what="health to see it")
            if daemon == "ossec-analysisd":
                wait(senders)
                wait_until(lambda: server.counters()["waiting_bytes"] > 24 << 20, 30, what="a queue on disk")
                assert journal_size(server) > JOURNAL_AT_REST
            if not on_the_way:
                syslog.send_tcp(*server.tcp, [syslog.message(alert)])
                wait_all(server, daemon, count)
        wait(senders)
        wait_all(server, daemon, count)
    ledger = settle(server, daemon, f"a hanging {daemon} costs no line", count)
    assert (ledger.lost, ledger.twice) == (0, 0), str(ledger)
    if not on_the_way:
        wait_until(lambda: alerts(server, alert), 30, what="the alert")
        assert alerts(server, alert) == 1
    assert not stuck(server)
    wait_until(lambda: journal_size(server) < JOURNAL_AT_REST, 30, what="the volume's room to be given back")


def test_senders_wait_when_the_disk_allowance_is_full(
    client: docker.DockerClient, built: image.Image
) -> None:
    count = 100_000  # of 600 bytes: more than the allowance, the receiver's memory and the sockets hold
    with run_server(client, built.name, {**FROM_HERE, "OSSEC_QUEUE_DISK": "10m"}) as server:
        server.wait_listening()
        with sending(server.address(), numbered("allowed", range(count), 600), 1) as [sender]:
            with stopped(server, "bin/ossec-analysisd"):
                wait_until(lambda: server.counters()["waiting_bytes"] > 10_000_000, 60, what="a full journal")
                # What the last read brought is taken, too: 32,000 bytes at most, and a head for each line.
                assert server.counters()["waiting_bytes"] < (10 << 20) + 64_000
                assert not sender.done()
            assert sender.result() == count
            wait_all(server, "allowed", count)
        ledger = settle(
            server, "allowed", "a full disk allowance holds senders back and costs nothing", count
        )
        assert (ledger.lost, ledger.twice) == (0, 0), str(ledger)


def test_an_engine_killed_while_all_that_may_wait_waits_costs_nothing(
    client: docker.DockerClient, built: image.Image
) -> None:
    """What it held is in the journal beside what waits."""
    settings = {**FROM_HERE, "OSSEC_QUEUE_DISK": "16m"}
    with run_server(client, built.name, settings) as server:
        server.wait_listening()
        with sending(server.address(), numbered("held", range(100_000), 600), 1) as [sender]:
            wait_until(lambda: server.counters()["analysed"] > 100, 30, what="the engine's counters")
            signal(server, "bin/ossec-analysisd", "STOP")
            full = (16 << 20) - 1000
            wait_until(lambda: server.counters()["waiting_bytes"] > full, 60, what="a full journal")
            server.kill("ossec-analysisd")
            assert server.exit_code() == 137, server.log()
        sent = sender.result()
        restart(server)
        drained(server, "held")
        promised = "an engine that is killed while all that may wait waits costs nothing"
        ledger = settle(server, "held", promised, sent)
        assert ledger.twice <= BATCH, str(ledger)
        assert all(last == sent - 1 for _, last in ledger.gaps), str(ledger)  # what was never taken


def test_an_engine_killed_under_load_costs_nothing_that_was_handed_over(
    client: docker.DockerClient, built: image.Image
) -> None:
    each, cuts, took, begun = 400_000, list[int](), list[float](), 0
    with run_server(client, built.name, FROM_HERE) as server:
        server.wait_listening()
        for _ in range(3):
            before = server.counters()["received"]
            with sending(server.address(), numbered("killed", range(begun, begun + each)), 1) as [sender]:
                wait_until(lambda: server.counters()["received"] > before + 10_000, 60, what="the load")  # noqa: B023
                server.kill("ossec-analysisd")
                killed = time.monotonic()
                assert server.exit_code() == 137, server.log()
                took.append(time.monotonic() - killed)
            begun += sender.result()
            cuts.append(begun - 1)
            restart(server)
        send(server.address(), numbered("killed", range(begun, begun + 1000)))
        begun += 1000
        drained(server, "killed")
        ledger = settle(server, "killed", "a killed engine costs nothing that was handed over", begun)
        assert ledger.twice <= len(cuts) * BATCH, str(ledger)
        # What was in the socket's buffers when the connection was cut was never taken.
        assert all(last in cuts for _, last in ledger.gaps), str(ledger)
        print("from the kill to the end of the container:", *(f"{seconds:.1f} s" for seconds in took))
        assert max(took) < 4  # it is about 0.5; 2 are promised, on a machine that does nothing else


def test_a_container_killed_under_load_starts_again(
    client: docker.DockerClient, built: image.Image, volume: str
) -> None:
    # Here /run outlives the container, as it does in a pod: sockets, FIFO and PID files of the killed one are there.
    mounts = {volume: {"bind": "/run", "mode": "rw"}}
    with run_server(client, built.name, FROM_HERE, volumes=mounts, tmpfs={"/tmp": ""}) as server:
        server.wait_listening()
        with sending(server.address(), numbered("cut", range(100_000)), 1) as [sender]:
            wait_until(lambda: server.counters()["received"] > 10_000, 60, what="the load")
            server.container.kill()
            assert server.exit_code() == 137
        begun = sender.result()
        restart(server)
        drained(server, "cut")
        ledger = settle(server, "cut", "a killed container costs nothing in the journal", begun)
        assert ledger.twice <= BATCH, str(ledger)
        assert all(last == begun - 1 for _, last in ledger.gaps), str(ledger)  # what was never taken
        wait_until(lambda: not stuck(server), 30, what="health")


def test_over_relp_nothing_acknowledged_is_lost_whatever_is_killed(
    client: docker.DockerClient, built: image.Image
) -> None:
    each, acknowledged, broken = 20_000, set[int](), 0
    lines: dict[int, bytes] = {}
    with run_server(client, built.name, {**FROM_HERE, "OSSEC_RELP": "yes"}) as server:
        server.wait_listening()

        def send_rest() -> None:
            with RelpSender(server.address()) as sender:
                sender.send({n: line for n, line in lines.items() if n not in acknowledged}, acknowledged)

        for kill in (
            partial(signal, server, "bin/ossec-analysisd", "KILL"),
            partial(signal, server, "ossec-intake --journal", "KILL"),
            server.container.kill,
        ):
            lines |= enumerate(numbered("relp", range(len(lines), len(lines) + each)), len(lines))
            enough = len(acknowledged) + 2_000
            with ThreadPoolExecutor(1) as pool:
                rest = pool.submit(send_rest)
                wait_until(lambda: len(acknowledged) > enough, 60, 0.01, "the load")  # noqa: B023
                kill()
                broken += rest.exception(60) is not None
            assert server.exit_code() == 137, server.log()
            restart(server)
        send_rest()
        wait_all(server, "relp", len(lines))
        ledger = settle(server, "relp", "nothing acknowledged is lost", len(lines), len(acknowledged))
        print(f"killed 3 times, connections that broke: {broken}")
        assert len(acknowledged) == len(lines)
        assert ledger.lost == 0, str(ledger)
        assert not ledger.gaps, str(ledger)


def test_ten_thousand_connections_come_and_go_and_cost_nothing(server: Server) -> None:
    host, seen = server.address(), []
    for mark in ("many", "again"):
        come_and_go(host, 10_000)
        with ExitStack() as idle, ThreadPoolExecutor(500) as pool:
            for _ in range(500):
                idle.enter_context(socket.create_connection((host, 514), 10))
            parts = [numbered(mark, range(n, n + 20)) for n in range(0, 10_000, 20)]
            list(pool.map(send, [host] * 500, parts, [threading.Barrier(500)] * 500))
            wait_all(server, mark, 10_000)
        ledger = settle(server, mark, "500 senders at once beside 500 idle ones, after 10,000", 10_000)
        assert (ledger.lost, ledger.twice) == (0, 0), str(ledger)
        # What it needs at rest: the descriptors of its own files, not of a connection.
        wait_until(lambda: resources(server).files < 80, 30, what="the descriptors to be closed")
        seen.append(resources(server))
    print(f"after 10,000 connections {seen[0]}, after 20,000 {seen[1]}")
    assert seen[1].kib < min(seen[0].kib + 24 * 1024, 96 * 1024)


def test_little_memory_is_enough_while_the_engine_hangs(
    client: docker.DockerClient, built: image.Image
) -> None:
    count, limit = 300_000, 128
    limits = {"mem_limit": f"{limit}m", "memswap_limit": f"{limit}m"}
    with run_server(client, built.name, FROM_HERE, **limits) as server:
        server.wait_listening()
        with sending(server.address(), numbered("memory", range(count), 100), 10) as senders:
            with stopped(server, "bin/ossec-analysisd"):
                wait_until(lambda: stuck(server), 60, what="health to see it")
                queued = wait_until(
                    lambda: (n := server.counters()["waiting_bytes"]) > 20_000_000 and n, 60, what="a queue"
                )
                peak = memory(server)
            wait(senders)
            wait_all(server, "memory", count)
        ledger = settle(server, "memory", f"an engine that hangs costs nothing in {limit} MiB", count)
        print(f"{queued} bytes waited; the most of memory that is no file's: {peak} MiB")
        assert (ledger.lost, ledger.twice) == (0, 0), str(ledger)
        assert not stuck(server)
        assert peak < limit
        server.container.reload()
        assert not server.container.attrs["State"]["OOMKilled"]


def test_who_comes_while_it_ends_is_refused_and_who_is_there_is_told(server: Server) -> None:
    with socket.create_connection((server.address(), 514), 10) as sender:
        sender.sendall(b"<13>half of a line, for which the end waits a moment")
        wait_until(lambda: server.counters()["connections"] == 1, 30, 0.02, "the connection")
        server.container.kill("TERM")
        assert sender.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((server.address(), 514), 1)
        assert server.exit_code() == 0


def test_a_second_sigterm_ends_at_once(client: docker.DockerClient, built: image.Image) -> None:
    with run_server(client, built.name, FROM_HERE) as server:
        server.wait_listening()
        signal(server, "bin/ossec-analysisd", "STOP")
        send(server.address(), numbered("waits", range(1000)))
        server.container.kill("TERM")
        wait_until(lambda: "ossec-log-server: stopping" in server.log(), 30, 0.02, "the stop")
        before = time.monotonic()
        server.container.kill("TERM")
        assert server.exit_code() == 143
        assert time.monotonic() - before < 4  # the 10 s of the first one are not waited for
        assert "ossec-log-server: stopped at once" in server.log()


# Not on the stand-in, which ends when it cannot write.
def test_a_full_volume_is_noticed_and_forgotten(
    client: docker.DockerClient, ossec_image: image.Image
) -> None:
    with memory_volume(client, "size=32m") as full:
        mounts = {full: {"bind": DATA, "mode": "rw"}}
        with run_server(client, ossec_image.name, FROM_HERE, volumes=mounts) as server:
            server.wait_listening()
            send(server.address(), numbered("before", range(1000)))
            wait_all(server, "before", 1000)
            server.run("bash", "-c", f"cat /dev/zero > {DATA}/filler 2>/dev/null; df {DATA} | grep -q 100%")
            send(
                server.address(), numbered("full", range(1000))
            )  # held back: the engine could not write it down
            complaint = wait_until(lambda: stuck(server), 60, what="health to see it")
            print(f"health: {complaint}")
            assert server.running(), server.log()
            server.run("rm", f"{DATA}/filler")
            wait_until(lambda: not stuck(server), 60, what="health")
            send(server.address(), numbered("after", range(1000)))
            wait_all(server, "after", 1000)
            wait_all(server, "full", 1000)
            for mark in ("full", "after"):
                ledger = settle(server, mark, "a full volume costs nothing", 1000)
                assert (ledger.lost, ledger.twice) == (0, 0), str(ledger)


def test_a_read_only_volume_is_named(client: docker.DockerClient, built: image.Image, volume: str) -> None:
    mounts = {volume: {"bind": DATA, "mode": "ro"}}
    with run_server(client, built.name, FROM_HERE, volumes=mounts) as server:
        assert server.exit_code() == 73
        [line] = server.log().splitlines()
        assert line.startswith(f"ossec-log-server: {DATA}: cannot be written")


def test_a_clock_that_steps_stops_nothing(
    client: docker.DockerClient, ossec_image: image.Image, tmp_path: Path
) -> None:
    clock = fake_clock(tmp_path)
    mounts = {str(tmp_path): {"bind": "/faketime", "mode": "ro"}}
    with run_server(client, ossec_image.name, {**FROM_HERE, **FAKE_CLOCK}, volumes=mounts) as server:
        server.wait_listening()
        for number, step in enumerate(("+0", "+86400", "-90000", "+0")):
            clock.write_text(step + "\n")
            alert = f"Failed password for clock{number} from 203.0.113.8 port 22 ssh2"
            send(
                server.address(),
                [
                    *numbered("clock", range(number * 1000, number * 1000 + 1000)),
                    syslog.message(alert).encode(),
                ],
            )
            wait_until(lambda: alerts(server, alert), 30, what=f"the alert after {step} s")  # noqa: B023
            # By the engine's own clock, in milliseconds: it has seen the step.
            assert abs(server.alerts()[-1]["TimeStamp"] / 1000 - time.time() - int(step)) < 60
            wait_until(lambda: not stuck(server), 30, what="health")
        wait_all(server, "clock", 4000)
        ledger = settle(server, "clock", "a clock that steps costs nothing", 4000)
        assert (ledger.lost, ledger.twice) == (0, 0), str(ledger)

"""What is promised when something fails under load. Each test tells what was promised, sent, analysed and lost."""

import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial

import docker
import pytest

from pipeline import image, syslog
from pipeline.server import Server
from pipeline.server import server as run_server
from pipeline.wait import wait_until
from tests.image.conftest import FROM_HERE
from tests.image.ledger import (
    DATA,
    address,
    archived_count,
    drained,
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
from tests.image.relp import RelpSender

# What each is called by, and whether a line goes through it.
DAEMONS = {
    "rsyslogd": ("/run/ossec/receiver.conf", True),
    "ossec-handover": ("ossec-handover /run", True),
    "ossec-analysisd": ("bin/ossec-analysisd", True),
    "rsyslogd-outputs": ("outputs.conf", False),
    "ossec-monitord": ("bin/ossec-monitord", False),
}


def alerts(server: Server, text: str) -> int:
    """How many alerts about that text are on standard output."""
    return sum(text in one["full_log"] for one in server.alerts())


@pytest.mark.parametrize("daemon", DAEMONS)
def test_a_daemon_that_hangs_under_load_costs_nothing(server: Server, daemon: str) -> None:
    command, on_the_way = DAEMONS[daemon]
    count = 50_000
    # So long that what waits for the engine is more than the journal and the receiver's memory hold.
    lines = numbered(daemon, range(count), 600 if daemon == "ossec-analysisd" else 0)
    alert = f"Failed password for {daemon} from 203.0.113.7 port 22 ssh2"
    with sending(address(server), lines, 10) as senders:
        wait_until(lambda: archived_count(server, daemon) > 500, 30, what="the load")
        with stopped(server, command):
            if on_the_way:
                complaint = wait_until(lambda: stuck(server), 60, what="health to see it")
                assert "stuck: an event did not come" in complaint
            if daemon == "ossec-analysisd":
                wait(senders)
                wait_until(lambda: server.counters()["queued"] > 20_000, 30, what="a queue on disk")
                server.run("bash", "-c", f"ls {DATA}/queue/intake/engine.0*")
            if not on_the_way:
                syslog.send_tcp(*server.tcp, [syslog.message(alert)])
                wait_all(server, daemon, count)
        wait(senders)
        wait_all(server, daemon, count)
    ledger = settle(server, daemon, f"a hanging {daemon} costs no line", count)
    assert (ledger.lost, ledger.twice) == (0, 0), str(ledger)
    if not on_the_way:
        wait_until(lambda: alerts(server, alert), 20, what="the alert")
        assert alerts(server, alert) == 1
    assert not stuck(server)


def test_an_engine_killed_under_load_costs_nothing_that_was_received(
    client: docker.DockerClient, built: image.Image
) -> None:
    each, cuts, begun = 100_000, [], 0
    with run_server(client, built.name, FROM_HERE) as server:
        server.wait_listening()
        for _ in range(3):
            before = server.counters()["received"]
            with sending(address(server), numbered("killed", range(begun, begun + each)), 1) as [sender]:
                wait_until(lambda: server.counters()["received"] > before + 10_000, 60, what="the load")  # noqa: B023
                server.kill("ossec-analysisd")
                assert server.exit_code() == 137, server.log()
            begun += sender.result()
            cuts.append(begun - 1)
            restart(server)
        send(address(server), numbered("killed", range(begun, begun + 1000)))
        begun += 1000
        received = drained(server, "killed")
        ledger = settle(server, "killed", "a killed engine costs nothing that was received", begun, received)
        repeated = server.counters()["repeated"]
        print(f"the engine was killed {len(cuts)} times, {repeated} lines were sent to it again")
        assert ledger.lost == 0, str(ledger)
        # What else is not there was in the socket's buffers when the connection was cut.
        assert {last for _, last in ledger.gaps} <= set(cuts), str(ledger)


def test_a_container_killed_under_load_starts_again(
    client: docker.DockerClient, built: image.Image, volume: str
) -> None:
    # Here /run outlives the container, as it does in a pod: sockets, FIFO and PID files of the killed one are there.
    mounts = {volume: {"bind": "/run", "mode": "rw"}}
    with run_server(client, built.name, FROM_HERE, volumes=mounts, tmpfs={"/tmp": ""}) as server:
        server.wait_listening()
        with sending(address(server), numbered("cut", range(100_000)), 1) as [sender]:
            wait_until(lambda: server.counters()["received"] > 10_000, 60, what="the load")
            server.container.kill()
            assert server.exit_code() == 137
        begun = sender.result()
        restart(server)
        received = drained(server, "cut")
        ledger = settle(server, "cut", "a killed container costs nothing in the journal", begun, received)
        assert ledger.lost == 0, str(ledger)
        wait_until(lambda: not stuck(server), 30, what="health")


def test_over_relp_nothing_acknowledged_is_lost_whatever_is_killed(
    client: docker.DockerClient, built: image.Image
) -> None:
    each, acknowledged, broken = 20_000, set[int](), 0
    lines: dict[int, bytes] = {}
    with run_server(client, built.name, {**FROM_HERE, "OSSEC_RELP": "yes"}) as server:
        server.wait_listening()

        def send_rest() -> None:
            with RelpSender(address(server)) as sender:
                sender.send({n: line for n, line in lines.items() if n not in acknowledged}, acknowledged)

        for kill, ends in (
            (partial(signal, server, "bin/ossec-analysisd", "KILL"), True),
            (
                partial(signal, server, "ossec-handover --confirm", "KILL"),
                False,
            ),  # its receiver starts another
            (partial(signal, server, "receiver-direct.conf", "KILL"), True),
            (server.container.kill, True),
        ):
            lines |= enumerate(numbered("relp", range(len(lines), len(lines) + each)), len(lines))
            enough = len(acknowledged) + 2_000
            with ThreadPoolExecutor(1) as pool:
                rest = pool.submit(send_rest)
                wait_until(lambda: len(acknowledged) > enough, 60, 0.01, "the load")  # noqa: B023
                kill()
                broken += rest.exception(60) is not None
            if ends:
                assert server.exit_code() == 137, server.log()
                restart(server)
        send_rest()
        wait_all(server, "relp", len(lines))
        ledger = settle(server, "relp", "nothing acknowledged is lost", len(lines), len(acknowledged))
        print(f"killed 4 times, connections that broke: {broken}")
        assert len(acknowledged) == len(lines)
        assert ledger.lost == 0, str(ledger)
        assert not ledger.gaps, str(ledger)


def test_ten_thousand_connections_come_and_go_and_cost_nothing(server: Server) -> None:
    host, before = address(server), resources(server)
    half = b"<38>Nov 23 04:50:00 web1 app: half a li"
    for n in range(10_000):
        with socket.create_connection((host, 514), 10) as one:
            if n % 3:
                one.sendall(half if n % 2 else b"")
            if n % 5 == 0:  # with a reset instead of a farewell
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wait_until(lambda: resources(server).files <= before.files, 30, what="the descriptors to be closed")
    idle = [socket.create_connection((host, 514), 10) for _ in range(500)]
    with ThreadPoolExecutor(500) as pool:
        parts = [numbered("many", range(n, n + 20)) for n in range(0, 10_000, 20)]
        together = threading.Barrier(500)
        list(pool.map(lambda part: send(host, part, together), parts))
    wait_all(server, "many", 10_000)
    ledger = settle(server, "many", "500 senders at once beside 500 idle ones, after 10,000", 10_000)
    for one in idle:
        one.close()
    wait_until(lambda: resources(server).files <= before.files, 30, what="the descriptors to be closed")
    after = resources(server)
    print(f"before {before}, after {after}")
    assert (ledger.lost, ledger.twice) == (0, 0), str(ledger)
    assert after.kib < before.kib + 16 * 1024


def test_little_memory_is_enough_while_the_engine_hangs(
    client: docker.DockerClient, built: image.Image
) -> None:
    count, limit = 300_000, 128
    limits = {"mem_limit": f"{limit}m", "memswap_limit": f"{limit}m"}
    with run_server(client, built.name, FROM_HERE, **limits) as server:
        server.wait_listening()
        with sending(address(server), numbered("memory", range(count), 100), 10) as senders:
            with stopped(server, "bin/ossec-analysisd"):
                wait_until(lambda: stuck(server), 60, what="health to see it")
                wait(senders, 20)
                queued, peak = server.counters()["queued"], memory(server)
            wait(senders)
            wait_all(server, "memory", count)
        ledger = settle(server, "memory", f"an engine that hangs costs nothing in {limit} MiB", count)
        print(f"{queued} lines waited; the most of memory that is no file's: {peak} MiB")
        assert (ledger.lost, ledger.twice) == (0, 0), str(ledger)
        assert "oom_kill 0" in server.run("cat", "/sys/fs/cgroup/memory.events").splitlines()
        assert not stuck(server)


def test_a_second_sigterm_ends_at_once(client: docker.DockerClient, built: image.Image) -> None:
    with run_server(client, built.name, FROM_HERE) as server:
        server.wait_listening()
        signal(server, "bin/ossec-analysisd", "STOP")
        send(address(server), numbered("waits", range(1000)))
        server.container.kill("TERM")
        wait_until(lambda: "ossec-log-server: stopping" in server.log(), 10, 0.02, "the stop")
        before = time.monotonic()
        server.container.kill("TERM")
        assert server.exit_code() == 143
        assert time.monotonic() - before < 1.5
        assert "ossec-log-server: stopped at once" in server.log()

"""What is promised when something fails under load. Each test tells what was promised, sent, analysed and lost."""

from concurrent.futures import wait

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
    numbered,
    restart,
    send,
    sending,
    settle,
    stopped,
    stuck,
    wait_all,
)

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
        wait_until(lambda: server.counters()["queued"] == 0, 60, what="the receiver's queue to be empty")
        wait_all(server, "killed", server.counters()["received"])
        counters = server.counters()
        ledger = settle(
            server, "killed", "a killed engine costs nothing that was received", begun, counters["received"]
        )
        print(f"the engine was killed {len(cuts)} times, {counters['repeated']} lines were sent to it again")
        assert ledger.lost == 0, str(ledger)
        # What else is not there was in the socket's buffers when the connection was cut.
        assert {last for _, last in ledger.gaps} <= set(cuts), str(ledger)

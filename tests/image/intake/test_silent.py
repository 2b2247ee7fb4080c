"""Who has sent, and who has stopped."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import docker
import pytest

from pipeline import image
from pipeline.server import Server, syslog
from pipeline.server import server as run_server
from pipeline.wait import wait_until
from tests.image.conftest import FROM_HERE
from tests.image.support.ledger import restart, send


def listed(server: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(server.run("ossec-log-server", "senders", "--json"))
    return found


def rules(server: Server) -> list[int]:
    return [alert["rule"]["sidid"] for alert in server.alerts()]


@pytest.mark.parametrize("extra", ["yes", "no"])
def test_a_sender_that_stops_alerts_and_one_that_is_back_too(
    client: docker.DockerClient, ossec_image: image.Image, extra: str
) -> None:
    settings = {**FROM_HERE, "OSSEC_SENDER_SILENT": "10s", "OSSEC_EXTRA_RULES": extra}
    with run_server(client, ossec_image.name, settings) as server:
        server.wait_listening()
        assert listed(server) == []  # the health check's own lines do not count
        began = datetime.now(UTC)
        send(server.address(), [syslog.message(f"line {n}").encode() for n in range(5)])
        wait_until(lambda: [one["lines"] for one in listed(server)] == [5], 30, what="the sender's lines")
        [one] = listed(server)
        assert one["silent"] is False
        first, last = (datetime.fromisoformat(one[name]) for name in ("first", "last"))
        assert began - timedelta(seconds=2) <= first <= last <= datetime.now(UTC) + timedelta(seconds=2)
        assert 119000 not in rules(server)

        wait_until(lambda: 119000 in rules(server), 60, what="the alert of its silence")
        [alert] = [alert for alert in server.alerts() if alert["rule"]["sidid"] == 119000]
        assert f"sender {one['sender']} is silent: its last line came at {one['last']}" in alert["full_log"]
        assert alert["rule"]["level"] == 7
        assert server.counters()["senders_silent"] == 1
        assert " silent" in server.run("ossec-log-server", "senders")

        # A restart keeps the list, and who is silent stays so without another alert.
        server.stop()
        restart(server)
        [kept] = listed(server)
        assert (kept["first"], kept["lines"], kept["silent"]) == (one["first"], 5, True)

        send(server.address(), [syslog.message("again").encode()])
        wait_until(lambda: 119001 in rules(server), 30, what="the alert that it is back")
        assert rules(server).count(119000) == 1
        assert listed(server)[0]["silent"] is False
        assert listed(server)[0]["lines"] == 6
        counters = server.counters()
        assert (counters["senders"], counters["senders_silent"]) == (1, 0)
        metrics = server.run("ossec-log-server", "counters", "--prometheus")
        assert f'ossec_log_server_sender_lines_total{{sender="{one["sender"]}"}} 6' in metrics


def test_a_damaged_list_begins_anew_and_without_the_setting_nobody_is_silent(
    client: docker.DockerClient, built: image.Image
) -> None:
    path = "/var/ossec/data/queue/senders/list"
    with run_server(client, built.name, FROM_HERE) as server:
        server.wait_listening()
        send(server.address(), [syslog.message("one").encode()])
        wait_until(lambda: listed(server), 30, what="the sender")
        server.stop()
        restart(server)
        assert listed(server)[0]["lines"] == 1
        server.run("bash", "-c", f"kill -KILL $(pidof ossec-intake); until [ -e {path} ]; do sleep .1; done")
        server.exit_code()
    for content in ("nonsense", ""):
        with run_server(
            client,
            built.name,
            FROM_HERE,
            entrypoint=["bash", "-c"],
            command=[
                f"mkdir -p {path.rpartition('/')[0]} && printf '{content}' > {path} && exec ossec-log-server"
            ],
        ) as server:
            server.wait_listening()
            assert "so the list of senders begins anew" in server.log()
            assert listed(server) == []

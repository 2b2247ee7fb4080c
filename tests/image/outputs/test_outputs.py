"""Alerts on standard output, in files and to a receiver that comes and goes: whole, valid, and none lost."""

import subprocess
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import docker
import pytest

from pipeline import image
from pipeline.project import ROOT
from pipeline.server import Server, gateway, network, syslog
from pipeline.server import server as run_server
from pipeline.server.alerts import parse
from pipeline.server.execute import execute
from pipeline.wait import wait_until
from tests.image.conftest import FROM_HERE
from tests.image.support.alerts import attack, numbers_in, printed, to, wait_for
from tests.image.support.collector import Collector
from tests.image.support.documentation import Example, examples
from tests.image.support.ledger import DATA, FAKE_CLOCK, fake_clock, restart

FILE = f"{DATA}/logs/alerts/alerts.json"
PAGE = ROOT / "docs" / "use" / "outputs.md"
# What may come twice at each kill (docs/trust/security.md): to a receiver, on standard output, and by the engine.
BATCH, BATCH_STDOUT, AGAIN = 500, 16, 64


@pytest.mark.parametrize("way", ["tcp", "relp"])
def test_no_alert_is_lost_while_the_receiver_is_away(
    client: docker.DockerClient, built: image.Image, way: str
) -> None:
    count = 2000
    with network(client) as net:
        collector = Collector(gateway(net), relp=way == "relp")
        with run_server(client, built.name, to(collector, way), network=net.name) as server:
            server.wait_listening()
            attack(server, "away", range(count))
            # What is printed does not wait for the receiver.
            assert wait_for("the alerts on stdout", lambda: printed(server), "away", count).total() == count
            server.wait_said("takes no alerts, so they wait: Connection refused")
            wait_until(
                lambda: server.counters()["print_waiting_bytes"] == 0, 30, what="the note of what is printed"
            )
            waiting = server.counters()
            assert waiting["forwarded"] == 0
            assert waiting["forward_waiting_bytes"] > count * 100
            server.container.kill()
            assert server.exit_code() == 137
            restart(server)
            assert server.stop() == 0, server.log()
            restart(server)
            with collector:
                got = wait_for("the alerts", lambda: collector.lines, "away", count)
            assert sorted(got) == list(range(count))
            assert got.total() == count  # none of them had been sent before
            server.wait_said("takes alerts again")
            wait_until(
                lambda: server.counters()["forwarded"] == server.counters()["printed"], 30, what="counters"
            )


def test_no_alert_is_lost_by_relp_whatever_is_killed(client: docker.DockerClient, built: image.Image) -> None:
    each, rounds = 3000, 3
    with network(client) as net:
        collector = Collector(gateway(net), relp=True)
        with run_server(client, built.name, to(collector, "relp"), network=net.name) as server:
            server.wait_listening()
            for number in range(rounds):
                had = len(numbers_in(collector.lines, "flow"))
                with collector:
                    attack(server, "flow", range(number * each, number * each + each))
                    wait_until(lambda: len(numbers_in(collector.lines, "flow")) > had, 30, 0.05, "the flow")  # noqa: B023
                # The receiver is gone in the middle, and now the server too.
                server.container.kill()
                assert server.exit_code() == 137
                restart(server)
            # Killed with 9, the server may lose lines that it had not analysed yet: not the outputs' business.
            files = f"cat {DATA}/logs/alerts/*/*/*.json"
            attack(server, "flow", [each * rounds])
            wait_until(
                lambda: f"flow{each * rounds:06d}" in server.run("bash", "-c", files),
                30,
                what="the last alert",
            )
            alerts = numbers_in(server.run("bash", "-c", files).splitlines(), "flow")
            with collector:
                got = wait_for("the alerts", lambda: collector.lines, "flow", len(alerts))
            out = wait_for("the alerts on stdout", lambda: printed(server), "flow", len(alerts))
        # What the engine, killed before it noted a line as done, alerted of twice is no repetition of theirs.
        twice, out_twice = got.total() - alerts.total(), out.total() - alerts.total()
        print(f"alerts {alerts.total()} of {len(alerts)} lines, twice {twice}, on stdout twice {out_twice}")
        assert sorted(got) == sorted(alerts)
        assert sorted(out) == sorted(alerts)
        # A batch that was under way: when the receiver went, and when the server did.
        assert twice <= rounds * 2 * BATCH
        assert out_twice <= rounds * BATCH_STDOUT
        assert alerts.total() - len(alerts) <= rounds * AGAIN


def test_no_alert_is_lost_over_midnight_while_the_receiver_is_away(
    client: docker.DockerClient, ossec_image: image.Image, tmp_path: Path
) -> None:
    clock, each = fake_clock(tmp_path), 500
    mounts = {str(tmp_path): {"bind": "/faketime", "mode": "ro"}}
    with network(client) as net:
        collector = Collector(gateway(net))
        settings = {**to(collector, "tcp"), **FAKE_CLOCK}
        with run_server(client, ossec_image.name, settings, volumes=mounts, network=net.name) as server:
            server.wait_listening()
            ticks, here = count(), f"cd {DATA}/logs/alerts"

            def goes_on(day: int) -> bool:
                attack(server, "tick", [next(ticks)])  # OSSEC looks at the clock when something happens
                return int(server.run("bash", "-c", f"{here}; ls */*/*.json* | wc -l")) > day

            for day in range(3):
                clock.write_text(
                    f"+{day * 90000}\n"
                )  # not at the same hour: only then OSSEC looks at the day
                wait_until(partial(goes_on, day), 60, 0.5, f"the file of day {day}")
                attack(server, "night", range(day * each, day * each + each))
                wait_for("the alerts on stdout", lambda: printed(server), "night", day * each + each)
            # OSSEC may have done that already.
            pack = "file=$(ls */*/*.json* | head -1); [[ $file == *.gz ]] || gzip -f $file; ls */*/*"
            files = server.run("bash", "-c", f"{here}; {pack}")
            assert ".json.gz" in files
            server.stop()
            restart(server)
            with collector:
                got = wait_for("the alerts", lambda: collector.lines, "night", 3 * each)
            assert sorted(got) == list(range(3 * each)), files
            assert got.total() == 3 * each
            assert numbers_in(printed(server), "night").total() == 3 * each


def test_an_alert_of_a_line_that_is_no_utf_8_is(server: Server) -> None:
    bad = b"\xff \xc3( \xe2\x82 \xc0\xaf \xed\xa0\x80 \xf5\x80\x80\x80 \xf4\x90\x80\x80 end"
    good = "grüße €5 \U0001f600"
    line = b"Failed password for utf8-" + good.encode() + b" " + bad + b" from 203.0.113.9 port 22 ssh2"
    syslog.send_tcp(*server.tcp, [syslog.message(line.decode("utf-8", "surrogateescape"))])
    # A line that is cut in the middle of a character.
    syslog.send_tcp(
        *server.tcp, [syslog.message("Failed password for utf8-cut from 203.0.113.9 " + "€" * 3000)]
    )

    def alerts() -> list[dict[str, Any]]:
        lines = server.container.logs(stdout=True, stderr=False).splitlines()
        return [alert for alert in map(strict, lines) if "utf8-" in alert["full_log"]]

    def both() -> list[dict[str, Any]] | None:
        return found if len(found := alerts()) == 2 else None

    logs = [alert["full_log"] for alert in wait_until(both, 30, what="two alerts")]
    [log] = [one for one in logs if good in one]
    replaced = "\ufffd \ufffd( " + " ".join("\ufffd" * n for n in (2, 2, 3, 4, 4)) + " end"
    assert f"{good} {replaced}" in log
    stream = execute(server.container, ["cat", FILE]).output
    assert [line for line in stream.splitlines() if strict(line)]


def test_half_an_alert_of_a_killed_engine_spoils_no_other(
    client: docker.DockerClient, built: image.Image
) -> None:
    with run_server(client, built.name, FROM_HERE) as server:
        server.wait_listening()
        attack(server, "half", range(2))
        wait_for("the first alerts", lambda: printed(server), "half", 2)
        server.container.kill()
        assert server.exit_code() == 137
        left = f'cd {DATA}/logs/alerts; [[ $(ls */*/*.json | wc -l) == 1 ]] && printf \'{{"rule":{{"le\' >> */*/*.json'
        volume = next(
            mount["Name"] for mount in server.container.attrs["Mounts"] if mount["Destination"] == DATA
        )
        client.containers.run(
            built.name,
            ["-c", left],
            entrypoint="bash",
            volumes={volume: {"bind": DATA, "mode": "rw"}},
            remove=True,
        )
        restart(server)
        attack(server, "half", range(2, 4))
        assert sorted(wait_for("the others", lambda: printed(server), "half", 4)) == list(range(4))


def strict(line: bytes) -> dict[str, Any]:
    """An alert, by a reader that takes UTF-8 only."""
    return parse(line.decode("utf-8", "strict"))


def test_alerts_can_be_kept_off_standard_output(client: docker.DockerClient, built: image.Image) -> None:
    settings = {**FROM_HERE, "OSSEC_ALERTS_STDOUT": "no"}
    with run_server(client, built.name, settings) as server:
        server.wait_listening()
        attack(server, "file", range(10))
        file = wait_for("the alerts in the file", lambda: server.run("cat", FILE).splitlines(), "file", 10)
        assert sorted(file) == list(range(10))
        assert server.stop() == 0, server.log()
        assert not printed(server)


@pytest.mark.parametrize("example", examples(PAGE), ids=lambda example: example.title)
def test_the_page_does_what_it_says(built: image.Image, example: Example, tmp_path: Path) -> None:
    example.write(tmp_path)
    try:
        example.run(tmp_path, built.name)
    finally:
        for command in ("docker rm -f -v ossec-outputs ossec-target", "docker network rm ossec-outputs"):
            subprocess.run(command.split(), capture_output=True)

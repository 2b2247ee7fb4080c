"""Alerts to a forward target: each way and form, and whom they are not given to; metrics."""

import json
import re
import ssl
import urllib.request
from datetime import datetime
from pathlib import Path
from typing import Any

import docker
import pytest

from pipeline import image
from pipeline.project import ROOT
from pipeline.server import Server, gateway, network
from pipeline.server import server as run_server
from pipeline.server.alerts import parse
from pipeline.wait import wait_until
from tests import loopback
from tests.image.conftest import FROM_HERE
from tests.image.support.alerts import attack, numbers_in, printed, to, wait_for
from tests.image.support.collector import Collector
from tests.image.support.ledger import DATA, numbered, send
from tests.image.support.trial import Trial

FOLDER = "/etc/ossec-log-server/forward"
RFC_5424 = re.compile(r"<132>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) (\S+) ossec-log-server - alert - (\{.*\})")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = loopback.certificates(tmp_path_factory.mktemp("tls"), receiver="localhost", client="localhost")
    loopback.certificate(folder, "stranger")
    return folder


def tls_context(certificates: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "receiver.crt", certificates / "receiver.key")
    context.load_verify_locations(certificates / "ca.crt")
    context.verify_mode = ssl.CERT_REQUIRED  # which the client's is shown to
    return context


def mounted(certificates: Path, **files: str) -> list[str]:
    return [f"{certificates / file}:{FOLDER}/{name.replace('_', '.')}:ro" for name, file in files.items()]


OWN = {"tls_crt": "client.crt", "tls_key": "client.key"}


@pytest.mark.parametrize(
    ("way", "form"),
    [
        ("tcp", "syslog"),
        ("tcp", "json"),
        ("tls", "syslog"),
        ("tls", "json"),
        ("relp", "syslog"),
        ("tcp", "ecs"),
    ],
)
def test_each_way_and_form_is_what_a_target_expects(
    client: docker.DockerClient, built: image.Image, certificates: Path, way: str, form: str
) -> None:
    with network(client) as net:
        tls = tls_context(certificates) if way == "tls" else None
        with Collector(gateway(net), tls, way == "relp") as collector:
            settings = to(collector, way, OSSEC_FORWARD_FORMAT=form)
            settings["OSSEC_FORWARD"] = settings["OSSEC_FORWARD"].replace(gateway(net), "localhost")
            options: dict[str, Any] = {"network": net.name, "extra_hosts": {"localhost": gateway(net)}}
            volumes = mounted(certificates, ca_crt="ca.crt", **OWN) if tls else []
            with run_server(client, built.name, settings, volumes=volumes, **options) as server:
                server.wait_listening()
                attack(server, "form", range(20))
                count = len(wait_for("stdout", lambda: printed(server), "form", 20))
                assert server.stop() == 0  # which hands on what is left
                assert count == 20
                collector.read_to_end()
            got = collector.frames if (way, form) == ("tls", "syslog") else collector.lines
    if form == "ecs":
        texts = [json.loads(line)["message"].partition("form")[2][:6] for line in got]
        assert sorted(map(int, texts)) == list(range(20))
    else:
        assert sorted(numbers_in(got, "form")) == list(range(20))
    for line in got:
        if form == "syslog":
            found = RFC_5424.fullmatch(line)
            assert found, line
            assert found[2] == server.container.id[:12] if server.container.id else None
            assert json.loads(found[3])["rule"]["level"] > 0
        elif form == "ecs":
            event = json.loads(line)
            assert event["ecs"]["version"]
            assert event["event"]["kind"] == "alert"
            assert event["event"]["code"] == event["rule"]["id"]
            assert event["event"]["severity"] > 0
            assert event["source"]["ip"] in event["related"]["ip"]
            assert datetime.fromisoformat(event["@timestamp"]).tzinfo
        else:
            assert parse(line)["rule"]["level"] > 0


@pytest.mark.parametrize(
    ("files", "host", "why"),
    [
        ({"ca_crt": "stranger.crt"}, "localhost", "self-signed certificate|unable to get local issuer"),
        ({}, "localhost", "self-signed certificate|unable to get local issuer"),  # of the public CAs, none
        ({"ca_crt": "ca.crt"}, "receiver.example", "hostname mismatch"),
    ],
)
def test_a_target_that_is_not_the_one_gets_no_alert(
    client: docker.DockerClient,
    standin_image: image.Image,
    certificates: Path,
    files: dict[str, str],
    host: str,
    why: str,
) -> None:
    with network(client) as net, Collector(gateway(net), tls_context(certificates)) as collector:
        settings = {**FROM_HERE, "OSSEC_FORWARD": f"tls://{host}:{collector.address[1]}"}
        options: dict[str, Any] = {"network": net.name, "extra_hosts": {host: gateway(net)}}
        volumes = mounted(certificates, **OWN, **files)
        with run_server(client, standin_image.name, settings, volumes=volumes, **options) as server:
            server.wait_listening()
            attack(server, "secret", range(1))
            wait_until(
                lambda: re.search(f"takes no alerts, so they wait: TLS: .*({why})", server.log()),
                30,
                what="the reason",
            )
        assert not collector.received


@pytest.mark.parametrize("way", ["relp", "tls"])
def test_another_server_of_this_image_takes_them(
    client: docker.DockerClient, built: image.Image, certificates: Path, way: str
) -> None:
    """What one sends by RELP and TLS, another takes."""
    inbound = [
        f"{certificates / file}:/etc/ossec-log-server/tls/{name}:ro"
        for name, file in (("tls.crt", "receiver.crt"), ("tls.key", "receiver.key"), ("ca.crt", "ca.crt"))
    ]
    with network(client) as net:
        taking = {"OSSEC_RELP": "yes", **FROM_HERE}
        with run_server(client, built.name, taking, network=net.name, volumes=inbound) as second:
            second.wait_listening()
            port = 2514 if way == "relp" else 6514
            first_settings = {**FROM_HERE, "OSSEC_FORWARD": f"{way}://localhost:{port}"}
            options: dict[str, Any] = {"network": net.name, "extra_hosts": {"localhost": second.address()}}
            outbound = mounted(certificates, ca_crt="ca.crt", **OWN)
            with run_server(client, built.name, first_settings, volumes=outbound, **options) as first:
                first.wait_listening()
                attack(first, "chain", range(200))
                archive = (
                    f"grep -oaE 'chain[0-9]{{6}} from' {DATA}/logs/archives/archives.log | sort -u | wc -l"
                )
                wait_until(
                    lambda: second.run("bash", "-c", archive).strip() == "200", 30, what="200 alerts there"
                )
                host = first.run("hostname").strip()
                line = second.run("bash", "-c", f"grep -m1 chain000000 {DATA}/logs/archives/archives.log")
                assert f" {host} ossec-log-server: {{" in line


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"ca.crt": "client.key"}, f"{FOLDER}/ca.crt: it holds no CERTIFICATE in PEM form"),
        ({"ca.crt": "ca.crt", "tls.crt": "client.crt"}, f"{FOLDER}/tls.key: there is no such file"),
    ],
)
def test_a_wrong_certificate_is_one_line_and_exit_78(
    tried: Trial, certificates: Path, files: dict[str, str], complaint: str
) -> None:
    for name, file in files.items():
        tried.put(f"forward/{name}", (certificates / file).read_bytes())
    tried.refused({"OSSEC_FORWARD": "tls://logs:6514"}, 78, complaint)


@pytest.mark.parametrize("daemon", ["ossec-forward", "mini_httpd"])
def test_a_killed_daemon_ends_the_container(
    client: docker.DockerClient, standin_image: image.Image, daemon: str
) -> None:
    settings = {"OSSEC_FORWARD": "tcp://192.0.2.1:514", "OSSEC_METRICS_PORT": "9514"}
    with run_server(client, standin_image.name, settings) as server:
        server.wait_listening()
        server.kill(daemon)
        assert server.exit_code() == 137
        assert f"ossec-log-server: {daemon} (PID " in server.log()


LABEL = r"[a-z]+=\"([^\"\\]*)\""
SAMPLE = re.compile(rf"(ossec_log_server_[a-z_]+)(?:\{{({LABEL}(?:,{LABEL})*)\}})? (\d+)")


def parsed(text: str) -> dict[tuple[str, str], int]:
    """Prometheus' text format, strictly: each metric has its HELP and TYPE before all its samples, once."""
    samples: dict[tuple[str, str], int] = {}
    metric = ""
    seen: set[str] = set()
    for line in text.splitlines():
        if line.startswith("# HELP "):
            _, _, metric, help_text = line.split(" ", 3)
            assert metric not in seen, line
            assert help_text
            seen.add(metric)
        elif line.startswith("# TYPE "):
            assert line == f"# TYPE {metric} {'counter' if metric.endswith('_total') else 'gauge'}"
        else:
            found = SAMPLE.fullmatch(line)
            assert found, line
            assert found[1] == metric, line
            label = ",".join(re.findall(LABEL, found[2] or ""))
            assert (metric, label) not in samples, line
            samples[metric, label] = int(found[5])
    return samples


def test_metrics_are_the_counters_as_prometheus_reads_them(
    client: docker.DockerClient, built: image.Image
) -> None:
    """With all that has metrics; those that examples/prometheus asks for are among them."""
    settings = {
        **FROM_HERE,
        "OSSEC_METRICS_PORT": "9514",
        "OSSEC_FORWARD": "tcp://192.0.2.1:514",
        "OSSEC_NOTIFY_URL": "http://192.0.2.1/",
        "OSSEC_EMAIL_NOTIFICATION": "yes",
        "OSSEC_EMAIL_TO": "a@example.org",
        "OSSEC_EMAIL_FROM": "b@example.org",
        "OSSEC_SMTP_SERVER": "192.0.2.1",
    }
    with run_server(client, built.name, settings) as server:
        server.wait_listening()
        attack(server, "count", range(30))
        send(server.address(), numbered("more", range(20)))

        def get(path: str) -> tuple[str, str]:
            with urllib.request.urlopen(f"http://{server.address()}:9514{path}", timeout=20) as answer:
                return answer.headers["Content-Type"], answer.read().decode()

        def scrape() -> dict[str, int]:
            kind, text = get("/metrics")
            assert kind == "text/plain; version=0.0.4; charset=utf-8"
            assert re.search(
                r'^ossec_log_server_info\{version="\d+\.\d+\.\d+",server="[0-9a-f]{12}"\} 1$',
                text,
                re.MULTILINE,
            )
            return {
                f"{name.removeprefix('ossec_log_server_')} {label}".strip(): n
                for (name, label), n in parsed(text).items()
                if "_sender_" not in name
            }

        def agree() -> dict[str, int] | None:
            """Asked one after the other, they agree once nothing is under way."""
            found, counters = scrape(), server.counters()
            assert len(found) == len(counters) + 2  # the version and the time of the start
            counted = found["received_total tcp"] >= 50 and found["output_alerts_total stdout"] >= 30
            return found if counted and found["alerts_total"] == counters["alerts"] else None

        assert wait_until(agree, 30, what="counts that agree")["udp_lost_total"] == 0
        assert "/metrics" in get("/")[1]
        text = server.run("ossec-log-server", "counters", "--prometheus")
        names = {name for name, _ in parsed(get("/metrics")[1])}
        assert {name for name, _ in parsed(text)} == names
        for file in ("alerts.yml", "dashboard.json"):
            asked = set(
                re.findall(r"ossec_log_server_\w+", (ROOT / "examples/prometheus" / file).read_text())
            )
            assert len(asked) > 10
            assert asked <= names, file


def test_no_port_is_open_for_metrics_unless_asked_for(server: Server) -> None:
    assert "mini_httpd" not in server.processes()

"""TLS, IPv6, the limits of a message, and what the server tells of itself."""

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import docker
import pytest

from pipeline import image
from pipeline.server import Server, syslog
from pipeline.server import server as run_server
from pipeline.wait import wait_until
from tests import loopback
from tests.image.conftest import FROM_HERE
from tests.image.intake.test_intake import archived, wait_archived
from tests.image.support.relp import RelpSender
from tests.image.support.trial import Trial

TLS = "/etc/ossec-log-server/tls"


def mounted(folder: Path, **files: str) -> list[str]:
    """The volumes option that mounts files of the folder under the names that the image looks for."""
    return [f"{folder / file}:{TLS}/{name.replace('_', '.')}:ro" for name, file in files.items()]


def send_tls(host: str, line: str, context: ssl.SSLContext) -> None:
    with (
        socket.create_connection((host, 6514), 10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as sender,
    ):
        data = line.encode()
        sender.sendall(b"%d %s" % (len(data), data))  # RFC 5425 wants octet counting
        sender.unwrap()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = loopback.certificates(tmp_path_factory.mktemp("tls"), server="localhost", client="localhost")
    loopback.certificate(folder, "stranger")
    return folder


@pytest.fixture(scope="module")
def tls_server(client: docker.DockerClient, built: image.Image, certificates: Path) -> Iterator[Server]:
    volumes = mounted(certificates, tls_crt="server.crt", tls_key="server.key", ca_crt="ca.crt")
    with run_server(client, built.name, FROM_HERE, volumes=volumes) as running:
        running.wait_listening()
        yield running


def test_tls_takes_a_client_with_a_certificate_of_the_ca(tls_server: Server, certificates: Path) -> None:
    context = ssl.create_default_context(cafile=str(certificates / "ca.crt"))
    context.load_cert_chain(certificates / "client.crt", certificates / "client.key")
    send_tls(tls_server.address(), syslog.message("over TLS with a certificate", tag="app"), context)
    wait_archived(tls_server, "over TLS with a certificate", 1)


@pytest.mark.parametrize("shown", [None, "stranger"])
def test_tls_refuses_a_client_without_one(tls_server: Server, certificates: Path, shown: str | None) -> None:
    context = ssl.create_default_context(cafile=str(certificates / "ca.crt"))
    if shown:
        context.load_cert_chain(certificates / f"{shown}.crt", certificates / f"{shown}.key")
    with suppress(OSError):  # refused while it sends, or afterwards: TLS 1.3 tells a client late
        send_tls(tls_server.address(), syslog.message(f"over TLS as {shown}", tag="app"), context)
    good = ssl.create_default_context(cafile=str(certificates / "ca.crt"))
    good.load_cert_chain(certificates / "client.crt", certificates / "client.key")

    send_tls(tls_server.address(), syslog.message(f"after {shown}", tag="app"), good)
    wait_archived(tls_server, f"after {shown}", 1)
    assert not archived(tls_server, f"over TLS as {shown}")


def test_tls_without_a_ca_takes_anybody_and_a_silent_client_costs_nothing(
    client: docker.DockerClient, built: image.Image, certificates: Path
) -> None:
    volumes = mounted(certificates, tls_crt="server.crt", tls_key="server.key")
    with run_server(client, built.name, FROM_HERE, volumes=volumes) as running:
        running.wait_listening()
        silent = [socket.create_connection((running.address(), 6514), 10) for _ in range(100)]
        context = ssl.create_default_context(cafile=str(certificates / "ca.crt"))
        send_tls(running.address(), syslog.message("beside the silent", tag="app"), context)
        wait_archived(running, "beside the silent", 1)
        for one in silent:
            one.close()


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"tls.crt": "server.crt"}, "tls.key: is not there; TLS needs it"),
        ({"tls.key": "server.key"}, "tls.crt: is not there; TLS needs it"),
        ({"tls.crt": "server.key", "tls.key": "server.key"}, "tls.crt: holds no CERTIFICATE in PEM form"),
        ({"tls.crt": "server.crt", "tls.key": "server.crt"}, "tls.key: holds no PRIVATE KEY in PEM form"),
    ],
)
def test_half_a_certificate_is_one_line_and_exit_78(
    tried: Trial, certificates: Path, files: dict[str, str], complaint: str
) -> None:
    for name, file in files.items():
        tried.put(f"tls/{name}", (certificates / file).read_bytes())
    tried.refused({}, 78, complaint)


@pytest.mark.parametrize("protocol", ["TLS", "RELP"])
def test_who_is_refused_is_told_of_over_every_protocol(
    client: docker.DockerClient, built: image.Image, certificates: Path, protocol: str
) -> None:
    """D15."""
    environment = {"OSSEC_ALLOWED_IPS": "192.0.2.0/24", "OSSEC_RELP": "yes"}
    volumes = mounted(certificates, tls_crt="server.crt", tls_key="server.key")
    with run_server(client, built.name, environment, volumes=volumes) as running:
        running.wait_listening()
        with suppress(OSError):  # closed as soon as it is there
            if protocol == "TLS":
                context = ssl.create_default_context(cafile=str(certificates / "ca.crt"))
                send_tls(running.address(), syslog.message("from a stranger", tag="app"), context)
            else:
                with RelpSender(running.address()) as sender:
                    sender.send({1: syslog.message("from a stranger", tag="app").encode()}, set())
        wait_until(lambda: running.counters()["refused"] == 1, 30, what="the refusal")
        running.wait_said("which is not in OSSEC_ALLOWED_IPS")
        assert not archived(running, "from a stranger")


def test_ipv6_senders_are_taken_and_refused_by_their_network(
    client: docker.DockerClient, built: image.Image
) -> None:
    say = "echo '<38>Nov 23 04:50:00 web1 app: over IPv6 by {0}' > /dev/{0}/::1/514"
    with run_server(client, built.name, {"OSSEC_ALLOWED_IPS": "::/1"}) as running:
        running.wait_listening()
        for protocol in ("udp", "tcp"):
            running.run("bash", "-c", say.format(protocol))
            [line] = wait_archived(running, f"over IPv6 by {protocol}", 1)
            assert "->--1 " in line  # the location has dashes where the address has colons
    with run_server(client, built.name, {"OSSEC_ALLOWED_IPS": "2001:db8::/32,::2/127"}) as running:
        running.wait_listening()
        running.run("bash", "-c", say.format("udp"))
        wait_until(lambda: running.counters()["refused"] == 1, 30, what="the refusal")
        running.wait_said(
            "1 connections or datagrams refused, the last from ::1, which is not in OSSEC_ALLOWED_IPS"
        )


def test_a_message_over_the_engines_limit_is_cut_and_counted(server: Server) -> None:
    before = server.counters()["cut"]
    syslog.send_tcp(*server.tcp, [syslog.message("start-of-it " + "y" * 20_000, tag="app")])
    [line] = wait_archived(server, "start-of-it", 1)
    assert 6000 < len(line) < 6300
    assert server.counters()["cut"] == before + 1
    server.wait_said("longer than the 6143 bytes", 90)  # once in a minute


def test_the_counters_agree_as_text_and_as_json(server: Server) -> None:
    syslog.send_tcp(*server.tcp, [syslog.message(f"counted {n}", tag="app") for n in range(50)])
    wait_archived(server, "counted ", 50)

    def agree() -> bool:
        text = server.counters()
        return (
            text["received_tcp"] >= 50 and text["analysed"] == text["received"] and text["waiting_bytes"] == 0
        )

    wait_until(agree, 30, what="counters that agree")
    as_json = json.loads(server.run("ossec-log-server", "counters", "--json"))
    assert set(as_json) == set(server.counters())
    assert (
        as_json["damaged_bytes"] == as_json["lost_udp"] == as_json["held"] == as_json["no_descriptors"] == 0
    )


@pytest.mark.parametrize(
    ("daemon", "complaint"),
    [
        (
            "ossec-intake",
            r"udp on port 514, tcp on port 514: no answer within 3 s; ossec-intake does not move",
        ),
        ("ossec-analysisd", "ossec-analysisd does not get on"),
    ],
)
def test_healthy_while_it_works_and_unhealthy_while_a_link_is_stuck(
    server: Server, daemon: str, complaint: str
) -> None:
    of_image: Any = server.container.image
    assert of_image.attrs["Config"]["Healthcheck"]["Test"] == ["CMD", "ossec-log-server", "health"]
    server.run("ossec-log-server", "health")
    server.kill(daemon, "STOP")
    with pytest.raises(RuntimeError, match=complaint):
        server.run("ossec-log-server", "health")
    server.kill(daemon, "CONT")
    wait_until(lambda: server.answer("ossec-log-server", "health") == (0, ""), 30, what="health")

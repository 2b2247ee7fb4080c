"""Behind HAProxy and behind a relay of rsyslog, both Debian's: the sender is the real one, and nobody else can be."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import docker
import pytest
from docker.models.containers import Container
from docker.models.networks import Network

from pipeline import image
from pipeline.project import ROOT
from pipeline.server import Server, address, container, network
from pipeline.server import server as run_server
from pipeline.server.execute import execute
from pipeline.wait import wait_until
from tests import loopback
from tests.image.intake.test_protocols import mounted

SERVER = "ossec.example.org"
ATTACK = "<38>Nov 26 06:00:00 web1 sshd[77]: Failed password for bob from 203.0.113.5 port {} ssh2"
SEND = """
import socket, ssl, sys
kind, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
data = sys.argv[4].encode().decode("unicode_escape").encode("latin-1")
if kind == "udp":
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(data, (host, port))
    sys.exit()
sender = socket.create_connection((host, port), 10)
if kind == "tls":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations("/ca.crt")
    sender = context.wrap_socket(sender, server_hostname="ossec.example.org")
if kind == "relp":
    data = b"1 open 15 commands=syslog\\n2 syslog %d %s\\n" % (len(data), data)
sender.sendall(data + (b"" if kind == "relp" else b"\\n"))
try:
    answers = b""
    while kind == "relp" and b"2 rsp" not in answers:
        more = sender.recv(1000)
        if not more:
            break
        answers += more
except ConnectionResetError:
    pass
if kind == "tls":
    sender.unwrap()
sender.close()
"""
PORTS = {"tcp": 514, "tls": 6514, "relp": 2514}


class Stage(NamedTuple):
    server: Server
    web1: Container  # may send
    stranger: Container  # may not
    at: dict[str, str]  # name -> address


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return loopback.certificates(tmp_path_factory.mktemp("tls"), server=SERVER, client="localhost")


@pytest.fixture(scope="module")
def net(client: docker.DockerClient) -> Iterator[Network]:
    with network(client) as made:
        yield made


@pytest.fixture(scope="module")
def stage(
    client: docker.DockerClient,
    ossec_image: image.Image,
    senders: str,
    net: Network,
    certificates: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("balancer")
    (folder / "send.py").write_text(SEND)
    (folder / "haproxy.cfg").write_text("# written when the server's address is known\n")
    volumes = [
        f"{folder}:/etc/sender:ro",
        f"{folder / 'send.py'}:/send.py:ro",
        f"{certificates / 'ca.crt'}:/ca.crt:ro",
    ]
    options = {"entrypoint": ["sleep", "infinity"], "user": "0", "network": net.name, "volumes": volumes}
    with ExitStack() as stack:
        found = {
            name: stack.enter_context(container(client, senders, **options))
            for name in ("web1", "stranger", "balancer", "relay")
        }
        at = {name: address(one, net) for name, one in found.items()}
        environment = {
            "OSSEC_ALLOWED_IPS": at["web1"],
            "OSSEC_TRUSTED_PROXIES": at["balancer"],
            "OSSEC_TRUSTED_RELAYS": at["relay"],
            "OSSEC_RELP": "yes",
        }
        server = stack.enter_context(
            run_server(
                client,
                ossec_image.name,
                environment,
                network=net.name,
                volumes=mounted(certificates, tls_crt="server.crt", tls_key="server.key"),
            )
        )
        server.wait_listening()
        at["server"] = address(server.container, net)
        example = (ROOT / "examples" / "haproxy.cfg").read_text()
        # Each backend by another version of the protocol, one with what version 2 may have behind the addresses.
        example = example.replace("192.0.2.11:514", f"{at['server']}:514 no-send-proxy-v2 send-proxy")
        example = example.replace(
            "192.0.2.11:6514", f"{at['server']}:6514 proxy-v2-options crc32c,authority,unique-id"
        )
        rows = example.replace("192.0.2.11", at["server"]).splitlines()
        (folder / "haproxy.cfg").write_text("\n".join(row for row in rows if " 192.0.2." not in row) + "\n")
        relay = 'global(workDirectory="/tmp")\n' + (ROOT / "examples" / "rsyslog-relay.conf").read_text()
        (folder / "relay.conf").write_text(relay.replace("192.0.2.10", at["server"]))
        start(found["balancer"], "haproxy -db -f /etc/sender/haproxy.cfg")
        start(found["relay"], "rsyslogd -n -i NONE -f /etc/sender/relay.conf")
        for one, ports in (("balancer", (514, 2514, 6514)), ("relay", (514,))):
            for port in ports:
                listens(at[one], port)
        yield Stage(server, found["web1"], found["stranger"], at)


def start(inside: Container, command: str) -> None:
    inside.exec_run(["bash", "-c", f"exec {command} > /proc/1/fd/1 2>&1"], detach=True)


def listens(host: str, port: int) -> None:
    def connects() -> bool:
        socket.create_connection((host, port), 1).close()
        return True

    wait_until(connects, 30, what=f"{host}:{port}", ignoring=(OSError,))


def send(sender: Container, kind: str, host: str, data: str, port: int = 514) -> None:
    code, output = execute(sender, ["python3", "/send.py", kind, host, str(port), data])
    assert code == 0, output


def location(server: Server, number: int) -> str:
    """Where the attack from that port came from, by the alert."""
    [alert] = wait_until(
        lambda: [one for one in server.alerts() if f"port {number} " in one["full_log"]],
        30,
        what=f"an alert on {number}",
    )
    return str(alert["location"])


@pytest.mark.parametrize("kind", PORTS)
def test_behind_haproxy_the_sender_is_the_real_one(stage: Stage, kind: str) -> None:
    number = PORTS[kind]
    send(stage.web1, kind, stage.at["balancer"], ATTACK.format(number), number)
    assert location(stage.server, number) == stage.at["web1"]


def test_behind_haproxy_the_allowed_networks_hold(stage: Stage) -> None:
    before = stage.server.counters()
    for kind in ("tcp", "relp"):
        send(stage.stranger, kind, stage.at["balancer"], ATTACK.format(45001), PORTS[kind])
    wait_until(lambda: stage.server.counters()["refused"] == before["refused"] + 2, 30, what="the count")


def test_nobody_else_can_name_an_address(stage: Stage) -> None:
    header = f"PROXY TCP4 {stage.at['web1']} 192.0.2.10 40022 514\\r\\n"
    before = stage.server.counters()["refused"]
    send(stage.stranger, "tcp", stage.at["server"], header + ATTACK.format(45002))
    send(stage.stranger, "udp", stage.at["server"], ATTACK.format(45002).replace("web1", stage.at["web1"]))
    # One header is the balancer's own; a second is the sender's text.
    send(stage.stranger, "tcp", stage.at["balancer"], header + ATTACK.format(45002))
    wait_until(lambda: stage.server.counters()["refused"] == before + 3, 30, what="the count")
    # One who may send stays itself.
    claimed = f"PROXY TCP4 {stage.at['stranger']} 192.0.2.10 40022 514\\r\\n"
    send(stage.web1, "tcp", stage.at["server"], claimed + ATTACK.format(45003))
    send(stage.web1, "udp", stage.at["server"], ATTACK.format(45004).replace("web1", stage.at["stranger"]))
    assert location(stage.server, 45003) == location(stage.server, 45004) == stage.at["web1"]
    assert all("port 45002 " not in alert["full_log"] for alert in stage.server.alerts())


@pytest.mark.parametrize(("kind", "number"), [("udp", 45101), ("tcp", 45102)])
def test_behind_a_relay_the_sender_is_the_real_one(stage: Stage, kind: str, number: int) -> None:
    # It writes another's address as its host, which the relay does not pass on.
    send(stage.web1, kind, stage.at["relay"], ATTACK.format(number).replace("web1", stage.at["stranger"]))
    assert location(stage.server, number) == stage.at["web1"]
    before = stage.server.counters()["refused"]
    send(
        stage.stranger, kind, stage.at["relay"], ATTACK.format(number + 10).replace("web1", stage.at["web1"])
    )
    wait_until(lambda: stage.server.counters()["refused"] == before + 1, 30, what="the count")
    assert all(f"port {number + 10} " not in alert["full_log"] for alert in stage.server.alerts())


def test_a_relay_without_a_tag_lets_nobody_write_a_second_header(stage: Stage) -> None:
    inner = (
        f"<38>Nov 26 06:00:00 Nov 26 06:00:00 {stage.at['stranger']} sshd[77]: "
        + ATTACK.format(45201).partition("]: ")[2]
    )
    send(stage.web1, "udp", stage.at["relay"], inner)
    assert location(stage.server, 45201) == stage.at["web1"]


def test_haproxys_checks_are_no_senders(stage: Stage) -> None:
    """They come every 2 s, as connections that are HAProxy's own."""
    log = stage.server.log()
    assert "OSSEC_TRUSTED_PROXIES closed" not in log
    assert f"the last from {stage.at['balancer']}" not in log
    assert stage.server.run("ossec-log-server", "health") == ""


def test_wrong_lists_are_told_of(client: docker.DockerClient, ossec_image: image.Image) -> None:
    for variable in ("OSSEC_TRUSTED_PROXIES", "OSSEC_TRUSTED_RELAYS"):
        with container(
            client, ossec_image.name, command=["check"], environment={variable: "10.0.0.1, haproxy"}
        ) as made:
            assert made.wait(timeout=60)["StatusCode"] == 78
            said = made.logs().decode()
            assert (
                said
                == f"ossec-log-server: {variable}: 'haproxy' is a name; write the addresses that it has\n"
            )

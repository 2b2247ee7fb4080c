"""Who may send, on which port, and what strangers and mistakes cost: as an operator sees it."""

import socket
import ssl
import subprocess
from contextlib import ExitStack, suppress
from pathlib import Path

import docker
import pytest

from pipeline import image
from pipeline.server import HARDENED, Server, container, syslog
from pipeline.server import server as run_server
from pipeline.wait import wait_until
from tests import loopback
from tests.image.conftest import FROM_HERE
from tests.image.intake.test_intake import archived, wait_archived
from tests.image.support.relp import RelpSender
from tests.image.support.trial import Trial

TLS = "/etc/ossec-log-server/tls"
NOBODY = {"OSSEC_ALLOWED_IPS": "192.0.2.0/24"}  # but the health check
FEW_FILES = [docker.types.Ulimit(name="nofile", soft=1024, hard=1024)]


def own_line(server: Server, text: str, port: int = 514) -> None:
    """A line from the container itself, whose 127.0.0.1 is always allowed."""
    server.run("bash", "-c", f"echo '<38>Nov 26 06:00:00 web1 app: {text}' > /dev/tcp/127.0.0.1/{port}")


def closed(sender: socket.socket) -> bool:
    sender.settimeout(30)
    try:
        return sender.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def cpu_ticks(server: Server) -> dict[str, int]:
    """What each process of the server has used, in hundredths of a second; and none of a test that asks it."""
    used = {}
    for line in server.run("bash", "-c", "cat /proc/[0-9]*/stat 2> /dev/null || true").splitlines():
        name, _, rest = line.partition(") ")
        if "1" in (name.split()[0], rest.split()[1]):  # the first process, or a child of it
            used[name] = sum(map(int, rest.split()[11:13]))
    return used


def most_used(server: Server, before: dict[str, int]) -> int:
    """By any process that was there before."""
    return max(ticks - before[name] for name, ticks in cpu_ticks(server).items() if name in before)


def test_a_stranger_with_1500_connections_keeps_nobody_out(
    client: docker.DockerClient, built: image.Image
) -> None:
    """D17."""
    environment = {**NOBODY, "OSSEC_RELP": "yes"}
    with run_server(client, built.name, environment, ulimits=FEW_FILES) as running, ExitStack() as stack:
        running.wait_listening()
        for n in range(1500):
            port = 514 if n % 2 else 2514
            with suppress(OSError):  # it may be closed before we have noticed that it was open
                stack.enter_context(socket.create_connection((running.address(), port), 10))
        before = cpu_ticks(running)
        running.run("ossec-log-server", "health")
        own_line(running, "from one who may")
        wait_archived(running, "from one who may", 1)
        assert most_used(running, before) < 30  # 0.3 s
        wait_until(lambda: running.counters()["refused"] == 1500, 30, what="the count")
        wait_until(lambda: running.counters()["connections"] == 0, 30, what="the line's own to be closed")
        said = "which is not in OSSEC_ALLOWED_IPS"
        assert running.wait_said(said).count(said) <= 2  # at once, and once in a minute


def test_one_sender_with_all_connections_leaves_room_for_others(
    client: docker.DockerClient, built: image.Image
) -> None:
    environment = {**FROM_HERE, "OSSEC_MAX_CONNECTIONS": "300", "OSSEC_MAX_CONNECTIONS_PER_SOURCE": "100"}
    with run_server(client, built.name, environment) as running, ExitStack() as stack:
        running.wait_listening()
        held = [
            stack.enter_context(socket.create_connection((running.address(), 514), 10)) for _ in range(120)
        ]
        assert closed(held[-1])
        wait_until(lambda: running.counters()["limited"] == 20, 30, what="the others to be closed")
        running.wait_said("which has as many open as OSSEC_MAX_CONNECTIONS_PER_SOURCE allows")
        running.run("ossec-log-server", "health")
        own_line(running, "beside it")
        wait_archived(running, "beside it", 1)
        assert running.stop() == 0


def test_descriptors_that_run_out_are_a_line_and_no_spinning_process(
    client: docker.DockerClient, built: image.Image
) -> None:
    """D7."""
    with run_server(client, built.name, FROM_HERE, ulimits=FEW_FILES) as running, ExitStack() as stack:
        running.wait_listening()
        senders = [
            stack.enter_context(socket.create_connection((running.address(), 514), 10)) for _ in range(1500)
        ]
        assert closed(senders[-1])
        assert "connections fit into the limit of 1024 open files, and not the 4096" in running.log()
        wait_until(lambda: running.counters()["limited"] > 1000, 30, what="the rest to be closed")
        before = cpu_ticks(running)
        running.run("ossec-log-server", "health")  # another source has its places
        syslog.send_udp(*running.udp, [syslog.message("by UDP", tag="app")])
        wait_archived(running, "by UDP", 1)
        assert most_used(running, before) < 30
        senders[0].sendall(syslog.message("from the first", tag="app").encode() + b"\n")
        wait_archived(running, "from the first", 1)


def test_the_port_can_be_another_one(client: docker.DockerClient, built: image.Image) -> None:
    """D16."""
    with run_server(client, built.name, {**FROM_HERE, "OSSEC_SYSLOG_PORT": "1514"}) as running:
        running.wait_listening()
        running.run("ossec-log-server", "health")
        syslog.send_udp(running.address(), 1514, [syslog.message("by UDP on 1514", tag="app")])
        syslog.send_tcp(running.address(), 1514, [syslog.message("by TCP on 1514", tag="app")])
        wait_archived(running, "on 1514", 2)
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((running.address(), 514), 10)


def test_a_second_listener_on_the_port_is_one_line_and_no_health_of_its_own(
    client: docker.DockerClient, built: image.Image
) -> None:
    """D6, D16."""
    with run_server(client, built.name, FROM_HERE) as running:
        running.wait_listening()
        for command in ([], ["check"]):
            beside = {**HARDENED, "network_mode": f"container:{running.container.id}", "command": command}
            with container(client, built.name, environment=FROM_HERE, **beside) as made:
                second = Server(made)
                assert second.exit_code() == 73
                [line] = [one for one in second.log().splitlines() if "ossec-log-server:" in one]
                assert "port 514/udp is in use by another process of this network" in line
                assert "OSSEC_SYSLOG_PORT" in line
        running.run("ossec-log-server", "health")


def test_ten_thousand_networks(client: docker.DockerClient, built: image.Image, tmp_path: Path) -> None:
    """D12."""
    listed = ",".join(f"{n % 100 + 20}.{n // 256}.{n % 256}.0/24" for n in range(10_000))
    (tmp_path / "networks").write_text(f"{listed},{FROM_HERE['OSSEC_ALLOWED_IPS']}\n")
    environment = {"OSSEC_ALLOWED_IPS_FILE": "/networks"}
    volumes = [f"{tmp_path / 'networks'}:/networks:ro"]
    with run_server(client, built.name, environment, volumes=volumes) as running:
        running.wait_listening()
        syslog.send_udp(*running.udp, [syslog.message("one of many", tag="app")])
        wait_archived(running, "one of many", 1)


def test_all_of_ipv6_is_not_ipv4(client: docker.DockerClient, built: image.Image) -> None:
    """D12."""
    with run_server(client, built.name, {"OSSEC_ALLOWED_IPS": "::/0"}) as running:
        running.wait_listening()
        syslog.send_udp(running.address(), 514, [syslog.message("over IPv4", tag="app")])
        wait_until(lambda: running.counters()["refused"] == 1, 30, what="the refusal")
        running.run("bash", "-c", "echo '<38>Nov 26 06:00:00 web1 app: over IPv6' > /dev/udp/::1/514")
        wait_archived(running, "over IPv6", 1)
        assert not archived(running, "over IPv4")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = loopback.certificates(tmp_path_factory.mktemp("tls"), server="localhost", client="localhost")
    for command in (
        "pkey -in server.key -aes256 -passout pass:secret -out encrypted.key",
        "req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=x -keyout short.key -out short.crt",
    ):
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)
    for file in folder.iterdir():
        file.chmod(0o644)
    return folder


def put(folder: Path, certificates: Path, **files: str) -> None:
    folder.mkdir()
    for name, source in files.items():
        (folder / name.replace("_", ".")).write_bytes((certificates / source).read_bytes())


PAIR = {"tls_crt": "server.crt", "tls_key": "server.key"}


@pytest.mark.parametrize("command", ["", "check"])
@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ("other key", f"{TLS}/tls.key: is not the key of the certificate in {TLS}/tls.crt"),
        ("encrypted", f"{TLS}/tls.key: is encrypted; write it without a password"),
        ("dangling", f"{TLS}/ca.crt: is a link to a file that is not there"),
        ("closed folder", f"{TLS}: it cannot be searched by UID 10514"),
        ("closed key", f"{TLS}/tls.key: cannot be read by UID 10514"),
        ("empty certificate", f"{TLS}/tls.crt: holds no CERTIFICATE in PEM form"),
    ],
)
def test_a_certificate_that_cannot_work_is_one_line_at_check_and_start(
    tried: Trial, certificates: Path, command: str, fault: str, complaint: str
) -> None:
    """D2, D3."""
    keys = {"other key": "client.key", "encrypted": "encrypted.key"}
    folder = tried.own / "tls"
    put(folder, certificates, **{**PAIR, "tls_key": keys.get(fault, "server.key")})
    if fault == "dangling":
        (folder / "ca.crt").symlink_to("not-there")
    elif fault == "closed folder":
        folder.chmod(0o700)
    elif fault == "closed key":
        (folder / "tls.key").chmod(0o600)
    elif fault == "empty certificate":
        (folder / "tls.crt").write_text("")
    tried.refused(FROM_HERE, 78, complaint, command=command)


def test_every_input_at_once_is_healthy_and_warns_of_a_certificate(
    client: docker.DockerClient, built: image.Image, certificates: Path, tmp_path: Path
) -> None:
    put(tmp_path / "tls", certificates, tls_crt="short.crt", tls_key="short.key", ca_crt="ca.crt")
    environment = {**FROM_HERE, "OSSEC_RELP": "yes"}
    with run_server(client, built.name, environment, volumes=[f"{tmp_path / 'tls'}:{TLS}:ro"]) as running:
        running.wait_listening()
        assert f"{TLS}/tls.crt: the certificate expires within" in running.log()
        running.run("ossec-log-server", "health")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.load_cert_chain(certificates / "client.crt", certificates / "client.key")
        with (
            socket.create_connection((running.address(), 6514), 10) as plain,
            context.wrap_socket(plain) as sender,
        ):
            sender.sendall(syslog.message("over TLS", tag="app").encode() + b"\n")
        acknowledged: set[int] = set()
        with RelpSender(running.address()) as sender:
            sender.send({1: syslog.message("over RELP", tag="app").encode()}, acknowledged)
        assert acknowledged == {1}
        wait_archived(running, "over TLS", 1)
        wait_archived(running, "over RELP", 1)
        counters = running.counters()
        assert (counters["received_tls"], counters["received_relp"]) == (1, 1)
        assert "failed" not in running.log()

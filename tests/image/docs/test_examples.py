"""The examples of senders: those at hand are sent through and counted, the others say that they are not."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.models.containers import Container

from pipeline import image
from pipeline.project import ROOT
from pipeline.server import LOOPBACK, Server, container, network
from pipeline.server import server as run_server
from pipeline.server.execute import execute
from pipeline.wait import wait_until
from tests import loopback
from tests.image.conftest import FROM_HERE
from tests.image.intake.test_intake import archived, wait_archived
from tests.image.intake.test_protocols import mounted
from tests.image.support.compose import compose

EXAMPLES = ROOT / "examples"
SERVER = "ossec.example.org"
ATTACK = "Failed password for root from 203.0.113.9 port 22 ssh2"
QUEUED = {"rsyslog.conf": "rsyslogd", "rsyslog-relp.conf": "rsyslogd", "syslog-ng.conf": "syslog-ng"}
# What a machine's own configuration has around the example.
MAIN = {
    "rsyslogd": 'global(workDirectory="/tmp")\nmodule(load="imuxsock")\n',
    "syslog-ng": '@version: 4.8\nsource s_src { unix-dgram("/dev/log"); };\n',
}
COMMAND = {
    "rsyslogd": ["rsyslogd", "-n", "-i", "NONE", "-f", "/etc/sender.conf"],
    "syslog-ng": ["syslog-ng", "--foreground", "--no-caps", "-f", "/etc/sender.conf"],
}


def example(name: str) -> str:
    """An example's text, for the server of these tests."""
    return (EXAMPLES / name).read_text().replace("192.0.2.10", SERVER)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    return loopback.certificates(folder, server=SERVER, client="web1.example.org", other="db1.example.org")


@pytest.fixture
def net(client: docker.DockerClient) -> Iterator[str]:
    with network(client) as made:
        yield str(made.name)


@contextmanager
def named_server(
    client: docker.DockerClient,
    name: str,
    net: str,
    certificates: Path,
    ports: Mapping[str, Any] | None = None,
    **settings: str,
) -> Iterator[Server]:
    """A server that is reached as SERVER in that network, with all that it can listen to."""
    with run_server(
        client,
        name,
        {**FROM_HERE, "OSSEC_RELP": "yes", **settings},
        network=net,
        ports=ports,
        networking_config={net: client.api.create_endpoint_config(aliases=[SERVER])},
        volumes=mounted(certificates, tls_crt="server.crt", tls_key="server.key", ca_crt="ca.crt"),
    ) as running:
        running.wait_listening()
        yield running


def sending(
    client: docker.DockerClient, name: str, program: str, net: str, volumes: list[str]
) -> AbstractContextManager[Container]:
    """A container of that image in which the program takes what is logged, and sends it."""
    return container(client, name, entrypoint=COMMAND[program], user="0", network=net, volumes=volumes)


def log_lines(sender: Container, text: str, count: int) -> None:
    """As a program on the sender's machine does."""
    script = f"for n in $(seq {count}); do echo '{text}' $n; done | logger --tag app"
    wait_until(
        lambda: execute(sender, ["bash", "-c", f"test -S /dev/log && {script}"]).exit_code == 0,
        30,
        what=f"{sender.name} to take lines",
    )


def numbers(lines: list[str]) -> list[int]:
    """What each line's message ends in; what its header had more than the engine's form has stands behind it."""
    return [int(line.partition(" | ")[0].rpartition(" ")[2]) for line in lines]


def test_senders_with_a_queue_lose_nothing_while_the_server_is_away(
    client: docker.DockerClient,
    ossec_image: image.Image,
    senders: str,
    net: str,
    certificates: Path,
    tmp_path: Path,
) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(named_server(client, ossec_image.name, net, certificates))
        running = {}
        for file, program in QUEUED.items():
            conf = tmp_path / file
            conf.write_text(MAIN[program] + example(file))
            mount = [f"{conf}:/etc/sender.conf:ro"]
            running[file] = stack.enter_context(sending(client, senders, program, net, mount))
        for file, sender in running.items():
            log_lines(sender, f"to {file}", 50)
        for file in running:
            wait_archived(server, f"to {file} ", 50)
        server.stop()
        for file, sender in running.items():
            log_lines(sender, f"later to {file}", 50)
        server.container.start()
        server.wait_listening()
        for file in running:
            lines = wait_archived(server, f"to {file} ", 100, seconds=120)
            assert sorted(numbers(lines)) == sorted([*range(1, 51)] * 2), file
            assert all(" app: " in line for line in lines)


def test_rsyslog_sends_over_tls_and_connects_again(
    client: docker.DockerClient,
    ossec_image: image.Image,
    senders: str,
    net: str,
    certificates: Path,
    tmp_path: Path,
) -> None:
    conf = tmp_path / "rsyslog.conf"
    conf.write_text(MAIN["rsyslogd"] + example("rsyslog-tls.conf"))
    volumes = [f"{conf}:/etc/sender.conf:ro", f"{certificates}:/etc/ssl/ossec:ro"]
    with (
        named_server(client, ossec_image.name, net, certificates) as server,
        sending(client, senders, "rsyslogd", net, volumes) as sender,
    ):
        log_lines(sender, "over TLS", 50)
        lines = wait_archived(server, " app: over TLS ", 50)
        assert numbers(lines) == [*range(1, 51)]
        server.stop()
        server.container.start()
        server.wait_listening()

        def arrived() -> bool:
            log_lines(sender, "over TLS again", 1)
            return bool(archived(server, "over TLS again"))

        wait_until(arrived, 60, interval=1, what="a line over the new connection")


def test_rsyslog_and_syslog_ng_send_over_relp_and_tls_under_their_permitted_names(
    client: docker.DockerClient,
    ossec_image: image.Image,
    senders: str,
    net: str,
    certificates: Path,
    tmp_path: Path,
) -> None:
    settings = {"OSSEC_RELP": "tls", "OSSEC_TLS_PEERS": "web1.example.org, *.lan.example.org"}
    with ExitStack() as stack:
        server = stack.enter_context(
            named_server(client, ossec_image.name, net, certificates, None, **settings)
        )
        running = {}
        for file, program, own in [
            ("rsyslog-relp-tls.conf", "rsyslogd", "client"),
            ("syslog-ng-tls.conf", "syslog-ng", "client"),
            ("rsyslog-relp-tls.conf", "rsyslogd", "other"),
            ("syslog-ng-tls.conf", "syslog-ng", "other"),
        ]:
            conf = tmp_path / f"{own}-{file}"
            conf.write_text(MAIN[program] + example(file).replace("ossec/client.", f"ossec/{own}."))
            volumes = [f"{conf}:/etc/sender.conf:ro", f"{certificates}:/etc/ssl/ossec:ro"]
            running[f"{own} {file}"] = stack.enter_context(sending(client, senders, program, net, volumes))
        for key, sender in running.items():
            log_lines(sender, f"as {key}", 50)
        for key in running:
            if key.startswith("client"):
                assert sorted(numbers(wait_archived(server, f"as {key} ", 50))) == [*range(1, 51)]
        refused = "its certificate is for db1.example.org, which is not in OSSEC_TLS_PEERS"
        server.wait_said(refused)
        server.run("ossec-log-server", "health")
        server.stop()
        relp = running["client rsyslog-relp-tls.conf"]
        log_lines(relp, "later over RELP", 50)
        server.container.start()
        server.wait_listening()
        assert sorted(numbers(wait_archived(server, "later over RELP ", 50, seconds=120))) == [*range(1, 51)]
        assert not archived(server, "as other ")


def test_logger_sends_a_line_and_each_line_of_a_program(
    client: docker.DockerClient, ossec_image: image.Image, net: str, certificates: Path, tmp_path: Path
) -> None:
    script = tmp_path / "logger.sh"
    script.write_text(example("logger.sh"))
    with named_server(client, ossec_image.name, net, certificates) as server:
        options = {"entrypoint": ["sh", "/logger.sh"], "volumes": [f"{script}:/logger.sh:ro"], "network": net}
        with container(client, ossec_image.name, **options) as sender:
            assert sender.wait(timeout=30)["StatusCode"] == 0, sender.logs()
        wait_archived(server, " backup: finished", 1)
        [head, row] = wait_archived(server, " df: ", 2)
        assert "Filesystem" in head
        assert " / | " in row


def test_docker_itself_sends_what_a_container_prints(
    client: docker.DockerClient,
    ossec_image: image.Image,
    net: str,
    certificates: Path,
    project: str,
    tmp_path: Path,
) -> None:
    with named_server(client, ossec_image.name, net, certificates, LOOPBACK) as server:
        host, port = server.tcp
        file = tmp_path / "compose.yaml"
        file.write_text(example("docker-log-driver.yaml").replace(f"{SERVER}:514", f"{host}:{port}"))
        script = f"for n in $$(seq 50); do echo counted $$n; done; echo '{ATTACK}'"
        more = tmp_path / "more.yaml"
        more.write_text(
            f"services: {{app: {{image: {ossec_image.name!r}, entrypoint: [bash, -c], command: [{script!r}]}}}}"
        )
        compose(file, more, command=["--project-name", project, "up", "--detach"])
        lines = wait_archived(server, ": counted ", 50)
        assert numbers(lines) == [*range(1, 51)]
        assert all(f"{project}-app-1[" in line for line in lines)


def test_each_example_is_tested_or_says_that_it_is_not() -> None:
    tested = {
        "README.md",
        *QUEUED,
        "rsyslog-tls.conf",
        "haproxy.cfg",  # test_balancer.py has these two
        "rsyslog-relay.conf",
        "rsyslog-failover.conf",  # tests/swarm has these three
        "haproxy-failover.cfg",
        "syslog-ng-failover.conf",
        "rsyslog-relp-tls.conf",
        "syslog-ng-tls.conf",
        "logger.sh",
        "docker-log-driver.yaml",
        "compose.docker-logs.yaml",  # test_docker_logs.py
        "compose.mail.yaml",  # test_deploy.py has these three
        "compose.apprise.yaml",
        "compose.ui.yaml",
        "ossec-log-server.container",
    }
    files = [path for path in EXAMPLES.iterdir() if path.is_file()]
    assert {path.name for path in files if "NOT TESTED" not in path.read_text()} == tested

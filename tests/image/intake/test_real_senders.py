"""Programs that send syslog, as they are installed: each one's line alerts, with its host, program and source."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container
from docker.types import LogConfig

from pipeline import image
from pipeline.server import Server, container, network
from pipeline.server import server as run_server
from pipeline.server.execute import execute
from pipeline.wait import wait_until
from tests.image.conftest import FROM_HERE

SERVER = "ossec.example.org"
HOST = "web1"
RULE = 5716
LIBRARY = f"""
import logging, logging.handlers, socket, sys
kind = socket.SOCK_STREAM if sys.argv[1] == "tcp" else socket.SOCK_DGRAM
handler = logging.handlers.SysLogHandler(("{SERVER}", 514), "auth", kind)
handler.setFormatter(logging.Formatter("sshd[77]: %(message)s"))
log = logging.getLogger()
log.addHandler(handler)
log.error(sys.argv[2])
handler.close()
"""
# rsyslog's own four formats to forward in, and the protocols that it forwards over.
RSYSLOG = [
    ("RSYSLOG_ForwardFormat", "udp"),
    ("RSYSLOG_TraditionalForwardFormat", "tcp"),
    ("RSYSLOG_SyslogProtocol23Format", "tcp"),
    ("RSYSLOG_FileFormat", "udp"),
]
SYSLOG_NG = [
    'syslog("{server}" transport("udp"))',
    'syslog("{server}" port(514) transport("tcp"))',
    'network("{server}" port(514) transport("tcp"))',
    'network("{server}" transport("udp"))',
    'network("{server}" port(514) transport("tcp") flags(syslog-protocol))',
]


def source(port: int) -> str:
    """Each line's own: many from one would be another rule's."""
    return f"203.0.113.{port % 250}"


def attack(port: int) -> str:
    return f"Failed password for bob from {source(port)} port {port} ssh2"


@pytest.fixture(scope="module")
def net(client: docker.DockerClient) -> Iterator[str]:
    with network(client) as made:
        yield str(made.name)


@pytest.fixture(scope="module")
def server(client: docker.DockerClient, ossec_image: image.Image, net: str) -> Iterator[Server]:
    with run_server(
        client,
        ossec_image.name,
        FROM_HERE,
        network=net,
        networking_config={net: client.api.create_endpoint_config(aliases=[SERVER])},
    ) as running:
        running.wait_listening()
        yield running


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def sender(
    stack: ExitStack, client: docker.DockerClient, name: str, net: str, *command: str, **options: object
) -> Container:
    """A container of that image, as the host HOST."""
    started = container(
        client, name, entrypoint=list(command), user="0", network=net, hostname=HOST, **options
    )
    return stack.enter_context(started)


def finish(running: Container) -> None:
    assert running.wait(timeout=60)["StatusCode"] == 0, running.logs().decode()


def assert_alerts(
    server: Server, port: int, host: str | None = HOST, program: str = "sshd"
) -> dict[str, object]:
    """The line with that port alerts, as a line of that host; None: as one of its sender's address."""
    text = attack(port)
    [alert] = wait_until(
        lambda: [alert for alert in server.alerts() if text in alert["full_log"]],
        60,
        what=f"an alert on port {port}",
    )
    assert alert["rule"]["sidid"] == RULE
    assert alert["srcip"] == source(port)
    assert alert["program_name"] == program
    assert alert["hostname"] == (host or alert["location"])
    return dict(alert)


def test_a_container_whose_output_docker_sends_in_its_default_format(
    client: docker.DockerClient, ossec_image: image.Image, server: Server, stack: ExitStack
) -> None:
    """Without a tag the program is the container's short id, so the tag is the program's here."""
    host, port = server.udp
    options = {"syslog-address": f"udp://{host}:{port}", "tag": "sshd"}
    log = LogConfig(type=LogConfig.types.SYSLOG, config=options)
    running = stack.enter_context(
        container(client, ossec_image.name, entrypoint=["echo", attack(41001)], log_config=log)
    )
    running.wait(timeout=60)
    assert_alerts(server, 41001, host=None)


@pytest.mark.parametrize(
    ("port", "options"),
    [
        (41101, ["--udp", "--rfc3164"]),
        (41102, ["--tcp", "--rfc3164"]),
        (41103, ["--udp", "--rfc5424"]),
        (41104, ["--tcp", "--rfc5424"]),
        (41105, ["--tcp", "--rfc5424", "--octet-count"]),
        (41106, ["--udp", "--rfc5424=notime,nohost,notq"]),
        (41107, ["--tcp", "--rfc5424", "--msgid", "ID47", "--sd-id", "x@1", "--sd-param", 'a="1"']),
    ],
)
def test_logger(
    client: docker.DockerClient,
    senders: str,
    server: Server,
    net: str,
    stack: ExitStack,
    port: int,
    options: list[str],
) -> None:
    command = ["logger", "--server", SERVER, "--port", "514", *options, "--tag", "sshd", "--id=77"]
    finish(sender(stack, client, senders, net, *command, attack(port)))
    alert = assert_alerts(server, port, host=None if "nohost" in "".join(options) else HOST)
    if "ID47" in options:
        assert 'ID47 [timeQuality tzKnown="1"' in str(alert["full_log"])
        assert '[x@1 a="1"]' in str(alert["full_log"])


@pytest.mark.parametrize(("port", "kind"), [(41201, "udp"), (41202, "tcp")])
def test_pythons_library(
    client: docker.DockerClient,
    senders: str,
    server: Server,
    net: str,
    stack: ExitStack,
    port: int,
    kind: str,
) -> None:
    finish(sender(stack, client, senders, net, "python3", "-c", LIBRARY, kind, attack(port)))
    assert_alerts(server, port, host=None)


def log_locally(running: Container, port: int, tag: str = "sshd") -> None:
    """As a program on the sender's machine does."""
    script = f"test -S /dev/log && logger --tag {tag} --id=77 '{attack(port)}'"
    wait_until(
        lambda: execute(running, ["bash", "-c", script]).exit_code == 0,
        30,
        what=f"{running.name} to take a line",
    )


@pytest.mark.parametrize(("number", "form", "protocol"), [(n, *row) for n, row in enumerate(RSYSLOG)])
def test_rsyslog_in_each_of_its_formats(
    client: docker.DockerClient,
    senders: str,
    server: Server,
    net: str,
    stack: ExitStack,
    tmp_path: Path,
    number: int,
    form: str,
    protocol: str,
) -> None:
    conf = tmp_path / "rsyslog.conf"
    conf.write_text(
        'global(workDirectory="/tmp")\nmodule(load="imuxsock")\n'
        f'*.* action(type="omfwd" target="{SERVER}" port="514" protocol="{protocol}" template="{form}")\n'
    )
    running = sender(
        stack, client, senders, net, "rsyslogd", "-n", "-i", "NONE", "-f", "/etc/sender.conf",
        volumes=[f"{conf}:/etc/sender.conf:ro"],
    )  # fmt: skip
    log_locally(running, 41301 + number)
    assert_alerts(server, 41301 + number)


@pytest.mark.parametrize(("number", "driver"), [*enumerate(SYSLOG_NG)], ids=SYSLOG_NG)
def test_syslog_ng_with_each_of_its_drivers(
    client: docker.DockerClient,
    senders: str,
    server: Server,
    net: str,
    stack: ExitStack,
    tmp_path: Path,
    number: int,
    driver: str,
) -> None:
    conf = tmp_path / "syslog-ng.conf"
    conf.write_text(
        '@version: 4.8\nsource s { unix-dgram("/dev/log"); };\n'
        f"destination d {{ {driver.format(server=SERVER)}; }};\nlog {{ source(s); destination(d); }};\n"
    )
    running = sender(
        stack, client, senders, net, "syslog-ng", "--foreground", "--no-caps", "-f", "/etc/sender.conf",
        volumes=[f"{conf}:/etc/sender.conf:ro"],
    )  # fmt: skip
    log_locally(running, 41401 + number)
    assert_alerts(server, 41401 + number)


def test_the_journal_of_systemd_through_rsyslog(
    client: docker.DockerClient, senders: str, server: Server, net: str, stack: ExitStack, tmp_path: Path
) -> None:
    conf = tmp_path / "rsyslog.conf"
    conf.write_text(
        'global(workDirectory="/tmp")\nmodule(load="imjournal" StateFile="state")\n'
        f'*.* action(type="omfwd" target="{SERVER}" port="514" protocol="tcp"'
        ' template="RSYSLOG_SyslogProtocol23Format")\n'
    )
    script = (
        "systemd-machine-id-setup && mkdir -p /run/systemd/journal /run/log/journal"
        " && { /usr/lib/systemd/systemd-journald & }"
        " && until test -S /run/systemd/journal/dev-log; do sleep 0.1; done"
        " && ln -sf /run/systemd/journal/dev-log /dev/log && exec rsyslogd -n -i NONE -f /etc/sender.conf"
    )
    running = sender(
        stack, client, senders, net, "bash", "-c", script, volumes=[f"{conf}:/etc/sender.conf:ro"]
    )
    log_locally(running, 41501)
    assert_alerts(server, 41501)
    sent = ["systemd-cat", "--identifier=sshd", "--priority=info", "echo", attack(41502)]
    assert execute(running, sent).exit_code == 0
    assert_alerts(server, 41502)

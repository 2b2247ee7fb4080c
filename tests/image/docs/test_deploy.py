"""How it is run: compose.yaml, a Podman unit and Kubernetes' objects, each as far as it can be here."""

import json
import re
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import docker
import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword
from docker.models.containers import Container

from pipeline import image, release
from pipeline.machine import engine
from pipeline.project import ROOT
from pipeline.server import SECCOMP, Server, container, gateway, published, syslog
from pipeline.server.mailbox import EmbeddedMailbox
from pipeline.wait import wait_until
from tests import loopback
from tests.image.outputs.test_notify import receiving
from tests.image.support import documentation
from tests.image.support.compose import compose

EXAMPLES = ROOT / "examples"
KALAKSI = "docs/use/from-kalaksi.md"
ATTACK = "Failed password for root from 203.0.113.9 port 22 ssh2"
SERVICE = "com.docker.compose.service"
# Others may use this machine's 514.
OTHER_PORTS = 'services: {ossec: {ports: !override ["127.0.0.1::514/udp", "127.0.0.1::514/tcp"]}}'


def test_the_compose_file_runs_as_readme_says(
    client: docker.DockerClient, ossec_image: image.Image, project: str, tmp_path: Path
) -> None:
    [line] = [
        line
        for line in (ROOT / "README.md").read_text().splitlines()
        if line.startswith("    docker compose ")
    ]
    ports = tmp_path / "ports.yaml"
    ports.write_text(OTHER_PORTS)
    command, _, follow = line.strip().removeprefix("docker compose ").partition(" && docker compose ")
    settings = {"COMPOSE_PROJECT_NAME": project, "OSSEC_IMAGE": ossec_image.name}
    files = (ROOT / "compose.yaml", ports)
    before = time.monotonic()
    compose(*files, command=command.split(), **settings)
    print(f"healthy after {time.monotonic() - before:.1f} s")
    [made] = client.containers.list(filters={"label": f"com.docker.compose.project={project}"})
    host = made.attrs["HostConfig"]
    assert made.health == "healthy"
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    no_new_privileges, profile = host["SecurityOpt"]
    assert no_new_privileges == "no-new-privileges:true"
    assert json.loads(profile.removeprefix("seccomp=")) == json.loads(SECCOMP.read_text())
    assert (host["Memory"], host["PidsLimit"]) == (512 << 20, 256)
    assert set(host["Tmpfs"]) == {"/run", "/tmp"}
    syslog.send_udp(*Server(made).udp, [syslog.message(ATTACK)])
    assert follow == "logs -f"
    wait_until(lambda: ATTACK in compose(*files, command=["logs"], **settings), 30, what="the alert")


def test_the_compose_file_for_those_who_come_from_kalaksi_runs(
    client: docker.DockerClient, ossec_image: image.Image, project: str, tmp_path: Path
) -> None:
    [written] = re.findall(r"^```yaml\n(.*?)^```$", (ROOT / KALAKSI).read_text(), re.MULTILINE | re.DOTALL)
    page, ports = tmp_path / "page.yaml", tmp_path / "ports.yaml"
    page.write_text(documentation.RELEASED.sub(ossec_image.name, written))
    ports.write_text(OTHER_PORTS)
    compose(page, ports, command=["up", "--detach", "--wait"], COMPOSE_PROJECT_NAME=project)
    [made] = client.containers.list(filters={"label": f"com.docker.compose.project={project}"})
    assert (made.health, made.attrs["Config"]["Image"]) == ("healthy", ossec_image.name)
    host = made.attrs["HostConfig"]
    assert (host["ReadonlyRootfs"], host["CapDrop"], list(host["Tmpfs"])) == (True, ["ALL"], ["/run", "/tmp"])


@contextmanager
def beside(
    client: docker.DockerClient,
    server: image.Image,
    project: str,
    folder: Path,
    example: str,
    other: str,
    more: str,
) -> Iterator[tuple[Server, Container]]:
    """compose.yaml with that example, in a folder as a person has it, and the container of the service that it adds."""
    part = EXAMPLES / example
    [wanted] = [line.split()[1] for line in part.read_text().splitlines() if line.startswith("    image: ")]
    try:
        client.images.get(wanted)
    except docker.errors.ImageNotFound:
        pytest.skip(
            f"{example} IS NOT RUN: {wanted} is not in this engine; pull it, or build it from its source"
        )
    for file in ("compose.yaml", "docker/seccomp.json", f"examples/{example}"):
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_bytes((ROOT / file).read_bytes())
    (folder / "ports.yaml").write_text(OTHER_PORTS)
    (folder / "more.yaml").write_text(more)
    files = [folder / file for file in ("compose.yaml", f"examples/{example}", "ports.yaml", "more.yaml")]
    settings = {"COMPOSE_PROJECT_NAME": project, "OSSEC_IMAGE": server.name}
    compose(*files, command=["up", "-d", "--wait"], **settings)
    [ours], [theirs] = (
        client.containers.list(
            filters={"label": [f"com.docker.compose.project={project}", f"{SERVICE}={one}"]}
        )
        for one in ("ossec", other)
    )
    yield Server(ours), theirs


def test_apprise_passes_an_alert_on(
    client: docker.DockerClient, ossec_image: image.Image, project: str, tmp_path: Path
) -> None:
    """Really Apprise's API, with a service that it notifies by HTTP."""
    host = client.networks.get("bridge").attrs["IPAM"]["Config"][0]["Gateway"]
    with receiving(host) as (url, receivers):
        (tmp_path / "apprise").mkdir()
        to = url.replace("http", "json")
        (tmp_path / "apprise" / "ossec.yml").write_text(f"urls:\n  - {to}/hook\n")
        with beside(client, ossec_image, project, tmp_path, "compose.apprise.yaml", "apprise", "{}") as (
            server,
            _,
        ):
            attack = [syslog.message(ATTACK)] * 8  # the eighth is one of level 10
            syslog.send_udp(*server.udp, attack)
            wait_until(lambda: server.counters()["notified"], 60, what="the notification")
            [said] = map(json.loads, receivers["hook"].bodies)
            assert said["title"] == "Level 10: Multiple SSHD authentication failures."
            assert said["type"] == "warning"
            assert ATTACK in said["message"]


def test_victorialogs_shows_alerts_by_their_fields(
    client: docker.DockerClient, ossec_image: image.Image, project: str, tmp_path: Path
) -> None:
    """Really VictoriaLogs, asked as its own page asks it, with the queries of our page."""
    page = (ROOT / "docs/use/outputs.md").read_text()
    queries = re.findall(r"`(\* \| unpack_json[^`]*)`", page)
    assert len(queries) == 2
    ports = 'services: {victorialogs: {ports: !override ["127.0.0.1::9428"]}}'
    with beside(client, ossec_image, project, tmp_path, "compose.ui.yaml", "victorialogs", ports) as (
        server,
        ui,
    ):
        base = "http://{}:{}/select".format(*published(ui, "9428/tcp"))

        def found(query: str) -> list[dict[str, str]]:
            with urlopen(f"{base}/logsql/query", urlencode({"query": query}).encode(), timeout=10) as answer:
                return [json.loads(line) for line in answer]

        lines = [ATTACK, ATTACK.replace("203.0.113.9", "203.0.113.10")]
        syslog.send_udp(*server.udp, [syslog.message(line) for line in lines])
        wait_until(lambda: len(found(queries[0])) == 2, 60, what="the alerts")
        assert {(one["srcip"], one["rule.sidid"]) for one in found(queries[0])} == {
            ("203.0.113.9", "5716"),
            ("203.0.113.10", "5716"),
        }
        [alert] = found(queries[1])
        assert ATTACK in alert["full_log"]
        with urlopen(f"{base}/vmui/", timeout=10) as answer:
            assert b"<html" in answer.read()


@contextmanager
def relay(host: str, certificates: Path) -> Iterator[EmbeddedMailbox]:
    """The relay that compose.mail.yaml is for: with STARTTLS, and the password that the example writes."""

    def judge(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=data == LoginPassword(b"ossec", b"the password"), handled=False)

    loopback.certificates(certificates, relay="mail.example.org")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates / "relay.crt", certificates / "relay.key")
    options: dict[str, Any] = {
        "tls_context": context,
        "require_starttls": True,
        "authenticator": judge,
        "auth_required": True,
    }
    with EmbeddedMailbox(host, **options) as mailbox:
        yield mailbox


def test_with_mail_and_its_secrets(
    client: docker.DockerClient, ossec_image: image.Image, project: str, tmp_path: Path
) -> None:
    example = EXAMPLES / "compose.mail.yaml"
    for command in re.findall(r"^#   ((?:mkdir|echo) .*)$", example.read_text(), re.MULTILINE):
        subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    host = gateway(client.networks.get("bridge"))
    with relay(host, tmp_path) as mailbox:
        more = tmp_path / "more.json"  # a file of JSON is one of YAML
        files = {name: {"file": str(tmp_path / "secrets" / name)} for name in ("email_to", "smtp_password")}
        service = {
            "environment": {"OSSEC_SMTP_SERVER": f"mail.example.org:{mailbox.address[1]}"},
            "extra_hosts": {"mail.example.org": host},
            "volumes": [f"{tmp_path / 'ca.crt'}:/etc/ossec-log-server/smtp/ca.crt:ro"],
        }
        more.write_text(json.dumps({"services": {"ossec": service}, "secrets": files}))
        ports = tmp_path / "ports.yaml"
        ports.write_text(OTHER_PORTS)
        settings = {"COMPOSE_PROJECT_NAME": project, "OSSEC_IMAGE": ossec_image.name}
        command = ["up", "--detach", "--wait"]
        compose(ROOT / "compose.yaml", example, more, ports, command=command, **settings)
        [made] = client.containers.list(filters={"label": f"com.docker.compose.project={project}"})
        syslog.send_tcp(*Server(made).tcp, [syslog.message("FAILED SU (to root) mallory on pts/1", tag="su")])
        mail = wait_until(
            lambda: next((one for one in mailbox.messages() if "mallory" in one.body), None),
            60,
            what="the mail",
        )
    assert (mail.sender, mail.recipients) == ("ossec@example.org", ("admin@example.org",))


@pytest.mark.parametrize("file", ["docker-log-driver.yaml", "compose.docker-logs.yaml"])
def test_compose_takes_the_file(file: str) -> None:
    engine.ensure(compose=True)
    compose(EXAMPLES / file, command=["config", "--quiet"])


def test_podman_makes_a_service_of_its_unit(client: docker.DockerClient, senders: str) -> None:
    options = {"entrypoint": ["quadlet", "-dryrun"], "environment": {"QUADLET_UNIT_DIRS": "/units"}}
    with container(client, senders, **options, volumes=[f"{EXAMPLES}:/units:ro"]) as made:
        assert made.wait(timeout=30)["StatusCode"] == 0, made.logs()
        [start] = [line for line in made.logs().decode().splitlines() if line.startswith("ExecStart=")]
    for option in ("--read-only", "--cap-drop all", "--security-opt=no-new-privileges", "--pids-limit 256"):
        assert f" {option} " in start


def test_what_restarts_an_unhealthy_server_asks_for_what_a_restart_mends() -> None:
    podman = (EXAMPLES / "ossec-log-server.container").read_text()
    assert "HealthCmd=ossec-log-server health --own\nHealthInterval" in podman


def test_the_examples_run_the_newest_image() -> None:
    name = f"ossec-log-server:{release.find().immutable_tag}"
    for file in (
        ROOT / "compose.yaml",
        EXAMPLES / "swarm" / "stack.yaml",
        EXAMPLES / "ossec-log-server.container",
    ):
        assert name in file.read_text()

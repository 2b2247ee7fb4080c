"""How it starts: without rights, as anybody, and not at all where a setting is wrong."""

from pathlib import Path

import docker
import pytest

from pipeline import image
from pipeline.server import Server, syslog
from pipeline.server import server as run_server
from pipeline.wait import wait_until
from tests.image.conftest import FROM_HERE
from tests.image.support.ledger import DATA


def test_no_process_is_root_or_holds_a_capability(server: Server) -> None:
    statuses = server.run("bash", "-c", "cat /proc/[0-9]*/status || true")  # one may end meanwhile
    rows = [line.split() for line in statuses.splitlines()]
    uids = {uid for row in rows if row and row[0] == "Uid:" for uid in row[1:]}
    capabilities = {row[1] for row in rows if row and row[0] in ("CapEff:", "CapPrm:", "CapBnd:")}
    assert uids == {"10514"}
    assert capabilities == {"0000000000000000"}


def test_the_daemons_are_direct_children_of_pid_1(server: Server) -> None:
    processes = server.processes()
    for name in ("ossec-intake", "ossec-output", "ossec-analysisd", "ossec-monitord"):
        assert server.run("grep", "PPid", f"/proc/{processes[name]}/status").split() == ["PPid:", "1"], name


@pytest.mark.parametrize("user", ["54321", "0:0"])
def test_runs_as_any_uid(client: docker.DockerClient, each_image: image.Image, user: str) -> None:
    # As root it needs the right to become somebody else, which Docker gives by default.
    with run_server(
        client, each_image.name, FROM_HERE, user=user, cap_drop=[] if user == "0:0" else ["ALL"]
    ) as running:
        running.wait_listening()
        uids = running.run("bash", "-c", "grep -h ^Uid: /proc/1/status").split()
        assert uids[1] == ("10514" if user == "0:0" else user)
        syslog.send_tcp(*running.tcp, [syslog.message("Failed password for x from 203.0.113.1 port 2 ssh2")])
        wait_until(lambda: [a for a in running.alerts() if a["rule"]["sidid"] == 5716], 30, what="the alert")
        assert running.stop() == 0, running.log()


def test_root_without_the_right_to_leave_is_refused(
    client: docker.DockerClient, each_image: image.Image
) -> None:
    with run_server(client, each_image.name, user="0") as running:
        assert running.exit_code() == 77
        assert "leave out --user 0" in running.log()


def test_a_volume_that_cannot_be_written_is_named(client: docker.DockerClient, built: image.Image) -> None:
    with run_server(client, built.name, user="54321:54321") as running:
        assert running.exit_code() == 73
        assert running.log().startswith("ossec-log-server: /var/ossec/data: cannot be written by UID 54321")


MAIL = {
    "OSSEC_EMAIL_NOTIFICATION": "yes",
    "OSSEC_EMAIL_TO": "a@example.org",
    "OSSEC_EMAIL_FROM": "b@example.org",
    "OSSEC_SMTP_SERVER": "mail.example.org",
}


def test_values_reach_the_configuration_escaped(
    client: docker.DockerClient, built: image.Image, tmp_path: Path
) -> None:
    tricky = "a/b=c%d~e&f@example.org"
    settings = {**MAIL, "OSSEC_EMAIL_TO": f" {tricky} , z@example.org ", "OSSEC_LOG_ALERT_LEVEL": ""}
    zone = tmp_path / "zone"
    zone.write_text("Europe/Berlin\n")
    settings["TZ_FILE"] = "/etc/zone"
    volumes = {str(zone): {"bind": "/etc/zone", "mode": "ro"}}
    with run_server(client, built.name, settings, volumes=volumes) as running:
        running.wait_listening()
        engine = running.processes()["ossec-analysisd"]
        assert "TZ=Europe/Berlin\0" in running.run("cat", f"/proc/{engine}/environ")
        conf = running.run("cat", "/run/ossec/ossec.conf")
        assert f"<email_to>{tricky}</email_to>\n<email_to>z@example.org</email_to>" in conf
        assert "<log_alert_level>1</log_alert_level>" in conf


def test_one_protocol_only(client: docker.DockerClient, built: image.Image) -> None:
    with run_server(client, built.name, {**FROM_HERE, "OSSEC_SYSLOG_PROTOCOL": "tcp"}) as running:
        running.wait_listening()
        sockets = running.run("bash", "-c", "cat /proc/net/udp /proc/net/udp6")
        assert ":0202 " not in sockets


# Not on the stand-in, which remembers nobody.
def test_what_was_seen_long_ago_is_forgotten_at_the_start(
    client: docker.DockerClient, ossec_image: image.Image, volume: str
) -> None:
    mounts = {volume: {"bind": DATA, "mode": "rw"}}
    seen = f"{DATA}/queue/fts/fts-queue"
    with run_server(client, ossec_image.name, FROM_HERE, volumes=mounts) as first:
        first.wait_listening()
        first.run(
            "bash",
            "-c",
            f"seq -f 'sshd  user%.0f 10.9.8.7->x' 150000 > {seen}; : > {DATA}/queue/fts/ig-queue",
        )
        assert first.stop() == 0, first.log()
        first.container.start()
        first.wait_listening()
        lines = first.run("cat", seen).splitlines()
        assert (len(lines), lines[-1]) == (100_000, "sshd  user150000 10.9.8.7->x")

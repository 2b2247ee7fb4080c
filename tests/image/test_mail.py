"""Mail: an alert of the wanted level arrives as one proper mail, and waits while the relay is away."""

import docker

from pipeline import image, server, smoke, syslog
from pipeline.mailbox import EmbeddedMailbox
from pipeline.wait import wait_until

TWO = {"OSSEC_EMAIL_TO": "one@example.org,two@example.org", "OSSEC_EMAIL_ALERT_LEVEL": "5"}
ATTACK = "Failed password for mallory from 203.0.113.5 port 22 ssh2"


def test_a_mail_is_one_mail_as_rfc_5322_has_it(client: docker.DockerClient, built: image.Image) -> None:
    with server.network(client) as net, EmbeddedMailbox(server.gateway(net)) as mailbox:
        settings = {**smoke.settings(mailbox, server.gateway(net)), **TWO}
        with server.server(client, built.name, settings, network=net.name) as running:
            running.wait_listening()
            syslog.send_tcp(*running.tcp, [syslog.message(ATTACK)])
            mail = wait_until(
                lambda: next((one for one in mailbox.messages() if ATTACK in one.body), None),
                60,
                what="the mail",
            )
    assert mail.recipients == ("one@example.org", "two@example.org")
    assert mail.sender == smoke.SENDER
    assert [value for name, value in mail.headers if name == "To"] == ["one@example.org, two@example.org"]
    assert b"\r\r" not in mail.raw
    assert "Rule: 5716 fired (level 5)" in mail.body
    assert "web1" in mail.subject


def test_a_mail_waits_for_its_relay_over_a_restart_and_comes_once(
    client: docker.DockerClient, built: image.Image, volume: str
) -> None:
    mount = {volume: {"bind": "/var/ossec/data", "mode": "rw"}}
    with server.network(client) as net:
        with EmbeddedMailbox(server.gateway(net)) as mailbox:
            settings = {**smoke.settings(mailbox, server.gateway(net)), **TWO}
            port = mailbox.address[1]
        # Nobody listens there now.
        with server.server(client, built.name, settings, network=net.name, volumes=mount) as running:
            running.wait_listening()
            syslog.send_tcp(*running.tcp, [syslog.message(ATTACK)])
            wait_until(lambda: "Connection refused" in running.log(), 60, what="a failed delivery")
            assert running.stop() == 0, running.log()
        with (
            EmbeddedMailbox(server.gateway(net), port) as mailbox,
            server.server(client, built.name, settings, network=net.name, volumes=mount) as running,
        ):
            wait_until(lambda: about(mailbox), 60, what="the mail that waited")
            running.stop()
            assert about(mailbox) == 1


def about(mailbox: EmbeddedMailbox) -> int:
    return sum(ATTACK in mail.body for mail in mailbox.messages())

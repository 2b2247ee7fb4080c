"""The shim: each wrap is in force in what is built, and does what it is there for."""

import shutil
from collections.abc import Callable
from pathlib import Path

import docker
import pytest

from pipeline import console, image, smoke, standin, syslog
from pipeline.errors import UserError
from pipeline.mailbox import EmbeddedMailbox
from pipeline.server import Server, gateway, network, server
from pipeline.wait import wait_until
from tests.image.conftest import FROM_HERE

OSSEC_LOG = "/var/ossec/logs/ossec.log"
BLACK_HOLE = "192.0.2.53"  # of TEST-NET-1: no answer ever comes from there


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, str], str]:
    """Builds the stand-in with one file of docker/ changed, and returns what the builder said when it failed."""

    def build(file: str, old: str, new: str) -> str:
        root = tmp_path / "root"
        shutil.copytree(image.ROOT / "docker", root / "docker")
        changed = root / "docker" / file
        text = changed.read_text()
        assert old in text
        changed.write_text(text.replace(old, new))
        said: list[str] = []
        monkeypatch.setattr(image, "ROOT", root)
        monkeypatch.setattr(console.err, "print", lambda text, **_: said.append(str(text)))
        with pytest.raises(UserError, match="The build failed"):
            standin.build(tmp_path)
        return "\n".join(said)

    return build


@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        (
            "shim/Makefile",
            "WRAPS := chroot",
            "WRAPS := chroot gone_from_ossec",
            "gone_from_ossec is wrapped, and nothing",
        ),
        ("shim/Makefile", "getnameinfo ", "", "__wrap_getnameinfo is not in the Makefile's list"),
        ("build/compile", "$linking $wraps ", "$linking ", "is in no program"),
    ],
    ids=["a wrap of nothing", "a wrap that is not asked for", "no wraps at all"],
)
def test_a_wrap_that_is_not_in_force_fails_the_build(
    client: docker.DockerClient,
    broken: Callable[[str, str, str], str],
    file: str,
    old: str,
    new: str,
    complaint: str,
) -> None:
    assert complaint in broken(file, old, new)


def test_a_line_is_not_held_up_by_dns(client: docker.DockerClient, built: image.Image) -> None:
    """Who claims to be a search engine is looked up by stock OSSEC, while every other line waits."""
    with server(client, built.name, FROM_HERE, dns=[BLACK_HOLE]) as running:
        running.wait_listening()
        asked = "timeout 3 getent hosts 198.51.100.7; test $? = 124 && echo no answer in 3 s"
        assert running.run("bash", "-c", asked) == "no answer in 3 s\n"  # or the test would show nothing
        for n in range(20):
            text = f'198.51.100.{n} - - [23/Nov/2026:04:50:00 +0000] "GET /nothing{n} HTTP/1.1" 404 181'
            syslog.send_tcp(*running.tcp, [f'<38>{text} "-" "Googlebot/2.1"'])
        wait_until(
            lambda: alerts_about(running, "Googlebot") == 20, 2, what="all of the search engine's alerts"
        )


def test_many_failed_logins_are_correlated_and_not_complained_of(
    client: docker.DockerClient, built: image.Image
) -> None:
    """Stock OSSEC logs two lines for each that is more than it remembers, and forgets more than it should."""
    count = 30_000
    with server(client, built.name, FROM_HERE) as running:
        running.wait_listening()
        text = "Failed password for bob from 10.9.8.7 port {} ssh2"
        syslog.send_tcp(*running.tcp, [syslog.message(text.format(n)) for n in range(count)])
        wait_until(
            lambda: running.counters()["analysed"] >= count, 60, what="all failed logins to be analysed"
        )
        assert running.run("bash", "-c", f"grep -c 'No Oldest node' {OSSEC_LOG} || test $? = 1") == "0\n"
        rules = [alert["rule"]["sidid"] for alert in running.alerts()[-1000:]]
        assert 5720 in rules  # multiple failures, to the very end


def test_an_alert_is_mailed_soon(client: docker.DockerClient, built: image.Image) -> None:
    """Stock ossec-maild waits for more alerts for a minute and a half, and mails none of its first moments."""
    with network(client) as net, EmbeddedMailbox(gateway(net)) as mailbox:
        settings = {**smoke.settings(mailbox, gateway(net)), "OSSEC_EMAIL_ALERT_LEVEL": "5"}
        with server(client, built.name, settings, network=net.name) as running:
            running.wait_listening()
            syslog.send_tcp(
                *running.tcp, [syslog.message("Failed password for eve from 10.9.8.7 port 1 ssh2")]
            )
            wait_until(lambda: any("eve" in mail.body for mail in mailbox.messages()), 30, what="the mail")


def alerts_about(server: Server, text: str) -> int:
    return sum(text in alert["full_log"] for alert in server.alerts())

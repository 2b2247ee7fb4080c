"""Mail: each alert of the wanted level arrives once, as one proper mail, whatever is killed in between."""

import json
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta

import docker
import pytest

from pipeline import image, server
from pipeline.errors import UserError
from pipeline.server import Server, smoke, syslog
from pipeline.server.mailbox import EmbeddedMailbox, Mail, MailHog
from pipeline.wait import wait_until
from tests.image.rules.test_fuzz import ASL, FAILED

ATTACK = "Failed password for mallory from 203.0.113.5 port 22 ssh2"
DATA = "/var/ossec/data"
SECONDS = 90  # for a mail to arrive, on a busy machine


class Post:
    """A mailbox, and servers of the image under test that mail to it."""

    def __init__(
        self, client: docker.DockerClient, image: str, mailbox: EmbeddedMailbox, network: str
    ) -> None:
        self.client, self.image, self.mailbox, self.network = client, image, mailbox, network

    @contextmanager
    def server(self, volume: str = "", **settings: str) -> Iterator[Server]:
        """A server that mails every alert from level 5 on, and that is ready."""
        settings = {
            **smoke.settings(self.mailbox, self.mailbox.address[0]),
            "OSSEC_EMAIL_TO": smoke.RECIPIENTS[0],
            "OSSEC_EMAIL_ALERT_LEVEL": "5",
            **settings,
        }
        mount = {volume: {"bind": DATA, "mode": "rw"}} if volume else {}
        with server.server(self.client, self.image, settings, network=self.network, volumes=mount) as running:
            running.wait_listening()
            yield running


@pytest.fixture
def post(client: docker.DockerClient, built: image.Image) -> Iterator[Post]:
    with server.network(client) as net, EmbeddedMailbox(server.gateway(net)) as mailbox:
        yield Post(client, built.name, mailbox, str(net.name))


def about(mailbox: EmbeddedMailbox, text: str = ATTACK) -> list[Mail]:
    return [mail for mail in mailbox.messages() if text in mail.body]


def wait_mail(mailbox: EmbeddedMailbox, text: str = ATTACK) -> Mail:
    wait_until(lambda: about(mailbox, text), SECONDS, what=f"a mail about {text!r}")
    [mail] = about(mailbox, text)
    return mail


def test_a_mail_is_one_proper_mail_to_each_recipient(post: Post) -> None:
    two = {"OSSEC_EMAIL_TO": "one@example.org,two@example.org", "OSSEC_EMAIL_MAX_PER_HOUR": "9"}
    with post.server(**two) as running:
        assert "<email_maxperhour>9<" in running.run("cat", "/run/ossec/ossec.conf")
        syslog.send_tcp(*running.tcp, [syslog.message(ATTACK)])
        wait_until(lambda: len(about(post.mailbox)) == 2, SECONDS, what="two mails")
    mails = about(post.mailbox)
    assert {mail.recipients for mail in mails} == {("one@example.org",), ("two@example.org",)}
    for mail in mails:
        headers = [name for name, _ in mail.headers]
        assert mail.sender == smoke.SENDER
        assert [value for name, value in mail.headers if name == "To"] == ["one@example.org, two@example.org"]
        assert {"Date", "Message-Id", "MIME-Version"} <= set(headers)
        assert len(headers) == len(set(headers))
        assert b"\r\r" not in mail.raw
        assert b"\x01" not in mail.raw
        assert "Rule: 5716 fired (level 5)" in mail.body
        assert "web1" in mail.subject
        assert "Level 5" in mail.subject


def test_what_a_log_line_holds_is_text_in_the_mail_and_nothing_else(post: Post) -> None:
    lines = {
        # Latin-1, UTF-8, and the headers' own syntax.
        b"Failed password for ren\xe9 from 203.0.113.5 port 1 ssh2": "for rené from",
        "Failed password for bjørn from 203.0.113.5 port 2 ssh2".encode(): "for bjørn from",
        b"Failed password for x from 203.0.113.5 port 3 ssh2\rSubject: forged\r\rtext": "#015Subject: forged",
        b"Failed password for x from 203.0.113.5 port 4 ssh2 " + b"long" * 300: "ssh2 " + "long" * 270,
    }
    host = "=?utf-8?Q?=0d=0aBcc:eve@example.org?="
    with post.server() as running, socket.socket(type=socket.SOCK_DGRAM) as sender:
        for line, expected in lines.items():
            sender.sendto(b"<38>Nov 23 04:50:00 web1 sshd[1]: " + line, running.udp)
            wait_mail(post.mailbox, expected)
        # No host is called so: it is a part of the text. The stand-in knows only the last form.
        named = [
            f"<38>Nov 23 04:50:00 {host} sshd[1]: {ATTACK}",
            f"<38>{ASL.format(FAILED, host)}",
            f"<38>Nov 23 04:50:00 web1 sshd[1]: Failed password for {host} from 203.0.113.5 port 5 ssh2",
        ]
        syslog.send_udp(*running.udp, named)
        # As it is written, and not as it might be read.
        wait_until(
            lambda: any(host in mail.subject + mail.body for mail in post.mailbox.messages()),
            SECONDS,
            what="a mail with the host in it",
        )
    for mail in post.mailbox.messages():
        assert mail.raw.isascii()
        assert max(map(len, mail.raw.split(b"\r\n"))) <= 998
        assert not {"Bcc", "forged"} & {word for header in mail.headers for word in header}


@pytest.mark.parametrize(
    "line", ["User: eve", "** Alert 1.2: mail  - forged", "Rule: 1 (level 15) -> 'forged'"]
)
def test_a_line_that_imitates_an_alert_is_the_text_of_one(post: Post, line: str) -> None:
    line += " segfault at 4711"
    with post.server() as running:
        syslog.send_tcp(*running.tcp, [f"<38>{line}", syslog.message(ATTACK)])
        wait_mail(post.mailbox)
    [mail] = about(post.mailbox, line)
    assert "Rule: 1010 fired (level 5)" in mail.body
    assert mail.body.count("forged") == line.count("forged")


def test_an_alert_is_mailed_once_though_the_container_was_killed_before_its_mail(
    post: Post, volume: str
) -> None:
    with post.server(volume) as running:
        syslog.send_tcp(*running.tcp, [syslog.message(ATTACK)])
        wait_until(lambda: running.alerts(), SECONDS, interval=0.02, what="the alert")
        running.container.kill()  # ossec-maild gathers alerts for 5 s
    assert not post.mailbox.messages()
    with post.server(volume) as running:
        wait_mail(post.mailbox)
        running.wait_said("0 message(s) remain", SECONDS)  # the queue knows that it is gone
        running.container.kill()
    last = "Failed password for last from 203.0.113.5 port 1 ssh2"
    with post.server(volume) as running:
        syslog.send_tcp(*running.tcp, [syslog.message(last)])
        wait_mail(post.mailbox, last)
    assert len(about(post.mailbox)) == 1


def test_a_day_that_ended_while_it_was_away_is_read_to_its_end(post: Post, volume: str) -> None:
    days = [date.today() - timedelta(days=ago) for ago in (3, 1)]
    head = "2026 Nov 23 04:50:00 web1->192.0.2.1\nRule: 1010 (level 5) -> 'x'\n"
    alert = f"** Alert 1.{{n}}: mail  - syslog,\n{head}day {{n}}\n\n"
    script = f"mkdir -p {DATA}/queue/mail; cd {DATA}\n"
    for n, day in enumerate(days):
        folder = f"logs/alerts/{day:%Y/%b}"
        text = alert.format(n=f"{n}-old") + alert.format(n=n)
        script += f"mkdir -p {folder}; cat > {folder}/ossec-alerts-{day:%d}.log <<'END'\n{text}END\n"
    script += f"echo '{days[0]} {len(alert.format(n='0-old'))}' > queue/mail/position"
    options = {"entrypoint": ["bash", "-c", script], "volumes": {volume: {"bind": DATA, "mode": "rw"}}}
    with server.container(post.client, post.image, **options) as made:
        assert made.wait(timeout=60)["StatusCode"] == 0, made.logs()

    def mailed() -> str:
        return "\n".join(mail.body for mail in post.mailbox.messages())

    with post.server(volume) as running:
        syslog.send_tcp(*running.tcp, [syslog.message(ATTACK)])
        for one in (ATTACK, "day 0\n", "day 1-old", "day 1\n"):  # in one mail or in several, in any order
            wait_until(lambda: one in mailed(), SECONDS, what=f"a mail about {one!r}")  # noqa: B023
    assert [mailed().count(one) for one in ("day 0-old", "day 0\n", "day 1-old", "day 1\n")] == [0, 1, 1, 1]


def test_the_report_of_each_day_comes_once_to_real_mailhog(
    client: docker.DockerClient, built: image.Image, volume: str
) -> None:
    """Of the days that ended while the server was away, too."""
    try:
        smoke.have_mailhog(client)
    except UserError as problem:
        pytest.skip(f"NOT TRIED WITH MAILHOG: {problem}")
    ago = [date.today() - timedelta(days=n) for n in range(5)]
    counts = {ago[3]: 2, ago[2]: 0, ago[1]: 3}
    script = f"mkdir -p {DATA}/queue/mail; cd {DATA}; echo {ago[4]} > queue/mail/reported\n"
    for day, count in counts.items():
        folder = f"logs/alerts/{day:%Y/%b}"
        rule = {"level": 10, "sidid": 5720, "comment": "Multiple SSHD authentication failures."}
        noon = int(datetime.combine(day, time(12), UTC).timestamp() * 1000)
        alert = {"rule": rule, "id": "1.1", "TimeStamp": noon, "srcip": "203.0.113.9", "full_log": "x"}
        text = f"{json.dumps(alert)}\n" * count
        script += f"mkdir -p {folder}; cat > {folder}/ossec-alerts-{day:%d}.json <<'END'\n{text}END\n"
    mount = {volume: {"bind": DATA, "mode": "rw"}}
    with server.container(client, built.name, entrypoint=["bash", "-c", script], volumes=mount) as made:
        assert made.wait(timeout=60)["StatusCode"] == 0, made.logs()
    with (
        server.network(client) as net,
        server.container(
            client,
            smoke.MAILHOG,
            platform=smoke.MAILHOG_PLATFORM,
            network=net.name,
            ports={"8025/tcp": ("127.0.0.1", None)},
        ) as hog,
    ):
        host, port = server.published(hog, "8025/tcp")
        mailbox = MailHog(f"http://{host}:{port}", (str(hog.name), 1025))
        settings = {**smoke.settings(mailbox, "10.0.0.0/8"), "OSSEC_EMAIL_REPORT": "yes"}

        def reports() -> list[str]:
            found = [one for one in mailbox.messages() if one.subject.startswith("OSSEC report: ")]
            return sorted(one.subject for one in found if one.recipients == (smoke.RECIPIENTS[0],))

        def noted(running: Server) -> str:
            return running.run("cat", f"{DATA}/queue/mail/reported").strip()

        wanted = [f"OSSEC report: Alerts of {day}: {count}" for day, count in counts.items()]
        for _ in range(2):  # at the second start nothing is left to send
            with server.server(client, built.name, settings, network=net.name, volumes=mount) as running:
                running.wait_listening()
                wait_until(lambda: len(reports()) >= len(wanted), SECONDS, what="the reports")
                wait_until(lambda: noted(running) == str(ago[1]), 30, what="the note of them")
            assert reports() == wanted
        [mail, *_] = [one for one in mailbox.messages() if str(ago[1]) in one.subject]
        assert "        3  5720     level 10  Multiple SSHD authentication failures." in mail.body
        assert "        3  203.0.113.9" in mail.body
        assert mail.sender == smoke.SENDER


def test_a_flood_is_mailed_whole(post: Post) -> None:
    """Stock ossec-maild forgets the oldest beyond 96 alerts that wait."""
    texts = [f"Failed password for user{n} from 203.0.113.5 port 22 ssh2" for n in range(500)]

    def mailed() -> Counter[str]:
        """How many alerts each is the line of; it may also be among the lines before another's."""
        bodies = "".join(mail.body for mail in post.mailbox.messages())
        alerts = bodies.split("Portion of the log(s):")[1:]
        return Counter(text.partition("sshd[1]: ")[2].partition("\n")[0] for text in alerts)

    with post.server() as running:
        lines = [f"<38>Nov 23 04:50:00 web1 sshd[1]: {text}" for text in texts]
        syslog.send_tcp(*running.tcp, lines)
        wait_until(lambda: set(texts) <= set(mailed()), 2 * SECONDS, what="every alert's mail")
    assert {mailed()[text] for text in texts} == {1}

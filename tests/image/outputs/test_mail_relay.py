"""The relay: encrypted or not, with a password or without, down, slow, wrong, or full of whims."""

import asyncio
import re
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from time import sleep
from typing import Any

import docker
import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword

from pipeline import image, server
from pipeline.errors import UserError
from pipeline.project import ROOT
from pipeline.server import Server, smoke, syslog
from pipeline.server import mailbox as mailbox_module
from pipeline.server.mailbox import EmbeddedMailbox, MailHog
from pipeline.wait import wait_until
from tests import loopback
from tests.image.outputs.test_mail import ATTACK, DATA, SECONDS, about, wait_mail

RELAY = "relay.example.org"  # known to the container by an entry of its own
AUTHORITY = "/etc/ossec-log-server/smtp/ca.crt"
USER, PASSWORD = "ossec@example.org", """a "quoted" pass\\word, 'so' ümlaut #1"""
LOGIN = {"OSSEC_SMTP_USER": USER, "OSSEC_SMTP_PASSWORD": PASSWORD}
QUEUE = f"{DATA}/queue/mail"
Settings = Mapping[str, str]
Start = Callable[..., AbstractContextManager[Server]]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return loopback.certificates(tmp_path_factory.mktemp("tls"), relay=RELAY, other="other.example.org")


@pytest.fixture
def gateway(client: docker.DockerClient) -> Iterator[tuple[str, str]]:
    """This machine's address in a network for the test, and the network's name."""
    with server.network(client) as net:
        yield server.gateway(net), str(net.name)


@pytest.fixture
def start(
    client: docker.DockerClient,
    standin_image: image.Image,
    volume: str,
    gateway: tuple[str, str],
    certificates: Path,
) -> Start:
    """Starts the server, on the same volume each time, with the relay's port, settings, and the CA mounted or not."""

    @contextmanager
    def start(
        port: int, settings: Settings, authority: bool = True, more: Sequence[str] = ()
    ) -> Iterator[Server]:
        volumes = [f"{volume}:{DATA}", *more]
        if authority:
            volumes.append(f"{certificates / 'ca.crt'}:{AUTHORITY}:ro")
        base = {
            "OSSEC_ALLOWED_IPS": gateway[0],
            "OSSEC_EMAIL_NOTIFICATION": "yes",
            "OSSEC_EMAIL_FROM": smoke.SENDER,
            "OSSEC_EMAIL_TO": smoke.RECIPIENTS[0],
            "OSSEC_EMAIL_ALERT_LEVEL": "5",
            "OSSEC_SMTP_SERVER": f"{RELAY}:{port}",
        }
        with server.server(
            client,
            standin_image.name,
            {**base, **settings},
            network=gateway[1],
            volumes=volumes,
            extra_hosts={RELAY: gateway[0]},
        ) as running:
            running.wait_listening()
            yield running

    return start


def attack(running: Server) -> None:
    syslog.send_tcp(*running.tcp, [syslog.message(ATTACK)])


def files(running: Server, folder: str) -> int:
    """How many mails about the attack are there; the one that says that the server has started may be there, too."""
    return int(running.run("bash", "-c", f"cat {QUEUE}/{folder}/* 2>/dev/null | grep -c mallory || true"))


def all_files(running: Server, folder: str) -> int:
    return int(running.run("bash", "-c", f"ls {QUEUE}/{folder} | wc -l"))


def wait_refused(running: Server, reason: str) -> None:
    """Return when a delivery has failed for that reason, and the mail waits for the next."""
    running.wait_said(reason, SECONDS)
    running.wait_said("will be tried again")
    # The mail that was tried may be the one that says that the server has started.
    wait_until(lambda: files(running, "queue") == 1, SECONDS, what="the mail to be queued")
    assert files(running, "failed") == 0


def tls(certificates: Path, name: str = "relay") -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates / f"{name}.crt", certificates / f"{name}.key")
    return context


def relay(
    gateway: tuple[str, str], context: ssl.SSLContext, mode: str, port: int = 0, **options: Any
) -> EmbeddedMailbox:
    """A mailbox that speaks TLS, in the way that OSSEC_SMTP_TLS calls by that name."""
    if mode == "implicit":
        options["ssl_context"] = context
    else:
        options.update(tls_context=context, require_starttls=True)
    return EmbeddedMailbox(gateway[0], **options)


def locked(mechanism: str) -> dict[str, Any]:
    """The options of a mailbox that wants the password, by that mechanism alone."""

    def judge(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        right = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=right, handled=False)

    others = [one for one in ("PLAIN", "LOGIN") if one != mechanism]
    return {"authenticator": judge, "auth_required": True, "auth_exclude_mechanism": others}


@pytest.mark.parametrize(("mode", "mechanism"), [("starttls", "LOGIN"), ("implicit", "PLAIN")])
def test_with_tls_and_a_password_that_nobody_sees(
    start: Start, gateway: tuple[str, str], certificates: Path, tmp_path: Path, mode: str, mechanism: str
) -> None:
    secret = tmp_path / "password"
    secret.write_text(f"{PASSWORD}\n")
    secret.chmod(0o644)  # the container's user is not ours
    options = locked(mechanism)
    if mode == "implicit":  # aiosmtpd looks only at TLS that it has started itself
        options["auth_require_tls"] = False
    with (
        relay(gateway, tls(certificates), mode, **options) as mailbox,
        start(
            mailbox.address[1],
            {
                "OSSEC_SMTP_USER": USER,
                "OSSEC_SMTP_PASSWORD_FILE": "/run/secrets/mail",
                "OSSEC_SMTP_TLS": mode,
            },
            more=[f"{secret}:/run/secrets/mail:ro"],
        ) as running,
    ):
        attack(running)
        wait_mail(mailbox)
        seen = running.run("bash", "-c", "cat /proc/[0-9]*/{cmdline,environ} 2>&1; true")
        assert "ümlaut" not in seen
        assert "ümlaut" not in running.log()
        assert "is not read" not in running.log()  # the authority's file is
        assert running.run("stat", "-c", "%a", "/run/ossec/nullmailer/remotes") == "600\n"


SPECIAL = [
    '"',
    "\\",
    "#",
    ":",
    " ",
    "ü€",
    "'",
    "&",
    "<",
    "$(id)",
    "`",
    "%",
    "=",
    "-",
    "--x",
    "!",
    "*",
    "\\\\",
    '\\"',
    '"\\',
    "''",
    '""',
]


def test_a_password_of_any_characters_reaches_the_relay_as_it_is(
    client: docker.DockerClient, standin_image: image.Image, gateway: tuple[str, str], tmp_path: Path
) -> None:
    """D4.

    By the queue's own programs in one container, for each character at the start, in the middle and at the end, and
    alone.
    """
    values = [form.replace("X", special) for special in SPECIAL for form in ("XaXbX", "X")]
    values = ["plain", *(value for value in values if not set(value) <= set(" \t"))]
    got: list[tuple[bytes, bytes]] = []

    def judge(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        got.append((data.login, data.password))
        return AuthResult(success=True, handled=False)

    options: dict[str, Any] = {"authenticator": judge, "auth_required": True, "auth_require_tls": False}
    with EmbeddedMailbox(gateway[0], **options) as mailbox:
        settings = {
            "OSSEC_EMAIL_NOTIFICATION": "yes",
            "OSSEC_EMAIL_FROM": smoke.SENDER,
            "OSSEC_EMAIL_TO": smoke.RECIPIENTS[0],
            "OSSEC_SMTP_SERVER": f"{gateway[0]}:{mailbox.address[1]}",
            "OSSEC_SMTP_TLS": "none",
            "OSSEC_ALLOWED_IPS": gateway[0],
        }
        # What the start makes of the variables, and what nullmailer-send makes of that.
        script = """
            spool=/var/spool/nullmailer queue=/var/spool/nullmailer/queue/1
            printf 'a@example.org\\nb@example.org\\n\\nSubject: x\\n\\nx\\n' > /tmp/mail
            while IFS= read -r -d '' value; do
                export OSSEC_SMTP_USER=$value OSSEC_SMTP_PASSWORD=$value
                ossec-log-server check 2>/tmp/said || { cat /tmp/said; exit 1; }
                mkdir -p /run/ossec/data/queue/mail/{queue,tmp,failed} "$(readlink -m $spool)" $spool/{queue,tmp,failed}
                [[ -p $spool/trigger ]] || mkfifo $spool/trigger
                cp /tmp/mail $queue
                timeout 20 nullmailer-send > /tmp/sent 2>&1 &
                for _ in {1..200}; do
                    [[ -e $queue ]] || break
                    sleep 0.1
                done
                kill $!
                wait
                [[ ! -e $queue ]] || { cat /tmp/sent; exit 1; }
            done < /values"""
        file = tmp_path / "values"
        file.write_bytes("".join(f"{value}\0" for value in values).encode())
        file.chmod(0o644)  # the container's user is not ours
        options = {"environment": settings, "network": gateway[1], "volumes": [f"{file}:/values:ro"]}
        command = ["bash", "-c", script]
        with server.container(client, standin_image.name, entrypoint=command, **options) as made:
            status, said = made.wait(timeout=300)["StatusCode"], made.logs().decode()
    assert [password.decode() for _, password in got] == values
    assert [login.decode() for login, _ in got] == values
    assert status == 0, said


@pytest.mark.parametrize("end", ["\r\n", "\n", ""])
@pytest.mark.parametrize("beginning", ["\ufeff", ""])
def test_a_password_file_of_another_system_is_the_password_and_said(
    client: docker.DockerClient, standin_image: image.Image, tmp_path: Path, beginning: str, end: str
) -> None:
    secret = tmp_path / "password"
    secret.write_bytes(f"{beginning}pa ss{end}".encode())
    secret.chmod(0o644)
    settings = {
        "OSSEC_EMAIL_NOTIFICATION": "yes",
        "OSSEC_EMAIL_FROM": smoke.SENDER,
        "OSSEC_EMAIL_TO": smoke.RECIPIENTS[0],
        "OSSEC_SMTP_SERVER": "relay.example.org",
        "OSSEC_SMTP_USER": "user",
        "OSSEC_SMTP_PASSWORD_FILE": "/secret",
    }
    script = "ossec-log-server check && cat /run/ossec/nullmailer/remotes"
    options: dict[str, Any] = {"entrypoint": ["bash", "-c", script], "volumes": [f"{secret}:/secret:ro"]}
    with server.container(client, standin_image.name, environment=settings, **options) as made:
        assert made.wait(timeout=60)["StatusCode"] == 0
        output = made.logs().decode()
    assert "--pass='pa ss'\n" in output
    assert ("byte order mark" in output) == bool(beginning)
    assert ("CR LF" in output) == (end == "\r\n")


ADDRESSES = [
    "o'brien@example.org",
    "a+b@example.org",
    "user!x@example.org",
    "_x_@example.org",
    "a&b@example.org",
]
ADDRESSES += ["100%sure@example.org", "{a}|b~c^d$e`f?g=h/i#j*k@example.org", "a.b-c@sub.example.org"]


def test_addresses_that_the_standard_allows_get_mail_and_send_it(
    client: docker.DockerClient, ossec_image: image.Image, gateway: tuple[str, str]
) -> None:
    for sender in ("o'brien&co$id`x`@example.org", "plain@example.org"):
        with EmbeddedMailbox(gateway[0]) as mailbox:
            settings = {
                **smoke.settings(mailbox, gateway[0]),
                "OSSEC_EMAIL_FROM": sender,
                "OSSEC_EMAIL_TO": ", ".join(ADDRESSES),
                "OSSEC_EMAIL_ALERT_LEVEL": "5",
            }
            with server.server(client, ossec_image.name, settings, network=gateway[1]) as running:
                running.wait_listening()
                attack(running)
                wait_until(lambda: len(about(mailbox)) == len(ADDRESSES), SECONDS, what="the mails")
        assert sorted(mail.recipients[0] for mail in about(mailbox)) == sorted(ADDRESSES)
        assert {mail.sender for mail in about(mailbox)} == {sender}


def test_a_password_goes_encrypted_unless_said_otherwise(start: Start) -> None:
    with start(2525, LOGIN) as running:
        assert " --starttls " in running.run("cat", "/run/ossec/nullmailer/remotes")


@pytest.mark.parametrize(
    ("name", "authority", "reason"),
    [("relay", False, "certificate is untrusted"), ("other", True, "does not match hostname")],
)
def test_who_the_relay_is_is_verified_unless_switched_off(
    start: Start, gateway: tuple[str, str], certificates: Path, name: str, authority: bool, reason: str
) -> None:
    settings = {"OSSEC_SMTP_TLS": "starttls"}
    with relay(gateway, tls(certificates, name), "starttls") as mailbox:
        with start(mailbox.address[1], settings, authority) as running:
            attack(running)
            wait_refused(running, reason)
            running.stop()
        assert not mailbox.messages()
        with start(mailbox.address[1], {**settings, "OSSEC_SMTP_TLS_VERIFY": "no"}, authority):
            wait_mail(mailbox)


def test_nothing_goes_in_the_clear_where_starttls_is_missing(start: Start, gateway: tuple[str, str]) -> None:
    with EmbeddedMailbox(gateway[0]) as mailbox:
        with start(mailbox.address[1], {"OSSEC_SMTP_TLS": "starttls"}) as running:
            attack(running)
            wait_refused(running, "454 TLS not available")
            running.stop()
        assert not mailbox.messages()
        with start(mailbox.address[1], {"OSSEC_SMTP_TLS": "none"}):
            wait_mail(mailbox)


def test_a_wrong_password_loses_no_mail(start: Start, gateway: tuple[str, str], certificates: Path) -> None:
    # By LOGIN, where nullmailer alone would take the mail for refused.
    with relay(gateway, tls(certificates), "starttls", **locked("LOGIN")) as mailbox:
        port = mailbox.address[1]
        with start(port, {**LOGIN, "OSSEC_SMTP_PASSWORD": "wrong"}) as running:
            attack(running)
            wait_refused(running, "535")
            running.stop()
        assert not mailbox.messages()
        with start(port, LOGIN):
            wait_mail(mailbox)


def test_a_mail_waits_for_its_relay_over_a_restart_and_comes_once(
    start: Start, gateway: tuple[str, str]
) -> None:
    with EmbeddedMailbox(gateway[0]) as mailbox:
        port = mailbox.address[1]
    # Nobody listens there now.
    with start(port, {}) as running:
        attack(running)
        wait_refused(running, "Connection refused")
        wait_until(
            lambda: running.counters()["mail_waiting"] == all_files(running, "queue") > 0,
            30,
            what="the counter",
        )
        running.container.kill()
    with EmbeddedMailbox(gateway[0], port) as mailbox, start(port, {}) as running:
        wait_mail(mailbox)
        running.stop()
        assert len(about(mailbox)) == 1


def test_a_stop_waits_for_the_relays_yes_so_no_mail_comes_twice(
    start: Start, gateway: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = mailbox_module._Inbox.handle_DATA

    async def late_yes(*given: Any) -> str:
        answer = await store(*given)
        await asyncio.sleep(2.5)
        return answer

    monkeypatch.setattr(mailbox_module._Inbox, "handle_DATA", late_yes)
    with EmbeddedMailbox(gateway[0]) as mailbox:
        with start(mailbox.address[1], {}) as running:
            attack(running)
            wait_until(lambda: about(mailbox), SECONDS, 0.02, what="the mail")
            running.stop()
        with start(mailbox.address[1], {}) as running:
            wait_until(lambda: files(running, "queue") == 0, SECONDS, what="an empty queue")
            assert len(about(mailbox)) == 1


def test_who_is_refused_or_put_off_holds_up_nobody_else(start: Start, gateway: tuple[str, str]) -> None:
    tried: set[str] = set()

    def whims(recipient: str) -> str | None:
        if recipient.startswith("slow"):
            sleep(2)
        if recipient.startswith("unknown"):
            return "550 5.1.1 no such user here"
        if recipient.startswith("grey") and recipient not in tried:
            tried.add(recipient)
            return "451 4.7.1 greylisted, try again later"
        return None

    names = ("unknown", "grey", "slow", "plain")
    recipients = [f"{name}@example.org" for name in names]
    with (
        EmbeddedMailbox(gateway[0], objection=whims) as mailbox,
        start(mailbox.address[1], {"OSSEC_EMAIL_TO": ",".join(recipients)}) as running,
    ):
        attack(running)
        wait_until(lambda: len(about(mailbox)) == 3, SECONDS, what="the mails of the other three")
        wait_until(lambda: files(running, "queue") == 0, SECONDS, what="an empty queue")
        assert sorted(mail.recipients for mail in about(mailbox)) == [
            (f"{name}@example.org",) for name in ("grey", "plain", "slow")
        ]
        running.wait_said("mail to unknown@example.org was refused for good, and is kept")
        running.wait_said("550 5.1.1 no such user here")
        wait_until(lambda: files(running, "failed") == 1, SECONDS, what="the refused mail")

        def counted() -> bool:
            refused, counters = all_files(running, "failed"), running.counters()
            metrics = running.run("ossec-log-server", "counters", "--prometheus")
            shown = f"\nossec_log_server_mail_failed {refused}\n" in metrics
            return (counters["mail_waiting"], counters["mail_failed"], shown) == (0, refused, True)

        wait_until(counted, SECONDS, what="the counters of the queue")


def test_a_relay_that_hangs_is_given_up_for_a_while(start: Start, gateway: tuple[str, str]) -> None:
    def hang(_recipient: str) -> None:
        sleep(3)

    with (
        EmbeddedMailbox(gateway[0], objection=hang) as mailbox,
        start(mailbox.address[1], {}) as running,
    ):
        program = "/usr/local/lib/ossec-log-server/mail/relay"
        script = f"""
            sed 's/^limit=.*/limit=1/' {program} > /tmp/relay
            printf 'a@example.org\\nb@example.org\\n\\nSubject: x\\n\\nx\\n' > /tmp/mail
            printf 'host={RELAY}\\nport={mailbox.address[1]}\\n\\n' | HELOHOST=x bash /tmp/relay 3< /tmp/mail 2>&1
            echo $?"""
        said = running.run("bash", "-c", script).splitlines()
        assert said[-2:] == [
            "ossec-log-server: mail to b@example.org waits, and will be tried again: no answer within 1 s",
            "16",
        ]


def test_mailhog_in_a_bad_mood(client: docker.DockerClient, start: Start, gateway: tuple[str, str]) -> None:
    """Jim, MailHog's monkey, hangs up, dawdles and refuses. What he refuses for good is kept and can be sent again."""
    try:
        smoke.have_mailhog(client)
    except UserError as problem:
        pytest.skip(f"NOT TRIED WITH MAILHOG: {problem}")
    command = [
        "-invite-jim",
        "-jim-accept=0.8",
        "-jim-disconnect=0.05",
        "-jim-linkspeed-affect=0.1",
        "-jim-reject-sender=0.2",
        "-jim-reject-recipient=0.2",
    ]
    texts = [f"Failed password for user{n} from 203.0.113.5 port 22 ssh2" for n in range(5)]
    recipients = [f"{name}@example.org" for name in "abcdef"]
    ports = {"8025/tcp": ("127.0.0.1", None), "1025/tcp": (gateway[0], None)}
    with server.container(
        client, smoke.MAILHOG, platform=smoke.MAILHOG_PLATFORM, command=command, ports=ports
    ) as hog:
        host, port = server.published(hog, "8025/tcp")
        mailbox = MailHog(f"http://{host}:{port}", (RELAY, 0))
        smtp = int(hog.attrs["NetworkSettings"]["Ports"]["1025/tcp"][0]["HostPort"])
        with start(smtp, {"OSSEC_EMAIL_TO": ",".join(recipients)}) as running:
            syslog.send_tcp(*running.tcp, [syslog.message(text) for text in texts])

            def arrived() -> dict[tuple[str, str], int]:
                mails = mailbox.messages()
                return {
                    (one, text): sum(text in mail.body for mail in mails if mail.recipients == (one,))
                    for one in recipients
                    for text in texts
                }

            def all_there() -> bool:
                running.run(
                    "bash",
                    "-c",
                    f"cd {QUEUE}; mv failed/* queue/ 2>/dev/null; echo > /var/spool/nullmailer/trigger",
                )
                return all(arrived().values())

            wait_until(all_there, 2 * SECONDS, interval=2, what="every mail")
            assert set(arrived().values()) == {1}


def test_what_the_manual_shows(
    client: docker.DockerClient,
    standin_image: image.Image,
    start: Start,
    gateway: tuple[str, str],
    tmp_path: Path,
) -> None:
    page = (ROOT / "docs/use/mail.md").read_text()
    secret = tmp_path / "password"
    secret.write_text(f"{PASSWORD}\n")
    secret.chmod(0o644)
    mount = [f"{secret}:/run/secrets/smtp_password:ro"]
    blocks = re.findall(r"```env\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 4
    for block in blocks:
        settings = dict(line.split("=", 1) for line in block.splitlines())
        with server.server(client, standin_image.name, settings, ["check"], volumes=mount) as running:
            assert running.exit_code() == 0, running.log()

    [again] = re.findall(r"^ {4}docker exec ossec bash -c '(.*)'$", page, re.MULTILINE)
    refusing = [True]
    with (
        EmbeddedMailbox(gateway[0], objection=lambda _: "550 no" if refusing else None) as mailbox,
        start(mailbox.address[1], {}) as running,
    ):
        attack(running)
        wait_until(lambda: files(running, "failed") == 1, SECONDS, what="a refusal")
        refusing.clear()
        running.run("bash", "-c", again)
        wait_mail(mailbox)

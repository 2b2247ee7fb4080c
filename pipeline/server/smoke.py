"""The test that an image must pass before anybody else gets it: real syslog in, real alerts and mail out."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, ImageNotFound
from docker.models.containers import Container

from pipeline import server
from pipeline.console import err
from pipeline.errors import UserError
from pipeline.image import commit, platforms
from pipeline.machine import emulation, terminated_like_interrupted
from pipeline.server import Server, syslog, tested
from pipeline.server.mailbox import Mail, Mailbox, MailboxError, MailHog
from pipeline.server.tested import Passed
from pipeline.wait import WaitTimeout, wait_until

MAILHOG = "mailhog/mailhog:v1.0.1"
MAILHOG_PLATFORM = "linux/amd64"  # the only one that there is of it; elsewhere it is emulated
MAILHOG_DIGEST = "sha256:8d76a3d4ffa32a3661311944007a415332c4bb855657f4f6c57996405c009bea"
SENDER, RECIPIENTS = "ossec@smoke.example", ("admin@smoke.example", "second@smoke.example")
SECONDS = 20  # for an alert
MAIL_SECONDS = 60  # ossec-maild gathers alerts for a while before it writes a mail

ATTACKER = "203.0.113.9"
FAILED = f"Failed password for root from {ATTACKER} port"
INVALID = f"Invalid user oracle from {ATTACKER} port 4711"
HARMLESS = "session statistics: 3 opened, 3 closed"


class SmokeFailure(UserError):
    """The image does not do what it must; the message says which step failed and what the server logged."""


def smoke(image: str, archive: Path | None = None) -> Passed | None:
    """Run every check against `image`, printing each as it is passed.

    Returns the record of that, which `publish` asks for, if `archive` holds the very image that was tested.
    Raises SmokeFailure at the first that fails, UserError if MailHog cannot be had. Leaves no container,
    network or volume behind, also when it is interrupted.
    """
    with (
        terminated_like_interrupted(),
        closing(docker.from_env()) as client,
        server.network(client) as net,
        mailhog(client, network=net.name, ports={"8025/tcp": ("127.0.0.1", None)}) as hog,
    ):
        host, port = server.published(hog, "8025/tcp")
        mailbox = MailHog(f"http://{host}:{port}", (str(hog.name), 1025))
        variables, tests = settings(mailbox, server.gateway(net)), commit()
        options: dict[str, Any] = {"network": net.name, "ports": server.LOOPBACK, "healthcheck": None}
        with server.server(client, image, variables, **options) as under_test:
            _check(under_test, mailbox, lambda script: _sender(client, image, str(net.name), script))
            # What the container was made of: the name may belong to another image by now.
            engine_id = str(under_test.container.attrs["Image"])
    return tested.record(archive, engine_id, tests) if archive else None


def settings(mailbox: Mailbox, allowed: str) -> dict[str, str]:
    """The image's variables for a server that mails to `mailbox` and listens to `allowed`."""
    host, port = mailbox.address
    return {
        "OSSEC_ALLOWED_IPS": allowed,
        "OSSEC_EMAIL_NOTIFICATION": "yes",
        "OSSEC_EMAIL_FROM": SENDER,
        "OSSEC_EMAIL_TO": ",".join(RECIPIENTS),
        "OSSEC_SMTP_SERVER": f"{host}:{port}",
    }


def failed_login(port: int) -> str:
    """The syslog line of a failed login by the attacker from that port."""
    return syslog.message(f"{FAILED} {port} ssh2")


def _check(under_test: Server, mailbox: Mailbox, run_elsewhere: Callable[[str], None]) -> None:
    with _step(under_test, "starts: no root, no capability, read-only root"):
        under_test.wait_listening()
        wait_until(lambda: mailbox.messages() is not None, SECONDS, what="MailHog", ignoring=(MailboxError,))
        _require_no_rights(under_test)

    with _step(under_test, "UDP: an invalid user gives rule 5710, level 5"):
        syslog.send_udp(*under_test.udp, [syslog.message(INVALID)])
        _alert(under_test, 5710, 5, "oracle")

    with _step(under_test, "TCP: a failed login gives rule 5716, level 5, and a harmless line nothing"):
        syslog.send_tcp(*under_test.tcp, [syslog.message(HARMLESS), failed_login(4711)])
        # One connection keeps its order: once the second line has alerted, the first has been judged.
        _alert(under_test, 5716, 5, FAILED)
        _require(not _matching(under_test, HARMLESS), "the harmless line gave an alert")

    with _step(under_test, "TCP: ten failed logins give rule 5720, level 10"):
        # Each from another port: the engine takes a line that equals the one before for the same event.
        lines = [failed_login(port) for port in range(5001, 5011)]
        syslog.send_tcp(*under_test.tcp, lines, framing="octet-counting")
        _alert(under_test, 5720, 10, FAILED)

    with _step(under_test, "mail: it arrives, from and to whom it should, and tells of the attack"):
        for recipient in RECIPIENTS:  # each gets one of their own
            about = partial(_mail_about, mailbox, "5720", recipient)
            mail = wait_until(about, MAIL_SECONDS, what=f"the mail of rule 5720 to {recipient}")
            _require((mail.sender, mail.recipients) == (SENDER, (recipient,)), f"its envelope is {mail}")
            _require("Level 10" in mail.subject, f"the mail's subject is {mail.subject!r}")
            _require(FAILED in mail.body, f"the mail's body lacks the log line: {mail.body!r}")

    for protocol in ("udp", "tcp"):
        with _step(under_test, f"{protocol.upper()}: a sender outside OSSEC_ALLOWED_IPS is refused"):
            before = under_test.counters()["refused"]
            line = syslog.message(f"Failed password for stranger from {ATTACKER} port 4711 ssh2")
            run_elsewhere(f"echo '{line}' > /dev/{protocol}/{under_test.container.name}/514")
            wait_until(partial(_refused, under_test, before), SECONDS, what="its counter of refusals")
            _require(not _matching(under_test, "stranger"), "a stranger's line gave an alert")

    with _step(under_test, "stops cleanly within its grace period"):
        code = under_test.stop()
        _require(code == 0, f"it ended with {code}")


def _require_no_rights(under_test: Server) -> None:
    script = "cat /proc/[0-9]*/status | grep -E '^(Uid|CapEff):' | sort -u"
    rows = [line.split() for line in under_test.run("bash", "-c", script).splitlines()]
    _require(all("0" not in row[1:] for row in rows if row[0] == "Uid:"), f"a process runs as root: {rows}")
    held = {row[1] for row in rows if row[0] == "CapEff:"}
    _require(held == {"0" * 16}, f"a process holds a capability: {rows}")


def _alert(under_test: Server, rule: int, level: int, text: str) -> None:
    def found() -> bool:
        rules = [alert["rule"] for alert in _matching(under_test, text)]
        return (rule, level) in [(one["sidid"], one["level"]) for one in rules]

    wait_until(found, SECONDS, what=f"an alert of rule {rule}, level {level}")


def _refused(under_test: Server, before: int) -> bool:
    return under_test.counters()["refused"] > before


def _matching(under_test: Server, text: str) -> list[dict[str, Any]]:
    return [alert for alert in under_test.alerts() if text in alert.get("full_log", "")]


def _mail_about(mailbox: Mailbox, rule: str, recipient: str) -> Mail | None:
    mails = (mail for mail in mailbox.messages() if recipient in mail.recipients)
    return next((mail for mail in mails if f"Rule: {rule} fired" in mail.body), None)


def _require(condition: bool, complaint: str) -> None:
    if not condition:
        raise SmokeFailure(complaint)


def _sender(client: docker.DockerClient, image: str, network: str, script: str) -> None:
    """Run a script in a container beside the server, where packets come from another address."""
    options = {"entrypoint": ["bash", "-c"], "command": [script], "network": network}
    with server.container(client, image, **{**server.HARDENED, **options}) as made:
        code = made.wait(timeout=30)["StatusCode"]
        _require(code == 0, f"the sender ended with {code}: {made.logs().decode()}")


@contextmanager
def mailhog(client: docker.DockerClient, **options: Any) -> Iterator[Container]:
    """MailHog, in a container with these options. Raises UserError as `have_mailhog` does."""
    have_mailhog(client)
    with server.container(client, MAILHOG, platform=MAILHOG_PLATFORM, **options) as made:
        yield made


def have_mailhog(client: docker.DockerClient) -> None:
    """Pull MailHog's image if it is not in the engine. Raises UserError where it cannot be had, or not be run."""
    if platforms.NATIVE != MAILHOG_PLATFORM:
        emulation.ensure(MAILHOG_PLATFORM)
    try:
        client.images.get(MAILHOG)
    except ImageNotFound:
        err.print(f"Pulling {MAILHOG} …")
        try:
            client.images.pull(f"{MAILHOG}@{MAILHOG_DIGEST}", platform=MAILHOG_PLATFORM).tag(MAILHOG)
        except APIError as problem:
            raise UserError(
                f"The smoke test needs the image {MAILHOG}, and it cannot be pulled: "
                f"{problem.explanation or problem}. Load it by hand (docker load), or make the registry reachable."
            ) from problem


@contextmanager
def _step(under_test: Server, what: str) -> Iterator[None]:
    """Name what is checked, and on a failure say so together with the end of the server's log."""
    try:
        with err.status(f"{what} …"):
            yield
    except (SmokeFailure, WaitTimeout, RuntimeError, syslog.SendError, ValueError) as problem:
        log = "\n".join(under_test.log().splitlines()[-15:])
        raise SmokeFailure(f"failed at “{what}”: {problem}\nThe server's last lines:\n{log}") from problem
    err.print(f"[green]✓[/] {what}", highlight=False)

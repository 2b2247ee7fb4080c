"""What the server does, shown in a minute: an attack goes in, its alerts and its mail come out."""

import re
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import docker
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from pipeline import image, server, source, standin
from pipeline.console import err, out
from pipeline.errors import UserError
from pipeline.machine import engine
from pipeline.release import Release
from pipeline.server import smoke, syslog
from pipeline.server.mailbox import EmbeddedMailbox, Mail
from pipeline.wait import WaitTimeout, wait_until

T = TypeVar("T")

# How somebody guesses root's password and gets in, as sshd logged it, with one harmless line among it.
ATTACK = Path(__file__).with_name("attack.log")
SECONDS = 60


def demo(release: Release) -> None:
    """Build the release's image, run it, attack it, and print what comes of it and how to go on.

    Where OSSEC's source cannot be had, the stand-in release takes its place, and the first and the last line
    say so. Raises UserError where the image cannot be built or nothing comes of the attack.
    """
    try:
        tarball = source.fetch(release)
    except source.SourceUnreachable as problem:
        notice = f"[bold yellow]This is not OSSEC but our own small stand-in: {release.version} cannot be had here.[/]"
        out.print(notice, highlight=False)
        err.print(str(problem), highlight=False, markup=False)
        engine.ensure()
        with tempfile.TemporaryDirectory() as folder:
            show(standin.build(Path(folder)).name)
        out.print(notice, highlight=False)
        return
    engine.ensure()
    built = image.build(release, tarball)
    out.print(f"This is OSSEC {release.version} in {built.name}.", highlight=False)
    show(built.name)
    out.print(how_to_go_on(built.name), highlight=False, soft_wrap=True)


def show(name: str) -> None:
    """Run the image of that name, send it the attack and print what comes of it; everything started is gone at the end.

    Raises UserError if the mailbox cannot listen, or if no alert or no mail comes.
    """
    with (
        closing(docker.from_env()) as client,
        server.network(client) as net,
        _mailbox(server.gateway(net)) as mailbox,
        server.server(
            client,
            name,
            smoke.settings(mailbox, server.gateway(net)),
            network=net.name,
            ports=server.LOOPBACK,
            extra_hosts={"host.docker.internal": "host-gateway"},
        ) as running,
    ):
        with err.status("Starting the server …"):
            running.wait_listening()
        lines = ATTACK.read_text().splitlines()
        out.print(f"\n[bold]Sent[/] to 514/udp, {len(lines)} lines:")
        for line in lines:
            out.print(Text(f"  {line}", style="dim"), soft_wrap=True)
        syslog.send_udp(*running.udp, [_dated(line) for line in lines])

        with err.status("Waiting for the alerts …"):
            _wait(running, lambda: _alerts(running, lines[-1]), "the alert of the attack's last line")
        out.print("\n[bold]Alerts[/], of which the server writes one JSON object a line to standard output:")
        out.print(_table(running.alerts()))

        with err.status("Waiting for the mail; the engine gathers alerts for some seconds …"):
            mails = _wait(running, mailbox.messages, "the mail")
        out.print("\n[bold]Mail[/], as it arrived:")
        out.print(_panel(mails[0]))
        running.stop()


def how_to_go_on(name: str) -> str:
    """What a person types to run the server and to send it their own logs."""
    return (
        "\n[bold]Your own logs:[/]\n"
        "  docker run -d --name ossec -p 514:514/udp -p 514:514/tcp -v ossec:/var/ossec/data \\\n"
        "    --read-only --cap-drop ALL --security-opt no-new-privileges --tmpfs /run --tmpfs /tmp \\\n"
        f"    -e OSSEC_ALLOWED_IPS=10.0.0.0/8,172.16.0.0/12,192.168.0.0/16 {name}\n"
        "  logger --server 127.0.0.1 --port 514 --udp --rfc3164 "
        "'Failed password for root from 203.0.113.77 port 40112 ssh2' --tag 'sshd[1]'\n"
        "  docker logs -f ossec"
    )


def _mailbox(gateway: str) -> EmbeddedMailbox:
    """A mailbox in this process that the container reaches: Docker Desktop keeps its gateway to itself."""
    if sys.platform == "linux":
        return EmbeddedMailbox(gateway)
    return EmbeddedMailbox(seen_as="host.docker.internal")


def _wait(running: server.Server, predicate: Callable[[], T], what: str) -> T:
    try:
        return wait_until(predicate, SECONDS, what=what)
    except WaitTimeout as problem:
        raise UserError(f"{problem}. The server's last lines:\n{running.log()[-2000:]}") from problem


def _dated(line: str) -> str:
    host, tag, text = line.split(" ", 2)
    return syslog.message(text, host=host, tag=tag.rstrip(":"))


def _alerts(running: server.Server, line: str) -> list[dict[str, Any]]:
    return [alert for alert in running.alerts() if alert["full_log"].endswith(line)]


def _table(alerts: list[dict[str, Any]]) -> Table:
    table = Table("level", "rule", "what", "from", box=None, pad_edge=False)
    for alert in alerts:
        rule = alert["rule"]
        style = "bold red" if rule["level"] >= 10 else "yellow" if rule["level"] >= 5 else ""
        cells = (str(rule["level"]), str(rule["sidid"]), rule["comment"], alert.get("srcip", ""))
        table.add_row(*cells, style=style)
    return table


def _panel(mail: Mail) -> Panel:
    head = f"From: {mail.sender}\nTo: {', '.join(mail.recipients)}\n"
    body = re.sub(r"\n{3,}", "\n\n", mail.body.strip())
    text = Text.assemble((head, "dim"), ("Subject: " + mail.subject, "bold"), "\n\n", body)
    return Panel(text, expand=False)

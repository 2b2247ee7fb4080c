"""The soak: real load over every protocol while the server is stopped, killed, paused and restarted at random.

At the end the ids of all lines are counted where a user stands: in the archive, in alerts.json, on standard output, at
the forward target, in the mailbox.
"""

import random
import ssl
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import docker
from docker.errors import APIError
from docker.models.containers import Container
from docker.models.networks import Network
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from pipeline import image, machine, source
from pipeline import server as servers
from pipeline.console import err, out
from pipeline.errors import UserError
from pipeline.machine import engine
from pipeline.release import Release
from pipeline.server import smoke
from pipeline.server.certificates import certificates
from pipeline.server.mailbox import MailboxError, MailHog
from pipeline.soak import ends, events, report
from pipeline.soak.collector import Collector
from pipeline.soak.ends import Ends
from pipeline.soak.events import Stage
from pipeline.soak.lines import MAIL_LEVEL, Tally, mailed
from pipeline.soak.senders import RelpSender, Sender, TcpSender, TlsSender, UdpSender
from pipeline.soak.verdict import Verdict, judge
from pipeline.wait import WaitTimeout, wait_until

RATES = {"udp": 400.0, "tcp": 500.0, "tls": 400.0, "relp": 500.0}  # lines a second, but for the bursts
BETWEEN = (1.0, 5.0)  # seconds of load between two events
LEAST_EVENTS = 5  # however short the time: on a busy machine one event can take a quarter of a minute
SETTLED = 3.0  # seconds without anything new at the forward target and in the mailbox, before it is looked everywhere
QUIET = 30.0  # seconds without anything new at any end, after which no more is expected
DRAIN = 600.0  # seconds that the ends have at most, once nothing is sent any more
DATA = "/var/ossec/data"


def run(release: Release, minutes: float, seed: int = 0, as_json: bool = False) -> int:
    """Soak the release's image, built if need be, and print what came of it: how many promises were broken.

    A seed of 0 means a new one. Raises UserError for a time that is none, and as `soak` does.
    """
    if not minutes > 0:
        raise UserError(f"--minutes is {minutes:g}: write a number above 0, such as 10.")
    seed = seed or random.SystemRandom().randrange(1, 1 << 31)
    tarball = source.fetch(release)
    engine.ensure()
    name = image.build(release, tarball).name
    err.print(f"{name}: {minutes:g} minutes, seed {seed}", soft_wrap=True)
    try:
        verdict = soak(name, minutes * 60, seed)
    except (RuntimeError, WaitTimeout, APIError, MailboxError) as problem:
        raise UserError(f"the soak with seed {seed} broke off: {problem}") from problem
    if as_json:
        out.print(report.to_json(verdict, image=name, minutes=minutes, seed=seed), soft_wrap=True)
    else:
        title = f"OSSEC {release.version}, {minutes:g} minutes, seed {seed}"
        out.print(report.table(verdict, title))
    for problem_line in verdict.problems:
        err.print(f"[red]✗[/] {problem_line}", soft_wrap=True)
    return len(verdict.problems)


def soak(name: str, seconds: float, seed: int) -> Verdict:
    """Run the load for so long, and for LEAST_EVENTS at least, against that image, and judge. Leaves nothing behind.

    Raises UserError where MailHog can't be had, RuntimeError when the server does not come back after an event.
    """
    with machine.terminated_like_interrupted(), staged(name, random.Random(seed)) as stage:
        senders = all_senders(stage)
        _load(stage, senders, seconds)
        return judge(senders, drained(stage, senders), stage.events)


@contextmanager
def staged(name: str, chance: random.Random, **more: str) -> Iterator[Stage]:
    """A server of that image, ready, with every input on, a mail relay and a forward target. `more` are variables."""
    with ExitStack() as stack:
        client = docker.from_env()
        stack.callback(client.close)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ossec-log-server-soak-")))
        folder.chmod(0o755)  # the container's user is not ours
        certificates(folder, server="localhost")
        mounted = folder / "mounted"
        for name_in_it in ("tls", "rules"):
            (mounted / name_in_it).mkdir(parents=True)
        events.show_certificate(mounted / "tls", folder)
        net = stack.enter_context(servers.network(client))
        volume = stack.enter_context(servers.volume(client))
        relay = stack.enter_context(smoke.mailhog(client, network=net.name))
        gateway = servers.gateway(net)
        collector = Collector(gateway)
        collector.open()
        stack.callback(collector.close)
        volumes = [f"{volume}:{DATA}", f"{mounted}:/etc/ossec-log-server:ro"]
        variables = smoke.settings(mailhog(relay, net), gateway) | {
            # Of several, each gets every mail, which looks like a repetition.
            "OSSEC_EMAIL_TO": smoke.RECIPIENTS[0],
            "OSSEC_EMAIL_ALERT_LEVEL": str(MAIL_LEVEL),
            "OSSEC_EMAIL_MAX_PER_HOUR": "9999",
            "OSSEC_RELP": "yes",
            "OSSEC_METRICS_PORT": "9514",
            "OSSEC_FORWARD": f"relp://{collector.address[0]}:{collector.address[1]}",
            "OSSEC_FORWARD_FORMAT": "json",
            **more,
        }
        under_test = stack.enter_context(
            servers.server(
                client,
                name,
                variables,
                network=net.name,
                volumes=volumes,
                healthcheck=None,
                **servers.MUCH_OUTPUT,
            )
        )
        context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
        stage = Stage(name, under_test, volume, relay, net, collector, context, mounted, chance)
        stage.started()
        yield stage


def seen(stage: Stage, mailbox: MailHog) -> Ends:
    return Ends(
        ends.archived(stage.image, stage.volume),
        ends.alerts(stage.image, stage.volume),
        ends.printed(str(stage.server.container.id)),
        stage.collector.seen.copy(),
        ends.mailed(mailbox),
    )


def mailhog(relay: Container, on: Network) -> MailHog:
    """It, by its own address: a published port does not survive that its network is away."""
    return MailHog(f"http://{servers.address(relay, on)}:8025", (str(relay.name), 1025))


def all_senders(stage: Stage) -> list[Sender]:
    kinds: tuple[type[Sender], ...] = (UdpSender, TcpSender, TlsSender, RelpSender)
    return [
        kind(name, lambda: stage.address, rate, tls=stage.tls if name == "tls" else None)
        for kind, (name, rate) in zip(kinds, RATES.items(), strict=True)
    ]


def _load(stage: Stage, senders: Sequence[Sender], seconds: float) -> None:
    """Send for so long, and until LEAST_EVENTS have happened."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    until = time.monotonic() + seconds
    for sender in senders:
        sender.start()
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task("load", total=seconds)
        for number, action in enumerate(events.schedule(stage)):
            between, enough = stage.random.uniform(*BETWEEN), number >= LEAST_EVENTS
            time.sleep(min(between, max(0.0, until - time.monotonic())) if enough else between)
            if enough and time.monotonic() >= until:
                break
            event = events.happen(stage, action)
            progress.console.print(
                f"{event.name}, {event.ended - event.began:.1f} s {event.problem}", soft_wrap=True
            )
            sent = sum(len(sender.sent) for sender in senders)
            progress.update(
                task,
                description=f"{event.name}; {sent:,} lines sent",
                completed=seconds - max(0.0, until - time.monotonic()),
            )
        progress.update(task, description="waiting for acknowledgements", completed=seconds)
        for sender in senders:
            sender.finish()


def drained(stage: Stage, senders: Sequence[Sender]) -> Ends:
    """What is at the ends, once all is there that was archived, or nothing new comes any more."""
    mailbox = mailhog(stage.relay, stage.network)  # one, as it remembers the mails that it has decoded
    near, before, since = tuple[int, ...](), tuple[int, ...](), time.monotonic()
    found: Ends | None = None

    def over() -> bool:
        nonlocal near, before, since, found
        # What is printed and what lies on the volume costs the engine seconds to read: not while mails still come.
        arrived = _totals([stage.collector.seen, ends.mailed(mailbox)], senders)
        if arrived != near:
            near, since = arrived, time.monotonic()
        if time.monotonic() - since < SETTLED:
            return False  # what is repeated would come now
        found = seen(stage, mailbox)
        if _complete(found, senders):
            return True
        counts = _totals(found.by_name().values(), senders)
        if counts != before:
            before, since = counts, time.monotonic()
        return time.monotonic() - since > QUIET

    with err.status("Waiting until all has arrived …"), suppress(WaitTimeout):
        wait_until(over, DRAIN, 2.0, "the last alert")
    return found or seen(stage, mailbox)  # what has arrived by then counts


def _totals(tallies: Iterable[Tally], senders: Sequence[Sender]) -> tuple[int, ...]:
    return tuple(tally.total(sender.channel) for tally in tallies for sender in senders)


def _complete(found: Ends, senders: Sequence[Sender]) -> bool:
    """Whether all that is archived is at the other ends."""
    for sender in senders:
        channel = sender.channel
        archived = found.archived.unique(channel)
        if any(tally.unique(channel) < archived for tally in (found.alerts, found.printed, found.forwarded)):
            return False
        if found.mailed.unique(channel) < sum(1 for n in found.archived.numbers(channel) if mailed(n)):
            return False
        if archived < sender.acknowledged.unique(channel):
            return False
    return True

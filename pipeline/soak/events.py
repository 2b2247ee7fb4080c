"""What happens to the server under load: stops, kills, hangs, and the far ends' absences."""

import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from random import Random

from docker.errors import APIError
from docker.models.containers import Container
from docker.models.networks import Network

from pipeline import server as servers
from pipeline.server import Server
from pipeline.server.certificates import certificate
from pipeline.soak.collector import Collector

INTAKE = "ossec-intake"  # the process that listens
HELD_UP = (0.5, 3.0)  # seconds that something hangs or is away
CLEAN = (0, 143)


@dataclass(frozen=True)
class Event:
    """Something that happened, from when to when the server was ready again, which is now (time.time())."""

    name: str
    began: float
    ended: float = field(default_factory=time.time)
    down: bool = False  # nobody listened meanwhile
    intake_killed: bool = False  # what the intake had in its hands, or the kernel for it, is gone
    in_order: bool = False  # the intake ended by itself: whoever looks before each write has lost nothing
    unclean: bool = False  # the engine or an output may repeat what it was at
    problem: str = ""
    started: float = 0.0  # when the container was started that runs afterwards, where it was down


@dataclass
class Stage:
    image: str
    server: Server
    volume: str
    relay: Container
    network: Network
    collector: Collector
    tls: ssl.SSLContext  # for a client of it
    mounted: Path  # its /etc/ossec-log-server, a folder beside its certificates' files
    random: Random
    address: str = ""
    events: list[Event] = field(default_factory=list)

    def started(self) -> None:
        """Wait until the server is ready, and note its address, which a start may change."""
        self.server.wait_listening()
        self.address = servers.address(self.server.container, self.network)

    def start(self) -> None:
        self.server.container.start()
        self.started()

    def since(self) -> float:
        """When the container was started that runs now (time.time())."""
        self.server.container.reload()
        text = self.server.container.attrs["State"]["StartedAt"]  # with nanoseconds
        return datetime.fromisoformat(f"{text[:26].rstrip('Z')}+00:00").timestamp()

    def away(self) -> None:
        time.sleep(self.random.uniform(*HELD_UP))


Action = Callable[[Stage], Event]


def stop(seconds: int) -> Action:
    """`docker stop`, with so many seconds until it kills, and a start."""

    def action(stage: Stage) -> Event:
        began = time.time()
        stage.server.container.stop(timeout=seconds)
        code = stage.server.exit_code()
        stage.start()
        clean = code in CLEAN
        wrong = f"ended with {code}" if not clean and seconds >= 10 else ""
        return Event(f"stop, {seconds} s", began, down=True, in_order=clean, unclean=not clean, problem=wrong)

    return action


def restart(stage: Stage) -> Event:
    began = time.time()
    stage.server.container.restart(timeout=10)
    stage.started()
    return Event("restart", began, down=True, in_order=True)


def kill_container(stage: Stage) -> Event:
    began = time.time()
    stage.server.container.kill()
    stage.server.exit_code()
    stage.start()
    return Event("kill of the container", began, down=True, intake_killed=True, unclean=True)


def kill_in_the_start(stage: Stage) -> Event:
    """Killed before or just after it is ready. The stop before it is an event of its own."""
    began = time.time()
    stage.server.container.stop(timeout=10)
    stage.server.container.start()
    started = stage.since()
    time.sleep(stage.random.uniform(0, 1.0))
    ended = time.time()
    before = Event("stop before a kill in the start", began, ended, down=True, in_order=True, started=started)
    stage.events.append(before)
    return replace(kill_container(stage), name="kill in the start")


def kill(daemon: str) -> Action:
    """A daemon is killed with 9; the container must end by itself, and say so."""

    def action(stage: Stage) -> Event:
        number = stage.server.processes()[daemon]
        began = time.time()
        # The container may end before the answer is here.
        stage.server.answer("bash", "-c", f"kill -KILL {number}")
        code = stage.server.exit_code()
        problem = "" if code == 137 else f"ended with {code} instead of 137"
        stage.start()
        return Event(
            f"kill of {daemon}",
            began,
            down=True,
            intake_killed=daemon == INTAKE,
            in_order=daemon != INTAKE,
            unclean=True,
            problem=problem,
        )

    return action


def hang(daemon: str) -> Action:

    def action(stage: Stage) -> Event:
        began = time.time()
        stage.server.kill(daemon, "STOP")
        stage.away()
        stage.server.kill(daemon, "CONT")
        return Event(f"hang of {daemon}", began)

    return action


def pause(stage: Stage) -> Event:
    began = time.time()
    for left in (2, 1, 0):  # on a busy machine runc may be "unable to freeze" at the first try
        try:
            stage.server.container.pause()
            break
        except APIError:
            if not left:
                raise
    stage.away()
    stage.server.container.unpause()
    return Event("pause", began)


def relay_away(stage: Stage) -> Event:
    """The mail relay's network cable is pulled: it keeps its mails."""
    began = time.time()
    stage.network.disconnect(stage.relay)
    stage.away()
    stage.network.connect(stage.relay)
    return Event("relay away", began, unclean=True)


def collector_away(stage: Stage) -> Event:
    """The target of forwarded alerts hangs up."""
    began = time.time()
    stage.collector.close()
    stage.away()
    stage.collector.open()
    return Event("forward target away", began, unclean=True)


# Which of the daemons hang: those on a line's way.
ON_THE_WAY = (INTAKE, "ossec-analysisd", "ossec-output", "ossec-forward", "ossec-maild")
# Those that are killed; what else runs in the container for a moment is none of the server's daemons.
DAEMONS = (*ON_THE_WAY, "ossec-monitord", "nullmailer-send", "mini_httpd")


def show_certificate(to: Path, made: Path) -> None:
    """Put the certificate `server` into what is mounted, as a renewal does: each file takes the old one's place."""
    for kind in ("crt", "key"):
        new = to / f"new.{kind}"
        new.write_bytes((made / f"server.{kind}").read_bytes())
        new.chmod(0o644)
        new.rename(to / f"tls.{kind}")


RULE = """<group name="soak,"><rule id="100900" level="0"><if_sid>5716</if_sid><match>{0}</match>
<description>{0}</description></rule></group>
"""


def reload(stage: Stage) -> Event:
    """A new certificate and another rule, and `reload`: senders go on over the same connections."""
    made = stage.mounted.parent
    certificate(made, "server", signed_by="ca")
    show_certificate(stage.mounted / "tls", made)
    (stage.mounted / "rules" / "soak.xml").write_text(RULE.format(f"never {time.time()}"))
    began = time.time()
    code, said = stage.server.answer("ossec-log-server", "reload")
    fine = code == 0 and "ossec-analysisd" in said
    return Event("reload", began, problem="" if fine else said)


def reload_refused(stage: Stage) -> Event:
    """A wrong rule, and `reload`: nothing changes."""
    rules = stage.mounted / "rules" / "soak.xml"
    before = rules.read_text() if rules.exists() else RULE.format("never")
    rules.write_text("<group name='soak,'><rule id='100900' level='99'/></group>")
    began = time.time()
    code, said = stage.server.answer("ossec-log-server", "reload")
    rules.write_text(before)
    fine = code == 78 and "soak.xml line 1: the level of rule 100900" in said
    return Event("reload refused", began, problem="" if fine else said)


def actions(stage: Stage) -> list[Action]:
    """All that can happen to that server; what is likely in life stands there more than once."""
    daemons = sorted(name for name in stage.server.processes() if name in DAEMONS)
    found: list[Action] = [stop(10), stop(10), stop(10), stop(1), restart, kill_container, kill_container]
    found += [reload, reload, reload_refused, kill_in_the_start, pause, pause, relay_away, collector_away]
    found += [kill(name) for name in daemons]
    found += [kill(name) for name in daemons if name in ("ossec-analysisd", INTAKE)]
    found += [hang(name) for name in daemons if name in ON_THE_WAY]
    return found


def schedule(stage: Stage) -> Iterator[Action]:
    """Each of them once in a random order, and so on again."""
    while True:
        round_of = actions(stage)
        stage.random.shuffle(round_of)
        yield from round_of


def happen(stage: Stage, action: Action) -> Event:
    """Let it happen, and keep it. Raises RuntimeError if the server does not come back."""
    event = action(stage)
    if event.down:
        event = replace(event, started=stage.since())
    stage.events.append(event)
    return event

"""What is measured: each step starts a subject afresh, sends it something, and counts what arrived by its ids."""

import math
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError

from pipeline import server
from pipeline.bench import latency, profile, subject
from pipeline.bench.feed import How, Sent, feed
from pipeline.bench.lines import HEADERS, PLAIN, numbered
from pipeline.bench.profile import Profile
from pipeline.bench.results import COMMANDS, CORES, CPU_RATES, UDP_RATES, Findings, Measurement
from pipeline.bench.subject import Kind, Look, Subject
from pipeline.server import syslog
from pipeline.wait import WaitTimeout, wait_until

LINES = 1_000_000
RATE_LINES = 500_000  # where only the rate is measured
ONE_WRITE = 100  # lines
UDP_SECONDS = 4.0  # how long each rate is kept up
STARTS = 3  # of which the middle one counts
IDLE_LOOKS = 5  # a second apart
LIMIT = 60.0  # seconds that a subject has for all that it gets; one that is still at work then has no more
QUIET = 5.0  # seconds without a new line in the archive after which no more is expected
SPAN = 1_000_000  # ids a rate of UDP
CPU_LINES = 200_000
CPU_SECONDS = 10.0  # at each
HEADER_LINES = 100_000
HEADER_ROUNDS = 4
RULES_LINES = 30_000
RULES_STARTS = 3  # of both: where a process's memory happens to lie makes a tenth and more
RULES_ROUNDS = 6  # of each start
START_REST = 20.0  # seconds in which one that has just started comes to rest
IDLE_SECONDS = 30.0  # from one health check to the next
RUNS = 10  # of a command, of which the mean is taken
LATENCY_LINES = 10_000
RELP_LINES = 200_000
PROFILE_SECONDS = 8.0  # less than the engine takes for all lines
IN_MEMORY = {"type": "tmpfs", "device": "tmpfs", "o": "size=900m,uid=10514,gid=0,mode=0775"}
ATTACKER = "203.0.113.9"

# Answers each query at once with NXDOMAIN, or never.
NAME_SERVER = """
use IO::Socket::INET;
my $socket = IO::Socket::INET->new(LocalPort => 53, Proto => "udp") or die;
while (defined $socket->recv(my $query, 4096)) {
    next unless $ARGV[0] eq "answer";
    substr($query, 2, 2) = pack("n", 0x8183);
    $socket->send($query);
}
"""

# Sends straight into the engine's socket, and waits while that is full; gives up when its seconds are over. Prints when
# it sent the first and the last, and how many there were.
INTO_ENGINE = """
use Errno; use IO::Socket::UNIX;
my ($seconds, $count, $lines) = @ARGV;
open(my $file, "<", $lines) or die; chomp(my @lines = <$file>);
my $engine = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Peer => "/var/ossec/queue/ossec/queue") or die;
$engine->setsockopt(SOL_SOCKET, SO_SNDTIMEO, pack("l!l!", 1, 0));
my ($sent, $until) = (0, time + $seconds);
system("date", "+%s.%N");
while ($sent < $count && time < $until) {
    my $message = sprintf("2:10.0.0.1:%s uid=%07d", $lines[$sent % @lines], $sent);
    if (defined $engine->send($message)) { $sent++ } elsif (!$!{EAGAIN} && !$!{ENOBUFS}) { last }
}
system("date", "+%s.%N");
print $sent;
"""


@dataclass(frozen=True)
class Bench:
    """What every step needs: the engine, OSSEC's sample lines and the folder that has them as `mixed`, an image with a
    perl for the DNS servers, the CPUs a subject gets, and the share of the full number of messages that is sent.
    """

    client: docker.DockerClient
    mixed: Sequence[str]
    tools: Path
    perl_image: str
    cpus: float
    scale: float = 1.0

    def scaled(self, count: float) -> int:
        """So many messages at this scale, but never so few that nothing can be told from them."""
        return max(1000, round(count * self.scale))

    @contextmanager
    def subject(self, kind: Kind, answers: bool = True, **more: Any) -> Iterator[Subject]:
        """A subject that is ready; its DNS server answers, or drops all. `more` are options of its container."""
        with (
            self.name_server(answers) as dns,
            subject.running(self.client, kind, self.tools, self.cpus, dns, **more) as running,
        ):
            running.wait_ready()
            yield running

    @contextmanager
    def name_server(self, answers: bool) -> Iterator[str]:
        """A DNS server in a container of its own; its address."""
        command = ["-e", NAME_SERVER, "answer" if answers else "drop"]
        with server.container(self.client, self.perl_image, entrypoint="perl", command=command) as made:
            networks = made.attrs["NetworkSettings"]["Networks"].values()
            yield str(next(iter(networks))["IPAddress"])

    def feed(self, how: How, running: Subject, first: int, count: int, line: str = "") -> Sent:
        """Send that line from this machine, or the mixed ones in turn."""
        return feed(how, running.host, [line] if line else self.mixed, first, count)

    def fed(
        self, how: How, running: Subject, first: int, count: int, line: str = "", quiet: float = QUIET
    ) -> Measurement:
        """Send, and count what arrives."""
        return _counted(running, self.feed(how, running, first, count, line), first, count, quiet)


TCP: How = ("tcp", 50)
RELP: How = ("relp", 10)
SUSTAINED_UDP: How = ("udp", 50_000)  # for one that is not measured over TCP: stock takes no more


def measure_start(bench: Bench, kind: Kind, found: Findings) -> None:
    """Seconds from `docker run` to the first alert, and the memory of one that has nothing to do."""
    seconds, held = [], []
    with bench.name_server(answers=True) as dns:
        for number in range(STARTS):
            began = time.time()
            with subject.running(bench.client, kind, bench.tools, bench.cpus, dns) as running:
                seconds.append(_first_alert(running) - began)
                for _ in range(IDLE_LOOKS if number == STARTS - 1 else 0):
                    time.sleep(1)
                    held.append(running.look().memory)
    found.values |= {"first_alert_seconds": statistics.median(seconds), "idle_bytes": min(held)}


def measure_one_write(bench: Bench, kind: Kind, found: Findings) -> None:
    """Of 100 lines in one TCP write."""
    lines = [f"<38>{numbered(PLAIN, number)}" for number in range(ONE_WRITE)]
    with bench.subject(kind) as running:
        began = time.time()
        syslog.send_tcp(running.host, subject.PORT, lines)
        sent = Sent(ONE_WRITE, began, time.time())
        found.counts["one_write"] = _counted(running, sent, 0, ONE_WRITE)


def measure_tcp(bench: Bench, kind: Kind, found: Findings) -> None:
    """Of 1,000,000 mixed lines over 50 TCP connections, with DNS answering."""
    count = bench.scaled(LINES)
    with bench.subject(kind) as running:
        found.counts["tcp"] = bench.fed(TCP, running, 0, count)
        _note_peak(running, found)
    if kind.ours:
        found.counts["sustained"] = found.counts["tcp"]


def measure_sustained(bench: Bench, kind: Kind, found: Findings) -> None:
    """Mixed lines by the way that gets the most through, with DNS answering."""
    if not kind.ours:
        found.counts["sustained"] = _sustained(bench, kind, found, answers=True)


def measure_dns(bench: Bench, kind: Kind, found: Findings) -> None:
    """The same with DNS dropping every query."""
    found.counts["dns"] = _sustained(bench, kind, found, answers=False)


def measure_direct(bench: Bench, kind: Kind, found: Findings) -> None:
    """The same lines straight into the engine: what the engine itself can do.

    Stock's has a socket. Ours reads the journal, which is filled while the engine is stopped, and the time counts from
    when it goes on.
    """
    count = bench.scaled(RATE_LINES)
    with bench.subject(kind) as running:
        if kind.ours:
            running.kill(subject.ENGINE, "STOP")
            bench.feed(TCP, running, 0, count)
            running.wait_at_rest(LIMIT)
            sent = Sent(count, time.time(), time.time())
            running.kill(subject.ENGINE, "CONT")
        else:
            words = (f"{LIMIT:g}", str(count), f"{subject.TOOLS}/mixed")
            began, ended, taken = running.run("perl", "-e", INTO_ENGINE, *words).split()
            sent = Sent(int(taken), float(began), float(ended))
        found.counts["direct"] = _counted(running, sent, 0, count)


def profile_engine(bench: Bench, kind: Kind) -> Profile:
    """Where its time goes while it works off a journal that was filled while it was stopped."""
    with bench.subject(kind) as running:
        running.kill(subject.ENGINE, "STOP")
        bench.feed(TCP, running, 0, bench.scaled(LINES))
        running.wait_at_rest(LIMIT)
        return profile.record(running.engine_pid(), PROFILE_SECONDS * bench.scale)


def measure_udp(bench: Bench, kind: Kind, found: Findings) -> None:
    """Loss at each rate, of lines that all are alike but for their ids."""
    with bench.subject(kind) as running:
        for number, rate in enumerate(UDP_RATES):
            first, count = number * SPAN, bench.scaled(rate * UDP_SECONDS)
            found.counts[f"udp_{rate}"] = bench.fed(("udp", rate), running, first, count, PLAIN)


def measure_cpu(bench: Bench, kind: Kind, found: Findings) -> None:
    """CPU time of the whole container for a mixed line: at full speed, and at two rates over UDP.

    Nothing is run in the container meanwhile, as that would count, too.
    """
    with bench.subject(kind) as running:
        found.values["cpu_full_us"] = _cpu(bench, running, _most_through(kind), 0, bench.scaled(CPU_LINES))
        for number, rate in enumerate(CPU_RATES, 1):
            count = bench.scaled(rate * CPU_SECONDS)
            found.values[f"cpu_{rate}_us"] = _cpu(bench, running, ("udp", rate), number * SPAN, count)


def measure_cores(bench: Bench, kind: Kind, found: Findings) -> None:
    """Mixed lines over TCP where it may use one core, two, four or eight of this machine's."""
    count = bench.scaled(CPU_LINES)
    for cores in CORES:
        if cores > (os.cpu_count() or 1):
            break
        limits: dict[str, Any] = {"cpuset_cpus": f"0-{cores - 1}", "nano_cpus": int(cores * 1e9)}
        with bench.subject(kind, **limits) as running:
            found.counts[f"cores_{cores}"] = bench.fed(TCP, running, 0, count)


def measure_headers(bench: Bench, kind: Kind, found: Findings) -> None:
    """CPU time of the whole container for a line of each kind of header, of which OSSEC itself reads the first alone.

    Each of several rounds takes them all in turn, every other one backwards, so that none always comes first; the least
    of each counts: what else the machine does adds to it.
    """
    count = bench.scaled(HEADER_LINES)
    with bench.subject(kind) as running:
        for number in range(HEADER_ROUNDS):
            for place, (header, line) in enumerate(list(HEADERS.items())[:: -1 if number % 2 else 1]):
                first = (number * len(HEADERS) + place) * count
                used = _cpu(bench, running, TCP, first, count, line)
                name = f"header_{header}_us"
                found.values[name] = min(found.values.get(name, math.inf), used)


def measure_rules(bench: Bench, kind: Kind, found: Findings) -> None:
    """CPU time of the container for a mixed line by our rules, and by upstream's alone, in turn; the least counts."""
    count = bench.scaled(RULES_LINES)
    upstreams = kind.with_variable("OSSEC_EXTRA_RULES", "no")
    for _ in range(RULES_STARTS):
        with bench.subject(kind) as both, bench.subject(upstreams) as one:
            for number in range(RULES_ROUNDS):
                for name, running in (("rules_ours_us", both), ("rules_upstreams_us", one)):
                    used = _cpu(bench, running, TCP, number * count, count)
                    found.values[name] = min(found.values.get(name, math.inf), used)


def _cpu(bench: Bench, running: Subject, how: How, first: int, count: int, line: str = "") -> float:
    """Microseconds a line that was analysed; not a number if none was."""
    before = running.wait_at_rest(START_REST)
    bench.feed(how, running, first, count, line)
    used, analysed = 0.0, -1

    def over() -> bool:
        """Whether all is analysed, or no more comes: one that waits for the disk, or for a core, is at rest, too."""
        nonlocal used, analysed
        last, used = analysed, running.wait_at_rest(LIMIT) - before
        analysed = running.count(first, count).unique
        return analysed == count or (analysed == last and analysed > 0)

    with suppress(WaitTimeout):
        wait_until(over, LIMIT, QUIET, what="the last line")
    return used / analysed * 1e6 if analysed else math.nan


def measure_idle(bench: Bench, kind: Kind, found: Findings) -> None:
    """CPU time a second of one that has nothing to do, its health check on; what its commands cost."""
    with bench.subject(kind, healthcheck=None) as running:
        before, began = running.wait_at_rest(START_REST), time.monotonic()
        time.sleep(IDLE_SECONDS)
        found.values["idle_cpu_ms"] = (running.cpu() - before) / (time.monotonic() - began) * 1000
        if kind.ours:
            for command in COMMANDS:
                found.values[f"{command}_cpu_ms"] = _cost(running, "ossec-log-server", command)
            # what Docker itself costs in that container, each time
            found.values["exec_cpu_ms"] = _cost(running, "true")


def _cost(running: Subject, *command: str) -> float:
    """Milliseconds of CPU time that the container uses for a command in it, with what it takes to get there."""
    before = running.cpu()
    for _ in range(RUNS):
        running.answer(*command)
    return (running.cpu() - before) / RUNS * 1000


def measure_latency(bench: Bench, kind: Kind, found: Findings) -> None:
    """Milliseconds from a datagram to its alert at 1,000 a second: on standard output, or in stock's alerts.log."""
    with bench.subject(kind) as running:
        times = latency.measure(running, bench.scaled(LATENCY_LINES))
    found.values["latency_median_ms"] = statistics.median(times) * 1000
    found.values["latency_99_ms"] = statistics.quantiles(times, n=100)[98] * 1000


def measure_relp(bench: Bench, kind: Kind, found: Findings) -> None:
    """Lines acknowledged over RELP: on this machine's disk, and where a sync costs nothing, in memory."""
    count = bench.scaled(RELP_LINES)
    kind = kind.with_variable("OSSEC_RELP", "yes")
    for name, options in (("relp", {}), ("relp_in_memory", IN_MEMORY)):
        with server.volume(bench.client, driver_opts=options) as volume:
            mounts = [f"{bench.tools}:{subject.TOOLS}:ro", f"{volume}:{subject.DATA}"]
            with bench.subject(kind, volumes=mounts) as running:
                found.counts[name] = bench.fed(RELP, running, 0, count)


Step = Callable[[Bench, Kind, Findings], None]
STEPS: Mapping[str, Step] = {step.__name__.removeprefix("measure_"): step for step in (
    measure_start, measure_one_write, measure_tcp, measure_udp, measure_sustained, measure_dns, measure_direct,
    measure_cpu, measure_headers, measure_rules, measure_cores, measure_idle, measure_latency, measure_relp,
)}  # fmt: skip


def _sustained(bench: Bench, kind: Kind, found: Findings, answers: bool) -> Measurement:
    count, quiet = bench.scaled(RATE_LINES), QUIET if answers else LIMIT
    with bench.subject(kind, answers) as running:
        measured = bench.fed(_most_through(kind), running, 0, count, quiet=quiet)
        _note_peak(running, found)
    return measured


def _most_through(kind: Kind) -> How:
    return TCP if kind.ours else SUSTAINED_UDP


def _counted(running: Subject, sent: Sent, first: int, count: int, quiet: float = QUIET) -> Measurement:
    """Wait until all has arrived, nothing more comes, the engine is dead or the time is over; then count.

    The time is the archive's own: that of its last line, not that of our looking.
    """
    seen = Look(0.0, 0, 0, alive=True)
    since, counted = time.time(), -1

    def over() -> bool:
        nonlocal seen, since, counted
        before, seen = seen, running.look()
        if seen.size != before.size:
            since = time.time()
        elif seen.size != counted:  # it rests: perhaps that was all
            counted = seen.size
            if running.count(first, count).unique >= count:
                return True
        return not seen.alive or time.time() - since > quiet

    with suppress(WaitTimeout):  # what has arrived by then counts
        wait_until(over, max(0.0, sent.began + LIMIT - time.time()), 0.5, what="the last line")
    ids = running.count(first, count)
    return Measurement(
        sent=count,
        taken=sent.count,
        analysed=ids.unique,
        repeated=ids.repeated,
        dropped=running.dropped(ids.unique) if seen.alive else None,
        seconds=max((seen.written or sent.ended) - sent.began, 0.001),
        sending_seconds=max(sent.ended - sent.began, 0.001),
        died=not seen.alive,
    )


def _first_alert(running: Subject) -> float:
    """Send alerting lines from when it listens until the first alert is seen; when that was."""
    number = 0

    def alerted() -> bool:
        nonlocal number
        with suppress(syslog.SendError):
            line = syslog.message(f"Failed password for root from {ATTACKER} port {5000 + number} ssh2")
            syslog.send_tcp(running.host, subject.PORT, [line])
            number += 1
        return running.has_alert(ATTACKER)

    wait_until(alerted, subject.START, 0.05, what="the first alert", ignoring=(APIError,))
    return time.time()


def _note_peak(running: Subject, found: Findings) -> None:
    found.values["peak_bytes"] = max(found.values.get("peak_bytes", 0), running.peak)

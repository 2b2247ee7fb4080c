"""One of those compared: how it is started, and what can be seen of it while it works."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, NotFound
from docker.models.containers import Container

from pipeline import server
from pipeline.bench.lines import Found, count_ids
from pipeline.server import Server, syslog
from pipeline.wait import WaitTimeout, wait_until

TOOLS = "/bench"  # where a subject finds the load generator and the lines
PORT = 514
ENGINE = "ossec-analysisd"
DATA = "/var/ossec/data"  # our image's volume
START = 60  # seconds in which a subject is expected to listen
REST_SECONDS, REST_SHARE = 0.5, 0.05  # of a CPU: with less it has nothing left to do
COUNTERS = 6  # seconds in which the engine brings its counters up to date: stock's state_interval is 5
MEMORY = 1 << 30  # bytes that each may use
SENDERS = "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16"  # wherever Docker's bridge is

# When the archive was last written, its size; the cgroup's memory; the engine's state, Z for a dead one not buried.
_LOOK = """
stat -c 'archive %.9Y %s' "$1/archives/archives.log" 2>/dev/null
cat /sys/fs/cgroup/memory.stat /sys/fs/cgroup/memory/memory.stat 2>/dev/null
for p in /proc/[0-9]*; do
    read -r name < "$p/comm" && [ "$name" = ossec-analysisd ] && grep '^State:' "$p/status"
done 2>/dev/null
true
"""


@dataclass(frozen=True)
class Kind:
    """What to run: its key and title in the results, its image and command, its further options, where it keeps
    its logs, and which steps it takes (none: all).

    `ours` is this image: its alerts go to standard output, its engine reads a journal and no socket, it has commands of
    its own, and it gets the most through over TCP, where stock passes on next to nothing.
    """

    key: str
    title: str
    image: str
    logs: str
    command: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    steps: tuple[str, ...] = ()
    ours: bool = False

    def with_variable(self, name: str, value: str) -> "Kind":
        """The same with another environment variable."""
        environment = {**self.options["environment"], name: value}
        return replace(self, options={**self.options, "environment": environment})


@dataclass(frozen=True)
class Look:
    """What was seen: when the archive changed (seconds since 1970), its size, memory in bytes, if the engine lived."""

    written: float
    size: int
    memory: int
    alive: bool


class Subject(Server):
    """A running one. `host` is its address, `peak` the most memory in bytes that was seen of it."""

    def __init__(self, container: Container, kind: Kind) -> None:
        super().__init__(container)
        self.kind = kind
        self.peak = 0
        self.host = self.address()

    def wait_ready(self) -> None:
        """Return once a line over UDP and one over TCP have come through. Raises WaitTimeout.

        Stock binds its ports long before it reads from them: what comes in between is lost.
        """
        self._wait_through("UDP", syslog.send_udp)
        self._wait_through("TCP", syslog.send_tcp)

    def _wait_through(self, protocol: str, send: Callable[[str, int, list[str]], None]) -> None:
        probe = f"probe over {protocol}"

        def through() -> bool:
            send(self.host, PORT, [syslog.message(probe)])
            return self.answer("grep", "-qF", probe, f"{self.kind.logs}/archives/archives.log")[0] == 0

        what = f"a {probe} to come through {self.kind.title}"
        wait_until(through, START, what=what, ignoring=(APIError, syslog.SendError))

    def has_alert(self, text: str) -> bool:
        """Whether an alert that has the text has come out. Raises APIError if the container has ended."""
        if self.kind.ours:
            return text.encode() in self.container.logs(stdout=True, stderr=False)
        return self.answer("grep", "-qF", text, f"{self.kind.logs}/alerts/alerts.log")[0] == 0

    def look(self) -> Look:
        try:
            seen = parse_look(self.answer("sh", "-c", _LOOK, "look", self.kind.logs)[1])
        except APIError:  # the container has ended
            return Look(0.0, 0, 0, alive=False)
        self.peak = max(self.peak, seen.memory)
        return seen

    def engine_pid(self) -> int:
        """The engine's process, as this machine counts it. Raises RuntimeError if there is none."""
        top: Any = self.container.top(ps_args="-eo pid,comm")
        pids = [int(pid) for pid, name in top["Processes"] if name == ENGINE]
        if not pids:
            raise RuntimeError(f"{self.kind.title} has no engine")
        return pids[0]

    def cpu(self) -> float:
        """CPU seconds that its cgroup has used. Unlike `look`, asking for it costs the subject nothing."""
        snapshot: Any = self.container.stats(stream=False, one_shot=True)
        return int(snapshot["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9

    def wait_at_rest(self, limit: float) -> float:
        """Return once it uses next to no CPU time, or after the limit; the CPU seconds that it had used by then."""
        before = -math.inf  # two looks that lie REST_SECONDS apart tell

        def rests() -> float | None:
            nonlocal before
            last, before = before, self.cpu()
            return before if before - last < REST_SHARE * REST_SECONDS else None

        with suppress(WaitTimeout):
            return wait_until(rests, limit, REST_SECONDS, what=f"{self.kind.title} to rest")
        return self.cpu()

    def count(self, first: int, count: int) -> Found:
        """The ids of that range in its archive, also after it has ended."""
        try:
            archive = f"{self.kind.logs}/archives/archives.log"
            chunks, _ = self.container.get_archive(archive, chunk_size=1 << 20)
        except NotFound:
            return Found(0, 0)
        return count_ids(chunks, first, count)

    def dropped(self, analysed: int) -> int | None:
        """What the engine says it dropped, once its counters have all it analysed; None if it has none or is dead."""
        counters: dict[str, int] = {}

        def current() -> bool:
            counters.update(parse_counters(self.answer("cat", "/var/ossec/var/run/ossec-analysisd.state")[1]))
            return counters.get("archives_written", 0) >= analysed

        with suppress(WaitTimeout, APIError):  # what it says by then is all that it says
            wait_until(current, COUNTERS, 0.5, what="the engine's counters")
        dropped = [number for name, number in counters.items() if "_dropped" in name]
        return sum(dropped) if dropped else None


@contextmanager
def running(
    client: docker.DockerClient, kind: Kind, tools: Path, cpus: float, dns: str, **more: Any
) -> Iterator[Subject]:
    """A subject in its container, with these CPUs and DNS server, removed at the end; `more` are the container's."""
    options: dict[str, Any] = {
        **kind.options,
        "command": list(kind.command),
        "volumes": {str(tools): {"bind": TOOLS, "mode": "ro"}},
        "nano_cpus": int(cpus * 1e9),
        "mem_limit": MEMORY,
        "memswap_limit": MEMORY,
        "dns": [dns],
        # A probe's own event would be the last in the archive.
        "healthcheck": {"test": ["NONE"]},
        **more,
    }
    with server.container(client, kind.image, **options) as made:
        yield Subject(made, kind)


def ours(image: str) -> Kind:
    """Our image as the README runs it."""
    options = {**server.HARDENED, "environment": {"OSSEC_ALLOWED_IPS": SENDERS}}
    return Kind("ours", "this image", image, "/var/ossec/data/logs", options=options, ours=True)


def stocks(image: str) -> list[Kind]:
    """Stock OSSEC with its defaults; with one thread a task, as several share their lists without a lock, and may die
    of mixed lines; and one that writes its alerts as JSON, too, as ours does.
    """
    logs = "/var/ossec/logs"
    all_steps = ("start", "one_write", "tcp", "udp", "sustained", "dns", "direct", "cpu", "idle", "latency")
    names = ("rule_matching_threads", "event_threads", "input_demux_threads")
    one = tuple(f"analysisd.{name}=1" for name in names)
    json = ("<jsonout_output>yes</jsonout_output>",)
    return [
        Kind("stock", "stock", image, logs, steps=all_steps),
        Kind("stock_one_thread", "stock, one thread", image, logs, one, steps=("tcp", "sustained", "direct")),
        Kind("stock_json", "stock, JSON alerts", image, logs, json, steps=("sustained", "direct")),
    ]


def parse_look(text: str) -> Look:
    archive = re.search(r"^archive ([0-9.]+) ([0-9]+)$", text, re.MULTILINE)
    memory: dict[str, str] = dict(re.findall(r"^(\w+) ([0-9]+)$", text, re.MULTILINE))
    # Version 2 of cgroups calls anon what version 1 calls rss. The file cache is the kernel's, not the subject's.
    held = int(memory.get("anon", memory.get("rss", "0"))) + int(memory.get("shmem", "0"))
    states = re.findall(r"^State:\s+(\S)", text, re.MULTILINE)
    written, size = (float(archive[1]), int(archive[2])) if archive else (0.0, 0)
    return Look(written, size, held, alive=any(state != "Z" for state in states))


def parse_counters(text: str) -> dict[str, int]:
    """The engine's counters out of its state file, without those since its last writing."""
    found = re.findall(r"^(\w+)='([0-9]+)'", text, re.MULTILINE)
    return {name: int(number) for name, number in found if not name.endswith("_delta")}

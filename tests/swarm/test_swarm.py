"""examples/swarm on a real Docker Swarm of three nodes: what senders were told is taken is not lost, whatever happens.

Prints a table of ids: for each failure, how many lines each sender sent and where they are.
"""

import shutil
import ssl
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container

from pipeline import image, release
from pipeline.project import ROOT
from pipeline.server import container
from pipeline.server.execute import execute
from pipeline.wait import wait_until
from tests.image.conftest import helper_image, image_of
from tests.swarm.cluster import SUBNET, CannotRun, Swarm, at, network, swarm, wait_engine

OLDER = "3.8.0"  # from which the servers are updated
PHASES = ["early", "started", "steady", "kill", "back", "drain", "active", "update", "rotate", "after"]
COMMAND = {
    "rsyslog": "haproxy -D -f /etc/sender/{0}.cfg && exec rsyslogd -n -i NONE -f /etc/sender/{0}.conf",
    "syslog-ng": "exec syslog-ng --foreground --no-caps -f /etc/sender/{0}.conf",
}
MAIN = {
    "rsyslog": 'global(workDirectory="/tmp")\nmodule(load="imuxsock")\n',
    "syslog-ng": '@version: 4.8\nsource s_src { unix-dgram("/dev/log"); };\n',
}
# Name: program, protocol, the number of its first node.
SENDERS = {
    "relp1": ("rsyslog", "relp", 0),
    "relp2": ("rsyslog", "relp", 1),
    "relp3": ("rsyslog", "relp", 2),
    "tcp1": ("syslog-ng", "tcp", 0),
    "tcp2": ("syslog-ng", "tcp", 1),
    "ack1": ("", "relp", 0),  # which knows what was acknowledged
    "ack2": ("", "relp", 1),
    "ack3": ("", "relp", 2),
    "udp1": ("", "udp", 0),
    "udp3": ("", "udp", 2),
}


class Stage:
    def __init__(
        self, made: Swarm, senders: dict[str, Container], folder: Path, images: dict[str, str]
    ) -> None:
        self.swarm = made
        self.senders = senders
        self.folder = folder  # the senders' /etc/sender
        self.images = images
        self.took: dict[str, float] = {}  # what happened -> seconds

    def phase(self, name: str) -> None:
        begin(self.folder, name)

    def on(self, number: int, phase: str) -> Counter[str]:
        """How many lines of that phase each sender has on that node."""
        ids = {what for _, what in self.swarm.arrived(number)}
        return Counter(what.split()[1] for what in ids if what.split()[2] == phase)

    def wait_on(self, what: str, sender: str, phase: str, nodes: list[int]) -> None:
        """Until lines of that phase are on one of these nodes."""
        began = time.monotonic()
        wait_until(
            lambda: any(self.on(one, phase)[sender] > 5 for one in nodes), 90, 1, f"{sender} on {nodes}"
        )
        self.took[what] = time.monotonic() - began

    def sent(self) -> dict[str, set[str]]:
        found = {}
        for name, sender in self.senders.items():
            output = execute(sender, ["cat", "/tmp/sent"]).output
            found[name] = set(output.decode().splitlines())
        return found


def certificate(folder: Path, name: str) -> bytes:
    """A new one with its key, in the folder; returns it in DER form."""
    key, crt = folder / "tls.key", folder / "tls.crt"
    subject = ["-subj", f"/CN={name}", "-keyout", str(key), "-out", str(crt)]
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", *subject]
    subprocess.run(make, check=True, capture_output=True)
    return ssl.PEM_cert_to_DER_cert(crt.read_text())


def example(file: str, first: int) -> str:
    """Its text, with the nodes in the order that begins there."""
    text = (ROOT / "examples" / file).read_text()
    for number, host in enumerate(order(first)):
        text = text.replace(f"192.0.2.{11 + number}", host)
    return text


def order(first: int) -> list[str]:
    return [f"{SUBNET}.{11 + (number + first) % 3}" for number in range(3)]


def begin(folder: Path, phase: str) -> None:
    """Let the senders in whose /etc/sender the folder is begin with the phase."""
    new = folder / "phase.new"
    new.write_text(phase)
    new.rename(folder / "phase")


def sender_files(folder: Path) -> None:
    """Each sender's configuration: the example, with the servers in an order of its own."""
    for file in ("feed.py", "relp_feed.py"):
        shutil.copy(Path(__file__).with_name(file), folder)
    begin(folder, PHASES[0])
    for name, (program, _, first) in SENDERS.items():
        if program:
            (folder / f"{name}.conf").write_text(MAIN[program] + example(f"{program}-failover.conf", first))
            (folder / f"{name}.cfg").write_text(example("haproxy-failover.cfg", first))


def start_senders(
    stack: ExitStack, client: docker.DockerClient, name: str, net: str, folder: Path
) -> dict[str, Container]:
    started = {}
    for number, (sender, (program, protocol, first)) in enumerate(SENDERS.items()):
        if program:
            feed = f"python3 /etc/sender/feed.py {sender} log"
            script = f"(until test -S /dev/log; do sleep 0.1; done; exec {feed}) & {COMMAND[program].format(sender)}"
        elif protocol == "udp":
            script = f"python3 /etc/sender/feed.py {sender} udp {order(first)[0]} & exec sleep infinity"
        else:
            script = (
                f"python3 /etc/sender/relp_feed.py {sender} {' '.join(order(first))} & exec sleep infinity"
            )
        started[sender] = stack.enter_context(
            container(
                client, name, entrypoint=["bash", "-c", script], user="0", hostname=sender,
                volumes=[f"{folder}:/etc/sender:ro"], **at(client, net, 21 + number),
            )
        )  # fmt: skip
    return started


@pytest.fixture(scope="module")
def stage(
    client: docker.DockerClient,
    ossec_image: image.Image,
    senders: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stage]:
    before = image_of(client, tmp_path_factory, release.find(OLDER))
    node = helper_image(tmp_path_factory, "docker", ossec_image)
    folder = tmp_path_factory.mktemp("senders")
    sender_files(folder)
    with ExitStack() as stack:
        net = stack.enter_context(network(client))
        try:
            made = stack.enter_context(swarm(client, node, net))
        except CannotRun as problem:
            pytest.skip(f"SWARM NOT RUN: {problem}")
        made.load(before.name, ossec_image.name)
        yield Stage(
            made,
            start_senders(stack, client, senders, net, folder),
            folder,
            {"before": before.name, "now": ossec_image.name},
        )


def put(made: Swarm, folder: Path) -> None:
    """The example with its certificates onto the first node, as /stack."""
    source_folder = f"{folder}/."
    subprocess.run(
        ["docker", "cp", source_folder, f"{made.nodes[0].id}:/stack"], check=True, capture_output=True
    )


def test_nothing_acknowledged_is_lost(stage: Stage, tmp_path: Path) -> None:
    made = stage.swarm
    stack = tmp_path / "stack"
    shutil.copytree(ROOT / "examples" / "swarm", stack)
    text = (stack / "stack.yaml").read_text()
    (stack / "stack.yaml").write_text(
        text.replace("delay: 5s", "delay: 0s").replace("monitor: 10s", "monitor: 5s")
    )
    (stack / "tls").mkdir()
    served = certificate(stack / "tls", "first")
    environment = {"OSSEC_ALLOWED_IPS": f"{SUBNET}.0/24", "OSSEC_IMAGE": stage.images["before"]}
    put(made, stack)
    began = time.monotonic()
    made.deploy("/stack", **environment)
    stage.took["deploy"] = time.monotonic() - began
    # What was sent before that is in the senders' queues, or lost over UDP.
    stage.phase("started")
    for name, (_, _, first) in SENDERS.items():
        stage.wait_on(f"{name} at its server", name, "started", homes(name, first))
    stage.phase("steady")
    for name, (_, _, first) in SENDERS.items():
        stage.wait_on(f"{name} steady", name, "steady", homes(name, first))
    assert fingerprint(made) == {served}

    stage.phase("kill")
    made.nodes[1].kill()
    stage.wait_on("relp2 at another server after the kill", "relp2", "kill", [0, 2])
    stage.wait_on("tcp2 at another server after the kill", "tcp2", "kill", [0, 2])
    stage.phase("back")
    began = time.monotonic()
    made.nodes[1].start()
    wait_engine(made, 1)
    made.wait_healthy(1)
    stage.took["node 2 back"] = time.monotonic() - began
    stage.wait_on("relp2 at its server again", "relp2", "back", [1])

    stage.phase("drain")
    made.run(0, "docker", "node", "update", "--availability", "drain", "node3")
    stage.wait_on("relp3 at another server after the drain", "relp3", "drain", [0, 1])
    wait_until(lambda: made.servers(2) == [], 60, what="the end of the server on node 3")
    stage.phase("active")
    made.run(0, "docker", "node", "update", "--availability", "active", "node3")
    made.wait_healthy(2)
    stage.wait_on("relp3 at its server again", "relp3", "active", [2])

    stage.phase("update")
    environment["OSSEC_IMAGE"] = stage.images["now"]
    began = time.monotonic()
    made.deploy("/stack", **environment)
    stage.took["update"] = time.monotonic() - began
    now = [[stage.images["now"]]] * 3
    wait_until(
        lambda: [made.servers(number) for number in range(3)] == now, 60, what="the newer servers alone"
    )

    stage.phase("rotate")
    renewed = certificate(stack / "tls", "second")
    put(made, stack)
    began = time.monotonic()
    made.deploy("/stack", **environment, TLS_VERSION="2")
    stage.took["rotate"] = time.monotonic() - began
    assert fingerprint(made) == {renewed}

    stage.phase("after")
    for name in SENDERS:
        stage.wait_on(f"{name} after all", name, "after", [0, 1, 2])
    (stage.folder / "stop").touch()
    judge(stage)


def homes(name: str, first: int) -> list[int]:
    """Where its lines are while nothing fails: these stay where they were acknowledged first."""
    return [0, 1, 2] if name.startswith("ack") else [first]


def fingerprint(made: Swarm) -> set[bytes]:
    """The certificates that the nodes serve."""
    return {
        ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((host, 6514), timeout=10)) for host in made.at
    }


def judge(stage: Stage) -> None:
    sent = stage.sent()
    acknowledged = {what for name, ids in sent.items() if SENDERS[name][1] == "relp" for what in ids}

    def all_there() -> bool:
        return not acknowledged - {what for number in range(3) for _, what in stage.swarm.arrived(number)}

    missing = ""
    try:
        wait_until(all_there, 90, 1, "every line that was sent over RELP")
    except Exception as problem:
        missing = str(problem)
    found = [stage.swarm.arrived(number) for number in range(3)]
    print(
        table(
            sent,
            [{what for _, what in one} for one in found],
            Counter(what for one in found for _, what in one),
        )
    )
    print("\n".join(f"{seconds:6.1f} s  {what}" for what, seconds in stage.took.items()))
    assert not missing
    for one in found:
        for address, what in one:
            name = what.split()[1]
            assert address == f"{SUBNET}.{21 + list(SENDERS).index(name)}", what
    everything = {what for one in found for _, what in one}
    for name, (_, _, first) in SENDERS.items():
        steady = {what for what in sent[name] if what.split()[2] == "steady"}
        assert steady
        if not name.startswith("ack"):
            assert steady <= {what for _, what in found[first]}, name  # each sender's lines are on one server
        assert steady <= everything


def table(sent: dict[str, set[str]], nodes: list[set[str]], times: Counter[str]) -> str:
    """By phase and protocol: ids sent, how many are on each node, lost, and there more than once."""
    rows: dict[tuple[str, str], set[str]] = defaultdict(set)
    for name, ids in sent.items():
        for what in ids:
            rows[what.split()[2], SENDERS[name][1]].add(what)
    text = f"\n{'phase':8} {'over':5} {'sent':>6} {'node1':>6} {'node2':>6} {'node3':>6} {'lost':>6} {'twice':>6}\n"
    for phase in PHASES:
        for protocol in ("relp", "tcp", "udp"):
            ids = rows.get((phase, protocol), set())
            there = [len(ids & node) for node in nodes]
            lost = len(ids - nodes[0] - nodes[1] - nodes[2])
            twice = sum(times[what] > 1 for what in ids)
            text += f"{phase:8} {protocol:5} {len(ids):6} {there[0]:6} {there[1]:6} {there[2]:6} {lost:6} {twice:6}\n"
    return text

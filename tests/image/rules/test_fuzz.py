"""The engine cannot be killed by a line: a million broken ones, and those that killed stock OSSEC, one by one."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import docker
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import image, release, source
from pipeline.image import labels
from pipeline.wait import wait_until
from tests.image.support.mutate import BODIES, DATES, HOSTS, LENGTHS, TAGS, TOKENS, Mutator, samples
from tests.image.support.victim import FALLEN, WAYS, Victim, Way, send

SEED = int(os.environ.get("FUZZ_SEED", "20261123"))
LINES = {"ossec": 1_000_000, "standin": 50_000}
PARTS = 4  # the million is sent in so many; memory is compared between the ends of the first and the last
GROWTH = 64 << 20  # bytes of memory that the container may have more after the last part than after the first
ASL = (
    "[Time 2006.12.28 15:53:55 UTC] [Facility auth] [Sender sshd] [PID 483] [Message {}] [Level 3] [Host {}]"
)
RELAYED = "Nov 23 04:50:00 {} ossec: Alert Level: 3; Rule: {} - x; Location: (a) 10.9.8.7->b; {}"
FAILED = "error: PAM: Authentication failure for root from 10.9.8.7"

# Lines of which one is enough to kill a stock OSSEC 4.2.0, whatever sends it.
DEADLY = {
    # format/json_extended.c looks for what is not there, or copies what it finds into 30 bytes.
    "a hostname like an agent's": "Nov 23 04:50:00 (foo) sshd[1]: Failed password for bob from 10.9.8.7 port 1 ssh2",
    "a rootcheck finding": RELAYED.format("h", 516, " {PCI: " + "A" * 500 + "}"),
    "many rootcheck findings": RELAYED.format("h", 516, " " + "{A: 1}" * 50),
    # These read beyond a buffer, and die where nothing follows it.
    "Suricata's date and nothing else": "11/23/2026-09:13:16.240702 ",
    "Suricata's date without its end": "11/23/2026-09:13:16.240702",
    "no text at all": "",
    "one byte of an umlaut": "M",
}


@pytest.fixture(scope="module")
def victim(client: docker.DockerClient, built: image.Image) -> Iterator[Victim]:
    made = Victim(client, built.name)
    yield made
    made.close()


def release_of(built: image.Image) -> Literal["ossec", "standin"]:
    return "standin" if "release" in built.labels.get(labels.STAND_IN, "").split(",") else "ossec"


def seeds(built: image.Image) -> list[bytes]:
    """What is mutated: the log lines of the release's own tests; of the stand-in, which has none, ours."""
    if release_of(built) == "standin":
        return [b"Nov 23 04:50:00 web1 sshd[1234]: " + body for body in BODIES]
    version = built.labels["org.opencontainers.image.version"].rpartition("-r")[0]
    return samples(source.fetch(release.find(version)))


def test_a_million_mutated_lines(client: docker.DockerClient, built: image.Image) -> None:
    """... over UDP, and over TCP with both framings, leave the server alive, in time, and no larger
    than GROWTH allows.
    """
    part = LINES[release_of(built)] // PARTS
    victim = Victim(client, built.name)
    try:
        sizes = []
        for number in range(PARTS):
            lines = list(Mutator(seeds(built), SEED + number).lines(part))
            if why := attack(victim, lines):
                log = victim.server.log()[-2000:]
                guilty = narrow(victim, lines)
                pytest.fail(
                    f"FUZZ_SEED={SEED}, part {number}: {why}; {len(guilty)} lines do it: {guilty[:20]}\n{log}"
                )
            sizes.append(victim.memory())
        assert victim.server.counters()["received"] >= LINES[release_of(built)]
        assert sizes[-1] - sizes[0] < GROWTH, [f"{size >> 20} MiB" for size in sizes]
    finally:
        victim.close()


def attack(victim: Victim, lines: Sequence[bytes]) -> str:
    """Send them all over TCP, and a tenth of them over UDP, too, where some may be lost. Returns why the server did
    not analyse and mail them, or nothing if it did.
    """
    ways: tuple[Way, ...] = ("lf", "octet-counting")
    try:
        with ThreadPoolExecutor() as pool:
            jobs = [pool.submit(send, victim.server, way, lines[n::2]) for n, way in enumerate(ways)]
            jobs.append(pool.submit(send, victim.server, "udp", lines[::10]))
            for job in jobs:
                job.result()
        victim.wait_mailed()
    except FALLEN as why:
        return str(why)
    return ""


def narrow(victim: Victim, lines: list[bytes]) -> list[bytes]:
    """The fewest of the lines that still do it when halves are left out; all where it takes more than one half."""
    victim.replace()
    while len(lines) > 1:
        half = len(lines) // 2
        for rest in (lines[:half], lines[half:]):
            if not victim.survives(rest, ("octet-counting",)):
                lines = rest
                break
        else:
            break
    return lines


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("line", DEADLY.values(), ids=DEADLY)
def test_a_line_that_killed(victim: Victim, line: str, way: Way) -> None:
    assert victim.survives([line.encode()], [way])


@pytest.mark.parametrize("hostname", [">x", "", "->"])
def test_a_hostname_that_killed_the_mail_daemon(victim: Victim, hostname: str) -> None:
    """os_maild/os_maild_client.c writes before the text that begins with ">"."""
    assert victim.survives([ASL.format(FAILED, hostname).encode()], ["udp"], mailed=True)


def test_a_line_that_no_decoder_gets_done_with(victim: Victim) -> None:
    """Each kept a stock decoder of 4.2.0 busy for 12 seconds, and the engine dropped what waited for longer than 5."""
    victim.send("udp", [b"HT286: [aa:aa:aa:aa:aa:aa]" + b"-" * (5900 - n) for n in range(10)])
    victim.wait_analysed(timeout=15)
    wait_until(lambda: victim.server.counters()["analysed"] > 10, 30, what="the engine's counters")


@pytest.mark.parametrize(
    "line",
    [
        RELAYED.format("h", 1, " " + "x" * 5000),  # rule 1 does not alert
        RELAYED.format("h", 5716, "srcip: 10.9.8.7; " * 350),
        RELAYED.format("h", 5716, "user: somebody; " * 350),
    ],
    ids=["a rule of level 0", "many addresses", "many users"],
)
def test_an_alert_of_another_server_that_leaves_its_memory_behind(victim: Victim, line: str) -> None:
    """15,000 such lines of 6 kB cost stock OSSEC 150 MB, for good."""
    lines = [line.encode()]
    # First as many as the engine remembers on purpose, which are 8192.
    victim.send("octet-counting", lines * 9_000)
    victim.wait_analysed()
    before = victim.engine_memory()
    victim.send("octet-counting", lines * 15_000)
    victim.wait_analysed()
    assert victim.engine_memory() - before < 40 << 20


@pytest.mark.parametrize(
    "form",
    [
        RELAYED.format("{}", 5716, " x"),
        ASL.replace("[Sender sshd] ", "").format("ossec: output: 'netstat -tan': 1", "{}"),
    ],
    ids=["alert of another server", "output of a command"],
)
def test_a_hostname_makes_no_file_of_its_choice(victim: Victim, form: str) -> None:
    """Stock OSSEC writes to a file whose path has the hostname in it."""
    paths = ("../../../tmp/", "../", "/", "")
    victim.send("udp", [form.format(f"{path}chosen{n}").encode() for path in paths for n in range(5)])
    victim.wait_analysed()
    found = victim.server.run(
        "find", "/var/ossec/data/", "/run/", "/tmp/", "-name", "*chosen*", "-o", "-path", "*..*"
    )
    # A plain name, for which a command's last output is kept, is a folder in the place for that.
    assert [path for path in found.split() if not path.startswith("/var/ossec/data/queue/diff/chosen")] == []


cut_dates = st.builds(lambda date, at: date[:at], st.sampled_from(DATES), st.integers(0, 40))
odd_lines = st.builds(
    lambda parts, length: b"".join(parts).ljust(length, parts[-1][-1:] or b"x")[:7000],
    st.lists(
        st.one_of(
            cut_dates,
            st.sampled_from(HOSTS),
            st.sampled_from(TAGS),
            st.sampled_from(TOKENS),
            st.sampled_from(BODIES),
            st.binary(max_size=40),
            st.just(b" "),
        ),
        min_size=1,
        max_size=12,
    ),
    st.one_of(st.just(0), st.sampled_from(LENGTHS), st.integers(0, 7000)),
)


# Derandomized: a failure comes again, and is not another one in each run.
@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(lines=st.lists(odd_lines, min_size=1, max_size=200), way=st.sampled_from(WAYS))
def test_lines_put_together_from_odd_parts(victim: Victim, lines: list[bytes], way: Way) -> None:
    """hypothesis makes the fewest and shortest lines of those that fail."""
    assert victim.survives(lines, [way])

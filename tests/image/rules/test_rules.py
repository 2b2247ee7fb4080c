"""Rules: every sample of the release, and lines of our own, through the running image."""

import re
import tarfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest
from semver import Version

from pipeline import image, release, source
from pipeline.rules import detect
from pipeline.server import Server, syslog
from pipeline.server import server as run_server
from pipeline.wait import wait_until
from tests.image.conftest import FROM_HERE

TABLE: dict[str, list[Any]] = tomllib.loads(Path(__file__).with_name("rules.toml").read_text())
# How the release's sample files are written: [section], then `log 1 pass = LINE`, and one rule, alert and decoder.
SECTION = re.compile(r"\[(.*)\]\s*")
ENTRY = re.compile(r"(log \d+ (?:pass|fail)|rule|alert|decoder)\s*=\s*(.*?)\s*")
RULE = re.compile(r'<rule id="(\d+)" level="(\d+)"([^>]*)>(.*?)</rule>', re.DOTALL)
WITHOUT_OURS = FROM_HERE | {"OSSEC_EXTRA_RULES": "no"}
LAST = "Failed password for last from 203.0.113.250 port 22 ssh2"


@dataclass(frozen=True)
class Sample:
    """A line, and the verdict on it, "RULE LEVEL DECODER", that it must get, or if not `passes` must not get."""

    name: str
    line: str
    verdict: str
    passes: bool


class Source:
    """The release's samples and rules, read from its tarball."""

    def __init__(self, tarball: Path, version: Version) -> None:
        self.version = version
        with tarfile.open(tarball) as tar:
            files = {member.name.partition("/")[2]: member for member in tar if member.isfile()}

            def text(name: str) -> str:
                content = tar.extractfile(files[name])
                assert content
                return content.read().decode(errors="surrogateescape")

            folder = "contrib/ossec-testing/tests/"
            names = [name for name in files if name.startswith(folder) and name.endswith(".ini")]
            self.samples = [
                sample for name in sorted(names) for sample in samples(name.removeprefix(folder), text(name))
            ]
            conf = text("etc/ossec-server.conf")
            included = re.findall(r"<include>(?!local_rules)(.+)</include>", without_comments(conf))
            self.rules = "".join(without_comments(text(f"etc/rules/{name}")) for name in included)

    def silent(self) -> Mapping[str, str]:
        """The rules whose verdict gives no alert, with their levels."""
        # One of level 0 with noalert is no verdict: the engine goes on to the next.
        return {
            number: level
            for number, level, attributes, body in RULE.findall(self.rules)
            if (level == "0" and "noalert" not in attributes) or "<options>no_log" in body
        }


def samples(file: str, text: str) -> Iterator[Sample]:
    """The samples in a file's text, its sections one by one: some have the same name."""
    for part in re.split(r"^(?=\[.*\]\s*$)", text, flags=re.MULTILINE):
        lines = part.splitlines()
        if not lines or not (title := SECTION.fullmatch(lines[0])):
            continue
        entries = [(found[1], found[2]) for line in lines if (found := ENTRY.fullmatch(line))]
        said = dict(entries)
        for key, line in entries:
            if key.startswith("log"):
                name, _, kind = key.rpartition(" ")
                verdict = f"{said['rule']} {said['alert']} {said['decoder']}"
                yield Sample(f"{file} [{title[1]}] {name}", line, verdict, kind == "pass")


def without_comments(text: str) -> str:
    return re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)


def verdicts(server: Server, lines: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Send the lines; the first alert on each that gave one, by the line."""
    lines = list(lines)
    server.wait_listening()
    last = syslog.message(LAST)
    # One connection keeps its order: once the last line has alerted, those before it have been judged.
    syslog.send_tcp(*server.tcp, [*(f"<38>{line}" for line in lines), last])
    wait_until(lambda: any(LAST in alert["full_log"] for alert in server.alerts()), 60, what="the last alert")
    alerts = {alert["full_log"]: alert for alert in reversed(server.alerts())}
    # A header without a host gets one on the way, and the byte before a colour is written as #033.
    for line in lines:
        text = line.partition(": ")[2].replace("\x1b", "#033")
        if line not in alerts and text:
            found = [
                alert
                for full, alert in alerts.items()
                if full.startswith(line[:16]) and full.endswith(f": {text}")
            ]
            alerts |= dict.fromkeys([line], found[0]) if found else {}
    return alerts


def verdict(alert: Mapping[str, Any]) -> str:
    # As the release's tester has it, no decoder is not the empty one that some samples name and must not get.
    return f"{alert['rule']['sidid']} {alert['rule']['level']} {alert.get('decoder', 'none')}"


def one_by_one(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The lines of the table: one that is sent several `times` has a number in it, so that no two are equal."""
    return [row["line"].replace("{n}", str(n)) for row in rows for n in range(1, row.get("times", 1) + 1)]


@pytest.fixture(scope="module")
def upstream(ossec_image: image.Image, request: pytest.FixtureRequest) -> Source:
    """What the release under test brings."""
    wanted = release.find(request.config.getoption("--release", default=None))
    return Source(source.fetch(wanted), wanted.version)


def about(upstream: Source, table: str) -> list[dict[str, Any]]:
    """The rows of a table that are about samples of this release."""
    names = {sample.name for sample in upstream.samples}
    return [
        row
        for row in TABLE[table]
        if row["sample"] in names
        and Version.parse(row.get("since", "0.0.0"))
        <= upstream.version
        < Version.parse(row.get("until", "999.0.0"))
    ]


@pytest.fixture(scope="module")
def judged(
    client: docker.DockerClient,
    ossec_image: image.Image,
    upstream: Source,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[Sample, str]:
    """The engine's verdict on each sample; empty if no rule is for it."""
    found: dict[Sample, str] = {}
    # The engine remembers: a rule may be for what it sees for the first time, or too often. The tester starts anew
    # for each line; here the lines of a section, which look alike, go to three servers in turn.
    for turn in range(3):
        mine = [sample for sample in upstream.samples if int(sample.name.rpartition(" ")[2]) % 3 == turn]
        with run_server(client, ossec_image.name, WITHOUT_OURS) as server:
            alerts = verdicts(server, [sample.line for sample in mine])
        found |= {sample: verdict(alerts[sample.line]) if sample.line in alerts else "" for sample in mine}

    # Who judged the lines that gave no alert? A rule of ours beneath each silent one tells.
    silent = upstream.silent()
    probes = {str(800_000 + count): number for count, number in enumerate(silent)}
    rules = tmp_path_factory.mktemp("rules") / "local_rules.xml"
    rules.write_text(
        '<group name="local,">\n'
        + "".join(
            f'<rule id="{probe}" level="1"><if_sid>{number}</if_sid><description>-</description></rule>\n'
            for probe, number in probes.items()
        )
        + "</group>\n"
    )
    without = [sample for sample, what in found.items() if not what]
    mount = [f"{rules}:/etc/ossec-log-server/local_rules.xml:ro"]
    with run_server(client, ossec_image.name, WITHOUT_OURS, volumes=mount) as server:
        alerts = verdicts(server, [sample.line for sample in without])
    for sample in without:
        if sample.line in alerts:
            probe, _, decoder = verdict(alerts[sample.line]).split(" ")
            found[sample] = f"{probes[probe]} {silent[probes[probe]]} {decoder}"
    return found


def test_every_sample_of_the_release_gives_its_rule_level_and_decoder(
    upstream: Source, judged: dict[Sample, str]
) -> None:
    assert len(judged) == len(upstream.samples) > 200
    different = {
        sample.name: got for sample, got in judged.items() if (got == sample.verdict) != sample.passes
    }
    assert different == {row["sample"]: row["engine"] for row in about(upstream, "differs")}


def test_our_own_rules_change_no_verdict_without_a_reason(
    ossec_image: image.Image, upstream: Source, tmp_path: Path
) -> None:
    each_alone = tmp_path / "each-alone"
    each_alone.write_text(
        '#!/bin/bash\nwhile IFS= read -r line; do ossec-log-server logtest <<< "$line" || exit; done\n'
    )
    each_alone.chmod(0o755)

    def tested(samples: list[Sample], extra_rules: str, *options: str) -> list[str]:
        words = ["-e", f"OSSEC_EXTRA_RULES={extra_rules}", *options]
        found = detect.logtest(ossec_image.name, [sample.line for sample in samples], words)
        return [f"{one.rule} {one.level}" for one in found]

    # The tester leaves very short lines out. What follows from the lines before is no difference: each that seems to
    # differ is tested again alone.
    asked = [sample for sample in upstream.samples if len(sample.line) > 12]
    both = zip(asked, tested(asked, "no"), tested(asked, "yes"), strict=True)
    suspects = [sample for sample, before, now in both if before != now]
    alone = ["-v", f"{each_alone}:/each-alone:ro", "--entrypoint", "/each-alone"]
    both = zip(suspects, tested(suspects, "no", *alone), tested(suspects, "yes", *alone), strict=True)
    different = {sample.name: now for sample, before, now in both if before != now}
    assert different == {row["sample"]: row["verdict"] for row in about(upstream, "layer")}


def test_the_releases_own_tester_says_of_a_difference_what_the_table_says(
    client: docker.DockerClient, ossec_image: image.Image, upstream: Source
) -> None:
    lines = {sample.name: sample.line for sample in upstream.samples}
    with run_server(client, ossec_image.name, {"OSSEC_EXTRA_RULES": "no"}) as server:
        server.wait_listening()
        for row in about(upstream, "differs"):
            if "tester" not in row:
                continue  # no rule, or no decoder: the tester has no words for that
            # As contrib/ossec-testing/runtests.py calls it: it ends with 0 if the verdict is the given one.
            rule, level, decoder = row["tester"].split(" ", 2)
            script = 'echo "$0" | /var/ossec/bin/ossec-logtest -q -U "$1"'
            server.run("bash", "-c", script, lines[row["sample"]], f"{rule}:{level}:{decoder}")


@pytest.fixture(scope="module")
def alerts(client: docker.DockerClient, ossec_image: image.Image) -> dict[str, dict[str, Any]]:
    """The alerts on the lines of our own table, by the line."""
    with run_server(client, ossec_image.name, FROM_HERE) as server:
        return verdicts(server, [*TABLE["quiet"], *one_by_one(TABLE["alerts"])])


@pytest.mark.parametrize("row", TABLE["alerts"], ids=lambda row: row["verdict"].replace(" ", "-"))
def test_a_line_that_must_alert(alerts: dict[str, dict[str, Any]], row: dict[str, Any]) -> None:
    *_, last = one_by_one([row])
    assert verdict(alerts[last]) == row["verdict"]


@pytest.mark.parametrize("line", TABLE["quiet"])
def test_a_line_that_must_not_alert(alerts: dict[str, dict[str, Any]], line: str) -> None:
    assert line not in alerts

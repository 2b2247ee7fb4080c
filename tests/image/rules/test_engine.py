"""What the running server alerts of, for which it goes through short lists of rules, is what the tables say."""

import re
from pathlib import Path

import docker

from pipeline import image
from pipeline.project import ROOT
from pipeline.server import server as run_server
from tests.image.conftest import FROM_HERE
from tests.image.rules.test_extra_rules import TABLES, wanted
from tests.image.rules.test_rules import RULE, Source, upstream, verdicts, without_comments

__all__ = ["upstream"]

OURS = ROOT / "docker/rootfs/var/ossec/extra/rules"
# With a host's name: a line of another form gets a header of its own on its way in.
PLAIN = re.compile(r"(?:<\d+>)?([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ \S.*)")


def own_rules(folder: Path) -> str:
    return "".join(without_comments(path.read_text()) for path in sorted(folder.glob("*.xml")))


def test_each_row_alerts_as_the_table_says(
    client: docker.DockerClient, ossec_image: image.Image, upstream: Source
) -> None:
    """A line may be one too many of its source or its user as well, which is an alert of level 10 or more."""
    rules = RULE.findall(own_rules(OURS) + upstream.rules)
    silent = {int(number) for number, _, _, body in rules if "<options>no_log" in body}
    repeated = {int(number) for number, _, attributes, _ in rules if "frequency=" in attributes}
    rows = {
        plain[1]: wanted(row, ossec_image)
        for table in TABLES.values()
        for row in table["alerts"]
        if (plain := PLAIN.fullmatch(row["line"])) and row["rule"] not in silent
    }
    quiet = [
        plain[1] for table in TABLES.values() for line in table["quiet"] if (plain := PLAIN.fullmatch(line))
    ]
    assert len(rows) > 250
    with run_server(client, ossec_image.name, FROM_HERE) as server:
        alerts = verdicts(server, [*rows, *quiet])
    # Of a Cisco or a UniFi device's line the way in puts the second header behind the text.
    ends = {line: line.rpartition(": ")[2] for line in rows if line not in alerts}
    alerts |= {
        line: alert for line, end in ends.items() for full, alert in alerts.items() if f"{end} | " in full
    }
    assert [line for line in rows if line not in alerts] == []
    got = {line: (alerts[line]["rule"]["sidid"], alerts[line].get("srcip")) for line in rows}
    others = {
        line: what for line, what in got.items() if what != (rows[line]["rule"], rows[line].get("source"))
    }
    many = [
        line
        for line, (rule, source) in others.items()
        if rule in repeated and source == rows[line].get("source")
    ]
    assert {line: what for line, what in others.items() if line not in many} == {}
    assert len(many) < len(rows) / 20
    assert [line for line in quiet if line in alerts and alerts[line]["rule"]["level"] >= 5] == []

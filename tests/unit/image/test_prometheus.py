"""examples/prometheus: rules and dashboard ask for metrics that there are, and the rules do what their tests say."""

import json
import re
import subprocess

import pytest

from pipeline.errors import UserError
from pipeline.image.settings import ROOMS
from pipeline.project import ROOT
from tests import debian

EXAMPLES = ROOT / "examples" / "prometheus"
NAME = re.compile(r"ossec_log_server_(\w+)")


def declared() -> set[str]:
    """The metrics of the server and, from the intake, those of senders, without what all their names begin with."""
    script = (ROOMS / "metrics" / "prometheus").read_text()
    rows = set(re.findall(r'"(\w+)", "(?:counter|gauge)"', script))
    senders = (ROOT / "docker" / "intake" / "senders_print.c").read_text()
    return rows | set(re.findall(r'print_metric\("(\w+)"', senders))


@pytest.mark.parametrize("name", ["alerts.yml", "tests.yml", "dashboard.json"])
def test_each_query_asks_for_metrics_that_there_are(name: str) -> None:
    text = (EXAMPLES / name).read_text()
    asked = set(NAME.findall(text))
    assert asked
    assert asked <= declared()


def test_each_panel_of_the_dashboard_has_a_query() -> None:
    panels = json.loads((EXAMPLES / "dashboard.json").read_text())["panels"]
    queries = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    assert len(queries) >= 5
    assert all(NAME.search(query) for query in queries)


def test_the_rules_alert_when_their_tests_say_so() -> None:
    try:
        promtool = debian.program("promtool", "prometheus")
    except UserError as problem:
        pytest.skip(f"PROMETHEUS' RULES ARE NOT TESTED: {problem}")
    for command in (["check", "rules", "alerts.yml"], ["test", "rules", "tests.yml"]):
        done = subprocess.run([promtool, *command], cwd=EXAMPLES, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

"""One table of settings and one of ports: what is said of them elsewhere says the same."""

import json
import re
from configparser import ConfigParser
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest

from pipeline.image import settings
from pipeline.project import ROOT

PORTS = settings.ROOMS / "intake" / "ports.ini"
SETTINGS = settings.read()
BY_NAME = {one.name: one for one in SETTINGS}
SCRIPTS = "".join(path.read_text() for path in sorted(settings.ROOMS.rglob("*.bash")))
NAME = re.compile(r"\bOSSEC_[A-Z][A-Z_]*[A-Z]\b")
# Variables with such names that are others': of the build system, of Compose, of Kubernetes, and examples of mistakes.
OTHERS = re.compile(
    r"OSSEC_LOG_SERVER_\w+|\w+_SERVICE_(HOST|PORT)|OSSEC_(PORT|IMAGE|EMAILTO|SOME_NAME)|\w+_FILE"
)


def ports() -> dict[str, dict[str, str]]:
    """The ports by their names, with what their table says of them."""
    table = ConfigParser(interpolation=None)
    table.read_string(PORTS.read_text())
    return {name: dict(table[name]) for name in table.sections()}


def test_the_page_and_the_schema_are_made_from_the_table() -> None:
    again = "run ./dev settings"
    assert settings.PAGE.read_text() == settings.page(SETTINGS), again
    assert settings.SCHEMA.read_text() == settings.schema(SETTINGS), again


def test_the_readme_s_rows_are_rows_of_the_page() -> None:
    rows = re.findall(r"^\| `(?:OSSEC_\w+|TZ)` .*$", (ROOT / "README.md").read_text(), re.MULTILINE)
    page = settings.PAGE.read_text().replace("](", "](docs/use/")
    assert rows
    for row in rows:
        assert f"\n{row}\n" in page


def test_every_setting_is_declared_in_full() -> None:
    for one in SETTINGS:
        assert {"group", "kind", "help"} <= set(one), one.name
        assert re.search(rf"^kind_{one['kind']}\(\) ", SCRIPTS, re.MULTILINE), (
            f"{one.name}: no kind_{one['kind']}"
        )
    for field in ("default_with", "used_with"):
        for one in SETTINGS:
            if other := one.get(field, "").partition(" ")[0]:
                # Settings are read in their order.
                assert SETTINGS.index(BY_NAME[other]) < SETTINGS.index(one), one.name


def test_every_setting_is_used_by_the_scripts() -> None:
    for name in BY_NAME:
        variable = name.removeprefix("OSSEC_").lower()
        assert (
            re.search(rf"\$\{{?{variable}(_host)?\b", SCRIPTS)
            or f"moved_by = {name}" in PORTS.read_text()
            or BY_NAME[name]["kind"] in ("urls", "headers")  # what checks these keeps what is in them
        ), name


def named_in(path: Path) -> set[str]:
    return {name for name in NAME.findall(path.read_text()) if not OTHERS.fullmatch(name)}


@pytest.mark.parametrize(
    "pattern", ["README.md", "compose.yaml", "docs/**/*.md", "examples/**/*.*", "docker/rootfs/usr/**/*.*"]
)
def test_no_page_and_no_script_names_a_setting_that_there_is_not(pattern: str) -> None:
    for path in sorted(ROOT.glob(pattern)):
        if path.is_file():
            assert named_in(path) <= set(BY_NAME), path


@pytest.mark.parametrize(
    ("environment", "good"),
    [
        ({}, True),
        (
            {"PATH": "/bin", "TZ": "Europe/Berlin", "OSSEC_LOG_ALERT_LEVEL": "", "OSSEC_METRICS_PORT": 9514},
            True,
        ),
        ({"OSSEC_LOG_ALERT_LEVEL": 17}, False),
        ({"OSSEC_LOG_ALERT_LEVEL": "high"}, False),
        ({"OSSEC_RELP": "true"}, False),
        ({"OSSEC_EMAILTO": "a@example.org"}, False),
        ({"OSSEC_QUEUE_DISK": "lots"}, False),
        ({"OSSEC_FORWARD": "https://example.org"}, False),
        ({"OSSEC_ALLOWED_IPS": "10.0.0.0/8", "OSSEC_ALLOWED_IPS_FILE": "/run/secrets/x"}, False),
        ({"OSSEC_SMTP_PASSWORD_FILE": "secret"}, False),
        ({"OSSEC_EMAIL_NOTIFICATION": "yes", "OSSEC_EMAIL_TO": "a@example.org"}, False),
        (
            {
                "OSSEC_EMAIL_NOTIFICATION": "yes",
                "OSSEC_EMAIL_TO": "a@example.org, b@example.org",
                "OSSEC_EMAIL_FROM_FILE": "/run/secrets/from",
                "OSSEC_SMTP_SERVER": "[2001:db8::1]:25",
            },
            True,
        ),
    ],
)
def test_the_schema_takes_what_the_server_takes(environment: dict[str, object], good: bool) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(settings.SCHEMA.read_text()))
    assert validator.is_valid(environment) is good


def test_the_ports_are_those_of_the_dockerfile_and_of_the_intake() -> None:
    table = ports()
    [exposed] = re.findall(r"^EXPOSE (.*)$", (ROOT / "docker/Dockerfile").read_text(), re.MULTILINE)
    assert exposed.split() == [
        f"{one['number']}/{one['protocol']}" for one in table.values() if "number" in one
    ]
    inputs = re.findall(
        r"\bINPUT_([A-Z]+)\b", (ROOT / "docker/journal/state.h").read_text().partition("};")[0]
    )
    assert [name.lower() for name in inputs] == [name for name in table if name != "metrics"]
    intake = (settings.ROOMS / "intake" / "intake.bash").read_text()
    for name in table:
        assert name == "metrics" or f'--{name} "${{about_port[{name}.number]}}"' in intake, name


def test_the_ports_are_opened_and_moved_by_settings_that_there_are() -> None:
    for name, port in ports().items():
        assert port["setting"] in BY_NAME or port["setting"].startswith("/etc/ossec-log-server/"), name
        mover = port.get("moved_by")
        assert mover is None or BY_NAME[mover].get("default") == port.get("number"), name


@pytest.mark.parametrize("name", [name for name, port in ports().items() if "number" in port])
def test_a_page_that_names_a_port_s_number_names_the_right_one(name: str) -> None:
    port = ports()[name]
    whole = f"{port['number']}/{port['protocol']}"
    assert whole in "".join(
        path.read_text() for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    )


def test_each_counter_has_one_metric_and_each_metric_a_counter() -> None:
    counted = re.findall(
        r'^    \{"(\w+)", offsetof', (ROOT / "docker/intake/status.c").read_text(), re.MULTILINE
    )
    counters = (settings.ROOMS / "metrics" / "prometheus").read_text()
    for name in ports():
        assert name == "metrics" or f"received_{name}" in counted
    received = {f"received_{name}" for name in re.search(r"qw\(([\w ]+)\);?\)", counters)[1].split()}  # type: ignore[index]
    declared = set(re.findall(r'^    \["(\w+)", "\w+", "(?:counter|gauge)", ', counters, re.MULTILINE))
    command = (ROOT / "docker/command/counters.c").read_text()
    also = set(re.findall(r'\{"((?:notify|senders|mail)_?\w*)", (?!0\}, \{"notify_w)', command)) - {
        "notify_waiting_bytes"
    }
    assert declared | received == {*counted, "received", "waiting_bytes", *also}

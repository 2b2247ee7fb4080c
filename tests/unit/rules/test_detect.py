"""A corpus in fail2ban's format: how it is read and sent, and how what was found is counted."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.errors import UserError
from pipeline.rules import detect
from pipeline.rules.detect import Count, Finding, Line

CORPUS = """\
# An explanation.
# failJSON: { "time": "2026-11-26T06:00:00", "match": true , "host": "203.0.113.9", "user": "bob" }
Nov 26 06:00:00 web1 app[7]: failed login

# failJSON: { "match": false }
# filterOptions: {"mode": "normal"}
an ordinary line
a line of which nothing is said
"""
OUTPUT = """

**Phase 2: Completed decoding.
       No decoder matched.

**Phase 2: Completed decoding.
       decoder: 'any-failed-login'
       srcip: '203.0.113.9'
       dstuser: 'bob'

**Phase 3: Completed filtering (rules).
       Rule id: '110100'
       Level: '5'
       Description: 'Failed login.'
"""


def test_a_corpus_is_read(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "auth").write_text(CORPUS)
    assert detect.read(tmp_path) == [
        Line("app/auth", "Nov 26 06:00:00 web1 app[7]: failed login", attack=True, host="203.0.113.9"),
        Line("app/auth", "an ordinary line", attack=False),
    ]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("just a line\n", "has a line with"),
        ("# failJSON: { match: true }\nx\n", "is no JSON"),
    ],
)
def test_what_is_no_corpus_is_said(tmp_path: Path, content: str, complaint: str) -> None:
    (tmp_path / "app").write_text(content)
    with pytest.raises(UserError, match=complaint):
        detect.read(tmp_path)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no folder"):
        detect.read(tmp_path / "none")


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("Nov 26 06:00:00 web1 app[7]: x", "Nov 26 06:00:00 web1 app[7]: x"),
        ("<38>Nov 26 06:00:00 web1 app[7]: x", "<38>Nov 26 06:00:00 web1 app[7]: x"),
        ("<38>1 2026-11-26T06:00:00Z web1 app - - - x", "<38>1 2026-11-26T06:00:00Z web1 app - - - x"),
        ("2026-11-26T06:00:00+00:00 web1 app[7]: x", "2026-11-26T06:00:00+00:00 web1 app[7]: x"),
        (
            "2026-11-26 06:00:00 failed login",
            "Nov 26 06:00:00 web1 app[1]: 2026-11-26 06:00:00 failed login",
        ),
    ],
)
def test_a_line_of_a_file_gets_a_containers_header(text: str, sent: str) -> None:
    assert detect.as_syslog(Line("app", text, attack=True), "") == sent


def test_a_containers_id_may_stand_in_the_header() -> None:
    sent = detect.as_syslog(Line("app", "x", attack=True), "3f2a9c1b77de")
    assert sent == "Nov 26 06:00:00 web1 3f2a9c1b77de[1]: x"


def test_of_two_decodings_the_last_counts() -> None:
    assert detect._finding(OUTPUT) == Finding(110100, 5, "203.0.113.9", "bob", "any-failed-login")


def test_a_line_without_a_rule_is_not_noticed() -> None:
    assert not detect._finding("\n       decoder: '(null)'\n").noticed


@pytest.mark.parametrize(
    ("host", "found", "expected"),
    [
        ("203.0.113.9", Finding(1, 5, "203.0.113.9"), Count(attacks=1, noticed=1, right=1)),
        ("203.0.113.9", Finding(1, 5, "192.0.2.66"), Count(attacks=1, noticed=1, wrong=1)),
        ("203.0.113.9", Finding(1, 5), Count(attacks=1, noticed=1)),
        ("203.0.113.9", Finding(1, 4, "203.0.113.9"), Count(attacks=1)),
        ("::ffff:203.0.113.9", Finding(1, 5, "203.0.113.9"), Count(attacks=1, noticed=1, right=1)),
        (None, Finding(1, 5), Count(attacks=1, noticed=1, right=1)),
    ],
)
def test_an_attack_is_counted(host: str | None, found: Finding, expected: Count) -> None:
    count = Count()
    count.add(Line("app", "x", attack=True, host=host), found)
    assert count == expected


@pytest.mark.parametrize(
    ("found", "blamed"),
    [(Finding(1, 5, "203.0.113.9"), 1), (Finding(1, 5), 0), (Finding(1, 3, "203.0.113.9"), 0)],
)
def test_a_harmless_line_that_is_blamed_on_somebody_is_counted(found: Finding, blamed: int) -> None:
    count = Count()
    count.add(Line("app", "x", attack=False), found)
    assert count == Count(harmless=1, blamed=blamed)


def test_the_table_has_a_row_for_each_service_and_the_shares() -> None:
    report = detect.Report({"a": Count(attacks=3, noticed=2, right=1), "b": Count(harmless=4, blamed=1)})
    shown = io.StringIO()
    Console(file=shown, width=120).print(detect.table(report))
    rows = [line.split() for line in shown.getvalue().splitlines()]
    assert ["a", "3", "2", "1", "0", "0", "0"] in rows
    assert ["all", "3", "2", "1", "0", "4", "1"] in rows
    assert ["66.7", "%", "33.3", "%", "0.0", "%", "25.0", "%"] in rows

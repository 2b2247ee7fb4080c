"""docs/use/rules.md says what the tables say."""

from pipeline.rules import rules_page


def test_the_page_is_made_from_the_tables() -> None:
    assert rules_page.PAGE.read_text() == rules_page.page(), "run python -m pipeline.rules.rules_page"


def test_a_bar_does_not_end_a_cell() -> None:
    assert rules_page._code("Nov 26 06:00:00 web1 app: a|b") == "`app: a\\|b`"

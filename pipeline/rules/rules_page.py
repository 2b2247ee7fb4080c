"""docs/use/rules.md: what is noticed of each kind of application, made from the tables of the image's tests.

`python -m pipeline.rules.rules_page` writes it.
"""

import tomllib
from collections.abc import Mapping
from typing import Any

from pipeline import project

ROOT = project.ROOT
TABLES = ROOT / "tests" / "image" / "rules" / "applications"
PAGE = ROOT / "docs" / "use" / "rules.md"
HEAD = """\
# What is noticed

<!-- Made from tests/image/rules/ by `python -m pipeline.rules.rules_page`: change it there. -->

Upstream's rules know the programs of their time. The image adds decoders and rules of its own (ids 110000 to
119999) for what runs today; `OSSEC_EXTRA_RULES=no` leaves them out. Each line below is one that a test sends:
the rule that fires, its level, and whom the alert names. Level 5 is a single failure, 6 to 8 something that a
person should read, 10 what repeats from one source, 12 a success after failures or a known exploit.

A program that is not here is noticed too, if it says what went wrong and where it came from in words that
many use: the last section. [writing-rules.md](writing-rules.md) shows how to add one that does not.

What adds up, whichever program tells of it: 8 failed logins from one source within 4 minutes (110110, level
10), 12 of one user from wherever they come (110111, level 10), a login after those from the same source
(110510, level 12), and 14 refusals (110210) or probes (110310) from one source within 2 minutes (level 10).
A packet that a firewall kept out gives no alert of its own (4101, 4102, 110600, 114301: level 5, not logged):
20 of them from one source within 2 minutes are a scan (110610 or 110611, level 10).
"""


def page() -> str:
    """The page, from the tables in the order of their files' names, the families last."""
    paths = sorted(TABLES.glob("*.toml"), key=lambda path: (path.stem == "families", path.stem))
    return HEAD + "".join(_section(tomllib.loads(path.read_text())) for path in paths)


def _section(table: Mapping[str, Any]) -> str:
    rows = "".join(
        f"| {row['rule']} | {row['level']} | {row.get('source', '')} | {row.get('user', '')} | {_code(row['line'])} |\n"
        for row in table["alerts"]
    )
    text = f"\n## {table['title']}\n\n| rule | level | source | user | line |\n|---|---|---|---|---|\n{rows}"
    if table["quiet"]:
        text += "\nNot an alert of level 5:\n\n" + "".join(f"- {_code(line)}\n" for line in table["quiet"])
    return text


def _code(line: str) -> str:
    # The header is the same everywhere; a table's cell ends at a bar.
    text = line.partition(" web1 ")[2] or line
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}".replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page())

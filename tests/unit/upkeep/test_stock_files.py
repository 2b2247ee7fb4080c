"""The table of sums by which an upgrade tells a local change from a file of OSSEC's."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from pipeline.upkeep import stock_files

NAME = {
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a",
}


def git(clone: Path, *command: str) -> None:
    subprocess.run(["git", "-C", clone, *command], check=True, capture_output=True, env=NAME)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A small history of the release's files, with the tags that the table is made between."""
    git(tmp_path, "init")
    (tmp_path / "etc" / "rules").mkdir(parents=True)
    for number, tag in enumerate(("v2.8.0", "between", "v2.8.3", "4.2.0", "later")):
        (tmp_path / "etc" / "rules" / "sshd_rules.xml").write_text(f"{number}\n")
        (tmp_path / "etc" / "internal_options.conf").write_text("maild.geoip=0\nmaild.geoip=1\n# EOF\n")
        (tmp_path / "etc" / "ossec.conf").write_text(f"{number}\n")
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "-m", tag)
        git(tmp_path, "tag", tag)
    return tmp_path


def digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def test_the_table_has_every_content_between_the_releases(clone: Path) -> None:
    table = dict(line.split(" ", 1) for line in stock_files.table(clone).splitlines())
    assert {name: set(sums.split(" ")) for name, sums in table.items()} == {
        "rules/sshd_rules.xml": {digest(f"{number}\n") for number in range(4)},
        "etc/internal_options.conf": {
            digest("maild.geoip=0\nmaild.geoip=1\n# EOF\n"),
            # As kalaksi/ossec-log-server has it.
            digest("maild.geoip=0\nmaild.geoip=0\nanalysisd.geoip_jsonout=0\n#EOF\n"),
        },
    }


def test_what_is_committed_is_such_a_table() -> None:
    table = [line.split(" ") for line in stock_files.TABLE.read_text().splitlines()]
    names = [name for name, *_ in table]
    assert len(names) == len(set(names))
    assert all(len(sums) == len(set(sums)) > 0 for _, *sums in table)
    assert sum(len(sums) for _, *sums in table) > 500
    assert {
        "rules/sshd_rules.xml",
        "rules/local_rules.xml",
        "etc/decoder.xml",
        "etc/internal_options.conf",
    } <= set(names)

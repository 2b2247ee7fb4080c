"""Where people's pages name the newest version: kept as the version files say, so that these alone are changed."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline import release
from pipeline.release import Release

PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "compose.yaml", "docs/**/*.md", "examples/**/*")
# Behind the image's name, and where Kubernetes' objects and the chart say which version they are of.
BEFORE = r"ossec-log-server:|app\.kubernetes\.io/version: |\bappVersion: "
TAG = re.compile(rf"({BEFORE})[0-9]+\.[0-9]+\.[0-9]+-r[0-9]+")
TABLE = re.compile(r"(?<=<!-- versions -->\n).*?(?=<!-- end of versions -->)", re.DOTALL)


def update(releases: Sequence[Release], root: Path) -> list[Path]:
    """Let the pages name the newest stable version's tag, and list every version: the pages that were changed."""
    changed = []
    for page in pages(root):
        before = page.read_text()
        after = written(before, releases)
        if after != before:
            page.write_text(after)
            changed.append(page)
    return changed


def written(text: str, releases: Sequence[Release]) -> str:
    stable = [one for one in releases if one.version.prerelease is None]
    newest = max(stable, key=lambda one: one.version).immutable_tag
    return TABLE.sub(lambda _: table(releases), TAG.sub(rf"\g<1>{newest}", text))


def pages(root: Path) -> Iterator[Path]:
    """The pages in which commands name an image."""
    for pattern in PAGES:
        yield from (path for path in sorted(root.glob(pattern)) if path.is_file() and _is_text(path))


def table(releases: Sequence[Release]) -> str:
    """The versions and their tags, in Markdown, the newest first."""
    rows = ["| OSSEC | tags |", "|---|---|"]
    for one in sorted(releases, key=lambda one: one.version, reverse=True):
        rows.append(f"| {one.version} | {', '.join(f'`{tag}`' for tag in release.tags(one, releases))} |")
    return "".join(f"{row}\n" for row in rows)


def _is_text(path: Path) -> bool:
    try:
        path.read_text()
    except UnicodeDecodeError:
        return False
    return True

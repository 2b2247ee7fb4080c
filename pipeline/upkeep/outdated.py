"""What has become old: OSSEC's versions, the base images, and the Python packages that the project itself uses."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.table import Table
from semver import Version

from pipeline import project, web
from pipeline.console import err, out
from pipeline.errors import UserError
from pipeline.release import Release, load_all

GITHUB = "https://api.github.com/repos/ossec/ossec-hids"
DOCKER_HUB = "https://hub.docker.com/v2/repositories"
LOCK = project.ROOT / "requirements.txt"
PAGES = 20  # of a list; GitHub's and Docker Hub's pages hold 100 entries

UP_TO_DATE, NOT_KNOWN, OUTDATED = 0, 1, 2  # for whoever calls it from a script; 1 is also any other error's


@dataclass(frozen=True)
class Newer:
    """Something that there is in a newer version: its kind (`ossec`, `base` or `python`), what it is, the version
    that is used, the newer one, and what to do about it.
    """

    kind: str
    what: str
    used: str
    newer: str
    remedy: str


def outdated(
    as_json: bool = False,
    releases: Sequence[Release] = (),
    github: str = GITHUB,
    docker_hub: str = DOCKER_HUB,
    index: str = "",
    lock: Path = LOCK,
) -> int:
    """Print what is outdated, as a table or as JSON, and what could not be asked for. Returns the exit code.

    It is 0 when everything is up to date, 2 when something is not, and 1 when not everybody answered.
    `index` is a package index in place of pip's own.
    """
    releases = releases or load_all()
    found: list[Newer] = []
    code = UP_TO_DATE
    asked = (
        partial(ossec, releases, github),
        partial(bases, releases, docker_hub),
        partial(packages, index, lock),
    )
    for ask in asked:
        try:
            found += ask()
        except UserError as problem:
            err.print(f"[bold red]Not known:[/] {problem}", soft_wrap=True)
            code = NOT_KNOWN
    if as_json:
        out.print_json(json.dumps([asdict(one) for one in found]))
    elif found:
        out.print(table(found))
    elif code == UP_TO_DATE:
        out.print("Everything is up to date.")
    return OUTDATED if found and code == UP_TO_DATE else code


def table(found: Sequence[Newer]) -> Table:
    shown = Table("", "what", "used", "newer", "what to do", box=None, pad_edge=False)
    for one in found:
        shown.add_row(one.kind, one.what, one.used, one.newer, one.remedy)
    return shown


def ossec(releases: Sequence[Release], github: str = GITHUB) -> list[Newer]:
    """Newer stable versions than ours, and newer patches of our lines. Raises UserError when GitHub does not tell."""
    # GitHub Actions has one; without it GitHub answers 60 times an hour.
    token = os.environ.get("GITHUB_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    names = [str(tag["name"]) for tag in _listed(f"{github}/tags?per_page=100", headers, "the tags of OSSEC")]
    theirs = {Version.parse(name) for name in names if Version.is_valid(name)}
    stable = [version for version in theirs if version.prerelease is None and version.build is None]
    ours = [one.version for one in releases]
    found = []
    for one in sorted(stable):
        # One of a line that we do not have is compared with the newest that we have.
        used = max([other for other in ours if other.to_tuple()[:2] == one.to_tuple()[:2]] or ours)
        if one > used:
            found.append(Newer("ossec", "OSSEC", str(used), str(one), f"./dev add {one}"))
    return found


def bases(releases: Sequence[Release], docker_hub: str = DOCKER_HUB) -> list[Newer]:
    """Base images of which there is one of a later day. Raises UserError when Docker Hub does not tell."""
    found = []
    for used in sorted({one.base.image for one in releases}):
        name, _, tag = used.rpartition(":")
        before, after = re.split("[0-9]{8}", tag, maxsplit=1)  # a version file's image has a date
        dated = re.compile(f"{re.escape(before)}[0-9]{{8}}{re.escape(after)}")
        path = name if "/" in name else f"library/{name}"
        address = f"{docker_hub}/{path}/tags?page_size=100&name={before}"
        entries = {str(one["name"]): one for one in _listed(address, {}, f"the tags of {name}")}
        newest = max(filter(dated.fullmatch, entries), default="")
        if newest > tag:
            digest = entries[newest].get("digest")
            remedy = f"image, digest ({digest}) and snapshot of versions/*.toml; raise their revisions"
            found.append(Newer("base", name, tag, newest, remedy))
    return found


def packages(index: str = "", lock: Path = LOCK) -> list[Newer]:
    """Packages of requirements.txt that the index has in a newer version. Raises UserError when it does not tell."""
    locked = dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", lock.read_text(), re.MULTILINE))
    # To `pip list` an index that cannot be reached is one that has nothing newer.
    _pip(index, "index", "versions", next(iter(locked)))
    return [
        Newer("python", one["name"], one["version"], one["latest_version"], "see requirements.in")
        for one in json.loads(_pip(index, "list", "--outdated", "--format=json"))
        if locked.get(re.sub("[-_.]+", "-", one["name"]).lower()) == one["version"]
    ]


def _pip(index: str, *words: str) -> str:
    options = ["--disable-pip-version-check", "--retries=1", *(["--index-url", index] if index else [])]
    done = subprocess.run([sys.executable, "-m", "pip", *words, *options], capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise UserError(
            f"pip cannot tell which packages are outdated: {said[-1] if said else 'it says nothing'}. "
            "Look whether its index can be reached."
        )
    return done.stdout


def _listed(address: str, headers: dict[str, str], what: str) -> list[dict[str, Any]]:
    """All pages of a list. Raises UserError when one of them is not to be had or is none."""
    found: list[dict[str, Any]] = []
    for _ in range(PAGES):
        try:
            answer = web.ask(address, headers)
            content = json.loads(answer.body)
        except web.NoAnswer as problem:
            raise UserError(f"{what}: {problem} Try again later, or from elsewhere.") from problem
        except ValueError as problem:
            raise UserError(f"{what}: {address} answers no JSON. Has its API changed?") from problem
        # GitHub's list is bare and names its next page in a header; Docker Hub's is an object that names its own.
        if isinstance(content, dict):
            page, following = content.get("results"), content.get("next")
        else:
            page, following = content, answer.next
        if not isinstance(page, list) or not all(isinstance(one, dict) and "name" in one for one in page):
            raise UserError(f"{web.without_password(address)} is no list of tags. Has its API changed?")
        found += page
        if not following:
            return found
        address = str(following)
    raise UserError(f"{what}: the list has more than {PAGES} pages. Has its API changed?")

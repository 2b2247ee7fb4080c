"""Which OSSEC versions are built, and from what: the files of `versions/`, checked before they are used."""

import ipaddress
import json
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft4Validator, FormatChecker  # type: ignore[import-untyped]
from rich.table import Table
from semver import Version

from pipeline import project
from pipeline.errors import UserError

VERSIONS = project.ROOT / "versions"
SCHEMA = VERSIONS / "schema.json"


@dataclass(frozen=True)
class Source:
    """The release tarball: where it lies, its size in bytes, its SHA-256 in lower-case hex, and the date of the tagged
    commit in seconds since 1970.
    """

    url: str
    size: int
    sha256: str
    commit_date: int


@dataclass(frozen=True)
class Base:
    """The image underneath: its dated tag, its digest (`sha256:…`), and the day of Debian's archive
    (`YYYYMMDDTHHMMSSZ`, UTC) that the packages are taken from.
    """

    image: str
    digest: str
    snapshot: str


@dataclass(frozen=True)
class Build:
    """How this version is built differently: further flags for the compiler, functions that docker/shim wraps and
    this version does not have, and further packages of Debian's that it needs to run.
    """

    cflags: tuple[str, ...] = ()
    without_wraps: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Release:
    """One version file. `revision` counts our own changes to the image of that OSSEC version, from 1."""

    version: Version
    revision: int
    source: Source
    base: Base
    build: Build = Build()

    @property
    def immutable_tag(self) -> str:
        """The tag that always means this very image, such as `4.2.0-r1`."""
        return f"{self.version}-r{self.revision}"


def load(path: Path) -> Release:
    """Read one version file. Raises UserError, naming file and key, if it cannot be read or is not as it must be."""
    try:
        with path.open("rb") as file:
            data = tomllib.load(file)
    except OSError as problem:
        raise UserError(f"{path} cannot be read: {problem.strerror}.") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise UserError(f"{path} is not valid TOML: {problem}.") from problem
    _check(path, data)
    version = data["version"]
    if path.name != f"{version}.toml":
        raise UserError(f"{path}: version is {version}, so the file's name must be {version}.toml.")
    url = data["source"]["url"]
    # Not merely `in`: 4.2.0 is not in 14.2.0.tar.gz nor in 4.2.01.tar.gz.
    if not re.search(rf"(?<![0-9])(?<![0-9]\.){re.escape(version)}(?!\.?[0-9])", url):
        raise UserError(f"{path}: source.url does not contain the version {version}, but is {url}.")
    return Release(
        version=Version.parse(version),
        revision=data["revision"],
        source=Source(**data["source"]),
        base=Base(**data["base"]),
        build=Build(**{key: tuple(words) for key, words in data.get("build", {}).items()}),
    )


def load_all(folder: Path = VERSIONS) -> tuple[Release, ...]:
    """Read every version file of the folder, newest version first.

    Raises UserError when one of them is wrong, when there is none, or when there is no such folder.
    """
    try:
        # A leading dot marks what editors and file managers leave behind.
        paths = [one for one in folder.iterdir() if one.suffix == ".toml" and not one.name.startswith(".")]
    except OSError as problem:
        raise UserError(f"{folder} should hold the version files, but: {problem.strerror}.") from problem
    if not paths:
        raise UserError(f"{folder} holds no version file. Add one named like 4.2.0.toml.")
    return tuple(sorted((load(path) for path in sorted(paths)), key=_age, reverse=True))


def find(version: str | None = None, folder: Path = VERSIONS) -> Release:
    """The release of that version, or the newest stable one. Raises UserError, listing all, if there is none."""
    releases = load_all(folder)
    known = ", ".join(str(release.version) for release in releases)
    for release in releases:
        if str(release.version) == version or (version is None and _is_stable(release)):
            return release
    if version is None:
        raise UserError(f"{folder} holds no stable version. Name one of these: {known}.")
    raise UserError(f"There is no version {version!r} in {folder}. Known: {known}.")


def tags(release: Release, releases: Iterable[Release]) -> tuple[str, ...]:
    """The tags that an image gets, from the one that never moves to the one that moves most.

    `releases` are all there are; among them each moving tag belongs to exactly one, the newest stable
    release that it could mean. So a patch of an older line takes no tag from a newer line, and a
    pre-release is only ever known by its own name.
    """
    everyone = [release, *releases]
    version = release.version
    rivals = {str(version): [one for one in everyone if one.version == version]}
    if _is_stable(release):
        stable = [one for one in everyone if _is_stable(one)]
        major = [one for one in stable if one.version.major == version.major]
        minor = [one for one in major if one.version.minor == version.minor]
        rivals |= {f"{version.major}.{version.minor}": minor, f"{version.major}": major, "latest": stable}
    moving = (tag for tag, others in rivals.items() if release == max(others, key=_age))
    return release.immutable_tag, *moving


def table(releases: Iterable[Release]) -> Table:
    """The releases as `invoke releases` shows them, a row for each in the order given."""
    releases = tuple(releases)
    shown = Table(box=None, pad_edge=False)
    for heading in ("version", "revision", "base", "source sha256", "tags"):
        # Where the terminal is too narrow the tags go on in the next line: a shortened tag is no tag.
        shown.add_column(heading, overflow="fold", no_wrap=heading != "tags")
    for release in releases:
        shown.add_row(
            str(release.version),
            str(release.revision),
            release.base.image,
            release.source.sha256[:12],
            " ".join(tags(release, releases)),
        )
    return shown


def is_version(text: str) -> bool:
    """Whether a version file may have this version."""
    if not Version.is_valid(text):
        return False
    version = Version.parse(text)
    # No image tag can hold a "+", and a version 4.2.0-r1 would claim the tag of 4.2.0's first revision.
    return version.build is None and not re.search("(^|-)r[0-9]+$", version.prerelease or "")


def is_safe_url(url: str) -> bool:
    """Whether what comes from this address cannot be changed on its way: https, or http that does not
    leave this machine (the tests serve their stand-in release there).
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # reading the port is what checks it
    except ValueError:
        return False
    if not host or not re.fullmatch("[!-~]+", url):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _age(release: Release) -> tuple[Version, int]:
    # To semver 4.2.0-r2 would be a pre-release of 4.2.0, so the revision is compared beside the version.
    return release.version, release.revision


def _is_stable(release: Release) -> bool:
    return release.version.prerelease is None


def _check(path: Path, data: dict[str, Any]) -> None:
    """Raise UserError, naming the key, at the first thing that is not as versions/schema.json has it."""
    schema = json.loads(SCHEMA.read_text())
    for error in Draft4Validator(schema, format_checker=FORMATS).iter_errors(data):
        keys = [key for key in error.absolute_path if isinstance(key, str)]
        known = error.schema.get("properties", {})
        if error.validator == "additionalProperties":
            name = ".".join([*keys, next(key for key in error.instance if key not in known)])
            raise UserError(f"{path}: unknown key {name}. The keys here are {', '.join(known)}.")
        if error.validator == "required":
            missing = next(key for key in error.validator_value if key not in error.instance)
            must_be = known[missing]["description"]
            raise UserError(f"{path}: {'.'.join([*keys, missing])} is missing. It must be {must_be}.")
        wanted, value = schema, data
        for key in keys:
            wanted, value = wanted["properties"][key], value[key]
        raise UserError(f"{path}: {'.'.join(keys)} must be {wanted['description']}, not {value!r:.100}.")


def _is_date(text: str, form: str) -> bool:
    try:
        # And back again, because strptime also takes 2026105 for a date.
        return datetime.strptime(text, form).strftime(form) == text
    except ValueError:
        return False


def _is_dated_image(text: str) -> bool:
    match = re.fullmatch(r"[a-z0-9][a-z0-9./_:-]*:[a-z0-9.]+-([0-9]{8})(-[a-z0-9.]+)*", text)
    return match is not None and _is_date(match[1], "%Y%m%d")


# What no pattern can say of a text. Not Draft 6 or later: there 1.0 is a whole number.
FORMATS = FormatChecker(formats=())
FORMATS.checks("version")(is_version)
FORMATS.checks("safe-url")(is_safe_url)
FORMATS.checks("dated-image")(_is_dated_image)
FORMATS.checks("snapshot")(lambda text: _is_date(text, "%Y%m%dT%H%M%SZ"))

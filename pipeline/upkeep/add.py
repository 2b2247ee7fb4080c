"""A new version: its tarball downloaded, its facts computed, its file written, and what a person must look at."""

import gzip
import hashlib
import io
import os
import re
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from semver import Version

from pipeline import project, release, source, web
from pipeline.errors import UserError
from pipeline.release import VERSIONS, Build, Release

UPSTREAM = "https://github.com/ossec/ossec-hids"
SHIM = project.ROOT / "docker" / "shim" / "Makefile"
# The folders of src/ that the image's programs are made from.
LINKED = (
    "analysisd", "config", "external", "monitord", "os_crypto", "os_maild", "os_net", "os_regex", "os_xml", "os_zlib",
    "shared",
)  # fmt: skip
# What is no code in C: a comment, and a string or character, which may hold the beginning of one.
NO_CODE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.DOTALL)
WRITTEN = """\
# OSSEC {version}, as it is built here. `./dev releases` shows the tags that it gets.
version = "{version}"
# Counts our own changes to the image of this OSSEC version: {version}-r1, {version}-r2, …
revision = 1

[source]
url = "{url}"
size = {size} # bytes
sha256 = "{sha256}"
# The tagged commit's date in seconds since 1970: the newest date that any file of the image bears.
commit_date = {commit_date}

[base]
image = "{base.image}"
digest = "{base.digest}"
# The day of Debian's archive that the image's packages are taken from.
snapshot = "{base.snapshot}"

[build]
cflags = [{cflags}]
# Functions that docker/shim wraps and that the image's programs don't call in this version.
without_wraps = [{without_wraps}]
packages = [{packages}]
"""


@dataclass(frozen=True)
class Added:
    """A new version file, its tarball in the cache, and what to look at before it is built, a line each."""

    version_file: Path
    tarball: Path
    review: tuple[str, ...]


@dataclass(frozen=True)
class Tarball:
    """What a release's tarball tells of itself: the commit ("" where it names none), the dates of its entries in
    seconds since 1970, and the texts that are looked at, by their paths below its folder.
    """

    commit: str
    dates: frozenset[int]
    texts: Mapping[str, str]


def add(version: str, folder: Path = VERSIONS, upstream: str = UPSTREAM) -> Added:
    """Download the tarball of that tag from `upstream`, or from the mirror, and write its version file into `folder`.

    A tarball that lies in the cache by hand is taken as it is. Base and snapshot are those of the newest version,
    [build] that of the version next below. Raises UserError, and leaves the folder as it was, when the version is
    none or is there already, or when what comes is no release of OSSEC.
    """
    if not release.is_version(version):
        raise UserError(f"{version!r} is no version. Name one as OSSEC's tags do, such as 4.3.0.")
    path = folder / f"{version}.toml"
    if path.exists():
        raise UserError(f"{path} is there already. To build that version anew, raise the revision in it.")
    known = release.load_all(folder)
    neighbour = _neighbour(known, Version.parse(version))
    url = f"{upstream}/archive/refs/tags/{version}.tar.gz"
    tarball = project.cache_dir() / "sources" / f"ossec-hids-{version}.tar.gz"
    by_hand = tarball.exists()
    data = _read(tarball) if by_hand else _download(url, tarball)
    found = look_into(data, version, str(tarball) if by_hand else url)
    missing = missing_wraps(found)
    build = replace(neighbour.build, without_wraps=missing)
    text = written(version, url, data, max(found.dates), build, folder)
    if not by_hand:
        _write(tarball, data)
    _write(path, text.encode())
    return Added(path, tarball, tuple(_review(found, missing, neighbour, by_hand, tarball)))


def written(
    version: str, url: str, tarball: bytes, commit_date: int, build: Build, folder: Path = VERSIONS
) -> str:
    """The text of a version file. The base is that of the newest version of the folder."""
    return WRITTEN.format(
        version=version,
        url=url,
        size=len(tarball),
        sha256=hashlib.sha256(tarball).hexdigest(),
        commit_date=commit_date,
        base=release.find(folder=folder).base,
        cflags=_listed(build.cflags),
        without_wraps=_listed(build.without_wraps),
        packages=_listed(build.packages),
    )


def _download(url: str, tarball: Path) -> bytes:
    try:
        return web.ask(source.address(url, tarball.name)).body
    except web.NoAnswer as problem:
        raise web.NoAnswer(
            f"{problem} Put the tarball at {tarball} by hand, or name a mirror in {source.MIRROR_VARIABLE}."
        ) from problem


def look_into(data: bytes, version: str, origin: str) -> Tarball:
    """Read a release's tarball. Raises UserError, naming the origin, when it is none of that version."""
    top = f"ossec-hids-{version}"
    dates: set[int] = set()
    texts: dict[str, str] = {}
    try:
        # Unpacked as a whole: its checksum is at its end, which tarfile does not look at.
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data))) as tar:
            for entry in tar:
                name = entry.name.removeprefix(f"{top}/")
                if name == entry.name and name != top:
                    raise UserError(f"{origin} is not OSSEC {version}: it holds {entry.name} outside {top}/.")
                dates.add(int(entry.mtime))
                if _is_looked_at(name) and (file := tar.extractfile(entry)):
                    texts[name] = file.read().decode("utf-8", "replace")
            commit = str(tar.pax_headers.get("comment", ""))
    except (OSError, EOFError, tarfile.TarError, zlib.error) as problem:
        raise UserError(f"{origin} is no tarball: {problem}. Look at what lies there.") from problem
    if "src/Makefile" not in texts or "etc/internal_options.conf" not in texts:
        raise UserError(f"{origin} is no OSSEC release: it lacks src/Makefile or etc/internal_options.conf.")
    return Tarball(commit, frozenset(dates), texts)


def missing_wraps(tarball: Tarball, makefile: Path = SHIM) -> tuple[str, ...]:
    """The functions that the shim wraps and that no program of the image uses in this release, in the shim's order.

    Only a guess, by the code's lines that are indented, as all but definitions are; docker/build/compile looks at the
    objects.
    """
    wraps = re.search(r"^ALL_WRAPS :=((?:.*\\\n)*.*)", makefile.read_text(), re.MULTILINE)
    assert wraps, f"{makefile} has no ALL_WRAPS"
    words: set[str] = set()
    for name, text in tarball.texts.items():
        if name.endswith(".c") and name.split("/")[1] in LINKED:
            for line in re.findall(r"^[ \t].*", NO_CODE.sub(" ", text), re.MULTILINE):
                words.update(re.findall(r"\w+", line))
    # PCRE2's names get their width from a macro.
    symbols = wraps[1].replace("\\", " ").split()
    return tuple(symbol for symbol in symbols if not {symbol, symbol.removesuffix("_8")} & words)


def _is_looked_at(name: str) -> bool:
    return (
        name in ("src/Makefile", "etc/internal_options.conf", "etc/ossec-server.conf")
        or (name.startswith("src/") and name.endswith(".c") and "/tests/" not in name)
        or (name.startswith("etc/rules/") and name.endswith(".xml"))
    )


def _neighbour(known: Sequence[Release], version: Version) -> Release:
    """The version next below; for one that is older than all, the oldest."""
    below = [one for one in known if one.version < version]
    return max(below, key=lambda one: one.version) if below else min(known, key=lambda one: one.version)


def _review(
    found: Tarball, missing: Sequence[str], neighbour: Release, by_hand: bool, tarball: Path
) -> list[str]:
    date = f"{datetime.fromtimestamp(max(found.dates), UTC):%Y-%m-%d %H:%M} UTC"
    lines = [
        f"The tarball was taken from the cache, where somebody has put it: {tarball}."
        if by_hand
        else "Nobody but the server vouches for the tarball: compare its SHA-256 with one from elsewhere.",
        f"It says that it is commit {found.commit} of {date}: compare with the tag."
        if found.commit
        else f"It names no commit; its newest file is of {date}.",
    ]
    if len(found.dates) > 1:
        lines.append("Its files bear several dates, so it was not made by `git archive` of a tag.")
    if path := source.cached(neighbour):
        before = look_into(_read(path), str(neighbour.version), str(path))
        lines += _differences(before, found, f"since {neighbour.version}")
        for symbol in sorted({*missing} ^ {*missing_wraps(before)}):
            gone = symbol in missing
            lines.append(
                f"{symbol}, which the shim wraps, is {'gone' if gone else 'there'}, other than in "
                f"{neighbour.version}: {'what took its place may need a wrap' if gone else 'it is wrapped'}."
            )
    else:
        lines.append(
            f"Nothing was compared with {neighbour.version}: fetch it, remove the new file, and add it again."
        )
    if neighbour.build.cflags or neighbour.build.packages:
        lines.append(f"cflags and packages are those of {neighbour.version}: try whether they are needed.")
    return lines


def _differences(before: Tarball, now: Tarball, since: str) -> list[str]:
    """What of OSSEC's own settings and rules has come and gone."""
    lines = []
    for what, file, pattern in (
        ("option of internal_options.conf", "etc/internal_options.conf", r"^(\w+\.\w+)="),
        ("rule file of ossec-server.conf", "etc/ossec-server.conf", "<include>(.+?)</include>"),
    ):
        old, new = ({*re.findall(pattern, one.texts.get(file, ""), re.MULTILINE)} for one in (before, now))
        lines += [f"New {what} {since}: {', '.join(sorted(new - old))}."] if new - old else []
        lines += [f"Gone {what} {since}: {', '.join(sorted(old - new))}."] if old - new else []
    return lines


def _listed(words: Sequence[str]) -> str:
    return ", ".join(f'"{word}"' for word in words)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise UserError(f"{path} cannot be read: {problem.strerror}.") from problem


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all, and never over what is there."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        os.link(part, path)
    except OSError as problem:
        raise UserError(f"{path} cannot be written: {problem.strerror}.") from problem
    finally:
        with suppress(OSError):
            part.unlink()

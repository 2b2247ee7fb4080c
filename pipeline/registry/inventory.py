"""What is really in an image, looked up in its own layers: Debian's packages, OSSEC, and what OSSEC carries with it."""

import re
import tarfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from packageurl import PackageURL

from pipeline.errors import UserError
from pipeline.image import content
from pipeline.image.content import Content
from pipeline.release import Release

STATUS = "var/lib/dpkg/status"
OS_RELEASE = "usr/lib/os-release"
PROGRAMS = "var/ossec/bin"
MAKER = "Debian"
COPYRIGHT = "usr/share/doc/{}/copyright"
# One that neither Debian nor SPDX has.
UNKNOWN = "LicenseRef-Debian-"
# Debian's short names of licences, in lower case, where SPDX's list does not have them as another name of its own.
OF_DEBIAN = {
    "artistic": "Artistic-1.0-Perl", "expat": "MIT", "lgpl": "LGPL-2.0-or-later", "mit/x11": "X11",
    "openldap-2.8": "OLDAP-2.8",
}  # fmt: skip


@dataclass(frozen=True)
class Part:
    """One piece of software in an image: its names for people and for scanners, and where it came from.

    `licence` is an SPDX expression; it and the rest are empty where nothing is known.
    """

    name: str
    version: str
    purl: str
    licence: str = ""
    supplier: str = ""
    url: str = ""
    sha256: str = ""
    cpe: str = ""


@dataclass(frozen=True)
class _Vendored:
    """A library in OSSEC's src/external: the file that says its version, how, and what shows that it is linked in.

    `mark` is text that its code leaves in a program, with {} for the version; empty where it always is.
    """

    header: str
    says: str
    mark: str
    licence: str
    supplier: str
    url: str
    cpe: str = ""


_NUMBERS = r"_MAJOR\s+\"?(\d+).*?_MINOR\s+\"?(\d+).*?"
_VENDORED = {
    "cJSON": _Vendored(
        "cJSON.h", rf"CJSON_VERSION{_NUMBERS}_PATCH\s+(\d+)", "%1.15g", "MIT", "Dave Gamble and cJSON contributors",
        "https://github.com/DaveGamble/cJSON", "davegamble:cjson",
    ),
    "compat": _Vendored(  # OpenBSD's imsg, which upstream links into ossec-maild
        "imsg.c", r"\$OpenBSD: imsg\.c,v (\d+)\.(\d+)", "", "ISC", "OpenBSD",
        "https://cvsweb.openbsd.org/src/lib/libutil",
    ),
    "lua": _Vendored(
        "src/lua.h", rf"LUA_VERSION{_NUMBERS}_RELEASE\s+\"(\d+)", "$LuaVersion: Lua {}", "MIT", "PUC-Rio",
        "https://www.lua.org", "lua:lua",
    ),
    "pcre2": _Vendored(
        "src/pcre2.h", rf"PCRE2{_NUMBERS}", "\0{} 20", "BSD-3-Clause", "PCRE2 project",
        "https://github.com/PCRE2Project/pcre2", "pcre:pcre2",
    ),
    "zlib": _Vendored(
        "zlib.h", r"ZLIB_VERSION \"(\d+)\.(\d+)(?:\.(\d+))?", "inflate {} Copyright", "Zlib", "zlib authors",
        "https://zlib.net", "zlib:zlib",
    ),
}  # fmt: skip


def debian(image: Content) -> tuple[Part, ...]:
    """The Debian packages of an image, by its own dpkg's record. Raises UserError when it has none."""
    return _debian(image, content.files(image, _of_debian))


def inventory(image: Content, release: Release, tarball: Path) -> tuple[Part, ...]:
    """Everything in an image: Debian's packages, OSSEC as its tarball has it, and the libraries linked into OSSEC.

    Raises UserError when the tarball carries a library that is not known here.
    """
    found = content.files(image, lambda path: _of_debian(path) or str(PurePosixPath(path).parent) == PROGRAMS)
    programs = [data for path, data in found.items() if path.startswith(f"{PROGRAMS}/")]
    version = str(release.version)
    ossec = Part(
        "ossec-hids",
        version,
        PackageURL("github", "ossec", "ossec-hids", version).to_string(),
        "GPL-2.0-only",
        "OSSEC project",
        release.source.url,
        release.source.sha256,
        f"cpe:2.3:a:ossec:ossec:{version}:*:*:*:*:*:*:*",
    )
    return (*_debian(image, found), ossec, *linked(tarball, programs))


def linked(tarball: Path, programs: list[bytes]) -> tuple[Part, ...]:
    """The libraries that OSSEC's tarball carries and that are in one of the programs.

    Raises UserError when the tarball carries one that is not known here, or that does not say its version.
    """
    parts = []
    with tarfile.open(tarball) as tar:
        members = {member.name: member for member in tar.getmembers()}
        folders = sorted({m[1] for name in members if (m := re.match(r"([^/]+/src/external/[^/]+)/", name))})
        for folder in folders:
            known = _VENDORED.get(name := PurePosixPath(folder).name.partition("-")[0])
            if known is None:
                raise UserError(
                    f"OSSEC's library {folder} is not known to pipeline/registry/inventory.py: add it."
                )
            file = tar.extractfile(members[f"{folder}/{known.header}"])
            assert file is not None
            says = re.search(known.says, file.read().decode(errors="replace"), re.DOTALL)
            if says is None:
                raise UserError(
                    f"{folder}/{known.header} does not say its version as pipeline/registry/inventory.py expects."
                )
            version = ".".join(number for number in says.groups() if number)
            if any(known.mark.format(version).encode() in program for program in programs):
                parts.append(_part(name, version, known))
    return tuple(parts)


def _debian(image: Content, found: dict[str, bytes]) -> tuple[Part, ...]:
    if STATUS not in found:
        raise UserError(f"The image {image.digest} has no {STATUS}, so its packages are unknown.")
    of_system = dict(re.findall(r'^(\w+)="?([^"\n]*)', found.get(OS_RELEASE, b"").decode(), re.MULTILINE))
    distro = f"{of_system.get('ID', 'debian')}-{of_system.get('VERSION_ID', 'unknown')}"
    parts = []
    for stanza in found[STATUS].decode().strip().split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", stanza, re.MULTILINE))
        if not fields.get("Status", "").endswith(" installed"):
            continue
        source, _, of_source = fields.get("Source", "").partition(" ")
        more = {"arch": fields["Architecture"], "distro": distro}
        if source:  # security notices go by the source package
            more["upstream"] = source + (f"@{of_source.strip('()')}" if of_source else "")
        purl = PackageURL("deb", "debian", fields["Package"], fields["Version"], more)
        said = found.get(COPYRIGHT.format(fields["Package"]), b"").decode(errors="replace")
        parts.append(Part(fields["Package"], fields["Version"], purl.to_string(), licence(said), MAKER))
    return tuple(sorted(parts, key=lambda part: part.name))


@cache
def licensing() -> Any:
    """SPDX's list of licences, and its reader of expressions."""
    from license_expression import get_spdx_licensing  # type: ignore[import-untyped]  # here, as it takes a moment

    return get_spdx_licensing()


@cache
def _names() -> dict[str, str]:
    """SPDX's name of each licence, by all names that it has, in lower case."""
    symbols = licensing().known_symbols
    return {name.lower(): key for key, one in symbols.items() for name in (key, *one.aliases)} | OF_DEBIAN


def licence(copyright: str) -> str:
    """The SPDX expression for all licences that a copyright file names, if it is in Debian's form; else empty."""
    if not copyright.startswith("Format:"):
        return ""
    # Of the paragraphs about files: those that begin with "License:" only give a licence's text.
    stanzas = (one for one in re.split(r"\n\s*\n", copyright) if re.search("^Files:", one, re.MULTILINE))
    names = {name for one in stanzas for name in re.findall(r"^License:[ \t]*(\S.*)$", one, re.MULTILINE)}
    return " AND ".join(sorted({_within(_spdx(name)) for name in names}))


def _spdx(names: str) -> str:
    """What Debian calls a licence, or several, in SPDX's names. A comma binds less than the words between commas."""
    for sign in (r",\s+(and|or)\s+", r"\s+(and|or)\s+"):
        parts = re.split(sign, names.strip().rstrip(","), flags=re.IGNORECASE)
        if len(parts) > 1:
            return " ".join(
                part.upper() if number % 2 else _within(_spdx(part)) for number, part in enumerate(parts)
            )
    [name] = parts
    # Debian leaves the .0 of a version out.
    if known := _names().get(re.sub(r"-(\d)(?=\+|$)", r"-\1.0", name.lower())):
        return known
    return UNKNOWN + re.sub(r"[^A-Za-z0-9.]+", "-", name.replace("+", "-or-later")).strip("-")


def _within(expression: str) -> str:
    return f"({expression})" if " " in expression else expression


def _of_debian(path: str) -> bool:
    return path in (STATUS, OS_RELEASE) or re.fullmatch(COPYRIGHT.format("[^/]+"), path) is not None


def _part(name: str, version: str, known: _Vendored) -> Part:
    name = "imsg" if name == "compat" else name
    cpe = f"cpe:2.3:a:{known.cpe}:{version}:*:*:*:*:*:*:*" if known.cpe else ""
    purl = PackageURL("generic", None, name, version, {"download_url": known.url}).to_string()
    return Part(name, version, purl, known.licence, known.supplier, known.url, cpe=cpe)

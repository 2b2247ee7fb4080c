"""What an image is said to hold: each package with its names for scanners, OSSEC's own libraries if they are in it."""

import gzip
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.image import content
from pipeline.image.content import Content
from pipeline.registry import inventory, sbom
from tests.publish import tiny

RELEASE = tiny.release()


@pytest.fixture
def image(tmp_path: Path) -> Content:
    tiny.write(tmp_path / "image.tar", RELEASE, "amd64", "", {})
    return content.read(tmp_path / "image.tar")


@pytest.fixture
def tarball(tmp_path: Path) -> Path:
    path = tmp_path / "ossec.tar.gz"
    path.write_bytes(tiny.tarball("9.9.9"))
    return path


def test_everything_in_the_image_and_nothing_else(image: Content, tarball: Path) -> None:
    parts = {part.name: part for part in inventory.inventory(image, RELEASE, tarball)}
    assert list(parts) == ["bash", "libc6", "ossec-hids", "cJSON"], (
        "no removed package, no zlib that is not linked in"
    )
    assert parts["bash"].purl == (
        "pkg:deb/debian/bash@5.2-1%2Bb1?arch=amd64&distro=debian-13&upstream=bash-source%405.2-1"
    )
    assert parts["libc6"].version == "1:2.41-12"
    assert parts["ossec-hids"].sha256 == RELEASE.source.sha256
    assert parts["cJSON"].cpe == "cpe:2.3:a:davegamble:cjson:1.7.18:*:*:*:*:*:*:*"


CJSON_1_7_1 = """
#define CJSON_VERSION_MAJOR 1
#define CJSON_VERSION_MINOR 7
#define CJSON_VERSION_PATCH 1
"""
LUA = """
#define LUA_VERSION_MAJOR\t"5"
#define LUA_VERSION_MINOR\t"2"
#define LUA_VERSION_NUM\t\t502
#define LUA_VERSION_RELEASE\t"3"
"""
PCRE2 = """
#define PCRE2_MAJOR           10
#define PCRE2_MINOR           32
"""
IMSG = "/*\t$OpenBSD: imsg.c,v 1.5 2013/12/26 17:32:33 eric Exp $\t*/"


@pytest.mark.parametrize(
    ("folder", "file", "text", "program", "version"),
    [
        ("cJSON", "cJSON.h", CJSON_1_7_1, b"%1.15g", "1.7.1"),
        ("zlib-1.2.11", "zlib.h", '#define ZLIB_VERSION "1.2.11"', b" inflate 1.2.11 Copyright", "1.2.11"),
        ("lua-5.2.3", "src/lua.h", LUA, b"$LuaVersion: Lua 5.2.3", "5.2.3"),
        ("pcre2-10.32", "src/pcre2.h", PCRE2, b"\x0010.32 2018-09-10", "10.32"),
        ("compat", "imsg.c", IMSG, b"", "1.5"),
    ],
)
def test_each_library_by_its_header_and_by_what_it_leaves_in_a_program(
    tmp_path: Path, image: Content, folder: str, file: str, text: str, program: bytes, version: str
) -> None:
    tarball = tmp_path / "other.tar.gz"
    tarball.write_bytes(gzip.compress(tiny.tar({f"ossec/src/external/{folder}/{file}": text.encode()})))
    [found] = inventory.linked(tarball, [b"... " + program + b" ..."])
    assert found.version == version
    if program:
        assert inventory.linked(tarball, [b"another program"]) == ()


def test_a_library_that_is_not_known_is_no_gap(tmp_path: Path, image: Content) -> None:
    tarball = tmp_path / "other.tar.gz"
    tarball.write_bytes(gzip.compress(tiny.tar({"ossec/src/external/new-1.0/new.h": b""})))
    with pytest.raises(UserError, match=r"library .*src/external/new-1\.0 is not known to"):
        inventory.inventory(image, RELEASE, tarball)


def test_an_image_without_a_package_list(image: Content, tarball: Path) -> None:
    empty = replace(image, manifest=replace(image.manifest, raw=b'{"layers": []}'))
    for look in (inventory.debian, lambda one: inventory.inventory(one, RELEASE, tarball)):
        with pytest.raises(UserError, match="has no var/lib/dpkg/status"):
            look(empty)


def test_both_forms_list_every_part_and_say_it_the_same_way_each_time(image: Content, tarball: Path) -> None:
    parts = inventory.inventory(image, RELEASE, tarball)
    for form in (sbom.spdx, sbom.cyclonedx):
        assert sbom.purls(form(image, parts)) == {part.purl for part in parts}
        assert form(image, parts) == form(image, parts)


def test_the_forms_are_what_they_say(image: Content, tarball: Path) -> None:
    parts = inventory.inventory(image, RELEASE, tarball)
    spdx, cyclonedx = sbom.spdx(image, parts), sbom.cyclonedx(image, parts)
    assert spdx["spdxVersion"] == "SPDX-2.3"
    contained = [one for one in spdx["relationships"] if one["relationshipType"] == "CONTAINS"]
    assert len(contained) == len(parts)
    assert (cyclonedx["bomFormat"], cyclonedx["specVersion"]) == ("CycloneDX", "1.6")
    assert cyclonedx["metadata"]["component"]["hashes"][0]["content"] == image.digest.removeprefix("sha256:")
    [own] = [one for one in cyclonedx["dependencies"] if one["ref"] == image.digest]
    assert len(own["dependsOn"]) == len(parts)


COPYRIGHT = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: somebody
License: GPL-3+

Files: lib/*
Copyright: others
License: Expat or GPL-2

License: GPL-3+
 The text, which says License: nothing.
"""


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        (COPYRIGHT, "(MIT OR GPL-2.0-only) AND GPL-3.0-or-later"),
        (
            COPYRIGHT.replace("Expat or", "Expat or Artistic, and"),
            "((MIT OR Artistic-1.0-Perl) AND GPL-2.0-only) AND GPL-3.0-or-later",
        ),
        (COPYRIGHT.replace("Expat or ", "Latex2e and "), "(Latex2e AND GPL-2.0-only) AND GPL-3.0-or-later"),
        (
            COPYRIGHT.replace("Expat", "GPL-2+ with Bison exception"),
            "(LicenseRef-Debian-GPL-2-or-later-with-Bison-exception OR GPL-2.0-only) AND GPL-3.0-or-later",
        ),
        (COPYRIGHT.replace("Format:", "Formerly:"), ""),
        ("", ""),
    ],
)
def test_a_package_s_licence_is_what_its_copyright_file_says(text: str, expression: str) -> None:
    assert inventory.licence(text) == expression


def test_a_licence_that_spdx_does_not_know_is_told_of(image: Content, tarball: Path) -> None:
    part, *rest = inventory.inventory(image, RELEASE, tarball)
    parts = [replace(part, licence=inventory.licence(COPYRIGHT.replace("Expat", "public-domain"))), *rest]
    found = sbom.spdx(image, parts)
    [told] = found["hasExtractedLicensingInfos"]
    assert (told["licenseId"], told["name"]) == ("LicenseRef-Debian-public-domain", "public-domain")
    declared = [one.get("licenseDeclared", "") for one in found["packages"]]
    assert "(LicenseRef-Debian-public-domain OR GPL-2.0-only) AND GPL-3.0-or-later" in declared
    [said] = [
        one["licenses"] for one in sbom.cyclonedx(image, parts)["components"] if one["name"] == part.name
    ]
    assert "LicenseRef-Debian-public-domain" in said[0]["expression"]


def test_every_form_has_ntia_s_minimum_elements(image: Content, tarball: Path) -> None:
    """Author and time of the list; of each part its supplier, name, version, identifier and place in the whole."""
    parts = inventory.inventory(image, RELEASE, tarball)
    found = sbom.spdx(image, parts)
    assert "Organization: the ossec-log-server authors" in found["creationInfo"]["creators"]
    assert found["creationInfo"]["created"] == "2023-11-14T22:13:20Z"
    for package in found["packages"]:
        assert package["supplier"].startswith("Organization: ")
        assert all((package["name"], package["versionInfo"], package["externalRefs"]))
    related = {one["relatedSpdxElement"] for one in found["relationships"]}
    assert {package["SPDXID"] for package in found["packages"]} <= related

    found = sbom.cyclonedx(image, parts)
    assert found["metadata"]["authors"] == [{"name": "the ossec-log-server authors"}]
    assert found["metadata"]["timestamp"].startswith("2023-11-14T22:13:20")
    for component in [found["metadata"]["component"], *found["components"]]:
        assert component["supplier"]["name"]
        assert all((component["name"], component["version"], component["purl"]))
    [root] = [one for one in found["dependencies"] if one["ref"] == found["metadata"]["component"]["bom-ref"]]
    assert len(root["dependsOn"]) == len(parts)

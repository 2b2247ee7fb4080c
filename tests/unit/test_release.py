import io
import re
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from semver import Version

from pipeline import release
from pipeline.errors import UserError
from pipeline.release import Base, Build, Release, Source

HEX = "0123456789abcdef" * 4
GOOD = f"""
version = "4.2.0"
revision = 1

[source]
url = "https://example.org/ossec-hids/4.2.0.tar.gz"
size = 3679128
sha256 = "{HEX}"
commit_date = 1785705369

[base]
image = "debian:trixie-20261005-slim"
digest = "sha256:{HEX}"
snapshot = "20261005T000000Z"
"""


def write(folder: Path, text: str = GOOD, name: str = "4.2.0.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def add(folder: Path, *versions: str) -> None:
    for version in versions:
        write(folder, GOOD.replace("4.2.0", version), f"{version}.toml")


def make(name: str) -> Release:
    """The release that has this immutable tag, such as 4.2.0-r1."""
    version, revision = re.fullmatch("(.+)-r([0-9]+)", name, re.ASCII).groups()  # type: ignore[union-attr]
    source = Source(f"https://example.org/{version}.tar.gz", 1, HEX, 1)
    base = Base("debian:trixie-20261005-slim", f"sha256:{HEX}", "20261005T000000Z")
    return Release(Version.parse(version), int(revision), source, base)


def test_reads_what_the_file_says(tmp_path: Path) -> None:
    assert release.load(write(tmp_path)) == Release(
        version=Version(4, 2, 0),
        revision=1,
        source=Source("https://example.org/ossec-hids/4.2.0.tar.gz", 3679128, HEX, 1785705369),
        base=Base("debian:trixie-20261005-slim", f"sha256:{HEX}", "20261005T000000Z"),
    )


def test_reads_how_a_version_is_built_differently(tmp_path: Path) -> None:
    text = (
        GOOD
        + """
[build]
cflags = ["-fcommon", "-DX=1"]
without_wraps = ["OS_CleanMSG_ex"]
packages = ["libevent-2.1-7t64"]
"""
    )
    assert release.load(write(tmp_path, text)).build == Build(
        cflags=("-fcommon", "-DX=1"), without_wraps=("OS_CleanMSG_ex",), packages=("libevent-2.1-7t64",)
    )
    assert release.load(write(tmp_path, GOOD + "[build]\n")).build == Build()


def test_the_project_s_own_version_files_are_good() -> None:
    every = release.load_all()
    owners = {tag: one for one in every for tag in release.tags(one, every)}
    newest = release.find()
    assert owners["latest"] is owners[str(newest.version.major)] is owners[str(newest.version)]
    assert owners["latest"] == newest
    for one in every:
        version = one.version
        line = [other.version for other in every if other.version.major == version.major]
        assert owners[f"{version.major}.{version.minor}"].version == max(
            other for other in line if other.minor == version.minor
        )


@pytest.mark.parametrize(
    ("line", "instead", "complaint"),
    [
        ("revision = 1", "revision = 1\nrevison = 1", "unknown key revison"),
        ("size = 3679128", "size = 3679128\nsha512 = 'x'", "unknown key source.sha512"),
        ("[base]", "[base]\nname = 'x'", "unknown key base.name"),
        ("[base]", "[extra]\n[base]", "unknown key extra"),
        ("[base]", "[source.extra]\n[base]", "unknown key source.extra"),
        ("revision = 1", "", "revision is missing"),
        ('version = "4.2.0"', "", "version is missing"),
        ("size = 3679128", "", "source.size is missing"),
        ("[base]", "[build]\nwraps = []\n[base]", "unknown key build.wraps"),
        ("[base]", "[[build]]\n[base]", "build must be a table"),
        ("[base]", "[build]\ncflags = '-fcommon'\n[base]", "build.cflags must be a list of"),
        ("[base]", "[build]\ncflags = ['fcommon']\n[base]", "build.cflags must be a list of"),
        ("[base]", "[build]\ncflags = ['-x -y']\n[base]", "build.cflags must be a list of"),
        ("[base]", "[build]\ncflags = ['-x', '-x']\n[base]", "build.cflags must be a list of"),
        ("[base]", "[build]\ncflags = [1]\n[base]", "build.cflags must be a list of"),
        ("[base]", "[build]\nwithout_wraps = ['--wrap=x']\n[base]", "build.without_wraps must be a list"),
        ("[base]", "[build]\npackages = ['curl', '$(id)']\n[base]", "build.packages must be a list of"),
        (GOOD[GOOD.index("[base]") :], "", "base is missing"),
        (GOOD[GOOD.index("image") :], "", "base.image is missing"),
        (GOOD[GOOD.index("[base]") :], "[[base]]", "base must be a table"),
        ('version = "4.2.0"', "version = 4.2", "version must be a semantic version"),
        ('version = "4.2.0"', 'version = "4.2"', "version must be a semantic version"),
        ('version = "4.2.0"', 'version = "v4.2.0"', "version must be a semantic version"),
        ('version = "4.2.0"', 'version = "04.2.0"', "version must be a semantic version"),
        ('version = "4.2.0"', 'version = "4.2.0+deb13"', "version must be a semantic version"),
        ('version = "4.2.0"', 'version = "4.2.0-r1"', "version must be a semantic version"),
        ('version = "4.2.0"', 'version = "4.2.0-rc1-r1"', "version must be a semantic version"),
        ('version = "4.2.0"', 'version = "4.2.1"', "file's name must be 4.2.1.toml"),
        ("revision = 1", "revision = 0", "revision must be a whole number from 1"),
        ("revision = 1", "revision = -1", "revision must be a whole number from 1"),
        ("revision = 1", "revision = true", "revision must be a whole number from 1"),
        ("revision = 1", "revision = 1.0", "revision must be a whole number from 1"),
        ("revision = 1", "revision = '1'", "revision must be a whole number from 1"),
        ("size = 3679128", "size = 0", "source.size must be"),
        ("size = 3679128", "size = -5", "source.size must be"),
        ("commit_date = 1785705369", "commit_date = 2026-08-02", "source.commit_date must be seconds"),
        ("commit_date = 1785705369", "commit_date = 0", "source.commit_date must be seconds"),
        (f'sha256 = "{HEX}"', f'sha256 = "{HEX[:-1]}"', "source.sha256 must be 64"),
        (f'sha256 = "{HEX}"', f'sha256 = "{HEX}0"', "source.sha256 must be 64"),
        (f'sha256 = "{HEX}"', f'sha256 = "{HEX}\\n"', "source.sha256 must be 64"),
        (f'sha256 = "{HEX}"', f'sha256 = "{HEX[:-1]}g"', "source.sha256 must be 64"),
        (f'sha256 = "{HEX}"', f'sha256 = "{HEX.upper()}"', "source.sha256 must be 64"),
        (f"sha256:{HEX}", HEX, "base.digest must be sha256:"),
        (f"sha256:{HEX}", f"sha256:{HEX[:-1]}", "base.digest must be sha256:"),
        (f"sha256:{HEX}", f"sha512:{HEX}", "base.digest must be sha256:"),
        ("debian:trixie-20261005-slim", "debian", "base.image must be an image with a dated tag"),
        ("debian:trixie-20261005-slim", "debian:trixie-slim", "base.image must be an image with a dated"),
        ("debian:trixie-20261005-slim", "debian:latest", "base.image must be an image with a dated tag"),
        ("debian:trixie-20261005-slim", "debian:trixie-20261305-slim", "base.image must be an image"),
        ("debian:trixie-20261005-slim", f"debian@sha256:{HEX}", "base.image must be an image with a"),
        ("20261005T000000Z", "20261005", "base.snapshot must be"),
        ("20261005T000000Z", "20261005T000000", "base.snapshot must be"),
        ("20261005T000000Z", "20261305T000000Z", "base.snapshot must be"),
        ("20261005T000000Z", "2026105T000000Z", "base.snapshot must be"),
        ("https://", "http://", "source.url must be an https address"),
        ("https://", "ftp://", "source.url must be an https address"),
        ("https://", "file://", "source.url must be an https address"),
        ("https://example.org/", "https:///", "source.url must be an https address"),
        ("https://example.org/", "https://example.org/ ", "source.url must be an https address"),
        ("hids/4.2.0.tar.gz", "hids/4.1.0.tar.gz", "source.url does not contain the version 4.2.0"),
        ("hids/4.2.0.tar.gz", "hids/14.2.0.tar.gz", "source.url does not contain the version 4.2.0"),
        ("hids/4.2.0.tar.gz", "hids/4.2.01.tar.gz", "source.url does not contain the version 4.2.0"),
        ("hids/4.2.0.tar.gz", "hids/4x2x0.tar.gz", "source.url does not contain the version 4.2.0"),
        ("revision = 1", "revision = ", "not valid TOML"),
        ("revision = 1", "revision = 1\nrevision = 2", "not valid TOML"),
    ],
)
def test_a_mistake_is_named_with_file_and_key(
    tmp_path: Path, line: str, instead: str, complaint: str
) -> None:
    assert line in GOOD
    path = write(tmp_path, GOOD.replace(line, instead, 1))
    with pytest.raises(UserError, match=f"^{re.escape(str(path))}.*{re.escape(complaint)}") as caught:
        release.load(path)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_text_is_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "4.2.0.toml"
    path.write_bytes(b"version = '\xff'")
    with pytest.raises(UserError, match=r"4\.2\.0\.toml is not valid TOML"):
        release.load(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"4\.2\.0\.toml cannot be read: No such file"):
        release.load(tmp_path / "4.2.0.toml")
    (tmp_path / "4.2.0.toml").mkdir()
    with pytest.raises(UserError, match=r"4\.2\.0\.toml cannot be read: Is a directory"):
        release.load_all(tmp_path)


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://example.org/x", True),
        ("http://127.0.0.1:8080/x", True),
        ("http://127.9.9.9/x", True),
        ("http://[::1]:8080/x", True),
        ("http://localhost/x", True),
        ("http://example.org/x", False),
        ("http://localhost.example.org/x", False),
        ("http://127.0.0.1@example.org/x", False),
        ("http://127.0.0.1:99999/x", False),
        ("http://[::1/x", False),
        ("https:/example.org/x", False),
        ("/x", False),
    ],
)
def test_only_https_and_loopback_are_safe(url: str, safe: bool) -> None:
    assert release.is_safe_url(url) is safe


def test_versions_come_newest_first_and_by_number(tmp_path: Path) -> None:
    add(tmp_path, "3.8.0", "4.2.0", "4.10.0", "4.2.1-rc.1", "4.2.1")
    (tmp_path / "README.md").touch()
    (tmp_path / ".#4.2.0.toml").symlink_to("nobody@nowhere")  # as Emacs leaves it
    assert [str(one.version) for one in release.load_all(tmp_path)] == [
        "4.10.0",
        "4.2.1",
        "4.2.1-rc.1",
        "4.2.0",
        "3.8.0",
    ]


def test_a_folder_without_version_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=re.escape(f"{tmp_path} holds no version file")):
        release.load_all(tmp_path)
    with pytest.raises(UserError, match="missing should hold the version files, but: No such file"):
        release.load_all(tmp_path / "missing")


def test_find_takes_the_newest_stable_or_the_one_named(tmp_path: Path) -> None:
    add(tmp_path, "4.1.0", "4.2.0", "4.3.0-rc.1")
    assert str(release.find(None, tmp_path).version) == "4.2.0"
    assert str(release.find("4.1.0", tmp_path).version) == "4.1.0"
    assert str(release.find("4.3.0-rc.1", tmp_path).version) == "4.3.0-rc.1"


def test_find_lists_what_there_is(tmp_path: Path) -> None:
    add(tmp_path, "4.1.0", "4.2.0")
    with pytest.raises(UserError, match=r"no version '9\.9\.9'.*Known: 4\.2\.0, 4\.1\.0\."):
        release.find("9.9.9", tmp_path)


def test_a_pre_release_is_never_found_unasked(tmp_path: Path) -> None:
    add(tmp_path, "4.3.0-rc.1")
    with pytest.raises(UserError, match=r"no stable version.*4\.3\.0-rc\.1"):
        release.find(None, tmp_path)


TAGS = {
    "5.0.0-rc.1-r1": "5.0.0-rc.1-r1 5.0.0-rc.1",
    "4.10.0-r2": "4.10.0-r2 4.10.0 4.10 4 latest",
    "4.10.0-r1": "4.10.0-r1",
    "4.2.3-rc.1-r1": "4.2.3-rc.1-r1 4.2.3-rc.1",
    "4.2.2-r10": "4.2.2-r10 4.2.2 4.2",
    "4.2.2-r9": "4.2.2-r9",
    "4.2.1-r1": "4.2.1-r1 4.2.1",
    "3.8.0-r1": "3.8.0-r1 3.8.0 3.8 3",
}


@pytest.mark.parametrize(("name", "expected"), TAGS.items())
def test_each_release_gets_its_tags(name: str, expected: str) -> None:
    assert release.tags(make(name), map(make, TAGS)) == tuple(expected.split())


def test_a_release_counts_among_the_others_also_when_it_is_not_listed() -> None:
    assert "latest" not in release.tags(make("4.2.1-r1"), [make("4.10.0-r1")])
    assert release.tags(make("4.2.0-r1"), []) == ("4.2.0-r1", "4.2.0", "4.2", "4", "latest")


def test_the_order_in_which_releases_are_listed_does_not_matter() -> None:
    few = [make(name) for name in ("4.2.0-r1", "4.2.0-r2", "4.1.0-r3", "4.3.0-rc.1-r1")]
    assert len({tuple(release.tags(one, order) for one in few) for order in permutations(few)}) == 1


@given(
    st.sets(
        st.tuples(*[st.integers(0, 3)] * 3, st.sampled_from(["", "-alpha", "-rc.1"]), st.integers(1, 12)),
        min_size=1,
    )
)
def test_no_tag_has_two_owners(parts: set[tuple[int, int, int, str, int]]) -> None:
    every = [make(f"{major}.{minor}.{patch}{pre}-r{r}") for major, minor, patch, pre, r in parts]
    given_out = [tag for one in every for tag in release.tags(one, every)]
    assert len(given_out) == len(set(given_out))
    stable = [one for one in every if not one.version.prerelease]
    # Every stable line has somebody who bears its tag.
    lines = {f"{one.version.major}.{one.version.minor}" for one in stable}
    assert lines | {str(one.version.major) for one in stable} <= set(given_out)
    assert ("latest" in given_out) == bool(stable)


@pytest.mark.parametrize("width", [200, 72])
def test_the_table_shows_every_release_and_cuts_nothing_off(width: int) -> None:
    every = [make("4.2.0-r1"), make("3.8.0-r2")]
    shown = io.StringIO()
    Console(file=shown, width=width).print(release.table(every))
    words = shown.getvalue()
    if width == 200:
        line = next(line for line in words.splitlines() if line.startswith("4.2.0"))
        assert line.split() == [
            "4.2.0",
            "1",
            "debian:trixie-20261005-slim",
            HEX[:12],
            *("4.2.0-r1", "4.2.0", "4.2", "4", "latest"),
        ]
    for tag in ("4.2.0-r1", "latest", "3.8.0-r2", "3.8"):
        assert tag in words.split()
    assert "…" not in words

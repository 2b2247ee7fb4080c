import hashlib
import io
import re
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pipeline import release, source
from pipeline.errors import UserError
from pipeline.project import CACHE_VARIABLE
from pipeline.upkeep import add
from tests.unit.http_server import Answer, Server, cut, serving, status, whole

HEX = "0123456789abcdef" * 4
COMMIT = "928b24e8e058f81ba4f53a8e0abf5faeddd08ad4"
DATE = 1785705369  # 2026-08-02 21:16:09 UTC
WRAPPED = re.findall(r"\w+", add.SHIM.read_text().partition("ALL_WRAPS :=")[2].partition("\nWRAPS")[0])
OPTIONS = "analysisd.memory_size=8192\nmaild.grouping=1\n"
FILES = {
    "src/Makefile": "all:\n",
    "src/analysisd/analysisd.c": f"void calls(void)\n{{\n    {'(); '.join(WRAPPED).replace('_8()', '()')}();\n}}\n",
    "src/remoted/remoted.c": "void not_of_the_image(void)\n{\n    getnameinfo();\n}\n",
    "src/tests/test_it.c": "void left_out(void) { os_gone(); }",
    "etc/internal_options.conf": f"# analysisd.said=1\n{OPTIONS}",
    "etc/ossec-server.conf": "<rules><include>sshd_rules.xml</include></rules>",
}
VERSION_FILE = """\
version = "{version}"
revision = 3

[source]
url = "https://example.org/{version}.tar.gz"
size = {size}
sha256 = "{sha256}"
commit_date = 1

[base]
image = "debian:trixie-{day}-slim"
digest = "sha256:{hex}"
snapshot = "{day}T000000Z"

[build]
cflags = [{cflags}]
"""


def packed(
    version: str,
    files: Mapping[str, str] = FILES,
    date: Callable[[str], int] = lambda _: DATE,
    commit: str = COMMIT,
) -> bytes:
    """A tarball as `git archive` makes it."""
    out = io.BytesIO()
    headers = {"comment": commit} if commit else {}
    with tarfile.open(fileobj=out, mode="w:gz", format=tarfile.PAX_FORMAT, pax_headers=headers) as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"ossec-hids-{version}/{name}")
            entry.size, entry.mtime = len(text), date(name)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return out.getvalue()


def known(folder: Path, version: str, tarball: bytes = b"?", day: str = "20261005", cflags: str = "") -> None:
    sums = {"size": len(tarball), "sha256": hashlib.sha256(tarball).hexdigest()}
    text = VERSION_FILE.format(version=version, day=day, hex=HEX, cflags=cflags, **sums)
    (folder / f"{version}.toml").write_text(text)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.delenv(source.MIRROR_VARIABLE, raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    folder = tmp_path / "cache" / "sources"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The version files of 4.2.0 and 3.8.0."""
    made = tmp_path / "versions"
    made.mkdir()
    known(made, "4.2.0")
    known(made, "3.8.0", day="20250101", cflags='"-fcommon"')
    return made


def refused(folder: Path, version: str, upstream: str, match: str) -> str:
    """See it fail with this one line, and nothing changed."""
    before = {path: path.read_bytes() for path in folder.parent.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match=match) as caught:
        add.add(version, folder, upstream)
    assert {path: path.read_bytes() for path in folder.parent.rglob("*") if path.is_file()} == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_facts_of_a_new_release_are_computed(folder: Path, cache: Path, server: Server) -> None:
    body = packed("4.3.0")
    server.script = [whole(body)]
    added = add.add("4.3.0", folder, server.address)
    assert server.paths == ["/archive/refs/tags/4.3.0.tar.gz"]
    found = release.load(added.version_file)
    assert found.source == release.Source(
        f"{server.address}/archive/refs/tags/4.3.0.tar.gz", len(body), hashlib.sha256(body).hexdigest(), DATE
    )
    newest = release.find("4.2.0", folder)
    assert (found.revision, found.base, found.build) == (1, newest.base, newest.build)
    assert release.find(None, folder) == found
    assert source.fetch(found).read_bytes() == body  # from the cache: nobody answers there any more
    assert len(server.paths) == 1
    said = "\n".join(added.review)
    assert f"commit {COMMIT} of 2026-08-02 21:16 UTC" in said
    assert "Nobody but the server vouches" in said
    assert list(cache.iterdir()) == [added.tarball]
    assert sorted(path.name for path in folder.iterdir()) == ["3.8.0.toml", "4.2.0.toml", "4.3.0.toml"]


def test_it_tells_what_differs_from_the_version_next_below(folder: Path, cache: Path, server: Server) -> None:
    before = packed("4.2.0")
    known(folder, "4.2.0", before)
    (cache / "ossec-hids-4.2.0.tar.gz").write_bytes(before)
    files = {
        **FILES,
        "src/analysisd/analysisd.c": FILES["src/analysisd/analysisd.c"].replace(
            " getnameinfo()", " os_gone()"
        ),
        "etc/internal_options.conf": "analysisd.memory_size=1\nanalysisd.added=1\n",
        "etc/ossec-server.conf": "<rules><include>new_rules.xml</include></rules>",
    }
    server.script = [whole(packed("4.3.0", files, lambda name: DATE - len(name)))]
    added = add.add("4.3.0", folder, server.address)
    said = "\n".join(added.review)
    assert "New option of internal_options.conf since 4.2.0: analysisd.added." in said
    assert "Gone option of internal_options.conf since 4.2.0: maild.grouping." in said
    assert "New rule file of ossec-server.conf since 4.2.0: new_rules.xml." in said
    assert "Gone rule file of ossec-server.conf since 4.2.0: sshd_rules.xml." in said
    assert "getnameinfo, which the shim wraps, is gone" in said
    assert "several dates" in said
    assert release.load(added.version_file).build.without_wraps == ("getnameinfo",)


def test_a_function_that_only_a_comment_or_a_text_names_is_missing() -> None:
    calls = """\
void calls(void)
{
    /* Prefer chmod over chown: "quoted
     * chown falls back (#2040).
     */
    char quote = '"'; // chown, on the line's end
    log("http://example.org/*", "chown: \\" chown");
    chmod(); /* chown */
}
"""
    files = {**FILES, "src/analysisd/analysisd.c": calls}
    missing = add.missing_wraps(add.look_into(packed("4.3.0", files), "4.3.0", "it"))
    assert set(WRAPPED) - set(missing) == {"chmod"}


def test_nothing_differs_from_an_equal_release(folder: Path, cache: Path, server: Server) -> None:
    before = packed("4.2.0")
    known(folder, "4.2.0", before)
    (cache / "ossec-hids-4.2.0.tar.gz").write_bytes(before)
    server.script = [whole(packed("4.2.1", commit=""))]
    review = add.add("4.2.1", folder, server.address).review
    assert review[1:] == ("It names no commit; its newest file is of 2026-08-02 21:16 UTC.",)


def test_a_patch_of_an_older_line_is_built_as_that_line_is(folder: Path, server: Server) -> None:
    server.script = [whole(packed("3.9.0"))]
    found = release.load(add.add("3.9.0", folder, server.address).version_file)
    assert found.build.cflags == ("-fcommon",)  # 3.8.0's
    assert found.base == release.find("4.2.0", folder).base


def test_a_tarball_that_was_put_by_hand_is_taken(folder: Path, cache: Path, server: Server) -> None:
    (cache / "ossec-hids-3.7.0.tar.gz").write_bytes(packed("3.7.0"))
    added = add.add("3.7.0", folder, server.address)
    assert server.paths == []
    assert added.review[0].startswith("The tarball was taken from the cache")


def test_a_mirror_is_asked_instead(folder: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(source.MIRROR_VARIABLE, f"{server.address}/mirror/")
    server.script = [whole(packed("4.3.0"))]
    added = add.add("4.3.0", folder, "https://192.0.2.1")
    assert server.paths == ["/mirror/ossec-hids-4.3.0.tar.gz"]
    assert release.load(added.version_file).source.url.startswith("https://192.0.2.1/archive/")


@pytest.mark.parametrize("version", ["", "4.3", "v4.3.0", "../4.3.0", "4.3.0-r1", "4.3.0+x", "4.3.0\n"])
def test_what_is_no_version_is_refused(folder: Path, server: Server, version: str) -> None:
    refused(folder, version, server.address, "is no version")
    assert server.paths == []


def test_a_version_that_is_there_is_refused(folder: Path, server: Server) -> None:
    refused(folder, "3.8.0", server.address, r"3\.8\.0\.toml is there already.*raise the revision")
    assert server.paths == []


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (status(404), "answered 404 .*by hand"),
        (
            status(302, Location="http://192.0.2.1/x"),
            r"redirects to http://192\.0\.2\.1/x, which is not https",
        ),
        (status(302, Location="/again"), "redirects more than 5 times"),
        (cut(packed("4.3.0"), 300), r"(ended after 300 of|cannot be reached)"),
        (whole(b"<html>no</html>"), "is no tarball"),
        (whole(packed("4.3.0")[:-20]), "is no tarball"),
        (whole(packed("4.2.9")), r"is not OSSEC 4\.3\.0: it holds ossec-hids-4\.2\.9/"),
        (whole(packed("4.3.0", {"README": "no"})), "is no OSSEC release"),
        (whole(b"x" * 2000), "more than 1,000 bytes"),
    ],
    ids=["unknown", "redirect", "circle", "cut", "html", "half", "another", "no OSSEC", "too large"],
)
def test_what_is_no_release_leaves_nothing_behind(
    folder: Path, server: Server, answer: Answer, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "1,000" in complaint:
        monkeypatch.setattr("pipeline.web.LARGEST", 1000)
    server.script = [answer]
    refused(folder, "4.3.0", server.address, complaint)


def test_without_a_network_it_says_what_to_put_where(folder: Path, cache: Path) -> None:
    with serving() as gone:
        pass
    message = refused(folder, "4.3.0", gone.address, "cannot be reached: Connection refused")
    assert str(cache / "ossec-hids-4.3.0.tar.gz") in message
    assert source.MIRROR_VARIABLE in message


def test_what_anybody_may_change_on_its_way_is_not_asked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(source.MIRROR_VARIABLE, "http://me:secret@192.0.2.1/mirror")
    message = refused(folder, "4.3.0", "https://192.0.2.1", "is not https")
    assert "secret" not in message


def test_a_folder_that_cannot_be_written_is_named(folder: Path, server: Server, tmp_path: Path) -> None:
    server.script = [whole(packed("4.3.0"))]
    (tmp_path / "cache" / "sources").rmdir()
    (tmp_path / "cache" / "sources").write_text("in the way")
    refused(folder, "4.3.0", server.address, r"ossec-hids-4\.3\.0\.tar\.gz cannot be written")

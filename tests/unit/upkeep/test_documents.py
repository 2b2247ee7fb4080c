"""The pages name the newest version as the version files say it."""

from dataclasses import replace
from pathlib import Path

from semver import Version

from pipeline import project, release
from pipeline.upkeep import documents

EVERY = release.load_all()
NEWEST = release.find()
NEXT = replace(NEWEST, version=Version.parse("99.0.0"), revision=1)


def test_no_page_names_an_older_tag_than_the_newest() -> None:
    """The tests of documentation put the image under test in place of any tag, so they would not see a stale one."""
    for page in documents.pages(project.ROOT):
        stale = documents.written(page.read_text(), EVERY) != page.read_text()
        assert not stale, (
            f"{page} names another tag than {NEWEST.immutable_tag}: run `./dev releases --write`"
        )


def test_there_is_something_to_keep() -> None:
    named = [page.name for page in documents.pages(project.ROOT) if documents.TAG.search(page.read_text())]
    assert {"README.md", "compose.yaml"} <= set(named)
    assert documents.TABLE.search((project.ROOT / "README.md").read_text())


def test_a_newer_version_is_named_everywhere(tmp_path: Path) -> None:
    (tmp_path / "docs" / "use").mkdir(parents=True)
    (tmp_path / "examples").mkdir()
    page, example = tmp_path / "docs" / "use" / "x.md", tmp_path / "examples" / "x.yaml"
    page.write_text(f"docker run ossec-log-server:{NEWEST.immutable_tag} check # since {NEWEST.version}\n")
    tag = NEWEST.immutable_tag
    example.write_text(
        f"image: ossec-log-server:{tag}-arm64\nappVersion: {tag}\napp.kubernetes.io/version: {tag}\n"
    )
    (tmp_path / "README.md").write_text("<!-- versions -->\nold\n<!-- end of versions -->\n")
    (tmp_path / "examples" / "picture").write_bytes(b"\xff\xfe")
    assert len(documents.update([*EVERY, NEXT], tmp_path)) == 3
    assert page.read_text() == f"docker run ossec-log-server:99.0.0-r1 check # since {NEWEST.version}\n"
    assert example.read_text().count("99.0.0-r1") == 3
    assert tag not in example.read_text()
    assert (
        "| 99.0.0 | `99.0.0-r1`, `99.0.0`, `99.0`, `99`, `latest` |" in (tmp_path / "README.md").read_text()
    )
    assert documents.update([*EVERY, NEXT], tmp_path) == []


def test_a_pre_release_is_named_nowhere() -> None:
    early = replace(NEXT, version=Version.parse("99.0.0-rc.1"))
    text = f"ossec-log-server:{NEWEST.immutable_tag}"
    assert documents.written(text, [*EVERY, early]) == text

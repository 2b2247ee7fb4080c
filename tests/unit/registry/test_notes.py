"""The text and the files of a release on GitHub."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import registry, release, source
from pipeline.image import content
from pipeline.registry import INDEX, Manifest, attest, notes
from tests.unit.registry.test_published import COMMIT, says

WANTED = replace(release.find(), revision=1)
TOP = Manifest(INDEX, b"{}")
NAME = "registry.example/ossec-log-server"


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that has the release for two platforms."""

    class Repository:
        def manifest(self, name: str) -> Manifest | None:
            return TOP if name == WANTED.immutable_tag else None

        def digest(self, name: str) -> str | None:
            return TOP.digest if name == WANTED.immutable_tag else None

    monkeypatch.setattr(registry, "parse", lambda text: (Repository(), text.rpartition(":")[2]))
    monkeypatch.setattr(
        content, "published", lambda *_: (says(architecture="amd64"), says(architecture="arm64"))
    )
    monkeypatch.setattr(source, "fetch", lambda _: Path("ossec.tar.gz"))
    monkeypatch.setattr(
        attest, "statements", lambda *_: {attest.SPDX: {"a": 1}, attest.CYCLONEDX: {"b": 2}, "other": {}}
    )


@pytest.mark.usefixtures("there")
def test_each_platform_has_its_sboms_and_its_digest(tmp_path: Path) -> None:
    notes.write(WANTED, NAME, tmp_path / "new")
    tag = WANTED.immutable_tag
    files = {path.name for path in (tmp_path / "new").iterdir()}
    sboms = {f"{tag}-{one}.{kind}.json" for one in ("amd64", "arm64") for kind in ("spdx", "cdx")}
    assert files == {"notes.md", "digests.txt", "commit", "latest", *sboms}
    assert (tmp_path / "new" / "commit").read_text().strip() == COMMIT
    assert (tmp_path / "new" / "latest").read_text() == "false\n"
    assert json.loads((tmp_path / "new" / f"{tag}-arm64.cdx.json").read_text()) == {"b": 2}
    assert (tmp_path / "new" / "digests.txt").read_text().splitlines() == [
        f"{TOP.digest} {NAME}:{tag}",
        f"{says(architecture='amd64').digest} linux/amd64",
        f"{says(architecture='arm64').digest} linux/arm64",
    ]
    text = (tmp_path / "new" / "notes.md").read_text()
    assert f"docker pull {NAME}:{tag}@{TOP.digest}" in text
    assert f"./dev verify {NAME}:{tag}" in text


def test_what_changed_is_told_since_the_revision_before_of_the_same_version(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        who = ("-c", "user.name=t", "-c", "user.email=t@t.example")
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    def commit(path: str, subject: str) -> None:
        file = tmp_path / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(subject)
        git("add", "--all")
        git("commit", "--message", subject)

    version = WANTED.version
    third = replace(WANTED, revision=3)
    git("init")
    commit("docker/x", "before")
    assert notes.changes(WANTED, tmp_path) == [], "there is no revision before the first"
    git("tag", f"{version}-r1")
    commit("docker/x", "of the second")
    git("tag", f"{version}-r2")
    commit("docker/x", "the image")
    git("tag", "3.6.0-r9")  # of another version, and newer
    commit("README.md", "not the image")
    commit(f"versions/{version}.toml", "the version")
    git("tag", f"{version}-r3")
    git("tag", f"{version}-r10")
    assert notes.changes(third, tmp_path) == ["the version", "the image"]
    assert notes.changes(WANTED, tmp_path) == []
    assert "- the version\n- the image\n" in notes.notes(third, NAME, TOP, [], notes.changes(third, tmp_path))

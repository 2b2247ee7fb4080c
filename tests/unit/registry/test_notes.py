"""The text and the files of a release on GitHub."""

import json
import subprocess
from pathlib import Path

import pytest

from pipeline import registry, release, source
from pipeline.image import content
from pipeline.registry import INDEX, Manifest, attest, notes
from tests.unit.registry.test_published import says

WANTED = release.find("4.2.0")
TOP = Manifest(INDEX, b"{}")
NAME = "registry.example/ossec-log-server"


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that has the release for two platforms."""

    class Repository:
        def manifest(self, name: str) -> Manifest | None:
            return TOP if name == WANTED.immutable_tag else None

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
    assert files == {"notes.md", "digests.txt", *sboms}
    assert json.loads((tmp_path / "new" / f"{tag}-arm64.cdx.json").read_text()) == {"b": 2}
    assert (tmp_path / "new" / "digests.txt").read_text().splitlines() == [
        f"{TOP.digest} {NAME}:{tag}",
        f"{says(architecture='amd64').digest} linux/amd64",
        f"{says(architecture='arm64').digest} linux/arm64",
    ]
    text = (tmp_path / "new" / "notes.md").read_text()
    assert f"docker pull {NAME}:{tag}@{TOP.digest}" in text
    assert f"./dev verify {NAME}:{tag}" in text


def test_what_changed_is_told_since_the_last_tag(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        who = ("-c", "user.name=t", "-c", "user.email=t@t.example")
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    def commit(path: str, subject: str) -> None:
        file = tmp_path / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(subject)
        git("add", "--all")
        git("commit", "--message", subject)

    git("init")
    commit("docker/x", "before")
    assert notes.changes(WANTED, tmp_path) == []
    git("tag", "4.1.0-r1")
    commit("docker/x", "the image")
    commit("README.md", "not the image")
    commit("versions/4.2.0.toml", "the version")
    git("tag", WANTED.immutable_tag)
    assert notes.changes(WANTED, tmp_path) == ["the version", "the image"]
    assert "- the version\n- the image\n" in notes.notes(
        WANTED, NAME, TOP, [], notes.changes(WANTED, tmp_path)
    )

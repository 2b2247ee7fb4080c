"""What a published image may say of itself, and what is done where that can't be built again."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from pipeline import project, registry
from pipeline.errors import UserError
from pipeline.image import content
from pipeline.image.content import Content
from pipeline.registry import MANIFEST, Manifest, published

COMMIT = "0" * 40


def says(version: str = "4.2.0-r1", revision: str = COMMIT, architecture: str = "amd64") -> Content:
    """An image with these labels and nothing in it."""
    labels = {"org.opencontainers.image.version": version, "org.opencontainers.image.revision": revision}
    config: dict[str, Any] = {"os": "linux", "architecture": architecture, "config": {"Labels": labels}}
    raw = json.dumps({"architecture": architecture}).encode()
    return Content(Manifest(MANIFEST, raw), config, lambda _: io.BytesIO())


@pytest.mark.parametrize(
    ("version", "revision"),
    [
        ("", COMMIT),
        ("latest", COMMIT),
        ("../../etc/passwd-r1", COMMIT),
        ("4.2.0-r1", ""),
        ("4.2.0-r1", "unknown"),
        ("4.2.0-r1", f"{COMMIT}-dirty"),
        ("4.2.0-r1", "--output=/tmp/x"),
    ],
)
def test_what_is_no_version_or_no_commit_is_not_believed(version: str, revision: str) -> None:
    with pytest.raises(UserError, match="can't be built again"), published.recipe(says(version, revision)):
        pass


def test_a_commit_that_is_not_here_is_named() -> None:
    with pytest.raises(UserError, match=f"{COMMIT}.*git fetch"), published.recipe(says()):
        pass


class Repository:
    """A registry's repository with one tag."""

    def manifest(self, name: str) -> Manifest | None:
        return says().manifest if name == "4.2.0-r1" else None


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "parse", lambda text: (Repository(), text.rpartition(":")[2]))
    monkeypatch.setattr(
        content, "published", lambda *_: (says(architecture="amd64"), says(architecture="arm64"))
    )


@pytest.mark.usefixtures("there")
def test_the_image_of_the_platform_is_found() -> None:
    found = published.find("registry.example/x:4.2.0-r1", "linux/arm64")
    assert found.platform["architecture"] == "arm64"


@pytest.mark.usefixtures("there")
def test_a_platform_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match="for linux/amd64, linux/arm64, but not for linux/riscv64"):
        published.find("registry.example/x:4.2.0-r1", "linux/riscv64")


@pytest.mark.usefixtures("there")
def test_a_tag_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match=r"no registry\.example/x:9"):
        published.find("registry.example/x:9", "linux/amd64")


def test_a_commit_is_unpacked_by_an_older_python_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian 12's 3.11.2 has no filters in tarfile."""
    monkeypatch.delattr(tarfile, "data_filter", raising=False)
    root, to = tmp_path / "repository", tmp_path / "to"
    (root / "docker").mkdir(parents=True)
    (root / "versions").mkdir()
    to.mkdir()
    (root / "docker" / "Dockerfile").write_text("FROM scratch\n")
    (root / "docker" / "script").touch(mode=0o755)
    (root / "versions" / "9.9.9.toml").touch()
    monkeypatch.setattr(project, "ROOT", root)
    who = ("-c", "user.name=t", "-c", "user.email=t@t.example")
    for words in (["init", "--quiet"], ["add", "."], [*who, "commit", "--quiet", "--message=x"]):
        assert project.git(*words).returncode == 0
    published._check_out(project.git_says("rev-parse", "HEAD"), "9.9.9", to)
    assert sorted(str(one.relative_to(to)) for one in to.rglob("*") if one.is_file()) == [
        "docker/Dockerfile",
        "docker/script",
        "versions/9.9.9.toml",
    ]
    assert (to / "docker" / "script").stat().st_mode & 0o111


def test_where_the_project_lies_is_taken_from_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", "me/fork")
    assert project.home() == "https://github.com/me/fork"

"""A registry, a key, and a folder like this project's with tiny images that may be published."""

import os
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from pipeline import image, registry, source
from pipeline.errors import UserError
from pipeline.project import CACHE_VARIABLE
from pipeline.registry import cosign, publish
from pipeline.release import Release
from pipeline.server import tested
from tests.publish import tiny
from tests.publish.local_registry import HubRules, LocalRegistry, running


def not_run(reason: str) -> NoReturn:
    """Skip; in CI, where everything is there, fail: nobody would see that nothing was tested."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def local_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRegistry]:
    """Debian's docker-registry. Skips where it can't be had."""
    try:
        with running(tmp_path_factory.mktemp("registry")) as found:
            yield found
    except UserError as problem:
        not_run(f"NOT RUN AGAINST A REGISTRY: docker-registry can't be had: {problem}")


@pytest.fixture(autouse=True)
def logged_in(local_registry: LocalRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `docker login` and an administrator of this machine would have left."""
    log_in(local_registry, tmp_path, monkeypatch)
    local_registry.cut = ""
    local_registry.hub = None


def log_in(to: LocalRegistry, folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Leave in the folder what `docker login` would, and the registry's certificate; both are used until the undo."""
    (folder / "docker").mkdir()
    patch.setenv("DOCKER_CONFIG", str(to.docker_config(folder / "docker")))
    trusted = folder / "certs.d"
    (trusted / to.host).mkdir(parents=True)
    (trusted / to.host / "ca.crt").symlink_to(to.certificate)
    patch.setattr(registry, "CERTIFICATES", trusted)


@pytest.fixture
def docker_hub(local_registry: LocalRegistry) -> HubRules:
    """The registry keeps Docker Hub's rules."""
    local_registry.hub = HubRules()
    return local_registry.hub


@dataclass(frozen=True)
class Keys:
    """A key pair of cosign's: the two files."""

    private: str
    public: str


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """A key to sign with. Skips where cosign can't be had."""
    try:
        cosign.ensure()
    except UserError as problem:
        not_run(f"NOT RUN WITH SIGNATURES: {problem}")
    return new_keys(tmp_path_factory.mktemp("keys"))


def new_keys(folder: Path) -> Keys:
    """Make a key pair without a password in the folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(cosign.PASSWORD, "")
        subprocess.run(["cosign", "generate-key-pair"], cwd=folder, check=True, capture_output=True)
    return Keys(str(folder / "cosign.key"), str(folder / "cosign.pub"))


@dataclass
class Project:
    """A clean git repository with what an image is made from, a cache of its own, and a repository to publish in."""

    root: Path
    registry: LocalRegistry
    repository: str
    keys: Keys
    releases: tuple[Release, ...] = ()

    def build(
        self,
        wanted: Release,
        platform: str = "linux/amd64",
        passed: bool = True,
        about: Mapping[str, str | None] | None = None,
    ) -> str:
        """Leave in the cache what `build`, and `smoke` if it `passed`, would have: the image's digest.

        `about` is as `tiny.write` takes it.
        """
        if wanted not in self.releases:
            self.releases += (wanted,)
        path = image.archive(image.name(wanted, platform=platform), platform)
        architecture = platform.partition("/")[2]
        about = {"revision": image.revision_of(wanted), **(about or {})}
        digest = tiny.write(path, wanted, architecture, self.repository, about)
        if passed:
            tested.record(path, digest, "tests")
            tested.note(digest, tested.REPRODUCED, "tests")
        source.tarball_path(wanted).parent.mkdir(parents=True, exist_ok=True)
        source.tarball_path(wanted).write_bytes(tiny.tarball(str(wanted.version)))
        return digest

    def revision(self, wanted: Release) -> str:
        """The commit that an image of the release is made from."""
        return image.revision_of(wanted)

    def publish(
        self, wanted: Release, only: str = "linux/amd64", dry_run: bool = False, stage: str = ""
    ) -> None:
        """As `invoke publish` does it."""
        signer = cosign.Signer(self.keys.private)
        publish.publish(wanted, self.releases, self.repository, signer, only, dry_run, stage)

    def tags(self) -> dict[str, str]:
        """What is in the repository: tag → digest, without the tags that hold signatures."""
        path = self.repository.partition("/")[2]
        names = self.registry.get(f"{path}/tags/list").json().get("tags") or []
        manifests = {
            name: self.registry.get(f"{path}/manifests/{name}") for name in names if name[:7] != "sha256-"
        }
        return {name: registry.digest_of(manifest.content) for name, manifest in manifests.items()}

    def git(self, *words: str) -> None:
        """Run git there, as somebody."""
        somebody = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
        subprocess.run(["git", *somebody, *words], cwd=self.root, check=True, capture_output=True)


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, local_registry: LocalRegistry, keys: Keys
) -> Project:
    """A project whose release 9.9.9-r1 is built and tested."""
    return new_project(tmp_path, monkeypatch, local_registry, keys)


def new_project(folder: Path, patch: pytest.MonkeyPatch, at: LocalRegistry, keys: Keys) -> Project:
    """The fixture's: in the folder, as project/ and cache/, and in use until the undo."""
    root = folder / "project"
    (root / "docker").mkdir(parents=True)
    (root / "docker" / "Dockerfile").write_text("FROM scratch\n")
    use(folder, patch)
    made = Project(root, at, f"{at.host}/test/{secrets.token_hex(4)}", keys)
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message=First"]):
        made.git(*words)
    made.build(tiny.release())
    return made


def use(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Until the undo, the folder's project/ and cache/ are ours, and keys have no password."""
    patch.setattr("pipeline.project.ROOT", folder / "project")
    patch.setenv(CACHE_VARIABLE, str(folder / "cache"))
    patch.setenv(cosign.PASSWORD, "")

"""The release workflow, played from one end to the other, against a registry with Docker Hub's rules."""

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pipeline.project import ROOT
from pipeline.upkeep.add import WRITTEN
from tests.publish import tiny
from tests.publish.actions import ARCHITECTURES, Run
from tests.publish.conftest import Keys
from tests.publish.local_registry import PASSWORD, USER, HubRules, LocalRegistry

PLAYED = Path(__file__).parent / "play"


class GitHub:
    """A repository on GitHub: its bare git repository, somebody's clone, and what `gh` knows of it."""

    def __init__(self, folder: Path, registry: LocalRegistry, keys: Keys, played_dev: Path) -> None:
        self.folder, self.registry = folder, registry
        self.image = f"{registry.host}/me/{secrets.token_hex(4)}"
        self.remote, self.clone, self.play = folder / "remote.git", folder / "clone", folder / "play"
        self.runs = 0
        self.play.mkdir(parents=True)
        for file in (keys.private, keys.public):
            shutil.copy(file, self.play)
        trusted = self.play / "certs.d" / registry.host
        trusted.mkdir(parents=True)
        (trusted / "ca.crt").symlink_to(registry.certificate)
        held = {"releases": {}, "pulls": [], "issues": [], "may_open_pulls": True}
        (self.play / "github.json").write_text(json.dumps(held))
        (folder / "login").mkdir()
        (folder / "nobody").mkdir()
        self.git("init", "--quiet", "--bare", "--initial-branch=main", str(self.remote), at=folder)
        self.git("clone", "--quiet", str(self.remote), str(self.clone), at=folder)
        shutil.copytree(ROOT / ".github", self.clone / ".github")
        # It changes the settings of the machine's own engine.
        (self.clone / ".github" / "prepare-engine").write_text("#!/bin/sh\n")
        (self.clone / "docker").mkdir()
        (self.clone / "docker" / "Dockerfile").write_text("FROM scratch\n")
        dev = self.clone / "dev"
        dev.write_text(f'#!/bin/sh\nexec {sys.executable} -IS {PLAYED}/call.py {played_dev} "$@"\n')
        dev.chmod(0o755)
        (self.clone / ".gitignore").write_text(".release/\n")

    def git(self, *words: str, at: Path | None = None) -> str:
        """Run git in the clone, as somebody."""
        somebody = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
        done = subprocess.run(
            ["git", *somebody, *words], cwd=at or self.clone, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def version(self, version: str, revision: int = 1, comment: str = "") -> None:
        """Write a version file."""
        wanted = tiny.release(version)
        text = WRITTEN.format(
            version=version,
            url=wanted.source.url,
            size=wanted.source.size,
            sha256=wanted.source.sha256,
            commit_date=wanted.source.commit_date,
            base=wanted.base,
            cflags="",
            without_wraps="",
            packages="",
        ).replace("revision = 1", f"revision = {revision}")
        (self.clone / "versions").mkdir(exist_ok=True)
        (self.clone / "versions" / f"{version}.toml").write_text(text + comment)

    def push(self, subject: str) -> None:
        """Commit all, and push to main."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", subject)
        self.git("push", "--quiet", "origin", "HEAD:main")

    def run(self, ref: str = "main", workflow: str = "release") -> Run:
        """What the push of that branch or tag starts, played to its end."""
        self.runs += 1
        environment = {
            "PATH": f"{PLAYED}:{os.environ['PATH']}",
            "HOME": str(self.folder / "nobody"),
            "DOCKER_CONFIG": str(self.folder / "nobody"),
            "PLAY_FOLDER": str(self.play),
            "COSIGN_PASSWORD": "",
            "CI": "true",
        }
        github = {
            "actions": "true",
            "repository": "me/ossec-log-server",
            "server_url": "https://github.com",
            "ref_type": "branch" if ref == "main" else "tag",
            "ref_name": ref,
            "sha": self.git("rev-parse", f"{ref}^{{commit}}" if ref != "main" else "HEAD"),
            "workflow_ref": f"me/ossec-log-server/.github/workflows/release.yml@refs/heads/{ref}",
            "run_id": str(self.runs),
            "run_attempt": "1",
            "token": "token",
        }
        variables = {"IMAGE": self.image, "DOCKERHUB_USER": USER, "DOCKERHUB_TOKEN": PASSWORD}
        made = Run(
            ROOT / ".github" / "workflows" / f"{workflow}.yml",
            self.remote,
            self.folder / f"run-{self.runs}",
            github,
            variables,
            environment,
            self.registry.docker_config(self.folder / "login"),
        )
        made.start()
        return made

    def fail(self, *lines: str) -> None:
        """What is to fail, once."""
        (self.play / "fails").write_text("\n".join(lines))

    @property
    def releases(self) -> dict[str, dict[str, str]]:
        """The releases on GitHub, by their tags."""
        found: dict[str, dict[str, str]] = json.loads((self.play / "github.json").read_text())["releases"]
        return found

    @property
    def tags(self) -> dict[str, str]:
        """The image's tags: tag → digest."""
        path = self.image.partition("/")[2]
        answer = self.registry.get(f"{path}/tags/list").json()
        names = [name for name in answer.get("tags") or [] if not name.startswith("sha256-")]
        return {
            name: self.registry.get(f"{path}/manifests/{name}").headers["Docker-Content-Digest"]
            for name in names
        }


@pytest.fixture(scope="module")
def played_dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which play/dev.py listens, for each architecture."""
    folder = tmp_path_factory.mktemp("dev")
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    with ExitStack() as stack:
        for _, architecture in ARCHITECTURES.values():
            words = [sys.executable, str(PLAYED / "dev.py"), str(folder), architecture]
            process = stack.enter_context(
                subprocess.Popen(words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            )  # which closes its standard input, and waits, at the end
            assert process.stdout
            assert process.stdout.readline() == b"ready\n"
        yield folder


@pytest.fixture
def github(
    tmp_path: Path, local_registry: LocalRegistry, docker_hub: HubRules, keys: Keys, played_dev: Path
) -> GitHub:
    return GitHub(tmp_path / "github", local_registry, keys, played_dev)


def at(tags: dict[str, str], name: str) -> set[str]:
    """The tags that point at the same as this one."""
    return {tag for tag, digest in tags.items() if digest == tags.get(name)}


def test_releases_from_the_first_to_one_that_fails_half_way(github: GitHub, docker_hub: HubRules) -> None:
    # The first: to a repository that Docker Hub does not have yet.
    github.version("9.8.0")
    github.push("First")
    first = github.run()
    assert first.failures == {}
    assert at(github.tags, "9.8.0-r1") == {"9.8.0-r1", "9.8.0", "9.8", "9", "latest"}
    assert github.releases["9.8.0-r1"]["latest"] == "true"
    assert len(github.releases["9.8.0-r1"]["files"]) == 5
    assert github.git("ls-remote", "origin", "refs/tags/9.8.0-r1")
    assert docker_hub.pulls < 60, "for one version, of 100 that an address has"

    # Nothing is new: a comment is no release.
    github.version("9.8.0", comment="# A comment.\n")
    github.push("A comment")
    before = github.tags
    again = github.run()
    assert (again.outputs["versions"]["versions"], again.failures) == ("[]", {})
    assert github.tags == before

    # Two at once, of which one fails its tests on one machine: the other is released, a repetition brings the first.
    docker_hub.pulls = 0
    github.version("9.8.0", revision=2)
    github.version("9.9.0")
    github.push("A second revision, and a new version")
    github.fail("image 9.8.0 arm64")
    two = github.run()
    assert json.loads(two.outputs["versions"]["versions"]) == ["9.8.0", "9.9.0"]
    assert {key for key in two.failures if "9.9.0" in key} == set()
    assert "build 9.8.0 ubuntu-24.04-arm" in two.failures
    tags = github.tags
    assert at(tags, "9.9.0-r1") == {"9.9.0-r1", "9.9.0", "9.9", "9", "latest"}
    assert "9.8.0-r2" not in tags
    assert "9.8.0-r2" not in github.releases
    docker_hub.pulls = 0
    two.start()
    assert two.failures == {}
    tags = github.tags
    assert at(tags, "9.8.0-r2") == {"9.8.0-r2", "9.8.0", "9.8"}
    assert at(tags, "9.9.0-r1") == {"9.9.0-r1", "9.9.0", "9.9", "9", "latest"}
    # An older version that is announced last is not GitHub's latest; its notes are about its own revision before.
    assert github.releases["9.8.0-r2"]["latest"] == "false"
    assert "- A second revision, and a new version" in github.releases["9.8.0-r2"]["notes"]
    assert github.releases["9.9.0-r1"]["latest"] == "true"
    assert "Changes since" not in github.releases["9.9.0-r1"]["notes"]


def test_a_release_that_is_cut_short_is_run_again(github: GitHub, local_registry: LocalRegistry) -> None:
    github.version("9.9.9")
    github.push("First")
    local_registry.cut = "PUT .*/manifests/sha256:"
    run = github.run()
    assert not local_registry.cut
    assert "publish 9.9.9" in run.failures
    assert github.tags == {}
    local_registry.cut = "PUT .*/manifests/latest"
    run.start()
    assert not local_registry.cut, run.failures
    assert set(run.failures) == {"tag 9.9.9"}
    assert set(github.tags) == {"9.9.9-r1", "9.9.9", "9.9", "9"}
    run.start()
    assert run.failures == {}
    assert set(github.tags) == {"9.9.9-r1", "9.9.9", "9.9", "9", "latest"}
    assert "9.9.9-r1" in github.releases


def test_what_was_pushed_and_is_not_the_same_when_built_again_gets_no_tag(github: GitHub) -> None:
    github.version("9.9.9")
    github.push("First")
    # The build job's own comparison passes; the one of what was pushed does not.
    workflow = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    assert workflow.index("--stage push") < workflow.index("--against") < workflow.index("--stage tag")
    github.fail("rebuild 9.9.9 arm64")
    run = github.run()
    assert "build 9.9.9 ubuntu-24.04-arm" in run.failures
    assert github.tags == {}
    assert github.releases == {}


def test_a_tag_that_fits_no_version_file_releases_nothing(github: GitHub) -> None:
    github.version("9.9.9")
    github.push("First")
    github.git("tag", "9.9.9-r7")
    run = github.run("9.9.9-r7")
    assert "The git tag 9.9.9-r7 fits no version file" in run.failures["versions"]
    assert set(run.results.values()) == {"failure", "skipped"}


def test_a_new_version_is_proposed_once(github: GitHub) -> None:
    """A branch that is left behind, and settings that let no workflow open a pull request, silence nothing."""
    github.version("9.9.9")
    (github.clone / "README.md").touch()
    for name in ("docs", "examples"):
        (github.clone / name).mkdir()
        (github.clone / name / "x").touch()
    (github.clone / "compose.yaml").touch()
    dev = github.clone / "dev"
    dev.write_text("#!/bin/sh\necho '- look at it'\ntouch versions/10.0.0.toml\n")
    github.push("First")
    held = github.play / "github.json"
    held.write_text(held.read_text().replace('"may_open_pulls": true', '"may_open_pulls": false'))
    environment = os.environ | {"PATH": f"{PLAYED}:{os.environ['PATH']}", "PLAY_FOLDER": str(github.play)}

    def propose() -> dict[str, list[Any]]:
        place = github.folder / "propose"
        shutil.rmtree(place, ignore_errors=True)
        github.git("clone", "--quiet", str(github.remote), str(place), at=github.folder)
        words = [".github/propose", "10.0.0", str(github.folder / "review.txt")]
        subprocess.run(words, cwd=place, env=environment, check=True, capture_output=True)
        found: dict[str, list[Any]] = json.loads(held.read_text())
        return found

    found = propose()
    assert [one["title"] for one in found["issues"]] == ["Add OSSEC 10.0.0"]
    assert "- look at it" in found["issues"][0]["text"]
    held.write_text(held.read_text().replace('"may_open_pulls": false', '"may_open_pulls": true'))
    found = propose()
    assert (found["pulls"], len(found["issues"])) == (["ossec-10.0.0"], 1)
    assert propose()["pulls"] == ["ossec-10.0.0"]

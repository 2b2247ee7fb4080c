"""What the workflows must be, beyond what zizmor and the published schema say of them."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.project import ROOT
from tasks import namespace

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
CHANGED_VERSIONS = ROOT / ".github" / "changed-versions"


def jobs(workflow: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from yaml.safe_load(workflow.read_text())["jobs"].items()


def steps(workflow: Path) -> Iterator[dict[str, Any]]:
    for _, job in jobs(workflow):
        yield from job["steps"]


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.stem)
def workflow(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_they_are_there() -> None:
    assert [path.stem for path in WORKFLOWS] == ["ci", "release", "watch"]


def test_an_action_is_pinned_by_commit_and_its_version_stands_beside_it(workflow: Path) -> None:
    uses = re.findall(r"uses: *(.*)", workflow.read_text())
    assert uses
    assert [
        one for one in uses if not re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one)
    ] == []


def test_no_value_is_pasted_into_a_script(workflow: Path) -> None:
    assert [step["run"] for step in steps(workflow) if "${{" in step.get("run", "")] == []


def test_each_job_says_what_it_may_and_how_long(workflow: Path) -> None:
    assert yaml.safe_load(workflow.read_text())["permissions"] == {}
    for name, job in jobs(workflow):
        assert "permissions" in job, name
        assert job["timeout-minutes"] <= 90, name


def test_what_a_job_calls_a_person_can_call_too(workflow: Path) -> None:
    called = re.findall(
        r"\./dev(?: --yes)? ([a-z]+)", "\n".join(step.get("run", "") for step in steps(workflow))
    )
    assert called
    assert set(called) <= set(namespace.task_names)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with two versions, of which the second commit changes one and removes another."""
    (tmp_path / ".github").mkdir()
    (tmp_path / "versions").mkdir()
    (tmp_path / ".github" / "changed-versions").write_bytes(CHANGED_VERSIONS.read_bytes())
    for version in ("4.1.0", "4.2.0", "3.6.0"):
        (tmp_path / "versions" / f"{version}.toml").write_text("revision = 1\n")
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    (tmp_path / "versions" / "4.2.0.toml").write_text("revision = 2\n")
    (tmp_path / "versions" / "3.6.0.toml").unlink()
    commit(tmp_path)
    return tmp_path


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "-c", "user.name=t", "-c", "user.email=t@t.example", "commit", "--quiet", "--message=x")


def changed(folder: Path, *arguments: str) -> str:
    command = ["bash", str(folder / ".github" / "changed-versions"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else done.stderr.strip()


def test_a_push_releases_the_versions_that_it_changes(repository: Path) -> None:
    before = git(repository, "rev-parse", "HEAD~1")
    assert changed(repository, "branch", "main", before) == '["4.2.0"]'
    assert changed(repository, "branch", "main", git(repository, "rev-parse", "HEAD")) == "[]"


def test_a_push_with_nothing_before_it_releases_every_version(repository: Path) -> None:
    assert changed(repository, "branch", "main", "0" * 40) == '["4.1.0", "4.2.0"]'


def test_a_tag_releases_its_version(repository: Path) -> None:
    assert changed(repository, "tag", "4.2.0-r2", "0" * 40) == '["4.2.0"]'


@pytest.mark.parametrize(
    ("tag", "complaint"),
    [("9.9.9-r1", "there is no versions/9.9.9.toml"), ("4.2.0-r1", "not the revision")],
)
def test_a_tag_that_fits_no_version_file_releases_nothing(repository: Path, tag: str, complaint: str) -> None:
    assert complaint in changed(repository, "tag", tag, "0" * 40)

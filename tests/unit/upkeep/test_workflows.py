"""What the workflows must be, beyond what zizmor and the published schema say of them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.project import ROOT
from pipeline.registry import cosign
from tasks import namespace

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


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


def test_cosign_is_the_version_that_the_tests_use(workflow: Path) -> None:
    installed = [step["with"] for step in steps(workflow) if "cosign-installer" in step.get("uses", "")]
    assert [one["cosign-release"] for one in installed] == [f"v{cosign.TESTED}"] * len(installed)


def test_a_release_is_tested_where_it_will_run_before_a_tag_moves() -> None:
    """In the release itself, by the steps of each job and by what waits for what."""
    found = dict(jobs(ROOT / ".github" / "workflows" / "release.yml"))
    built = [step.get("run", "") for step in found["build"]["steps"]]
    order = ["--require-snapshot", "test --only image", "smoke", "reproduce"]
    assert [next(n for n, run in enumerate(built) if word in run) for word in order] == [2, 3, 4, 5]
    assert found["build"]["strategy"]["matrix"]["runner"] == ["ubuntu-24.04", "ubuntu-24.04-arm"]
    needs = [found[name]["needs"] for name in ("publish", "rebuild", "tag", "announce")]
    assert needs == [["versions", one] for one in ("build", "publish", "rebuild", "tag")]
    for name, job in found.items():
        if matrix := job.get("strategy", {}):
            assert matrix["fail-fast"] is False, f"{name}: one bad version would hold the others up"
        for step in job["steps"]:
            if "upload-artifact" in step.get("uses", ""):
                assert step["with"]["overwrite"] is True, f"{name} could not be run again"


def test_no_release_is_lost_while_another_runs() -> None:
    said = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())
    assert said["concurrency"] == {"group": "release", "cancel-in-progress": False, "queue": "max"}
    assert "workflow_dispatch" in said[True]  # YAML takes "on" for a truth value

"""Publishing: the bytes that were tested, in an order without a gap, and nothing that must not be."""

import re
from pathlib import Path
from typing import Any

import pytest

from pipeline import image, registry
from pipeline.errors import UserError
from pipeline.image import content
from pipeline.registry import RateLimited, attest
from pipeline.server import tested
from tests.publish import tiny
from tests.publish.conftest import Project, not_run
from tests.publish.local_registry import HubRules, LocalRegistry

R1, R2 = tiny.release(), tiny.release(revision=2)
OLDER, NEWER = tiny.release("9.8.0"), tiny.release("9.9.10")
MOVING = ("9.9.9", "9.9", "9", "latest")


@pytest.fixture
def signing() -> None:
    """For tests of which signatures are a part."""


@pytest.fixture(autouse=True)
def quick(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves signatures out elsewhere: cosign takes its time over a key."""
    if "signing" not in request.fixturenames:
        monkeypatch.setattr(attest, "attest", lambda *_: None)


def test_every_tag_is_the_archive_bit_for_bit(project: Project, local_registry: LocalRegistry) -> None:
    digest = project.build(R1)
    project.publish(R1)
    assert project.tags() == dict.fromkeys(("9.9.9-r1", *MOVING), digest)
    path = project.repository.partition("/")[2]
    manifest = local_registry.get(f"{path}/manifests/9.9.9-r1")
    assert registry.digest_of(manifest.content) == digest
    for blob in (*manifest.json()["layers"], manifest.json()["config"]):
        content = local_registry.get(f"{path}/blobs/{blob['digest']}").content
        assert (registry.digest_of(content), len(content)) == (blob["digest"], blob["size"])


def test_several_platforms_come_as_one_index(project: Project) -> None:
    digests = {"amd64": project.build(R1), "arm64": project.build(R1, "linux/arm64")}
    project.publish(R1, only="")
    top = registry.Repository(project.repository).manifest("latest")
    assert top is not None
    found = {entry["platform"]["architecture"]: entry["digest"] for entry in top.data["manifests"]}
    assert found == digests
    assert set(project.tags().values()) == {top.digest}


def test_a_platform_that_was_not_built_is_missed(project: Project) -> None:
    with pytest.raises(UserError, match=r"no image of 9\.9\.9-r1 for linux/arm64 in the cache"):
        project.publish(R1, only="")
    assert project.tags() == {}


@pytest.mark.usefixtures("signing")
def test_a_tag_comes_after_all_that_it_needs(project: Project, local_registry: LocalRegistry) -> None:
    project.build(R1, "linux/arm64")
    del local_registry.seen[:]
    project.publish(R1, only="")
    puts = [request for request in local_registry.seen if request.startswith("PUT ")]
    steps = [_step(request) for request in puts]
    tags = ["9.9.9-r1", *MOVING]
    assert steps[-len(tags) :] == tags, "from the immutable tag to the widest"
    before = steps[: -len(tags)]
    # The two images and their index first, then what refers to them.
    assert before[: before.index("manifest")].count("blob") == 3
    assert before.index("manifest") < before.index("signature")
    assert "signature" in before


@pytest.mark.usefixtures("signing")
def test_what_was_cut_short_is_run_again(project: Project, local_registry: LocalRegistry) -> None:
    digest = project.build(R1)
    for cut in (
        "POST .*/blobs/uploads/",
        "PUT .*/blobs/uploads/",
        "PUT .*/manifests/sha256:",
        "PUT .*/manifests/sha256-",
        "PUT .*/manifests/9.9.9-r1",
        "PUT .*/manifests/9$",
        "PUT .*/manifests/latest",
    ):
        local_registry.cut = cut
        with pytest.raises(UserError):
            project.publish(R1)
        assert not local_registry.cut, f"nothing asked for {cut}"
        assert set(project.tags().values()) <= {digest}
        assert project.tags() == {} or re.search("/9|/latest", cut), "a tag before all that it needs"
    project.publish(R1)
    assert project.tags() == dict.fromkeys(("9.9.9-r1", *MOVING), digest)


@pytest.mark.parametrize("cut", ["HEAD .*/blobs/", "HEAD .*/manifests/"])
def test_what_only_asked_is_asked_again(project: Project, local_registry: LocalRegistry, cut: str) -> None:
    local_registry.cut = cut
    project.publish(R1, dry_run=True)
    assert not local_registry.cut


@pytest.mark.usefixtures("signing")
def test_a_second_time_nothing_is_sent(project: Project, local_registry: LocalRegistry) -> None:
    project.publish(R1)
    del local_registry.seen[:]
    project.publish(R1)
    assert [one for one in local_registry.seen if one.startswith("POST")] == []


def test_a_dry_run_sends_nothing_and_shows_the_plan(
    project: Project, local_registry: LocalRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    digest = project.build(R1)
    del local_registry.seen[:]
    project.publish(R1, dry_run=True)
    assert {request.split()[0] for request in local_registry.seen} <= {"GET", "HEAD"}
    shown = capsys.readouterr().out
    for tag in ("9.9.9-r1", *MOVING):
        assert re.search(rf"^tag.* {re.escape(tag)} +— +{digest[:19]} *$", shown, re.MULTILINE)


def test_moving_tags_go_to_the_newer(project: Project) -> None:
    old = project.build(OLDER)
    project.releases = (OLDER,)
    project.publish(OLDER)
    assert project.tags()["latest"] == old
    project.releases = (OLDER, R1)
    new = project.build(R1)
    project.publish(R1)
    assert project.tags() == {
        **dict.fromkeys(("9.8.0-r1", "9.8.0", "9.8"), old),
        **dict.fromkeys(("9.9.9-r1", *MOVING), new),
    }


def test_a_moving_tag_does_not_go_backwards(project: Project) -> None:
    newer = project.build(NEWER)
    project.publish(NEWER)
    project.releases = (R1,)  # a tree that does not know the newer one
    with pytest.raises(UserError, match=r":9\.9 would not go forward: it points at 9\.9\.10-r1"):
        project.publish(R1)
    assert set(project.tags().values()) == {newer}


def test_an_older_revision_takes_no_tag_back(project: Project) -> None:
    project.build(R2)
    project.publish(R2)
    project.releases = (R1,)
    with pytest.raises(UserError, match=r":9\.9\.9 would not go forward: it points at 9\.9\.9-r2"):
        project.publish(R1)


def test_somebody_who_publishes_meanwhile_is_not_overtaken(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*_: Any) -> None:
        monkeypatch.setattr(attest, "attest", lambda *_: None)
        here = project.releases
        project.build(NEWER)
        project.publish(NEWER)
        project.releases = here

    monkeypatch.setattr(attest, "attest", slow)
    with pytest.raises(UserError, match="would not go forward"):
        project.publish(R1)
    assert "9.9.9-r1" not in project.tags()


def test_an_immutable_tag_stays(project: Project) -> None:
    first = project.build(R1)
    project.publish(R1)
    assert project.build(R1, about={"title": "changed"}) != first
    with pytest.raises(UserError, match=r"9\.9\.9-r1 exists with another digest.*raise `revision`"):
        project.publish(R1)
    assert set(project.tags().values()) == {first}


def test_what_is_not_ours_keeps_its_tag(project: Project) -> None:
    project.build(R1, about={"version": None})
    path = image.archive(image.name(R1))
    foreign = _push(project, path, "latest")
    project.build(R1)
    with pytest.raises(UserError, match="latest points at an image that says no version"):
        project.publish(R1)
    assert project.tags() == {"latest": foreign}


def test_what_is_no_image_keeps_its_tag(project: Project) -> None:
    there = registry.Repository(project.repository)
    nothing = registry.Manifest(registry.INDEX, b'{"schemaVersion": 2, "manifests": []}')
    there.put_manifest(nothing, "latest")
    with pytest.raises(UserError, match="lists no image"):
        project.publish(R1)
    assert project.tags() == {"latest": nothing.digest}


@pytest.mark.parametrize("stand_in", ["base", "release", "base,release"])
def test_a_stand_in_is_not_published(project: Project, stand_in: str) -> None:
    project.build(R1, about={"stand_in": stand_in})
    with pytest.raises(UserError, match=f"not published: its {stand_in} is a stand-in"):
        project.publish(R1)
    assert project.tags() == {}


@pytest.mark.parametrize("revision", ["unknown", f"{'a' * 40}-dirty"])
def test_an_image_of_a_dirty_tree_is_not_published(project: Project, revision: str) -> None:
    project.build(R1, about={"revision": revision})
    with pytest.raises(UserError, match=f"was built from no commit, but from '{revision}'"):
        project.publish(R1)


def test_an_image_of_another_commit_is_not_published(project: Project) -> None:
    project.build(R1, about={"revision": "a" * 40})
    with pytest.raises(UserError, match="was built from commit aaaaaaaaaaaa, and here is"):
        project.publish(R1)


def test_from_a_dirty_tree_nothing_is_published(project: Project) -> None:
    (project.root / "pipeline.py").write_text("changed")
    with pytest.raises(UserError, match=r"The tree is dirty: pipeline\.py\."):
        project.publish(R1)


def test_another_version_under_that_name_is_not_published(project: Project) -> None:
    project.build(R1, about={"version": "9.9.9-r7"})
    with pytest.raises(UserError, match=r"says that it is '9\.9\.9-r7'"):
        project.publish(R1)


def test_an_untested_image_is_not_published(project: Project) -> None:
    project.build(R1, about={"title": "changed"}, passed=False)
    with pytest.raises(UserError, match="has not passed the smoke test here"):
        project.publish(R1)
    assert project.tags() == {}


def test_only_the_very_image_that_ran_has_passed(project: Project) -> None:
    digest = project.build(R1, about={"title": "changed"}, passed=False)
    path = image.archive(image.name(R1))
    assert tested.record(path, "sha256:another", "tests") is None
    assert tested.find(digest) is None
    passed = tested.record(path, digest, "tests")
    assert passed == tested.find(digest)
    assert passed is not None
    # An engine that does not keep its images in containerd names them by their configuration.
    config = content.read(path).manifest.data["config"]["digest"]
    assert tested.record(path, config, "tests") is not None


def test_a_damaged_archive_is_not_published(project: Project) -> None:
    path = image.archive(image.name(R1))
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"schemaVersion": 2, "mediaType"', b'"schemaVersion": 3, "mediaType"'))
    with pytest.raises(UserError, match="is damaged"):
        project.publish(R1)


def test_without_a_key_nothing_is_sent(project: Project, local_registry: LocalRegistry) -> None:
    project.keys = type(project.keys)("", "")
    del local_registry.seen[:]
    with pytest.raises(UserError, match="There is nothing to sign with: give --key FILE"):
        project.publish(R1)
    assert {request.split()[0] for request in local_registry.seen} <= {"GET", "HEAD"}


def test_an_image_of_todays_packages_is_not_published(project: Project) -> None:
    project.build(R1, about={"snapshot": "none"})
    with pytest.raises(
        UserError, match="its packages are of Debian's archive of 'none', not of 20261005T000000Z"
    ):
        project.publish(R1)
    assert project.tags() == {}


def test_an_image_that_was_not_built_again_is_not_published(project: Project) -> None:
    digest = project.build(R1, about={"title": "changed"}, passed=False)
    tested.note(digest, tested.TESTED, "tests")
    with pytest.raises(UserError, match=r"was not built a second time.*\./dev reproduce 9\.9\.9"):
        project.publish(R1)


def test_the_index_says_what_all_its_images_say(project: Project) -> None:
    project.build(R1, about={"source": "https://github.com/o/n", "title": "of amd64"})
    project.build(R1, "linux/arm64", about={"source": "https://github.com/o/n", "title": "of arm64"})
    project.publish(R1, only="")
    top = registry.Repository(project.repository).manifest("latest")
    assert top is not None
    said = top.data["annotations"]
    assert said["org.opencontainers.image.source"] == "https://github.com/o/n"
    assert said["org.opencontainers.image.version"] == "9.9.9-r1"
    assert "org.opencontainers.image.title" not in said


def test_in_two_stages_tags_move_only_after_what_is_there_was_built_again(
    project: Project, signing: None
) -> None:
    digest = project.build(R1)
    with pytest.raises(UserError, match=r"No tag moves yet: .* was not built again.*--against"):
        project.publish(R1, stage="tag")
    project.publish(R1, stage="push")
    assert project.tags() == {}
    tested.note(digest, tested.REBUILT, "tests")
    project.publish(R1, stage="tag")
    assert project.tags() == dict.fromkeys(("9.9.9-r1", *MOVING), digest)


def test_no_tag_moves_to_what_was_not_pushed_or_not_signed(project: Project) -> None:
    digest = project.build(R1)
    tested.note(digest, tested.REBUILT, "tests")
    with pytest.raises(UserError, match=r"No tag moves yet: .* is not there\. Run .*--stage push"):
        project.publish(R1, stage="tag")
    project.publish(R1, stage="push")  # without signatures, as `quick` has it
    with pytest.raises(UserError, match=r"No tag moves yet: .* lacks https://cyclonedx\.org/bom, "):
        project.publish(R1, stage="tag")
    assert project.tags() == {}


def test_a_stage_that_there_is_not_is_named(project: Project) -> None:
    with pytest.raises(UserError, match="--stage: must be push or tag, not 'tags'"):
        project.publish(R1, stage="tags")


def test_a_repository_that_docker_hub_does_not_have_yet(project: Project, docker_hub: HubRules) -> None:
    """Docker Hub answers 401 to every question about it, and makes it with the first push."""
    digest = project.build(R1)
    project.publish(R1)
    assert project.tags() == dict.fromkeys(("9.9.9-r1", *MOVING), digest)


def test_a_repository_that_is_another_s_is_named(project: Project, docker_hub: HubRules) -> None:
    docker_hub.made_by_push = False
    with pytest.raises(
        UserError, match=r"answers 401 to POST .* The repository must exist \(Docker Hub: create"
    ):
        project.publish(R1)


@pytest.mark.usefixtures("signing")
def test_publishing_costs_few_of_docker_hubs_pulls(project: Project, docker_hub: HubRules) -> None:
    """Docker Hub counts GETs of manifests: each version's is few, also where older tags are read."""
    project.build(OLDER)
    project.releases = (OLDER,)
    project.publish(OLDER)
    project.build(R1)
    project.build(R1, "linux/arm64")
    docker_hub.pulls = 0
    project.publish(R1, only="")
    assert docker_hub.pulls <= 4


def test_a_tag_that_docker_hub_lets_nobody_move_is_not_sent_again(
    project: Project, local_registry: LocalRegistry, docker_hub: HubRules
) -> None:
    project.publish(R1)
    local_registry.seen.clear()
    project.publish(R1)
    assert [one for one in local_registry.seen if one.startswith("PUT") and one.endswith("9.9.9-r1")] == []


def test_a_registry_that_limits_requests_says_so(project: Project, docker_hub: HubRules) -> None:
    project.build(OLDER)
    project.releases = (OLDER,)
    project.publish(OLDER)
    docker_hub.limit = docker_hub.pulls
    project.build(R1)
    with pytest.raises(
        RateLimited, match=r"answers 429 .*You have reached your pull rate limit.*docker login"
    ):
        project.publish(R1)


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_in_ci_nothing_of_this_is_skipped(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome):
        not_run("no registry")


def _step(put: str) -> str:
    """What a PUT stores: a blob, a manifest, the list of what refers to one, or the tag of that name."""
    kind, _, name = put.rpartition("/")
    if "/blobs/" in kind:
        return "blob"
    return {"sha256:": "manifest", "sha256-": "signature"}.get(name[:7], name)


def _push(project: Project, path: Path, tag: str) -> str:
    """Push an archive past all that is checked."""
    there, held = registry.Repository(project.repository), content.read(path)
    for blob in held.blobs:
        there.push_blob(blob["digest"], lambda digest=blob["digest"]: held.open(digest))  # type: ignore[misc]
    there.put_manifest(held.manifest, tag)
    return held.digest

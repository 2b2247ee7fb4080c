"""Verifying: what is published passes, and a change to any part of it is named."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline import registry, source
from pipeline.errors import UserError
from pipeline.image import platforms
from pipeline.image.content import Content
from pipeline.image.layers import PACKED, Difference
from pipeline.image.reproduce import Outcome
from pipeline.registry import Manifest, Repository, attest, cosign, provenance, sbom, verify
from pipeline.registry import published as rebuilding
from tests.publish import tiny
from tests.publish.conftest import Project, new_keys

R1, OLDER = tiny.release(), tiny.release("9.8.0")
Output = pytest.CaptureFixture[str]


@pytest.fixture
def published(project: Project) -> Project:
    """A project whose 9.9.9-r1 is published."""
    project.publish(R1)
    return project


def check(project: Project, key: str = "", tag: str = "9.9.9-r1", rebuild: bool = False) -> None:
    """As `invoke verify` does it."""
    trusted = verify.trust(key or project.keys.public, "")
    verify.verify(f"{project.repository}:{tag}", trusted, project.releases, rebuild)


def test_what_is_published_is_proven(published: Project, capsys: Output) -> None:
    check(published, tag="latest")
    said = capsys.readouterr().out
    assert f"{published.repository}:latest is {published.tags()['latest']}, for linux/amd64" in said
    assert "✓ tag: it is 9.9.9-r1 today; that nothing newer is out, only the registry says." in said
    assert f"✓ signature: the key {published.keys.public} signed this digest" in said
    assert f"built it from commit {published.revision(R1):.12}, from OSSEC 9.9.9's tarball" in said
    assert "list just what the layers hold: 2 Debian packages, and ossec-hids 9.9.9, cJSON 1.7.18." in said
    assert "– reproducibility: not checked: as asked." in said
    assert "✗" not in said


def test_every_platform_is_proven(project: Project, capsys: Output) -> None:
    project.build(R1, "linux/arm64")
    project.publish(R1, only="")
    check(project)
    assert "for linux/amd64, linux/arm64." in capsys.readouterr().out


def test_another_key_proves_nothing(published: Project, tmp_path: Path, capsys: Output) -> None:
    other = new_keys(tmp_path)
    with pytest.raises(
        UserError, match="not proven to be what it says, by its signature and provenance and SBOM"
    ):
        check(published, other.public)
    assert capsys.readouterr().out.count("✓") == 1, "the tag's own"


def test_an_unsigned_image_under_the_tag_is_found(published: Project) -> None:
    """Somebody with the registry's password, and without the key, moves the tag to an image of theirs."""
    repository, top = _there(published)
    config = repository.json_blob(top.data["config"]["digest"])
    config["config"]["Cmd"] = ["evil"]
    changed = json.dumps(config).encode()
    digest = registry.digest_of(changed)
    repository.push_blob(digest, lambda: changed)
    manifest = top.data | {"config": top.data["config"] | {"digest": digest, "size": len(changed)}}
    repository.put_manifest(Manifest(top.media_type, json.dumps(manifest).encode()), "9.9.9-r1")
    with pytest.raises(UserError, match="by its signature and provenance and SBOM"):
        check(published)


def test_attestations_alone_are_no_signature(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cosign.Signer, "sign", lambda *_: None)
    project.publish(R1)
    with pytest.raises(UserError, match="not proven to be what it says, by its signature:"):
        check(project)


def test_a_signature_of_another_image_does_not_count(published: Project, capsys: Output) -> None:
    """The registry hands out a real signature, of an older image, for another one."""
    repository, top = _there(published)
    listed = repository.manifest(top.digest.replace(":", "-"))
    assert listed is not None
    other = Manifest(top.media_type, top.raw + b"\n")
    repository.put_manifest(other, "9.9.9-r1")
    repository.put_manifest(listed, other.digest.replace(":", "-"))
    with pytest.raises(UserError, match="by its signature and provenance and SBOM"):
        check(published)
    assert capsys.readouterr().out.count("✓") == 1, "the tag's own"


@pytest.mark.parametrize("tag", ["9.9.9-r1", "9.9.9", "9.9"])
def test_an_older_image_under_the_tag_is_found(published: Project, tag: str, capsys: Output) -> None:
    """The registry hands out an older image of ours, as well signed as ever."""
    published.build(OLDER)
    published.publish(OLDER)
    repository = Repository(published.repository)
    older = repository.manifest("9.8.0-r1")
    assert older is not None
    repository.put_manifest(older, tag)
    with pytest.raises(UserError, match="by its tag:"):
        check(published, tag=tag)
    assert f"✗ tag: under {tag} lies 9.8.0-r1." in capsys.readouterr().out


def test_a_changed_layer_is_found(published: Project, capsys: Output) -> None:
    """The registry hands out other bytes than the digest's."""
    _, top = _there(published)
    digest = top.data["layers"][0]["digest"].removeprefix("sha256:")
    [blob] = published.registry.storage.rglob(f"{digest}/data")
    blob.write_bytes(tiny.layer({"var/lib/dpkg/status": b""}))
    with pytest.raises(UserError, match="by its SBOM:"):
        check(published)
    assert f"The layer sha256:{digest} of the image" in capsys.readouterr().out


def without_bash(predicate: dict[str, Any]) -> None:
    for key in ("packages", "components"):
        if key in predicate:
            predicate[key] = [one for one in predicate[key] if one["name"] != "bash"]


def with_another(key: str, name: str) -> Callable[[dict[str, Any]], None]:
    def change(predicate: dict[str, Any]) -> None:
        for one in predicate["buildDefinition"]["resolvedDependencies"]:
            if one["name"] == name:
                one["digest"] = {key: "c" * 40}

    return change


@pytest.mark.parametrize(
    ("kind", "change", "check_name", "complaint"),
    [
        (attest.SPDX, without_bash, "SBOM", "differ by pkg:deb/debian/bash@5.2-1"),
        (attest.CYCLONEDX, without_bash, "SBOM", "differ by pkg:deb/debian/bash@5.2-1"),
        (
            provenance.TYPE,
            with_another("gitCommit", "ossec-log-server"),
            "provenance",
            "is not what its labels",
        ),
        (provenance.TYPE, with_another("sha256", "OSSEC"), "provenance", "is not what its labels"),
        (provenance.TYPE, with_another("sha256", "base"), "provenance", "is not what its labels"),
    ],
)
def test_an_attestation_that_is_not_true_is_found(
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Output,
    kind: str,
    change: Callable[[dict[str, Any]], None],
    check_name: str,
    complaint: str,
) -> None:
    """Well signed, but it does not say what is in the image, or where it is from."""
    truth = attest.statements

    def lies(*arguments: Any) -> dict[str, dict[str, Any]]:
        said = truth(*arguments)
        change(said[kind])
        return said

    monkeypatch.setattr(attest, "statements", lies)
    project.publish(R1)
    with pytest.raises(UserError, match=f"not proven to be what it says, by its {check_name}:"):
        check(project)
    assert complaint in capsys.readouterr().out


def test_another_base_than_the_version_files_is_found(project: Project, capsys: Output) -> None:
    project.build(R1, about={"base.digest": f"sha256:{'d' * 64}"})
    project.publish(R1)
    with pytest.raises(UserError, match="not proven to be what it says, by its provenance:"):
        check(project)
    assert f"is built on the base sha256:{'d' * 64}, and versions/9.9.9.toml says" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("kind", "check_name"),
    [(provenance.TYPE, "provenance"), (attest.SPDX, "SBOM"), (attest.CYCLONEDX, "SBOM")],
)
def test_an_attestation_that_is_missing_is_missed(
    project: Project, monkeypatch: pytest.MonkeyPatch, kind: str, check_name: str
) -> None:
    truth = attest.statements
    monkeypatch.setattr(
        attest, "statements", lambda *words: {one: said for one, said in truth(*words).items() if one != kind}
    )
    project.publish(R1)
    with pytest.raises(UserError, match=f"not proven to be what it says, by its {check_name}:"):
        check(project)


def test_without_ossecs_source_the_rest_is_compared(
    published: Project, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    def unreachable(*_: Any) -> Path:
        raise source.SourceUnreachable("no network")

    monkeypatch.setattr(source, "fetch", unreachable)
    check(published)
    assert "2 Debian packages, and OSSEC's own parts, which were not compared" in capsys.readouterr().out


OTHER = Difference("layer 2: /etc/passwd", "mode")


@pytest.mark.parametrize(
    ("again", "differences", "snapshot", "said"),
    [
        (
            "sha256:1",
            (),
            "20261005T000000Z",
            "✓ reproducibility: built again from its commit, with packages of 20261005",
        ),
        ("sha256:1", (), "", "with today's packages, 9.9.9-r1 is the same bit for bit."),
        ("sha256:2", (Difference("layer 2", PACKED),), "", "has the same files, packed otherwise."),
    ],
)
def test_it_is_built_again(
    published: Project,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Output,
    again: str,
    differences: tuple[Difference, ...],
    snapshot: str,
    said: str,
) -> None:
    outcome = Outcome("9.9.9-r1", "sha256:1", again, differences, snapshot)
    monkeypatch.setattr(rebuilding, "against", lambda _: outcome)
    check(published, rebuild=True)
    assert said in capsys.readouterr().out


def test_a_build_that_differs_is_told(
    published: Project, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    outcome = Outcome("9.9.9-r1", "sha256:1", "sha256:2", (OTHER,), "")
    monkeypatch.setattr(rebuilding, "against", lambda _: outcome)
    with pytest.raises(UserError, match="by its reproducibility:"):
        check(published, rebuild=True)
    assert "built again, 9.9.9-r1 differs: layer 2: /etc/passwd: mode." in capsys.readouterr().out


def test_where_it_cant_be_built_again_that_is_said(
    published: Project, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    def impossible(_: Content) -> Outcome:
        raise UserError("Its base can't be had.")

    monkeypatch.setattr(rebuilding, "against", impossible)
    check(published, rebuild=True)
    assert "– reproducibility: not checked: Its base can't be had." in capsys.readouterr().out


def test_only_this_machines_platform_is_built_again(project: Project, capsys: Output) -> None:
    foreign = next(one for one in platforms.SUPPORTED if one != platforms.NATIVE)
    project.build(R1, foreign)
    project.publish(R1, only=foreign)
    check(project, rebuild=True)
    assert f"not checked: it has no image for {platforms.NATIVE}" in capsys.readouterr().out


def test_the_statements_are_of_the_form_that_they_name(published: Project) -> None:
    repository, top = _there(published)
    trusted = cosign.Trust(published.keys.public)
    for kind in (provenance.TYPE, attest.SPDX, attest.CYCLONEDX):
        [predicate] = trusted.attestations(repository, top.digest, kind)
        if kind == provenance.TYPE:
            assert predicate["buildDefinition"]["internalParameters"]["snapshot"] == "none"
        else:
            assert len(sbom.purls(predicate)) == 4
    listed = repository.manifest(top.digest.replace(":", "-"))
    assert listed is not None
    kinds = [
        entry.get("annotations", {}).get("dev.sigstore.bundle.predicateType")
        for entry in listed.data["manifests"]
    ]
    assert {provenance.TYPE, attest.SPDX, attest.CYCLONEDX} <= set(kinds)


def test_a_tag_that_is_not_there(project: Project) -> None:
    with pytest.raises(UserError, match=r"There is no .*:latest"):
        check(project, tag="latest")


def test_a_version_without_a_file_here(published: Project) -> None:
    published.releases = ()
    with pytest.raises(UserError, match=r"is OSSEC 9\.9\.9, and there is no version file of that here"):
        check(published)


def _there(project: Project) -> tuple[Repository, Manifest]:
    repository = Repository(project.repository)
    top = repository.manifest("9.9.9-r1")
    assert top is not None
    return repository, top

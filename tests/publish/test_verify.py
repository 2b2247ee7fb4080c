"""Verifying: what is published passes, and a change to any part of it is named."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline import registry, source
from pipeline.errors import UserError
from pipeline.image import platforms
from pipeline.image.content import Content
from pipeline.image.layers import PACKED, Difference
from pipeline.image.reproduce import Outcome
from pipeline.registry import Manifest, Repository, attest, cosign, sbom, verify
from pipeline.registry import published as rebuilding
from tests.publish import tiny
from tests.publish.conftest import Keys, Project, log_in, new_keys, new_project, use
from tests.publish.local_registry import HubRules, LocalRegistry

R1, OLDER = tiny.release(), tiny.release("9.8.0")
Output = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def publication(
    local_registry: LocalRegistry, keys: Keys, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Project, Path]:
    """A project whose 9.9.9-r1 has been published, and a folder: project/, cache/, and the registry's storage/."""
    folder = tmp_path_factory.mktemp("published")
    with pytest.MonkeyPatch.context() as patch:
        log_in(local_registry, folder, patch)
        made = new_project(folder, patch, local_registry, keys)
        made.publish(R1)
    shutil.copytree(local_registry.storage, folder / "storage")
    return made, folder


@pytest.fixture
def published(
    publication: tuple[Project, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Project]:
    """Copies of that project and, in the registry, of what it published: a test may change both."""
    made, folder = publication
    for name in ("project", "cache"):
        shutil.copytree(folder / name, tmp_path / name, symlinks=True)
    use(tmp_path, monkeypatch)
    yield replace(made, root=tmp_path / "project")
    [repository] = made.registry.storage.rglob(f"repositories/{made.repository.partition('/')[2]}")
    shutil.rmtree(repository)
    shutil.copytree(folder / "storage", made.registry.storage, dirs_exist_ok=True)


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
    config = json.loads(repository.small_blob(top.data["config"]["digest"]))
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
            attest.PROVENANCE,
            with_another("gitCommit", "ossec-log-server"),
            "provenance",
            "is not what its labels",
        ),
        (attest.PROVENANCE, with_another("sha256", "OSSEC"), "provenance", "is not what its labels"),
        (attest.PROVENANCE, with_another("sha256", "base"), "provenance", "is not what its labels"),
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
    [(attest.PROVENANCE, "provenance"), (attest.SPDX, "SBOM"), (attest.CYCLONEDX, "SBOM")],
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
    monkeypatch.setattr(rebuilding, "against", _impossible)
    with pytest.raises(cosign.NotKnown, match="its reproducibility could not be checked"):
        check(published, rebuild=True)
    assert "? reproducibility: not checked: Its base can't be had." in capsys.readouterr().out


def test_only_this_machines_platform_is_built_again(project: Project, capsys: Output) -> None:
    foreign = next(one for one in platforms.SUPPORTED if one != platforms.NATIVE)
    project.build(R1, foreign)
    project.publish(R1, only=foreign)
    check(project, rebuild=True)
    assert f"not checked: it has no image for {platforms.NATIVE}" in capsys.readouterr().out


def test_the_statements_are_of_the_form_that_they_name(published: Project) -> None:
    repository, top = _there(published)
    trusted = cosign.Trust(published.keys.public)
    for kind in (attest.PROVENANCE, attest.SPDX, attest.CYCLONEDX):
        [predicate] = trusted.attestations(repository, top, kind)
        if kind == attest.PROVENANCE:
            assert predicate["buildDefinition"]["internalParameters"]["snapshot"] == "20261005T000000Z"
        else:
            assert len(sbom.purls(predicate)) == 4
    listed = repository.manifest(top.digest.replace(":", "-"))
    assert listed is not None
    kinds = [
        entry.get("annotations", {}).get("dev.sigstore.bundle.predicateType")
        for entry in listed.data["manifests"]
    ]
    assert {attest.PROVENANCE, attest.SPDX, attest.CYCLONEDX} <= set(kinds)


def test_cosign_alone_takes_the_same_signatures(published: Project) -> None:
    """Nobody needs anything of ours to verify."""
    _, top = _there(published)
    words = [f"--key={published.keys.public}", "--insecure-ignore-tlog"]
    words += [f"--registry-cacert={published.registry.certificate}", f"{published.repository}@{top.digest}"]
    subprocess.run(["cosign", "verify", *words], check=True, capture_output=True)
    kind = f"--type={attest.SPDX}"
    subprocess.run(["cosign", "verify-attestation", kind, *words], check=True, capture_output=True)


def test_what_cosign_itself_signs_counts_too(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def by_cosign(signer: cosign.Signer, repository: Repository, subject: Manifest) -> None:
        words = ["--yes", *signer._options(tmp_path), f"--registry-cacert={repository.certificate_authority}"]
        name = f"{repository.name}@{subject.digest}"
        subprocess.run(["cosign", "sign", *words, name], check=True, capture_output=True)

    monkeypatch.setattr(cosign.Signer, "sign", by_cosign)
    project.publish(R1)
    check(project)


def test_verifying_costs_few_of_docker_hubs_pulls(
    project: Project, docker_hub: HubRules, capsys: Output
) -> None:
    project.build(R1, "linux/arm64")
    project.publish(R1, only="")
    docker_hub.pulls = 0
    check(project)
    assert "for linux/amd64, linux/arm64." in capsys.readouterr().out
    assert docker_hub.pulls <= 12, "for two platforms"


def test_a_registry_that_limits_requests_is_no_forgery(
    published: Project, docker_hub: HubRules, capsys: Output
) -> None:
    docker_hub.repositories.add(published.repository.partition("/")[2])
    docker_hub.limit = 1
    with pytest.raises(cosign.NotKnown, match=r"nothing wrong was found, but its .* could not be checked"):
        check(published)
    said = capsys.readouterr().out
    assert "answers 429" in said
    assert "✗" not in said
    docker_hub.limit = 0  # at the first question, too
    with pytest.raises(
        cosign.NotKnown, match=r"can't be looked at, which says nothing about it: .* answers 429"
    ):
        check(published)


def test_a_registry_that_goes_away_is_no_forgery(
    published: Project, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    def away(*_: Any) -> Any:
        raise registry.RegistryError("registry.example: Connection refused.")

    monkeypatch.setattr(Repository, "referrers", away)
    with pytest.raises(cosign.NotKnown, match="its signature and provenance and SBOM could not be checked"):
        check(published)
    assert "? signature: not checked: registry.example: Connection refused." in capsys.readouterr().out
    monkeypatch.setattr(Repository, "manifest", away)
    with pytest.raises(
        cosign.NotKnown, match=r"says nothing about it: registry\.example: Connection refused"
    ):
        check(published)


def test_without_sigstores_root_no_signature_is_called_wrong(
    published: Project, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    """Without a key, cosign needs the list of whom sigstore trusts, from the network."""
    cosign.trusted_root.cache_clear()
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HOME", str(published.root))  # where cosign keeps an older one
    trusted = cosign.Trust(repository="owner/name")
    with pytest.raises(UserError):
        verify.verify(f"{published.repository}:9.9.9-r1", trusted, published.releases, rebuild=False)
    said = capsys.readouterr().out
    assert "? signature: not checked: sigstore's list of whom it trusts can't be fetched" in said
    assert "✗ signature" not in said


def test_an_image_of_another_repository_is_found(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.build(R1, about={"source": "https://github.com/other/one"})
    project.publish(R1)
    [image] = verify.find(f"{project.repository}:9.9.9-r1", project.releases).images
    with pytest.raises(verify.NotProven, match=r"of https://github\.com/other/one, not of owner/name"):
        verify._require_home(image, cosign.Trust(repository="owner/name"))
    verify._require_home(image, cosign.Trust(repository="Other/One"))


def test_each_kind_of_trouble_is_told_apart(
    project: Project, docker_hub: HubRules, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    """A tampered layer, a missing signature, a registry that limits, an image that can't be built again."""
    project.publish(R1)

    def said(rebuild: bool = False) -> str:
        with pytest.raises(UserError) as caught:
            check(project, rebuild=rebuild)
        return capsys.readouterr().out + str(caught.value)

    monkeypatch.setattr(rebuilding, "against", _impossible)
    monkeypatch.setattr(platforms, "NATIVE", "linux/amd64")
    assert "? reproducibility: not checked: Its base can't be had." in (text := said(rebuild=True))
    assert "its reproducibility could not be checked" in text

    docker_hub.limit = docker_hub.pulls + 1
    assert "429" in (text := said())
    assert "don't use it" not in text
    docker_hub.limit = 1000

    _, top = _there(project)
    digest = top.data["layers"][0]["digest"].removeprefix("sha256:")
    [blob] = project.registry.storage.rglob(f"{digest}/data")
    before = blob.read_bytes()
    blob.write_bytes(tiny.layer({"var/lib/dpkg/status": b""}))
    assert f"✗ SBOM: The layer sha256:{digest}" in said()
    blob.write_bytes(before)

    monkeypatch.setattr(cosign.Signer, "sign", lambda *_: None)
    project.repository += "-unsigned"
    project.publish(R1)
    assert "bears no signature at all" in (text := said())
    assert "by its signature: don't use it" in text


def _impossible(_: Content) -> Outcome:
    raise UserError("Its base can't be had.")


def test_a_tag_that_is_not_there(project: Project) -> None:
    with pytest.raises(UserError, match=r"There is no .*:latest"):
        check(project, tag="latest")


def test_a_version_without_a_file_here(published: Project) -> None:
    published.releases = ()
    with pytest.raises(UserError, match=r"is OSSEC 9\.9\.9, and no version file of that is here"):
        check(published)


def _there(project: Project) -> tuple[Repository, Manifest]:
    repository = Repository(project.repository)
    top = repository.manifest("9.9.9-r1")
    assert top is not None
    return repository, top

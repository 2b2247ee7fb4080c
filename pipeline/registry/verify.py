"""What a stranger can find out about a published tag, and what that proves, in plain words."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline import project, source
from pipeline.console import out
from pipeline.errors import UserError
from pipeline.image import content, labels, platforms
from pipeline.image.content import Content
from pipeline.registry import (
    Manifest,
    NoAccess,
    NotItsDigest,
    RegistryError,
    Repository,
    attest,
    inventory,
    published,
)
from pipeline.registry.cosign import SIGNATURE, NotKnown, NotSigned, Trust
from pipeline.release import Release
from pipeline.web import NoAnswer


class NotProven(UserError):
    """A check failed; the message says in one sentence what is not as it must be."""


class NotAsked(UserError):
    """A check that was not wanted, or that is not for this machine; the message says which."""


@dataclass(frozen=True)
class Subject:
    """What is verified: where it lies, its tag or digest, what lies there, the images of that, their version file."""

    repository: Repository
    name: str
    top: Manifest
    images: Sequence[Content]
    release: Release


def trust(key: str, repository: str) -> Trust:
    """Whose signature counts: the key's, the GitHub repository's, or this clone's. Raises UserError if none is."""
    if key:
        if "://" not in key and not Path(key).is_file():
            raise UserError(f"There is no public key {key}.")
        return Trust(key=key)
    repository = repository or project.github()
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        raise UserError("Whose signature is it to be? Give --key FILE, or --repository OWNER/NAME on GitHub.")
    return Trust(repository=repository)


def verify(reference: str, trusted: Trust, releases: Iterable[Release], rebuild: bool = True) -> None:
    """Check everything about a published `NAME:TAG` or `NAME@sha256:…`, and say what each check proved.

    `releases` are those of the version files here. Without `rebuild` it is not built again. Raises UserError at the
    end if a check failed, NotKnown if none failed and one could not be made, or UserError at once if the image is not
    there.
    """
    try:
        subject = find(reference, releases)
    except NoAccess:
        raise  # some registries say so of what is not there
    except (RegistryError, NoAnswer) as problem:
        raise NotKnown(f"{reference} can't be looked at, which says nothing about it: {problem}") from problem
    platforms = ", ".join(one.platform_name for one in subject.images)
    out.print(f"{reference} is {subject.top.digest}, for {platforms}.", soft_wrap=True)
    checks: tuple[tuple[str, Callable[[Subject, Trust], str] | None], ...] = (
        ("tag", is_what_it_is_called),
        ("signature", signature),
        ("provenance", comes_from),
        ("SBOM", lists_what_is_there),
        ("reproducibility", can_be_built_again if rebuild else None),
    )
    failed, unknown = [], []
    for name, check in checks:
        try:
            if check is None:
                raise NotAsked("as asked.")
            said, sign = check(subject, trusted), f"[green]✓ {name}:[/]"
        except NotAsked as problem:
            said, sign = f"not checked: {problem}", f"– {name}:"
        except (NotProven, NotSigned, NotItsDigest) as problem:
            said, sign = str(problem), f"[red]✗ {name}:[/]"
            failed.append(name)
        except UserError as problem:
            # The network, the registry, this machine: it says nothing about the image.
            said, sign = f"not checked: {problem}", f"[yellow]? {name}:[/]"
            unknown.append(name)
        out.print(sign, end=" ")
        out.print(said, markup=False, soft_wrap=True)
    if failed:
        raise UserError(
            f"{reference} is not proven to be what it says, by its {' and '.join(failed)}: don't use it."
        )
    if unknown:
        raise NotKnown(
            f"{reference}: nothing wrong was found, but its {' and '.join(unknown)} could not be checked: remove "
            "the reason that is told above, and run the same again."
        )


def find(reference: str, releases: Iterable[Release]) -> Subject:
    """What lies there. Raises UserError when nothing does, or nothing of ours."""
    repository, name, top, images = content.under(reference)
    said = labels.rank(images[0].labels)
    if said is None:
        raise UserError(f"{reference} is no image of ossec-log-server: it does not say its version.")
    release = next((one for one in releases if one.version == said[0]), None)
    if release is None:
        raise UserError(f"{reference} is OSSEC {said[0]}, and no version file of that is here: pull it.")
    return Subject(repository, name, top, images, release)


def is_what_it_is_called(subject: Subject, trusted: Trust) -> str:
    """Compare the tag with the version that each image says it is: an older image is well signed, too."""
    for one in subject.images:
        version, revision = labels.rank(one.labels) or (None, 0)
        if version is None or version != subject.release.version:
            raise NotProven(f"{one.digest} is another version than the others under it.")
        said = f"{version}-r{revision}"
        fitting = (said, f"{version}", f"{version.major}.{version.minor}", f"{version.major}", "latest")
        if subject.name not in fitting and subject.name != subject.top.digest:
            raise NotProven(f"under {subject.name} lies {said}.")
    if subject.name in (said, subject.top.digest):
        return f"it is {said}, and always will be."
    return f"it is {said} today; that nothing newer is out, only the registry says."


def signature(subject: Subject, trusted: Trust) -> str:
    """Check the signature of the tag's digest, and that each image under it is the one that this names."""
    trusted.attestations(subject.repository, subject.top, SIGNATURE)
    # An index holds the digest of each image, and each was fetched by that and compared with it.
    return f"{trusted} signed this digest, so no byte has changed since."


def comes_from(subject: Subject, trusted: Trust) -> str:
    """Compare what is attested of each image's origin with its labels and with this folder's version file."""
    builders = set()
    for one in subject.images:
        found = trusted.attestations(subject.repository, one.manifest, attest.PROVENANCE)
        wanted = {entry["name"]: entry["digest"] for entry in attest.dependencies(one, subject.release)}
        fitting = [said for said in found if attest.digests(said) == wanted]
        if not fitting:
            raise NotProven(
                f"what is attested of the origin of {one.digest} is not what its labels and "
                f"versions/{subject.release.version}.toml say."
            )
        _require_base(one, subject.release)
        _require_home(one, trusted)
        builders |= {said["runDetails"]["builder"]["id"] for said in fitting}
    said = subject.images[0].labels
    return (
        f"{trusted} states that {' and '.join(sorted(builders))} built it from commit "
        f"{said[labels.REVISION]:.12}, from OSSEC {subject.release.version}'s tarball with the SHA-256 "
        f"{subject.release.source.sha256:.12}…, which is the one in this folder's version file, and on "
        f"{said[labels.BASE]}."
    )


def lists_what_is_there(subject: Subject, trusted: Trust) -> str:
    """Compare both SBOMs of each image with what its layers, fetched for this, really hold."""
    from pipeline.registry import sbom  # here, as its libraries take longer to load than all others

    said = []
    for one in subject.images:
        try:
            parts = inventory.inventory(one, subject.release, source.fetch(subject.release))
            all_of_it = True
        except source.SourceUnreachable:
            parts, all_of_it = inventory.debian(one), False
        there = {part.purl for part in parts}
        for kind in (attest.SPDX, attest.CYCLONEDX):
            attested = trusted.attestations(subject.repository, one.manifest, kind)
            listed = [sbom.purls(found, "pkg:" if all_of_it else "pkg:deb/") for found in attested]
            if there not in listed:
                odd = ", ".join(sorted(there.symmetric_difference(listed[0]))[:5])
                raise NotProven(f"the SBOM {kind} of {one.digest} and its layers differ by {odd}.")
        ours = [f"{part.name} {part.version}" for part in parts if not part.purl.startswith("pkg:deb/")]
        rest = ", ".join(ours) or "OSSEC's own parts, which were not compared as its source can't be fetched"
        said.append(f"{len(parts) - len(ours)} Debian packages, and {rest}")
    return f"both, SPDX and CycloneDX, list just what the layers hold: {'; '.join(sorted(set(said)))}."


def can_be_built_again(subject: Subject, trusted: Trust) -> str:
    """Build the image of this machine's platform again, from the commit that it names, and compare bit for bit."""
    here = [one for one in subject.images if one.platform_name == platforms.NATIVE]
    if not here:
        raise NotAsked(f"it has no image for {platforms.NATIVE}, which this machine builds.")
    outcome = published.against(here[0])
    if not outcome.same_files:
        differences = "; ".join(map(str, outcome.differences[:5]))
        raise NotProven(f"built again, {outcome.subject} differs: {differences}.")
    day = f"packages of {outcome.snapshot}" if outcome.snapshot else "today's packages"
    how = "is the same bit for bit" if outcome.equal else "has the same files, packed otherwise"
    return f"built again from its commit, with {day}, {outcome.subject} {how}."


def _require_home(one: Content, trusted: Trust) -> None:
    """Raise NotProven where an image says that it is of another repository than the one whose signature counts."""
    said = one.labels.get(labels.SOURCE, "")
    if trusted.repository and said.lower() != f"https://github.com/{trusted.repository}".lower():
        raise NotProven(f"{one.digest} says it is of {said or 'no repository'}, not of {trusted.repository}.")


def _require_base(one: Content, release: Release) -> None:
    """Raise NotProven unless the image's base is the official one that its version file names."""
    if stand_in := one.labels.get(labels.STAND_IN):
        raise NotProven(f"the {stand_in} of {one.digest} is a stand-in.")
    base = one.labels.get(labels.BASE_DIGEST)
    # The file here may be of another revision of ours, with another base.
    if labels.rank(one.labels) == (release.version, release.revision) and base != release.base.digest:
        raise NotProven(
            f"{one.digest} is built on the base {base}, and versions/{release.version}.toml says {release.base.digest}."
        )

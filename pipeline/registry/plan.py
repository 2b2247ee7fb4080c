"""What publishing would do, and whether it may: which image, under which tags, and what these point at now."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.table import Table
from semver import Version

from pipeline import image, project, release
from pipeline.errors import UserError
from pipeline.image import content, platforms
from pipeline.image.content import Content
from pipeline.registry import INDEX, Manifest, Repository
from pipeline.release import Release
from pipeline.server import tested

VERSION_LABEL = "org.opencontainers.image.version"
REVISION_LABEL = "org.opencontainers.image.revision"


@dataclass(frozen=True)
class Plan:
    """What will be where: the images, what the tags will point at, and the tags, the immutable one first.

    `before` says what each tag points at now, None where there is no such tag.
    """

    repository: Repository
    release: Release
    images: tuple[Content, ...]
    top: Manifest
    tags: tuple[str, ...]
    before: Mapping[str, Manifest | None]

    def done(self, tag: str) -> bool:
        """Whether the tag is where it will be."""
        there = self.before[tag]
        return there is not None and there.digest == self.top.digest


def images(wanted: Release, only: str = "") -> tuple[Content, ...]:
    """The archived images of a release, for every platform or `only` that one.

    Raises UserError when one of them was not built, or is no archive.
    """
    found = []
    for platform in [platforms.find(only)] if only else platforms.SUPPORTED:
        path = image.archive(image.name(wanted, platform=platform), platform)
        if not path.is_file():
            raise UserError(
                f"There is no image of {wanted.immutable_tag} for {platform} in the cache: "
                f"run `./dev build {wanted.version} --platform {platform}`, or publish --only another one."
            )
        found.append(content.read(path))
    return tuple(found)


def require_publishable(candidate: Content, wanted: Release, revision: str) -> None:
    """Raise UserError unless this image may be given to others.

    `revision` is the commit that an image of this release is made from here and now.
    """
    name = f"The image {wanted.immutable_tag} for {'/'.join(candidate.platform.values())}"
    again = f"run `./dev build {wanted.version}` and `./dev smoke {wanted.version}` again"
    if parts := candidate.labels.get(image.STAND_IN_LABEL):
        raise UserError(
            f"{name} is not published: its {parts} is a stand-in. Build it where the official one can be had."
        )
    if candidate.labels.get(VERSION_LABEL) != wanted.immutable_tag:
        raise UserError(f"{name} says that it is {candidate.labels.get(VERSION_LABEL)!r}: {again}.")
    made_from = candidate.labels.get(REVISION_LABEL, "unknown")
    if not re.fullmatch("[0-9a-f]{40}", made_from):
        raise UserError(f"{name} was built from no commit, but from {made_from!r}: commit, then {again}.")
    if made_from != revision:
        raise UserError(f"{name} was built from commit {made_from:.12}, and here is {revision:.12}: {again}.")
    if tested.find(candidate.digest) is None:
        raise UserError(
            f"{name} is not published: {candidate.digest} has not passed the smoke test here. "
            f"Run `./dev smoke {wanted.version}`."
        )


def require_clean(root: Path) -> None:
    """Raise UserError where the folder is no git repository, or holds something that is not committed."""
    done = project.git("status", "--porcelain", root=root)
    if done.returncode:
        raise UserError(f"{root} is no git repository, so nobody could see what an image was built from.")
    if changed := done.stdout.decode().splitlines():
        rest = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise UserError(f"The tree is dirty: {changed[0][3:]}{rest}. Commit or remove it first.")


def plan(
    wanted: Release, releases: Sequence[Release], repository: Repository, found: Sequence[Content]
) -> Plan:
    """What publishing these images would do. Asks the registry, changes nothing.

    Raises UserError when the immutable tag is taken, or a moving one would go backwards.
    """
    top = found[0].manifest
    if len(found) > 1:
        top = Manifest(
            INDEX, platforms.index(one.manifest.descriptor | {"platform": one.platform} for one in found)
        )
    tags = release.tags(wanted, releases)
    return look(Plan(repository, wanted, tuple(found), top, tags, {}))


def look(made: Plan) -> Plan:
    """The plan with what its tags point at now. Raises UserError as `plan` does."""
    before = {tag: made.repository.manifest(tag) for tag in made.tags}
    for tag, there in before.items():
        if there is not None and there.digest != made.top.digest:
            _require_forward(made, tag, there)
    return replace(made, before=before)


def table(made: Plan) -> Table:
    """The plan as a person reads it, in the order in which it is done."""
    shown = Table(box=None, pad_edge=False)
    for heading in ("step", "what", "now", "then"):
        shown.add_column(heading, overflow="fold")
    for one in made.images:
        platform = "/".join(one.platform.values())
        missing = [blob for blob in one.blobs if not made.repository.has_blob(blob["digest"])]
        size = sum(blob["size"] for blob in missing) / 1_000_000
        there = f"{len(one.blobs) - len(missing)} of {len(one.blobs)} there"
        shown.add_row("blobs", platform, there, f"{size:.1f} MB to send")
        shown.add_row("manifest", platform, _state(made, one.manifest), short(one.digest))
    if len(made.images) > 1:
        shown.add_row(
            "index", f"{len(made.images)} platforms", _state(made, made.top), short(made.top.digest)
        )
    for one in made.images:
        passed = tested.find(one.digest)
        when = f"tested {passed.time[:10]}" if passed else "untested"
        shown.add_row("sign", "/".join(one.platform.values()), when, "signed, with provenance and SBOMs")
    for number, tag in enumerate(made.tags):
        there_now = made.before[tag]
        now = short(there_now.digest) if there_now else "—"
        then = "as it is" if made.done(tag) else short(made.top.digest)
        shown.add_row("tag" if number else "tag, for good", tag, now, then)
    return shown


def rank(labels: Mapping[str, str]) -> tuple[Version, int] | None:
    """The version and revision that an image says it is, in their order; None if it says nothing of the kind."""
    match = re.fullmatch(r"(.+)-r([1-9][0-9]*)", labels.get(VERSION_LABEL, ""))
    if match is None or not Version.is_valid(match[1]):
        return None
    return Version.parse(match[1]), int(match[2])


def _require_forward(made: Plan, tag: str, there: Manifest) -> None:
    ours = (made.release.version, made.release.revision)
    name = f"{made.repository.name}:{tag}"
    if tag == made.release.immutable_tag:
        raise UserError(
            f"{name} exists with another digest, {there.digest}, and never moves: raise `revision` in "
            f"versions/{made.release.version}.toml and build again."
        )
    theirs = rank(content.published(made.repository, there)[0].labels)
    if theirs is None:
        raise UserError(
            f"{name} points at an image that does not say its version: look at it, remove the tag."
        )
    if theirs >= ours:
        raise UserError(
            f"{name} would not go forward: it points at {theirs[0]}-r{theirs[1]}, {there.digest}, and this is "
            f"{made.release.immutable_tag}. Publish from a tree that knows every version and its newest revision."
        )


def _state(made: Plan, manifest: Manifest) -> str:
    return "there" if made.repository.manifest(manifest.digest) else "—"


def short(digest: str) -> str:
    """As much of a digest as a person compares."""
    return digest[:19]

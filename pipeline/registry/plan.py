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
from pipeline.registry.cosign import PREDICATE_TYPE, SIGNATURE
from pipeline.release import Release
from pipeline.server import tested

VERSION_LABEL = "org.opencontainers.image.version"
REVISION_LABEL = "org.opencontainers.image.revision"


@dataclass(frozen=True)
class Plan:
    """What will be where: the images, what the tags will point at, and the tags, the immutable one first.

    `before` is the digest that each tag points at now, None where there is no such tag.
    """

    repository: Repository
    release: Release
    images: tuple[Content, ...]
    top: Manifest
    tags: tuple[str, ...]
    before: Mapping[str, str | None]

    def done(self, tag: str) -> bool:
        """Whether the tag is where it will be."""
        return self.before[tag] == self.top.digest


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
    if candidate.labels.get(image.SNAPSHOT_LABEL) != wanted.base.snapshot:
        raise UserError(
            f"{name} is not published: its packages are of Debian's archive of "
            f"{candidate.labels.get(image.SNAPSHOT_LABEL)!r}, not of {wanted.base.snapshot}, so nobody could build it "
            f"again. Run `./dev build {wanted.version} --require-snapshot` where that archive answers."
        )
    for kind, what, task in (
        (tested.TESTED, "has not passed the smoke test here", "smoke"),
        (tested.REPRODUCED, "was not built a second time and compared here", "reproduce"),
    ):
        if tested.find(candidate.digest, kind) is None:
            raise UserError(
                f"{name} is not published: {candidate.digest} {what}. Run `./dev {task} {wanted.version}`."
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
        entries = (one.manifest.descriptor | {"platform": one.platform} for one in found)
        top = Manifest(INDEX, platforms.index(entries, _annotations(found)))
    tags = release.tags(wanted, releases)
    return look(Plan(repository, wanted, tuple(found), top, tags, {}))


def look(made: Plan) -> Plan:
    """The plan with what its tags point at now. Raises UserError as `plan` does."""
    before = {tag: made.repository.digest(tag) for tag in made.tags}
    for tag, there in before.items():
        if there is not None and there != made.top.digest:
            _require_forward(made, tag, there)
    return replace(made, before=before)


def unpublished(releases: Sequence[Release], to: str, pushed: str = "") -> list[str]:
    """The versions whose immutable tag the repository `to` does not have yet, the oldest first.

    `pushed` is a git tag, if one was pushed: it must be one of these. Raises UserError where it is not.
    """
    tags = {one.immutable_tag: str(one.version) for one in sorted(releases, key=lambda one: one.version)}
    if pushed and pushed not in tags:
        raise UserError(
            f"The git tag {pushed} fits no version file of its commit: these say {', '.join(tags)}. Remove the tag, or "
            "raise `revision` in the version file and push the tag anew."
        )
    repository = Repository(to, pushes=True)  # one that is not there yet holds nothing
    return [version for tag, version in tags.items() if repository.digest(tag) is None]


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
        now = short(there_now) if there_now else "—"
        then = "as it is" if made.done(tag) else short(made.top.digest)
        shown.add_row("tag" if number else "tag, for good", tag, now, then)
    return shown


def rank(labels: Mapping[str, str]) -> tuple[Version, int] | None:
    """The version and revision that an image says it is, in their order; None if it says nothing of the kind."""
    match = re.fullmatch(r"(.+)-r([1-9][0-9]*)", labels.get(VERSION_LABEL, ""))
    if match is None or not Version.is_valid(match[1]):
        return None
    return Version.parse(match[1]), int(match[2])


def require_in_place(made: Plan, kinds: Sequence[str]) -> None:
    """Raise UserError unless what the tags will point at is in the registry, signed, and was built again from there.

    `kinds` are the predicate types that each image bears.
    """
    for one in made.images:
        if tested.find(one.digest, tested.REBUILT) is None:
            raise UserError(
                f"No tag moves yet: {one.digest} was not built again from what the registry has. Run "
                f"`./dev reproduce --against {made.repository.name}@{one.digest}`."
            )
    for manifest in dict.fromkeys((made.top, *(one.manifest for one in made.images))):
        there = made.repository.digest(manifest.digest) is not None
        wanted = {*kinds, SIGNATURE} if manifest in [one.manifest for one in made.images] else {SIGNATURE}
        listed = made.repository.referrers(manifest.digest) if there else []
        missing = wanted - {entry.get("annotations", {}).get(PREDICATE_TYPE) for entry in listed}
        if missing:
            what = f"lacks {', '.join(sorted(missing))}" if there else "is not there"
            raise UserError(
                f"No tag moves yet: {made.repository.name}@{manifest.digest} {what}. Run `./dev publish "
                f"{made.release.version} --to {made.repository.name} --stage push`."
            )


def _annotations(found: Sequence[Content]) -> dict[str, str]:
    """What every image of an index says of itself, for the index to say, too."""
    first, *rest = (one.labels.items() for one in found)
    common = set(first).intersection(*rest)
    return {key: value for key, value in sorted(common) if key.startswith("org.opencontainers.image.")}


def _require_forward(made: Plan, tag: str, there: str) -> None:
    ours = (made.release.version, made.release.revision)
    name = f"{made.repository.name}:{tag}"
    if tag == made.release.immutable_tag:
        raise UserError(
            f"{name} exists with another digest, {there}, and never moves: raise `revision` in "
            f"versions/{made.release.version}.toml and build again."
        )
    manifest = made.repository.manifest(there)
    if manifest is None:
        raise UserError(f"{name} points at {there}, which is not there: remove the tag.")
    theirs = rank(content.published(made.repository, manifest)[0].labels)
    if theirs is None:
        raise UserError(
            f"{name} points at an image that does not say its version: look at it, remove the tag."
        )
    if theirs >= ours:
        raise UserError(
            f"{name} would not go forward: it points at {theirs[0]}-r{theirs[1]}, {there}, and this is "
            f"{made.release.immutable_tag}. Publish from a tree that knows every version and its newest revision."
        )


def _state(made: Plan, manifest: Manifest) -> str:
    return "there" if made.repository.digest(manifest.digest) else "—"


def short(digest: str) -> str:
    """As much of a digest as a person compares."""
    return digest[:19]

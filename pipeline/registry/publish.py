"""From tested archives to a registry's tags: what was tested is sent byte for byte, and a tag comes last.

The order leaves no moment where a tag points at something incomplete: layers and configurations, the manifest of
each platform, the index over them, attestations and signatures, the immutable tag, then the moving tags from
narrow to wide. Every step may be done twice, so what was cut short is simply run again. The release workflow does
all but the tags first, has what is in the registry built again on other machines, and then moves the tags.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rich.table import Column, Table

from pipeline import image, project, release, source
from pipeline.console import err, out
from pipeline.errors import UserError
from pipeline.image import content, labels, platforms
from pipeline.image.content import Content
from pipeline.registry import INDEX, Manifest, Repository, attest, cosign
from pipeline.release import Release
from pipeline.server import tested

PUSH, TAG = "push", "tag"  # what may be done alone: all but the tags, and the tags
PUSHED = "pushed"  # the folder in the cache where the first says what it has pushed


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


def publish(
    wanted: Release,
    releases: Sequence[Release],
    to: str,
    signer: cosign.Signer,
    only: str = "",
    dry_run: bool = False,
    stage: str = "",
) -> None:
    """Publish the archived images of a release in the repository `to`, or just show what would be done.

    `releases` are all there are, `only` names one platform, `stage` one half of the work. Raises UserError when
    something must not be published, or when it fails; then it can be run again.
    """
    if stage not in ("", PUSH, TAG):
        raise UserError(f"--stage: must be {PUSH} or {TAG}, not {stage!r}; leave it out for both.")
    repository = Repository(to, pushes=True)
    found = images(wanted, only)
    for one in found:
        require_publishable(one, wanted, image.revision_of(wanted))
    require_clean(project.ROOT)
    made = plan(wanted, releases, repository, found)
    out.print(f"[bold]{wanted.immutable_tag} to {repository.name}[/]")
    out.print(table(made))
    if dry_run:
        return
    if stage == TAG:
        require_in_place(made, attest.KINDS)
    else:
        signer.require()
        cosign.ensure()
        tarball = source.fetch(wanted)
        push(made, lambda: attest.attest(repository, found, made.top, wanted, signer, tarball))
    if stage != PUSH:
        move_tags(made)


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


def push(made: Plan, sign: Callable[[], None]) -> None:
    """Put all but the tags into the registry; `sign` signs and attests it. Raises UserError; it can be run again."""
    for one in made.images:
        for blob in one.blobs:
            with err.status(f"Sending {short(blob['digest'])}, {blob['size'] / 1_000_000:.1f} MB …"):
                made.repository.push_blob(blob["digest"], partial(one.open, blob["digest"]))
        made.repository.put_manifest(one.manifest)
    if len(made.images) > 1:
        made.repository.put_manifest(made.top)
    if not made.done(made.release.immutable_tag):  # that tag would not be there if it were not signed
        sign()
    pushed = project.cache_dir() / PUSHED / str(made.release.version)
    pushed.parent.mkdir(parents=True, exist_ok=True)
    pushed.write_text(f"{made.repository.name}@{made.top.digest}\n")
    err.print(f"[green]✓[/] {made.repository.name}@{short(made.top.digest)}")


def move_tags(made: Plan) -> None:
    """Let the tags point at what is there, the immutable one first. Raises UserError; it can be run again."""
    # Somebody else may have published in the meantime. A registry can't compare and set, so this is as late as it goes.
    made = look(made)
    for tag in made.tags:
        if not made.done(tag):
            made.repository.put_manifest(made.top, tag)
        err.print(f"[green]✓[/] {made.repository.name}:{tag} {short(made.top.digest)}")


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
    columns = (Column(heading, overflow="fold") for heading in ("step", "what", "now", "then"))
    shown = Table(*columns, box=None, pad_edge=False)
    for one in made.images:
        platform = one.platform_name
        missing = [blob for blob in one.blobs if not made.repository.has_blob(blob["digest"])]
        size = sum(blob["size"] for blob in missing) / 1_000_000
        there = f"{len(one.blobs) - len(missing)} of {len(one.blobs)} there"
        shown.add_row("blobs", platform, there, f"{size:.1f} MB to send")
        shown.add_row("manifest", platform, _state(made, one.manifest), short(one.digest))
    if len(made.images) > 1:
        what = f"{len(made.images)} platforms"
        shown.add_row("index", what, _state(made, made.top), short(made.top.digest))
    for one in made.images:
        passed = tested.find(one.digest)
        when = f"tested {passed.time[:10]}" if passed else "untested"
        shown.add_row("sign", one.platform_name, when, "signed, with provenance and SBOMs")
    for number, tag in enumerate(made.tags):
        there_now = made.before[tag]
        now = short(there_now) if there_now else "—"
        then = "as it is" if made.done(tag) else short(made.top.digest)
        shown.add_row("tag" if number else "tag, for good", tag, now, then)
    return shown


def images(wanted: Release, only: str = "") -> tuple[Content, ...]:
    """A release's archived images, of each platform or `only` that. Raises UserError if one is not built, or none."""
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
    """Raise UserError unless others may get it; `revision` is the commit that it would be made from here and now."""
    name = f"The image {wanted.immutable_tag} for {candidate.platform_name}"
    again = f"run `./dev build {wanted.version}` and `./dev smoke {wanted.version}` again"
    if parts := candidate.labels.get(labels.STAND_IN):
        raise UserError(
            f"{name} is not published: its {parts} is a stand-in. Build it with the official one."
        )
    if candidate.labels.get(labels.VERSION) != wanted.immutable_tag:
        raise UserError(f"{name} says that it is {candidate.labels.get(labels.VERSION)!r}: {again}.")
    made_from = candidate.labels.get(labels.REVISION, "unknown")
    if not re.fullmatch("[0-9a-f]{40}", made_from):
        raise UserError(f"{name} was built from no commit, but from {made_from!r}: commit, then {again}.")
    if made_from != revision:
        raise UserError(f"{name} was built from commit {made_from:.12}, and here is {revision:.12}: {again}.")
    if candidate.labels.get(labels.SNAPSHOT) != wanted.base.snapshot:
        raise UserError(
            f"{name} is not published: its packages are of Debian's archive of "
            f"{candidate.labels.get(labels.SNAPSHOT)!r}, not of {wanted.base.snapshot}, so nobody could build it "
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
    images = [one.manifest for one in made.images]
    for manifest in dict.fromkeys((made.top, *images)):
        there = made.repository.digest(manifest.digest) is not None
        wanted = {cosign.SIGNATURE, *(kinds if manifest in images else ())}
        listed = made.repository.referrers(manifest.digest) if there else []
        missing = wanted - {entry.get("annotations", {}).get(cosign.PREDICATE_TYPE) for entry in listed}
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
    return {key: value for key, value in sorted(common) if key.startswith(labels.OCI)}


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
    theirs = labels.rank(content.published(made.repository, manifest)[0].labels)
    if theirs is None:
        raise UserError(f"{name} points at an image that says no version: look at it, remove the tag.")
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

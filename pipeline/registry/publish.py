"""From tested archives to a registry's tags: what was tested is sent byte for byte, and a tag comes last.

The order leaves no moment where a tag points at something incomplete: layers and configurations, the manifest of
each platform, the index over them, attestations and signatures, the immutable tag, then the moving tags from
narrow to wide. Every step may be done twice, so what was cut short is simply run again. The release workflow does
all but the tags first, has what is in the registry built again on other machines, and then moves the tags.
"""

from collections.abc import Callable, Sequence
from functools import partial

from pipeline import image, project, source
from pipeline.console import err, out
from pipeline.errors import UserError
from pipeline.registry import Repository, attest, cosign
from pipeline.registry.plan import (
    Plan,
    images,
    look,
    plan,
    require_clean,
    require_in_place,
    require_publishable,
    short,
    table,
)
from pipeline.release import Release

PUSH, TAG = "push", "tag"  # what may be done alone: all but the tags, and the tags
PUSHED = "pushed"  # the folder in the cache where the first says what it has pushed


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
    out.print(f"[bold]{wanted.immutable_tag} to {repository.name}[/]", highlight=False)
    out.print(table(made))
    if dry_run:
        return
    if stage == TAG:
        require_in_place(made, attest.KINDS)
    else:
        signer.require()
        cosign.ensure()
        tarball = source.fetch(wanted)
        push(made, lambda there: attest.attest(there, signer, tarball))
    if stage != PUSH:
        move_tags(made)


def push(made: Plan, sign: Callable[[Plan], None]) -> None:
    """Put everything but the tags into the registry. `sign` gives what lies there its signatures and attestations.

    Raises UserError; it can be run again.
    """
    for one in made.images:
        for blob in one.blobs:
            with err.status(f"Sending {short(blob['digest'])}, {blob['size'] / 1_000_000:.1f} MB …"):
                made.repository.push_blob(blob["digest"], partial(one.open, blob["digest"]))
        made.repository.put_manifest(one.manifest)
    if len(made.images) > 1:
        made.repository.put_manifest(made.top)
    if not made.done(made.release.immutable_tag):  # that tag would not be there if it were not signed
        sign(made)
    pushed = project.cache_dir() / PUSHED / str(made.release.version)
    pushed.parent.mkdir(parents=True, exist_ok=True)
    pushed.write_text(f"{made.repository.name}@{made.top.digest}\n")
    err.print(f"[green]✓[/] {made.repository.name}@{short(made.top.digest)}", highlight=False)


def move_tags(made: Plan) -> None:
    """Let the tags point at what is there, the immutable one first. Raises UserError; it can be run again."""
    # Somebody else may have published in the meantime. A registry can't compare and set, so this is as late as it goes.
    made = look(made)
    for tag in made.tags:
        if not made.done(tag):
            made.repository.put_manifest(made.top, tag)
        err.print(f"[green]✓[/] {made.repository.name}:{tag} {short(made.top.digest)}", highlight=False)

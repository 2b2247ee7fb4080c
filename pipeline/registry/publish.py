"""From tested archives to a registry's tags: what was tested is sent byte for byte, and a tag comes last.

The order leaves no moment where a tag points at something incomplete: layers and configurations, the manifest of
each platform, the index over them, attestations and signatures, the immutable tag, then the moving tags from
narrow to wide. Every step may be done twice, so what was cut short is simply run again.
"""

from collections.abc import Callable, Sequence
from functools import partial

from pipeline import image, project, source
from pipeline.console import err, out
from pipeline.registry import Repository, attest, cosign
from pipeline.registry.plan import Plan, images, look, plan, require_clean, require_publishable, short, table
from pipeline.release import Release


def publish(
    wanted: Release,
    releases: Sequence[Release],
    to: str,
    signer: cosign.Signer,
    only: str = "",
    dry_run: bool = False,
) -> None:
    """Publish the archived images of a release in the repository `to`, or just show what would be done.

    `releases` are all there are, `only` names one platform. Raises UserError when something must not be published,
    or when it fails; then it can be run again.
    """
    repository = Repository(to)
    found = images(wanted, only)
    for one in found:
        require_publishable(one, wanted, image.revision_of(wanted))
    require_clean(project.ROOT)
    made = plan(wanted, releases, repository, found)
    out.print(f"[bold]{wanted.immutable_tag} to {repository.name}[/]", highlight=False)
    out.print(table(made))
    if dry_run:
        return
    signer.require()
    cosign.ensure()
    tarball = source.fetch(wanted)
    push(made, lambda there: attest.attest(there, signer, tarball))


def push(made: Plan, sign: Callable[[Plan], None]) -> None:
    """Carry the plan out. `sign` gives what lies there under its digest its signatures and attestations.

    Raises UserError, and then no tag points at anything new that is incomplete; it can be run again.
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
    # Somebody else may have published in the meantime. A registry can't compare and set, so this is as late as it goes.
    made = look(made)
    for tag in made.tags:
        if not made.done(tag):
            made.repository.put_manifest(made.top, tag)
        err.print(f"[green]✓[/] {made.repository.name}:{tag} {short(made.top.digest)}", highlight=False)

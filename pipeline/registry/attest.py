"""What goes with published images: their signature, where they come from, and what is in them."""

from pathlib import Path
from typing import Any

from pipeline.console import err
from pipeline.image.content import Content
from pipeline.registry import inventory, provenance
from pipeline.registry.cosign import Signer
from pipeline.registry.plan import Plan
from pipeline.release import Release
from pipeline.server import tested

SPDX = "https://spdx.dev/Document"
CYCLONEDX = "https://cyclonedx.org/bom"
KINDS = (provenance.TYPE, SPDX, CYCLONEDX)  # what each image bears


def attest(plan: Plan, signer: Signer, tarball: Path) -> None:
    """Attest and sign what the plan has put into the registry; `tarball` is OSSEC's verified source.

    The signature comes last: what bears it bears the rest. Raises UserError when something cannot be made.
    """
    for image in plan.images:
        for kind, predicate in statements(image, plan.release, tarball).items():
            with err.status(f"Attesting {kind} …"):
                signer.attest(plan.repository, image.manifest, kind, predicate)
    # The index too: its tags are what people ask for. That comes last of all.
    for subject in dict.fromkeys((*(image.manifest for image in plan.images), plan.top)):
        with err.status("Signing …"):
            signer.sign(plan.repository, subject)


def statements(image: Content, release: Release, tarball: Path) -> dict[str, dict[str, Any]]:
    """What is attested of an image: predicate type → predicate."""
    from pipeline.registry import sbom  # here, as its libraries take longer to load than all others

    parts = inventory.inventory(image, release, tarball)
    return {
        provenance.TYPE: provenance.provenance(image, release, tested.find(image.digest)),
        SPDX: sbom.spdx(image, parts),
        CYCLONEDX: sbom.cyclonedx(image, parts),
    }

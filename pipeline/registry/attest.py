"""What goes with published images: their signature, where they come from, and what is in them.

Where an image comes from is said as SLSA 1 says it: from its own labels, its version file and the run.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.console import err
from pipeline.image import labels
from pipeline.image.content import Content
from pipeline.registry import Manifest, Repository, inventory
from pipeline.registry.cosign import Signer
from pipeline.release import Release
from pipeline.server import tested
from pipeline.server.tested import Passed

PROVENANCE = "https://slsa.dev/provenance/v1"
SPDX = "https://spdx.dev/Document"
CYCLONEDX = "https://cyclonedx.org/bom"
KINDS = (PROVENANCE, SPDX, CYCLONEDX)  # what each image bears
BUILD_TYPE = "urn:ossec-log-server:build:1"  # docs/trust/releasing.md says what it means
LOCAL_BUILDER = "urn:ossec-log-server:builder:local"


def attest(
    there: Repository,
    images: Sequence[Content],
    top: Manifest,
    release: Release,
    signer: Signer,
    tarball: Path,
) -> None:
    """Attest and sign what lies there: the images of a release, and their index, if they have one, as `top`.

    `tarball` is OSSEC's verified source. The signature comes last: what bears it bears the rest. Raises UserError when
    something cannot be made.
    """
    for image in images:
        for kind, predicate in statements(image, release, tarball).items():
            with err.status(f"Attesting {kind} …"):
                signer.attest(there, image.manifest, kind, predicate)
    # The index too: its tags are what people ask for. That comes last of all.
    for subject in dict.fromkeys((*(image.manifest for image in images), top)):
        with err.status("Signing …"):
            signer.sign(there, subject)


def statements(image: Content, release: Release, tarball: Path) -> dict[str, dict[str, Any]]:
    """What is attested of an image: predicate type → predicate."""
    from pipeline.registry import sbom  # here, as its libraries take longer to load than all others

    parts = inventory.inventory(image, release, tarball)
    return {
        PROVENANCE: provenance(image, release, tested.find(image.digest)),
        SPDX: sbom.spdx(image, parts),
        CYCLONEDX: sbom.cyclonedx(image, parts),
    }


def provenance(image: Content, release: Release, passed: Passed | None) -> dict[str, Any]:
    """How this image of a release came to be, and, where it is known, that it passed the smoke test."""
    run: dict[str, Any] = {"builder": {"id": LOCAL_BUILDER}}
    server = os.environ.get("GITHUB_SERVER_URL")
    if server and os.environ.get("GITHUB_ACTIONS") == "true":
        run["builder"] = {"id": f"{server}/{os.environ['GITHUB_WORKFLOW_REF']}"}
        run["metadata"] = {
            "invocationId": f"{server}/{os.environ['GITHUB_REPOSITORY']}/actions/runs/{os.environ['GITHUB_RUN_ID']}"
            f"/attempts/{os.environ['GITHUB_RUN_ATTEMPT']}"
        }
    if passed:
        noted = {"passed": passed.time, "tests": passed.tests}
        run["byproducts"] = [{"name": "smoke test", "annotations": noted}]
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "version": str(release.version),
                "revision": release.revision,
                "platform": image.platform_name,
            },
            "internalParameters": {
                # As it was, not as the version file would have it: that day's archive may not have answered.
                "snapshot": image.labels.get(labels.SNAPSHOT, ""),
                "sourceDateEpoch": release.source.commit_date,
            },
            "resolvedDependencies": dependencies(image, release),
        },
        "runDetails": run,
    }


def dependencies(image: Content, release: Release) -> list[dict[str, Any]]:
    """What went into the image: our commit, OSSEC's tarball and the base image, each with its digest."""
    said = image.labels
    ours: dict[str, Any] = {"name": "ossec-log-server"}
    if repository := os.environ.get("GITHUB_REPOSITORY"):
        ours["uri"] = f"git+{os.environ.get('GITHUB_SERVER_URL', 'https://github.com')}/{repository}"
    ours["digest"] = {"gitCommit": said.get(labels.REVISION, "")}
    base = said.get(labels.BASE_DIGEST, "")
    return [
        ours,
        {"name": "OSSEC", "uri": release.source.url, "digest": {"sha256": release.source.sha256}},
        {
            "name": "base",
            "uri": f"docker://{said.get(labels.BASE, '')}",
            "digest": {"sha256": base.removeprefix("sha256:")},
        },
    ]


def digests(said: dict[str, Any]) -> dict[str, dict[str, str]]:
    """What a provenance says went into its image: name → digest. Empty where it has another form."""
    try:
        listed = said["buildDefinition"]["resolvedDependencies"]
        return {one["name"]: one["digest"] for one in listed}
    except (KeyError, TypeError):
        return {}

"""What an image was built from and by whom, as SLSA 1 says it: from its own labels, its version file and the run."""

import os
from typing import Any

from pipeline.image import SNAPSHOT_LABEL
from pipeline.image.content import Content
from pipeline.release import Release
from pipeline.server.tested import Passed

TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:ossec-log-server:build:1"  # docs/trust/releasing.md says what it means
LOCAL_BUILDER = "urn:ossec-log-server:builder:local"
OCI = "org.opencontainers.image"


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
                "platform": "/".join(image.platform.values()),
            },
            "internalParameters": {
                # As it was, not as the version file would have it: that day's archive may not have answered.
                "snapshot": image.labels.get(SNAPSHOT_LABEL, ""),
                "sourceDateEpoch": release.source.commit_date,
            },
            "resolvedDependencies": dependencies(image, release),
        },
        "runDetails": run,
    }


def dependencies(image: Content, release: Release) -> list[dict[str, Any]]:
    """What went into the image: our commit, OSSEC's tarball and the base image, each with its digest."""
    labels = image.labels
    ours: dict[str, Any] = {"name": "ossec-log-server"}
    if repository := os.environ.get("GITHUB_REPOSITORY"):
        ours["uri"] = f"git+{os.environ.get('GITHUB_SERVER_URL', 'https://github.com')}/{repository}"
    ours["digest"] = {"gitCommit": labels.get(f"{OCI}.revision", "")}
    base = labels.get(f"{OCI}.base.digest", "")
    return [
        ours,
        {"name": "OSSEC", "uri": release.source.url, "digest": {"sha256": release.source.sha256}},
        {
            "name": "base",
            "uri": f"docker://{labels.get(f'{OCI}.base.name', '')}",
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

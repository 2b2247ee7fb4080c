"""What an image says of itself: the labels and their names, what they say of a release, and which one they name."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from semver import Version

from pipeline.image.base import BaseImage
from pipeline.release import Release

OCI = "org.opencontainers.image."  # what all of these begin with is the specification's
VERSION = f"{OCI}version"
REVISION = f"{OCI}revision"
SOURCE = f"{OCI}source"
LICENCES = f"{OCI}licenses"
BASE = f"{OCI}base.name"
BASE_DIGEST = f"{OCI}base.digest"
STAND_IN = "ossec-log-server.stand-in"  # what of the image is one: base, release or both
SNAPSHOT = "ossec-log-server.snapshot"  # the day of Debian's archive that its packages are of, or:
NO_SNAPSHOT = "none"
TARBALL = "ossec-log-server.ossec"  # where OSSEC's source lies; with .sha256, its sum


def of(release: Release, under: BaseImage, revision: str, stand_in_release: bool) -> dict[str, str]:
    """The labels of a release's image that is made from the commit `revision`, without those of `of_home`."""
    created = datetime.fromtimestamp(release.source.commit_date, UTC)
    labels = {
        f"{OCI}title": "ossec-log-server",
        f"{OCI}description": "OSSEC's log analysis: syslog in, alerts out as JSON and mail",
        VERSION: release.immutable_tag,
        REVISION: revision,
        f"{OCI}created": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        f"{OCI}authors": "the ossec-log-server authors",
        f"{OCI}vendor": "ossec-log-server",
        LICENCES: "MIT" if stand_in_release else "MIT AND GPL-2.0-only",
        BASE: under.reference if under.stand_in else release.base.image,
        BASE_DIGEST: under.digest,
        SNAPSHOT: under.snapshot or NO_SNAPSHOT,
        TARBALL: release.source.url,
        f"{TARBALL}.sha256": release.source.sha256,
    }
    if stand_ins := ["base"] * under.stand_in + ["release"] * stand_in_release:
        labels[STAND_IN] = ",".join(stand_ins)
    return labels


def of_home(home: str) -> dict[str, str]:
    """Where the project lies on the web. No commit says it, so who builds again takes it from the image's own label."""
    return {SOURCE: home, f"{OCI}url": home, f"{OCI}documentation": f"{home}#readme"} if home else {}


def rank(labels: Mapping[str, str]) -> tuple[Version, int] | None:
    """The version and revision that an image says it is, in their order; None if it says nothing of the kind."""
    match = re.fullmatch(r"(.+)-r([1-9][0-9]*)", labels.get(VERSION, ""))
    if match is None or not Version.is_valid(match[1]):
        return None
    return Version.parse(match[1]), int(match[2])

"""What an image says of itself: of which release and base it is, and where the project lies."""

from dataclasses import replace

import pytest
from semver import Version

from pipeline.image import labels
from pipeline.image.base import BaseImage
from tests.publish import tiny

OFFICIAL = BaseImage("the engine's name", "sha256:1", "20261005T000000Z", [], stand_in=False)
COMMIT = "0" * 40


def test_an_image_says_of_what_it_is_made() -> None:
    wanted = tiny.release(revision=3)
    said = labels.of(wanted, OFFICIAL, COMMIT, stand_in_release=False)
    assert labels.rank(said) == (Version(9, 9, 9), 3)
    assert (said[labels.REVISION], said[labels.SNAPSHOT]) == (COMMIT, "20261005T000000Z")
    assert (said[labels.BASE], said[labels.BASE_DIGEST]) == (wanted.base.image, "sha256:1")
    assert said["org.opencontainers.image.created"] == "2023-11-14T22:13:20Z"
    assert said["ossec-log-server.ossec"] == "https://example.org/9.9.9.tar.gz"
    assert said["ossec-log-server.ossec.sha256"] == wanted.source.sha256
    assert labels.STAND_IN not in said


def test_a_stand_in_says_that_it_is_one() -> None:
    under = replace(OFFICIAL, snapshot="", stand_in=True)
    said = labels.of(tiny.release(), under, COMMIT, stand_in_release=True)
    assert (said[labels.STAND_IN], said[labels.SNAPSHOT]) == ("base,release", "none")
    assert (said[labels.BASE], said[labels.LICENCES]) == ("the engine's name", "MIT")


def test_where_the_project_lies_is_said_where_it_is_known() -> None:
    assert labels.of_home("https://github.com/owner/name") == {
        "org.opencontainers.image.source": "https://github.com/owner/name",
        "org.opencontainers.image.url": "https://github.com/owner/name",
        "org.opencontainers.image.documentation": "https://github.com/owner/name#readme",
    }
    assert labels.of_home("") == {}


@pytest.mark.parametrize("version", ["", "9.9.9", "9.9.9-r0", "9.9-r1", "latest-r1", "9.9.9-r1\n"])
def test_what_says_no_revision_of_a_version_has_no_rank(version: str) -> None:
    assert labels.rank({labels.VERSION: version}) is None

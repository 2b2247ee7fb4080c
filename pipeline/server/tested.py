"""Which images have passed what they must before others get them: records in the cache, under the digest of each.

`TESTED` is the smoke test, `REPRODUCED` that a second build gave the same as the very archive, `REBUILT` that
one gave the same as what is in the registry.
"""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline import project
from pipeline.errors import UserError
from pipeline.image import content

TESTED, REPRODUCED, REBUILT = "tested", "reproduced", "rebuilt"  # folders in the cache


@dataclass(frozen=True)
class Passed:
    """That the image with this manifest digest passed, when (ISO 8601, UTC), and the commit of the tests."""

    digest: str
    time: str
    tests: str


def record(held: Path, engine_id: str, tests: str) -> Passed | None:
    """Note that the image in the archive `held` passed, if it is the very one that the engine calls `engine_id`.

    Returns None, and notes nothing, where it is another. `tests` is the commit of the tests.
    """
    try:
        found = content.read(held)
    except (OSError, UserError):
        return None
    # The engine names an image by its manifest or, where it doesn't keep images in containerd, its configuration.
    if engine_id not in (found.digest, found.manifest.data["config"]["digest"]):
        return None
    return note(found.digest, TESTED, tests)


def note(digest: str, kind: str, tests: str) -> Passed:
    """Note that the image with this manifest digest has passed what `kind` says."""
    passed = Passed(digest, datetime.now(UTC).isoformat(timespec="seconds"), tests)
    path = _path(digest, kind)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(asdict(passed), indent=2) + "\n")
    part.replace(path)
    return passed


def find(digest: str, kind: str = TESTED) -> Passed | None:
    """The record of the image with this manifest digest, or None if it has not passed here what `kind` says."""
    try:
        passed = Passed(**json.loads(_path(digest, kind).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return passed if passed.digest == digest else None


def _path(digest: str, kind: str) -> Path:
    return project.cache_dir() / kind / f"{digest.replace(':', '-')}.json"

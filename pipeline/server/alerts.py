"""What an alert looks like: docs/use/alert.schema.json."""

import json
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from pipeline.project import ROOT

SCHEMA = ROOT / "docs" / "use" / "alert.schema.json"
# Of lines that are as the schema says, which takes twenty times as long to find as to read them: who waits for an alert
# reads all again each time.
_sound: set[int] = set()


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(SCHEMA.read_text()))


def parse(line: str | bytes) -> dict[str, Any]:
    """The alert of a line. Raises ValueError where it is not as the schema says."""
    alert = json.loads(line)
    if hash(line) not in _sound:
        for error in _validator().iter_errors(alert):
            raise ValueError(f"{error.json_path}: {error.message}: {line!r}")
        _sound.add(hash(line))
    assert isinstance(alert, dict)
    return alert

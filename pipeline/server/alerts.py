"""What an alert looks like: docs/use/alert.schema.json."""

import json
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from pipeline.project import ROOT

SCHEMA = ROOT / "docs" / "use" / "alert.schema.json"


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(SCHEMA.read_text()))


def parse(line: str | bytes) -> dict[str, Any]:
    """The alert of a line. Raises ValueError where it is not as the schema says."""
    alert = json.loads(line)
    for error in _validator().iter_errors(alert):
        raise ValueError(f"{error.json_path}: {error.message}: {line!r}")
    assert isinstance(alert, dict)
    return alert

"""The platforms that images are built for, and the index that makes several images one."""

import json
import platform
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.errors import UserError
from pipeline.registry import INDEX

SUPPORTED = ("linux/amd64", "linux/arm64")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_MACHINE = platform.machine().lower()
NATIVE = f"linux/{_ARCHITECTURES.get(_MACHINE, _MACHINE)}"  # what this machine runs without emulation


def find(name: str = "") -> str:
    """The platform of that name, or this machine's own. Raises UserError for one that no image is built for."""
    wanted = name or NATIVE
    if wanted not in SUPPORTED:
        raise UserError(f"No image is built for the platform {wanted!r}. Known: {', '.join(SUPPORTED)}.")
    return wanted


def architecture(name: str) -> str:
    """A platform's processor as Docker and Debian call it: `arm64` of `linux/arm64`."""
    return name.partition("/")[2]


def suffix(name: str) -> str:
    """What an image's tag in the engine ends with: nothing for this machine's own platform, else `-arm64`."""
    return "" if name == NATIVE else f"-{architecture(name)}"


def index(manifests: Iterable[dict[str, Any]], annotations: Mapping[str, str] | None = None) -> bytes:
    """The OCI index of these manifests: the same bytes whatever their order and whoever makes it.

    Each is a descriptor with `mediaType`, `digest`, `size` and `platform` (a dict with `os` and `architecture`).
    Raises ValueError where two are for one platform.
    """
    entries = sorted(manifests, key=lambda entry: json.dumps(entry["platform"], sort_keys=True))
    known = [json.dumps(entry["platform"], sort_keys=True) for entry in entries]
    if len(set(known)) < len(known):
        raise ValueError(f"two manifests for one platform: {', '.join(known)}")
    data: dict[str, Any] = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
    if annotations:
        data["annotations"] = dict(annotations)
    return json.dumps(data, sort_keys=True, separators=(",", ":")).encode()

"""The settings of the image, from the table that its start-up scripts read: docs/use/settings.md and its JSON Schema.

`./dev settings` writes both.
"""

import json
from configparser import ConfigParser, SectionProxy
from itertools import groupby
from pathlib import Path
from typing import Any

from pipeline.project import ROOT

ROOMS = ROOT / "docker/rootfs/usr/local/lib/ossec-log-server"
TABLE = ROOMS / "settings" / "settings.ini"
PAGE = ROOT / "docs" / "use" / "settings.md"
SCHEMA = ROOT / "docs" / "use" / "settings.schema.json"
HEAD = f"""\
# Settings

<!-- Made from {TABLE.relative_to(ROOT)} by `./dev settings`: change it there. -->

Each is an environment variable. An empty one means its default; a wrong or misspelt one ends the container with 78 and
one line that names it. Instead of any `NAME`, `NAME_FILE` can name a file that holds the value, such as a secret.
[configuration.md](configuration.md) has examples, and what is mounted beside them.
[settings.schema.json](settings.schema.json) is the same table as a JSON Schema of an object with these variables.
"""


def read() -> list[SectionProxy]:
    """The settings in the order of the table. One that names no group is of the group of the one before it."""
    table = ConfigParser(interpolation=None)
    table.read_string(TABLE.read_text())
    group = ""
    for name in table.sections():
        group = table[name].setdefault("group", group)
    return [table[name] for name in table.sections()]


def _default(setting: SectionProxy) -> str:
    """The default as a page says it, in Markdown."""
    text = f"`{setting['default']}`" if "default" in setting else ""
    if with_ := setting.get("default_with"):
        name, value = with_.split(" ", 1)
        text += f"; `{value}` with `{name}`"
    return text


def page(settings: list[SectionProxy]) -> str:
    """docs/use/settings.md: a table for each group."""
    text = HEAD
    for group, members in groupby(settings, lambda setting: setting["group"]):
        rows = "".join(f"| `{one.name}` | {_default(one)} | {one['help']} |\n" for one in members)
        text += f"\n## {group}\n\n| variable | default | meaning |\n|---|---|---|\n{rows}"
    return text


RANGES = {"level": (0, 16), "port": (1, 65535)}
# Kinds by a pattern alone. What a pattern can't say, `ossec-log-server check` does.
PATTERNS = {
    "address": r"^\s*[^@,\s]+@[^@,\s]+\.[^@,\s]+\s*$",
    "peers": r"^[\s,0-9A-Za-z.:/=*_%-]*$",
    "ciphers": r"^\s*\S*\s*$",
    "duration": r"^\s*(0|[1-9][0-9]{0,6}[smhdSMHD])\s*$",
    "headers": r"^(\s*(\[[^\]\s]+\]|[A-Za-z0-9_-]+:[^\x00-\x08\x0a-\x1f]+)?\r?(\n|$))*$",
    "networks": r"^[\s,0-9A-Fa-f:./]*$",
    "recipients": r"^\s*[^@,\s]+@[^@,\s]+\.[^@,\s]+\s*(,\s*[^@,\s]+@[^@,\s]+\.[^@,\s]+\s*)*$",
    "secret": r"^[^\x00-\x1f\x7f]*$",
    "server": r"^\s*(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]+)?\s*$",
    "size": r"^\s*[0-9]{1,16}([kKmMgGtT]?)([iI]?[bB])?\s*$",
    "target": r"^\s*(tcp|tls|relps?)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]+\s*$",
    "text": r"^[^\x00-\x1f\x7f]*$",
    "urls": r"^\s*([a-z]+\+)?https?://[^\s,]+([\s,]+([a-z]+\+)?https?://[^\s,]+)*\s*$",
    "time_zone": r"^\s*[A-Za-z0-9_+/-]+\s*$",
}


def _schema_of(setting: SectionProxy) -> dict[str, Any]:
    kind = setting["kind"]
    if kind in ("choice", "yes_no"):
        rule: dict[str, Any] = {"enum": ["", *setting.get("values", "yes no").split(" ")]}
    elif kind == "number" or kind in RANGES:
        least, most = RANGES.get(kind) or (int(setting["least"]), int(setting["most"]))
        rule = {
            "type": ["integer", "string"],
            "minimum": least,
            "maximum": most,
            "pattern": r"^\s*[0-9]*\s*$",
        }
    else:
        rule = {"type": "string", "anyOf": [{"const": ""}, {"pattern": PATTERNS[kind]}]}
    default = {"default": setting["default"]} if "default" in setting else {}
    return {"description": setting["help"], **default, **rule}


def schema(settings: list[SectionProxy]) -> str:
    """docs/use/settings.schema.json: of an object that has the variables as its properties."""
    properties: dict[str, Any] = {}
    for one in settings:
        properties[one.name] = _schema_of(one)
        properties[f"{one.name}_FILE"] = {"$ref": "#/$defs/file"}
    needed: dict[str, list[str]] = {}
    for one in settings:
        if with_ := one.get("used_with"):
            needed.setdefault(with_, []).append(one.name)
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Settings of ossec-log-server",
        "$defs": {
            "file": {"description": "a file that holds the value", "type": "string", "pattern": "^(/.*)?$"}
        },
        "type": "object",
        "properties": properties,
        "patternProperties": {"^(?!OSSEC_)": {}},
        "additionalProperties": False,
        "allOf": [
            *({"not": {"required": [one.name, f"{one.name}_FILE"]}} for one in settings),
            *(_needed(with_, names) for with_, names in needed.items()),
        ],
    }
    return json.dumps(whole, indent=2) + "\n"


def _needed(with_: str, names: list[str]) -> dict[str, Any]:
    name, value = with_.split(" ", 1)
    there = [{"anyOf": [{"required": [one]}, {"required": [f"{one}_FILE"]}]} for one in names]
    return {"if": {"required": [name], "properties": {name: {"const": value}}}, "then": {"allOf": there}}


def write() -> list[Path]:
    """Write what is made from the table, and return where."""
    made = read()
    PAGE.write_text(page(made))
    SCHEMA.write_text(schema(made))
    return [path.relative_to(ROOT) for path in (PAGE, SCHEMA)]

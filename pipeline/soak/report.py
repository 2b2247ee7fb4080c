"""The outcome of a soak for people, and for programs."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from rich.console import Group
from rich.table import Column, Table

from pipeline.soak.verdict import HELD_SECONDS, REPEATS, Account, Verdict

NONE = "–"
LEFT: dict[str, Any] = {"title_justify": "left", "caption_justify": "left"}


def table(verdict: Verdict, title: str) -> Group:
    """One column for each protocol, and a row for each kind of event."""
    columns = (Column(one.protocol, justify="right") for one in verdict.accounts)
    shown = Table("", *columns, title=title, caption=bounds(verdict), **LEFT)
    for name, cell in rows():
        shown.add_row(name, *(cell(one) for one in verdict.accounts))
    happened = Table("", Column("times", justify="right"), title="What happened", **LEFT)
    for name, times in sorted(Counter(event.name for event in verdict.events).items()):
        happened.add_row(name, str(times))
    return Group(shown, happened)


def bounds(verdict: Verdict) -> str:
    most = ", ".join(f"{name} {number}" for name, number in REPEATS.items())
    unclean = sum(event.unclean for event in verdict.events)
    return (
        f"Allowed to be repeated by each of the {unclean} kills and cut connections: {most}. "
        f"Allowed to be held: what was written within {HELD_SECONDS:g} s before the intake was killed with 9."
    )


def rows() -> list[tuple[str, Callable[[Account], str]]]:
    """What each row is called, and what it says of one sender."""
    return [
        ("sent", "{0.sent:,}".format),
        ("acknowledged", lambda one: f"{one.taken:,}" if one.protocol == "RELP" else NONE),
        (
            "taken: sent while the server was up",
            lambda one: f"{one.taken:,}" if one.protocol != "RELP" else NONE,
        ),
        ("in the archive", "{0.archived:,}".format),
        ("in alerts.json", "{0.alerts:,}".format),
        ("on standard output", "{0.printed:,}".format),
        ("at the forward target", "{0.forwarded:,}".format),
        ("mailed, of those to be mailed", "{0.mailed:,} of {0.to_mail:,}".format),
        ("lost", "{0.lost:,}".format),
        *((f"repeated: {name}", f"{{0.repeated[{name}]:,}}".format) for name in REPEATS),
        ("held by the intake when it was killed with 9", _held),
        ("not taken: written while nobody listened", "{0.down:,}".format),
    ]


def _held(one: Account) -> str:
    return f"{one.held:,}" + (f" (up to {one.held_longest * 1000:.0f} ms before)" if one.held else "")


def to_json(verdict: Verdict, **about: object) -> str:
    """All of it, with what the run was about."""
    data = {
        **about,
        "repeats_allowed": verdict.repeats_allowed,
        "problems": list(verdict.problems),
        "accounts": [asdict(one) for one in verdict.accounts],
        "events": [asdict(one) for one in verdict.events],
    }
    return json.dumps(data, indent=2) + "\n"

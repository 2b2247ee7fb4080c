"""The patterns of the image's own decoders and rules: none that a line can make try ways without end."""

import re
from collections.abc import Iterator
from pathlib import Path
from re import _constants as code  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import pytest

EXTRA = Path(__file__).parents[3] / "docker/rootfs/var/ossec/extra"
PATTERN = re.compile(r"<(?:url_|prematch_|program_name_)?pcre2(?: [^>]*)?>(.*?)</", re.DOTALL)
# What the shim puts in their place (docker/shim/regex.c) begins and ends with a fixed character.
NAMED = {
    "(?&ip)": "(x[0-9a-f.:]{1,39})",
    "(?&host)": r"(x[\w.-]{1,64}y)",
    "(?&by)": "=x",
    "(?&from)": r"(=x[\w.:]{1,39})",
    "(?&user)": "('x[^']+')",
    "(?&fields)": "",
    "(?&start)": r"\b",
    "(?&failed)": "(?:failed|bad)",
    "(?&source)": r"(=x[\w.:]{1,39})",
}
REPEATS = {code.MAX_REPEAT, code.MIN_REPEAT}
MANY = 200  # from here on a repetition counts as one without end
PATTERNS = [
    (file.relative_to(EXTRA), found)
    for file in sorted(EXTRA.rglob("*.xml"))
    for found in PATTERN.findall(re.sub(r"<!--.*?-->", "", file.read_text(), flags=re.DOTALL))
]


def parsed(pattern: str) -> Any:
    """As Python reads it, which knows no (?|, where the groups of all branches have the same numbers."""
    text = pattern.replace("\\<", "<").replace("(?|", "(?:")
    for name, instead in NAMED.items():
        text = text.replace(name, instead)
    return parser.parse(re.sub(r"(?<!^)\(\?i\)", "", text))


def ends_itself(repeat: Any, follows: list[Any]) -> bool:
    """Whether what comes behind a repetition can be no part of it, so that there is one way to read it."""
    operation, what = repeat[0]
    if len(repeat) != 1 or not follows or follows[0][0] is not code.LITERAL:
        return False
    after = follows[0][1]
    if operation is code.NOT_LITERAL:
        return bool(what == after)
    if operation is not code.IN:
        return False
    classes = {code.CATEGORY_DIGIT: r"\d", code.CATEGORY_WORD: r"\w", code.CATEGORY_SPACE: r"\s"}
    taken = any(
        (kind is code.LITERAL and value == after)
        or (kind is code.RANGE and value[0] <= after <= value[1])
        or (kind is code.CATEGORY and (value not in classes or re.match(classes[value], chr(after))))
        for kind, value in what
    )
    return (what[0][0] is code.NEGATE) == taken


def nested(tree: Any, inside: bool = False) -> Iterator[str]:
    """The repetitions without end inside of one without end, but for those that can be read in one way alone."""
    items = list(tree)
    for at, (operation, value) in enumerate(items):
        if operation in REPEATS:
            least, most, body = value
            endless = most is code.MAXREPEAT or most >= MANY
            if inside and endless and not ends_itself(list(body), items[at + 1 :]):
                yield f"{body} {least} {most}"
            yield from nested(body, inside or endless)
        elif operation is code.POSSESSIVE_REPEAT:
            yield from nested(value[2])
        elif operation is code.SUBPATTERN:
            yield from nested(value[3], inside)
        elif operation is code.ATOMIC_GROUP:
            yield from nested(value)
        elif operation in (code.ASSERT, code.ASSERT_NOT):
            yield from nested(value[1])
        elif operation is code.BRANCH:
            for branch in value[1]:
                yield from nested(branch, inside)


@pytest.mark.parametrize("pattern", ["(a+)+b", "(?:a*b*)*", r"(?:\w+ ?)+x", "(?:(?:ab)+|c)*d"])
def test_the_check_finds_what_it_is_for(pattern: str) -> None:
    assert list(nested(parsed(pattern)))


@pytest.mark.parametrize(
    "pattern", [r"(?:[^,]*,)*", r"(?:\[[^\]]*\] )*x", '(?:[^"]|"[^"]*+")*?x', "(?:a+){3}"]
)
def test_the_check_lets_through_what_is_read_in_one_way(pattern: str) -> None:
    assert not list(nested(parsed(pattern)))


def test_no_pattern_repeats_a_repetition() -> None:
    assert len(PATTERNS) > 300
    found = {f"{file}: {pattern}": list(nested(parsed(pattern))) for file, pattern in PATTERNS}
    assert {where: what for where, what in found.items() if what} == {}

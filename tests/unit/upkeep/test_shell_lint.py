"""The search for commands of the start-up scripts whose status nobody looks at."""

import re
from pathlib import Path

import pytest
import tree_sitter_bash
from tree_sitter import Language, Parser

from pipeline.project import ROOT
from pipeline.upkeep import scripts, shell_lint

SCRIPTS = ROOT / "docker" / "rootfs" / "usr" / "local"


def found(folder: Path, script: str) -> list[str]:
    file = folder / "script.bash"
    file.write_text(script)
    return [one.text for one in shell_lint.find([file])]


BARE = {
    "a program": "mkdir /x",
    "in a function": "f() { mkdir /x; }\nf",
    "in an assignment": "x=$(find /x)",
    "in the words of another": 'echo "$(cat /x)"',
    "behind &&": "[[ -e /x ]] && mkdir /x",
    "at the end of ||": "[[ -e /x ]] || mkdir /x",
    "a test": "[[ -e /x ]]",
    "in a pipe": "cat /x | sort",
    "to a file": "echo x > /x",
    "from a file": "while read -r x || false; do echo; done < /x",
    "in a body": "if true; then mkdir /x; fi",
    "in a loop's body": "while true; do mkdir /x; done",
    "called with and without a look": "f() { mkdir /x; }\nf || true\nf",
    "a function that may end so": "f() { [[ -e /x ]] && echo y; }\nf",
}


@pytest.mark.parametrize("what", BARE)
def test_what_nobody_looks_at_is_found(tmp_path: Path, what: str) -> None:
    assert found(tmp_path, BARE[what])


LOOKED_AT = {
    "||": "mkdir /x || exit 1",
    "if": "if ! mkdir /x; then exit 1; fi",
    "while": "while [[ -e /x ]]; do echo; done",
    "!": "! mkdir /x",
    "must": "must() { true; }\nmust 73 a b mkdir /x",
    "a function of ours behind must": "must() { true; }\nf() { mkdir /x; }\nmust 73 a b f",
    "a function that is only asked": "f() { [[ -e /x ]]; }\nf || exit 1\nif f; then exit 2; fi",
    "the one who only asks": "f() { [[ -e /x ]]; }\ng() { f && [[ -e /y ]]; }\ng || exit 1",
    "in the background": "sleep 9 &",
    "to nowhere and to others": "echo x > /dev/null; echo y >&2",
    "builtins": 'local x; echo "$x"; printf x; return 0',
}


@pytest.mark.parametrize("how", LOOKED_AT)
def test_what_is_looked_at_is_not_found(tmp_path: Path, how: str) -> None:
    assert found(tmp_path, LOOKED_AT[how]) == []


def test_it_says_where(tmp_path: Path) -> None:
    file = tmp_path / "x.bash"
    file.write_text("true\nmkdir /x\n")
    assert [str(one) for one in shell_lint.find([file])] == [
        f"{file}:2: nobody looks at the status of `mkdir /x`"
    ]


def test_the_start_up_scripts_have_none() -> None:
    files = [ROOT / name for name in scripts.start_up()]
    assert len(files) > 8
    assert [str(one) for one in shell_lint.find(files)] == []


def test_a_library_file_runs_nothing_when_it_is_sourced() -> None:
    parser = Parser(Language(tree_sitter_bash.language()))
    values = ("variable_assignment", "variable_assignments", "declaration_command")
    for file in SCRIPTS.rglob("*.bash"):
        for node in parser.parse(file.read_bytes()).root_node.named_children:
            place = f"{file}:{node.start_point[0] + 1}"
            assert node.type in ("comment", "function_definition", *values), place
            if node.type in values:
                # No command in its value; $(( is arithmetic.
                assert not re.search(rb"\$\((?!\()|<\(", node.text or b""), place

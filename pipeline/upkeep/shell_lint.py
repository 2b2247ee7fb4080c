"""Commands of the start-up scripts that would end the container without a word of ours.

The scripts run under `set -e`: a command that fails, with nobody looking at its status, ends them with its own raw
message or none. Here is found each one that can: a program of another, a test as a statement, a redirection to a file.
What looks at the status is `||`, `&&`, `if`, `while`, `!`, and functions of ours that say why they end (`must`,
`on_volume`, `to_file`). The body of a function counts as looked at where every call of it is. A function
that ends in `a && b` ends with the status of `a` where that is not true, and so may end its caller.

    python -m pipeline.upkeep.shell_lint FILE...
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

# Builtins that do not fail for reasons outside of the script, our own `signals` among them, and programs that read no
# file and write none. What the shell itself ends for (`exec`, `.`), the trap of EXIT tells of.
HARMLESS = frozenset((
    ":", ".", "break", "continue", "declare", "echo", "exec", "exit", "export", "local", "printf", "return", "set",
    "shift", "shopt", "signals", "trap", "true", "umask", "unset",
    "date", "dirname", "hostname", "id", "numfmt", "paste", "readlink", "sort",
))  # fmt: skip
CONDITIONS = frozenset({"if_statement", "elif_clause", "while_statement"})
BODY = frozenset({"then", "do_group"})


@dataclass(frozen=True)
class Finding:
    file: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: nobody looks at the status of `{self.text}`"


def find(files: Sequence[Path]) -> list[Finding]:
    """What is found in `files`, which are one program: their functions call each other."""
    parser = Parser(Language(tree_sitter_bash.language()))
    trees = {file: parser.parse(file.read_bytes()).root_node for file in files}
    functions: dict[str, Node] = {}
    for root in trees.values():
        functions.update((_text(node.named_children[0]), node) for node in _all(root, "function_definition"))
    looked_at = _looked_at(list(trees.values()), functions)
    found = {
        Finding(file, node.start_point[0] + 1, _text(node).partition("\n")[0])
        for file, root in trees.items()
        for node in _all(root)
        if (_can_fail(node, functions) or _ends_in_and(node)) and not _guarded(node, looked_at)
    }
    return sorted(found, key=lambda one: (str(one.file), one.line))


def _looked_at(roots: list[Node], functions: dict[str, Node]) -> set[str]:
    """The functions of which every call is looked at: first all that are called, then fewer until it settles."""
    calls: dict[str, list[Node]] = {name: [] for name in functions}
    for root in roots:
        for node in _all(root, "command"):
            for word in (_command_name(node), *_handed_on(node)):
                if word in calls:
                    calls[word].append(node)
    looked_at = {name for name, nodes in calls.items() if nodes}
    while True:
        fewer = {
            name for name in looked_at if all(_call_guarded(node, name, looked_at) for node in calls[name])
        }
        if fewer == looked_at:
            return looked_at
        looked_at = fewer


def _call_guarded(node: Node, name: str, looked_at: set[str]) -> bool:
    return (_command_name(node) in GUARDS and name != _command_name(node)) or _guarded(node, looked_at)


# Functions that run the command behind them, look at its status and say what is wrong.
GUARDS = frozenset({"attempt", "in_run", "must", "on_volume", "to_file", "until_true"})


def _handed_on(node: Node) -> list[str]:
    """Words of a command that may be another command, which it runs."""
    return [_text(word) for word in node.named_children[1:]] if _command_name(node) in GUARDS else []


def _all(node: Node, kind: str | None = None) -> Iterator[Node]:
    if node.is_named and kind in (None, node.type):
        yield node
    for child in node.children:
        yield from _all(child, kind)


def _text(node: Node) -> str:
    return (node.text or b"").decode()


def _command_name(node: Node) -> str:
    name = node.child_by_field_name("name")
    return _text(name) if name else ""


def _can_fail(node: Node, functions: dict[str, Node]) -> bool:
    if node.type == "command":
        name = _command_name(node)
        return name not in HARMLESS and name not in functions and not name.startswith("_")
    if node.type == "test_command":
        return True
    if node.type == "file_redirect":
        target = _text(node)
        return "&" not in target and not target.endswith("/dev/null") and "<(" not in target
    return False


def _ends_in_and(node: Node) -> bool:
    """Whether it is `a && b` as the last thing that a function does, and nothing else follows where `a` is not true."""
    if node.type != "list" or (node.parent is not None and node.parent.type == "list"):
        return False
    operators = {child.type for child in node.children if not child.is_named}
    while (parent := node.parent) is not None and node == parent.named_children[-1]:
        if parent.type == "function_definition":
            return operators == {"&&"}
        node = parent
    return False


def _guarded(node: Node, looked_at: set[str]) -> bool:
    """Whether something looks at the status of what `node` is in."""
    while (parent := node.parent) is not None:
        if parent.type == "list" and node != parent.named_children[-1]:
            return True
        if parent.type in ("negated_command", "ternary_expression"):
            return True
        if parent.type in CONDITIONS and node in takewhile(lambda one: one.type not in BODY, parent.children):
            return True
        if parent.type == "function_definition":
            return _text(parent.named_children[0]) in looked_at | GUARDS
        if node.next_sibling is not None and node.next_sibling.type == "&":  # in the background
            return True
        node = parent
    return False


if __name__ == "__main__":
    problems = find([Path(name) for name in sys.argv[1:]])
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)

"""How `tasks.py` offers what the other modules do: tasks with an optional VERSION, and errors of one line."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

from invoke.exceptions import Exit
from invoke.parser.parser import ParseMachine
from invoke.tasks import task as invoke_task

from pipeline.errors import UserError

USAGE = 64  # sysexits: the command was called wrongly
WORDS = ("version", "tag", "corpus")


def task(function: Callable[..., None]) -> Any:
    """A task whose user sees one line when something outside the code is wrong, and no traceback.

    A parameter of WORDS is the word behind the task's name. `version` may be left out: it is then "".
    """

    @wraps(function)
    def readable(*arguments: Any, **options: Any) -> None:
        for name in _missing(function, arguments, options):
            shown = name.upper() if name in WORDS else f"--{name}"
            raise Exit(
                f"{function.__name__}: {shown} is missing; `./dev --help {function.__name__}` says what it is.",
                code=USAGE,
            )
        try:
            function(*arguments, **options)
        except UserError as error:
            raise Exit(f"{function.__name__}: {error}", code=error.code) from error
        except KeyboardInterrupt:
            raise Exit(f"{function.__name__}: interrupted", code=130) from None

    words = [name for name in function.__annotations__ if name in WORDS]
    return invoke_task(readable, positional=words)


def _missing(function: Callable[..., None], arguments: tuple[Any, ...], options: dict[str, Any]) -> list[str]:
    """The words and options that the task can't do without and that were not given: invoke knows of no such options."""
    wanted = list(inspect.signature(function).parameters.values())[len(arguments) :]
    given = {
        name for name, value in options.items() if value is not None and (value != "" or name == "version")
    }
    return [one.name for one in wanted if one.default is one.empty and one.name not in given]


# invoke has no optional positional arguments (pyinvoke/invoke#159): one that is still missing when its task's
# words are over gets its empty value here, before invoke calls it an error.
_complete_context = ParseMachine.complete_context


def _fill_in(machine: ParseMachine) -> None:
    for argument in machine.context.missing_positional_args:
        if argument.name in WORDS:
            argument.value = ""
    _complete_context(machine)


ParseMachine.complete_context = _fill_in  # type: ignore[method-assign, assignment]

"""The one error that a person is meant to read."""


class UserError(Exception):
    """Something outside the code is wrong, and the message says what and how to mend it.

    The message is one sentence or two: the thing at fault first, the remedy last. `tasks.py` prints it
    without a traceback and exits with its code.
    """

    code = 1

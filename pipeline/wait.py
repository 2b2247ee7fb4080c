"""The one way to wait: for a condition, with a limit, never for luck."""

from collections.abc import Callable

# Bound here so that a test can replace this module's clock without touching anyone else's.
from time import monotonic, sleep
from typing import TypeVar

T = TypeVar("T")


class WaitTimeout(Exception):
    """The condition did not come true in time; the message says which one and how long it was waited for.

    Not a TimeoutError: that is an OSError, and `ignoring=(OSError,)` around another wait would swallow it.
    """


def wait_until(
    predicate: Callable[[], T | None],
    timeout: float,
    interval: float = 0.1,
    what: str = "the condition",
    ignoring: tuple[type[Exception], ...] = (),
) -> T:
    """Call `predicate` every `interval` seconds until it returns something truthy, and return that.

    After ten of these it is asked more and more rarely, each time when a tenth more has been waited, down to a tenth as
    often: what takes its time mostly takes it from others who share the machine, and most questions cost a process.

    `what` completes the sentence "waited for ...". An exception of a type in `ignoring` counts as "not yet";
    any other leaves at once. The predicate is tried at least once, and once more when `timeout` seconds are
    over. Raises WaitTimeout, its cause the last exception that was ignored.
    """
    started = monotonic()
    last_error: Exception | None = None
    while True:
        # Read before the try: one that starts in time counts however long it takes, and the last starts late.
        waited = monotonic() - started
        try:
            if result := predicate():
                return result
        except ignoring as error:
            last_error = error
        if waited >= timeout:
            break
        pause = min(max(interval, waited / 10), 10 * interval)
        sleep(max(0.0, min(pause, started + timeout - monotonic())))
    message = f"waited {monotonic() - started:.1f} s for {what}"
    if last_error is not None:
        message += f"; last error: {type(last_error).__name__}: {last_error}"
    raise WaitTimeout(message) from last_error

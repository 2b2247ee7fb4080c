"""wait_until, on a clock of its own: no test here waits."""

import pytest

from pipeline.wait import WaitTimeout, wait_until


class Clock:
    """A time that passes only when someone sleeps, or says so."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.sleeps: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("pipeline.wait.monotonic", clock.monotonic)
    monkeypatch.setattr("pipeline.wait.sleep", clock.sleep)
    return clock


def test_what_is_true_already_is_returned_without_a_sleep(clock: Clock) -> None:
    assert wait_until(lambda: "alert", timeout=5) == "alert"
    assert clock.sleeps == []


def test_the_value_comes_back_as_soon_as_it_is_truthy(clock: Clock) -> None:
    answers = iter([None, "", "mail", "too late"])
    assert wait_until(lambda: next(answers), timeout=5, interval=0.5) == "mail"
    assert clock.sleeps == [0.5, 0.5]


def test_the_time_out_names_what_and_how_long() -> None:
    with pytest.raises(WaitTimeout) as caught:
        wait_until(lambda: False, timeout=3, interval=1, what="the mail of rule 5716")
    assert str(caught.value) == "waited 3.0 s for the mail of rule 5716"
    assert caught.value.__cause__ is None


def test_the_last_try_is_at_the_deadline_not_past_it(clock: Clock) -> None:
    tries: list[float] = []
    with pytest.raises(WaitTimeout):
        wait_until(lambda: tries.append(clock.now - 1000), timeout=2.5, interval=1)
    assert tries == [0, 1, 2, 2.5]


def test_who_waits_long_asks_ever_more_rarely(clock: Clock) -> None:
    with pytest.raises(WaitTimeout):
        wait_until(lambda: False, timeout=1000, interval=1)
    assert clock.sleeps[:11] == [1] * 11
    assert clock.sleeps[11:14] == pytest.approx([1.1, 1.21, 1.331])
    assert clock.sleeps == sorted(clock.sleeps[:-1]) + clock.sleeps[-1:]
    assert max(clock.sleeps) == 10


def test_what_comes_true_at_the_deadline_is_in_time(clock: Clock) -> None:
    assert wait_until(lambda: clock.now == 1002.5, timeout=2.5, interval=1) is True


def test_without_time_there_is_still_one_try(clock: Clock) -> None:
    assert wait_until(lambda: 1, timeout=0) == 1
    with pytest.raises(WaitTimeout):
        wait_until(lambda: 0, timeout=0)
    assert clock.sleeps == []


def test_after_a_try_that_took_longer_than_the_limit_there_is_one_more(clock: Clock) -> None:
    answers = iter([False, True])

    def slow() -> bool:
        clock.now += 60
        return next(answers)

    assert wait_until(slow, timeout=5) is True
    assert clock.sleeps == [0]


def test_an_ignored_error_means_not_yet() -> None:
    tries: list[Exception | str] = [ConnectionRefusedError("nobody there"), KeyError("Raw"), "up"]
    answers = iter(tries)

    def starting() -> str:
        if isinstance(answer := next(answers), Exception):
            raise answer
        return answer

    assert wait_until(starting, timeout=5, ignoring=(OSError, LookupError)) == "up"


def test_the_time_out_tells_the_last_ignored_error() -> None:
    tries = 0

    def refused() -> bool:
        nonlocal tries
        tries += 1
        raise ConnectionRefusedError(f"refused {tries}")

    with pytest.raises(WaitTimeout) as caught:
        wait_until(refused, timeout=2, interval=1, what="MailHog", ignoring=(OSError,))
    assert str(caught.value) == "waited 2.0 s for MailHog; last error: ConnectionRefusedError: refused 3"
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)


def test_any_other_error_leaves_at_once(clock: Clock) -> None:
    def broken() -> bool:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        wait_until(broken, timeout=5, ignoring=(OSError,))
    assert clock.sleeps == []


def test_a_wait_around_a_wait_does_not_take_its_time_out_for_a_network_error() -> None:
    with pytest.raises(WaitTimeout, match=r"^waited 1\.0 s for the inner$"):
        wait_until(
            lambda: wait_until(lambda: False, timeout=1, what="the inner"),
            timeout=9,
            what="the outer",
            ignoring=(OSError,),
        )

"""What became of the lines: which were lost, which were never taken, which came twice, and whether that is allowed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pipeline.soak.ends import Ends
from pipeline.soak.events import Event
from pipeline.soak.lines import mailed
from pipeline.soak.senders import RelpSender, Sender

# Where an intake was killed: a line that was written so shortly before may still have been in the intake's hands or
# in the kernel's buffers for it. Half a second is long for that: it covers a machine that is busy with the kill.
HELD_SECONDS = 0.5
# Lines that one unclean end may repeat. The engine notes what is done after each 64 lines at the latest, an output
# after each 16 alerts that it has printed or 500 that the target has confirmed. Two mails may go again as a whole: the
# one that is being handed to the mail queue, and the one that the relay has just taken; a mail has 90 alerts at most
# (MOST in docker/shim/mail.c).
ENGINE, PRINTED, FORWARDED, MAIL = 64, 16, 500, 2 * 90
REPEATS = {
    "archived": ENGINE,
    "alerts": ENGINE,
    "printed": ENGINE + PRINTED,
    "forwarded": ENGINE + FORWARDED,
    "mailed": ENGINE + MAIL,
}


@dataclass
class Account:
    """One sender's lines. Over RELP, `taken` is what was acknowledged; otherwise what was written while the server was
    up, but for `held`: lines that were written within HELD_SECONDS before the intake was killed with 9, and are gone.
    `down`: written while it was down, and not taken.
    """

    protocol: str
    channel: str
    sent: int
    taken: int = 0
    held: int = 0
    held_longest: float = 0.0  # seconds between the writing of a held line and the kill
    down: int = 0
    archived: int = 0
    alerts: int = 0
    printed: int = 0
    forwarded: int = 0
    mailed: int = 0
    to_mail: int = 0
    lost: int = 0
    lost_first: list[str] = field(default_factory=list)
    repeated: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """The accounts, what happened, and what is wrong: nothing, where all is as promised."""

    accounts: Sequence[Account]
    events: Sequence[Event]
    problems: Sequence[str]

    @property
    def repeats_allowed(self) -> dict[str, int]:
        """At each end, of all senders together."""
        unclean = sum(event.unclean for event in self.events)
        return {name: most * unclean for name, most in REPEATS.items()}


def judge(senders: Iterable[Sender], ends: Ends, events: Sequence[Event]) -> Verdict:
    accounts = [account(sender, ends, events) for sender in senders]
    problems = [f"{event.name}: {event.problem}" for event in events if event.problem]
    found = Verdict(accounts, events, problems)
    for one in accounts:
        if one.lost:
            problems.append(f"{one.protocol}: {one.lost} lines are lost, such as {', '.join(one.lost_first)}")
    for end, allowed in found.repeats_allowed.items():
        repeated = sum(one.repeated[end] for one in accounts)
        if repeated > allowed:
            problems.append(f"{end}: {repeated} lines were repeated; {allowed} are allowed")
    return found


def account(sender: Sender, ends: Ends, events: Sequence[Event]) -> Account:
    channel, sent = sender.channel, len(sender.sent)
    one = Account(sender.protocol, channel, sent)
    for name, tally in ends.by_name().items():
        own = sum(  # what was sent again need not be known as a repetition
            min(tally.times(channel, n) - 1, sender.resent.times(channel, n))
            for n in sender.resent.numbers(channel)
            if tally.times(channel, n) > 1
        )
        setattr(one, name, tally.unique(channel))
        one.repeated[name] = tally.repeated(channel) - own
    one.to_mail = sum(1 for n in ends.archived.numbers(channel) if mailed(n))
    for number in range(sent):
        _place(one, sender, number, ends, events)
    return one


def _place(one: Account, sender: Sender, number: int, ends: Ends, events: Sequence[Event]) -> None:
    archived = bool(ends.archived.times(sender.channel, number))
    if isinstance(sender, RelpSender):
        taken = bool(sender.acknowledged.times(sender.channel, number))
    else:
        taken = archived or not _excused(one, sender, number, events)
    one.taken += taken
    if not taken and not archived:
        return
    missing = [
        name
        for name, tally in ends.by_name().items()
        if not tally.times(sender.channel, number) and (name != "mailed" or mailed(number))
    ]
    if missing:
        one.lost += 1
        if len(one.lost_first) < 5:
            one.lost_first.append(f"{number} ({', '.join(missing)}{_when(sender, number, events)})")


def _when(sender: Sender, number: int, events: Sequence[Event]) -> str:
    """When a line was written, and its connection opened: by the event before it."""
    written, opened = sender.sent[number], sender.opened[number]
    before = [event for event in events if event.began <= written]
    if not before:
        return ""
    last = before[-1]
    later = [
        f"{event.began - written:.3f} s before “{event.name}”" for event in events if event.began > written
    ]
    return (
        f"; written {written - last.began:.3f} s after “{last.name}” began, "
        f"which took {last.ended - last.began:.3f} s, its connection opened {written - opened:.3f} s before; "
        f"{later[0] if later else 'nothing happened after it'}"
    )


def _excused(one: Account, sender: Sender, number: int, events: Sequence[Event]) -> bool:
    """Whether a line that is not in the archive need not be there."""
    written, opened = sender.sent[number], sender.opened[number]
    # A write that waits for room may begin before what cuts it off.
    over = sender.cut_off.get(number, written)
    for event in events:
        if event.in_order and sender.looks and number not in sender.cut_off:
            continue
        # A sender may learn late that its connection is dead: until then the kernel takes what it writes. It may have
        # been opened while the old container ended: no one tells it, as the container's network is gone with it.
        if event.down and over >= event.began and (written <= event.ended or opened < event.started):
            one.down += 1
            return True
        if event.intake_killed and event.began - HELD_SECONDS <= written < event.began:
            one.held += 1
            one.held_longest = max(one.held_longest, event.began - written)
            return True
    return False

"""Forty seconds of `./dev soak`: load over every protocol while the server is stopped, killed and paused at random."""

import os

from pipeline import image
from pipeline.console import out
from pipeline.soak import LEAST_EVENTS, soak
from pipeline.soak.report import table

SECONDS = 40


def test_no_alert_is_lost_whatever_happens(ossec_image: image.Image) -> None:
    seed = int(os.environ.get("OSSEC_LOG_SERVER_SOAK_SEED", "9"))
    verdict = soak(ossec_image.name, SECONDS, seed)
    out.print(table(verdict, f"{SECONDS} s, seed {seed}"))
    assert not verdict.problems, "\n".join(verdict.problems)
    assert len(verdict.events) >= LEAST_EVENTS
    for one in verdict.accounts:
        assert one.archived > 1000, one
        assert one.mailed == one.to_mail > 10, one

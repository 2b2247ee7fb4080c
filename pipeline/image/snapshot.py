"""Debian's archive as it was on a day, at snapshot.debian.org or a mirror of it."""

import os

import requests
from urllib3.util import Retry

from pipeline import web
from pipeline.errors import UserError

VARIABLE = "OSSEC_LOG_SERVER_SNAPSHOTS"
# Without TLS as in Debian's own images: a slim image has no certificates, and apt checks the archive's signature.
DEFAULT = "http://snapshot.debian.org/archive"
TIMEOUT = 10.0  # seconds


def address() -> str:
    """The archive's address, without a final slash. Raises UserError where the variable names none."""
    found = os.environ.get(VARIABLE) or DEFAULT
    if not found.startswith(("http://", "https://")) or any(sign.isspace() for sign in found):
        raise UserError(f"{VARIABLE} must be the address of a mirror of {DEFAULT}, not {found!r}.")
    return found.rstrip("/")


def sources(day: str, suite: str) -> list[str]:
    """The lines of a sources.list for that day's archive: the suite, its updates and its security updates.

    Their signatures are as good as ever, but their lists say that they hold for a week only.
    """
    parts = (("debian", suite), ("debian", f"{suite}-updates"), ("debian-security", f"{suite}-security"))
    return [f"deb [check-valid-until=no] {address()}/{archive}/{day} {name} main" for archive, name in parts]


def reachable(day: str, suite: str, patient: bool = False) -> bool:
    """Whether that day's archive answers from here. What may pass is tried again; `patient` waits up to a minute."""
    again = Retry(
        total=6 if patient else 2,
        backoff_factor=1 if patient else 0.3,
        status_forcelist=(429, 500, 502, 503, 504),
        raise_on_status=False,
    )
    again.respect_retry_after_header = False  # it may be hours
    try:
        url = f"{address()}/debian/{day}/dists/{suite}/InRelease"
        with web.session(again) as session:
            answer = session.head(url, timeout=TIMEOUT, allow_redirects=True)
    except requests.RequestException:
        return False
    return answer.ok

"""One question to a server on the web: its whole answer, or one line that says why there is none."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from pipeline.errors import UserError
from pipeline.release import is_safe_url

TIMEOUT = (5.0, 30.0)  # seconds to connect, seconds without a single byte
LARGEST = 64 << 20  # bytes of an answer
REDIRECTS = 5
CHUNK = 64 * 1024  # bytes


class Astray(Exception):
    """The redirects have no end, or leave https."""


class NoAnswer(UserError):
    """The server cannot be reached, or answered something else than what it was asked for."""


@dataclass(frozen=True)
class Answer:
    """The body as it came, and the address of the list's next page, if it is a page of a list that says so."""

    body: bytes
    next: str | None


def ask(url: str, headers: Mapping[str, str] | None = None) -> Answer:
    """GET. Raises NoAnswer, which names the address, for all but a whole 200 from a place that nobody can forge."""
    shown = without_password(url)
    if not is_safe_url(url):
        raise NoAnswer(f"{shown} is not https, and nothing else vouches for what it holds.")
    try:
        with requests.Session() as session, closing(follow(session, url, headers or {})) as response:
            if response.status_code != 200:
                raise NoAnswer(f"{shown}: the server answered {response.status_code} {response.reason}.")
            body = b""
            for chunk in response.raw.stream(CHUNK, decode_content=False):
                body += chunk
                if len(body) > LARGEST:
                    raise NoAnswer(f"{shown}: the answer has more than {LARGEST:,} bytes.")
            return Answer(body, response.links.get("next", {}).get("url"))
    except Astray as problem:
        raise NoAnswer(f"{shown}: {problem}.") from problem
    except (requests.RequestException, urllib3.exceptions.HTTPError) as problem:
        raise NoAnswer(f"{shown} cannot be reached: {innermost(problem)}.") from problem


def session(retry: Retry) -> requests.Session:
    """A session that asks again as `retry` says."""
    made = requests.Session()
    for scheme in ("https://", "http://"):
        made.mount(scheme, HTTPAdapter(max_retries=retry))
    return made


def follow(session: requests.Session, url: str, headers: Mapping[str, str]) -> requests.Response:
    """The answer behind all redirects, its body not read yet. Raises Astray, and what requests raises."""
    # Followed here and not by requests, which reads each redirect's body, however long, and goes anywhere.
    # Identity: a tarball that is labelled as compressed must not come unpacked.
    wanted = {"Accept-Encoding": "identity", **headers}
    for _ in range(REDIRECTS + 1):
        response = session.get(url, headers=wanted, stream=True, allow_redirects=False, timeout=TIMEOUT)
        location = session.get_redirect_target(response)
        if location is None:
            return response
        response.close()
        target = urljoin(url, location)
        if is_safe_url(url) and not is_safe_url(target):
            raise Astray(f"it redirects to {without_password(target)}, which is not https")
        if urlsplit(target).netloc != urlsplit(url).netloc:
            wanted.pop("Authorization", None)
        url = target
    raise Astray(f"it redirects more than {REDIRECTS} times")


def innermost(error: BaseException) -> str:
    """The first cause in words: "Connection refused", not the three layers that libraries wrap around it."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def without_password(url: str) -> str:
    """The address as it may be shown."""
    place = urlsplit(url).netloc
    return url.replace(place, place.rpartition("@")[2], 1)

"""What Docker Hub shows of the repository: the text of a file here, sent through its own API."""

import os
import re

import requests

from pipeline import project
from pipeline.console import out
from pipeline.errors import UserError
from pipeline.registry import Repository, credentials
from pipeline.release import is_safe_url
from pipeline.web import innermost, without_password

API = "https://hub.docker.com/v2"
API_VARIABLE = "OSSEC_LOG_SERVER_HUB"
TEXT = "docs/trust/docker-hub.md"
LONGEST, LONGEST_SUMMARY = 25_000, 100  # bytes that Docker Hub takes of each
TIMEOUT = 30.0  # seconds


def describe(to: str) -> None:
    """Let the repository `to` on Docker Hub show docs/trust/docker-hub.md, its first paragraph as the summary.

    The login is that of `docker login`; its token must be allowed to change the repository's settings. Raises UserError
    where Docker Hub does not take it.
    """
    repository = Repository(to)
    if repository.host != "docker.io":
        elsewhere = f"--to: {repository.name} is not on Docker Hub, and only that has a description"
        raise UserError(f"{elsewhere}; leave it out.")
    known = credentials.login(repository.host)
    if known is None or not known.name:
        raise UserError("There is no login for Docker Hub: run `docker login`.")
    text = (project.ROOT / TEXT).read_text().replace("NAME", repository.path)
    said = {"full_description": text, "description": summary(text)}
    token = _ask("POST", "auth/token", {"identifier": known.name, "secret": known.password})["access_token"]
    _ask("PATCH", f"repositories/{repository.path}/", said, token)
    out.print(f"{repository.name} shows {TEXT}.")


def summary(text: str) -> str:
    """The first paragraph, as Docker Hub shows it in a list. Raises UserError where it is too long for that."""
    found = re.search(r"^(?!#)\S.*?(?=\n\n|\Z)", text, re.MULTILINE | re.DOTALL)
    first = " ".join(found[0].split()) if found else ""
    if not first or len(first.encode()) > LONGEST_SUMMARY or len(text.encode()) > LONGEST:
        raise UserError(
            f"{TEXT}: its first paragraph must have 1 to {LONGEST_SUMMARY} bytes, and all of it up to {LONGEST}; now "
            f"they have {len(first.encode())} and {len(text.encode())}. Write it shorter."
        )
    return first


def _ask(method: str, path: str, data: dict[str, str], token: str = "") -> dict[str, str]:
    url = f"{os.environ.get(API_VARIABLE) or API}/{path}"
    if not is_safe_url(url):
        raise UserError(f"{API_VARIABLE}: {without_password(url)} is not https; leave it empty.")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        answer = requests.request(method, url, json=data, headers=headers, timeout=TIMEOUT)
    except requests.RequestException as problem:
        raise UserError(f"Docker Hub can't be reached: {innermost(problem)}. Try again later.") from problem
    if answer.status_code >= 400:
        denied = answer.status_code in (401, 403)
        remedy = " The token must have the right to read, write and delete." if denied else ""
        raise UserError(f"Docker Hub answers {answer.status_code} to {method} {path}.{remedy}")
    found: dict[str, str] = answer.json()
    return found

"""OSSEC's release tarball: fetched once, checked every time.

What lies in the cache under a tarball's own name is either that tarball or was put there by someone else,
and is never handed on without its size and SHA-256 having been compared with the version file.
"""

import errno
import hashlib
import os
from contextlib import AbstractContextManager, closing, suppress
from pathlib import Path

import requests
import urllib3
from filelock import FileLock, Timeout
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from urllib3.util import Retry

from pipeline import web
from pipeline.console import err
from pipeline.errors import UserError
from pipeline.project import CACHE_VARIABLE, cache_dir
from pipeline.release import Release, Source
from pipeline.web import CHUNK, Astray, follow, innermost, without_password

MIRROR_VARIABLE = "OSSEC_LOG_SERVER_MIRROR"

LOCK_TIMEOUT = 900.0  # seconds to wait for somebody else's download of the same tarball

# Five attempts in all, with pauses that grow; a server may ask for a longer pause, up to half a minute.
RETRY = Retry(
    total=4,
    status_forcelist=(408, 429, 500, 502, 503, 504),
    backoff_factor=0.5,
    backoff_max=30,
    retry_after_max=30,
    raise_on_status=False,
)
ATTEMPTS = "5 attempts were made"


class SourceUnreachable(UserError):
    """No server handed the tarball out: there is no network, or the answer was an error.

    Told apart from other mistakes because `demo` has another way to go on.
    """


def tarball_path(release: Release) -> Path:
    """Where the release's tarball lies in the cache, or will lie, or may be put by hand."""
    return cache_dir() / "sources" / f"ossec-hids-{release.version}.tar.gz"


def cached(release: Release) -> Path | None:
    """The release's tarball if it is in the cache and is the right one, else None. Asks no network."""
    path = tarball_path(release)
    return path if _fault(path, release.source) is None else None


def fetch(release: Release) -> Path:
    """The release's tarball in the cache, downloaded if it is not there yet, its size and SHA-256 checked.

    OSSEC_LOG_SERVER_MIRROR may name a folder that holds `ossec-hids-VERSION.tar.gz`; else the version file's address
    counts.

    Raises SourceUnreachable when no server gives the tarball out, UserError when what comes is not the
    tarball or the cache cannot be written.
    """
    if path := cached(release):
        return path
    path = tarball_path(release)
    part = path.with_name(f"{path.name}.part")
    url = address(release.source.url, path.name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path):
            # Whoever had the lock before us may have fetched it.
            fault = _fault(path, release.source)
            if fault is None:
                return path
            if os.path.lexists(path):
                # Kept, because somebody may have brought it here by hand; out of the way, because it is wrong.
                aside = path.replace(path.with_name(f"{path.name}.wrong"))
                _say(f"{path} {fault}: moved to {aside.name}, fetching it again.")
            part.write_bytes(_download(release, url))
            part.replace(path)
    except OSError as problem:
        with suppress(OSError):
            part.unlink()  # on a full disk this gives the room back
        full = problem.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = f"Make room for {release.source.size:,} bytes" if full else "Let it be a writable folder"
        raise UserError(
            f"The cache {cache_dir()} cannot be written ({problem.filename or part}: {problem.strerror}). "
            f"{remedy}, or name another one in {CACHE_VARIABLE}."
        ) from problem
    return path


def address(url: str, name: str) -> str:
    """Where to ask for the file of that name: the mirror, if there is one, else `url`. Raises UserError."""
    if not (mirror := os.environ.get(MIRROR_VARIABLE)):
        return url
    # A mirror may speak plain http: whoever names it knows its network, and the SHA-256 is checked anyway.
    if not mirror.startswith(("https://", "http://")):
        raise UserError(f"The mirror {mirror!r} is no http(s) address. Mend it, or unset {MIRROR_VARIABLE}.")
    return f"{mirror.rstrip('/')}/{name}"


def _locked(path: Path) -> AbstractContextManager[object]:
    """A lock, held, so that of several processes one downloads and the others take what it fetched."""
    lock = FileLock(f"{path}.lock")
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        _say(f"Another fetch of {path.name} is under way; waiting for it.")
    try:
        return lock.acquire(timeout=LOCK_TIMEOUT)
    except Timeout:
        raise UserError(
            f"Another process has held {path}.lock for {LOCK_TIMEOUT:g} s. See what it is doing, or end it."
        ) from None


def _fault(path: Path, source: Source) -> str | None:
    """What keeps this file from being the tarball, in words; None if it is the tarball."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size != source.size:
                return f"has {size:,} bytes instead of {source.size:,}"
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as problem:
        return f"cannot be read ({problem.strerror})"
    return None if digest == source.sha256 else f"has the sha256 {digest} instead of {source.sha256}"


def _download(release: Release, url: str) -> bytes:
    """The whole, checked tarball. Trouble that may pass, as RETRY says, is waited out."""
    shown = without_password(url)
    _say(f"Fetching {shown}")
    retry = RETRY
    with web.session(RETRY) as session:
        while True:
            try:
                return _transfer(release, session, url)
            except urllib3.exceptions.HTTPError as problem:
                # The body broke off, which the adapter does not see.
                try:
                    retry = retry.increment("GET", url, error=problem)
                except urllib3.exceptions.HTTPError:
                    raise _unreachable(release, f"{shown}: {innermost(problem)}, and {ATTEMPTS}") from problem
                retry.sleep()
            except (Astray, requests.RequestException) as problem:
                raise _unreachable(release, f"{shown}: {_reason(problem)}") from problem


def _transfer(release: Release, session: requests.Session, url: str) -> bytes:
    size = release.source.size
    with closing(follow(session, url, {})) as response:
        if response.status_code != 200:
            answer = f"the server answered {response.status_code} {response.reason or ''}".rstrip()
            asked = f", and {ATTEMPTS}" if response.status_code in RETRY.status_forcelist else ""
            raise _unreachable(release, f"{without_password(url)}: {answer}{asked}")
        if response.headers.get("Content-Length", str(size)) != str(size):
            raise _wrong(release, url, f"has {response.headers['Content-Length']} bytes, not {size}")
        body = bytearray()
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
            task = progress.add_task(f"OSSEC {release.version}", total=size)
            # Raw, because a server that labels a .tar.gz as Content-Encoding: gzip must not get it unpacked.
            for chunk in response.raw.stream(CHUNK, decode_content=False):
                body += chunk
                if len(body) > size:
                    raise _wrong(release, url, f"has more than {size} bytes")
                progress.update(task, completed=len(body))
    if len(body) < size:  # of unknown length, so that the library can't tell
        raise urllib3.exceptions.ProtocolError(f"it ended after {len(body):,} of {size:,} bytes")
    digest = hashlib.sha256(body).hexdigest()
    if digest != release.source.sha256:
        raise _wrong(release, url, f"has the sha256 {digest}, not {release.source.sha256}")
    return bytes(body)


def _reason(problem: Exception) -> str:
    at_proxy = "at the proxy: " if isinstance(problem, requests.exceptions.ProxyError) else ""
    asked_again = isinstance(problem, requests.ConnectionError | requests.Timeout)
    return f"{at_proxy}{innermost(problem)}{f', and {ATTEMPTS}' if asked_again else ''}"


def _unreachable(release: Release, what: str) -> SourceUnreachable:
    return SourceUnreachable(
        f"{what}. Put the tarball at {tarball_path(release)} by hand (sha256 {release.source.sha256}), "
        f"or name a mirror in {MIRROR_VARIABLE}."
    )


def _wrong(release: Release, url: str, how: str) -> UserError:
    return UserError(
        f"{without_password(url)} is not the tarball of OSSEC {release.version}: it {how}. Nothing of it is "
        "kept. Use another mirror, or, if the version file is at fault, mend its size and sha256."
    )


def _say(message: str) -> None:
    # Paths and addresses: whole, in one line, and no markup of ours however many brackets they hold.
    err.print(message, markup=False, soft_wrap=True)

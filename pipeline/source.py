"""OSSEC's release tarball: fetched once, checked every time.

What lies in the cache under a tarball's own name is either that tarball or was put there by someone else,
and is never handed on without its size and SHA-256 having been compared with the version file.
"""

import errno
import hashlib
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, suppress
from pathlib import Path

import requests
import urllib3
from filelock import FileLock, Timeout
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from pipeline.console import err
from pipeline.errors import UserError
from pipeline.project import CACHE_VARIABLE, cache_dir
from pipeline.release import Release, Source
from pipeline.web import CHUNK, Astray, follow, innermost, without_password

MIRROR_VARIABLE = "OSSEC_LOG_SERVER_MIRROR"

ATTEMPTS = 5
FIRST_PAUSE = 0.5  # seconds; each further pause is twice as long
LONGEST_PAUSE = 30.0  # seconds; a server may ask for more, but does not get it
LOCK_TIMEOUT = 900.0  # seconds to wait for somebody else's download of the same tarball


class SourceUnreachable(UserError):
    """No server handed the tarball out: there is no network, or the answer was an error.

    Told apart from other mistakes because `demo` has another way to go on.
    """


class _Again(Exception):
    """This attempt failed in a way that may pass; the server wants to be left alone for `pause` seconds."""

    def __init__(self, reason: str, pause: float = 0.0) -> None:
        super().__init__(reason)
        self.pause = pause


class _Refused(Exception):
    """This server will not give the file out, however often it is asked."""


def tarball_path(release: Release) -> Path:
    """Where the release's tarball lies in the cache, or will lie, or may be put by hand."""
    return cache_dir() / "sources" / f"ossec-hids-{release.version}.tar.gz"


def cached(release: Release) -> Path | None:
    """The release's tarball if it is in the cache and is the right one, else None. Asks no network."""
    path = tarball_path(release)
    return path if _fault(path, release.source) is None else None


def fetch(
    release: Release, *, mirror: str | None = None, pause: Callable[[float], None] = time.sleep
) -> Path:
    """The release's tarball in the cache, downloaded if it is not there yet, its size and SHA-256 checked.

    `mirror` is the address of a folder that holds `ossec-hids-VERSION.tar.gz`; without it the variable
    OSSEC_LOG_SERVER_MIRROR counts, and then the version file's own address. A download that was cut short
    goes on where it ended, also the next time this is called. `pause` waits that many seconds.

    Raises SourceUnreachable when no server gives the tarball out, UserError when what comes is not the
    tarball or the cache cannot be written.
    """
    if path := cached(release):
        return path
    path = tarball_path(release)
    part = path.with_name(f"{path.name}.part")
    url = address(release.source.url, path.name, mirror)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path):
            # Whoever had the lock before us may have fetched it.
            fault = _fault(path, release.source)
            if fault is None:
                return path
            if os.path.lexists(path):
                _set_aside(path, fault)
            _download(release, url, part, pause)
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


def address(url: str, name: str, mirror: str | None = None) -> str:
    """Where to ask for the file of that name: the mirror, if there is one, else `url`. Raises UserError."""
    mirror = mirror or os.environ.get(MIRROR_VARIABLE)
    if not mirror:
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


def _set_aside(path: Path, fault: str) -> None:
    # Kept, because somebody may have brought it here by hand; out of the way, because it is wrong.
    aside = path.with_name(f"{path.name}.wrong")
    path.replace(aside)
    _say(f"{path} {fault}: moved to {aside.name}, fetching it again.")


def _download(release: Release, url: str, part: Path, pause: Callable[[float], None]) -> None:
    """Bring the whole, checked tarball to `part`, in as many attempts as are allowed."""
    shown = without_password(url)
    _say(f"Fetching {shown}")
    failure = _Again("")
    for attempt in range(ATTEMPTS):
        if attempt:
            seconds = max(FIRST_PAUSE * 2 ** (attempt - 1), min(failure.pause, LONGEST_PAUSE))
            _say(f"{shown}: {failure}. Trying again in {seconds:g} s.")
            pause(seconds)
        try:
            return _attempt(release, url, part)
        except _Again as problem:
            failure = problem
        except _Refused as problem:
            raise _unreachable(release, f"{shown}: {problem}") from problem
    raise _unreachable(release, f"{shown}: {failure}, and {ATTEMPTS} attempts were made") from failure


def _unreachable(release: Release, what: str) -> SourceUnreachable:
    return SourceUnreachable(
        f"{what}. Put the tarball at {tarball_path(release)} by hand (sha256 {release.source.sha256}), "
        f"or name a mirror in {MIRROR_VARIABLE}."
    )


def _attempt(release: Release, url: str, part: Path) -> None:
    """One attempt, with the failures of the network sorted into those that may pass and the others."""
    try:
        with requests.Session() as session:
            _transfer(release, session, url, part)
    except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError) as problem:
        at_proxy = isinstance(problem, requests.exceptions.ProxyError)
        reason = f"{'at the proxy: ' if at_proxy else ''}{innermost(problem)}"
        if "CERTIFICATE_VERIFY_FAILED" in reason:
            raise _Refused(reason) from problem
        raise _Again(reason) from problem
    except (Astray, requests.RequestException) as problem:
        raise _Refused(str(problem)) from problem


def _transfer(release: Release, session: requests.Session, url: str, part: Path) -> None:
    source = release.source
    have = part.stat().st_size if part.exists() else 0
    if have >= source.size:
        part.unlink()
        have = 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    with closing(follow(session, url, headers)) as response:
        resumed = _resumes(response, have, source.size, part)
        if not resumed and response.headers.get("Content-Length", str(source.size)) != str(source.size):
            raise _wrong(release, url, f"has {response.headers['Content-Length']} bytes, not {source.size}")
        received = have if resumed else 0
        digest = hashlib.sha256(part.read_bytes() if resumed else b"")
        with part.open("ab" if resumed else "wb") as file, _progress() as progress:
            task = progress.add_task(f"OSSEC {release.version}", total=source.size, completed=received)
            # Raw, because a server that labels a .tar.gz as Content-Encoding: gzip must not get it unpacked.
            for chunk in response.raw.stream(CHUNK, decode_content=False):
                received += len(chunk)
                if received > source.size:
                    break
                digest.update(chunk)
                file.write(chunk)
                progress.update(task, completed=received)
            file.flush()
            os.fsync(file.fileno())
    if received < source.size:
        raise _Again(f"it ended after {received:,} of {source.size:,} bytes")
    if received == source.size and digest.hexdigest() == source.sha256:
        return
    part.unlink()
    if resumed:  # the two pieces may be of different files; only a download in one piece can tell
        raise _Again("what came does not fit the part fetched before, which is dropped")
    if received > source.size:
        raise _wrong(release, url, f"has more than {source.size} bytes")
    raise _wrong(release, url, f"has the sha256 {digest.hexdigest()}, not {source.sha256}")


def _resumes(response: requests.Response, have: int, size: int, part: Path) -> bool:
    """Whether the body goes on after `have` bytes (True) or is the file from its beginning (False)."""
    status = response.status_code
    if status == 200:
        return False
    if have and status == 206:
        ours = f"bytes {have}-{size - 1}/"
        if response.headers.get("Content-Range") in (f"{ours}{size}", f"{ours}*"):
            return True
    if have and status in (206, 416):
        part.unlink()
        raise _Again(f"it does not go on after {have:,} bytes as asked, so the whole is fetched anew")
    answer = f"the server answered {status} {response.reason or ''}".rstrip()
    if status in (408, 429) or status >= 500:
        wanted = response.headers.get("Retry-After", "")
        raise _Again(answer, float(wanted) if wanted.isascii() and wanted.isdigit() else 0.0)
    raise _Refused(answer)


def _wrong(release: Release, url: str, how: str) -> UserError:
    return UserError(
        f"{without_password(url)} is not the tarball of OSSEC {release.version}: it {how}. Nothing of it is "
        "kept. Use another mirror, or, if the version file is at fault, mend its size and sha256."
    )


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, console=err, transient=True, disable=not err.is_terminal)


def _say(message: str) -> None:
    # Paths and addresses: whole, in one line, and no markup of ours however many brackets they hold.
    err.print(message, markup=False, highlight=False, soft_wrap=True)

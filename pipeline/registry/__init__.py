"""A registry's own API, as far as publishing and verifying need it: blobs, manifests and tags, each byte as it is.

Not through a tool that copies images: here the bytes that were tested are sent as they lie in the archive, the
registry compares them with the digest that we name, and the order of the requests is ours.
"""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import urlencode, urljoin, urlsplit

import requests
from urllib3.util import Retry

from pipeline.errors import UserError
from pipeline.registry import credentials
from pipeline.release import is_safe_url

# Docker's own place for the certificate authority of a registry: HOST[:PORT]/ca.crt.
CERTIFICATES = Path("/etc/docker/certs.d")
TIMEOUT = (10.0, 60.0)  # seconds to connect, seconds without a single byte
LARGEST_MANIFEST = 4 << 20  # bytes; what the specification asks registries to take

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
_DOCKER = "application/vnd.docker.distribution.manifest"
_ACCEPT = ", ".join((INDEX, MANIFEST, f"{_DOCKER}.list.v2+json", f"{_DOCKER}.v2+json"))


class RegistryError(UserError):
    """The registry cannot be reached, or it answered with an error; the message names it and what it said."""


@dataclass(frozen=True)
class Manifest:
    """An image's manifest, or an index of several, as the very bytes that its digest is of."""

    media_type: str
    raw: bytes

    @property
    def digest(self) -> str:
        """`sha256:…` of the bytes."""
        return digest_of(self.raw)

    @property
    def descriptor(self) -> dict[str, Any]:
        """How another document points at this one."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.raw)}

    @cached_property
    def data(self) -> dict[str, Any]:
        """What the bytes say."""
        said: dict[str, Any] = json.loads(self.raw)
        return said

    @property
    def is_index(self) -> bool:
        """Whether it lists manifests rather than layers."""
        return "manifests" in self.data


class Repository:
    """One repository of one registry, with the credentials that `docker login` left for it."""

    def __init__(self, name: str) -> None:
        """`name` is as docker takes it: `REGISTRY/NAME`, or a NAME alone for Docker Hub.

        Raises UserError when it is no such name.
        """
        self.host, self.path = _split(name)
        self.name = f"{self.host}/{self.path}"
        self._authorization: str | None = None
        self._session = requests.Session()
        again = Retry(
            total=3,
            backoff_factor=0.5,
            status_forcelist=(429, 502, 503, 504),
            allowed_methods=("GET", "HEAD"),
            raise_on_status=False,
        )
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, requests.adapters.HTTPAdapter(max_retries=again))

    @property
    def certificate_authority(self) -> Path | None:
        """The file of the certificate authority that docker would trust for this registry, besides the usual."""
        path = CERTIFICATES / self.host / "ca.crt"
        return path if path.is_file() else None

    def manifest(self, reference: str) -> Manifest | None:
        """What lies under a tag or a digest, or None. Raises RegistryError if a digest's content is not its own."""
        answer = self._ask("GET", f"manifests/{reference}", missing=True, headers={"Accept": _ACCEPT})
        if answer is None:
            return None
        if len(answer.content) > LARGEST_MANIFEST:
            raise RegistryError(f"{self.name}: the manifest {reference} is larger than any may be.")
        found = Manifest(answer.headers.get("Content-Type", "").partition(";")[0], answer.content)
        if ":" in reference and found.digest != reference:
            raise RegistryError(f"{self.name}: what lies under {reference} has the digest {found.digest}.")
        return found

    def put_manifest(self, manifest: Manifest, reference: str | None = None) -> requests.Response:
        """Store a manifest under a tag, or under its own digest, and see that it is there."""
        reference = reference or manifest.digest
        headers = {"Content-Type": manifest.media_type}
        answer = self._ask("PUT", f"manifests/{reference}", data=lambda: manifest.raw, headers=headers)
        stored = self.manifest(reference)
        if answer is None or stored is None or stored.digest != manifest.digest:
            raise RegistryError(
                f"{self.name}: {reference} was stored, but reading it back gives something else."
            )
        return answer

    def has_blob(self, digest: str) -> bool:
        """Whether the blob is there."""
        return self._ask("HEAD", f"blobs/{digest}", missing=True) is not None

    def blob(self, digest: str) -> IO[bytes]:
        """A blob's bytes as a stream, which does not check them: `hashed` does."""
        answer = self._ask("GET", f"blobs/{digest}", stream=True)
        assert answer is not None
        answer.raw.decode_content = False
        return cast(IO[bytes], answer.raw)

    def json_blob(self, digest: str) -> Any:
        """A small blob that is JSON. Raises RegistryError if the bytes are not the digest's."""
        with self.blob(digest) as stream:
            raw = stream.read(LARGEST_MANIFEST)
        if digest_of(raw) != digest:
            raise RegistryError(f"{self.name}: what lies under {digest} has the digest {digest_of(raw)}.")
        return json.loads(raw)

    def push_blob(self, digest: str, content: Callable[[], IO[bytes] | bytes]) -> None:
        """Store a blob, unless it is there; `content` opens it. The registry compares it with the digest."""
        if self.has_blob(digest):
            return
        begun = self._ask("POST", "blobs/uploads/")
        assert begun is not None
        place = urljoin(begun.url, begun.headers.get("Location", ""))
        place += ("&" if urlsplit(place).query else "?") + urlencode({"digest": digest})
        self._ask("PUT", place, data=content, headers={"Content-Type": "application/octet-stream"})

    def attach(self, subject: Manifest, kind: str, content: bytes, annotations: dict[str, str]) -> None:
        """Store `content`, of media type `kind`, as something that refers to `subject`."""
        for blob in (b"{}", content):
            self.push_blob(digest_of(blob), lambda blob=blob: blob)  # type: ignore[misc]
        described = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": kind,
            "config": {"mediaType": EMPTY, "digest": digest_of(b"{}"), "size": 2},
            "layers": [{"mediaType": kind, "digest": digest_of(content), "size": len(content)}],
            "subject": subject.descriptor,
            "annotations": annotations,
        }
        made = Manifest(MANIFEST, json.dumps(described).encode())
        answer = self.put_manifest(made)
        if "OCI-Subject" in answer.headers:
            return
        # A registry older than OCI 1.1 keeps no list of referrers: the specification puts it under a tag instead.
        tag = subject.digest.replace(":", "-")
        before = self.manifest(tag)
        listed = before.data["manifests"] if before else []
        entry = made.descriptor | {"artifactType": kind, "annotations": annotations}
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [*listed, entry]}
        self.put_manifest(Manifest(INDEX, json.dumps(index).encode()), tag)

    def _ask(
        self,
        method: str,
        what: str,
        *,
        data: Callable[[], IO[bytes] | bytes] | None = None,
        headers: dict[str, str] | None = None,
        missing: bool = False,
        stream: bool = False,
    ) -> requests.Response | None:
        """The registry's answer; None for a 404 where `missing` allows it. Logs in once if it is asked to."""
        url = urljoin(f"{self._origin}/v2/{self.path}/", what)
        for authorized in (False, True):
            answer = self._send(method, url, data() if data else None, headers, stream)
            if answer.status_code != 401 or authorized:
                break
            self._authorization = credentials.authorization(self._session, self.host, answer, self._verify)
        if missing and answer.status_code == 404:
            return None
        if answer.status_code >= 400:
            raise self._refused(method, what, answer)
        return answer

    def _send(
        self, method: str, url: str, data: Any, headers: dict[str, str] | None, stream: bool
    ) -> requests.Response:
        # A registry may name another host for an upload: that one gets the bytes, but no password and no token.
        ours = urlsplit(url)[:2] == urlsplit(self._origin)[:2]
        if not is_safe_url(url):
            raise RegistryError(f"{self.host} wants {urlsplit(url).netloc} to be used without TLS: not done.")
        try:
            answer = self._session.request(
                method,
                url,
                data=data,
                headers=headers,
                auth=credentials.Bearing(self._authorization if ours else None),
                stream=stream,
                timeout=TIMEOUT,
                verify=self._verify,
            )
        except requests.RequestException as problem:
            raise RegistryError(f"{self.host}: {_in_words(problem)}.") from problem
        if not is_safe_url(answer.url):
            raise RegistryError(
                f"{self.host} redirects to {urlsplit(answer.url).netloc} without TLS: not done."
            )
        return answer

    def _refused(self, method: str, what: str, answer: requests.Response) -> RegistryError:
        try:
            said = "; ".join(error.get("message", error["code"]) for error in answer.json()["errors"])
        except (ValueError, LookupError, TypeError, AttributeError):
            said = answer.reason or "no reason given"
        what = what if len(what) < 100 else urlsplit(what).path
        remedy = ""
        if answer.status_code in (401, 403):
            remedy = f" Run `docker login {self.host}` with an account that may do this to {self.path}."
        return RegistryError(f"{self.host} answers {answer.status_code} to {method} {what}: {said}.{remedy}")

    @property
    def _verify(self) -> str | bool:
        return str(self.certificate_authority or "") or True

    @cached_property
    def _origin(self) -> str:
        host = "registry-1.docker.io" if self.host == "docker.io" else self.host
        secure, plain = f"https://{host}", f"http://{host}"
        if is_safe_url(plain):  # our own loopback: there docker takes a registry without TLS, too
            try:
                self._session.get(f"{secure}/v2/", timeout=TIMEOUT, verify=self._verify)
            except requests.exceptions.SSLError as problem:
                if "CERTIFICATE" not in str(problem):
                    return plain
            except requests.RequestException:
                pass  # the request itself will tell
        return secure


def parse(reference: str) -> tuple[Repository, str]:
    """`NAME:TAG` or `NAME@sha256:…` as the repository and the tag or digest. Raises UserError if it is neither."""
    match = re.fullmatch(r"(.+?)(?:@(sha256:[0-9a-f]{64})|:([A-Za-z0-9_][A-Za-z0-9._-]{0,127}))", reference)
    if match is None:
        raise UserError(f"{reference!r} names no image: it must be NAME:TAG or NAME@sha256:….")
    return Repository(match[1]), match[2] or match[3]


def digest_of(content: bytes) -> str:
    """`sha256:…` of the bytes."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _split(name: str) -> tuple[str, str]:
    host, slash, path = name.partition("/")
    if not slash or not re.search(r"[.:]|^localhost$", host):
        host, path = "docker.io", name if slash else f"library/{name}"
    part = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
    host_form = r"(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?"
    if not re.fullmatch(host_form, host) or not re.fullmatch(f"{part}(?:/{part})*", path):
        raise UserError(f"{name!r} names no repository: it must be REGISTRY/NAME, without a tag.")
    return "docker.io" if host in ("index.docker.io", "registry-1.docker.io") else host, path


def _in_words(problem: BaseException) -> str:
    while (inner := problem.__cause__ or problem.__context__) is not None:
        problem = inner
    return getattr(problem, "strerror", None) or str(problem) or type(problem).__name__

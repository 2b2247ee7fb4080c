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
from typing import IO, Any, Self, cast
from urllib.parse import urlencode, urljoin, urlsplit

import requests
from urllib3.exceptions import MaxRetryError, ResponseError
from urllib3.util import Retry

from pipeline.errors import UserError
from pipeline.registry import credentials
from pipeline.release import is_safe_url
from pipeline.web import innermost, session

# Docker's own place for the certificate authority of a registry: HOST[:PORT]/ca.crt.
CERTIFICATES = Path("/etc/docker/certs.d")
TIMEOUT = (10.0, 60.0)  # seconds to connect, seconds without a single byte
LARGEST_MANIFEST = 4 << 20  # bytes; what the specification asks registries to take

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
_DOCKER = "application/vnd.docker.distribution.manifest"
_ACCEPT = ", ".join((INDEX, MANIFEST, f"{_DOCKER}.list.v2+json", f"{_DOCKER}.v2+json"))


# Of a manifest that refers to another: the digest of the one blob in it, so that a reader needs no GET of the manifest.
HOLDS = "ossec-log-server.holds"
# Longer than this nobody waits for a registry that limits requests; Docker Hub's limit lasts six hours.
LONGEST_PAUSE = 20.0  # seconds


class RegistryError(UserError):
    """The registry cannot be reached, or it answered with an error; the message names it and what it said."""


class RateLimited(RegistryError):
    """The registry answers no more requests for now (429)."""


class NoAccess(RegistryError):
    """The registry does not let us (401 or 403), or has no such repository, which some say in the same words."""


class NotItsDigest(UserError):
    """The registry handed out other bytes than those that the digest is of."""


class _Patient(Retry):
    """Waits as long as the registry says, and gives up at once where nobody would wait so long."""

    def increment(self, *words: Any, **about: Any) -> Self:
        response = about.get("response")
        if response is not None and (self.get_retry_after(response) or 0) > LONGEST_PAUSE:
            raise MaxRetryError(about["_pool"], "", ResponseError("it asks to wait for too long"))
        return super().increment(*words, **about)


@dataclass(frozen=True)
class Manifest:
    """An image's manifest, or an index of several, as the very bytes that its digest is of."""

    media_type: str
    raw: bytes

    @property
    def digest(self) -> str:
        return digest_of(self.raw)

    @property
    def sha256(self) -> str:
        """The same without the kind of sum in front."""
        return self.digest.removeprefix("sha256:")

    @property
    def descriptor(self) -> dict[str, Any]:
        """How another document points at this one."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.raw)}

    @cached_property
    def data(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.raw)
        return said

    @property
    def is_index(self) -> bool:
        """Whether it lists manifests rather than layers."""
        return "manifests" in self.data


class Repository:
    """One repository of one registry, with the credentials that `docker login` left for it.

    What lies under a digest never changes, so it is fetched once: Docker Hub counts each GET of a manifest as a pull,
    and lets an address have 100 in six hours. HEAD, and GET of a blob, are not counted.
    """

    def __init__(self, name: str, pushes: bool = False) -> None:
        """`name` is as docker takes it: `REGISTRY/NAME`, or a NAME alone for Docker Hub.

        Who `pushes` asks for that right from the start, and takes a repository that the registry does not know for an
        empty one: some make it with the first push. Raises UserError when it is no such name.
        """
        self.host, self.path = _split(name)
        self.name = f"{self.host}/{self.path}"
        self.pushes = pushes
        self._authorization: str | None = None
        self._known: dict[str, Manifest] = {}
        again = _Patient(
            total=3,
            backoff_factor=0.5,
            status_forcelist=(429, 502, 503, 504),
            allowed_methods=("GET", "HEAD"),
            raise_on_status=False,
        )
        self._session = session(again)

    @property
    def certificate_authority(self) -> Path | None:
        """The file of the certificate authority that docker would trust for this registry, besides the usual."""
        path = CERTIFICATES / self.host / "ca.crt"
        return path if path.is_file() else None

    def digest(self, reference: str) -> str | None:
        """The digest of what lies under a tag or a digest, or None; nothing is fetched, so nothing is counted."""
        answer = self._ask("HEAD", f"manifests/{reference}", missing=True, headers={"Accept": _ACCEPT})
        if answer is None:
            return None
        if found := answer.headers.get("Docker-Content-Digest"):
            return str(found)
        manifest = self.manifest(reference)  # a registry need not say it
        return manifest.digest if manifest else None

    def manifest(self, reference: str) -> Manifest | None:
        """What lies under a tag or a digest, or None. Raises NotItsDigest if a digest's content is not its own."""
        if reference in self._known:
            return self._known[reference]
        answer = self._ask("GET", f"manifests/{reference}", missing=True, headers={"Accept": _ACCEPT})
        if answer is None:
            return None
        if len(answer.content) > LARGEST_MANIFEST:
            raise RegistryError(f"{self.name}: the manifest {reference} is larger than any may be.")
        found = Manifest(answer.headers.get("Content-Type", "").partition(";")[0], answer.content)
        if ":" in reference and found.digest != reference:
            raise NotItsDigest(f"{self.name}: what lies under {reference} has the digest {found.digest}.")
        self._known[found.digest] = found
        return found

    def put_manifest(self, manifest: Manifest, reference: str | None = None) -> requests.Response:
        """Store a manifest under a tag, or under its own digest, and see that it is there."""
        reference = reference or manifest.digest
        headers = {"Content-Type": manifest.media_type}
        answer = self._ask("PUT", f"manifests/{reference}", data=lambda: manifest.raw, headers=headers)
        assert answer is not None
        if self.digest(reference) != manifest.digest:
            raise RegistryError(f"{self.name}: {reference} was stored, but reads back as something else.")
        self._known[manifest.digest] = manifest
        return answer

    def has_blob(self, digest: str) -> bool:
        return self._ask("HEAD", f"blobs/{digest}", missing=True) is not None

    def blob(self, digest: str) -> IO[bytes]:
        """A blob's bytes as a stream, which does not check them: `hashed` does."""
        answer = self._ask("GET", f"blobs/{digest}", stream=True)
        assert answer is not None
        answer.raw.decode_content = False
        return cast(IO[bytes], answer.raw)

    def small_blob(self, digest: str) -> bytes:
        """A small blob. Raises NotItsDigest if the bytes are not the digest's."""
        with self.blob(digest) as stream:
            raw = stream.read(LARGEST_MANIFEST)
        if digest_of(raw) != digest:
            raise NotItsDigest(f"{self.name}: what lies under {digest} has the digest {digest_of(raw)}.")
        return raw

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
        annotations = annotations | {HOLDS: digest_of(content)}
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
        # Docker Hub has said OCI-Subject without keeping a list of referrers, so what counts is the list.
        if "OCI-Subject" in answer.headers and self._listed(subject.digest) is not None:
            return
        # A registry older than OCI 1.1 keeps no such list: the specification puts it under a tag instead.
        entry = made.descriptor | {"artifactType": kind, "annotations": annotations}
        listed = [one for one in self._tagged(subject.digest) if one.get("digest") != made.digest]
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [*listed, entry]}
        self.put_manifest(Manifest(INDEX, json.dumps(index).encode()), _tag_of(subject.digest))

    def referrers(self, digest: str) -> list[dict[str, Any]]:
        """The descriptors of what refers to a manifest: their digests, types and annotations."""
        listed = self._listed(digest)
        return self._tagged(digest) if listed is None else listed

    def attached(self, entry: dict[str, Any]) -> bytes:
        """The one blob of what a descriptor of `referrers` describes. Raises NotItsDigest if it is another."""
        held = entry.get("annotations", {}).get(HOLDS, "")
        if not re.fullmatch("sha256:[0-9a-f]{64}", held):  # not attached by us
            manifest = self.manifest(entry["digest"])
            if manifest is None or not manifest.data.get("layers"):
                raise RegistryError(f"{self.name} lists {entry['digest']}, and does not have it.")
            held = manifest.data["layers"][0]["digest"]
        return self.small_blob(held)

    def annotations(self, digest: str) -> dict[str, str]:
        """What a manifest says of itself; nothing where it is not there."""
        manifest = self.manifest(digest)
        return dict(manifest.data.get("annotations") or {}) if manifest else {}

    def _listed(self, digest: str) -> list[dict[str, Any]] | None:
        """By the registry's own list; None where it keeps none."""
        answer = self._ask("GET", f"referrers/{digest}", missing=True, headers={"Accept": INDEX})
        if answer is None or "json" not in answer.headers.get("Content-Type", ""):
            return None
        return _entries(answer.content)

    def _tagged(self, digest: str) -> list[dict[str, Any]]:
        """By the tag that stands for such a list."""
        now = self.digest(_tag_of(digest))  # HEAD: what was read or written before is known
        manifest = now and self.manifest(now)
        return _entries(manifest.raw) if manifest else []

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
            scope = f"repository:{self.path}:pull,push" if self.pushes else ""
            self._authorization = credentials.authorization(
                self._session, self.host, answer, self._verify, scope
            )
        if missing and answer.status_code == 404:
            return None
        # Docker Hub says so of a repository that is not there yet, also to its owner. If it is another's, the first
        # push is refused.
        if missing and self.pushes and answer.status_code == 401 and self._authorization:
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
            raise RegistryError(
                f"{self.host} cannot be reached: {innermost(problem)}. Look at its name, and at this machine's network "
                "and proxy, and run the same again."
            ) from problem
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
        problem = f"{self.host} answers {answer.status_code} to {method} {what}: {said.rstrip('.')}."
        if answer.status_code == 429:
            return RateLimited(
                f"{problem} It limits how much one address or account may ask: run `docker login {self.host}`, or wait "
                "(Docker Hub: six hours) and run the same again."
            )
        if answer.status_code in (401, 403):
            return NoAccess(
                f"{problem} The repository must exist (Docker Hub: create {self.path} first), and `docker login "
                f"{self.host}` must be with an account that may do this."
            )
        return RegistryError(problem)

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


def _tag_of(digest: str) -> str:
    return digest.replace(":", "-")


def _entries(raw: bytes) -> list[dict[str, Any]]:
    try:
        listed = json.loads(raw)["manifests"]
        return [one for one in listed if isinstance(one, dict) and isinstance(one.get("digest"), str)]
    except (ValueError, LookupError, TypeError):
        return []


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

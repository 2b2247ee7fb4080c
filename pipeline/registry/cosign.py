"""Signatures and attestations: cosign signs and verifies, so that a stranger needs nothing of ours for it.

With a key nothing leaves for a public log. Without one, in GitHub Actions, sigstore certifies the workflow's own
identity for some minutes, and what was signed stands in its public log.
"""

import atexit
import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from rich.prompt import Prompt

from pipeline import machine
from pipeline.console import err
from pipeline.errors import UserError
from pipeline.machine import engine
from pipeline.registry import Manifest, Repository

TESTED = "3.1.1"  # the version of the tests; the workflows install it
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIGNATURE = "https://sigstore.dev/cosign/sign/v1"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "dev.sigstore.bundle.predicateType"
PASSWORD = "COSIGN_PASSWORD"
ISSUER = "https://token.actions.githubusercontent.com"
# No service at all: without this cosign would ask sigstore's own for one, also with a key.
NO_SERVICES = {"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json"}


class NotSigned(UserError):
    """What is asked for bears no signature of the one that is trusted; the message says whether it bears another's."""


class NotKnown(UserError):
    """Whether it is signed can't be found out here; the message says why. It speaks neither for nor against it."""

    code = 75  # sysexits: try again later


@dataclass(frozen=True)
class Signer:
    """Who signs: a key (a file, or the address of one in a KMS), or with none, this GitHub workflow."""

    key: str = ""

    def require(self) -> None:
        """Raise UserError where there is nothing to sign with."""
        if not self.key and not os.environ.get("ACTIONS_ID_TOKEN_REQUEST_URL"):
            raise UserError(
                "There is nothing to sign with: give --key FILE (`cosign generate-key-pair` makes one). Without a "
                "key only a GitHub workflow with the permission id-token: write can sign."
            )
        if self.key and "://" not in self.key and not Path(self.key).is_file():
            raise UserError(f"There is no key {self.key}: `cosign generate-key-pair` makes one.")
        if self.key and PASSWORD not in os.environ:
            if not sys.stdin.isatty():
                raise UserError(f"Set {PASSWORD} to the password of {self.key}, if need be to nothing.")
            # Once, and not by each call of cosign.
            os.environ[PASSWORD] = Prompt.ask(f"Password of {self.key}", console=err, password=True)

    def sign(self, repository: Repository, subject: Manifest) -> None:
        """Sign what lies there under this manifest's digest, as `cosign sign` does.

        Not by `cosign sign` itself, which fetches each manifest anew: registries count that.
        """
        self.attest(repository, subject, SIGNATURE, {})

    def attest(self, repository: Repository, subject: Manifest, kind: str, predicate: dict[str, Any]) -> None:
        """Sign an in-toto statement of this kind about a manifest, and attach it to that."""
        statement = {
            "_type": STATEMENT,
            "subject": [{"name": repository.name, "digest": {"sha256": subject.sha256}}],
            "predicateType": kind,
            "predicate": predicate,
        }
        # `cosign attest` would wrap the predicate in a statement of the older form 0.1, and change it on the way.
        with tempfile.TemporaryDirectory(prefix="ossec-log-server-") as folder:
            said, bundle = Path(folder, "statement.json"), Path(folder, "bundle.json")
            said.write_text(json.dumps(statement))
            options = self._options(Path(folder))
            _run("attest-blob", "--yes", *options, f"--statement={said}", f"--bundle={bundle}")
            about = {"dev.sigstore.bundle.content": "dsse-envelope", PREDICATE_TYPE: kind}
            repository.attach(subject, BUNDLE, bundle.read_bytes(), about)

    def _options(self, folder: Path) -> list[str]:
        if not self.key:
            return []
        services = folder / "services.json"
        services.write_text(json.dumps(NO_SERVICES))
        return [f"--key={self.key}", f"--signing-config={services}"]


@dataclass(frozen=True)
class Trust:
    """Whose signature counts: a public key's, or that of the release workflow of a GitHub repository OWNER/NAME."""

    key: str = ""
    repository: str = ""

    def __str__(self) -> str:
        return f"the key {self.key}" if self.key else f"the release workflow of {self.repository}"

    def attestations(self, repository: Repository, subject: Manifest, kind: str) -> list[dict[str, Any]]:
        """The predicates of this kind that are signed and about this manifest.

        Raises NotSigned if there is none, NotKnown where what is needed to tell can't be had.
        """
        found, others = [], ""
        for entry in repository.referrers(subject.digest):
            # cosign itself leaves annotations out of the list where the registry keeps none: then they are looked up.
            said = entry.get("annotations") or repository.annotations(entry["digest"])
            if said.get(PREDICATE_TYPE) != kind:
                continue
            bundle = repository.attached(entry)
            try:
                found.append(self._opened(bundle, subject, kind))
            except NotSigned as problem:
                others = str(problem)
        if found:
            return found
        what = "signature" if kind == SIGNATURE else f"attestation of the type {kind}"
        if others:
            raise NotSigned(f"{repository.name}@{subject.digest} bears no {what} of {self}: {others}")
        raise NotSigned(f"{repository.name}@{subject.digest} bears no {what} at all.")

    def _opened(self, bundle: bytes, subject: Manifest, kind: str) -> dict[str, Any]:
        """The predicate in a bundle. Raises NotSigned if it is another's, or not about this."""
        with tempfile.TemporaryDirectory(prefix="ossec-log-server-") as folder:
            file, blob = Path(folder, "bundle.json"), Path(folder, "subject")
            file.write_bytes(bundle)
            blob.write_bytes(subject.raw)
            # Everything that is needed is in these files, so a failure is about the signature, never about the network.
            _run("verify-blob-attestation", f"--bundle={file}", f"--type={kind}", *self._options(), str(blob))
        statement = json.loads(base64.b64decode(json.loads(bundle)["dsseEnvelope"]["payload"]))
        subjects = [one.get("digest") for one in statement.get("subject", [])]
        if statement.get("predicateType") != kind or {"sha256": subject.sha256} not in subjects:
            raise NotSigned("the statement in it is about something else.")
        return dict(statement.get("predicate") or {})

    def _options(self) -> list[str]:
        if self.key:
            return [f"--key={self.key}", "--insecure-ignore-tlog"]  # a key's signatures stand in no log
        workflow = re.escape(f"https://github.com/{self.repository}/.github/workflows/release.yml")
        # Of the main branch or a tag: anybody may propose a change to the workflow on a branch of theirs.
        identity = rf"^{workflow}@refs/(heads/main|tags/[^@]+)$"
        return [
            f"--certificate-identity-regexp={identity}",
            f"--certificate-oidc-issuer={ISSUER}",
            f"--trusted-root={trusted_root()}",
        ]


@cache
def trusted_root() -> Path:
    """The file of those whom sigstore trusts today, fetched once. Raises NotKnown where it can't be had."""
    path = Path(tempfile.mkdtemp(prefix="ossec-log-server-"), "trusted-root.json")
    atexit.register(shutil.rmtree, path.parent, ignore_errors=True)
    try:
        _run("trusted-root", "create", "--with-default-services", f"--out={path}")
    except UserError as problem:
        raise NotKnown(
            f"sigstore's list of whom it trusts can't be fetched, so no signature can be checked: {problem}"
        ) from problem
    return path


def ensure() -> None:
    """Return once cosign 3 is there; on Debian and Ubuntu it is installed, as root, after asking.

    Raises UserError where that is not ours to do, was declined, or failed.
    """
    if _usable():
        return
    if not machine.ours_to_install() or shutil.which("cosign"):
        raise UserError(
            "Signatures need cosign 3 or newer: install it (Debian from forky on: apt-get install cosign)."
        )
    engine.agree("To do: install cosign with apt-get.")
    if machine.os_release().get("VERSION_CODENAME") in ("bookworm", "trixie"):
        # Debian's own of then is older; forky's needs no newer libc than bookworm's.
        machine.install_from_later("forky", ["cosign"], ["cosign"])
    else:
        machine.install(["cosign"])
    if not _usable():
        raise UserError("The cosign of this distribution is older than 3: install a newer one.")


def _usable() -> bool:
    # Debian's says no version of its own, so by what it can do.
    return "--signing-config" in machine.run("cosign", "attest-blob", "--help").stdout


def _run(*words: str) -> None:
    """Run cosign. Raises NotSigned or UserError, with its last word, when it fails."""
    done = subprocess.run(["cosign", *words], capture_output=True, text=True)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
        said = errors[0].removeprefix("Error: ") if errors else done.stderr.strip()
        kind = NotSigned if words[0].startswith("verify") else UserError
        raise kind(f"cosign {words[0]}: {said}")

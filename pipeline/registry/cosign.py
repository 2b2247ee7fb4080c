"""Signatures and attestations: cosign signs and verifies, so that a stranger needs nothing of ours for it.

With a key nothing leaves for a public log. Without one, in GitHub Actions, sigstore certifies the workflow's own
identity for some minutes, and what was signed stands in its public log.
"""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.prompt import Prompt

from pipeline import machine
from pipeline.console import err
from pipeline.errors import UserError
from pipeline.machine import engine
from pipeline.registry import Manifest, Repository

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIGNATURE = "https://sigstore.dev/cosign/sign/v1"
STATEMENT = "https://in-toto.io/Statement/v1"
PASSWORD = "COSIGN_PASSWORD"
ISSUER = "https://token.actions.githubusercontent.com"
# No service at all: without this cosign would ask sigstore's own for one, also with a key.
NO_SERVICES = {"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json"}


class NotSigned(UserError):
    """What is asked for bears no signature of the one that is trusted; the message is cosign's own."""


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
                raise UserError(
                    f"Set {PASSWORD} to the password of the key {self.key}, if need be to nothing."
                )
            # Once, and not by each call of cosign.
            os.environ[PASSWORD] = Prompt.ask(f"Password of {self.key}", console=err, password=True)

    def sign(self, repository: Repository, top: Manifest) -> None:
        """Sign what lies there under this manifest's digest, and each image of it."""
        with self._options() as options:
            _run(
                "sign",
                "--yes",
                "--recursive",
                *options,
                *_access(repository),
                f"{repository.name}@{top.digest}",
            )

    def attest(self, repository: Repository, subject: Manifest, kind: str, predicate: dict[str, Any]) -> None:
        """Sign an in-toto statement of this kind about a manifest, and attach it to that."""
        statement = {
            "_type": STATEMENT,
            "subject": [
                {"name": repository.name, "digest": {"sha256": subject.digest.removeprefix("sha256:")}}
            ],
            "predicateType": kind,
            "predicate": predicate,
        }
        # `cosign attest` would wrap the predicate in a statement of the older form 0.1, and change it on the way.
        with self._options() as options, tempfile.TemporaryDirectory(prefix="ossec-log-server-") as folder:
            said, bundle = Path(folder, "statement.json"), Path(folder, "bundle.json")
            said.write_text(json.dumps(statement))
            _run("attest-blob", "--yes", *options, f"--statement={said}", f"--bundle={bundle}")
            about = {
                "dev.sigstore.bundle.content": "dsse-envelope",
                "dev.sigstore.bundle.predicateType": kind,
            }
            repository.attach(subject, BUNDLE, bundle.read_bytes(), about)

    @contextmanager
    def _options(self) -> Iterator[list[str]]:
        if not self.key:
            yield []
            return
        with tempfile.NamedTemporaryFile("w", suffix=".json") as services:
            json.dump(NO_SERVICES, services)
            services.flush()
            yield [f"--key={self.key}", f"--signing-config={services.name}"]


@dataclass(frozen=True)
class Trust:
    """Whose signature counts: a public key's, or that of the release workflow of a GitHub repository OWNER/NAME."""

    key: str = ""
    repository: str = ""

    def __str__(self) -> str:
        return f"the key {self.key}" if self.key else f"the release workflow of {self.repository}"

    def signature(self, repository: Repository, digest: str) -> None:
        """Raise NotSigned unless what lies under this digest is signed."""
        said = _run(
            "verify", "--output=json", *self._options(), *_access(repository), f"{repository.name}@{digest}"
        )
        # cosign counts an attestation as a signature, too; this is about the signature alone.
        if not any(_is_signature(one, digest) for one in json.loads(said or "[]")):
            raise NotSigned(f"{repository.name}@{digest} bears attestations, but no signature of {self}.")

    def attestations(self, repository: Repository, digest: str, kind: str) -> list[dict[str, Any]]:
        """The predicates of this kind that are signed and about this digest. Raises NotSigned if there is none."""
        said = _run(
            "verify-attestation",
            f"--type={kind}",
            *self._options(),
            *_access(repository),
            f"{repository.name}@{digest}",
        )
        wanted = {"sha256": digest.removeprefix("sha256:")}
        found = []
        for line in said.splitlines():
            statement = json.loads(base64.b64decode(json.loads(line)["payload"]))
            subjects = [subject.get("digest") for subject in statement.get("subject", [])]
            if statement.get("predicateType") == kind and wanted in subjects:
                found.append(statement["predicate"])
        if not found:
            raise NotSigned(f"{repository.name}@{digest} has no attestation of the type {kind}.")
        return found

    def _options(self) -> list[str]:
        if self.key:
            return [f"--key={self.key}", "--insecure-ignore-tlog"]  # a key's signatures stand in no log
        workflow = re.escape(f"https://github.com/{self.repository}/.github/workflows/release.yml")
        # Of the main branch or a tag: anybody may propose a change to the workflow on a branch of theirs.
        identity = rf"^{workflow}@refs/(heads/main|tags/[^@]+)$"
        return [f"--certificate-identity-regexp={identity}", f"--certificate-oidc-issuer={ISSUER}"]


def ensure() -> None:
    """Return once cosign 3 is there; on Debian and Ubuntu it is installed, as root, after asking.

    Raises UserError where that is not ours to do, was declined, or failed.
    """
    if _usable():
        return
    system = machine.os_release()
    if system.get("ID") not in ("debian", "ubuntu") or os.geteuid() != 0 or shutil.which("cosign"):
        raise UserError(
            "Signatures need cosign 3 or newer: install it (Debian from forky on: apt-get install cosign)."
        )
    engine.agree("To do: install cosign with apt-get.")
    if system.get("VERSION_CODENAME") in ("bookworm", "trixie"):
        # Debian's own of then is older; forky's needs no newer libc than bookworm's.
        machine.install_from_later("forky", ["cosign"], ["cosign"])
    else:
        machine.install(["cosign"])
    if not _usable():
        raise UserError("The cosign of this distribution is older than 3: install a newer one.")


def _usable() -> bool:
    # Debian's says no version of its own, so by what it can do.
    return "--signing-config" in machine.run("cosign", "attest-blob", "--help").stdout


def _access(repository: Repository) -> list[str]:
    authority = repository.certificate_authority
    return [f"--registry-cacert={authority}"] if authority else []


def _is_signature(claim: dict[str, Any], digest: str) -> bool:
    critical = claim.get("critical", {})
    signed = critical.get("image", {}).get("docker-manifest-digest")
    return (critical.get("type"), signed) == (SIGNATURE, digest)


def _run(*words: str) -> str:
    """cosign's standard output. Raises NotSigned or UserError, with its last word, when it fails."""
    done = subprocess.run(["cosign", *words], capture_output=True, text=True)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")] or [
            done.stderr.strip()
        ]
        kind = NotSigned if words[0].startswith("verify") else UserError
        raise kind(f"cosign {words[0]}: {errors[0].removeprefix('Error: ')}")
    return done.stdout

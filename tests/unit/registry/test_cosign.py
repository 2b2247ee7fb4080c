"""Who signs and who is trusted. Signing itself, with a key: tests/publish."""

import subprocess
from pathlib import Path

import pytest

from pipeline import machine
from pipeline.errors import UserError
from pipeline.registry import cosign, verify
from pipeline.registry.cosign import Signer, Trust

REQUEST = "ACTIONS_ID_TOKEN_REQUEST_URL"


@pytest.fixture(autouse=True)
def outside_github(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(REQUEST, raising=False)
    monkeypatch.delenv(cosign.PASSWORD, raising=False)


def test_a_workflow_signs_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="There is nothing to sign with"):
        Signer().require()
    monkeypatch.setenv(REQUEST, "https://example.org")
    Signer().require()


def test_a_key_must_be_there_and_its_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = tmp_path / "cosign.key"
    with pytest.raises(UserError, match=r"There is no key .*cosign\.key"):
        Signer(str(key)).require()
    key.write_text("")
    with pytest.raises(UserError, match=r"Set COSIGN_PASSWORD to the password of .*cosign\.key"):
        Signer(str(key)).require()
    monkeypatch.setenv(cosign.PASSWORD, "")
    Signer(str(key)).require()


@pytest.mark.parametrize(
    ("origin", "repository"),
    [
        ("https://github.com/owner/name.git", "owner/name"),
        ("https://github.com/owner/na.me", "owner/na.me"),
        ("git@github.com:owner/name.git", "owner/name"),
    ],
)
def test_a_clone_from_github_trusts_its_origin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, origin: str, repository: str
) -> None:
    _clone(tmp_path, monkeypatch, origin)
    assert verify.trust("", "") == Trust(repository=repository)
    assert verify.trust("", "other/one") == Trust(repository="other/one")


def test_elsewhere_it_must_be_said_who_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _clone(tmp_path, monkeypatch, "https://example.org/owner/name.git")
    with pytest.raises(UserError, match="Whose signature is it to be"):
        verify.trust("", "")
    with pytest.raises(UserError, match="Whose signature is it to be"):
        verify.trust("", "owner/name/more")
    with pytest.raises(UserError, match="There is no public key"):
        verify.trust(str(tmp_path / "cosign.pub"), "")


def test_without_cosign_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(machine, "PATH", "/nonexistent")
    monkeypatch.setattr(machine, "os_release", lambda: {"ID": "fedora"})
    with pytest.raises(UserError, match="Signatures need cosign 3 or newer: install it"):
        cosign.ensure()


def _clone(folder: Path, monkeypatch: pytest.MonkeyPatch, origin: str) -> None:
    monkeypatch.setattr("pipeline.project.ROOT", folder)
    for words in (["init", "--quiet"], ["remote", "add", "origin", origin]):
        subprocess.run(["git", *words], cwd=folder, check=True)

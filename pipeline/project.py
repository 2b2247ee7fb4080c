"""Where the project lies on this machine: its own folder, the folder of what it has fetched, and its git history."""

import os
import re
import subprocess
from pathlib import Path

from platformdirs import user_cache_path

ROOT = Path(__file__).resolve().parent.parent
CACHE_VARIABLE = "OSSEC_LOG_SERVER_CACHE"


def cache_dir() -> Path:
    """The folder that fetched things are kept in: the user's cache, or what OSSEC_LOG_SERVER_CACHE names."""
    named = os.environ.get(CACHE_VARIABLE)
    return Path(named).expanduser().absolute() if named else user_cache_path("ossec-log-server")


def git(*arguments: str, root: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run git in `root` (the project's folder) to its end. The return code is 127 where there is no git."""
    command = ["git", *arguments]
    try:
        return subprocess.run(command, cwd=root or ROOT, capture_output=True)
    except OSError:
        return subprocess.CompletedProcess(command, 127, b"", b"git is not installed")


def git_says(*arguments: str, root: Path | None = None) -> str:
    """What git prints, without the white space around it; empty where it fails, as in an unpacked archive."""
    return git(*arguments, root=root).stdout.decode(errors="replace").strip()


def github() -> str:
    """OWNER/NAME of the repository on GitHub that this is a clone of, or whose workflow this is; empty if of none."""
    if named := os.environ.get("GITHUB_REPOSITORY"):
        return named
    origin = git_says("remote", "get-url", "origin")
    match = re.search(r"github\.com[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?$", origin)
    return match[1] if match else ""


def home() -> str:
    """The project's address on the web; empty if it has none."""
    return f"https://github.com/{found}" if (found := github()) else ""

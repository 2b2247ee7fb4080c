"""The machine that this runs on: its programs, what it calls itself, and packages from its Debian archive."""

import os
import platform
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import UserError

APT = Path("/etc/apt")

# Where root's programs lie: after a plain `su` they are not on the PATH, and dpkg does not work without them.
PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin"


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, without input: its exit code (127 if it cannot start) and all it printed."""
    try:
        return subprocess.run(
            command,
            env=os.environ | {"PATH": PATH, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except OSError as error:
        return subprocess.CompletedProcess(command, 127, f"{command[0]}: {error.strerror}\n")


@contextmanager
def terminated_like_interrupted() -> Iterator[None]:
    """Let SIGTERM clean up as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def os_release() -> Mapping[str, str]:
    """The fields of /etc/os-release, such as ID and VERSION_CODENAME; empty where there is no such file."""
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def ours_to_install() -> bool:
    """Whether packages may be installed: as root, on Debian or Ubuntu."""
    return os.geteuid() == 0 and os_release().get("ID") in ("debian", "ubuntu")


def install(packages: Sequence[str], if_known: Sequence[str] = ()) -> None:
    """Install packages from the machine's own archive; `if_known`, if it has them. Raises UserError if that fails."""
    apt_get("update")
    known = [name for name in if_known if run("apt-cache", "show", name).returncode == 0]
    apt_get("install", "--no-install-recommends", *packages, *known)


def install_from_later(later: str, packages: Sequence[str], may_be_later: Sequence[str]) -> None:
    """Install packages on a Debian from a `later` release, and keep that release out of the machine's setup.

    Only what `may_be_later` names can come from there, so nothing else on the machine moves to that release:
    where more is needed, apt-get refuses. Raises UserError if apt-get fails.
    """
    apt_get("update")
    mirror = debian_mirror(os_release()["VERSION_CODENAME"])
    with tempfile.TemporaryDirectory(prefix="ossec-log-server-apt-") as folder:
        options = write_apt_setup(Path(folder), later, mirror, may_be_later)
        apt_get(*options, "update")
        apt_get(*options, "install", "--no-install-recommends", *packages)


def apt_get(*arguments: str) -> None:
    """Run apt-get as root. Raises UserError, with apt-get's own words, if it fails."""
    done = run("apt-get", "-y", "-o", "DPkg::Lock::Timeout=120", *arguments)
    if done.returncode != 0:
        lines = done.stdout.splitlines()
        errors = [line for line in lines if line.startswith("E: ")] or lines[-1:]
        raise UserError(f"apt-get failed, mend that and try again: {' '.join(errors)}")


def debian_mirror(codename: str) -> str:
    """The URI that the machine takes this release of Debian from. Raises UserError if there is none."""
    # apt itself tells Debian's archive from the other sources, whatever file, format or mirror they are from.
    wanted = ("Origin: Debian", f"Codename: {codename}", "Component: main", "Created-By: Packages")
    mirrors = run("apt-get", "indextargets", "--format", "$(REPO_URI)", *wanted).stdout.split()
    if not mirrors:
        raise UserError(f"The sources in {APT} do not name Debian's archive of {codename}: add it.")
    return mirrors[0]


def write_apt_setup(folder: Path, later: str, mirror: str, may_be_later: Sequence[str]) -> list[str]:
    """Write what is beside the machine's apt setup, a `later` release, into `folder`: apt-get's options to use it."""
    archive = f"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {mirror} {later} main\n"
    pins = (
        f"Package: {' '.join(may_be_later)}\nPin: release n={later}\nPin-Priority: 990\n\n"
        f"Package: *\nPin: release n={later}\nPin-Priority: -1\n"
    )
    for name, more in (("sources.list", archive), ("preferences", pins)):
        own = APT / name
        (folder / name).write_text((own.read_text() + "\n\n" if own.is_file() else "") + more)
    (folder / "lists").mkdir()
    for each in (folder, folder / "lists"):
        each.chmod(0o755)  # apt-get downloads as a user of its own
    settings = {
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::preferences": folder / "preferences",
        "Dir::State::Lists": folder / "lists",
        # The machine's own cache describes its own sources.
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
    }
    return [argument for name, value in settings.items() for argument in ("-o", f"{name}={value}")]

"""Programs out of Debian's packages, without installing these: nothing is started, and the machine stays as it is."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from filelock import FileLock

from pipeline import machine
from pipeline.errors import UserError
from pipeline.project import cache_dir


def program(name: str, package: str) -> str:
    """The path of the program `usr/bin/NAME`: the machine's own, or out of the package, which is kept in the cache.

    Raises UserError where apt-get can't get it.
    """
    if found := shutil.which(name):
        return found
    folder = cache_dir() / package
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "usr" / "bin" / name
    with FileLock(f"{folder}.lock"):
        if not path.exists():
            _unpack(package, folder)
    return str(path)


def _unpack(package: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as downloads:
        Path(downloads).chmod(0o777)  # apt-get downloads as a user of its own
        fetch = ("env", f"--chdir={downloads}", "apt-get", "-qq", "download", package)
        if machine.run(*fetch).returncode:
            machine.apt_get("update")
            if (done := machine.run(*fetch)).returncode:
                raise UserError(done.stdout.strip())
        [archive] = Path(downloads).glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", archive, folder], check=True)

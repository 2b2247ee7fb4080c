"""The sums of the files that OSSEC has shipped, by which an upgrade tells a local change from a stock file.

`python -m pipeline.upkeep.stock_files CLONE` writes them anew from a clone of https://github.com/ossec/ossec-hids.
"""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

TABLE = Path("docker/rootfs/usr/local/lib/ossec-log-server/volume/stock-files")
FIRST, *LAST = "refs/tags/v2.8.0", "refs/tags/v2.8.3", "refs/tags/4.2.0"
PATHS = ("etc/decoder.xml", "etc/internal_options.conf", "etc/local_internal_options.conf", "etc/rules/*.xml")
DIGITS = 16  # of the SHA-256: enough to tell a few hundred files apart


def table(clone: Path) -> str:
    """A line for each file: its path in /var/ossec, and the sums of what it held from 2.8.0 to 4.2.0.

    Every commit's, as packages are also made between two releases. Raises CalledProcessError if git fails.
    """
    sums: dict[str, set[str]] = {}
    for blob, path in _blobs(clone):
        content = _git(clone, "cat-file", "blob", blob)
        name = path.removeprefix("etc/") if path.startswith("etc/rules/") else path
        for one in (content, _as_kalaksi(content)) if path == "etc/internal_options.conf" else (content,):
            sums.setdefault(name, set()).add(hashlib.sha256(one).hexdigest()[:DIGITS])
    return "".join(f"{name} {' '.join(sorted(found))}\n" for name, found in sorted(sums.items()))


def _blobs(clone: Path) -> Iterator[tuple[str, str]]:
    """Object and path of each."""
    for line in _git(clone, "ls-tree", "-r", FIRST, "etc/").decode().splitlines():
        about, path = line.split("\t")
        if any(Path(path).match(pattern) for pattern in PATHS):
            yield about.split()[2], path
    changes = ("log", "-m", "--format=", "--raw", "--no-abbrev", "--no-renames", f"^{FIRST}", *LAST)
    for line in _git(clone, *changes, "--", *PATHS).decode().splitlines():
        about, path = line.split("\t")
        if set(blob := about.split()[3]) != {"0"}:  # not a deletion
            yield blob, path


def _as_kalaksi(content: bytes) -> bytes:
    """What kalaksi/ossec-log-server makes of it when its image is built."""
    content = content.replace(b"\n# EOF", b"\nanalysisd.geoip_jsonout=0\n#EOF")
    return content.replace(b"\nmaild.geoip=1", b"\nmaild.geoip=0")


def _git(clone: Path, *command: str) -> bytes:
    return subprocess.run(["git", "-C", clone, *command], stdout=subprocess.PIPE, check=True).stdout


if __name__ == "__main__":
    TABLE.write_text(table(Path(sys.argv[1])))

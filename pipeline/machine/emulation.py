"""Running another platform's programs here: found, or QEMU installed and registered where that is ours."""

import re
from pathlib import Path

from pipeline import machine
from pipeline.errors import UserError
from pipeline.machine import engine

BINFMT = Path("/proc/sys/fs/binfmt_misc")
QEMU = {"linux/arm64": "qemu-aarch64", "linux/amd64": "qemu-x86_64"}
RULES = Path("/usr/lib/binfmt.d")  # where Debian's QEMU says which programs are its


def ensure(platform: str) -> None:
    """Return once the engine runs programs of that platform. The engine itself is there already.

    On Debian and Ubuntu, as root, QEMU is installed from the distribution's archive and registered with the
    kernel; on a terminal only after a question. Raises UserError where that is not ours to do or failed.
    """
    if runs(platform):
        return
    if not engine.mendable(engine.look()):
        raise UserError(
            f"The Docker engine does not run programs of {platform}: install QEMU for it on the engine's machine "
            "(on Debian and Ubuntu: apt-get install qemu-user-static binfmt-support)."
        )
    engine.agree(f"To run programs of {platform}: install qemu-user-static and register it with the kernel.")
    machine.install(["qemu-user-static"])
    if not runs(platform):  # without systemd the package registers nothing
        register(QEMU[platform])
    if not runs(platform):
        raise UserError(f"QEMU is installed, but the engine runs no programs of {platform}: see {BINFMT}.")


def runs(platform: str) -> bool:
    """Whether the builder runs programs of that platform, its own or emulated."""
    found = re.search("^Platforms:(.*)", machine.run("docker", "buildx", "inspect").stdout, re.MULTILINE)
    return found is not None and platform in re.split(r"[\s,*]+", found[1])


def register(interpreter: str, rules: Path = RULES, binfmt: Path = BINFMT) -> None:
    """Tell the kernel of QEMU as its package would, for containers too. Raises UserError where it does not take it."""
    if not (binfmt / "register").exists():
        machine.run("mount", "-t", "binfmt_misc", "binfmt_misc", str(binfmt))
    try:
        rule = (rules / f"{interpreter}.conf").read_text().strip()
        if "F" not in rule.rpartition(":")[2]:
            rule += "F"  # opened now, so that it need not be in the container
        (binfmt / "register").write_text(rule)
    except OSError as problem:
        raise UserError(f"{interpreter} cannot be registered in {binfmt}: {problem.strerror}.") from problem

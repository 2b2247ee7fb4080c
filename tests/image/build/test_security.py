"""What an attacker finds in the image, and what the kernel does for it: as little as there can be."""

import io
import json
import platform
import re
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import docker
import pytest
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from pipeline import image
from pipeline.server import SECCOMP, server

T = TypeVar("T")
COMPILERS = {"cc", "gcc", "g++", "c++", "clang", "tcc", "as", "ld", "make", "cpp", "go", "rustc"}
CACHES = ("var/cache/", "var/lib/apt/lists/", "var/log/", "build/", "source/", "mnt/", "root/.cache/")
OURS = ("var/ossec/", "usr/local/")  # where what we compile lies
# What a compiler with _FORTIFY_SOURCE replaces by a checking function wherever it knows the size.
FORTIFIED = {
    "memcpy",
    "memset",
    "memmove",
    "strcpy",
    "strncpy",
    "strcat",
    "sprintf",
    "snprintf",
    "vsnprintf",
    "read",
}
SECRET = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=\s]{64}"
    rb"|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b|\bdckr_pat_[\w-]{20,}"
)
SECRET_NAME = re.compile(r"(?i)\b\w*(password|passwd|secret|token|api_?key)\w*\s*[=:]\s*[^\s\"',}]")


@dataclass(frozen=True)
class Tree:
    """All files of an image as a container sees them, by their path without the leading slash."""

    entries: dict[str, tarfile.TarInfo]
    programs: dict[str, bytes]  # the ELF files of ours


@pytest.fixture(scope="module")
def tree(client: docker.DockerClient, built: image.Image) -> Tree:
    entries, programs = {}, {}
    made = client.containers.create(built.name)
    try:
        data = io.BytesIO(b"".join(made.export()))  # type: ignore[arg-type] # bytes, whatever its types say
    finally:
        made.remove(v=True)
    with tarfile.open(fileobj=data) as tar:
        for entry in tar:
            entries[entry.name.rstrip("/")] = entry
            if entry.isreg() and entry.name.startswith(OURS) and (file := tar.extractfile(entry)):
                content = file.read()
                if content.startswith(b"\x7fELF"):
                    programs[entry.name] = content
    return Tree(entries, programs)


def test_no_file_gives_another_users_rights(tree: Tree) -> None:
    assert [name for name, entry in tree.entries.items() if entry.isreg() and entry.mode & 0o6000] == []
    assert [
        name
        for name, entry in tree.entries.items()
        if "SCHILY.xattr.security.capability" in entry.pax_headers
    ] == []


def test_nobody_may_write_but_in_what_a_tmpfs_hides(tree: Tree) -> None:
    kept = {name: entry for name, entry in tree.entries.items() if entry.isreg() or entry.isdir()}
    writable = {name for name, entry in kept.items() if entry.mode & stat.S_IWOTH}
    assert writable == {"tmp", "run"}


def test_our_files_belong_to_root(tree: Tree) -> None:
    others = {name for name, entry in tree.entries.items() if name.startswith(OURS) and entry.uid != 0}
    assert others == {"var/ossec/data"}


def test_there_is_no_compiler(tree: Tree) -> None:
    in_path = re.compile(r"(usr/)?(local/)?s?bin/([^/]+)")
    names = {match[3] for name in tree.entries if (match := in_path.fullmatch(name))}
    assert "bash" in names
    assert names & COMPILERS == set()
    assert [name for name in tree.entries if name.startswith("usr/include/") and name.endswith(".h")] == []


def test_there_is_no_cache_and_no_log(tree: Tree) -> None:
    kept = [name for name, entry in tree.entries.items() if entry.isreg() and name.startswith(CACHES)]
    # debconf's are a package's answers, not a cache, in spite of where they lie.
    assert [
        name
        for name in kept
        if not re.fullmatch(r"var/cache/debconf/(config|passwords|templates)\.dat", name)
    ] == []


def section(program: ELFFile, kind: type[T], name: str) -> T:
    found = program.get_section_by_name(name)
    assert isinstance(found, kind)
    return found


def test_every_program_of_ours_is_hardened(tree: Tree) -> None:
    assert {"var/ossec/bin/ossec-analysisd", "usr/local/bin/ossec-intake"} <= set(tree.programs)
    lacking = []
    for name, content in tree.programs.items():
        program = ELFFile(io.BytesIO(content))
        segments = {segment["p_type"]: segment for segment in program.iter_segments()}
        tags = {
            tag.entry.d_tag: tag.entry.d_val
            for tag in section(program, DynamicSection, ".dynamic").iter_tags()
        }
        imported = {symbol.name for symbol in section(program, SymbolTableSection, ".dynsym").iter_symbols()}
        library = "PT_INTERP" not in segments  # bash's builtin, which has no array to protect either
        checks = {
            "PIE": program["e_type"] == "ET_DYN" and (library or tags.get("DT_FLAGS_1", 0) & 0x08000000),
            "full RELRO": "PT_GNU_RELRO" in segments and bool(tags.get("DT_FLAGS_1", 0) & 1),
            "a stack that is no code": segments["PT_GNU_STACK"]["p_flags"] & 1 == 0,
            "stack protector": library or "__stack_chk_fail" in imported,
            "FORTIFY": not imported & FORTIFIED or any(one.endswith("_chk") for one in imported),
            "no search path": not tags.keys() & {"DT_RPATH", "DT_RUNPATH"},
            "no symbols": program.get_section_by_name(".symtab") is None,
        }
        lacking += [f"{name}: {what}" for what, holds in checks.items() if not holds]
    assert lacking == []


@pytest.mark.parametrize(
    "planted",
    [
        b"-----BEGIN PRIVATE KEY-----\n"
        + b"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"
        + b"\n",
        b"aws = AKIA" + b"ABCDEFGHIJKLMNOP\n",
        b"ghp_" + b"a" * 36,
    ],
)
def test_a_secret_would_be_seen(planted: bytes) -> None:
    assert SECRET.search(b"before " + planted)


def ours(built: image.Image) -> Iterator[tuple[str, bytes]]:
    """Every regular file of every layer of ours, one that a later layer hides too."""
    with tarfile.open(built.archive) as archive:
        index = json.load(archive.extractfile("index.json"))  # type: ignore[arg-type]

        def blob(digest: str) -> bytes:
            file = archive.extractfile(f"blobs/{digest.replace(':', '/')}")
            assert file is not None
            return file.read()

        manifest = json.loads(blob(index["manifests"][0]["digest"]))
        yield "configuration", blob(manifest["config"]["digest"])
        for layer, described in zip(built.layers, manifest["layers"], strict=True):
            if not layer.of_base:
                with tarfile.open(fileobj=io.BytesIO(blob(described["digest"]))) as tar:
                    for entry in tar:
                        if entry.isreg() and (file := tar.extractfile(entry)):
                            yield f"{layer.made_by}: {entry.name}", file.read()


def test_no_layer_and_no_step_of_the_history_holds_a_secret(built: image.Image) -> None:
    files = list(ours(built))
    assert len(files) > 100
    found = [name for name, content in files if SECRET.search(content)]
    # The keys that the library tests itself with are in every copy of it.
    assert [name for name in found if "libgnutls.so" not in name] == []
    config = json.loads(files[0][1])
    words = [*config["config"]["Env"], *(step.get("created_by", "") for step in config["history"])]
    assert [word for word in words if SECRET_NAME.search(word)] == []


# What a process that was taken over would like to ask for: its number on x86-64 and on arm64, and arguments.
FORBIDDEN = {
    "ptrace": (101, 117, "0, 0, 0, 0"),
    "process_vm_readv": (310, 270, "$$, 0, 0, 0, 0, 0"),
    "unshare": (272, 97, "0x10000000"),
    "clone with a namespace": (56, 220, "0x10000011, 0, 0, 0, 0"),
    "clone3": (435, 435, "0, 0"),
    "setns": (308, 268, "0, 0"),
    "mount": (165, 40, "0, 0, 0, 0, 0"),
    "pivot_root": (155, 41, "0, 0"),
    "bpf": (321, 280, "0, 0, 0"),
    "io_uring_setup": (425, 425, "1, 0"),
    "userfaultfd": (323, 282, "0"),
    "perf_event_open": (298, 241, "0, 0, -1, -1, 0"),
    "keyctl": (250, 219, "0, 0, 0, 0, 0"),
    "memfd_create": (319, 279, "$name, 0"),
    "personality": (135, 92, "0xffffffff"),
    "socket of packets": (41, 198, "17, 3, 0"),
    "socket of vsock": (41, 198, "40, 1, 0"),
    "a device": (259, 33, "-100, $name, 0020600, 0x0103"),
}
ENOSYS = 38


def answers(client: docker.DockerClient, name: str, **options: Any) -> dict[str, int]:
    """What the kernel answers to each forbidden call in a container of the image: an error's number, or 0."""
    column = {"x86_64": 0, "aarch64": 1}[platform.machine()]
    calls = "".join(
        f'$! = 0; syscall({row[column]}, {row[2]}) >= 0 and $! = 0; print "{what}=", $! + 0, "\\n";'
        for what, row in FORBIDDEN.items()
    )
    with server(
        client, name, command=["-e", f'my $name = "/tmp/x"; {calls}'], entrypoint=["perl"], **options
    ) as running:
        assert running.exit_code() == 0, running.log()
        lines = running.container.logs(stdout=True, stderr=False).decode().splitlines()
    return {what: int(number) for what, _, number in (line.rpartition("=") for line in lines)}


def test_what_the_image_does_not_need_the_kernel_does_not_do(
    client: docker.DockerClient, standin_image: image.Image
) -> None:
    assert answers(client, standin_image.name) == dict.fromkeys(FORBIDDEN, ENOSYS)
    # And it is the profile that says so.
    without = answers(client, standin_image.name, security_opt=["no-new-privileges", "seccomp=unconfined"])
    assert without["unshare"] != ENOSYS
    assert without["memfd_create"] == without["personality"] == 0


def test_a_server_runs_under_the_profile(client: docker.DockerClient, built: image.Image) -> None:
    with server(client, built.name) as running:
        running.wait_listening()
        status = running.run(
            "bash", "-c", "cat /proc/[0-9]*/status | grep -E '^(Seccomp|NoNewPrivs):' | sort -u"
        )
        assert status.split() == ["NoNewPrivs:", "1", "Seccomp:", "2"]
        options = running.container.attrs["HostConfig"]["SecurityOpt"]
        assert f"seccomp={SECCOMP.read_text()}" in options


def test_the_profile_names_each_call_once() -> None:
    rules = json.loads(SECCOMP.read_text())["syscalls"]
    names = [name for rule in rules if "args" not in rule for name in rule["names"]]
    limited = {name for rule in rules if "args" in rule for name in rule["names"]}
    assert len(names) == len(set(names))
    assert limited.isdisjoint(names)
    assert limited == {"socket", "mknod", "mknodat", "clone"}

"""ossec-intake by itself: compiled with the sanitizers, run on free ports of this machine, and its journal read."""

import mmap
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import count as counting
from pathlib import Path
from typing import Any

import pytest

from pipeline.project import ROOT
from pipeline.wait import wait_until

DOCKER = ROOT / "docker"
HEADS = {"uint64_t": ("Q", 8), "uint32_t": ("I", 4), "uint16_t": ("H", 2), "char": ("c", 1)}
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")
INPUTS = ("udp", "tcp", "tls", "relp")


def compiled(folder: Path, *sources: Path, flags: tuple[str, ...] = ()) -> Path:
    """A program of these C files, with the sanitizers. Skips the test where there is no compiler or OpenSSL for it."""
    if not shutil.which("gcc"):
        pytest.skip("gcc is not installed")
    program = folder / "program"
    command = ["gcc", "-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", *SANITIZERS, *flags]
    command += [f"-I{DOCKER / 'intake'}", f"-I{DOCKER / 'journal'}"]
    command += [*map(str, sources), "-lssl", "-lcrypto", "-lz", "-ldeflate", "-pthread", "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True)
    if re.search(r"fatal error: (openssl/|zlib\.h|libdeflate\.h)", done.stderr):
        pytest.skip(
            "headers are not installed (libdeflate-dev, libssl-dev, zlib1g-dev): the intake is NOT tested"
        )
    assert done.returncode == 0, done.stderr
    return program


def intake_sources() -> list[Path]:
    return sorted((DOCKER / "intake").glob("*.c")) + sorted((DOCKER / "journal").glob("*.c"))


@cache
def _state_fields() -> dict[str, tuple[str, int, int]]:
    """Of struct state: name -> (struct's letter, offset, number of values), as a C compiler lays them out."""
    text = (DOCKER / "journal" / "state.h").read_text()
    body = text.partition("struct state {")[2].partition("};")[0]
    fields, offset = {}, 0
    for kind, name, count in re.findall(r"^\s+(\w+) (\w+)(?:\[(\w+)\])?;", body, re.M):
        letter, size = HEADS[kind]
        number = len(INPUTS) if count == "INPUTS" else int(count or 1)
        offset = -(-offset // size) * size
        fields[name] = (letter, offset, number)
        offset += size * number
    return fields


class Intake:
    """A running one. Its folder holds `journal/` and `intake.state`."""

    def __init__(
        self, program: Path, folder: Path, *options: str, networks: str, ports: dict[str, int]
    ) -> None:
        (folder / "networks").write_text(networks)
        self.folder = folder
        self.ports = ports
        self.log_file = folder / "log"
        command = [str(program), "--journal", str(folder / "journal"), "--networks", str(folder / "networks")]
        for name, port in ports.items():
            command += [f"--{name}", str(port)]
        if "--limit" not in options:
            command += ["--limit", str(1 << 30)]
        with self.log_file.open("w") as log:
            self.process = subprocess.Popen([*command, *options], cwd=folder, stderr=log)

    def log(self) -> str:
        return self.log_file.read_text()

    def get(self, name: str, number: int = 0) -> int:
        letter, offset, _ = _state_fields()[name]
        page = (self.folder / "intake.state").read_bytes()
        value: int = struct.unpack_from(letter, page, offset + number * struct.calcsize(letter))[0]
        return value

    def put(self, name: str, value: int) -> None:
        letter, offset, _ = _state_fields()[name]
        with (self.folder / "intake.state").open("r+b") as file, mmap.mmap(file.fileno(), 0) as page:
            struct.pack_into(letter, page, offset, value)

    def received(self, name: str) -> int:
        return self.get("received", INPUTS.index(name))

    def wait_listening(self) -> None:
        def listening() -> bool:
            assert self.process.poll() is None, self.log()
            return (self.folder / "intake.state").exists() and self.get("pid") == self.process.pid

        wait_until(listening, 30, what="the ports")

    @contextmanager
    def engine(self) -> Iterator[None]:
        """In the engine's place: whatever is in the journal is done with."""
        ended = threading.Event()

        def work() -> None:
            while not ended.wait(0.01):
                self.put("done", self.get("flushed"))

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def lines(self) -> list[str]:
        """The datagrams in the journal, in their order."""
        found = []
        for segment in sorted((self.folder / "journal").glob("[0-9]" * 20)):
            content = segment.read_bytes()[8:]
            while len(content) >= 16:
                (length,) = struct.unpack_from("I", content)
                found.append(content[16 : 16 + length].decode("utf-8", "surrogateescape"))
                content = content[16 + length :]
        return found

    def texts(self) -> list[str]:
        """The same, from the last "app: " on: what a test wrote as its text."""
        return [line.rpartition("app: ")[2].partition("\x1e")[0] for line in self.lines()]

    def wait_lines(self, count: int, seconds: float = 30) -> list[str]:
        return wait_until(
            lambda: found if len(found := self.lines()) >= count else None, seconds, what=f"{count} lines"
        )

    def connect(self, name: str, source: str = "127.0.0.1") -> socket.socket:
        host = "::1" if ":" in source else "127.0.0.1"
        return socket.create_connection((host, self.ports[name]), 10, source_address=(source, 0))

    def send(self, name: str, data: bytes) -> None:
        """The bytes over a connection of their own, which is closed."""
        with self.connect(name) as sender:
            sender.sendall(data)

    def datagram(self, data: bytes, source: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in source else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sender:
            sender.bind((source, 0))
            sender.sendto(data, ("::1" if ":" in source else "127.0.0.1", self.ports["udp"]))

    def stop(self, seconds: float = 30) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def cpu(self) -> float:
        """Seconds of CPU time until now."""
        words = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


# A port that the kernel chose may be that of somebody's connection a moment later. So these are below the range of such
# ports (net.ipv4.ip_local_port_range), and each worker of the tests has some of its own.
_PORTS = counting(12000 + 5000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")))


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """The next port that nobody listens on."""
    for port in _PORTS:
        with suppress(OSError), socket.socket(socket.AF_INET6, kind) as one:
            one.bind(("::", port))
            return port
    raise AssertionError("a count does not end")


@contextmanager
def running(
    program: Path,
    folder: Path,
    *options: str,
    inputs: tuple[str, ...] = ("udp", "tcp", "relp"),
    **settings: Any,
) -> Iterator[Intake]:
    """Start it and wait for its ports; at the end it must go in order, and the sanitizers must have found nothing."""
    ports = {name: free_port(socket.SOCK_DGRAM if name == "udp" else socket.SOCK_STREAM) for name in inputs}
    networks = settings.pop("networks", "127.0.0.0/8\n::1\n")
    intake = Intake(program, folder, *options, networks=networks, ports=ports)
    try:
        intake.wait_listening()
        yield intake
        if intake.process.poll() is None:
            assert intake.stop() == 0, intake.log()
    finally:
        if intake.process.poll() is None:
            intake.process.kill()
            intake.process.wait()
    assert "ERROR: AddressSanitizer" not in intake.log(), intake.log()
    assert "runtime error" not in intake.log(), intake.log()


def eventually(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
    wait_until(condition, seconds, what=what)

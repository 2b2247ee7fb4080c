"""How ossec-intake starts, is held back, syncs, is asked for a sign of life, and ends."""

import os
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from pipeline.soak.senders import hung_up
from tests import loopback
from tests.image.support.relp import RelpSender
from tests.unit.programs.intake import Intake, eventually, free_port, running

PLAIN = ("udp", "tcp", "relp")


def line(text: object) -> bytes:
    return f"<13>Nov 26 06:00:00 web1 app: {text}".encode()


@pytest.fixture
def intake(intake_program: Path, tmp_path: Path) -> Iterator[Intake]:
    with running(intake_program, tmp_path, inputs=PLAIN) as one:
        yield one


def reloading(program: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(program), "--reload"], cwd=folder, capture_output=True, text=True, timeout=30)


def test_options_networks_and_certificates_are_read_again(intake_program: Path, tmp_path: Path) -> None:
    loopback.certificates(tmp_path, server="localhost", other="localhost")
    options = tmp_path / "options"

    def write(*more: str, certificate: str = "server", key: str = "") -> None:
        words = ["--certificate", f"{certificate}.crt", "--key", f"{key or certificate}.key", *more]
        options.write_text("".join(f"{word}\n" for word in words))

    def wrong_network() -> None:
        write()
        (tmp_path / "networks").write_text("nobody\n")

    def shown(intake: Intake) -> bytes:
        context = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
        with context.wrap_socket(intake.connect("tls"), server_hostname="localhost") as up:
            return up.getpeercert(binary_form=True) or b""

    write()
    with running(
        intake_program,
        tmp_path,
        "--options",
        str(options),
        inputs=("udp", "tcp", "tls"),
        networks="127.0.0.2\n",
    ) as intake:
        first = shown(intake)
        stays, goes = intake.connect("tcp"), intake.connect("tcp", "127.0.0.2")
        goes.sendall(line("before") + b"\n")
        intake.wait_lines(1)
        (tmp_path / "networks").write_text("127.0.0.3\n")
        write("--max-connections", "1", certificate="other")
        assert reloading(intake_program, tmp_path).returncode == 0
        goes.settimeout(10)
        assert goes.recv(1) == b""
        assert intake.get("refused") == 1
        stays.sendall(line("the same connection") + b"\n")
        intake.wait_lines(2)
        assert intake.get("reloads") == 1
        with intake.connect("tcp", "127.0.0.3") as limited:
            limited.settimeout(10)
            assert limited.recv(1) == b""  # as one is open
        write("--max-connections", "100", certificate="other")
        assert reloading(intake_program, tmp_path).returncode == 0
        second = shown(intake)
        assert second != first

        changes: list[tuple[Callable[[], None], str]] = [
            (
                lambda: write(certificate="server", key="other"),
                "is not the key of the certificate in server.crt",
            ),
            (lambda: write(certificate="gone"), "gone.crt: is not there"),
            (lambda: write("--relp", "2514"), "other ports or protocols need a restart of the container"),
            (lambda: write("--nonsense"), ""),
            (lambda: write("--max-connections", "0"), "'0' is not between 1 and 1000000"),
            (wrong_network, "'nobody' is a name"),
            (options.unlink, "options cannot be read"),
        ]
        for written, complaint in changes:
            refused = intake.get("reloads_refused")
            before = intake.log()
            written()
            assert reloading(intake_program, tmp_path).returncode == 78
            assert intake.get("reloads_refused") == refused + 1
            assert complaint in intake.log().removeprefix(before)
            assert shown(intake) == second
        stays.sendall(line("still the same") + b"\n")
        intake.wait_lines(3)
        with intake.connect("tcp", "127.0.0.3") as allowed:
            allowed.sendall(line("of the new network") + b"\n")
            intake.wait_lines(4)
        stays.close()


def test_a_reload_of_none_that_runs_is_one_line(intake_program: Path, tmp_path: Path) -> None:
    done = reloading(intake_program, tmp_path)
    assert (done.returncode, done.stderr) == (69, "ossec-log-server: ossec-intake is not running\n")


def test_what_waits_beyond_the_limit_holds_all_inputs_back(intake_program: Path, tmp_path: Path) -> None:
    with running(intake_program, tmp_path, "--limit", "20000", inputs=PLAIN) as intake:
        for n in range(300):
            intake.datagram(line(f"{n} " + "x" * 100))
        eventually(lambda: intake.get("held") == 1, "it to be held")
        taken = intake.received("udp")
        assert taken < 300
        with intake.connect("tcp") as sender:
            sender.sendall(line("tcp") + b"\n")
            before = intake.cpu()
            time.sleep(1)
            assert intake.cpu() - before < 0.1
            assert (intake.received("udp"), intake.received("tcp")) == (taken, 0)
            with intake.engine():
                eventually(lambda: intake.received("tcp") == 1, "it to go on")
                eventually(lambda: intake.received("udp") == 300, "the datagrams that waited")
                eventually(lambda: intake.get("held") == 0, "nothing to be held")


def test_fast_senders_go_no_further_than_one_read_beyond_the_limit(
    intake_program: Path, tmp_path: Path
) -> None:
    limit, one_read, lines = 1 << 20, 32_000, (line("x" * 600) + b"\n") * 10_000
    limited = ("--limit", str(limit))
    with running(intake_program, tmp_path, *limited, inputs=("tcp",)) as intake, ExitStack() as stack:
        senders = [stack.enter_context(intake.connect("tcp")) for _ in range(8)]
        intake.process.send_signal(signal.SIGSTOP)
        for sender in senders:
            sender.settimeout(0.2)
            with suppress(TimeoutError):
                sender.sendall(lines)
        intake.process.send_signal(signal.SIGCONT)
        eventually(lambda: intake.get("held") == 1, "it to be held")
        assert limit < intake.get("flushed") < limit + 2 * one_read


def test_held_back_it_ends_all_the_same_and_keeps_what_it_had_been_sent(
    intake_program: Path, tmp_path: Path
) -> None:
    with running(intake_program, tmp_path, "--limit", "1", inputs=PLAIN) as intake, ExitStack() as stack:
        intake.datagram(line("first"))
        eventually(lambda: intake.get("held") == 1, "it to be held")
        sender = stack.enter_context(intake.connect("tcp"))
        sender.sendall(b"".join(line(n) + b"\n" for n in range(1000)))
        intake.datagram(line("datagram"))
        began = time.monotonic()
        assert intake.stop() == 0
        assert time.monotonic() - began < 4  # a second, and what a busy machine takes
        assert sorted(intake.texts()) == sorted(["first", "datagram", *map(str, range(1000))])


@pytest.fixture
def small_volume(tmp_path: Path) -> Iterator[Path]:
    """The folder of the journal, on a volume of 12 MiB of its own."""
    volume = tmp_path / "journal"
    volume.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(volume)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("only root can mount a volume of 12 MiB")
    try:
        yield volume
    finally:
        subprocess.run(["umount", "-l", str(volume)], check=True)


def fill(volume: Path) -> Path:
    """A file that leaves the volume no byte."""
    ballast = volume / "ballast"
    with suppress(OSError), ballast.open("wb", 0) as file:
        while True:
            file.write(b"x" * 65536)
    with suppress(OSError), ballast.open("ab", 0) as file:
        while True:
            file.write(b"x")
    return ballast


def test_a_full_volume_loses_nothing_and_it_goes_on_when_there_is_room(
    intake_program: Path, tmp_path: Path, small_volume: Path
) -> None:
    with running(intake_program, tmp_path, inputs=("tcp", "relp")) as intake:
        acknowledged: set[int] = set()
        with RelpSender("127.0.0.1", intake.ports["relp"]) as sender:
            sender.send({n: line(n) for n in range(10)}, acknowledged)
        ballast = fill(small_volume)
        eventually(lambda: intake.get("held") == 1, "it to be held")
        with intake.connect("tcp") as late:
            late.sendall(line("late") + b"\n")
            time.sleep(0.5)
            assert intake.received("tcp") == 0
            ballast.unlink()
            intake.wait_lines(11)
        assert intake.texts() == [*map(str, range(10)), "late"]


@pytest.mark.parametrize("text", [b"x", line("x" * 200), b"y" * 6000], ids=["tiny", "usual", "long"])
def test_a_stop_while_the_volume_is_full_keeps_every_line_that_was_read(
    intake_program: Path, tmp_path: Path, small_volume: Path, text: bytes
) -> None:
    """Issue 9, point 2: what it has taken is in the journal; what it has not, it says."""
    with running(intake_program, tmp_path) as intake, ExitStack() as stack:
        intake.datagram(line("first"))
        intake.wait_lines(1)
        intake.process.send_signal(signal.SIGSTOP)
        for _ in range(50):
            sender = stack.enter_context(intake.connect("tcp"))
            sender.setblocking(False)
            with suppress(BlockingIOError):
                sender.sendall((text + b"\n") * (300_000 // len(text)))
        for _ in range(100):
            intake.datagram(text)
        ballast = fill(small_volume)
        intake.process.send_signal(signal.SIGTERM)
        intake.process.send_signal(signal.SIGCONT)
        assert intake.process.wait(30) == 0
        taken = intake.received("udp") + intake.received("tcp")
        assert len(intake.lines()) == taken > 1
        assert "could not be written" not in intake.log()
        assert "the volume is full, so what " in intake.log()
        ballast.unlink()
    with running(intake_program, tmp_path) as intake:
        assert "set aside" not in intake.log()
        assert len(intake.lines()) == taken


def test_plain_lines_are_synced_within_about_a_second(intake: Intake) -> None:
    intake.datagram(line("a"))
    intake.wait_lines(1)
    eventually(lambda: intake.get("synced") == intake.get("flushed") > 0, "the sync", seconds=3)


def test_a_stop_takes_what_the_kernel_has_of_every_connection(intake: Intake) -> None:
    with ExitStack() as stack:
        senders = [stack.enter_context(intake.connect("tcp")) for _ in range(20)]
        intake.process.send_signal(signal.SIGSTOP)
        for n, sender in enumerate(senders):
            sender.sendall(b"".join(line(f"{n}-{m}") + b"\n" for m in range(500)))
        backlog = stack.enter_context(intake.connect("tcp"))
        backlog.sendall(line("in the backlog") + b"\n")
        for n in range(50):
            intake.datagram(line(f"udp-{n}"))
        intake.process.send_signal(signal.SIGTERM)
        intake.process.send_signal(signal.SIGCONT)
        assert intake.process.wait(30) == 0
    texts = intake.texts()
    assert len(texts) == len(set(texts)) == 20 * 500 + 50 + 1
    assert "in the backlog" in texts


@pytest.mark.parametrize("protocol", ["tcp", "tls"])
def test_a_stop_takes_all_that_a_sender_writes_before_it_hears_of_it(
    intake_program: Path, tmp_path: Path, protocol: str
) -> None:
    loopback.certificates(tmp_path, server="localhost")
    own = ["--certificate", str(tmp_path / "server.crt"), "--key", str(tmp_path / "server.key")]
    written = 0
    with running(intake_program, tmp_path, *own, inputs=("tcp", "tls")) as intake:
        sender = intake.connect(protocol)
        if protocol == "tls":
            context = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
            sender = context.wrap_socket(sender, server_hostname="localhost")
        with sender:
            while not hung_up(sender):  # as rsyslog looks before each write
                sender.sendall(line(written) + b"\n")
                written += 1
                if written == 500:
                    eventually(lambda: intake.received(protocol) > 0, "the first of them")
                    intake.process.send_signal(signal.SIGTERM)
        assert intake.process.wait(30) == 0
        assert intake.texts() == [str(number) for number in range(written)]


def test_a_slow_disk_at_the_stop_is_not_a_quiet_sender(
    intake_program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes while the lines before it are written is taken, however long the writing took."""
    slow, writing = tmp_path / "slow", tmp_path / "writing"
    source, library = tmp_path / "slow.c", tmp_path / "slow.so"
    source.write_text(
        "#include <fcntl.h>\n#include <stdio.h>\n#include <sys/syscall.h>\n#include <unistd.h>\n"
        "ssize_t write(int f, const void *b, size_t n) {\n"
        f'if (rename("{slow}", "{writing}") == 0) usleep(600000);\n'
        "return syscall(SYS_write, f, b, n); }\n"
    )
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True)
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("ASAN_OPTIONS", "verify_asan_link_order=0")
    with running(intake_program, tmp_path) as intake, intake.connect("tcp") as sender:
        sender.sendall(line("before the stop") + b"\n")
        intake.wait_lines(1)
        intake.process.send_signal(signal.SIGTERM)
        eventually(lambda: hung_up(sender), "the word of the end")
        slow.touch()  # which the next write takes away
        sender.sendall(line("at the stop") + b"\n")
        eventually(writing.exists, "a write that takes long")
        sender.sendall(line("while it was written") + b"\n")
        assert intake.process.wait(30) == 0
        assert intake.texts() == ["before the stop", "at the stop", "while it was written"]


def test_a_stop_waits_a_moment_for_a_line_that_is_on_its_way_and_takes_no_half_of_one(intake: Intake) -> None:
    with intake.connect("tcp") as soon, intake.connect("tcp") as never:
        soon.sendall(line("whole")[:-2])
        never.sendall(line("half of one"))
        eventually(lambda: intake.get("connections") == 2, "the connections")
        began = time.monotonic()
        intake.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        soon.sendall(line("whole")[-2:] + b"\n")
        assert intake.process.wait(30) == 0
        assert time.monotonic() - began < 4  # a second, and what a busy machine takes
    assert intake.texts() == ["whole"]


def test_what_waits_in_full_sockets_at_a_stop_is_taken(intake_program: Path, tmp_path: Path) -> None:
    """Also on a machine so busy that the end has a second and gets little of it."""
    one = line("x" * 600) + b"\n"
    with running(intake_program, tmp_path, inputs=("tcp",)) as intake, ExitStack() as stack:
        senders = [stack.enter_context(intake.connect("tcp")) for _ in range(4)]
        intake.process.send_signal(signal.SIGSTOP)
        whole = 0
        for sender in senders:
            sender.setblocking(False)
            sent = 0
            with suppress(BlockingIOError):
                while True:
                    sent += sender.send((one * 500)[sent % len(one) :])
            whole += sent // len(one)
        intake.process.send_signal(signal.SIGTERM)
        for signal_number, seconds in ((signal.SIGCONT, 0.02), (signal.SIGSTOP, 1.2), (signal.SIGCONT, 0)):
            intake.process.send_signal(signal_number)
            time.sleep(seconds)
        assert intake.process.wait(30) == 0
        assert "sent on" not in intake.log()
    assert len(intake.texts()) >= whole


def test_who_sends_on_at_a_stop_is_told_of_and_holds_it_up_for_seconds_only(intake: Intake) -> None:
    with intake.connect("tcp") as deaf:
        ended = threading.Event()

        def send() -> None:
            with suppress(OSError):
                while not ended.is_set():
                    deaf.sendall((line("on and on") + b"\n") * 1000)

        thread = threading.Thread(target=send)
        thread.start()
        eventually(lambda: intake.received("tcp") > 0, "the first of them")
        began = time.monotonic()
        assert intake.stop() == 0
        took = time.monotonic() - began
        ended.set()
        thread.join()
    assert 1 < took < 8
    assert "1 connections sent on when they were told of the end" in intake.log()


def test_idle_senders_delay_no_stop(intake_program: Path, tmp_path: Path) -> None:
    took = []
    for _ in range(3):
        with running(intake_program, tmp_path, inputs=PLAIN) as intake, ExitStack() as stack:
            for name in ("tcp", "relp") * 50:
                stack.enter_context(intake.connect(name))
            eventually(lambda: intake.get("connections") == 100, "the connections")
            began = time.monotonic()
            assert intake.stop() == 0
            took.append(time.monotonic() - began)
    assert min(took) < 0.9  # and not the second that a message's end is waited for


@pytest.mark.parametrize("moment", [0, 0.005, 0.02, 0.05, 0.1])
def test_sigterm_works_from_the_first_moment(intake_program: Path, tmp_path: Path, moment: float) -> None:
    intake = Intake(intake_program, tmp_path, networks="10.0.0.0/8\n", ports={"tcp": free_port()})
    time.sleep(moment)
    intake.process.send_signal(signal.SIGTERM)
    assert intake.process.wait(20) in (0, -signal.SIGTERM)  # the latter before main


def test_lines_go_on_in_the_journal_after_a_restart(intake_program: Path, tmp_path: Path) -> None:
    for n in range(3):
        with running(intake_program, tmp_path, inputs=("udp",)) as intake:
            intake.datagram(line(n))
            intake.wait_lines(n + 1)
            assert intake.received("udp") == 1
    assert intake.texts() == ["0", "1", "2"]


@pytest.mark.parametrize("kind", ["udp", "tcp"])
def test_a_port_of_somebody_elses_is_one_line(intake_program: Path, tmp_path: Path, kind: str) -> None:
    port = free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM) as other:
        other.bind(("127.0.0.1", port))
        if kind == "tcp":
            other.listen()
        for mode in ([], ["--check"]):
            (tmp_path / "networks").write_text("10.0.0.0/8\n")
            command = [
                str(intake_program),
                *mode,
                "--journal",
                "j",
                "--networks",
                "networks",
                "--limit",
                "9",
                f"--{kind}",
            ]
            done = subprocess.run(
                [*command, str(port)], cwd=tmp_path, capture_output=True, text=True, timeout=20
            )
            assert done.returncode == 73
            assert done.stderr.count("\n") == 1
            assert (
                f"ossec-log-server: port {port}/{kind} is in use by another process of this network"
                in done.stderr
            )


def test_a_port_that_needs_a_right_names_the_remedies(intake_program: Path, tmp_path: Path) -> None:
    """D16."""
    unshare = ["unshare", "--user", "--map-user=1000", "--net"]
    if subprocess.run([*unshare, "true"], capture_output=True).returncode != 0:
        pytest.skip("no network of its own can be made here")
    (tmp_path / "networks").write_text("10.0.0.0/8\n")
    command = [*unshare, "setpriv", "--bounding-set=-all", "--inh-caps=-all", str(intake_program)]
    command += ["--check", "--networks", "networks", "--tcp", "514"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    if done.returncode == 0 or "setpriv" in done.stderr:
        pytest.skip("every port is open to everybody here")
    assert done.returncode == 73
    assert "port 514/tcp cannot be opened by UID" in done.stderr
    assert "--sysctl net.ipv4.ip_unprivileged_port_start=0" in done.stderr
    assert "OSSEC_SYSLOG_PORT" in done.stderr


@pytest.mark.parametrize("ipv6", ["off", "on"])
def test_it_starts_with_and_without_ipv6(intake_program: Path, tmp_path: Path, ipv6: str) -> None:
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("only root can make a network without IPv6")
    (tmp_path / "networks").write_text("127.0.0.0/8\n::1\n")
    disable = "1" if ipv6 == "off" else "0"
    script = f"""
        echo {disable} > /proc/sys/net/ipv6/conf/all/disable_ipv6
        echo {disable} > /proc/sys/net/ipv6/conf/default/disable_ipv6
        ip link set lo up
        {intake_program} --journal j --networks networks --limit 1000000 --udp 514 --tcp 514 --relp 2514 &
        for _ in $(seq 100); do
            said=$({intake_program} --probe 2>&1)
            [[ $said == *"is not running"* ]] || break
            sleep 0.1
        done
        echo "$said" >&2
        kill $!
        wait $!
        echo "ended $?"
    """
    done = subprocess.run(
        ["unshare", "--net", "bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "ended 0\n", done.stderr
    [said] = done.stderr.splitlines()  # every input answered; there is no engine here
    assert "ossec-analysisd does not get on" in said


def probe(program: Path, folder: Path) -> tuple[int, str]:
    done = subprocess.run([program, "--probe"], cwd=folder, capture_output=True, text=True, timeout=20)
    return done.returncode, done.stderr


@pytest.fixture
def everything(intake_program: Path, tmp_path: Path) -> Iterator[Intake]:
    loopback.certificates(tmp_path, server="localhost", client="localhost")
    options = ["--certificate", "server.crt", "--key", "server.key", "--ca", "ca.crt"]
    options += ["--max-connections", "12", "--max-per-source", "12"]
    with running(intake_program, tmp_path, *options, inputs=("udp", "tcp", "tls", "relp")) as one:
        yield one


def test_a_probe_asks_every_input(everything: Intake, intake_program: Path) -> None:
    before = [everything.received(name) for name in ("udp", "tcp", "tls", "relp")]
    with everything.engine():
        assert probe(intake_program, everything.folder) == (0, "")
    eventually(lambda: everything.get("connections") == 0, "their end")
    after = [everything.received(name) for name in ("udp", "tcp", "tls", "relp")]
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 1, 0, 0]
    assert "failed" not in everything.log()
    assert "broke" not in everything.log()


@pytest.mark.parametrize(
    ("key", "more"),
    [
        ("rsa:2048", []),
        ("ec -pkeyopt ec_paramgen_curve:P-384", []),
        ("ed25519", []),
        ("rsa:2048", ["--tls-1.3"]),
        ("rsa:2048", ["--ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256"]),
        ("rsa:2048", ["--tls-1.3", "--ciphers", "TLS_CHACHA20_POLY1305_SHA256"]),
    ],
)
def test_a_probe_is_answered_with_any_kind_of_certificate_and_by_any_version(
    intake_program: Path, tmp_path: Path, key: str, more: list[str]
) -> None:
    command = f"openssl req -x509 -newkey {key} -nodes -days 90 -subj /CN=x -keyout k.pem -out c.pem"
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    options = ("--certificate", "c.pem", "--key", "k.pem", *more)
    with running(intake_program, tmp_path, *options, inputs=("tls",)) as intake, intake.engine():
        assert probe(intake_program, tmp_path) == (0, "")
        eventually(lambda: intake.get("connections") == 0, "its end")
        assert intake.log() == ""


def test_a_probe_costs_little(everything: Intake, intake_program: Path) -> None:
    with everything.engine():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        for _ in range(5):
            assert probe(intake_program, everything.folder) == (0, "")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # 10 ms each are promised; the sanitizers take their time at the start of a program.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 5 * 0.1


def test_a_probe_says_that_the_engine_does_not_move(everything: Intake, intake_program: Path) -> None:
    status, said = probe(intake_program, everything.folder)
    assert status == 69
    assert "ossec-analysisd does not get on" in said


def test_a_probe_says_that_nothing_moves(everything: Intake, intake_program: Path) -> None:
    everything.process.send_signal(signal.SIGSTOP)
    status, said = probe(intake_program, everything.folder)
    everything.process.send_signal(signal.SIGCONT)
    assert status == 69
    ports = everything.ports
    asked = ", ".join(f"{name} on port {ports[name]}" for name in ("udp", "tcp", "tls", "relp"))
    assert said == f"ossec-log-server: {asked}: no answer within 3 s; ossec-intake does not move\n"


def test_a_probe_says_which_input_takes_nobody(everything: Intake, intake_program: Path) -> None:
    with ExitStack() as stack:
        for _ in range(12):  # all places
            one = stack.enter_context(everything.connect("tcp"))
            one.sendall(b"<13>x\n")
        everything.wait_lines(12)
        status, said = probe(intake_program, everything.folder)
    assert status == 69
    ports = everything.ports
    asked = ", ".join(f"{name} on port {ports[name]}" for name in ("tcp", "tls", "relp"))
    assert said == f"ossec-log-server: {asked}: no answer within 3 s\n"


def test_a_probe_of_none_and_of_one_that_is_held(intake_program: Path, tmp_path: Path) -> None:
    assert probe(intake_program, tmp_path) == (69, "ossec-log-server: ossec-intake is not running\n")
    with running(intake_program, tmp_path, "--limit", "1", inputs=("udp",)) as intake:
        intake.datagram(line("a"))
        eventually(lambda: intake.get("held") == 1, "it to be held")
        status, said = probe(intake_program, tmp_path)
        assert status == 69
        assert (
            "nothing is taken in: the journal has reached OSSEC_QUEUE_DISK, or the volume is nearly full"
            in said
        )
        intake.process.kill()
        intake.process.wait()
    assert probe(intake_program, tmp_path) == (69, "ossec-log-server: ossec-intake is not running\n")


def test_a_standard_error_that_nobody_reads_holds_nothing_up(intake_program: Path, tmp_path: Path) -> None:
    (tmp_path / "networks").write_text("192.0.2.0/24\n")
    reading, writing = os.pipe()
    with suppress(BlockingIOError):
        os.set_blocking(writing, False)
        while True:
            os.write(writing, b"x" * 4096)
    os.set_blocking(writing, True)
    port = free_port(socket.SOCK_DGRAM)
    command = [
        str(intake_program),
        "--journal",
        "j",
        "--networks",
        "networks",
        "--limit",
        "1000000",
        "--udp",
        str(port),
    ]
    with subprocess.Popen(command, cwd=tmp_path, stderr=writing) as process:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind(("127.0.0.2", 0))

            def refused_and_taken() -> bool:
                stranger.sendto(b"<13>x", ("127.0.0.1", port))
                return any((tmp_path / "j").glob("0*")) and process.poll() is None

            eventually(refused_and_taken, "its start")
        time.sleep(0.3)
        process.terminate()
        assert process.wait(30) == 0
    os.close(reading)
    os.close(writing)

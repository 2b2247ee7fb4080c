"""TLS as ossec-intake's transport, and what it says of certificates that it can't use."""

import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest

from tests import loopback
from tests.unit.programs.intake import Intake, eventually, running


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = loopback.certificates(tmp_path_factory.mktemp("tls"), server="localhost", client="localhost")
    loopback.certificate(folder, "stranger")
    return folder


def options(certificates: Path, ca: bool = False) -> list[str]:
    given = ["--certificate", str(certificates / "server.crt"), "--key", str(certificates / "server.key")]
    return [*given, "--ca", str(certificates / "ca.crt")] if ca else given


@pytest.fixture
def intake(intake_program: Path, tmp_path: Path, certificates: Path) -> Iterator[Intake]:
    with running(intake_program, tmp_path, *options(certificates), inputs=("udp", "tls")) as one:
        yield one


def client(certificates: Path, shown: str = "") -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(certificates / "ca.crt"))
    if shown:
        context.load_cert_chain(certificates / f"{shown}.crt", certificates / f"{shown}.key")
    return context


def connect(intake: Intake, context: ssl.SSLContext) -> ssl.SSLSocket:
    return context.wrap_socket(intake.connect("tls"), server_hostname="localhost")


def line(text: object) -> bytes:
    return f"<13>Nov 26 06:00:00 web1 app: {text}".encode()


def counted(data: bytes) -> bytes:
    return b"%d %b" % (len(data), data)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("end", ["in order", "without a word", "after the alert, kept open"])
def test_lines_over_tls(intake: Intake, certificates: Path, version: ssl.TLSVersion, end: str) -> None:
    context = client(certificates)
    context.minimum_version = context.maximum_version = version
    sender = connect(intake, context)
    sender.sendall(b"".join(counted(line(n)) for n in range(2000)) + line("lf") + b"\n" + line("last"))
    if end == "in order":
        sender.unwrap()
    elif end == "without a word":
        sender.close()
    else:
        sender.settimeout(10)
        with suppress(OSError):
            sender.unwrap().recv(1)  # the server answers the end, and closes
    intake.wait_lines(2002)
    assert intake.texts() == [*map(str, range(2000)), "lf", "last"]
    eventually(lambda: intake.get("connections") == 0, "its end")
    sender.close()


def test_a_record_for_each_line_and_lines_over_many_records(intake: Intake, certificates: Path) -> None:
    with connect(intake, client(certificates)) as sender:
        for n in range(300):
            sender.sendall(line(n) + b"\n")
        for byte in line("bytes") + b"\n":
            sender.sendall(bytes([byte]))
        intake.wait_lines(301)
    assert intake.texts() == [*map(str, range(300)), "bytes"]


def test_tls_below_1_2_is_refused(intake: Intake, certificates: Path) -> None:
    context = client(certificates)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        connect(intake, context)
    eventually(lambda: "1 TLS connections failed, the last from 127.0.0.1: " in intake.log(), "the log")


@pytest.mark.parametrize("shown", ["client", "", "stranger"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_with_a_ca_a_client_shows_a_certificate_of_it(
    intake_program: Path, tmp_path: Path, certificates: Path, shown: str, version: ssl.TLSVersion
) -> None:
    with running(intake_program, tmp_path, *options(certificates, ca=True), inputs=("udp", "tls")) as intake:
        context = client(certificates, shown)
        context.minimum_version = context.maximum_version = version
        refused = False
        try:
            with connect(intake, context) as sender:
                sender.sendall(line("a") + b"\n")
                sender.settimeout(1 if shown == "client" else 10)
                sender.recv(1)
        except TimeoutError:
            pass
        except OSError:  # in TLS 1.3 a client is told late
            refused = True
        if shown == "client":
            intake.wait_lines(1)
            assert not refused
        else:
            assert refused
            eventually(lambda: "TLS connections failed" in intake.log(), "the log")
            with connect(intake, client(certificates, "client")) as good:  # the error was the other one's
                good.sendall(line("b") + b"\n")
                intake.wait_lines(1)
            assert intake.texts() == ["b"]


def test_who_is_silent_in_the_handshake_is_closed(intake: Intake, certificates: Path) -> None:
    silent = [intake.connect("tls") for _ in range(20)]
    halfway = intake.connect("tls")
    halfway.sendall(b"\x16\x03\x01")
    with connect(intake, client(certificates)) as sender:
        sender.sendall(line("beside them") + b"\n")
        intake.wait_lines(1)
    began = time.monotonic()
    for one in [*silent, halfway]:
        one.settimeout(20)
        with suppress(ConnectionResetError):
            assert one.recv(100) == b""
        one.close()
    assert time.monotonic() - began > 5
    eventually(lambda: "the handshake was not finished within 10 s" in intake.log(), "the log")


def test_it_tells_when_its_certificate_expires(intake: Intake, certificates: Path) -> None:
    command = [
        "openssl",
        "x509",
        "-noout",
        "-enddate",
        "-dateopt",
        "iso_8601",
        "-in",
        str(certificates / "server.crt"),
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    ends = datetime.fromisoformat(said.strip().partition("=")[2])
    assert intake.get("certificate_end") == ends.timestamp()


def test_no_tls_at_all_is_told_of(intake: Intake) -> None:
    with intake.connect("tls") as sender:
        sender.sendall(line("plain") + b"\n")
        with suppress(ConnectionResetError):
            while sender.recv(100):
                pass
    eventually(lambda: "1 TLS connections failed, the last from 127.0.0.1: " in intake.log(), "the log")
    assert intake.texts() == []


def test_silent_clients_delay_no_stop(intake: Intake, certificates: Path) -> None:
    with intake.connect("tls"), connect(intake, client(certificates)) as up:
        up.sendall(line("a") + b"\n")
        intake.wait_lines(1)
        began = time.monotonic()
        assert intake.stop() == 0
        assert time.monotonic() - began < 2


def run_check(program: Path, folder: Path, *given: str) -> tuple[int, str]:
    (folder / "networks").write_text("10.0.0.0/8\n")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    command = [str(program), "--check", "--networks", "networks", "--tls", str(port), *given]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=20)
    return done.returncode, done.stderr


def openssl(folder: Path, command: str) -> None:
    subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)


def test_a_right_certificate_passes_the_check(
    intake_program: Path, tmp_path: Path, certificates: Path
) -> None:
    assert run_check(intake_program, tmp_path, *options(certificates)) == (0, "")
    openssl(tmp_path, "req -x509 -newkey rsa:2048 -nodes -days 9 -subj /CN=x -keyout k.pem -out c.pem")
    assert run_check(intake_program, tmp_path, "--certificate", "c.pem", "--key", "k.pem") == (
        0,
        "ossec-log-server: c.pem: the certificate expires within two weeks; "
        "mount a new one, as TLS connections fail with an expired one\n",
    )


AUTHORITY = """
[ca]
default_ca = x
[x]
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
[any]
commonName = supplied
"""


def test_a_certificate_that_has_expired_is_a_warning(intake_program: Path, tmp_path: Path) -> None:
    (tmp_path / "index").touch()
    (tmp_path / "serial").write_text("01\n")
    (tmp_path / "ca.cnf").write_text(AUTHORITY)
    openssl(tmp_path, "req -new -newkey rsa:2048 -nodes -subj /CN=x -keyout k.pem -out r.pem")
    sign = "ca -batch -selfsign -config ca.cnf -keyfile k.pem -in r.pem -out c.pem -notext"
    openssl(tmp_path, f"{sign} -startdate 20200101000000Z -enddate 20200201000000Z")
    status, said = run_check(intake_program, tmp_path, "--certificate", "c.pem", "--key", "k.pem")
    assert (status, said) == (
        0,
        "ossec-log-server: c.pem: the certificate has expired; mount a new one, as TLS connections fail with an "
        "expired one\n",
    )


def test_what_is_wrong_with_a_certificate_is_one_line(
    intake_program: Path, tmp_path: Path, certificates: Path
) -> None:
    server, key = str(certificates / "server.crt"), str(certificates / "server.key")
    openssl(tmp_path, f"pkey -in {key} -aes256 -passout pass:secret -out encrypted.key")
    (tmp_path / "nowhere").symlink_to("not-there")
    (tmp_path / "nonsense").write_text("nonsense")
    (tmp_path / "broken.crt").write_text(Path(server).read_text()[:400] + "\n-----END CERTIFICATE-----\n")
    other = str(certificates / "client.key")
    for given, complaint in [
        (["--certificate", "gone", "--key", key], "gone: is not there; TLS needs it"),
        (["--certificate", "nowhere", "--key", key], "nowhere: is a link to a file that is not there"),
        (["--certificate", "nonsense", "--key", key], "nonsense: holds no CERTIFICATE in PEM form"),
        (["--certificate", "broken.crt", "--key", key], "broken.crt: holds no CERTIFICATE in PEM form"),
        (["--certificate", key, "--key", key], "server.key: holds no CERTIFICATE in PEM form"),
        (["--certificate", server, "--key", server], "server.crt: holds no PRIVATE KEY in PEM form"),
        (["--certificate", server, "--key", "gone"], "gone: is not there; TLS needs it"),
        (
            ["--certificate", server, "--key", other],
            f"{other}: is not the key of the certificate in {server}",
        ),
        (
            ["--certificate", server, "--key", "encrypted.key"],
            "encrypted.key: is encrypted; write it without",
        ),
        (
            ["--certificate", server, "--key", key, "--ca", "nowhere"],
            "nowhere: is a link to a file that is not",
        ),
        (
            ["--certificate", server, "--key", key, "--ca", "nonsense"],
            "nonsense: holds no CERTIFICATE in PEM",
        ),
    ]:
        status, said = run_check(intake_program, tmp_path, *given)
        assert status == 78, given
        assert said.count("\n") == 1
        assert said.startswith("ossec-log-server: ")
        assert complaint in said

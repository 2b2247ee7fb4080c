"""TLS as ossec-intake's transport, and what it says of certificates that it can't use."""

import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import pytest

from tests import loopback
from tests.image.support.relp import RelpSender
from tests.unit.programs.intake import Intake, eventually, free_port, running


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


def shown_by(folder: Path, name: str, *alternatives: str) -> str:
    """A client's certificate by the folder's authority, with that common name and these alternative names."""
    extra = f" -addext subjectAltName={','.join(alternatives)}" if alternatives else ""
    command = f"req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN={name}{extra} -CA ca.crt -CAkey ca.key"
    openssl(folder, f"{command} -keyout peer.key -out peer.crt")
    return "peer"


@contextmanager
def with_peers(
    program: Path, folder: Path, certificates: Path, *entries: str, inputs: tuple[str, ...] = ("udp", "tls")
) -> Iterator[Intake]:
    (folder / "peers").write_text("".join(f"{entry}\n" for entry in entries))
    given = [*options(certificates, ca=True), "--peers", str(folder / "peers")]
    with running(program, folder, *given, *(["--relp-tls"] * ("relp" in inputs)), inputs=inputs) as intake:
        yield intake


def is_taken(intake: Intake, context: ssl.SSLContext, text: str, source: str = "127.0.0.1") -> bool:
    """Whether a line sent over a connection of its own arrives; a client of TLS 1.3 is told late, or not at all."""
    before = len(intake.lines())
    with (
        suppress(OSError),
        context.wrap_socket(intake.connect("tls", source), server_hostname="localhost") as up,
    ):
        up.sendall(line(text) + b"\n")
        up.settimeout(10)
        up.unwrap().recv(1)  # the server answers the end when it has read all before it
    eventually(lambda: intake.get("connections") == 0, "its end")
    intake.datagram(line(f"after {before}"))  # and so all before it is in the journal
    eventually(lambda: intake.texts()[-1:] == [f"after {before}"], "the journal")
    return len(intake.lines()) > before + 1


@pytest.mark.parametrize(
    ("permitted", "name", "alternatives", "taken"),
    [
        ("web1.example.org", "web1.example.org", [], True),
        ("WEB1.example.org", "x", ["DNS:web1.Example.org"], True),
        (
            "web1.example.org",
            "web1.example.org",
            ["DNS:other.example.org"],
            False,
        ),  # the common name counts where it is the only one
        ("web1.example.org", "web1.example.org.evil.example", [], False),
        ("web1.example.org", "x", ["DNS:other.example.org", "DNS:web1.example.org"], True),
        ("*.example.org", "x", ["DNS:web1.example.org"], True),
        ("*.example.org", "x", ["DNS:a.b.example.org"], False),
        ("*.example.org", "x", ["DNS:example.org"], False),
        ("*.example.org", ".example.org", [], False),
        (
            "web1.example.org",
            "x",
            ["DNS:*.example.org"],
            False,
        ),  # what a client may call itself is not a pattern
        ("192.0.2.7", "x", ["IP:192.0.2.7"], True),
        ("2001:db8::7", "x", ["IP:2001:db8::7"], True),
        ("192.0.2.7", "x", ["IP:192.0.2.8", "email:192.0.2.7"], False),
    ],
)
def test_only_permitted_names_are_taken(
    intake_program: Path,
    tmp_path: Path,
    certificates: Path,
    permitted: str,
    name: str,
    alternatives: list[str],
    taken: bool,
) -> None:
    shown = shown_by(certificates, name, *alternatives)
    with with_peers(intake_program, tmp_path, certificates, "no.example.net", permitted) as intake:
        assert is_taken(intake, client(certificates, shown), "a") == taken
        if not taken:
            first = alternatives[0][4:] if alternatives and alternatives[0].startswith("DNS:") else name
            said = f"from 127.0.0.1: its certificate is for {first}, which is not in OSSEC_TLS_PEERS"
            eventually(lambda: said in intake.log(), "the log")


def test_the_smallest_network_decides_what_a_client_has_to_show(
    intake_program: Path, tmp_path: Path, certificates: Path
) -> None:
    shown = client(certificates, shown_by(certificates, "fw.example.org"))
    other, none = client(certificates, "client"), client(certificates)
    stranger = client(certificates, "stranger")
    for context in (shown, other, none, stranger):
        context.maximum_version = ssl.TLSVersion.TLSv1_2  # which may take a session up again
    entries = ("web1.example.org", "127.0.1.0/24=fw.example.org", "127.0.2.0/24=any", "127.0.2.7=none")
    with with_peers(intake_program, tmp_path, certificates, *entries) as intake:
        for source, context, taken in [
            ("127.0.0.1", shown, False),
            ("127.0.0.1", other, False),
            ("127.0.1.1", shown, True),
            ("127.0.1.1", other, False),
            ("127.0.1.1", none, False),
            ("127.0.2.1", shown, True),
            ("127.0.2.1", other, True),
            ("127.0.2.1", none, False),
            ("127.0.2.1", stranger, False),
            ("127.0.2.7", none, True),
            ("127.0.2.7", stranger, True),  # it is not asked for one
            ("127.0.1.255", shown, True),
        ]:
            assert is_taken(intake, context, "a", source) == taken, (source, taken)


def test_a_session_without_a_certificate_is_not_taken_up_elsewhere(
    intake_program: Path, tmp_path: Path, certificates: Path
) -> None:
    context = client(certificates)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with with_peers(intake_program, tmp_path, certificates, "127.0.2.7=none") as intake:
        with context.wrap_socket(intake.connect("tls", "127.0.2.7"), server_hostname="localhost") as first:
            session = first.session
        with pytest.raises((ssl.SSLError, ConnectionError)):
            context.wrap_socket(
                intake.connect("tls", "127.0.0.1"), server_hostname="localhost", session=session
            )


def test_the_strictest_entry_of_a_network_counts(
    intake_program: Path, tmp_path: Path, certificates: Path
) -> None:
    entries = ("127.0.0.1=fw.example.org", "127.0.0.1=none", "127.0.0.1/32=any")
    with with_peers(intake_program, tmp_path, certificates, *entries) as intake:
        assert not is_taken(intake, client(certificates), "a")
        assert not is_taken(intake, client(certificates, "client"), "a")
        assert is_taken(intake, client(certificates, shown_by(certificates, "fw.example.org")), "a")


@pytest.mark.parametrize(
    "entry", ["", "web 1", "*", "*.", "a*.example.org", "10.0.0.0/33=any", "10.0.0.0/8=", "x=any"]
)
def test_what_is_no_peer_is_one_line(intake_program: Path, tmp_path: Path, entry: str) -> None:
    command = [str(intake_program), "--check-peers"]
    done = subprocess.run(
        command, cwd=tmp_path, input=f"web1.example.org\n{entry}\n", capture_output=True, text=True
    )
    assert done.returncode == 78
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(
        f"ossec-log-server: '{entry.partition('=')[0] if '/' in entry or 'x' in entry else entry}"
    )


def test_relp_over_tls_is_acknowledged_and_plain_relp_is_not_taken(
    intake_program: Path, tmp_path: Path, certificates: Path
) -> None:
    shown_by(certificates, "web1.example.org")
    with with_peers(
        intake_program, tmp_path, certificates, "web1.example.org", inputs=("udp", "tls", "relp")
    ) as intake:
        acknowledged: set[int] = set()
        context = client(certificates, "peer")
        with RelpSender("127.0.0.1", intake.ports["relp"], context) as sender:
            sender.send({n: line(n) for n in range(3000)}, acknowledged)
        assert acknowledged == set(range(3000))
        assert intake.texts() == [str(n) for n in range(3000)]
        with (
            pytest.raises((ssl.SSLError, ConnectionError)),
            RelpSender("127.0.0.1", intake.ports["relp"], client(certificates, "client")),
        ):
            pass
        with pytest.raises((ssl.SSLError, ConnectionError)), RelpSender("127.0.0.1", intake.ports["relp"]):
            pass
        probe = subprocess.run([str(intake_program), "--probe"], cwd=tmp_path, capture_output=True, text=True)
        assert "relp on port" not in probe.stderr  # the engine alone is missing here


def test_the_least_version_and_the_ciphers(intake_program: Path, tmp_path: Path, certificates: Path) -> None:
    old = client(certificates)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    given = [*options(certificates), "--ciphers", "TLS_AES_128_GCM_SHA256:ECDHE-ECDSA-AES128-GCM-SHA256"]
    with running(intake_program, tmp_path, *given, inputs=("udp", "tls")) as intake:
        for context, wanted in [
            (client(certificates), "TLS_AES_128_GCM_SHA256"),
            (old, "ECDHE-ECDSA-AES128-GCM-SHA256"),
        ]:
            with connect(intake, context) as up:
                assert (up.cipher() or ("",))[0] == wanted
        old.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
        with pytest.raises(ssl.SSLError):
            connect(intake, old)
    (tmp_path / "newer").mkdir()
    with running(
        intake_program, tmp_path / "newer", *options(certificates), "--tls-1.3", inputs=("udp", "tls")
    ) as intake:
        old.set_ciphers("DEFAULT")
        with pytest.raises(ssl.SSLError):
            connect(intake, old)
        with connect(intake, client(certificates)) as up:
            assert up.version() == "TLSv1.3"


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
        assert time.monotonic() - began < 4


def run_check(program: Path, folder: Path, *given: str) -> tuple[int, str]:
    (folder / "networks").write_text("10.0.0.0/8\n")
    command = [str(program), "--check", "--networks", "networks", "--tls", str(free_port()), *given]
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


EXPIRED = "the certificate has expired; mount a new one, as TLS connections fail with an expired one"
NOT_YET = (
    "the certificate is not valid yet, and TLS connections fail until it is; mount another one, or set this "
    "machine's clock"
)


@pytest.mark.parametrize(("year", "complaint"), [(2020, EXPIRED), (2090, NOT_YET)])
def test_a_certificate_whose_time_is_over_or_to_come_is_a_warning(
    intake_program: Path, tmp_path: Path, year: int, complaint: str
) -> None:
    (tmp_path / "index").touch()
    (tmp_path / "serial").write_text("01\n")
    (tmp_path / "ca.cnf").write_text(AUTHORITY)
    openssl(tmp_path, "req -new -newkey rsa:2048 -nodes -subj /CN=x -keyout k.pem -out r.pem")
    sign = "ca -batch -selfsign -config ca.cnf -keyfile k.pem -in r.pem -out c.pem -notext"
    openssl(tmp_path, f"{sign} -startdate {year}0101000000Z -enddate {year}0201000000Z")
    status, said = run_check(intake_program, tmp_path, "--certificate", "c.pem", "--key", "k.pem")
    assert (status, said) == (0, f"ossec-log-server: c.pem: {complaint}\n")


def test_what_is_wrong_with_a_certificate_is_one_line(
    intake_program: Path, tmp_path: Path, certificates: Path
) -> None:
    server, key = str(certificates / "server.crt"), str(certificates / "server.key")
    openssl(tmp_path, f"pkey -in {key} -aes256 -passout pass:secret -out encrypted.key")
    openssl(tmp_path, "req -x509 -newkey rsa:1024 -nodes -days 90 -subj /CN=x -keyout weak.key -out weak.crt")
    (tmp_path / "nowhere").symlink_to("not-there")
    (tmp_path / "nonsense").write_text("nonsense")
    (tmp_path / "broken.crt").write_text(Path(server).read_text()[:400] + "\n-----END CERTIFICATE-----\n")
    other = str(certificates / "client.key")
    right = ["--certificate", server, "--key", key]
    cipher = "is not a cipher or a group of ciphers; write what 'openssl ciphers -v' lists"
    for given, complaint in [
        ([*right, "--ciphers", "HIGH:NONSENSE"], f"OSSEC_TLS_CIPHERS: 'NONSENSE' {cipher}"),
        ([*right, "--ciphers", "TLS_NONSENSE"], f"OSSEC_TLS_CIPHERS: 'TLS_NONSENSE' {cipher}"),
        ([*right, "--ciphers", "HIGH::LOW"], f"OSSEC_TLS_CIPHERS: '' {cipher}"),
        ([*right, "--ciphers", "HIGH:!ALL"], "OSSEC_TLS_CIPHERS: it leaves no cipher"),
        (["--certificate", "gone", "--key", key], "gone: is not there; TLS needs it"),
        (["--certificate", "nowhere", "--key", key], "nowhere: is a link to a file that is not there"),
        (["--certificate", "nonsense", "--key", key], "nonsense: holds no CERTIFICATE in PEM form"),
        (["--certificate", "broken.crt", "--key", key], "broken.crt: holds no CERTIFICATE in PEM form"),
        (
            ["--certificate", "weak.crt", "--key", "weak.key"],
            "weak.crt: its key or signature is too weak for",
        ),
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

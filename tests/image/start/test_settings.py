"""Settings as people write them: sizes, files of other systems, networks, certificates. What `check` passes, starts."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import docker
import pytest

from pipeline import image
from pipeline.image import settings as declared
from pipeline.server import server as run_server
from pipeline.server.execute import execute
from tests.image.conftest import FROM_HERE
from tests.image.start.test_awkward import refused, works
from tests.image.start.test_configuration import mounted
from tests.image.start.test_start import MAIL
from tests.image.support.trial import OWN, VALUE, Trial, one_line

SIZES = [
    ("OSSEC_QUEUE_DISK", "17179869184g", "'17179869184g' is more than 1024t; write for example 500m or 2g"),
    ("OSSEC_QUEUE_DISK", "99999999999999999999", "is not a size; write for example"),
    ("OSSEC_QUEUE_DISK", "1k", "'1k' is less than 1.0M; write for example 500m or 2g"),
    ("OSSEC_QUEUE_DISK", "0", "is less than"),
    ("OSSEC_QUEUE_DISK", "-5m", "is not a size"),
    ("OSSEC_RETENTION_BYTES", "999999999999g", "is more than 1024t; write for example 10g"),
    ("OSSEC_RETENTION_BYTES", "8 589934592 g", "is more than 1024t"),
    ("OSSEC_RETENTION_DAYS", "100000", "is not a number of days; write a number from 0 to 99999"),
    ("OSSEC_METRICS_PORT", "99999", "is not a port; write a number from 1 to 65535"),
    ("OSSEC_METRICS_PORT", "18446744073709551617", "is not a port"),
    ("OSSEC_SYSLOG_PORT", "0", "is not a port"),
    ("OSSEC_LOG_ALERT_LEVEL", "07", "is not an alert level; write a number from 0 to 16"),
    ("TZ", "Middle/Earth", "is not a time zone; write one of the tz database, such as Europe/Berlin"),
    ("TZ", "Europe", "is not a time zone"),
    ("OSSEC_RELP", "true", "is not one of its values; write one of: yes no tls"),
    ("OSSEC_RELP", "tls", "needs a certificate; mount tls.crt and tls.key in /etc/ossec-log-server/tls"),
    ("OSSEC_TLS_PEERS", "web1.example.org", "needs the authority of the clients' certificates; mount ca.crt"),
    ("OSSEC_TLS_MIN_VERSION", "1.1", "is not one of its values; write one of: 1.2 1.3"),
    ("OSSEC_FORWARD", "https://example.org", "is not where alerts can be sent; write tcp://host:port"),
    ("OSSEC_FORWARD", "tcp://example.org:0", "is not a port"),
    ("OSSEC_ALLOWED_IPS", " ", "write"),
    ("OSSEC_ALLOWED_IPS", "10.0.0.0/8,,192.0.2.1", "write"),
    ("OSSEC_ALLOWED_IPS", "syslog.example.org", "write"),
    ("OSSEC_SENDER_SILENT", "24", "'24' is not"),
    ("OSSEC_SENDER_SILENT", "soon", "'soon' is not"),
    ("OSSEC_SENDER_SILENT", "5s", "'5s' is not"),
    ("OSSEC_SENDER_SILENT", "400d", "'400d' is not"),
    ("TZ", "Europe/Atlantis", "'Europe/Atlantis' is not a "),
    ("TZ", "../../../etc/passwd", "'../../../etc/passwd' is not a "),
    ("TZ", "/etc/localtime", "'/etc/localtime' is not a "),
    ("TZ", "leapseconds", "'leapseconds' is not a "),
    ("OSSEC_RETENTION_DAYS", "many", "'many' is not a "),
    ("OSSEC_RETENTION_DAYS", "-1", "'-1' is not a "),
    ("OSSEC_RETENTION_BYTES", "10 gigabytes", "'10 gigabytes' is not a "),
    ("OSSEC_RETENTION_BYTES", "1.5g", "'1.5g' is not a "),
]
# What is no address for mail, and the reason that is given.
NO_ADDRESS = [
    ("root@localhost", "whose domain has no dot"),
    ('"john doe"@example.org', "as a part of it is in quotes"),
    ("a+@example.org", "just before the @"),
    ("a..b@example.org", "is not an email address"),
    ("a@example.org,,b@example.org", "is not an email address"),
    ("a@b@example.org", "is not an email address"),
    ("<a@example.org>", "is not an email address"),
    ("a@-example.org", "is not an email address"),
    (f"{'x' * 90}@example.org", "longer than 100"),
]


# What is set to a wrong value, and what is set beside it.
WRONG = [
    ("OSSEC_EMAIL_NOTIFICATION", "maybe", {}),
    ("OSSEC_SYSLOG_PROTOCOL", "sctp", {}),
    ("OSSEC_SYSLOG_PORT", "0", {}),
    ("OSSEC_SYSLOG_PORT", "65536", {}),
    ("OSSEC_SYSLOG_PORT", "syslog", {}),
    ("OSSEC_SYSLOG_PORT", "6514", {}),
    ("OSSEC_MAX_CONNECTIONS", "0", {}),
    ("OSSEC_MAX_CONNECTIONS", "many", {}),
    ("OSSEC_MAX_CONNECTIONS_PER_SOURCE", "1000000", {}),
    ("OSSEC_ALLOWED_IPS", "10.0.0.0/33", {}),
    ("OSSEC_ALLOWED_IPS", "fe80::1%nothing", {}),
    ("OSSEC_ALLOWED_IPS", "10.0.0.0/8,,192.0.2.1", {}),
    ("OSSEC_ALLOWED_IPS", "2001:db8::/129", {}),
    ("OSSEC_ALLOWED_IPS", "example.org", {}),
    ("OSSEC_ALLOWED_IPS", "10.0.0.1\n$ModLoad evil", {}),
    ("OSSEC_LOG_ALERT_LEVEL", "17", {}),
    ("OSSEC_LOG_ALERT_LEVEL", "-1", {}),
    ("OSSEC_EMAIL_ALERT_LEVEL", "seven", {}),
    ("OSSEC_EMAIL_TO", "nobody", MAIL),
    ("OSSEC_EMAIL_TO", "a@example.org;b@example.org", MAIL),
    ("OSSEC_EMAIL_TO", "", MAIL),
    ("OSSEC_EMAIL_FROM", "a@example.org,b@example.org", MAIL),
    ("OSSEC_EMAIL_FROM", "$(touch /tmp/x)@example.org", MAIL),
    ("OSSEC_SMTP_SERVER", "mail.example.org:0", MAIL),
    ("OSSEC_SMTP_SERVER", "mail.example.org:smtp", MAIL),
    ("OSSEC_SMTP_SERVER", "a b</smtp_server>", MAIL),
    ("OSSEC_EMAIL_MAX_PER_HOUR", "0", {}),
    ("OSSEC_SMTP_TLS", "ssl", {}),
    ("OSSEC_SMTP_TLS_VERIFY", "maybe", {}),
    ("OSSEC_SMTP_USER", "a\nb", {}),
    ("OSSEC_SMTP_PASSWORD", "a\nb", {}),
    ("OSSEC_SMTP_PASSWORD", "", {**MAIL, "OSSEC_SMTP_USER": "a"}),
    ("OSSEC_SMTP_USER", "", {**MAIL, "OSSEC_SMTP_PASSWORD": "a"}),
    ("OSSEC_ALERTS_STDOUT", "perhaps", {}),
    ("OSSEC_FORWARD", "192.0.2.1:514", {}),
    ("OSSEC_FORWARD", "udp://192.0.2.1:514", {}),
    ("OSSEC_FORWARD", "tcp://192.0.2.1", {}),
    ("OSSEC_FORWARD", "tcp://192.0.2.1:0", {}),
    ("OSSEC_FORWARD", "relp://2001:db8::1:2514", {}),
    ("OSSEC_FORWARD", 'tcp://host";evil:514', {}),
    ("OSSEC_FORWARD_FORMAT", "xml", {}),
    ("OSSEC_METRICS_PORT", "metrics", {}),
    ("OSSEC_METRICS_PORT", "65536", {}),
    ("OSSEC_METRICS_PORT", "6514", {}),
]
# A wrong value of each kind.
OF_KIND = {
    "address": "a@example.org,b@example.org",
    "choice": "maybe",
    "ciphers": "A B\x07",
    "duration": "a while",
    "headers": "no header",
    "level": "17",
    "networks": "10.0.0.0/33",
    "number": "many",
    "peers": "10.0.0.0/33=a.example.org",
    "port": "65536",
    "recipients": "nobody",
    "secret": "a\nb",
    "server": "mail.example.org:smtp",
    "size": "lots",
    "target": "https://example.org",
    "text": "a\tb",
    "time_zone": "Middle/Earth",
    "urls": "ftp://example.org/",
    "yes_no": "maybe",
}
FORM = re.compile(r"ossec-log-server: (?P<name>[A-Z_]+): (?P<wrong>[^;]+); (?P<right>[^;]+)")


def refusal(idle: Trial, settings: Mapping[str, str], *command: str) -> tuple[int, str]:
    """How the server, or a command of it, ends with these settings, and what it says."""
    return idle.says(["ossec-log-server", *command], settings)


def test_a_wrong_value_of_any_setting_is_one_line_in_one_form(tried: Trial) -> None:
    wrong = {one.name: OF_KIND[one["kind"]] for one in declared.read()}
    given = [{**MAIL, name: value} for name, value in wrong.items()]
    for name, ended in zip(wrong, tried.each(given, "check"), strict=True):
        form = FORM.fullmatch(one_line(ended, 78))
        assert form is not None, ended
        assert form["name"] == name


@pytest.mark.parametrize("command", ["", "check"])
def test_a_value_out_of_bounds_is_one_line(tried: Trial, command: str) -> None:
    wanted = [(name, {name: value}, words) for name, value, words in SIZES]
    wanted += [("OSSEC_EMAIL_TO", {**MAIL, "OSSEC_EMAIL_TO": value}, words) for value, words in NO_ADDRESS]
    wanted += [(name, {**others, name: value}, "") for name, value, others in WRONG]
    endings = tried.each([given for _, given, _ in wanted], command)
    for (name, _, words), ended in zip(wanted, endings, strict=True):
        line = one_line(ended, 78, words)
        assert line.startswith(f"ossec-log-server: {name}: ")


def test_config_shows_each_setting_and_which_have_their_default(idle: Trial) -> None:
    _, said = refusal(idle, {"OSSEC_SMTP_PASSWORD": "hunter2", "OSSEC_RELP": " yes "}, "config")
    shown = said.split("\n\n")[0].splitlines()[1:]
    assert [line.removeprefix("# ").partition("=")[0] for line in shown] == [
        one.name for one in declared.read()
    ]
    assert "OSSEC_RELP=' yes '" in shown
    assert "# OSSEC_LOG_ALERT_LEVEL='1'" in shown
    assert "OSSEC_SMTP_PASSWORD=a value that is not shown" in shown


def test_help_lists_each_command(idle: Trial) -> None:
    code, said = refusal(idle, {}, "--help")
    listed = set(re.findall(r"^  (\w+)", said, re.MULTILINE))
    assert (code, listed) == (
        0,
        {
            *("ready", "health", "counters", "reload", "search", "report", "senders"),
            *("check", "config", "logtest", "test", "upgrade", "bash"),
        },
    )
    for command in listed - {"bash"}:
        assert "unknown command" not in refusal(idle, {"OSSEC_RELP": "maybe"}, command)[1], command
    assert refusal(idle, {}, "bash", "-c", "echo a shell") == (0, "a shell\n")
    code, said = refusal(idle, {}, "chek")
    assert (code, said.count("\n")) == (64, 1)
    assert "'chek': unknown command; write one that --help lists" in said


def test_a_secret_in_a_wrong_value_is_not_shown(idle: Trial) -> None:
    _, said = refusal(idle, {"OSSEC_SMTP_PASSWORD": "hunter2\nx"}, "check")
    assert "hunter2" not in said
    assert "a value that is not shown" in said


@pytest.mark.parametrize("value", ["500M", "1GB", "64MiB", "1t", "1073741824"])
def test_sizes_with_any_suffix_are_taken(tried: Trial, value: str) -> None:
    ended = tried.run({"OSSEC_QUEUE_DISK": value, "OSSEC_RETENTION_BYTES": value}, "check")
    assert ended.code == 0, ended


BOM, UTF_16 = "\ufeff".encode(), "utf-16-le"
FILES = [
    (BOM + b"3\n", 0, "begins with a byte order mark, which is left out; save it as UTF-8 without one"),
    (b"3\r\n", 0, "ends in CR LF, and the CR is left out; save it with the line ends of Unix"),
    ("\ufeff3\n".encode(UTF_16), 78, "holds a NUL byte, as UTF-16 does; save it as plain UTF-8"),
    ("\ufeff\u4e09".encode(UTF_16), 78, "is UTF-16; save it as plain UTF-8"),
    (b"3\0\n", 78, "holds a NUL byte"),
    (b"3" * ((4 << 20) + 1), 78, "is larger than 4 MiB; name the right file"),
    (b"3", 0, ""),
    (b"3\n", 0, ""),
    (b"", 0, "is empty, so OSSEC_LOG_ALERT_LEVEL counts as not set; write its value there, or leave"),
    (b"\n", 0, "is empty, so OSSEC_LOG_ALERT_LEVEL counts as not set"),
]


@pytest.mark.parametrize(("content", "code", "words"), FILES)
def test_a_value_s_file_of_another_system_is_told_of(
    tried: Trial, content: bytes, code: int, words: str
) -> None:
    tried.put_value(content)
    ended = tried.run({"OSSEC_LOG_ALERT_LEVEL_FILE": VALUE}, "check")
    assert ended.code == code, ended
    own = [line for line in ended.lines if "OSSEC_LOG_ALERT_LEVEL_FILE: " in line]
    assert len(own) == bool(words)
    assert all(f"OSSEC_LOG_ALERT_LEVEL_FILE: {VALUE} {words}" in line for line in own)


def test_a_value_s_file_that_fails_while_it_is_read_is_not_taken_for_an_empty_one(tried: Trial) -> None:
    given = {"OSSEC_LOG_ALERT_LEVEL_FILE": "/proc/self/mem"}
    tried.refused(given, 78, "OSSEC_LOG_ALERT_LEVEL_FILE: /proc/self/mem cannot be read", command="check")


def test_ten_thousand_networks_from_a_file(
    client: docker.DockerClient, ossec_image: image.Image, tmp_path: Path
) -> None:
    networks = [f"10.{n >> 8}.{n & 255}.0/24" for n in range(10_000)]
    here = FROM_HERE["OSSEC_ALLOWED_IPS"]
    volumes = mounted(
        tmp_path, {"/etc/networks.txt": "\n".join([*networks, here.replace(",", " , ")]) + "\n"}
    )
    settings = {"OSSEC_ALLOWED_IPS_FILE": "/etc/networks.txt"}
    with run_server(client, ossec_image.name, settings, volumes=volumes) as server:
        works(server)
        assert len(server.run("cat", "/run/ossec/networks").split()) >= 10_003


RULES = (
    '<group name="local,">\n<rule id="100001" level="5"><if_sid>5716</if_sid>'
    "<description>Mine.</description></rule>\n</group>\n"
)
# A file of the user's, and what is said of it; nothing where it is harmless.
FOREIGN = {
    "a list with a mark": ("lists/own", BOM + b"192.0.2.7:x\n", "line 1: it begins with a byte order mark; save it"),
    "a list of UTF-16": ("lists/own", "192.0.2.7:x\n".encode(UTF_16), ": it holds a NUL byte, as UTF-16 does; save it"),
    "a list with CR LF": ("lists/own", b"192.0.2.7:x\r\n198.51.100.:y\r\n", None),
    "rules with a mark": ("local_rules.xml", BOM + RULES.encode(), "line 1: it begins with a byte order mark"),
    "rules of UTF-16": ("local_rules.xml", ("\ufeff" + RULES).encode(UTF_16), ": it holds a NUL byte, as"),
    "rules with CR LF": ("local_rules.xml", RULES.replace("\n", "\r\n").encode(), None),
    "a fragment with CR LF": ("conf.d/a.conf", b"<alerts>\r\n<log_alert_level>3</log_alert_level></alerts>\r\n", None),
    "options with CR LF": ("local_internal_options.conf", b"# mine\r\nmaild.full_subject=1\r\n", None),
    "options with a mark": ("local_internal_options.conf", BOM + b"maild.full_subject=1\n", "line 1: it begins with a"),
    "an empty certificate": ("forward/tls.crt", b"", ": it holds no CERTIFICATE in PEM form; mount one that does"),
}  # fmt: skip


FORWARDS = {"OSSEC_FORWARD": "tls://192.0.2.1:6514"}


@pytest.mark.parametrize("what", FOREIGN)
def test_a_file_of_another_system_is_taken_or_named(tried: Trial, what: str) -> None:
    """D13."""
    name, content, words = FOREIGN[what]
    tried.put(name, content)
    if words is None:
        assert tried.run(FORWARDS, "check").code == 0
        return
    for command in ("", "check"):
        tried.refused(FORWARDS, 78, f"{OWN}/{name}{'' if words[0] == ':' else ' '}{words}", command=command)


def test_a_server_works_with_all_of_another_system_s_files_that_are_harmless(
    client: docker.DockerClient, ossec_image: image.Image, tmp_path: Path, pairs: Path
) -> None:
    own = tmp_path / "own"
    harmless = {name: content for name, content, words in FOREIGN.values() if words is None}
    harmless["forward/tls.crt"] = (pairs / "crlf.crt").read_bytes()
    harmless["forward/tls.key"] = (pairs / "crlf.key").read_bytes()
    for name, content in harmless.items():
        (own / name).parent.mkdir(parents=True, exist_ok=True)
        (own / name).write_bytes(content)
    volumes = {str(own): {"bind": OWN, "mode": "ro"}}
    settings = {**FROM_HERE, **FORWARDS}
    with run_server(client, ossec_image.name, settings, volumes=volumes) as server:
        works(server)


def test_a_list_with_cr_lf_is_looked_up_without_the_cr(
    client: docker.DockerClient, ossec_image: image.Image, tmp_path: Path
) -> None:
    rule = (
        '<group name="local,"><rule id="100200" level="9"><if_sid>5716</if_sid>'
        '<list field="srcip" lookup="address_match_key">lists/own</list><description>x</description></rule></group>'
    )
    volumes = mounted(tmp_path, {f"{OWN}/lists/own": "192.0.2.7:\r\n", f"{OWN}/local_rules.xml": rule})
    line = "Nov 23 04:50:00 web sshd[1]: Failed password for bob from 192.0.2.7 port 22 ssh2"
    with run_server(client, ossec_image.name, {}, ["logtest", line], volumes=volumes) as server:
        assert server.exit_code() == 0
        assert b"Rule id: '100200'" in server.container.logs()


def openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two certificates and their keys, one of them encrypted, and one that has expired."""
    folder = tmp_path_factory.mktemp("pairs")
    for name in ("a", "b"):
        new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-days", "30"]
        openssl(folder, *new, "-keyout", f"{name}.key", "-out", f"{name}.crt")
    openssl(folder, "pkey", "-in", "a.key", "-aes128", "-passout", "pass:x", "-out", "encrypted.key")
    openssl(folder, "rsa", "-in", "a.key", "-aes128", "-passout", "pass:x", "-traditional", "-out", "old.key")
    openssl(folder, "x509", "-in", "a.crt", "-outform", "DER", "-out", "der.crt")
    text = (folder / "a.crt").read_text()
    (folder / "broken.crt").write_text(text.replace("\nMII", "\nAAA"))
    (folder / "mark.crt").write_text("\ufeff" + text)
    (folder / "crlf.crt").write_text(text.replace("\n", "\r\n"))
    (folder / "crlf.key").write_text((folder / "a.key").read_text().replace("\n", "\r\n"))
    for file in folder.iterdir():
        file.chmod(0o644)
    return folder


PAIRS = [
    ("a.crt", "a.key", ""),
    ("crlf.crt", "crlf.key", ""),
    ("a.crt", "b.key", "tls.key: it is not the key of /etc/ossec-log-server/forward/tls.crt; mount the two"),
    ("a.crt", "encrypted.key", "tls.key: the key is encrypted"),
    ("a.crt", "old.key", "tls.key: the key is encrypted"),
    ("a.crt", "a.crt", "tls.key: it holds no PRIVATE KEY in PEM form"),
    ("a.key", "a.key", "tls.crt: it holds no CERTIFICATE in PEM form"),
    ("broken.crt", "a.key", "tls.crt: its CERTIFICATE cannot be read by OpenSSL"),
    ("der.crt", "a.key", "tls.crt: it is not text in PEM form; if it is DER, convert it"),
]


@pytest.mark.parametrize(("certificate", "key", "words"), PAIRS)
def test_a_certificate_and_a_key_that_do_not_serve_are_named(
    tried: Trial, pairs: Path, certificate: str, key: str, words: str
) -> None:
    """D2, for the forwarder's."""
    tried.put("forward/tls.crt", (pairs / certificate).read_bytes())
    tried.put("forward/tls.key", (pairs / key).read_bytes())
    for command in ("", "check") if words else ():
        tried.refused(FORWARDS, 78, words, command=command)
    if not words:
        ended = tried.run(FORWARDS, "check")
        assert ended.code == 0, ended


@pytest.mark.parametrize(
    ("folder", "settings", "words"),
    [
        ("tls", {}, "tls/tls.crt: is not there; TLS needs it"),
        ("forward", FORWARDS, "ca.crt: it is a link to '/nowhere', where"),
    ],
)
def test_a_link_to_nothing_is_no_missing_file(
    tried: Trial, folder: str, settings: dict[str, str], words: str
) -> None:
    """D3."""
    (tried.own / folder).mkdir()
    (tried.own / folder / "ca.crt").symlink_to("/nowhere")
    tried.refused(settings, 78, words, command="check")


def test_a_certificate_of_another_name_is_not_taken_for_none(tried: Trial, pairs: Path) -> None:
    """TLS would be off without a word."""
    tried.put("tls/cert.pem", (pairs / "a.crt").read_bytes())
    tried.put("tls/privkey.pem", (pairs / "a.key").read_bytes())
    for command in ("", "check"):
        tried.refused(
            {}, 78, f"{OWN}/tls: it holds cert.pem, privkey.pem, and neither tls.crt", command=command
        )


FOLDERS = ["tls", "smtp", "forward", "conf.d", "rules", "lists"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_what_is_no_folder_is_not_taken_for_a_missing_one(tried: Trial, folder: str) -> None:
    """D3."""
    tried.put(folder, b"x")
    (tried.own / folder).chmod(0o755)
    tried.refused({}, 78, f"{OWN}/{folder}: it is a file and must be a folder", command="check")
    tried.empty()
    (tried.own / folder).symlink_to("/nowhere")
    tried.refused({}, 78, f"{OWN}/{folder}: it is a link to '/nowhere', where nothing is", command="check")


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_that_cannot_be_searched_is_named(tried: Trial, folder: str) -> None:
    """D3."""
    (tried.own / folder).mkdir(0o600)
    tried.refused({}, 78, f"{OWN}/{folder}", "cannot be", "UID 10514", command="check")


def test_a_check_that_was_killed_says_so(client: docker.DockerClient, ossec_image: image.Image) -> None:
    """As the kernel does where memory runs out."""
    script = (
        "(while :; do for p in /proc/[0-9]*; do read -r name < $p/comm && [[ $name == ossec-analysisd ]] && "
        "kill -KILL ${p#/proc/} && exit; done; done) 2>/dev/null & exec ossec-log-server check"
    )
    with run_server(client, ossec_image.name, entrypoint=["bash", "-c", script]) as server:
        refused(
            server, 71, "ossec-analysisd: its check of the configuration was ended by signal 9 (KILL); give"
        )


@pytest.mark.parametrize("owner", ["root", "0:0", "10514", "99999999999:0", "1:1:1"])
def test_upgrade_wants_numbers_of_a_user(tried: Trial, owner: str) -> None:
    words = ["ossec-log-server", "upgrade", owner]
    code, output = execute(tried.container, words, user="0")
    assert (code, output.decode()) == (
        64,
        f"ossec-log-server: upgrade: '{owner}' is not a user and a group; write numbers, such as 10514:0\n",
    )

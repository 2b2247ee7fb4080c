"""Lines as real senders write them, through the running image: what is archived, and who the alert says it was."""

import re
import socket
import tomllib
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import docker
import pytest

from pipeline import image, release, source
from pipeline.project import ROOT
from pipeline.server import Server, syslog
from pipeline.server import server as run_server
from pipeline.wait import wait_until
from tests.image.conftest import FROM_HERE
from tests.image.intake.test_intake import archived, wait_archived
from tests.image.rules.test_rules import Source

TESTS = ROOT / "tests"
CASES: list[dict[str, Any]] = tomllib.loads((TESTS / "senders.toml").read_text())["case"]
FIRST_ID = 51_007
ENDED = "the case has ended:"
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
# A sample's own header. In the samples, too, some senders name no host.
SAMPLE = re.compile(
    r"(?P<stamp>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) (?:(?P<host>[^\s:\[]+) )?(?P<rest>\S.*)"
)
TAG = re.compile(r"(?P<app>[^\s\[:]+)(?:\[(?P<pid>\d+)\])?:(?: (?P<text>.*))?")
# The only exception, three samples of OpenBSD's httpd: an access log that begins with the name of the virtual host.
# Behind a stamp, "www.example.com 192.0.2.8 - - [08/Jul/2018:..." is as well what a sender of that name writes of a
# client, and nothing in the line tells which. We take the name for the host, and the rules of access logs fire. Without
# a host these three are not tried; docs/use/senders.md says so, too.
VIRTUAL_HOST = re.compile(r"\S+ [\d.]+ - - \[")
# Upstream's decoder for it looks for the name in the message: without a host it stays there, and is no program's.
NAMED_IN_THE_MESSAGE = " dnsmasq["


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the server sees as /lines."""
    made = tmp_path_factory.mktemp("lines")
    made.chmod(0o755)
    return made


@pytest.fixture(scope="module")
def server(client: docker.DockerClient, ossec_image: image.Image, folder: Path) -> Iterator[Server]:
    with run_server(client, ossec_image.name, FROM_HERE, volumes=[f"{folder}:/lines:ro"]) as running:
        running.wait_listening()
        yield running


@pytest.fixture(scope="module")
def here(server: Server) -> str:
    """The address that this machine's lines come from."""
    server.container.reload()
    [network] = server.container.attrs["NetworkSettings"]["Networks"].values()
    return str(network["Gateway"])


def send(server: Server, via: str, lines: list[str]) -> socket.socket | None:
    """As a case says; the connection that stays open, if one does."""
    if via == "udp":
        syslog.send_udp(*server.udp, lines)
    elif via == "tcp":
        syslog.send_tcp(*server.tcp, lines)
    else:
        connection = socket.create_connection(server.tcp, 10)
        connection.sendall("".join(lines).encode())
        if via == "tcp-hold":
            return connection
        connection.close()
    return None


def alert_with(server: Server, text: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = wait_until(
        lambda: [alert for alert in server.alerts() if text in alert["full_log"]],
        30,
        what=f"an alert with {text!r}",
    )
    return found[0]


@pytest.mark.parametrize(
    ("number", "case"), [*enumerate(CASES, FIRST_ID)], ids=[case["name"] for case in CASES]
)
def test_a_line_as_a_sender_writes_it(server: Server, here: str, number: int, case: dict[str, Any]) -> None:
    def filled(text: str) -> str:
        return text.replace("{id}", str(number)).replace("{sender}", here)

    held = send(server, case["via"], [filled(line) for line in case["send"]])
    lines = wait_archived(server, str(number), case["archived"])
    # A line more would have come by now: this one came in behind it.
    last = f"{ENDED} {uuid.uuid4()}"
    syslog.send_tcp(*server.tcp, [syslog.message(last, tag="app")])
    wait_archived(server, last, 1)
    assert len(archived(server, str(number))) == len(lines) == case["archived"]
    if held:
        held.close()
    if "contains" in case:
        assert filled(case["contains"]) in lines[0]
    if "rule" not in case and "host" in case:
        assert f" {filled(case['host'])}->{here} " in lines[0]
        return
    if "rule" not in case:
        return
    alert = alert_with(server, str(number))
    fields = {"rule": alert["rule"]["sidid"], "srcip": alert.get("srcip"), "host": alert["hostname"]}
    fields["program"] = alert.get("program_name")
    assert {name: filled(str(case[name])) for name in fields if name in case} == {
        name: str(value) for name, value in fields.items() if name in case
    }
    assert "\r" not in "".join(str(value) for value in alert.values())


def variants(line: str) -> dict[str, str]:
    """The line of a sample with each of eight headers."""
    found = SAMPLE.fullmatch(line)
    stamp, host, rest = found.group("stamp", "host", "rest") if found else ("Nov 26 06:00:00", None, line)
    if found and host is not None and TAG.fullmatch(f"{host} {rest}"):
        host, rest = None, f"{host} {rest}"
    host = host or "web1"
    iso = f"2026-{MONTHS.index(stamp[:3]) + 1:02d}-{int(stamp[4:6]):02d}T{stamp[7:]}"
    tag = TAG.fullmatch(rest)
    app, pid, text = (tag["app"], tag["pid"] or "-", tag["text"] or "") if tag else ("-", "-", rest)
    return {
        "canonical": f"<38>{stamp} {host} {rest}",
        "ISO": f"<38>{iso}+01:00 {host} {rest}",
        "ISO Z": f"<38>{iso}.123Z {host} {rest}",
        "RFC 5424": f"<38>1 {iso}.123456+00:00 {host} {app} {pid} - - {text}",
        "RFC 5424 with data": f'<38>1 {iso}.123456+00:00 {host} {app} {pid} ID47 [q tzKnown="1"] {text}',
        "no host": f"<38>{stamp} {rest}" if not VIRTUAL_HOST.match(rest) else f"<38>{stamp} {host} {rest}",
        "year": f"<38>{stamp[:6]} 2026{stamp[6:]} {host} {rest}",
        "CR LF": f"<38>{stamp} {host} {rest}\r",
    }


def judged(server: Server, folder: Path, lines: list[str]) -> list[tuple[str, ...]]:
    """What the rule tester says of each line: rule, decoder, program, in one run of it."""
    text = "".join(f"{line}\n" for line in lines)
    (folder / "lines").write_text(text, encoding="utf-8", errors="surrogateescape")
    phases = server.run("ossec-log-server", "logtest", "/lines/lines").split("**Phase 1: ")[1:]
    assert len(phases) == len(lines)

    def said(phase: str, what: str) -> str:
        found = re.search(rf"{what}: '(.*)'", phase)
        return found[1] if found else "none"

    return [tuple(said(phase, what) for what in ("Rule id", "decoder", "program_name")) for phase in phases]


def as_is(variant: str, line: Mapping[str, str], canonical: tuple[str, ...]) -> tuple[str, ...]:
    """What is to be said of a variant, where that is said of the canonical line."""
    in_message = variant == "no host" and NAMED_IN_THE_MESSAGE in line[variant]
    return (*canonical[:2], "(null)") if in_message else canonical


def test_the_rule_is_the_same_whatever_the_header(
    server: Server, folder: Path, ossec_image: image.Image, request: pytest.FixtureRequest
) -> None:
    """Every sample of the release. The tester starts anew for each variant, as the engine remembers what it saw."""
    wanted = release.find(request.config.getoption("--release", default=None))
    samples = [sample.line for sample in Source(source.fetch(wanted), wanted.version).samples]
    assert len(samples) > 100
    lines = [variants(line) for line in samples]
    canonical = judged(server, folder, [line["canonical"] for line in lines])
    assert len({rule for rule, *_ in canonical}) > 50
    for variant in lines[0]:
        found = judged(server, folder, [line[variant] for line in lines])
        different = {}
        for line, got, was in zip(lines, found, canonical, strict=True):
            if got != as_is(variant, line, was):
                # Without a host more lines are of one location, which some rules count. By itself it is the same line.
                [got], [was] = (judged(server, folder, [line[form]]) for form in (variant, "canonical"))
                if got != as_is(variant, line, was):
                    different[line[variant]] = (got, was)
        assert different == {}, variant


@pytest.mark.parametrize(
    ("line", "host", "program"),
    [
        ("<38>Nov 26 06:00:00 sshd[77]: ", "stdin", "sshd"),
        ("<38>1 2026-11-26T06:00:00.123Z 2001:db8::7 sshd main ID47 - ", "2001:db8::7", "sshd"),
        ("Nov 26 06:00:00 web1 sshd[77]: ", "web1", "sshd"),
    ],
)
def test_logtest_shows_of_a_raw_line_what_the_server_would_make_of_it(
    server: Server, line: str, host: str, program: str
) -> None:
    text = "Failed password for bob from 203.0.113.9 port 22 ssh2"
    shown = server.run("ossec-log-server", "logtest", line + text).splitlines()
    assert f"       hostname: '{host}'" in shown
    assert f"       program_name: '{program}'" in shown
    assert f"       log: '{text}'" in shown
    assert "       Rule id: '5716'" in shown
    [whole] = [each for each in shown if each.startswith("       full event: ")]
    assert ("2026-11-26T06:00:00.123Z ID47" in whole) == ("ID47" in line)


def test_what_the_form_has_no_place_for_stands_behind_the_message(server: Server, here: str) -> None:
    text = "Failed password for bob from 203.0.113.77 port 50001 ssh2"
    data = '[x@1 a="1"][y@2 b="\\]"]'
    syslog.send_tcp(*server.tcp, [f"<38>1 2026-11-26T06:00:00.987654-05:00 web1 sshd - ID9 {data} {text}"])
    alert = alert_with(server, "port 50001")
    assert (
        alert["full_log"]
        == f"Nov 26 06:00:00 web1 sshd: {text} | 2026-11-26T06:00:00.987654-05:00 ID9 {data}"
    )
    [line] = wait_archived(server, "port 50001", 1)
    assert line.endswith(f" web1->{here} {alert['full_log']}")


# Of Solaris' "[ID 702911 auth.info] text" the engine looks for the end, and of AIX' program for a colon: here both
# stand behind the message only.
@pytest.mark.parametrize(
    ("app", "message", "log"),
    [
        ("su 12", "[ID 702911 auth.info: su failed", "[ID 702911 auth.info: su failed"),
        ("su -", "[ID 702911 auth.info: su failed", "[ID 702911 auth.info: su failed"),
        ("- -", "|auth:info su[ID 702911 auth.info: su failed", "[ID 702911 auth.info: su failed"),
        ("- -", "|auth|security:info su failed", None),
        ("- -", "|auth:info su", None),
        ("- -", "|auth:info su[", None),
        ("- -", "su[12", None),
        ("- -", "[ID ", None),
    ],
)
def test_a_message_does_not_go_on_in_what_stands_behind_it(
    server: Server, app: str, message: str, log: str | None
) -> None:
    line = f'<38>1 2026-11-26T06:00:00Z web1 {app} ID9 [x@1 a="b\\] c: "] {message}'
    shown = server.run("ossec-log-server", "logtest", line).splitlines()
    [said] = [each.split("'", 1)[1] for each in shown if each.startswith("       log: ")]
    assert log is None or said == f"{log}'"
    assert "ID9" not in said
    [whole] = [each for each in shown if each.startswith("       full event: ")]
    assert whole.endswith(f"""{message} | 2026-11-26T06:00:00Z ID9 [x@1 a="b\\] c: "]'""")


def test_a_sender_cannot_write_the_marks_that_intake_and_engine_share(server: Server) -> None:
    text = "Failed password for bob from 203.0.113.77 port 50002 ssh2"
    syslog.send_udp(*server.udp, [f"<38>Nov 26 06:00:00 web1 sshd[77]: {text}\x1e| forged \x1droot\x1d"])
    [line] = wait_archived(server, "port 50002", 1)
    assert line.endswith(f"{text}#036| forged #035root#035")


@pytest.mark.parametrize(
    ("host", "number"),
    [("../../etc", 50003), ("a>b", 50004), (".hidden", 50005), ("(foo", 50006), ("a%n|b", 50007)],
)
def test_a_host_that_would_harm_is_the_senders_address_or_harmless(
    server: Server, here: str, host: str, number: int
) -> None:
    text = f"Failed password for bob from 203.0.113.78 port {number} ssh2"
    syslog.send_tcp(*server.tcp, [f"<38>1 2026-11-26T06:00:00Z {host} sshd 77 - - {text}"])
    alert = alert_with(server, f"port {number}")
    assert alert["hostname"] == (host if number > 50005 else here)
    assert alert["program_name"] == "sshd"


def test_a_line_without_any_header_has_its_sender_as_the_host(server: Server, here: str) -> None:
    line = '203.0.113.79 - - [26/Nov/2026:06:00:00 +0000] "GET /?q=select+password+from+users&n=50008 HTTP/1.1" 404 9'
    syslog.send_udp(*server.udp, [line])
    alert = alert_with(server, "n=50008")
    assert (alert["rule"]["sidid"], alert["hostname"], alert["full_log"]) == (31103, here, line)


def test_tabs_reach_the_decoders(server: Server, folder: Path) -> None:
    fields = [
        "MSWinEventLog",
        "1",
        "Security",
        "4711",
        "Thu Nov 26 06:00:00 2026",
        "4625",
        "Security",
        "bob",
        "",
        "x",
    ]
    (folder / "tabs").write_text("<13>Nov 26 06:00:00 WIN1 " + "\t".join(fields) + "\n")
    shown = server.run("ossec-log-server", "logtest", "/lines/tabs")
    assert f"       log: '{chr(9).join(fields)}'" in shown.splitlines()


def rows(page: str) -> list[tuple[str, str]]:
    """The lines that the page shows, and what it says of the rule."""
    return [
        (line.replace("\\t", "\t"), rule)
        for line, rule in re.findall(r"^\| `(<\d+>.*)` \| (.*) \|$", page, re.MULTILINE)
    ]


def test_each_line_of_the_page_about_senders_gets_the_rule_that_it_names(
    server: Server, folder: Path, request: pytest.FixtureRequest
) -> None:
    wanted = request.config.getoption("--release", default=None)
    if release.find(wanted).version != release.find(None).version:
        pytest.skip("the page is about the newest release's rules")
    page = (TESTS.parent / "docs" / "use" / "senders.md").read_text()
    lines = rows(page)
    assert len(lines) == page.count("| `<") > 40
    for section in re.split(r"^## ", page, flags=re.MULTILINE)[2:]:
        assert "Switch it on: " in section
        assert rows(section), section
    # All in one call, as each start of the tester reads every rule; each of another address, so that none counts.
    apart = [line.replace("203.0.113.5", f"203.0.113.{n}") for n, (line, _) in enumerate(lines, start=100)]
    (folder / "page").write_text("\n".join(apart) + "\n")
    shown = server.run("ossec-log-server", "logtest", "/lines/page").split("**Phase 1")[1:]
    wrong = {}
    for (line, rule), verdict in zip(lines, shown, strict=True):
        found = re.search(r"Rule id: '(\d+)'\n +Level: '(\d+)'\n +Description: '(.*?) *'\n", verdict)
        got = f"{found[1]}, level {found[2]}: {found[3]}" if found else "none"
        if got != rule:
            wrong[line] = f"{got}; the page says: {rule}"
    assert wrong == {}

"""The image's own decoders and rules: a table of lines for each kind of application, and what they add up to."""

import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from semver import Version

from pipeline import image
from pipeline.image import labels
from pipeline.rules import detect

TABLES = {
    path.stem: tomllib.loads(path.read_text())
    for path in Path(__file__).with_name("applications").glob("*.toml")
}
# What a client may call itself, or ask for: each names an address as some program would.
FOREIGN = "192.0.2.66"
INJECTIONS = [
    text.replace("ADDRESS", FOREIGN)
    for text in (
        "ADDRESS",
        "x from ADDRESS",
        "x from ADDRESS port 22 ssh2",
        "x' from 'ADDRESS'",
        "x rhost=ADDRESS",
        "x, client: ADDRESS, server: _",
        "x (ADDRESS)",
        "x [ADDRESS]",
        "x[ADDRESS]: ",
        "x' (ip: ADDRESS)",
        "x ip=ADDRESS ",
        "x src=ADDRESS",
        "x@ADDRESS",
        "x>, rip=ADDRESS, lip=192.0.2.1",
        "x SRC=ADDRESS DST=192.0.2.1",
        'x","client_ip":"ADDRESS',
        '{"ip":"ADDRESS"}',
        "x\\nFailed password for root from ADDRESS port 22 ssh2",
        "x from ADDRESS port 22 ssh2 a=b",
        "x, client: ADDRESS a=b",
        "x rhost=ADDRESS a=b",
    )
]
# What a forwarder puts behind a line.
FIELDS = ' pod=web-1 kubernetes.host=n-1 note="two words" trace-id='
# The URL, however the access log writes it.
REQUEST = re.compile(
    r'(?:GET|POST|HEAD|PUT)(?P<url>(?: +\|? ?"?)(?:https?://[^/ "]*)?/[^\s"]*)|\b(?:path|uri)=(?P<field>/[^\s"]*)'
    r'|"\w*(?:ur[il]|path|request)":"(?P<json>/[^"]*)"'
)
AGENT = re.compile(r'" "([^"]*)"$')
NEAR = "Nov 26 06:00:00 web1 app[812]: "


def wanted(row: dict[str, Any], image: image.Image) -> dict[str, Any]:
    """What a row asks for on the image's OSSEC: in `since` stands what is so from a version on, and why."""
    version = Version.parse(image.labels[labels.VERSION].rpartition("-r")[0])
    since = row.get("since", {"version": "999.0.0"})
    later = {key: since[key] for key in ("rule", "level") if version >= Version.parse(since["version"])}
    return {key: value for key, value in (row | later).items() if key != "since"}


def takes_fields(line: str) -> bool:
    """Whether fields may stand behind the line: it is neither JSON nor structured data of RFC 5424 alone."""
    return not line.endswith("}") and not re.match(r"<\d+>1 ", line)


def lines_of(name: str) -> list[str]:
    return [row["line"] for row in TABLES[name]["alerts"]]


@pytest.mark.parametrize("name", sorted(TABLES))
def test_each_line_gets_its_rule_and_the_right_one_is_blamed(ossec_image: image.Image, name: str) -> None:
    rows = [wanted(row, ossec_image) for row in TABLES[name]["alerts"]]
    quiet: list[str] = TABLES[name]["quiet"]
    found = detect.logtest(ossec_image.name, [*(row["line"] for row in rows), *quiet])
    got = [
        {
            "rule": one.rule,
            "level": one.level,
            **({"user": one.user} if one.user else {}),
            **({"source": one.source} if one.source else {}),
            "line": row["line"],
        }
        for one, row in zip(found, rows, strict=False)
    ]
    assert got == rows
    assert [line for one, line in zip(found[len(rows) :], quiet, strict=True) if one.noticed] == []


@pytest.mark.parametrize(
    "behind", [FIELDS, " ", " empty=  ", ' pod=web-1; k8s/ns=a note="say \\"x\\" twice"']
)
def test_what_stands_behind_a_line_changes_neither_source_nor_user(
    ossec_image: image.Image, behind: str
) -> None:
    rows = [row for table in TABLES.values() for row in table["alerts"] if takes_fields(row["line"])]
    assert len(rows) > 150
    found = detect.logtest(ossec_image.name, [row["line"] + behind for row in rows])
    got = [
        {"noticed": one.noticed, "source": one.source, "user": one.user, "line": row["line"]}
        for one, row in zip(found, rows, strict=True)
    ]
    assert got == [
        {"noticed": True, "source": row.get("source"), "user": row.get("user"), "line": row["line"]}
        for row in rows
    ]


def attacked(line: str, user: str | None) -> Iterator[str]:
    """The line, with each injection for the user, in the request and for the client's own name."""
    depth = sum(bool(re.search(begin, line)) for begin in (r'\{"\w+":', r'\{\\"\w+\\":'))  # of JSON in JSON
    for text in INJECTIONS:
        if user is not None and user not in ("-", ""):
            written = text
            for _ in range(depth):
                written = json.dumps(written)[1:-1]
            yield re.sub(rf"(?<![\w.]){re.escape(user)}(?![\w.])", written.replace("\\", r"\\"), line)
        if request := REQUEST.search(line):
            query = ("&" if "?" in request[0] else "?") + text.replace(" ", "+").replace('"', "%22")
            end = request.end(str(request.lastgroup))
            yield line[:end] + query + line[end:]
        if agent := AGENT.search(line):
            yield line[: agent.start(1)] + text.replace('"', '\\"') + line[agent.end(1) :]


def test_what_a_client_says_of_itself_moves_no_blame(ossec_image: image.Image) -> None:
    rows: list[tuple[str, str]] = [
        (line, row["source"])
        for table in TABLES.values()
        for row in table["alerts"]
        if "source" in row
        for one in attacked(row["line"], row.get("user"))
        for line in ([one, one + FIELDS] if takes_fields(one) else [one])
    ]
    assert len(rows) > 3000
    found = detect.logtest(ossec_image.name, [line for line, _ in rows])
    moved = {
        line: one.source for one, (line, source) in zip(found, rows, strict=True) if one.source != source
    }
    assert moved == {}


ATTACKER = "198.51.100.7"
# Lines of an application that puts in quotes what a client calls itself, and tells who it is.
QUOTING = (
    f'login failed for user "ONCE" from {ATTACKER}',
    f'request denied, agent="ONCE", client: {ATTACKER}',
    f'{{"level":"warn","msg":"login failed","user":"ONCE","ip":"{ATTACKER}"}}',
    f'{{"level":"warn","msg":"login of \\"TWICE\\" failed: wrong password","ip":"{ATTACKER}"}}',
)
HEADER = re.compile(
    r"(?:<\d+>)?(?:1 )?(?:[A-Z][a-z]{2} [ \d]\d [\d:]{8}|\d{4}-\S+) \S+ (?:[\w./()-]+(?:\[\d+\])?: )?"
)


def test_a_whole_line_of_another_application_within_quotes_moves_no_blame(ossec_image: image.Image) -> None:
    texts = [
        HEADER.sub("", row["line"], count=1)
        for table in TABLES.values()
        for row in table["alerts"]
        if "source" in row
    ]
    assert len(texts) > 300
    escaped = [(once := json.dumps(text)[1:-1], json.dumps(once)[1:-1]) for text in texts]
    for carrier in QUOTING:
        lines = [NEAR + carrier.replace("ONCE", once).replace("TWICE", twice) for once, twice in escaped]
        found = detect.logtest(ossec_image.name, lines)
        wrong = {
            line: one.source
            for one, line in zip(found, lines, strict=True)
            if one.noticed and one.source not in (None, ATTACKER)
        }
        assert wrong == {}
        assert sum(one.source == ATTACKER for one in found) > 0.98 * len(lines)


# What a pattern might begin with, and what it might then try again and again.
HEADS = [
    "authentication failed for user ",
    '{"msg":"failed login","user":"',
    '203.0.113.5 - - [26/Nov/2026:06:00:00 +0000] "GET /',
    "[26/Nov/2026] [error] [client 203.0.113.5] ",
    "request blocked from ",
    "attack detected from ",
    "[UFW BLOCK] IN=",
    "203.0.113.5:40123 [26/Nov/2026:06:00:00.123] a b/c 0/0/0/0/0 200 1 - - ---- 1/1/1/1/1 0/0 {HTTP/1.1 ",
    '[26/Nov/2026:06:00:00 +0000] - 404 404 - GET https www.example.com "/ [Client ',
    '{"request":{"remote_ip":"203.0.113.5","proto":"HTTP/2.0","method":"GET"},"status":404,"uri":"',
    "level=info method=GET path=/",
    'INFO: 203.0.113.5:40123 - "GET /',
    '[2026-11-26T06:00:00.000Z] "GET / HTTP/1.1" 404 - "',
    "a - GET-1 - 203.0.113.5 - 8008 - {None} Processed request: ",
]
PIECES = (
    *(
        "a",
        " ",
        '"',
        "'",
        "[",
        "]",
        "(",
        "\\",
        "=",
        "1,",
        "-",
        ":a",
        "::",
        "1.2.3.",
        "x-",
        "host.",
        ".:-,",
        '":"',
    ),
    *(
        "from ",
        "user ",
        "for x from ",
        "rhost=",
        "src=",
        'a="b" ',
        "192.0.2.1 ",
        "@192.0.2.1 ",
        "::1 ",
        '{"a":"b",',
    ),
    *(
        " SRC=192.0.2.1 DST=",
        ": in:a out:b ",
        '"action":"block"',
        "(1) FATAL: ",
        "failed login ",
        '" 401 ',
        " ip=",
        "#033[1m",
    ),
)


# The tester's CPU time for each line, in nanoseconds. It has done with one when it tells of the next.
MEASURED = r"""
coproc tester { ossec-log-server logtest 2>&1; }
until_told() { while read -r said <&"${tester[0]}" && [[ $said != *"'$1'"* ]]; do :; done; }
pid_of() { for comm in /proc/[0-9]*/comm; do [[ $(< "$comm") != ossec-logtest ]] || dirname "$comm"; done; }
mark="Nov 26 06:00:00 web1 app[812]: mark"
echo "$mark" >&"${tester[1]}"
until_told "$mark"
process=$(pid_of)
while IFS= read -r line; do
    read -r before _ < "$process/schedstat"
    printf '%s\n%s\n' "$line" "$mark $((++count))" >&"${tester[1]}"
    until_told "$mark $count"
    read -r after _ < "$process/schedstat"
    echo $((after - before))
done
"""


def test_no_line_keeps_a_pattern_busy(ossec_image: image.Image) -> None:
    lines = [f"{NEAR}{head}{piece * (5500 // len(piece))} 203.0.113.5" for head in HEADS for piece in PIECES]
    words = ["docker", "run", "--rm", "-i", "--network", "none", "--tmpfs", "/run", "--entrypoint", "bash"]
    ended = subprocess.run(
        [*words, ossec_image.name, "-c", MEASURED],
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        check=True,
    )
    taken = dict(zip(lines, (int(took) / 1e6 for took in ended.stdout.split()), strict=True))
    assert {line[:120]: took for line, took in taken.items() if took > 50} == {}
    assert sum(taken.values()) / len(taken) < 5


def test_what_repeats_is_more_than_its_parts(ossec_image: image.Image) -> None:
    def rules(lines: list[str]) -> list[int]:
        return [one.rule for one in detect.logtest(ossec_image.name, [NEAR + line for line in lines])]

    one_source = [f"bad password for user u{n}, ip=203.0.113.9" for n in range(8)]
    assert rules(one_source).count(110110) == 1
    one_user = [f"bad password for user dave, ip=203.0.113.{n}" for n in range(12)]
    assert rules(one_user).count(110111) == 1
    many = [f"bad password for user u{n}, ip=203.0.113.{n}" for n in range(12)]
    assert not {110110, 110111} & set(rules(many))
    success = "user dave successfully logged in from "
    assert rules([*one_source, f"{success}203.0.113.9"])[-1] == 110510
    assert rules([*one_source, f"{success}192.0.2.20"])[-1] == 110500


# What one source does again and again, and the one alert of level 10 that says so.
REPEATED = {
    110110: "app[1]: bad password for user u{n}, ip=203.0.113.9",
    110115: "exim[1]: 2026-11-26 06:00:00 login authenticator failed for (h) [203.0.113.9]:40{n} I=[192.0.2.1]:25:"
    " 535 Incorrect authentication data (set_id=u{n})",
    110117: '%FTD-6-605004: Login denied from 203.0.113.9/4{n} to outside:192.0.2.1/ssh for user "u{n}"',
    110118: "dropbear[1]: Bad PAM password attempt for 'u{n}' from 203.0.113.9:4{n}",
    110119: "asterisk[1]: NOTICE[1]: chan_sip.c:2 handle_request_register: Registration from '<sip:{n}@192.0.2.5>'"
    " failed for '203.0.113.9:5060' - Not a local domain",
    110210: "app[1]: request {n} blocked from 203.0.113.9",
    110310: "app[1]: TLS handshake error from 203.0.113.9:4{n}: EOF",
    110410: "app[1]: SQL injection attempt detected from 203.0.113.9 id={n}",
    110610: "kernel: [UFW BLOCK] IN=eth0 OUT= MAC= SRC=203.0.113.9 DST=192.0.2.1 LEN=60 PROTO=TCP SPT=4 DPT={n} RES=0",
    110611: "%FTD-4-106023: Deny tcp src outside:203.0.113.9/4 dst inside:192.0.2.1/{n} by access-group x",
}


def test_what_repeats_is_told_of_once_for_each_family(ossec_image: image.Image) -> None:
    lines = [line.replace("{n}", f"{n:02}") for line in REPEATED.values() for n in range(21)]
    # A source of its own for each, as it is the source that counts.
    sent = [line.replace("203.0.113.9", f"203.0.113.{100 + at // 21}") for at, line in enumerate(lines)]
    found = detect.logtest(ossec_image.name, [f"Nov 26 06:00:00 web1 {line}" for line in sent])
    high = [one.rule for one in found if one.level >= 10]
    assert [rule for at, rule in enumerate(high) if rule not in high[:at]] == list(REPEATED)


def test_several_lines_of_one_failed_login_count_once(ossec_image: image.Image) -> None:
    dovecot = (
        "auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=u{n}"
        " rhost=203.0.113.9  user=u{n}",
        "dovecot: auth-worker(77): pam(u{n},203.0.113.9,<x>): pam_authenticate() failed: Authentication failure",
        "dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<u{n}>, method=PLAIN,"
        " rip=203.0.113.9, lip=192.0.2.1, TLS",
    )
    postfix = (
        "postfix/smtpd[7]: warning: unknown[203.0.113.10]: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
        "postfix/smtpd[7]: disconnect from unknown[203.0.113.10] ehlo=1 auth=0/1 quit=1 commands=2/3",
    )
    for lines in (dovecot, postfix):
        sent = [f"Nov 26 06:00:00 web1 {line.format(n=n)}" for n in range(7) for line in lines]
        assert {one.level for one in detect.logtest(ossec_image.name, sent)} <= {3, 5}


def test_a_login_that_pam_and_sshd_both_tell_of_counts_once(ossec_image: image.Image) -> None:
    pam = (
        "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=203.0.113.9"
    )
    sshd = "Failed password for root from 203.0.113.9 port {} ssh2"
    lines = [
        f"Nov 26 06:00:00 web1 sshd[{n}]: {text}" for n in range(5) for text in (pam, sshd.format(40000 + n))
    ]
    assert {one.level for one in detect.logtest(ossec_image.name, lines)} == {3, 5}


def test_without_the_layer_it_is_upstreams_engine(ossec_image: image.Image) -> None:
    lines = lines_of("families")
    found = detect.logtest(ossec_image.name, lines, ["-e", "OSSEC_EXTRA_RULES=no"])
    assert {one.source for one in found} == {None}
    assert not [one for one in found if 110000 <= one.rule < 120000]
    # Nor is a web server's log behind a syslog header decoded.
    requests = [line for line in lines_of("nginx") if REQUEST.search(line) and " 3f2a9c1b77de[" in line]
    [web] = detect.logtest(ossec_image.name, requests[-1:], ["-e", "OSSEC_EXTRA_RULES=no"])
    assert web.decoder in (None, "(null)")  # before 4.2.0 it says nothing of none

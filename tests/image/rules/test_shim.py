"""The shim: each wrap is in force in what is built, and does what it is there for."""

import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import docker
import pytest

from pipeline import console, image, standin
from pipeline.errors import UserError
from pipeline.server import Server, gateway, network, server, smoke, syslog
from pipeline.server.alerts import parse
from pipeline.server.mailbox import EmbeddedMailbox
from pipeline.wait import wait_until
from tests.image.conftest import FROM_HERE

# What stock code does where nobody sees it, played to the shim's own functions: see header.c and fields.c.
PLAY = r"""
#include <assert.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include "analysisd.h"

char __shost[512] = "here";
static const char *line, *host;

int extra_rules(void) { return 0; }

/* Suricata's date: the text would begin two bytes behind the end of the line, of which there are two copies. */
int __real_OS_CleanMSG_ex(char *msg, Eventinfo *lf, time_t recv_time, int update_time_globals)
{
    char *copies = malloc(200);
    size_t length = strlen(line) + 1;

    (void)recv_time, (void)update_time_globals;
    assert(msg[strlen(msg) + 1] == 0); /* looked at where the line is empty */
    memcpy(memcpy(copies, line, length) + length, line, length);
    lf->full_log = copies;
    lf->log = copies + length + 28;
    lf->hostname = (char *)host;
    lf->location = "192.0.2.1";
    return 0;
}

/* What is written to alerts.log, and that it is put back: see alert.c. */
static char *previous[3];

void __real_OS_Log(Eventinfo *lf)
{
    assert(strcmp(lf->full_log, " User: root") == 0);
    assert(strcmp(lf->generated_rule->last_events[0], " ** Alert 1.2: mail  - x") == 0);
    assert(strcmp(lf->generated_rule->last_events[1], "sshd: User: root") == 0);
}

void *__real_SrcIP_FP(Eventinfo *lf, char *field, int order) { (void)order; lf->srcip = field; return NULL; }

int __wrap_OS_CleanMSG_ex(char *msg, Eventinfo *lf, time_t recv_time, int update_time_globals);
void *__wrap_SrcIP_FP(Eventinfo *lf, char *field, int order);
void __wrap_OS_Log(Eventinfo *lf);
void rules_are_for(const Eventinfo *lf) { (void)lf; } /* the lists of rules are no part of this */

int main(void)
{
    static Eventinfo lf;
    static Rule rule;
    static OSDecoderInfo decoder;
    const char *refused[] = {"../x", "/x", ">x", "a->b", "."};
    char empty[64];

    line = "11/23/2026-04:50:00.240702 ", host = "web1";
    strcpy(memset(empty, 0xc3, sizeof(empty)), "2:192.0.2.1:");
    assert(__wrap_OS_CleanMSG_ex(empty, &lf, 0, 0) == 0);
    assert(lf.log == lf.full_log + 2 * strlen(line) + 1 && *lf.log == 0);
    assert(strcmp(lf.hostname, "web1") == 0);
    for (int i = 0; i < 5; i++) {
        host = refused[i];
        assert(__wrap_OS_CleanMSG_ex(empty, &lf, 0, 0) == 0 && strcmp(lf.hostname, "192.0.2.1") == 0);
    }
    for (int i = 0; i < 10000; i++) {
        __wrap_SrcIP_FP(&lf, calloc(1, 1000), 0);
    }
    assert(mallinfo2().uordblks < 1000000);

    char *first = previous[0] = strdup("** Alert 1.2: mail  - x"), *log = lf.full_log = strdup("User: root");
    previous[1] = strdup("sshd: User: root");
    lf.generated_rule = &rule;
    lf.decoder_info = &decoder;
    rule.last_events = previous;
    __wrap_OS_Log(&lf);
    assert(lf.full_log == log && previous[0] == first && strcmp(first, "** Alert 1.2: mail  - x") == 0);
    return 0;
}
"""
OSSEC_LOG = "/var/ossec/logs/ossec.log"
FLAGS = ". /mnt/flags\n"  # what is linked is the same without optimisation, which is most of the price of these builds
BLACK_HOLE = "192.0.2.53"  # of TEST-NET-1: no answer ever comes from there


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, str], str]:
    """Builds the stand-in with one file of docker/ changed, and returns what the builder said when it failed."""

    def build(file: str, old: str, new: str) -> str:
        folder = tmp_path / "docker"
        shutil.copytree(image.DOCKER, folder)
        changed = folder / file
        text = changed.read_text()
        assert old in text
        changed.write_text(text.replace(old, new))
        script = folder / "build" / "compile"
        text = script.read_text()
        assert FLAGS in text
        script.write_text(text.replace(FLAGS, f'{FLAGS}hardening="-O0 -g0 -fPIE"\n'))
        said: list[str] = []
        monkeypatch.setattr(image, "recipe", partial(image.recipe, docker=folder))
        monkeypatch.setattr(console.err, "print", lambda text, **_: said.append(str(text)))
        with pytest.raises(UserError, match="The build failed"):
            standin.build(tmp_path)
        return "\n".join(said)

    return build


@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        (
            "shim/Makefile",
            "WRAPS := chroot",
            "WRAPS := chroot gone_from_ossec",
            "gone_from_ossec is wrapped, and nothing",
        ),
        ("shim/Makefile", "getnameinfo ", "", "__wrap_getnameinfo is not in the Makefile's list"),
        (
            "build/compile",
            "wraps=$(make -s -C shim wraps)",
            "wraps=$(make -s -C shim wraps | sed 's/[^ ]*Search[^ ]*//g')",
            "__wrap_Search_LastEvents is in no program",
        ),
        (
            "build/compile",
            "set -eu",
            'set -eu; WITHOUT_WRAPS="$WITHOUT_WRAPS getnameinfo"',
            "names getnameinfo, which OSSEC calls",
        ),
        (
            "build/compile",
            "set -eu",
            'set -eu; WITHOUT_WRAPS="$WITHOUT_WRAPS getnameinf"',
            "names getnameinf, which is not wrapped",
        ),
    ],
    ids=[
        "a wrap of nothing",
        "a wrap that is not asked for",
        "wraps that the linker is not told of",
        "a wrap left out that is needed",
        "something left out that is no wrap",
    ],
)
def test_a_wrap_that_is_not_in_force_fails_the_build(
    client: docker.DockerClient,
    broken: Callable[[str, str, str], str],
    file: str,
    old: str,
    new: str,
    complaint: str,
) -> None:
    assert complaint in broken(file, old, new)


PLAYED = (
    "header",
    "marks",
    "fields",
    "address",
    "alert",
    "counts",
    "literals",
    "word_lists",
    "words",
    "first_bytes",
    "syntax",
)


@pytest.mark.skipif(
    not shutil.which("cc"), reason="NO C COMPILER HERE: the shim's functions are not tried by themselves"
)
def test_what_is_read_and_lost_where_nobody_sees_it(tmp_path: Path) -> None:
    shim, headers = image.DOCKER / "shim", standin.SOURCES / "src"
    (tmp_path / "play.c").write_text(PLAY)
    # The functions that are not played are those of other fields.
    options = [
        "-O1",
        "-U_FORTIFY_SOURCE",
        "-ffunction-sections",
        "-Wl,--gc-sections",
        "-Wno-discarded-qualifiers",
    ]
    folders = [f"-I{headers / name}" for name in ("headers", "analysisd")]
    files = [
        str(tmp_path / "play.c"),
        *(str(shim / f"{name}.c") for name in PLAYED),
    ]
    program = str(tmp_path / "play")
    subprocess.run(["cc", "-D_GNU_SOURCE", *options, *folders, *files, "-o", program], check=True)
    subprocess.run([program], check=True)


def test_a_line_is_not_held_up_by_dns(client: docker.DockerClient, built: image.Image) -> None:
    """Who claims to be a search engine is looked up by stock OSSEC, while every other line waits."""
    with server(client, built.name, FROM_HERE, dns=[BLACK_HOLE]) as running:
        running.wait_listening()
        asked = "timeout 3 getent hosts 198.51.100.7; test $? = 124 && echo no answer in 3 s"
        assert running.run("bash", "-c", asked) == "no answer in 3 s\n"  # or the test would show nothing
        for n in range(20):
            text = f'198.51.100.{n} - - [23/Nov/2026:04:50:00 +0000] "GET /nothing{n} HTTP/1.1" 404 181'
            syslog.send_tcp(*running.tcp, [f'<38>{text} "-" "Googlebot/2.1"'])
        wait_until(
            lambda: alerts_about(running, "Googlebot") == 20, 30, what="all of the search engine's alerts"
        )


def test_many_failed_logins_are_correlated_and_not_complained_of(
    client: docker.DockerClient, built: image.Image
) -> None:
    """Stock OSSEC logs two lines for each that is more than it remembers, and forgets more than it should."""
    count = 30_000
    with server(client, built.name, FROM_HERE) as running:
        running.wait_listening()
        text = "Failed password for bob from 10.9.8.7 port {} ssh2"
        syslog.send_tcp(*running.tcp, [syslog.message(text.format(n)) for n in range(count)])

        def printed() -> bool:
            counters = running.counters()
            return counters["analysed"] >= count and counters["print_waiting_bytes"] == 0

        wait_until(printed, 120, what="the alerts of all failed logins")
        assert running.run("bash", "-c", f"grep -c 'No Oldest node' {OSSEC_LOG} || test $? = 1") == "0\n"
        last = running.container.logs(stderr=False, tail=1000).splitlines()
        assert 5720 in [parse(line)["rule"]["sidid"] for line in last]  # multiple failures, to the very end


def test_an_alert_is_mailed_soon(client: docker.DockerClient, built: image.Image) -> None:
    """Stock ossec-maild waits for more alerts for a minute and a half, and mails none of its first moments."""
    with network(client) as net, EmbeddedMailbox(gateway(net)) as mailbox:
        settings = {**smoke.settings(mailbox, gateway(net)), "OSSEC_EMAIL_ALERT_LEVEL": "5"}
        with server(client, built.name, settings, network=net.name) as running:
            running.wait_listening()
            syslog.send_tcp(
                *running.tcp, [syslog.message("Failed password for eve from 10.9.8.7 port 1 ssh2")]
            )
            wait_until(lambda: any("eve" in mail.body for mail in mailbox.messages()), 30, what="the mail")


def alerts_about(server: Server, text: str) -> int:
    return sum(text in alert["full_log"] for alert in server.alerts())

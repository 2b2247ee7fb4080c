"""What comes in: every message that a sender wrote is one event, whatever its framing and its form."""

import pytest

from pipeline.server import Server, syslog
from pipeline.wait import wait_until

ARCHIVE = "/var/ossec/logs/archives/archives.log"


def archived(server: Server, text: str) -> list[str]:
    """The lines of the raw archive that hold `text`; the last one may be there by half, and then it is none yet."""
    found = r"BEGIN { $text = shift } print if /\n\z/ && index($_, $text) >= 0"
    return server.run("perl", "-ne", found, text, ARCHIVE).splitlines()


def wait_archived(server: Server, text: str, count: int, seconds: float = 60) -> list[str]:
    return wait_until(
        lambda: lines if len(lines := archived(server, text)) >= count else None,
        timeout=seconds,
        what=f"{count} lines with {text!r} in the archive",
    )


@pytest.mark.parametrize("framing", ["lf", "octet-counting"])
def test_a_hundred_lines_in_one_write_are_a_hundred_events(server: Server, framing: str) -> None:
    lines = [syslog.message(f"one write, {framing}, number {n}", tag="app") for n in range(100)]
    syslog.send_tcp(*server.tcp, lines, framing=framing)  # type: ignore[arg-type]
    got = wait_archived(server, f"one write, {framing}, number ", 100)
    assert [line.rpartition("number ")[2] for line in got] == [str(n) for n in range(100)]


def test_a_datagram_of_two_lines_stays_one_message(server: Server) -> None:
    syslog.send_udp(*server.udp, [syslog.message("first half\nsecond half", tag="app")])
    [line] = wait_archived(server, "first half", 1)
    assert "first half#012second half" in line


def test_a_message_without_priority_is_taken_as_it_is(server: Server) -> None:
    syslog.send_tcp(*server.tcp, ["bare words of some device"])
    [line] = wait_archived(server, "bare words of some device", 1)
    assert line.endswith(" bare words of some device")


def test_rfc_5424_is_put_into_the_form_that_the_engine_reads(server: Server) -> None:
    text = "Failed password for carol from 203.0.113.24 port 5424 ssh2"
    syslog.send_tcp(*server.tcp, [f"<38>1 2026-11-23T04:50:00.003Z web2 sshd 77 - - {text}"])
    [alert] = wait_until(
        lambda: [one for one in server.alerts() if text in one["full_log"]], 30, what="the alert"
    )
    assert alert["full_log"].startswith(f"Nov 23 04:50:00 web2 sshd[77]: {text}")
    assert "2026-11-23T04:50:00.003Z" in alert["full_log"]
    assert (alert["rule"]["sidid"], alert["hostname"]) == (5716, "web2")


@pytest.mark.parametrize("hostname", ["(foo)", "(foo", "(foo) 192.0.2.1", "(" + "x" * 2000 + ")", "()-"])
def test_a_hostname_like_an_agents_name_alerts_and_kills_nothing(server: Server, hostname: str) -> None:
    text = f"Failed password for bob from 203.0.113.{len(hostname) % 250} port 22 ssh2"
    syslog.send_udp(*server.udp, [syslog.message(text, host=hostname)])
    if " " not in hostname:  # otherwise the engine reads the line's parts in another way, and need not alert
        wait_until(lambda: [one for one in server.alerts() if text in one["full_log"]], 30, what="the alert")
    syslog.send_udp(*server.udp, [syslog.message(f"still alive after {len(hostname)}", tag="app")])
    wait_archived(server, f"still alive after {len(hostname)}", 1)
    assert server.running()


def test_a_long_datagram_is_not_cut_at_1024_bytes(server: Server) -> None:
    text = "long " + "x" * 4000 + " end-of-it"
    syslog.send_udp(*server.udp, [syslog.message(text, tag="app")])
    [line] = wait_archived(server, "end-of-it", 1)
    assert line.endswith(text)

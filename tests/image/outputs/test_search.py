"""Search and reports: over today's and compressed days, and against zcat and grep."""

import gzip
import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import docker
import pytest

from pipeline import image
from pipeline.server import container
from pipeline.server.execute import STDERR, execute
from pipeline.server.shell import Shell

TODAY = datetime.now().replace(hour=12, minute=0, second=0, microsecond=0)
DAYS = [TODAY - timedelta(days=n) for n in (2, 1, 0)]
LOGS = "/var/ossec/data/logs"


def alert(number: int, when: datetime, **fields: Any) -> dict[str, Any]:
    rule = {"level": 3 + number % 10, "comment": "SSHD authentication failed.", "sidid": 5700 + number % 3}
    log = f'sshd: Failed "password" for user{number:05d} ü\t\u009b.'
    return {
        "rule": rule,
        "id": f"1.{number}",
        "TimeStamp": int(when.timestamp() * 1000),
        "srcip": f"203.0.113.{number % 5}",
        "dstuser": "root",
        "full_log": log,
        "hostname": f"web{number % 2}",
        "location": f"192.0.2.{number % 4}",
        **fields,
    }


def line(one: dict[str, Any]) -> bytes:
    return json.dumps(one, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


@pytest.fixture(scope="module")
def alerts() -> list[dict[str, Any]]:
    return [alert(n, DAYS[n // 100] + timedelta(seconds=n % 100)) for n in range(300)]


@pytest.fixture(scope="module")
def searched(
    client: docker.DockerClient, standin_image: image.Image, alerts: list[dict[str, Any]]
) -> Iterator[Shell]:
    """A container that has logs of three days: two compressed, the first of them in two parts, and today's."""
    files: dict[str, bytes] = {}
    for n, day in enumerate(DAYS):
        lines = [line(one) for one in alerts[n * 100 : n * 100 + 100]]
        archive = b"".join(
            f"{day + timedelta(seconds=m):%Y %b %d %H:%M:%S} web{m % 2}->192.0.2.1 app: line {n * 100 + m}\n".encode()
            for m in range(100)
        )
        stem = f"alerts/{day:%Y/%b}/ossec-alerts-{day:%d}.json"
        kept = f"archives/{day:%Y/%b}/ossec-archive-{day:%d}.log"
        if n == 2:
            files[stem], files[kept] = b"".join(lines), archive
        elif n == 1:
            files[f"{stem}.gz"], files[f"{kept}.gz"] = gzip.compress(b"".join(lines)), gzip.compress(archive)
        else:
            files[f"{stem}.gz"] = gzip.compress(b"".join(lines[:50]))
            files[stem.replace(".json", "-1.json.gz")] = gzip.compress(b"".join(lines[50:]))
            files[f"{kept}.gz"] = gzip.compress(archive)
    # As while OSSEC compresses a day: both are there.
    files[f"alerts/{DAYS[1]:%Y/%b}/ossec-alerts-{DAYS[1]:%d}.json"] = b"".join(map(line, alerts[100:200]))
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o644
            tar.addfile(info, io.BytesIO(content))
    with container(client, standin_image.name, entrypoint=["sleep", "900"], environment={"TZ": "UTC"}) as one:
        execute(one, ["mkdir", "-p", LOGS])
        one.put_archive(LOGS, out.getvalue())
        with closing(Shell(one)) as shell:
            yield shell


def run(one: Shell, *command: str) -> tuple[int, list[str]]:
    code, output = one.execute(["ossec-log-server", *command])
    return code, output.decode().splitlines()


def found(one: Shell, *options: str) -> list[int]:
    status, lines = run(one, "search", "--json", *options)
    assert status == (0 if lines else 1)
    return [int(json.loads(text)["id"].partition(".")[2]) for text in lines]


def test_each_option_finds_what_it_says_in_order(searched: Shell, alerts: list[dict[str, Any]]) -> None:
    def those(test: Any) -> list[int]:
        return [n for n, one in enumerate(alerts) if test(one)]

    assert found(searched) == list(range(300))
    assert found(searched, "--level", "12") == those(lambda one: one["rule"]["level"] >= 12)
    assert found(searched, "--rule", "5701") == those(lambda one: one["rule"]["sidid"] == 5701)
    assert found(searched, "--host", "web1") == those(lambda one: one["hostname"] == "web1")
    assert found(searched, "--srcip", "203.0.113.1", "--rule", "5700") == those(
        lambda one: (one["srcip"], one["rule"]["sidid"]) == ("203.0.113.1", 5700)
    )
    assert found(searched, "--text", 'Failed "password" for user00123 ü') == [123]
    assert found(searched, "--text", "no such text") == []
    assert found(searched, "--tail", "150") == list(range(150, 300))
    assert (
        found(searched, "--tail", "2", "--level", "12") == those(lambda one: one["rule"]["level"] >= 12)[-2:]
    )
    assert found(searched, "--tail", "500") == list(range(300))
    day = f"{DAYS[1]:%Y-%m-%d}"
    assert found(searched, "--from", day, "--to", day) == list(range(100, 200))
    assert found(searched, "--from", f"{day} 12:00:10", "--to", f"{day}T12:00:20") == list(range(110, 120))
    assert found(searched, "--from", "12:00:50", "--to", "12:00:52") == [250, 251]


def test_a_table_is_for_people_and_the_archive_is_lines(searched: Shell) -> None:
    _, [row] = run(searched, "search", "--text", "user00123")
    assert row.startswith(f"{DAYS[1]:%Y-%m-%d} 12:00:23   6    5700  web1  203.0.113.3  root  SSHD")
    assert row.endswith(
        '| sshd: Failed "password" for user00123 ü.' + ".."
    )  # the tab is a dot, and so is the CSI
    status, lines = run(searched, "search", "--archive", "--host", "web1", "--text", "line 12")
    assert status == 0
    assert [int(text.rpartition(" ")[2]) for text in lines] == [121, 123, 125, 127, 129]
    _, lines = run(searched, "search", "--archive", "--from", "12:01:38")
    assert [text.rpartition(" ")[2] for text in lines] == ["298", "299"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--from", "yesterday"], "--from: 'yesterday' is not a time"),
        (["--level", "high"], "--level: 'high' is not a number"),
        (["--tail"], "unknown option, or one without its value"),
        (["--no-such"], "unknown option, or one without its value"),
        (["sshd"], "'sshd' is not an option; to look for a text, write --text 'sshd'"),
        (["--archive", "--level", "3"], "--level, --rule, --srcip and --json say nothing there"),
        (["--from", "1h", "--to", "2h"], "--from is not before --to"),
    ],
)
def test_a_wrong_option_is_one_line_and_64(searched: Shell, options: list[str], complaint: str) -> None:
    status, [message] = run(searched, "search", *options)
    assert status == 64
    assert message.startswith("ossec-log-server: search: ")
    assert complaint in message


def test_a_damaged_file_is_told_of_and_the_others_are_searched(
    client: docker.DockerClient, standin_image: image.Image
) -> None:
    whole = gzip.compress(b"".join(line(alert(n, DAYS[1])) for n in range(2000)))
    script = f"""mkdir -p {LOGS}/alerts/{DAYS[1]:%Y/%b}; cd {LOGS}/alerts/{DAYS[1]:%Y/%b}; sleep 900"""
    with container(client, standin_image.name, entrypoint=["bash", "-c", script]) as one:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            for name, content in ((f"ossec-alerts-{DAYS[1]:%d}.json.gz", whole[: len(whole) // 2]),):
                info = tarfile.TarInfo(f"{LOGS.lstrip('/')}/alerts/{DAYS[1]:%Y/%b}/{name}")
                info.size, info.mode = len(content), 0o644
                tar.addfile(info, io.BytesIO(content))
        one.put_archive("/", out.getvalue())
        # Of both together, Docker would put one in the middle of the other.
        code, said = execute(one, ["ossec-log-server", "search"], only=STDERR)
        assert code == 0
        assert said.endswith(b"so what it holds is not all here\n")
        assert execute(one, ["ossec-log-server", "search"]).output.count(b"SSHD authentication failed") > 100


def test_a_report_counts_a_day(searched: Shell) -> None:
    status, lines = run(searched, "report", "--day", f"{DAYS[1]:%Y-%m-%d}")
    assert status == 0
    assert lines[0] == f"Alerts of {DAYS[1]:%Y-%m-%d}: 100"
    assert "       10  level 12" in lines
    assert (
        "       34  5701     level 3   SSHD authentication failed." not in lines
    )  # one row for each rule and level
    assert "       25  192.0.2.3" in lines
    assert "       50  web0" in lines
    assert "       20  203.0.113.4" in lines
    assert "      100  root" in lines
    assert run(searched, "report")[1][0].endswith(": 100")
    status, [message] = run(searched, "report", "--day", "monday")
    assert status == 64
    assert message.startswith("ossec-log-server: report: --day: 'monday' is not a day")

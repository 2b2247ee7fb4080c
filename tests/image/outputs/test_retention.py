"""The days of the archive and the alerts: rotated, compressed, deleted as the limits say, in the time zone given."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import docker
import pytest

from pipeline import image
from pipeline.server import Server, syslog
from pipeline.server import server as run_server
from pipeline.wait import wait_until
from tests.image.conftest import FROM_HERE
from tests.image.support.ledger import ARCHIVE, DATA, FAKE_CLOCK, fake_clock, numbered, send, signal, wait_all
from tests.image.support.volumes import memory_volume

ENDINGS = (
    "archives/{}/ossec-archive-{}.log",
    "alerts/{}/ossec-alerts-{}.log",
    "alerts/{}/ossec-alerts-{}.json",
)
TODAY = datetime.now(UTC).date()


def paths(day: date, ending: str = "") -> list[str]:
    """The files of a day below logs/."""
    return [one.format(f"{day:%Y/%b}", f"{day:%d}") + ending for one in ENDINGS]


def old(*ago: int) -> list[date]:
    return [TODAY - timedelta(days=days) for days in ago]


def on_volume(client: docker.DockerClient, of: image.Image, volume: str, script: str) -> str:
    """What a script says that runs in the volume's logs/, before or after the server."""
    output = client.containers.run(
        of.name,
        ["-c", f"set -e; mkdir -p {DATA}/logs; cd {DATA}/logs; {script}"],
        entrypoint="bash",
        volumes={volume: {"bind": DATA}},
        remove=True,
        network_disabled=True,
    )
    return output.decode()


def make(path: str, content: str) -> str:
    """Shell commands that make a file whose day is long over."""
    return f"mkdir -p {Path(path).parent}; {content} > {path}; touch -d '3 hours ago' {path}; "


def files(server: Server) -> set[str]:
    return set(server.run("bash", "-c", f"cd {DATA}/logs; find . -type f -printf '%P\\n'").split())


@contextmanager
def started(
    client: docker.DockerClient, of: image.Image, volume: str, settings: dict[str, str]
) -> Iterator[Server]:
    with run_server(client, of.name, {**FROM_HERE, **settings}, volumes={volume: {"bind": DATA}}) as server:
        server.wait_listening()
        yield server


@pytest.fixture(scope="module")
def over_midnight(
    client: docker.DockerClient, ossec_image: image.Image, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server whose clock has gone on by a day between two messages."""
    folder = tmp_path_factory.mktemp("clock")
    clock = fake_clock(folder)
    mounts = {str(folder): {"bind": "/faketime", "mode": "ro"}}
    with run_server(client, ossec_image.name, {**FROM_HERE, **FAKE_CLOCK}, volumes=mounts) as server:
        server.wait_listening()
        send(server.address(), [*numbered("first", range(1000)), failed_login("first")])
        wait_all(server, "first", 1000)
        # It notes the day just before it says so.
        wait_until(lambda: "ossec-monitord" in server.run("cat", ARCHIVE), 30, 0.5, "ossec-monitord's start")
        # To another hour, as the engine looks for a new day when a new hour begins.
        clock.write_text(f"+{23 if datetime.now(UTC).hour == 23 else 25}h\n")
        tomorrow = date.fromisoformat(server.run("date", "+%F").strip())

        def begun() -> bool:
            send(server.address(), [failed_login("second")])
            return set(paths(tomorrow)) <= files(server)

        wait_until(begun, 30, 1, "the new day's files")
        yield server


def failed_login(user: str) -> bytes:
    return syslog.message(f"Failed password for {user} from 203.0.113.8 port 22 ssh2").encode()


def test_the_new_day_has_files_of_its_own(over_midnight: Server) -> None:
    assert over_midnight.running()  # the last test here looks at it again: monitord needs two minutes


def test_a_missed_day_is_compressed_at_the_start(
    client: docker.DockerClient, built: image.Image, volume: str
) -> None:
    lines = "seq 100000"
    yesterday, killed, twice, again = old(1, 2, 40, 41)
    script = "".join(make(path, lines) for day in (yesterday, killed, twice, again) for path in paths(day))
    # Where monitord was killed at its work, and where the day is there already: another part of it, or the same.
    script += "".join(make(path, "seq 100000 | gzip | head -c 1000") for path in paths(killed, ".gz"))
    script += "".join(make(path, "seq 5 | gzip") for path in paths(twice, ".gz"))
    script += "".join(make(path, "seq 100000 | gzip") for path in paths(again, ".gz"))
    on_volume(client, built, volume, script)
    wanted = {*paths(yesterday, ".gz"), *paths(killed, ".gz"), *paths(twice, ".gz"), *paths(again, ".gz")}
    second = {re.sub(r"(\.\w+\.gz)$", r"-1\1", path) for path in paths(twice, ".gz")}
    with started(client, built, volume, {}) as server:

        def days_files() -> set[str]:
            return {one for one in files(server) if one.startswith(("archives/2", "alerts/2"))} - set(
                paths(TODAY)
            )

        wait_until(lambda: days_files() == wanted | second, 60, what="the days to be compressed")
        sums = server.run(
            "bash", "-c", f"cd {DATA}/logs; for f in */*/*/*.gz; do echo $f $(zcat $f | sha256sum); done"
        )
    whole = hashlib.sha256("".join(f"{n}\n" for n in range(1, 100_001)).encode()).hexdigest()
    part = hashlib.sha256(b"1\n2\n3\n4\n5\n").hexdigest()
    found = {line.split()[0]: line.split()[1] for line in sums.splitlines()}
    assert found == {path: part if path in paths(twice, ".gz") else whole for path in wanted | second}


def test_a_day_that_comes_again_replaces_nothing(
    client: docker.DockerClient, standin_image: image.Image, volume: str
) -> None:
    on_volume(
        client, standin_image, volume, "".join(make(path, "seq 5 | gzip") for path in paths(TODAY, ".gz"))
    )
    apart = {re.sub(r"(\.\w+\.gz)$", r"-1\1", path) for path in paths(TODAY, ".gz")}
    with started(client, standin_image, volume, {}) as server:
        wait_until(lambda: apart <= files(server), 30, what="the first part to have a name of its own")
        assert not set(paths(TODAY, ".gz")) & files(server)


def test_retention_by_days(client: docker.DockerClient, built: image.Image, volume: str) -> None:
    stay, go = old(1, 2, 3), old(4, 5, 40, 800)
    script = "".join(
        make(path, "seq 5 | gzip") for day in stay + go for path in [*paths(day, ".gz"), *paths(day, ".sum")]
    )
    on_volume(client, built, volume, script)
    with started(client, built, volume, {"OSSEC_RETENTION_DAYS": "3"}) as server:
        gone = {path for day in go for path in [*paths(day, ".gz"), *paths(day, ".sum")]}
        wait_until(lambda: not gone & files(server), 30, what="the old days to be deleted")
        assert {path for day in stay for path in [*paths(day, ".gz"), *paths(day, ".sum")]} <= files(server)
        for day in go:  # said when its folder is gone, too
            server.wait_said(f"deleted the logs of {day}: OSSEC_RETENTION_DAYS is 3")
        # The month's folder goes with its last day.
        assert server.run("bash", "-c", f"ls -d {DATA}/logs/archives/{go[-1]:%Y} 2>&1 || true").endswith(
            "No such file or directory\n"
        )


def test_retention_by_bytes(client: docker.DockerClient, built: image.Image, volume: str) -> None:
    days = old(1, 2, 3, 4)
    script = "".join(make(paths(day, ".gz")[0], "head -c 2M /dev/urandom") for day in days)
    on_volume(client, built, volume, script)
    with started(client, built, volume, {"OSSEC_RETENTION_BYTES": "5m"}) as server:
        stay, go = ({paths(day, ".gz")[0] for day in some} for some in (days[:2], days[2:]))
        wait_until(lambda: not go & files(server), 30, what="the oldest days to be deleted")
        assert stay <= files(server)
        # Today's grows by itself above the allowance: the other days go, it stays, and that is said.
        today = paths(TODAY)[0]
        server.run(
            "bash", "-c", f"cd {DATA}/logs; mkdir -p {Path(today).parent}; head -c 6M /dev/urandom >> {today}"
        )
        server.wait_said("no day left to delete but today's")
        assert today in files(server)
        assert not stay & files(server)
        assert all(f"deleted the logs of {day}: all take" in server.log() for day in days)
        assert server.log().count("no day left") == 1


@pytest.mark.parametrize("allowance", ["", "1g"])
def test_the_allowance_holds_before_the_disk_is_full(
    client: docker.DockerClient, standin_image: image.Image, allowance: str
) -> None:
    days = old(1, 2, 3)
    with (
        memory_volume(client, "size=64m") as small,
        started(client, standin_image, small, {"OSSEC_RETENTION_BYTES": allowance}) as server,
    ):
        for day in days:
            server.run(
                "bash", "-c", f"cd {DATA}/logs; {make(paths(day, '.gz')[0], 'head -c 8M /dev/urandom')}"
            )
        # All that is free but 2 MiB is taken by something else.
        server.run(
            "bash",
            "-c",
            f"head -c $(($(df -B 1 --output=avail {DATA} | tail -1) - 2097152)) /dev/zero > {DATA}/else",
        )
        server.wait_said("on the disk only 2.0M are free")
        if allowance:
            wait_until(
                lambda: paths(days[2], ".gz")[0] not in files(server),
                30,
                what="the oldest day to be deleted",
            )
        else:
            assert "set OSSEC_RETENTION_BYTES" in server.log()
            assert paths(days[2], ".gz")[0] in files(server)
        assert {paths(day, ".gz")[0] for day in days[:2]} <= files(server)


def test_the_container_ends_with_its_housekeeping(
    client: docker.DockerClient, standin_image: image.Image
) -> None:
    with run_server(client, standin_image.name, FROM_HERE) as server:
        server.wait_listening()
        signal(server, "/housekeeping ", "KILL")
        assert server.exit_code() == 137
        assert "ossec-log-server: housekeeping (PID " in server.log()


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/St_Johns", ""])
def test_timestamps_and_days_are_of_the_time_zone(
    client: docker.DockerClient, built: image.Image, zone: str
) -> None:
    with run_server(client, built.name, {**FROM_HERE, "TZ": zone}) as server:
        server.wait_listening()
        syslog.send_tcp(*server.tcp, [failed_login("zoe").decode()])
        wait_until(server.alerts, 30, what="the alert")
        now = datetime.now(ZoneInfo(zone or "UTC"))
        assert paths(now.date())[1] in files(server)
        alert = server.run("bash", "-c", f"cat {DATA}/logs/alerts/alerts.log")
        stamp = re.search(r"^(\d{4} \w{3} \d\d \d\d:\d\d:\d\d) ", alert, re.MULTILINE)
        assert stamp, alert
        told = datetime.strptime(stamp[1], "%Y %b %d %H:%M:%S").replace(tzinfo=ZoneInfo(zone or "UTC"))
        assert abs((now - told).total_seconds()) < 60


def test_monitord_compresses_and_signs_the_day_that_is_over(over_midnight: Server) -> None:
    # By the container's clock, as this test may run at midnight.
    new = date.fromisoformat(over_midnight.run("date", "+%F").strip())
    wanted = {path for ending in (".gz", ".sum") for path in paths(new - timedelta(days=1), ending)}
    whole = set(paths(new - timedelta(days=1)))

    def compressed() -> bool:
        there = files(over_midnight)
        return wanted <= there and not whole & there

    wait_until(compressed, 240, 1, "the day's files to be compressed")
    assert set(paths(new)) <= files(over_midnight)
    script = f"zcat {DATA}/logs/{paths(new - timedelta(days=1), '.gz')[0]} | grep -cE 'first [0-9]{{7}}$'"
    assert over_midnight.run("bash", "-c", script).strip() == "1000"

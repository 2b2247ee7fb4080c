"""A daemon that dies ends the container, and it says which; a stop loses nothing."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker
import pytest

from pipeline import image
from pipeline.server import server, syslog
from pipeline.wait import wait_until
from tests.image.conftest import FROM_HERE

MAIL = {
    "OSSEC_EMAIL_NOTIFICATION": "yes",
    "OSSEC_EMAIL_TO": "a@example.org",
    "OSSEC_EMAIL_FROM": "b@example.org",
    "OSSEC_SMTP_SERVER": "127.0.0.1:2525",
}
BASH = ".bash: line "  # as it tells of a child that a signal killed
ARCHIVE = "/var/ossec/logs/archives/archives.log"
DAEMONS = [
    "ossec-intake",
    "ossec-output",
    "ossec-analysisd",
    "ossec-monitord",
    "ossec-maild",
    "nullmailer-send",
]


@pytest.mark.parametrize("daemon", DAEMONS)
def test_a_killed_daemon_ends_the_container(
    client: docker.DockerClient, built: image.Image, daemon: str
) -> None:
    with server(client, built.name, {**FROM_HERE, **MAIL}) as running:
        running.wait_listening()
        before = time.monotonic()
        running.kill(daemon)
        assert running.exit_code() == 137
        assert time.monotonic() - before < 3  # two that are promised, one for Docker's own
        assert f"ossec-log-server: {daemon} (PID " in running.log()
        assert BASH not in running.log()


@pytest.mark.parametrize(("end", "status"), [("kill -SEGV $$", 139), ("exit 3", 3)])
def test_a_daemon_that_dies_in_the_start_ends_the_container(
    client: docker.DockerClient, standin_image: image.Image, tmp_path: Path, end: str, status: int
) -> None:
    # OSSEC's own programs may not be mounted over. What checks the settings is well, and nothing gets ready.
    intake = tmp_path / "ossec-intake"
    # It reads the list that it is to check: who writes it would fail otherwise, if it comes later.
    intake.write_text(f"#!/bin/bash\n[[ $1 != --journal ]] || {end}\n[[ $1 != --check-networks ]] || cat\n")
    intake.chmod(0o755)
    volumes = [f"{intake}:/usr/local/bin/ossec-intake:ro"]
    with server(client, standin_image.name, FROM_HERE, volumes=volumes) as running:
        assert running.exit_code() == status
        assert f"ended with status {status}, so the container ends" in running.log()


def test_what_was_received_before_a_stop_is_analysed(
    client: docker.DockerClient, built: image.Image, volume: str
) -> None:
    mount = {volume: {"bind": "/var/ossec/data", "mode": "rw"}}
    lines = [syslog.message(f"before the stop {n:06d}", tag="app") for n in range(100_000)]
    with server(client, built.name, FROM_HERE, volumes=mount) as running:
        running.wait_listening()
        with ThreadPoolExecutor() as pool:
            sending = pool.submit(syslog.send_tcp, *running.tcp, lines)
            wait_until(lambda: running.counters()["received"] > 5_000, 30, what="the first lines")
            assert running.stop() == 0, running.log()
            sending.exception()  # it may have been cut off
        assert "did not end by itself" not in running.log()
    # What the stop had no time for is in the journal, and the next start takes it from there.
    with server(client, built.name, FROM_HERE, volumes=mount) as running:
        running.wait_listening()
        # Behind all that, in the same queue.
        syslog.send_tcp(*running.tcp, [syslog.message("after the restart", tag="app")])
        running.run("bash", "-c", f"until grep -q 'after the restart' {ARCHIVE}; do sleep 0.1; done")
        script = f"grep -ohaE 'before the stop [0-9]{{6}}$' {ARCHIVE}"
        got = [int(line.rpartition(" ")[2]) for line in running.run("bash", "-c", script).splitlines()]
    # TCP keeps the order, so whatever the server took is the beginning, without a gap.
    assert sorted(set(got)) == list(range(max(got) + 1))
    assert len(got) == len(set(got))
    assert len(got) > 5_000

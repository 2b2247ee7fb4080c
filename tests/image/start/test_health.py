"""What `health` says of a server: each thing that keeps lines from becoming alerts, and alerts from arriving."""

from collections.abc import Iterator
from typing import Any

import docker
import pytest

from pipeline import image
from pipeline.server import Server, syslog
from pipeline.server import server as run_server
from pipeline.wait import wait_until
from tests.image.conftest import FROM_HERE
from tests.image.start.test_awkward import works
from tests.image.support.volumes import DATA, at, memory_volume

RECEIVERS = ("ossec-intake", "rsyslogd")  # ours, and that of older images
LONG_AGO = 100  # seconds, more than an output's patience
ATTACK = "Failed password for user{} from 203.0.113.9 port 22 ssh2"


def health(server: Server, *options: str) -> tuple[int, list[str]]:
    """How `health` ends, and the lines that it says."""
    code, said = server.answer("ossec-log-server", "health", *options)
    return code, said.splitlines()


def long_ago(server: Server, name: str) -> None:
    """Let the last look at an output have been a while ago."""
    server.run(
        "bash",
        "-c",
        f'read -r n t < /run/ossec/health/{name}; echo "$n $((t - {LONG_AGO}))" > /run/ossec/health/{name}',
    )


def unhealthy(server: Server, *words: str) -> None:
    """Raises AssertionError unless health says just one line, with these words."""
    code, said = health(server)
    assert (code, len(said)) == (1, 1), said
    for word in ("ossec-log-server: unhealthy: ", *words):
        assert word in said[0]


@pytest.fixture(scope="module")
def busy(client: docker.DockerClient, ossec_image: image.Image) -> Iterator[Server]:
    """A server with all that may be on: a forward target that is not there, metrics and mail."""
    settings = {
        **FROM_HERE,
        "OSSEC_FORWARD": "tcp://192.0.2.1:514",
        "OSSEC_METRICS_PORT": "9514",
        "OSSEC_EMAIL_NOTIFICATION": "yes",
        "OSSEC_EMAIL_TO": "a@example.org",
        "OSSEC_EMAIL_FROM": "b@example.org",
        "OSSEC_SMTP_SERVER": "192.0.2.1",
    }
    with run_server(client, ossec_image.name, settings) as server:
        works(server)
        yield server


def test_alerts_that_a_peer_does_not_take_are_unhealthy_and_nothing_to_restart_for(busy: Server) -> None:
    assert health(busy) == (0, [])
    long_ago(busy, "forward")
    unhealthy(
        busy, "ossec-forward: ", " bytes of alerts wait, and none was delivered for ", "its peer answers"
    )
    assert health(busy, "--own") == (0, [])
    busy.run("rm", "/run/ossec/health/forward")


def test_mails_that_wait_for_long_are_unhealthy(busy: Server) -> None:
    assert health(busy) == (0, [])
    queue = f"{DATA}/queue/mail/queue"
    busy.run("bash", "-c", f"echo x > {queue}/old; touch -d '-1 hour' {queue}/old")
    unhealthy(busy, "mail: 1 mails wait for more than 15 minutes")
    assert health(busy, "--own") == (0, [])
    busy.run("rm", f"{queue}/old")


def test_metrics_that_do_not_answer_are_unhealthy(busy: Server) -> None:
    busy.kill("mini_httpd", "STOP")
    try:
        unhealthy(busy, "mini_httpd: no answer on port 9514")
    finally:
        busy.kill("mini_httpd", "CONT")
    wait_until(lambda: health(busy) == (0, []), 30, what="health")


@pytest.mark.parametrize(
    ("daemon", "words"),
    [("ossec-intake", "no answer within 3 s"), ("ossec-analysisd", "wait in the journal")],
)
def test_a_daemon_that_hangs_is_unhealthy(busy: Server, daemon: str, words: str) -> None:
    busy.kill(daemon, "STOP")
    try:
        for option in ([], ["--own"]):
            code, said = health(busy, *option)
            assert code == 1
            assert any(words in line for line in said), said
    finally:
        busy.kill(daemon, "CONT")
    wait_until(lambda: health(busy) == (0, []), 30, what="health")


def test_an_option_that_there_is_not_is_one_line(busy: Server) -> None:
    code, [line] = health(busy, "--all")
    assert code == 64
    assert line == "ossec-log-server: health: '--all' is not an option of it; write --own, or nothing"


def test_a_standard_output_that_nobody_reads_is_unhealthy(
    client: docker.DockerClient, ossec_image: image.Image
) -> None:
    blocked = "mkfifo /tmp/out; exec 3<>/tmp/out; exec ossec-log-server > /tmp/out"
    options: dict[str, Any] = {"entrypoint": ["bash", "-c", blocked]}
    with run_server(client, ossec_image.name, FROM_HERE, **options) as server:
        server.wait_listening()
        syslog.send_tcp(*server.tcp, [syslog.message(ATTACK.format(n)) for n in range(3000)])
        printed = -1

        def stands() -> bool:
            """Whether alerts wait, and none was printed since the last look."""
            nonlocal printed
            before, counters = printed, server.counters()
            printed = counters["printed"]
            return counters["print_waiting_bytes"] > 100_000 and printed == before

        wait_until(stands, 30, 0.5, "alerts that wait")
        assert health(server) == (0, [])
        long_ago(server, "output")
        unhealthy(server, "ossec-output: ", "none was delivered", "is standard output read?")
        assert server.stop() == 0, server.log()


def test_a_volume_that_is_nearly_full_is_unhealthy(
    client: docker.DockerClient, ossec_image: image.Image
) -> None:
    with (
        memory_volume(client, "size=80m") as small,
        run_server(client, ossec_image.name, FROM_HERE, volumes=at(small)) as server,
    ):
        works(server)
        assert health(server) == (0, [])
        left = 6 << 20
        free = f"$(df -B 1 --output=avail {DATA} | tail -n 1)"
        server.run("bash", "-c", f"head -c $(({free} - {left})) /dev/zero > {DATA}/filler")
        unhealthy(server, f"{DATA}: the volume is nearly full (", " are free); make room")
        assert health(server, "--own") == (0, [])


def test_descriptors_that_run_out_are_unhealthy(
    client: docker.DockerClient, ossec_image: image.Image
) -> None:
    """D7."""
    with run_server(client, ossec_image.name, FROM_HERE) as server:
        works(server)
        assert health(server) == (0, [])
        # It opens no more connections than fit, so the limit is lowered behind its back.
        [receiver] = [pid for name, pid in server.processes().items() if name in RECEIVERS]
        server.run("prlimit", f"--pid={receiver}", "--nofile=16:16")
        script = "for ((n = 0; n < 30; n++)); do exec {fd}<> /dev/tcp/127.0.0.1/514; done; sleep 20"
        server.container.exec_run(["bash", "-c", script], detach=True)
        said: list[str] = []

        def unhealthy_by_now() -> bool:
            code, said[:] = health(server)
            return code == 1

        wait_until(unhealthy_by_now, 30, what="the connections to be told of")
        assert server.counters()["no_descriptors"] > 0
        assert any(
            "connections were not accepted, as descriptors or memory ran out" in line for line in said
        ), said

"""Where it runs: terminals, locales, kernels without IPv6, Kubernetes' variables, signals at any moment."""

import errno
import os
import re
import signal as signals
import socket
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

import docker
import pytest

from pipeline import image
from pipeline.server import HARDENED, UNASKED, Server, container, syslog
from pipeline.server import server as run_server
from pipeline.wait import wait_until
from tests.image.conftest import FROM_HERE
from tests.image.start.test_awkward import works
from tests.image.support.volumes import profile

METRICS = {"OSSEC_METRICS_PORT": "9514"}


def ours(server: Server) -> list[str]:
    """The lines that the server itself said, without the one about the host's UDP buffer."""
    lines = server.log().splitlines()
    return [one for one in lines if "ossec-log-server: " in one and "receive buffer" not in one]


@pytest.mark.parametrize("variable", ["LC_ALL", "LANG"])
def test_a_locale_that_the_image_lacks_is_no_trouble(
    client: docker.DockerClient, ossec_image: image.Image, variable: str
) -> None:
    """D13."""
    settings = {**FROM_HERE, variable: "de_DE.UTF-8"}
    with run_server(client, ossec_image.name, settings) as server:
        works(server)
        assert not re.search("(?i)locale|perl: warning", server.log())
        said = server.run("ossec-log-server", "config") + server.run("ossec-log-server", "counters")
        assert not re.search("(?i)setlocale|perl: warning", said)


@pytest.mark.parametrize("options", [{"tty": True}, {"init": True}, {"stdin_open": True, "tty": True}])
def test_a_terminal_or_an_init_in_front_of_it(
    client: docker.DockerClient, ossec_image: image.Image, options: dict[str, Any]
) -> None:
    with run_server(client, ossec_image.name, FROM_HERE, **options) as server:
        server.wait_listening()
        syslog.send_tcp(
            *server.tcp, [syslog.message("Failed password for bob from 203.0.113.9 port 22 ssh2")]
        )
        wait_until(lambda: b'"sidid":5716' in server.container.logs(), 30, what="the alert")
        assert server.stop() == 0, server.container.logs()


def wait_for_traps(server: Server) -> None:
    """Return once the server holds signals back, or has traps for them: its very first act.

    Before that the kernel drops them: it gives the first process of a container none that it has not asked for.
    """
    server.container.reload()
    status = Path(f"/proc/{server.container.attrs['State']['Pid']}/status")
    wanted = sum(1 << number - 1 for number in (signals.SIGTERM, signals.SIGINT))

    def listens() -> bool:
        # It holds them back until its traps are set. Before it, the process is Docker's own.
        said = dict(re.findall(r"^(Name|SigBlk|SigCgt):\s+(\S+)$", status.read_text(), re.MULTILINE))
        masks = (int(said["SigBlk"], 16), int(said["SigCgt"], 16))
        ours = said["Name"] in ("ossec-log-serve", "env", "bash")
        return ours and any(mask & wanted == wanted for mask in masks)

    wait_until(listens, 30, interval=0.005, what="the shell's traps")


@pytest.mark.parametrize("signal", ["TERM", "INT"])
@pytest.mark.parametrize("after", [0, 0.1, 0.25, 0.5, 1.0])
def test_a_signal_at_the_start_ends_it_at_once_and_is_named(
    client: docker.DockerClient, ossec_image: image.Image, signal: str, after: float
) -> None:
    """D11."""
    with run_server(client, ossec_image.name, FROM_HERE) as server:
        wait_for_traps(server)
        time.sleep(after)  # the moment is what is tested
        server.container.kill(signal)
        before = time.monotonic()
        assert server.exit_code() == 0, server.log()
        assert time.monotonic() - before < 5  # 0.1 on an idle machine; Docker waits 10 s
        assert "fault of the image" not in server.wait_said(f"SIG{signal}")


@pytest.mark.parametrize("signal", ["TERM", "INT"])
def test_a_signal_to_a_running_server_is_named(
    client: docker.DockerClient, ossec_image: image.Image, signal: str
) -> None:
    with run_server(client, ossec_image.name, FROM_HERE) as server:
        server.wait_listening()
        server.container.kill(signal)
        assert server.exit_code() == 0
        assert f"ossec-log-server: stopping, as SIG{signal} came" in server.log()


def test_a_signal_that_it_does_not_know_ends_nothing(
    client: docker.DockerClient, ossec_image: image.Image
) -> None:
    unknown = ["USR1", "USR2", "ALRM", "VTALRM", "PROF"]
    with run_server(client, ossec_image.name, FROM_HERE) as server:
        wait_for_traps(server)
        for time_of_it in ("start", "run"):
            for signal in [*unknown, "PIPE"]:
                server.container.kill(signal)
            if time_of_it == "start":
                server.wait_listening()
        works(server)
        for signal in unknown:
            server.wait_said(f"SIG{signal} came, which the server does not know, so it goes on")
        assert server.stop() == 0
        assert "fault of the image" not in server.log()


def test_signals_at_any_moment_of_the_start_break_no_command(
    client: docker.DockerClient, ossec_image: image.Image
) -> None:
    """bash would take the end of a trap for a missing bracket while it reads a $(...), and end."""
    with run_server(client, ossec_image.name, FROM_HERE) as server:
        wait_for_traps(server)
        pid = server.container.attrs["State"]["Pid"]

        def floods_until_started() -> bool:
            try:
                for _ in range(1000):
                    os.kill(pid, signals.SIGHUP)
                    time.sleep(0.00002)  # it is to come between any two of its commands
            except PermissionError:
                pytest.skip("only root may send signals to a container's process as fast as this needs it")
            return server.answer("ossec-log-server", "ready")[0] == 0

        wait_until(floods_until_started, 60, what="the server to start")
        works(server)
        assert "unexpected" not in server.log()
        assert server.stop() == 0


def test_a_daemon_that_a_signal_ends_is_named_with_it(
    client: docker.DockerClient, ossec_image: image.Image
) -> None:
    with run_server(client, ossec_image.name, FROM_HERE) as server:
        server.wait_listening()
        server.kill("ossec-analysisd", "SEGV")
        assert server.exit_code() == 139
        assert (
            "ended with status 139, so the container ends; it was ended by signal 11 (SEGV)" in server.log()
        )


IPV6 = {
    "no IPv6 in the kernel": profile({"socket": errno.EAFNOSUPPORT}, int(socket.AF_INET6)),
    "IPv6 switched off": {"sysctls": {"net.ipv6.conf.all.disable_ipv6": "1"}},
    "IPv6 sockets for IPv6 only": {"sysctls": {"net.ipv6.bindv6only": "1"}},
}


@pytest.mark.parametrize("which", IPV6)
def test_metrics_and_syslog_with_the_ip_that_there_is(
    client: docker.DockerClient, ossec_image: image.Image, which: str
) -> None:
    """D8."""
    options: dict[str, Any] = IPV6[which]
    settings = {**FROM_HERE, **METRICS}
    with run_server(client, ossec_image.name, settings, **options) as server:
        works(server)
        get = "exec 3<>/dev/tcp/127.0.0.1/9514; printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3"
        assert "ossec_log_server_info" in server.run("bash", "-c", get)


def test_a_network_of_ipv6_alone(client: docker.DockerClient, ossec_image: image.Image) -> None:
    name = f"ossec-log-server-{uuid.uuid4().hex[:12]}"
    made = ["docker", "network", "create", "--ipv6", "--ipv4=false", "--subnet", "fd00:51:4::/64", name]
    done = subprocess.run(made, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"NOT RUN ON IPV6 ALONE: {done.stderr.strip()}")
    try:
        settings = {"OSSEC_ALLOWED_IPS": "fd00:51:4::/64", **METRICS}
        with run_server(client, ossec_image.name, settings, network=name) as server:
            server.wait_listening()
            server.container.reload()
            address = server.container.attrs["NetworkSettings"]["Networks"][name]["GlobalIPv6Address"]
            syslog.send_tcp(
                address, 514, [syslog.message("Failed password for bob from 203.0.113.9 port 22 ssh2")]
            )
            wait_until(lambda: server.alerts(), 30, what="the alert")
            server.run("ossec-log-server", "health")
    finally:
        subprocess.run(["docker", "network", "rm", name], check=True, capture_output=True)


# Of the shell, which would take them from its environment.
SHELLS_OWN = {
    "BASHOPTS": "failglob:extdebug",
    "SHELLOPTS": "noexec",
    "EUID": "0",
    "POSIXLY_CORRECT": "1",
    "IFS": "/",
}


def test_variables_of_the_shell_change_nothing(client: docker.DockerClient, ossec_image: image.Image) -> None:
    with run_server(client, ossec_image.name, {**FROM_HERE, **SHELLS_OWN}) as server:
        works(server)
        assert ours(server) == []


def test_too_few_processes_are_one_line(client: docker.DockerClient, ossec_image: image.Image) -> None:
    with run_server(client, ossec_image.name, pids_limit=10) as server:
        assert (server.exit_code(), server.log().count("\n")) == (71, 1), server.log()
        assert "may have 10 processes, and the server needs 16 or more; raise the limit" in server.log()


def test_a_limit_of_a_file_s_size_is_one_line(client: docker.DockerClient, ossec_image: image.Image) -> None:
    """It would end the intake or the engine in the middle of their work."""
    limit = [docker.types.Ulimit(name="fsize", soft=100_000_000, hard=100_000_000)]
    with run_server(client, ossec_image.name, ulimits=limit) as server:
        assert (server.exit_code(), server.log().count("\n")) == (71, 1), server.log()
        assert "leave it out: docker run --ulimit fsize=-1" in server.log()


LINKS = {
    "OSSEC_METRICS_PORT": "tcp://10.96.0.7:9514",
    "OSSEC_METRICS_PORT_9514_TCP": "tcp://10.96.0.7:9514",
    "OSSEC_METRICS_PORT_9514_TCP_PROTO": "tcp",
    "OSSEC_METRICS_SERVICE_HOST": "10.96.0.7",
    "OSSEC_METRICS_SERVICE_PORT_HTTP": "9514",
    "OSSEC_SYSLOG_PORT": "udp://10.96.0.8:514",
    "OSSEC_SMTP_SERVER_PORT": "tcp://10.96.0.9:25",
    "OSSEC_SMTP_SERVER_PORT_25_TCP_ADDR": "10.96.0.9",
    "OSSEC_EMAIL_TO_PORT": "tcp://[fd00::7]:25",
    "OSSEC_FORWARD_PORT_514_TCP": "tcp://10.96.0.10:514",
}


def test_what_kubernetes_sets_for_services_counts_as_not_set(
    client: docker.DockerClient, ossec_image: image.Image
) -> None:
    """D5."""
    with run_server(client, ossec_image.name, {**FROM_HERE, **LINKS}) as server:
        works(server)
        told = ours(server)
        assert {line.split(": ")[1] for line in told} == {"OSSEC_METRICS_PORT", "OSSEC_SYSLOG_PORT"}, told
        for line in told:
            assert "counts as not set; set enableServiceLinks: false in the pod" in line
        # Each health check would say it again.
        assert server.answer("ossec-log-server", "ready") == (0, "")


@pytest.mark.parametrize("command", [[], ["check"]], ids=["server", "check"])
def test_a_metrics_port_in_use_is_one_line(
    client: docker.DockerClient, ossec_image: image.Image, command: list[str]
) -> None:
    with run_server(client, ossec_image.name, {**FROM_HERE, **METRICS}) as first:
        first.wait_listening()
        settings = ["-e", "OSSEC_METRICS_PORT=9514", "-e", "OSSEC_SYSLOG_PORT=1514"]
        beside = ["docker", "run", "--rm", "--network", f"container:{first.container.id}", *settings]
        done = subprocess.run(
            [*beside, ossec_image.name, *command], capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stderr.count("\n")) == (73, 1), done.stderr
        assert "OSSEC_METRICS_PORT: 9514 is in use by another program in this network; write" in done.stderr


def test_a_low_metrics_port_where_only_root_has_those_is_one_line(
    client: docker.DockerClient, ossec_image: image.Image
) -> None:
    settings = {"OSSEC_SYSLOG_PORT": "1514", "OSSEC_METRICS_PORT": "900"}
    options = {"sysctls": {"net.ipv4.ip_unprivileged_port_start": "1024"}}
    with run_server(client, ossec_image.name, settings, ["check"], **options) as server:
        assert (server.exit_code(), server.log().count("\n")) == (73, 1), server.log()
        assert "OSSEC_METRICS_PORT: this host gives a port below 1024 to root only" in server.log()


def test_a_standard_output_that_nobody_reads_stops_no_stop(
    client: docker.DockerClient, ossec_image: image.Image
) -> None:
    blocked = "mkfifo /tmp/out; exec 3<>/tmp/out; exec ossec-log-server > /tmp/out"
    options: dict[str, Any] = {"entrypoint": ["bash", "-c", blocked]}
    with run_server(client, ossec_image.name, FROM_HERE, **options) as server:
        server.wait_listening()
        lines = [
            syslog.message(f"Failed password for user{n} from 203.0.113.9 port 22 ssh2") for n in range(3000)
        ]
        syslog.send_tcp(*server.tcp, lines)
        wait_until(lambda: server.counters()["print_waiting_bytes"] > 100_000, 30, what="alerts that wait")
        assert server.stop() == 0, server.log()


def test_the_host_s_own_network(client: docker.DockerClient, ossec_image: image.Image) -> None:
    """D16: Where others' ports are seen, too, the second server names the port, and the first stays healthy."""
    # Ports that no other test has on this machine: a page publishes 9514.
    environment = {"OSSEC_METRICS_PORT": "19514", "OSSEC_SYSLOG_PORT": "15514"}
    options = {**HARDENED, **UNASKED, "environment": environment, "network_mode": "host"}
    with container(client, ossec_image.name, **options) as made:
        server = Server(made)
        server.wait_listening()
        server.run("ossec-log-server", "health")
        with container(client, ossec_image.name, **options) as second:
            assert (Server(second).exit_code(), Server(second).log().count("\n")) == (73, 1), second.logs()
            assert "in use by another" in Server(second).log()
        server.run("ossec-log-server", "health")

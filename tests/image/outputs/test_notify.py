"""Alerts by HTTP: to servers that misbehave, by HTTPS, and to real ones."""

import io
import json
import re
import socket
import socketserver
import ssl
import tarfile
import threading
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic
from typing import Any

import docker
import pytest
from docker.models.containers import Container

from pipeline import image
from pipeline.server import Server, container, gateway, network, syslog
from pipeline.server import server as run_server
from pipeline.server.alerts import parse
from pipeline.server.execute import execute
from pipeline.server.shell import Shell
from pipeline.wait import wait_until
from tests import loopback
from tests.image.conftest import FROM_HERE, helper_image
from tests.image.support.alerts import attack
from tests.image.support.ledger import restart, send


def numbers_of(bodies: list[bytes]) -> list[int]:
    """The number of `attack` in each; an alert has it as its user, too."""
    return [int(found[1]) for body in bodies if (found := re.search(rb"note(\d{6})", body))]


@dataclass
class Receiver:
    """What one path was asked for, and what it answers: a status, with headers, or what it does to the connection."""

    answers: list[Any] = field(default_factory=list)
    requests: list[tuple[float, str, bytes, dict[str, str]]] = field(default_factory=list)

    @property
    def bodies(self) -> list[bytes]:
        return [body for _, _, body, _ in self.requests]

    @property
    def numbers(self) -> list[int]:
        """The numbers of `attack` in what was posted, in order."""
        return numbers_of(self.bodies)


@contextmanager
def receiving(host: str, tls: ssl.SSLContext | None = None) -> Iterator[tuple[str, dict[str, Receiver]]]:
    """A server of HTTP whose URL it gives; /PATH/... belongs to the receiver PATH."""
    receivers: dict[str, Receiver] = {}
    end = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            one = receivers.setdefault(self.path.partition("?")[0].split("/")[1], Receiver())
            one.requests.append((monotonic(), self.path, body, dict(self.headers)))
            answer = one.answers.pop(0) if one.answers else 200
            if answer == "hang":
                end.wait(60)
            if answer in ("hang", "close"):
                self.close_connection = True
                return
            if answer == "slow":
                end.wait(3)
                answer = 200
            status, headers = answer if isinstance(answer, tuple) else (answer, {})
            self.send_response(status)
            body = b"words" if status != 204 else b""
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # clients that do not trust this server hang up on purpose

    with Quiet((host, 0), Handler) as http:
        if tls:
            http.socket = tls.wrap_socket(http.socket, server_side=True, do_handshake_on_connect=False)
        with loopback.in_thread(http):
            try:
                yield f"http{'s' if tls else ''}://{host}:{http.server_port}", receivers
            finally:
                end.set()


def taken(server: Server, *names: str) -> dict[str, int]:
    counters = server.counters()
    return {name: counters[f"notify_{name}" if name != "notified" else name] for name in names}


def test_servers_that_misbehave_lose_nothing_that_they_did_not_refuse(
    client: docker.DockerClient, built: image.Image
) -> None:
    """One server of ours, one daemon for each way to go wrong, all at once."""
    count = 6
    with network(client) as net, receiving(gateway(net)) as (url, receivers):
        ways: dict[str, list[Any]] = {
            "good": [],
            "slow": ["slow"],
            "busy": [503, 500, "close", (429, {"Retry-After": "3"})],
            "refusing": [404, 404, 403],
            "moved": [(307, {"Location": "/moved/there"}), 200, (301, {"Location": "/moved/there"}), 200],
            "elsewhere": [(302, {"Location": "http://elsewhere.example/"})],
            "nobody": [204],  # Apprise, without that configuration
        }
        for name, answers in ways.items():
            receivers[name] = Receiver(answers)
        settings = {
            **FROM_HERE,
            "OSSEC_NOTIFY_URL": ", ".join(
                f"{'apprise+' if name == 'nobody' else ''}{url}/{name}?token=s3cret" for name in ways
            ),
            "OSSEC_NOTIFY_LEVEL": "5",
            "OSSEC_NOTIFY_HEADERS": "Authorization: Bearer t0ken",
        }
        with run_server(client, built.name, settings, network=net.name) as server:
            server.wait_listening()
            attack(server, "note", range(count))
            every = list(range(count))

            def all_there() -> bool:
                done = {name: sorted(set(one.numbers)) for name, one in receivers.items()}
                return all(numbers == every for numbers in done.values())

            wait_until(all_there, 60, what="the alerts everywhere")
            wait_until(lambda: taken(server, "waiting_bytes")["waiting_bytes"] == 0, 30, what="the counters")
            counted = {"notified": 7 * count - 5, "refused": 5, "summarised": 0}
            wait_until(lambda: taken(server, *counted) == counted, 30, what="the counters")
            good = receivers["good"]
            assert good.numbers == every  # once each, in order
            assert receivers["slow"].numbers == every
            assert {headers["Authorization"] for *_, headers in good.requests} == {"Bearer t0ken"}
            assert all(parse(body)["rule"]["level"] >= 5 for body in good.bodies)
            assert receivers["busy"].numbers == [0, 0, 0, 0, *every]
            gap = receivers["busy"].requests[4][0] - receivers["busy"].requests[3][0]
            assert gap >= 3  # as Retry-After says
            assert receivers["refusing"].numbers == every
            paths = [path for _, path, _, _ in receivers["moved"].requests]
            assert paths[:4] == ["/moved?token=s3cret", "/moved/there"] * 2
            for said in (
                "refuses an alert with 404",
                "refuses an alert with 403",
                "refuses an alert with 302 (a redirect to elsewhere",
                "refuses an alert with 204 (it has nobody to notify: configure that in Apprise)",
                "takes no alerts, so they wait: it answers 503",
                "takes alerts again",
            ):
                log = server.wait_said(said)
            assert log.count("refuses an alert with 404") == 1
            assert log.count("refuses an alert with 403") == 1
            assert "s3cret" not in log
            assert "t0ken" not in log
            command_lines = server.run(
                "bash", "-c", "cat /proc/*/cmdline /proc/[2-9]*/environ 2>/dev/null | tr '\\0' ' '"
            )
            assert "ossec-notify http /run/ossec/notify/" in command_lines
            metrics = server.run("ossec-log-server", "counters", "--prometheus")
            assert "ossec_log_server_notify_refused_total 5" in metrics
            assert 'ossec_log_server_output_waiting_bytes{output="notify"} 0' in metrics


def test_an_alert_waits_over_a_kill_and_a_stop_with_a_server_that_hangs(
    client: docker.DockerClient, built: image.Image
) -> None:
    with network(client) as net, receiving(gateway(net)) as (url, receivers):
        receivers["a"] = Receiver([503] * 1000)
        settings = {**FROM_HERE, "OSSEC_NOTIFY_URL": f"{url}/a", "OSSEC_NOTIFY_LEVEL": "1"}
        with run_server(client, built.name, settings, network=net.name) as server:
            server.wait_listening()
            attack(server, "note", range(20))
            wait_until(lambda: receivers["a"].requests, 30, what="the first request")
            server.container.kill()
            assert server.exit_code() == 137
            receivers["a"].answers = ["hang"]
            had = len(receivers["a"].requests)
            restart(server)
            wait_until(lambda: len(receivers["a"].requests) > had, 30, what="a request that hangs")
            began = monotonic()
            assert server.stop() == 0  # not killed
            assert monotonic() - began < 9
            had = len(receivers["a"].requests)
            restart(server)
            wait_until(lambda: receivers["a"].numbers[-1:] == [19], 30, what="all alerts")
            assert numbers_of(receivers["a"].bodies[had:]) == list(range(20))


def test_an_hour_has_its_number_and_one_summary_for_the_rest(
    client: docker.DockerClient, built: image.Image
) -> None:
    with network(client) as net, receiving(gateway(net)) as (url, receivers):
        names = ("json", "slack", "text", "apprise", "alertmanager")
        settings = {
            **FROM_HERE,
            "OSSEC_NOTIFY_URL": " ".join(f"{name}+{url}/{name}" for name in names),
            "OSSEC_NOTIFY_LEVEL": "5",
            "OSSEC_NOTIFY_MAX_PER_HOUR": "3",
        }
        with run_server(client, built.name, settings, network=net.name) as server:
            server.wait_listening()
            attack(server, "note", range(10))
            wait_until(lambda: taken(server, "summarised")["summarised"] == 5 * 7, 30, what="the counters")
            assert all(receivers[name].numbers == [0, 1, 2] for name in names)
            assert json.loads(receivers["slack"].bodies[0])["text"].startswith("*Level ")
            assert receivers["text"].requests[0][3]["Title"].startswith("Level ")
            [first] = json.loads(receivers["alertmanager"].bodies[0])
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", first["startsAt"])
            assert first["labels"]["rule"].isdecimal()
            # An hour later: the file beside the position says when it began.
            server.stop()
            age_the_hour(client, server)
            restart(server)
            wait_until(
                lambda: all(len(receivers[name].bodies) == 4 for name in names), 30, what="the summaries"
            )
            assert json.loads(receivers["json"].bodies[3])["summary"]["count"] == 7
            for name in names[1:]:
                assert b"7 more alerts since" in receivers[name].bodies[3]
            attack(server, "note", range(10, 12))
            wait_until(
                lambda: all(receivers[name].numbers[3:] == [10, 11] for name in names),
                30,
                what="the next hour",
            )


def age_the_hour(client: docker.DockerClient, server: Server) -> None:
    """Write as the beginning of the hour one that is an hour before, in the files of a server that is stopped."""
    folder = "/var/ossec/data/queue/notify"
    stream, _ = server.container.get_archive(folder)
    old = tarfile.open(fileobj=io.BytesIO(b"".join(stream)))  # noqa: SIM115
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as new:
        for member in old:
            if not member.name.endswith("position.hour.recent"):
                continue
            content = old.extractfile(member)
            assert content
            words = content.read().decode().split()[:-1]
            words[0] = str(int(words[0]) - 3601)
            text = " ".join(words).ljust(182)
            data = f"{text} {zlib.crc32(text.encode()):08x}\n".encode()
            assert len(data) == member.size
            new.addfile(member, io.BytesIO(data))
    server.container.put_archive("/var/ossec/data/queue", out.getvalue())


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = loopback.certificates(tmp_path_factory.mktemp("tls"), receiver="receiver.example")
    loopback.certificate(folder, "stranger")
    return folder


def test_https_is_verified(
    client: docker.DockerClient, standin_image: image.Image, certificates: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "receiver.crt", certificates / "receiver.key")
    with network(client) as net, receiving(gateway(net), context) as (url, receivers):
        options: dict[str, Any] = {
            "network": net.name,
            "extra_hosts": {"receiver.example": gateway(net), "other": gateway(net)},
        }
        port = url.rpartition(":")[2]
        settings = {
            **FROM_HERE,
            "OSSEC_NOTIFY_LEVEL": "1",
            "OSSEC_NOTIFY_URL": f"https://receiver.example:{port}/right https://other:{port}/wrong",
        }
        mounts = [f"{certificates / 'ca.crt'}:/etc/ossec-log-server/notify/ca.crt:ro"]
        with run_server(client, standin_image.name, settings, volumes=mounts, **options) as server:
            server.wait_listening()
            attack(server, "note", range(3))
            wait_until(lambda: receivers.get("right", Receiver()).numbers == [0, 1, 2], 30, what="the alerts")
            wait_until(
                lambda: re.search(
                    r"https://other:\d+ takes no alerts.*(certificate|SSL).*other", server.log()
                ),
                30,
                what="why",
            )
        with run_server(client, standin_image.name, settings, **options) as server:  # of the public CAs, none
            server.wait_listening()
            attack(server, "note", range(3))
            wait_until(
                lambda: re.search(r"https://receiver.example:\d+ takes no alerts.*certificate", server.log()),
                30,
                what="why",
            )
        assert "wrong" not in receivers
        assert receivers["right"].numbers == [0, 1, 2]


def test_a_proxy_is_used_and_passed_by_as_the_usual_variables_say(
    client: docker.DockerClient, standin_image: image.Image
) -> None:
    with network(client) as net, receiving(gateway(net)) as (url, receivers):
        settings = {
            **FROM_HERE,
            "OSSEC_NOTIFY_LEVEL": "1",
            "OSSEC_NOTIFY_URL": f"http://far.example/a {url}/near",
            "HTTP_PROXY": url,
            "NO_PROXY": gateway(net),
        }
        with run_server(client, standin_image.name, settings, network=net.name) as server:
            server.wait_listening()
            attack(server, "note", range(2))
            wait_until(
                lambda: len(receivers.get("", Receiver()).requests) == 2, 30, what="the proxy to be asked"
            )
            assert {path for _, path, _, _ in receivers[""].requests} == {"http://far.example/a"}
            wait_until(lambda: receivers.get("near", Receiver()).numbers == [0, 1], 30, what="the near one")


@contextmanager
def tunnelling(host: str, to: tuple[str, int]) -> Iterator[tuple[str, list[str]]]:
    """A proxy for HTTPS, whose URL it gives: whatever it is asked to CONNECT to, it connects to that address."""
    asked: list[str] = []

    class Tunnel(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            asked.append(self.rfile.readline().decode().strip())
            while self.rfile.readline().strip():
                pass
            with socket.create_connection(to, 10) as far:
                self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=self.pump, args=(far, self.connection), daemon=True)
                back.start()
                self.pump(self.connection, far)
                back.join()

        @staticmethod
        def pump(source: socket.socket, target: socket.socket) -> None:
            with suppress(OSError):
                while data := source.recv(65536):
                    target.sendall(data)
                target.shutdown(socket.SHUT_WR)

    class Proxy(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Proxy((host, 0), Tunnel) as proxy, loopback.in_thread(proxy):
        yield f"http://{host}:{proxy.server_address[1]}", asked


def test_https_goes_through_its_proxy_and_is_verified_there_too(
    client: docker.DockerClient, standin_image: image.Image, certificates: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "receiver.crt", certificates / "receiver.key")
    with network(client) as net, receiving(gateway(net), context) as (url, receivers):
        port = int(url.rpartition(":")[2])
        with tunnelling(gateway(net), (gateway(net), port)) as (proxy, asked):
            settings = {
                **FROM_HERE,
                "OSSEC_NOTIFY_LEVEL": "1",
                "OSSEC_NOTIFY_URL": "https://receiver.example/right https://other.example/wrong",
                "HTTPS_PROXY": proxy,
            }
            mounts = [f"{certificates / 'ca.crt'}:/etc/ossec-log-server/notify/ca.crt:ro"]
            with run_server(
                client, standin_image.name, settings, volumes=mounts, network=net.name
            ) as server:  # which can resolve neither name
                server.wait_listening()
                attack(server, "note", range(3))
                wait_until(
                    lambda: receivers.get("right", Receiver()).numbers == [0, 1, 2], 60, what="the alerts"
                )
                wait_until(
                    lambda: re.search(
                        r"https://other.example takes no alerts.*(certificate|SSL)", server.log()
                    ),
                    60,
                    what="why not",
                )
        assert "CONNECT receiver.example:443 HTTP/1.1" in asked
        assert "wrong" not in receivers


WRONG: list[tuple[dict[str, str], str]] = [
    ({"OSSEC_NOTIFY_FORMAT": "xml"}, "OSSEC_NOTIFY_FORMAT: "),
    ({"OSSEC_NOTIFY_LEVEL": "17"}, "OSSEC_NOTIFY_LEVEL: "),
    ({"OSSEC_NOTIFY_MAX_PER_HOUR": "many"}, "OSSEC_NOTIFY_MAX_PER_HOUR: "),
    ({"OSSEC_NOTIFY_URL": "ftp://a.example/s3cret"}, "OSSEC_NOTIFY_URL: its URL 1 cannot be posted to"),
    (
        {"OSSEC_NOTIFY_URL": "https://a.example b.example/s3cret"},
        "OSSEC_NOTIFY_URL: its URL 2 cannot be posted to",
    ),
    ({"OSSEC_NOTIFY_URL": "https://a.example:99999/s3cret"}, "OSSEC_NOTIFY_URL: its URL 1 has a wrong port"),
    ({"OSSEC_NOTIFY_URL": "teams+https://a.example/s3cret"}, "its URL 1 has the unknown format 'teams'"),
    ({"OSSEC_NOTIFY_URL": "https://a.example/s3cret,https://a.example/s3cret"}, "its URL 2 is there twice"),
    ({"OSSEC_NOTIFY_HEADERS": "X: s3cret"}, "OSSEC_NOTIFY_HEADERS: it is set, and OSSEC_NOTIFY_URL is not"),
    (
        {"OSSEC_NOTIFY_URL": "https://a.example", "OSSEC_NOTIFY_HEADERS": "Bearer s3cret"},
        "OSSEC_NOTIFY_HEADERS: line 1 is not a header",
    ),
    (
        {"OSSEC_NOTIFY_URL": "https://a.example https://b.example", "OSSEC_NOTIFY_HEADERS": "X: s3cret"},
        "line 1 does not say for which",
    ),
    (
        {"OSSEC_NOTIFY_URL": "https://a.example", "OSSEC_NOTIFY_HEADERS": "[c.example]\nX: s3cret"},
        "line 1 names a host that is in no URL",
    ),
]


def test_a_wrong_setting_is_one_line_and_78_and_never_shows_the_secret(
    client: docker.DockerClient, standin_image: image.Image
) -> None:
    """All in one container: `check` reads the environment as the server does."""
    with (
        container(
            client, standin_image.name, entrypoint=["sleep", "600"], tmpfs={"/run": "mode=1777"}
        ) as one,
        closing(Shell(one)) as shell,
    ):
        for variables, complaint in WRONG:
            code, output = shell.execute(["ossec-log-server", "check"], environment=variables)
            [line] = output.decode().splitlines()
            assert code == 78, (variables, line)
            assert line.startswith("ossec-log-server: OSSEC_NOTIFY_")
            assert complaint in line
            assert "s3cret" not in line


def test_each_header_goes_to_its_host_alone(client: docker.DockerClient, standin_image: image.Image) -> None:
    with network(client) as net, receiving(gateway(net)) as (url, receivers):
        port = url.rpartition(":")[2]
        headers = "[one]\nX-Token: for one\n\n[two]\nX-Token: for two\n"
        settings = {
            **FROM_HERE,
            "OSSEC_NOTIFY_LEVEL": "1",
            "OSSEC_NOTIFY_URL": f"http://one:{port}/one http://u%40x:p@two:{port}/two",
            "OSSEC_NOTIFY_HEADERS": headers,
        }
        hosts = {"one": gateway(net), "two": gateway(net)}
        with run_server(client, standin_image.name, settings, network=net.name, extra_hosts=hosts) as server:
            server.wait_listening()
            attack(server, "note", range(1))
            for name in hosts:
                wait_until(lambda: receivers.get(name, Receiver()).numbers == [0], 30, what=name)  # noqa: B023
                assert receivers[name].requests[0][3]["X-Token"] == f"for {name}"
            assert receivers["two"].requests[0][3]["Authorization"] == "Basic dUB4OnA="
            assert "Authorization" not in receivers["one"].requests[0][3]
            # A daemon of these that dies ends the container, as any other.
            server.kill("ossec-notify")
            assert server.exit_code() == 137
            assert "ossec-log-server: ossec-notify (PID " in server.log()


@pytest.fixture(scope="session")
def receivers_image(
    client: docker.DockerClient, ossec_image: image.Image, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The name of an image with ntfy, Alertmanager, Apprise and Prometheus."""
    return helper_image(tmp_path_factory, "receivers", ossec_image)


def asked(one: Container, *command: str) -> str:
    return execute(one, command).output.decode(errors="replace")


def test_real_ntfy_alertmanager_and_apprise_take_them(
    client: docker.DockerClient, ossec_image: image.Image, receivers_image: str
) -> None:
    start = (
        "mkdir -p /tmp/am && echo 'route: {receiver: none}\nreceivers: [{name: none}]' > /tmp/am/a.yml;"
        "prometheus-alertmanager --config.file=/tmp/am/a.yml --storage.path=/tmp/am --cluster.listen-address= &"
        "exec ntfy serve --listen-http :8080 --cache-file /tmp/ntfy.db --base-url http://ntfy"
    )
    with (
        network(client) as net,
        receiving(gateway(net)) as (url, receivers),
        container(
            client, receivers_image, entrypoint=["bash", "-c", start], user="0", network=net.name
        ) as real,
    ):
        real.reload()
        host = real.attrs["NetworkSettings"]["Networks"][net.name]["IPAddress"]
        settings = {
            **FROM_HERE,
            "OSSEC_NOTIFY_LEVEL": "5",
            "OSSEC_NOTIFY_URL": f"text+http://{host}:8080/alerts alertmanager+http://{host}:9093/api/v2/alerts"
            f" slack+{url}/slack apprise+{url}/apprise",
        }
        with run_server(client, ossec_image.name, settings, network=net.name) as server:
            server.wait_listening()
            line = "Failed password for root from 203.0.113.9 port 22 ssh2"
            send(server.address(), [syslog.message(line).encode()])
            wait_until(lambda: server.counters()["notified"] == 4, 60, what="all to take it")
            long = f"Failed password for {'ü&' * 1500} from 203.0.113.9 port 22 ssh2"
            send(server.address(), [syslog.message(long).encode()])
            wait_until(lambda: server.counters()["notified"] == 8, 60, what="all to take the long one")
            assert server.counters()["notify_refused"] == 0
        fetch = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read().decode())"
        message, cut = [
            json.loads(text)
            for text in asked(real, "python3", "-c", fetch, "http://127.0.0.1:8080/alerts/json?poll=1").split(
                "\n"
            )
            if text
        ]
        assert message["title"] == "Level 5: SSHD authentication failed."
        assert message["priority"] == 3
        assert line in message["message"]
        assert cut["message"].endswith(" ...")
        assert "attachment" not in cut  # which a message of more than 4096 bytes becomes
        slack = json.loads(receivers["slack"].bodies[1])["text"]
        assert slack.endswith(" ...```")
        assert len(slack) < 2000  # Discord takes no more
        # Debian has Apprise without its HTTP API: that gives Apprise these three words, which are given to it here.
        asked_for = json.loads(receivers["apprise"].bodies[0])
        words = [
            f"--{name if name != 'type' else 'notification-type'}={asked_for[name]}"
            for name in ("title", "body", "type")
        ]
        code, said = execute(real, ["apprise", *words, f"{url.replace('http', 'json')}/passed-on"])
        assert code == 0, said
        passed_on = json.loads(receivers["passed-on"].bodies[0])
        assert (passed_on["title"], passed_on["type"]) == ("Level 5: SSHD authentication failed.", "info")
        assert line in passed_on["message"]
        alert, _ = json.loads(asked(real, "python3", "-c", fetch, "http://127.0.0.1:9093/api/v2/alerts"))
        assert alert["labels"]["rule"] == "5716"
        assert alert["labels"]["srcip"] == "203.0.113.9"
        assert line in alert["annotations"]["description"]

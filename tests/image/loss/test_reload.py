"""Settings, rules and certificates are changed while it runs: under load nothing is lost, and no connection breaks."""

import random
import re
import socket
import ssl
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.request import urlopen

import docker
from docker.models.containers import Container
from docker.models.networks import Network

from pipeline import image
from pipeline.console import out
from pipeline.server import Server, container, gateway, network, syslog
from pipeline.server import address as container_address
from pipeline.server import server as run_server
from pipeline.server.certificates import certificates
from pipeline.soak import drained, events, staged
from pipeline.soak.report import table
from pipeline.soak.senders import RelpSender, Sender, TcpSender, TlsSender, UdpSender
from pipeline.soak.verdict import judge
from pipeline.wait import wait_until
from tests.image.conftest import FROM_HERE
from tests.image.intake.test_intake import wait_archived
from tests.image.outputs.test_notify import Receiver, receiving
from tests.image.start.test_environments import wait_for_traps
from tests.image.support.alerts import attack, numbers_in
from tests.image.support.collector import Collector

DAEMONS = (
    "ossec-intake",
    "ossec-analysisd",
    "ossec-maild",
    "ossec-output",
    "ossec-monitord",
    "nullmailer-send",
)
RATE = 50.0  # lines a second of each sender
RULE = (
    "<group name='local,'><rule id='100100' level='{0}'><match>{1}</match>"
    "<description>x</description></rule></group>"
)


def test_reloads_under_load_lose_nothing_and_break_no_connection(ossec_image: image.Image) -> None:
    with staged(ossec_image.name, random.Random(9)) as stage:
        senders: list[Sender] = [
            UdpSender("udp", lambda: stage.address, RATE),
            TcpSender("tcp", lambda: stage.address, RATE),
            TlsSender("tls", lambda: stage.address, RATE, tls=stage.tls),
            RelpSender("relp", lambda: stage.address, RATE),
        ]
        for sender in senders:
            sender.start()
        for action in (
            events.reload,
            events.reload_refused,
            events.reload,
            events.reload,
            events.reload_refused,
        ):
            time.sleep(0.5)  # of load
            events.happen(stage, action)
        for sender in senders:
            sender.finish()
        verdict = judge(senders, drained(stage, senders), stage.events)
        out.print(table(verdict, "reloads"))
        assert not verdict.problems, "\n".join(verdict.problems)
        assert [sender.broken for sender in senders] == [0] * 4
        for one in verdict.accounts:
            assert one.archived > 100, one
            assert one.archived == one.sent or one.protocol == "UDP", one
            assert not any(one.repeated.values()), one


SHOP_DECODER = (
    "<decoder name='shop'><program_name>^shop</program_name></decoder>"
    "<decoder name='shop-login'><parent>shop</parent><prematch>^login of </prematch>"
    "<regex offset='after_prematch'>^(\\S+) from (\\S+)</regex><order>user, srcip</order></decoder>"
)
SHOP_RULE = (
    "<group name='local,'><rule id='100110' level='8'><decoded_as>shop</decoded_as>"
    "<list field='user' lookup='match_key'>lists/banned</list><description>x</description></rule></group>"
)


class Changing:
    """A server whose mounted folder is at hand, and what its daemons' PIDs were."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.pids = self.running()

    def running(self) -> dict[str, int]:
        return {name: pid for name, pid in self.server.processes().items() if name in DAEMONS}

    def restarted(self) -> set[str]:
        """Those of another PID than at the last question."""
        before = self.pids
        # One that has just been started may have the shell's name for a moment.
        self.pids = wait_until(
            lambda: now if (now := self.running()).keys() == before.keys() else None, 30, what="the daemons"
        )
        return {name for name, pid in self.pids.items() if pid != before[name]}

    def reload(self) -> tuple[int, str]:
        code, said = self.server.answer("ossec-log-server", "reload")
        assert said.count("\n") == 1, said
        return code, said

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@contextmanager
def changing(
    client: docker.DockerClient, image_name: str, folder: Path, **settings: str
) -> Iterator[Changing]:
    """Its folder holds `etc`, mounted as /etc/ossec-log-server, and `values`, as /values."""
    folder.chmod(0o755)
    volumes = []
    for name, mounted in [("etc", "/etc/ossec-log-server"), ("values", "/values")]:
        (folder / name).mkdir(exist_ok=True)
        volumes.append(f"{folder / name}:{mounted}:ro")
    with run_server(client, image_name, {**FROM_HERE, **settings}, volumes=volumes) as server:
        server.wait_listening()
        yield Changing(server, folder)


def alerts(server: Server, text: str) -> int:
    return sum(text in alert["full_log"] for alert in server.alerts())


def test_what_changes_decides_which_daemons_start_again(
    client: docker.DockerClient, ossec_image: image.Image, tmp_path: Path
) -> None:
    (tmp_path / "values").mkdir()
    (tmp_path / "values" / "to").write_text("a@example.org")
    mail = {
        "OSSEC_EMAIL_NOTIFICATION": "yes",
        "OSSEC_EMAIL_TO_FILE": "/values/to",
        "OSSEC_EMAIL_FROM": "b@example.org",
        "OSSEC_SMTP_SERVER_FILE": "/values/relay",
        "OSSEC_ALLOWED_IPS_FILE": "/values/allowed",
        "OSSEC_ALLOWED_IPS": "",
    }
    (tmp_path / "values" / "relay").write_text("127.0.0.1:2525")
    (tmp_path / "values" / "allowed").write_text("10.0.0.0/8,172.16.0.0/12,192.168.0.0/16")
    with changing(client, ossec_image.name, tmp_path, **mail) as it:
        assert set(it.pids) == set(DAEMONS)
        assert it.reload() == (0, "ossec-log-server: reloaded; started again: no daemon\n")
        assert not it.restarted()

        it.write("etc/local_rules.xml", RULE.format(5, "first"))
        assert it.reload()[0] == 0
        # ossec.conf names the file.
        assert it.restarted() == {"ossec-analysisd", "ossec-monitord", "ossec-maild"}
        it.write("etc/local_rules.xml", RULE.format(6, "first"))
        assert it.reload()[0] == 0
        assert it.restarted() == {"ossec-analysisd", "ossec-monitord"}
        syslog.send_tcp(*it.server.tcp, [syslog.message("the first of them", tag="app")])
        wait_until(lambda: alerts(it.server, "the first of them") == 1, 30, what="the new rule's alert")

        for name, text, complaint in [
            (
                "etc/local_rules.xml",
                RULE.format(99, "x"),
                "local_rules.xml line 1: the level of rule 100100: '99' is not a level",
            ),
            (
                "etc/local_rules.xml",
                RULE.format(5, "x").replace("match", "matsch"),
                "local_rules.xml line 1: OSSEC says: ",
            ),
            ("etc/lists/users", "no colon", "lists/users line 1: 'no colon' is not an entry of a list"),
            (
                "values/allowed",
                "10.0.0.0/8,nobody",
                "OSSEC_ALLOWED_IPS: 'nobody' is a name; write the addresses",
            ),
            (
                "values/to",
                "nobody",
                "OSSEC_EMAIL_TO: what /values/to holds is not an email address",
            ),
        ]:
            path = tmp_path / name
            before = path.read_text() if path.exists() else None
            it.write(name, text)
            code, said = it.reload()
            assert code == 78
            assert said.startswith("ossec-log-server: not reloaded, the old configuration stays in force: ")
            assert complaint in said
            if before is None:
                path.unlink()
            else:
                path.write_text(before)
        assert not it.restarted()
        syslog.send_tcp(*it.server.tcp, [syslog.message("the first of them again", tag="app")])
        wait_until(lambda: alerts(it.server, "of them again") == 1, 30, what="the old rule's alert")

        it.write("values/relay", "127.0.0.1:2526")
        assert it.reload()[0] == 0
        assert it.restarted() == {"nullmailer-send"}
        it.write("values/to", "c@example.org")
        assert it.reload()[0] == 0
        assert it.restarted() == {"ossec-analysisd", "ossec-monitord", "ossec-maild"}
        assert "<email_to>c@example.org<" in it.server.run("cat", "/run/ossec/ossec.conf")
        it.server.run("ossec-log-server", "health")

        it.server.container.kill("HUP")
        wait_until(
            lambda: it.server.log().count("reloaded; started again: no daemon") == 2,
            60,
            what="SIGHUP's reload",
        )
        assert it.server.stop() == 0


def test_decoders_and_lists_come_into_force(
    client: docker.DockerClient, ossec_image: image.Image, tmp_path: Path
) -> None:
    line = "<13>Nov 26 06:00:00 web1 shop: login of {} from 203.0.113.9"
    with changing(client, ossec_image.name, tmp_path) as it:
        it.write("etc/local_decoder.xml", SHOP_DECODER)
        it.write("etc/local_rules.xml", SHOP_RULE)
        it.write("etc/lists/banned", "mallory:yes\n")
        assert it.reload()[0] == 0
        assert "ossec-analysisd" in it.restarted()
        syslog.send_tcp(*it.server.tcp, [line.format("eve"), line.format("mallory")])
        wait_until(
            lambda: alerts(it.server, "login of mallory") == 1, 60, what="the alert of the list's first"
        )
        it.write("etc/lists/banned", "eve:yes\n")
        assert it.reload()[0] == 0
        assert it.restarted() == {"ossec-analysisd", "ossec-monitord"}
        syslog.send_tcp(*it.server.tcp, [line.format("mallory"), line.format("eve")])
        wait_until(lambda: alerts(it.server, "login of eve") == 1, 60, what="the alert of the list's second")
        assert alerts(it.server, "login of mallory") == 1
        [alert] = [one for one in it.server.alerts() if "login of eve" in one["full_log"]]
        assert (alert["decoder"], alert["dstuser"]) == ("shop", "eve")


def test_targets_change_and_no_alert_is_lost(
    client: docker.DockerClient, ossec_image: image.Image, tmp_path: Path
) -> None:
    """Alerts counted by number, over a reload from one target to another while the first one is away."""
    with (
        network(client) as net,
        receiving(gateway(net)) as (url, receivers),
        Collector(gateway(net), relp=True) as second,
    ):
        first = Collector(gateway(net), relp=True)
        values = tmp_path / "values"
        values.mkdir()
        tmp_path.chmod(0o755)

        def point(collector: Collector, path: str) -> None:
            (values / "forward").write_text("relp://{}:{}".format(*collector.address))
            (values / "notify").write_text(f"{url}/{path}")

        point(first, "first")
        settings = {
            **FROM_HERE,
            "OSSEC_FORWARD_FILE": "/values/forward",
            "OSSEC_NOTIFY_URL_FILE": "/values/notify",
            "OSSEC_NOTIFY_LEVEL": "5",
            "OSSEC_NOTIFY_MAX_PER_HOUR": "0",
        }
        with run_server(
            client, ossec_image.name, settings, network=net.name, volumes=[f"{values}:/values:ro"]
        ) as server:
            server.wait_listening()
            with first:
                attack(server, "note", range(20))
                wait_until(
                    lambda: len(numbers_in(first.lines, "note")) == 20,
                    60,
                    what="20 alerts at the first target",
                )
                wait_until(
                    lambda: len(receivers.get("first", Receiver()).numbers) == 20,
                    60,
                    what="20 at the first URL",
                )
                # Or the last of them come again, to the second target.
                wait_until(
                    lambda: server.counters()["forward_waiting_bytes"] == 0, 60, what="the first's word"
                )
            attack(server, "note", range(20, 40))  # with nobody at the first target
            wait_until(
                lambda: set(receivers["first"].numbers) >= set(range(40)), 60, what="20 more at the first URL"
            )
            point(second, "second")
            code, said = server.answer("ossec-log-server", "reload")
            assert code == 0, said
            assert set(said.partition("again: ")[2].split()) == {"ossec-forward", "ossec-notify"}
            attack(server, "note", range(40, 60))
            wait_until(
                lambda: set(numbers_in(second.lines, "note")) >= set(range(20, 60)), 60, what="the rest"
            )
            wait_until(
                lambda: set(receivers.get("second", Receiver()).numbers) >= set(range(40, 60)),
                60,
                what="the last at the second URL",
            )
            assert numbers_in(second.lines, "note").total() == 40  # none twice
            # A new URL begins with the alerts to come; the old one had those before.
            assert {*receivers["first"].numbers, *receivers["second"].numbers} == set(range(60))
            values.joinpath("forward").write_text("relp://nowhere")
            code, said = server.answer("ossec-log-server", "reload")
            assert code == 78
            assert "OSSEC_FORWARD" in said
            attack(server, "note", range(60, 61))
            wait_until(lambda: 60 in numbers_in(second.lines, "note"), 60, what="one more")


def test_a_network_that_is_shut_out_loses_its_connections_and_no_other_does(
    client: docker.DockerClient, ossec_image: image.Image, tmp_path: Path
) -> None:
    (tmp_path / "values").mkdir()
    (tmp_path / "values" / "allowed").write_text("172.16.0.0/12,192.168.0.0/16,10.0.0.0/8")
    settings = {"OSSEC_ALLOWED_IPS": "", "OSSEC_ALLOWED_IPS_FILE": "/values/allowed"}
    inside = (
        "exec 4<>/dev/tcp/127.0.0.1/514; echo '<13>Nov 26 06:00:00 web1 app: stays one' >&4;"
        " until [[ -e /tmp/go ]]; do sleep 0.1; done; echo '<13>Nov 26 06:00:00 web1 app: stays two' >&4; sleep 1"
    )
    with changing(client, ossec_image.name, tmp_path, **settings) as it:
        it.server.container.exec_run(["bash", "-c", inside], detach=True)
        outside = socket.create_connection((it.server.address(), 514), 10)
        outside.sendall(b"<13>Nov 26 06:00:00 web1 app: goes one\n")
        wait_archived(it.server, "stays one", 1, 60)
        wait_archived(it.server, "goes one", 1, 60)
        (tmp_path / "values" / "allowed").write_text("192.0.2.0/24")
        assert it.reload()[0] == 0
        assert not it.restarted()
        outside.settimeout(10)
        assert outside.recv(1) == b""
        outside.close()
        it.server.run("touch", "/tmp/go")
        wait_archived(it.server, "stays two", 1, 60)
        assert it.server.counters()["refused"] == 1


def test_what_a_reload_can_not_change_is_said(
    client: docker.DockerClient, ossec_image: image.Image, tmp_path: Path
) -> None:
    relp = tmp_path / "values" / "relp"
    relp.parent.mkdir()
    relp.write_text("no")
    with changing(client, ossec_image.name, tmp_path, OSSEC_RELP_FILE="/values/relp") as it:
        relp.write_text("yes")
        code, said = it.reload()
        assert code == 78
        assert "are set at the start of the container; restart it" in said
        relp.write_text("no")
        certificates(tmp_path, server="localhost")
        (tmp_path / "etc" / "tls").mkdir()
        for kind in ("crt", "key"):
            (tmp_path / "etc" / "tls" / f"tls.{kind}").write_bytes((tmp_path / f"server.{kind}").read_bytes())
        assert it.reload()[0] == 78
        assert not it.restarted()


ACME_HOST = "ossec.example.org"
PEBBLE = """
mkdir -p /acme && cd /acme
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \\
    -keyout key.pem -out cert.pem
cat > pebble.json <<X
{"pebble": {"listenAddress": "0.0.0.0:14000", "managementListenAddress": "0.0.0.0:15000", "certificate": "cert.pem",
 "privateKey": "key.pem", "httpPort": 5002, "tlsPort": 5001, "ocspResponderURL": ""}}
X
PEBBLE_VA_NOSLEEP=1 exec pebble -config pebble.json
"""
# What renews for a server: the files take the old ones' place, and then it is told.
LEGO = """
set -e
cd /acme
LEGO_CA_CERTIFICATES=cert.pem lego --server https://localhost:14000/dir --accept-tos --path . --email a@example.org \\
    --domains {host} --http --http.port :5002 {action}
umask 0027
cp certificates/{host}.crt /tls/new.crt && cp certificates/{host}.key /tls/new.key && chmod 0644 /tls/new.*
mv /tls/new.crt /tls/tls.crt && mv /tls/new.key /tls/tls.key
"""


class Acme:
    """Pebble, which looks for the answer to its challenge at ACME_HOST, and lego, which gives it there."""

    def __init__(self, container: Container, on: Network) -> None:
        self._container = container
        self._address = container_address(container, on)

    def lego(self, action: str) -> None:
        script = LEGO.format(host=ACME_HOST, action=action)
        Server(self._container).run("bash", "-c", script)

    def authority(self) -> str:
        """The certificate of Pebble's authority, which it makes anew at each start."""
        anybody = ssl.create_default_context()
        anybody.check_hostname = False
        anybody.verify_mode = ssl.CERT_NONE

        def asked() -> str:
            with urlopen(f"https://{self._address}:15000/roots/0", context=anybody, timeout=5) as answer:
                return str(answer.read().decode())

        return wait_until(asked, 30, what="Pebble", ignoring=(OSError,))


def serial_of(host: str, context: ssl.SSLContext) -> str:
    """Of the certificate that a client gets who looks at the name and the chain."""
    with (
        socket.create_connection((host, 6514), 10) as plain,
        context.wrap_socket(plain, server_hostname=ACME_HOST) as up,
    ):
        return str((up.getpeercert() or {})["serialNumber"])


def test_certificates_are_renewed_by_acme_under_load(
    client: docker.DockerClient, ossec_image: image.Image, acme: str, tmp_path: Path
) -> None:
    tls = tmp_path / "tls"
    tls.mkdir()
    tmp_path.chmod(0o755)
    with network(client) as net, ExitStack() as stack:
        pebble = stack.enter_context(
            container(
                client,
                acme,
                entrypoint=["bash", "-c", PEBBLE],
                user="0",
                network=net.name,
                networking_config={str(net.name): client.api.create_endpoint_config(aliases=[ACME_HOST])},
                volumes=[f"{tls}:/tls"],
            )
        )
        authority = Acme(pebble, net)
        trusting = ssl.create_default_context(cadata=authority.authority())
        authority.lego("run")
        server = stack.enter_context(
            run_server(
                client,
                ossec_image.name,
                {**FROM_HERE, "OSSEC_RELP": "tls"},
                network=net.name,
                volumes=[f"{tls}:/etc/ossec-log-server/tls:ro"],
            )
        )
        server.wait_listening()
        host = container_address(server.container, net)
        load = ssl.create_default_context(cadata=authority.authority())
        load.check_hostname = False
        senders = [
            TlsSender("tls", lambda: host, 200, tls=load),
            RelpSender("relp", lambda: host, 200, tls=load),
        ]
        for sender in senders:
            sender.start()
        serials = [serial_of(host, trusting)]
        for _ in range(2):
            authority.lego("renew --days 100000 --no-random-sleep")  # which is up to eight minutes
            server.container.kill("HUP")
            wait_until(lambda: serial_of(host, trusting) not in serials, 30, what="the new certificate")
            serials.append(serial_of(host, trusting))
        for sender in senders:
            sender.finish()
        assert [sender.broken for sender in senders] == [0, 0]
        sent = sum(len(sender.sent) for sender in senders)
        assert sent > 200
        wait_until(lambda: len(soak_ids(server)) == sent, 60, what=f"{sent} alerts")
        server.wait_said("started again: no daemon")
        assert max(Counter(soak_ids(server)).values()) == 1


def soak_ids(server: Server) -> list[bytes]:
    """Those of all alerts that are written."""
    return re.findall(
        rb'"full_log":"[^"\n]*?(soak_[a-z]+_[0-9]{8})', server.container.logs(stdout=True, stderr=False)
    )


def test_a_signal_while_it_starts_is_a_reload_once_it_runs(
    client: docker.DockerClient, ossec_image: image.Image
) -> None:
    with run_server(client, ossec_image.name, FROM_HERE) as server:
        wait_for_traps(server)  # Docker's own process, which comes first, a SIGHUP ends
        for _ in range(10):
            server.container.kill("HUP")
        server.wait_listening()
        server.wait_said("reloaded")
        server.run("ossec-log-server", "health")
        assert server.stop() == 0

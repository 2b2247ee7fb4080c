"""The Quadlet unit under Podman 5 and systemd, as root and rootless: start, health, an alert, auto-update, stop."""

import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container

from pipeline import image
from pipeline.project import ROOT
from pipeline.server import container
from pipeline.server.execute import execute
from pipeline.wait import wait_until
from tests.image.conftest import helper_image

UNIT = "ossec-log-server.container"
[IMAGE] = re.findall(r"^Image=(.*)$", (ROOT / "examples" / UNIT).read_text(), re.MULTILINE)
SERVER = "systemd-ossec-log-server"
SYSTEMD = "/lib/systemd/systemd"
ATTACK = "<38>Nov 26 06:00:00 web1 sshd[77]: Failed password for bob from 203.0.113.5 port {} ssh2"
# Where the machine has the older cgroups, Podman can limit nothing rootless, and Quadlet's own way needs the newer.
WITHOUT_LIMITS = "/^PidsLimit/d; /^PodmanArgs/d; s/^Pull=never/Pull=never\\nCgroupsMode=enabled/"


class Machine:
    """A container with systemd; commands are run as that user."""

    def __init__(self, inside: Container, user: str) -> None:
        self.inside = inside
        self.user = user
        self.home = "/root" if user == "root" else f"/home/{user}"
        self.systemctl = "systemctl" if user == "root" else "systemctl --user"

    def run(self, script: str, status: int = 0) -> str:
        environment = {"PODMAN_IGNORE_CGROUPSV1_WARNING": "1", "HOME": self.home}
        if self.user != "root":
            environment["XDG_RUNTIME_DIR"] = f"/run/user/{self.root('id -u ' + self.user).strip()}"
        code, output = execute(
            self.inside,
            ["bash", "-c", script],
            user=self.user,
            workdir=self.home,
            environment=environment,
        )
        assert code == status, f"{script}: {output.decode()}"
        return output.decode()

    def root(self, script: str) -> str:
        return Machine(self.inside, "root").run(script) if self.user != "root" else self.run(script)

    def healthy(self) -> bool:
        return self.run(f"podman healthcheck run {SERVER} > /dev/null 2>&1; echo $?") == "0\n"


@pytest.fixture(scope="module")
def inside(
    client: docker.DockerClient, built: image.Image, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Container]:
    name = helper_image(tmp_path_factory, "podman", built)
    options = {
        "privileged": True,
        "cgroupns": "private",
        "tmpfs": {"/run": "", "/tmp": ""},
        "command": [SYSTEMD],
    }
    with container(client, name, volumes=["/var/lib/containers"], **options) as made:
        root = Machine(made, "root")
        wait_until(
            lambda: "running" in root.run("systemctl is-system-running || true; echo") or
            "degraded" in root.run("systemctl is-system-running || true"),
            60, 0.5, "systemd", ignoring=(AssertionError,),
        )  # fmt: skip
        load = ["docker", "exec", "--interactive", str(made.id), "tee", "/var/lib/containers/image.tar"]
        saved = subprocess.run(["docker", "save", built.name], check=True, capture_output=True).stdout
        subprocess.run(load, input=saved, check=True, stdout=subprocess.DEVNULL)
        # What a rootless Podman opens; a machine's udev gives these modes.
        root.run(
            "chmod 666 /dev/fuse /dev/net/tun && chmod 755 /var/lib/containers && useradd --create-home logs"
        )
        root.run("loginctl enable-linger logs")
        wait_until(
            lambda: root.run("ls -d /run/user/$(id -u logs)/bus || true"), 30, 0.5, "the user's systemd"
        )
        yield made


@pytest.mark.parametrize("user", ["root", "logs"])
def test_the_unit_runs_the_server(inside: Container, built: image.Image, user: str, tmp_path: Path) -> None:
    machine = Machine(inside, user)
    unit = tmp_path / UNIT
    unit.write_text((ROOT / "examples" / UNIT).read_text())
    subprocess.run(
        ["docker", "cp", str(unit), f"{inside.id}:/var/lib/containers/{UNIT}"],
        check=True,
        capture_output=True,
    )
    machine.root(f"chmod 644 /var/lib/containers/{UNIT}")
    port, folder = 514, "/etc/containers/systemd"
    if user != "root":
        port, folder = 1514, "$HOME/.config/containers/systemd"
    machine.run(f"mkdir -p {folder} && sed 's/=514:/={port}:/' /var/lib/containers/{UNIT} > {folder}/{UNIT}")
    if user != "root" and machine.root("stat -f -c %T /sys/fs/cgroup").strip() != "cgroup2fs":
        machine.run(f"sed -i '{WITHOUT_LIMITS}' {folder}/{UNIT}")
    machine.run("podman load --quiet --input /var/lib/containers/image.tar")
    loaded = built.name if "/" in built.name else f"docker.io/library/{built.name}"
    machine.run(f"podman tag {loaded} {IMAGE}")
    assert machine.run("podman version --format '{{.Client.Version}}'").startswith("5.")

    machine.run(f"{machine.systemctl} daemon-reload && {machine.systemctl} start ossec-log-server")
    wait_until(machine.healthy, 60, 1, "the server to be healthy")
    inside.reload()
    with socket.create_connection((inside.attrs["NetworkSettings"]["IPAddress"], port), 10) as sender:
        sender.sendall(ATTACK.format(40001).encode() + b"\n")
    alerts = f"podman exec {SERVER} grep -c 'port 40001 ' /var/ossec/logs/alerts/alerts.json || true"
    wait_until(lambda: machine.run(alerts).strip() == "1", 30, 0.5, "the alert")

    # A newer image of the same name is what auto-update starts; the volume goes on.
    assert "false" in machine.run("podman auto-update --dry-run")
    machine.run(
        f"c=$(podman create {IMAGE}) && podman commit --quiet --change 'LABEL newer=yes' $c {IMAGE} && podman rm $c"
    )
    assert "true" in machine.run("podman auto-update")
    assert machine.run(f"podman inspect --format '{{{{.Config.Labels.newer}}}}' {SERVER}") == "yes\n"
    wait_until(machine.healthy, 60, 1, "the newer server to be healthy")
    machine.run(f"podman exec {SERVER} grep -q 'port 40001 ' /var/ossec/logs/alerts/alerts.json")

    machine.run(f"{machine.systemctl} stop ossec-log-server")
    assert machine.run(f"{machine.systemctl} show --property Result ossec-log-server") == "Result=success\n"
    assert machine.run("podman ps --quiet") == ""


def test_an_unhealthy_server_is_restarted(inside: Container) -> None:
    machine = Machine(inside, "root")
    machine.run("systemctl start ossec-log-server")
    wait_until(machine.healthy, 60, 1, "the server to be healthy")
    before = machine.run(f"podman inspect --format '{{{{.Id}}}}' {SERVER}")
    machine.run(f"podman exec {SERVER} bash -c 'kill -STOP $(pidof ossec-analysisd)'")

    # systemd is asked first: each command of Podman's costs fifty times that.
    show = "systemctl show --property ExecMainPID ossec-log-server"
    same = f"{machine.run(show).strip()} | ExecMainPID=0"
    asked = f"for n in {{1..15}}; do case $({show}) in {same}) sleep 2;; *) echo another; exit;; esac; done"
    wait_until(lambda: machine.run(asked), 180, what="another start")

    def replaced() -> bool:
        now = machine.run(f"podman inspect --format '{{{{.Id}}}}' {SERVER} 2> /dev/null || true")
        return now.strip() not in ("", before.strip()) and machine.healthy()

    wait_until(replaced, 60, 2, "another container")
    machine.run("systemctl stop ossec-log-server")

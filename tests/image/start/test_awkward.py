"""Volumes and mounts that go wrong: the server works all the same, or one line says what is wrong and what helps."""

import errno
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import docker
import pytest

from pipeline import image
from pipeline.server import Server, syslog
from pipeline.server import server as run_server
from pipeline.server import volume as new_volume
from pipeline.wait import wait_until
from tests.image.conftest import FROM_HERE
from tests.image.support.volumes import (
    DATA,
    Mounts,
    at,
    exfat,
    fuse_without_mmap,
    memory_volume,
    prepare,
    profile,
    remedy,
)

ALERT = "Failed password for root from 203.0.113.9 port 22 ssh2"


def refused(server: Server, code: int, *words: str) -> str:
    """The one line that the server ended with. Raises AssertionError if it is another, or more, or the code is."""
    assert (server.exit_code(), server.log().count("\n")) == (code, 1), server.log()
    line = server.log().rstrip("\n")
    assert line.startswith("ossec-log-server: ")
    for word in words:
        assert word in line
    return line


# `check`, and then the server in its place: what one container says of both.
CHECK_FIRST: dict[str, Any] = {
    "entrypoint": ["bash", "-c", 'ossec-log-server check; echo "ended with $?" >&2; exec ossec-log-server']
}


def both_refused(server: Server, code: int, *words: str) -> None:
    """What `refused` asserts of a server, and of `check` before it, which is to say the same."""
    assert server.exit_code() == code, server.log()
    checked, ended, started = server.log().splitlines()
    assert ended == f"ended with {code}"
    for line in (checked, started):
        assert line.startswith("ossec-log-server: ")
        for word in words:
            assert word in line


def works(server: Server) -> None:
    """Return once a line that was sent has come back as an alert."""
    server.wait_listening()
    marked = f"{ALERT} {uuid.uuid4()}"
    syslog.send_tcp(*server.tcp, [syslog.message(marked)])
    printed = server.container.logs  # as text: an older image's alerts have another schema
    wait_until(lambda: marked.encode() in printed(stdout=True, stderr=False), 30, what="the alert")


def helped(client: docker.DockerClient, name: str, mounts: Mounts, line: str) -> None:
    """Do what the line says and start again: now it works."""
    done = subprocess.run(remedy(line, name), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    with run_server(client, name, FROM_HERE, volumes=mounts) as server:
        works(server)


# What is on the volume, as root made it, and what is said of it; where there is a remedy, it is tried.
FOREIGN = {
    "a folder of another user": (
        "mkdir -p queue/fts; chown 1234 queue; chmod 700 queue",
        "queue: cannot be written",
    ),
    "a file of another user": (
        "mkdir -p logs; touch logs/ossec.log; chown -R 1234 logs",
        "logs: cannot be written",
    ),
    "a folder nobody may read": (
        "mkdir -p logs/alerts; chown -R 10514 .; chmod 0 logs/alerts",
        "logs/alerts: cannot",
    ),
    "a folder nobody may search": (
        "mkdir -p stats/x; chown -R 10514 .; chmod 600 stats/x",
        "stats/x: cannot be",
    ),
    "a volume of another user": (
        "touch x; chown 1234:1234 .; chmod 700 .",
        f"{DATA}: cannot be written by UID 10514",
    ),
    "an old volume of another user": (
        "mkdir -m 700 rules etc; chown 1234 rules",
        f"{DATA}/etc: cannot be written",
    ),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_what_this_user_cannot_use_is_named_with_a_command_that_helps(
    client: docker.DockerClient, ossec_image: image.Image, volume: str, what: str
) -> None:
    """D1."""
    script, words = FOREIGN[what]
    prepare(client, ossec_image.name, at(volume), f"cd {DATA}; {script}")
    with run_server(client, ossec_image.name, FROM_HERE, volumes=at(volume)) as server:
        line = refused(server, 73, words, f"-v {volume}:{DATA} IMAGE upgrade")
    helped(client, ossec_image.name, at(volume), line)


def test_the_command_names_each_volume_that_is_mounted_within_another(
    client: docker.DockerClient, ossec_image: image.Image, volume: str
) -> None:
    """D10."""
    with new_volume(client) as inner:
        mounts = {**at(volume), **at(inner, f"{DATA}/logs")}
        prepare(client, ossec_image.name, mounts, f"chown 1234 {DATA}/logs; chmod 755 {DATA}/logs")
        with run_server(client, ossec_image.name, FROM_HERE, volumes=mounts) as server:
            line = refused(server, 73, f"{DATA}/logs: cannot be written", f" -v {inner}:{DATA}/logs ")
        helped(client, ossec_image.name, mounts, line)


# What is on the volume, and what comes of it: a code and words, or a server that works.
MADE = {
    "rules and no etc": ("mkdir rules; chown 10514 rules", None),
    "an empty etc": ("mkdir etc; chown 10514 etc", None),
    "what mkfs leaves": ("mkdir logs; mkdir -m 700 lost+found logs/lost+found; chown 10514 logs", None),
    "a file in a folder's place": ("touch logs", (73, "logs/alerts: cannot be made, as another file")),
    "a link to nothing in a folder's place": ("ln -s /nowhere/at/all stats", (73, f"{DATA}/stats: cannot be made")),
    "a layout of a later release": ("echo 9 > .layout", (78, "it has layout 9", "start the release that made it")),
    "a layout that is none": ("printf 'x\\0y' > .layout", (78, f"{DATA}/.layout: 'xy' is not", "write 1 into it")),
}  # fmt: skip


@pytest.mark.parametrize("what", MADE)
def test_what_is_on_the_volume_is_used_or_named(
    client: docker.DockerClient, ossec_image: image.Image, volume: str, what: str
) -> None:
    """D1."""
    script, expected = MADE[what]
    prepare(client, ossec_image.name, at(volume), f"cd {DATA}; {script}")
    with run_server(client, ossec_image.name, FROM_HERE, volumes=at(volume)) as server:
        if expected:
            refused(server, *expected)
        else:
            works(server)


def fill(left: int) -> str:
    """A script that leaves so many bytes on the volume, on which a server has run before, and starts the server."""
    size = f"$(($(df -B 1 --output=avail {DATA} | tail -n 1) - {left}))"
    return f"echo 1 > {DATA}/.layout; head -c {size} /dev/zero > {DATA}/filler; exec ossec-log-server"


def test_a_full_volume_is_named(client: docker.DockerClient, ossec_image: image.Image) -> None:
    with (
        memory_volume(client, "size=80m") as full,
        run_server(
            client, ossec_image.name, volumes=at(full), entrypoint=["bash", "-c", fill(500_000)]
        ) as server,
    ):
        refused(server, 73, f"{DATA}: the volume is full (4", "make room on it, or set OSSEC_RETENTION_BYTES")


def test_a_nearly_full_volume_is_told_of_until_there_is_room(
    client: docker.DockerClient, ossec_image: image.Image
) -> None:
    options: dict[str, Any] = {"entrypoint": ["bash", "-c", fill(2 << 20)]}
    with (
        memory_volume(client, "size=80m") as full,
        run_server(client, ossec_image.name, FROM_HERE, volumes=at(full), **options) as server,
    ):
        server.wait_listening()
        assert f"{DATA}: the volume is nearly full (2" in server.log()
        with pytest.raises(RuntimeError, match=r"the volume is nearly full \(.* are free\); make room"):
            server.run("ossec-log-server", "health")
        server.run("rm", f"{DATA}/filler")
        works(server)
        server.run("ossec-log-server", "health")


def test_a_full_volume_whose_oldest_days_may_be_deleted_starts(
    client: docker.DockerClient, ossec_image: image.Image
) -> None:
    old = f"{DATA}/logs/alerts/2020/Jan"
    made = f"mkdir -p {old}; head -c 20000000 /dev/zero > {old}/ossec-alerts-07.log.gz; {fill(0)}"
    options: dict[str, Any] = {"entrypoint": ["bash", "-c", made]}
    settings = {**FROM_HERE, "OSSEC_RETENTION_BYTES": "1g"}
    with (
        memory_volume(client, "size=80m") as full,
        run_server(client, ossec_image.name, settings, volumes=at(full), **options) as server,
    ):
        works(server)
        assert "deleted the logs of 2020-01-07" in server.log()


def test_a_volume_without_inodes_is_named(client: docker.DockerClient, ossec_image: image.Image) -> None:
    """D1."""
    with (
        memory_volume(client, "size=64m,nr_inodes=12") as few,
        run_server(client, ossec_image.name, FROM_HERE, volumes=at(few)) as server,
    ):
        refused(server, 73, "as the volume has no inodes left", "delete files on it")


def test_a_volume_of_18_mib_works_and_is_told_of(
    client: docker.DockerClient, ossec_image: image.Image
) -> None:
    """D14."""
    with (
        memory_volume(client, "size=18m") as small,
        run_server(client, ossec_image.name, FROM_HERE, volumes=at(small)) as server,
    ):
        works(server)
        assert f"{DATA}: the volume has 18M in all" in server.log()
        assert server.stop() == 0


def test_a_volume_that_is_read_only_is_named(
    client: docker.DockerClient, ossec_image: image.Image, volume: str
) -> None:
    mounts = at(volume, mode="ro")
    for command in ([], ["upgrade"]):
        with run_server(client, ossec_image.name, FROM_HERE, command, volumes=mounts) as server:
            refused(
                server,
                73,
                f"{DATA}: cannot be written by UID 10514, as it is mounted read-only; mount it without",
            )


def test_a_file_system_without_hard_links_is_named(
    client: docker.DockerClient, ossec_image: image.Image, tmp_path: Path
) -> None:
    """D1."""
    with (
        exfat(tmp_path) as folder,
        run_server(client, ossec_image.name, FROM_HERE, volumes=at(str(folder))) as server,
    ):
        refused(server, 73, "has no hard links", "put the volume on ext4, XFS, Btrfs or NFS")


# A system call that is refused on some file systems, with its errno.
REFUSED = {
    "mknodat": (errno.EPERM, ""),  # FIFOs: exFAT, many FUSE
    "fallocate": (errno.EOPNOTSUPP, ""),  # NFS before 4.2, exFAT
    "flock": (errno.ENOLCK, f"{DATA}: its file system takes no lock (No locks available); make sure"),  # NFS
}


@pytest.mark.parametrize("call", REFUSED)
def test_a_file_system_that_can_do_less_is_enough(
    client: docker.DockerClient, ossec_image: image.Image, call: str
) -> None:
    """D1."""
    number, told = REFUSED[call]
    options = profile({call: number})
    with run_server(client, ossec_image.name, FROM_HERE, **options) as server:
        works(server)
        assert server.log().count("ossec-log-server:") == server.log().count("UDP's receive buffer") + bool(
            told
        )
        assert told in server.log()


STOCK = {
    "/var/ossec/rules/local_rules.xml": "mount it as /etc/ossec-log-server/local_rules.xml",
    "/var/ossec/rules/own_rules.xml": "mount it as /etc/ossec-log-server/rules/own_rules.xml",
    "/var/ossec/etc/local_decoder.xml": "mount it as /etc/ossec-log-server/local_decoder.xml",
    "/var/ossec/etc/ossec.conf": "mount it as /etc/ossec-log-server/ossec.conf",
    "/var/ossec/etc": "mount your own files one by one, or as a folder, in /etc/ossec-log-server",
    "/var/ossec/rules": "mount a folder of your own files as /etc/ossec-log-server/rules",
    "/var/ossec/lists": "mount a folder of your own files as /etc/ossec-log-server/lists",
    "/var/ossec/queue": f"mount a volume on {DATA}",
}


@pytest.mark.parametrize("place", STOCK)
def test_what_is_mounted_over_the_image_s_own_is_told_its_place(
    client: docker.DockerClient, ossec_image: image.Image, tmp_path: Path, place: str
) -> None:
    """D9."""
    own = tmp_path / "own"
    own.write_text('<group name="local,"></group>\n') if "." in place else own.mkdir()
    mounts = at(str(own), place, "ro")
    with run_server(client, ossec_image.name, volumes=mounts, **CHECK_FIRST) as server:
        both_refused(server, 78, "is mounted over the image's own", STOCK[place])


def test_logs_on_a_volume_at_their_stock_path_work(
    client: docker.DockerClient, ossec_image: image.Image, volume: str
) -> None:
    prepare(client, ossec_image.name, at(volume), f"chown 10514:0 {DATA}")
    """Where the engine mounts the data volume over it, the server says that nothing is written to it."""
    mounts = at(volume, "/var/ossec/logs")
    with run_server(client, ossec_image.name, FROM_HERE, volumes=mounts) as server:
        works(server)
        hidden = f"{DATA}/logs: nothing is written to what is mounted there" in server.log()
    prepare(client, ossec_image.name, at(volume), f"[[ {'!' if hidden else ''} -e {DATA}/alerts ]]")


def test_a_volume_in_sight_is_not_said_to_be_hidden(
    client: docker.DockerClient, ossec_image: image.Image, volume: str
) -> None:
    with new_volume(client) as inner:
        mounts = {**at(volume), **at(inner, f"{DATA}/logs")}
        prepare(client, ossec_image.name, mounts, f"chown 10514 {DATA} {DATA}/logs")
        with run_server(client, ossec_image.name, FROM_HERE, volumes=mounts) as server:
            works(server)
            assert "mounted there" not in server.log()


def test_a_file_system_that_maps_no_file_into_memory_is_enough(
    client: docker.DockerClient, ossec_image: image.Image, tmp_path: Path
) -> None:
    """As a volume; where it is /run, one line says what helps."""
    with fuse_without_mmap(tmp_path) as folder:
        mounts = at(str(folder))
        with run_server(client, ossec_image.name, FROM_HERE, volumes=mounts) as server:
            works(server)
            assert server.stop() == 0, server.log()
        options: dict[str, Any] = {"tmpfs": {"/tmp": ""}, "volumes": at(str(folder), "/run")}
        with run_server(client, ossec_image.name, FROM_HERE, **options) as server:
            assert server.exit_code() != 0
            assert "give the container a tmpfs" in server.log()


def test_what_lies_where_older_images_had_it_is_told_of(
    client: docker.DockerClient, ossec_image: image.Image, volume: str
) -> None:
    made = "mkdir rules etc; touch rules/local_rules.xml etc/ossec.conf; echo 1 > .layout"
    script = f"cd {DATA}; {made}; chown -R 10514 ."
    prepare(client, ossec_image.name, at(volume), script)
    with run_server(client, ossec_image.name, FROM_HERE, volumes=at(volume)) as server:
        server.wait_listening()
        for name in ("rules/local_rules.xml", "etc/ossec.conf"):
            assert (
                f"{DATA}/{name}: it is not read, as it lies where older images had it; mount" in server.log()
            )


RUN: dict[str, dict[str, Any]] = {
    "none": {"tmpfs": {}},
    "too small": {"tmpfs": {"/run": "size=8k"}},
    "of root": {"tmpfs": {}, "volumes": at("/usr/lib", "/run")},
}


@pytest.mark.parametrize("which", RUN)
def test_a_run_that_cannot_be_written_is_named(
    client: docker.DockerClient, ossec_image: image.Image, which: str
) -> None:
    """D1."""
    with run_server(client, ossec_image.name, FROM_HERE, **RUN[which], **CHECK_FIRST) as server:
        both_refused(server, 73, "/run/ossec", "give the container a tmpfs", ": --tmpfs /run")


@pytest.mark.parametrize("tmpfs", [{"/run": "mode=1777"}, {"/run": ""}])
def test_run_is_the_only_tmpfs_that_is_needed(
    client: docker.DockerClient, ossec_image: image.Image, tmpfs: dict[str, str]
) -> None:
    with run_server(client, ossec_image.name, FROM_HERE, tmpfs=tmpfs) as server:
        works(server)


@pytest.fixture
def first(client: docker.DockerClient, ossec_image: image.Image, volume: str) -> Iterator[Server]:
    """A server on the volume that the test gets, too."""
    with run_server(client, ossec_image.name, FROM_HERE, volumes=at(volume)) as server:
        server.wait_listening()
        yield server


@pytest.mark.parametrize(
    "options",
    [{}, {"user": "0", "cap_drop": []}, {"user": "54321"}, {"command": ["upgrade"]}],
    ids=["the same user", "root", "another user", "upgrade"],
)
def test_a_second_server_on_a_volume_ends_before_it_touches_anything(
    client: docker.DockerClient, ossec_image: image.Image, volume: str, first: Server, options: dict[str, Any]
) -> None:
    # But what the first one makes by itself meanwhile: with its first alert, and after a minute.
    own = "! -name '*.new' ! -path '*/output/position.recent' ! -path '*/senders/list'"
    listing = ["bash", "-c", f"find {DATA} {own} -printf '%p %u %m\n' | sort"]
    before = first.run(*listing)
    with run_server(client, ossec_image.name, FROM_HERE, volumes=at(volume), **options) as second:
        name = str(first.container.id)[:12]
        refused(
            second,
            75,
            f"{DATA}: the volume {volume} is in use by a server in container {name}; stop that one",
        )
    assert first.run(*listing) == before
    works(first)


def test_the_lock_goes_with_the_container_however_it_ends(
    client: docker.DockerClient, ossec_image: image.Image, volume: str, first: Server
) -> None:
    with ExitStack() as stack:
        first.container.kill("KILL")
        first.exit_code()
        options: dict[str, Any] = {"volumes": at(volume)}
        works(stack.enter_context(run_server(client, ossec_image.name, FROM_HERE, **options)))

"""Volumes of kalaksi/ossec-log-server, which hold all of an older OSSEC's etc and rules, and volumes of ours."""

import hashlib
import io
import re
import tarfile
from pathlib import Path

import docker
import pytest

from pipeline import image, release, source
from pipeline.server import Server, container, removal, syslog
from pipeline.server import server as run_server
from pipeline.server import volume as new_volume
from pipeline.wait import wait_until
from tests.image.conftest import FROM_HERE
from tests.image.docs.test_docs import try_out
from tests.image.support.ledger import DATA

OLD = "3.6.0"  # what the last of those images had
LOCAL_RULES = """<group name="local,">
  <rule id="100100" level="9"><decoded_as>elephantd</decoded_as><description>An elephant</description></rule>
</group>
"""
LOCAL_DECODER = '<decoder name="elephantd"><program_name>^elephantd</program_name></decoder>\n'
BROKEN = """<group name="nginx,">
  <rule id="31301" level="3"><if_sid>999999</if_sid><description>Its parent is gone</description></rule>
</group>
"""
LOGS = {
    "logs/alerts/2023/Jan/ossec-alerts-05.log": b"** Alert 1672876800.0: - syslog\n",
    "logs/archives/2023/Jan/ossec-archive-05.log": bytes(range(256)) * 100,
    "logs/archives/2023/Jan/ossec-archive-04.log.gz": b"\x1f\x8b whatever",
    "logs/ossec.log": b"",
    "stats/totals/2023/Jan/ossec-totals-05.log": b"12-1-2-3\n",
    "stats/hourly-average/0/3": b"17",
    "queue/fts/fts-queue": b"sshd root 10.0.0.1\n",
}
Files = dict[str, bytes]


@pytest.fixture(scope="module")
def stock() -> Files:
    """The etc and rules that the old image would put onto an empty volume."""
    wanted = release.find(OLD)
    try:
        tarball = source.fetch(wanted)
    except source.SourceUnreachable as problem:
        pytest.skip(f"NOT RUN, VOLUMES OF OSSEC {OLD}: {problem}")
    files: Files = {"etc/client.keys": b"", "etc/ossec.conf": b"<ossec_config><global/></ossec_config>\n"}
    names = re.compile(
        r"[^/]+/etc/(rules/\w[\w.-]*\.xml|decoder\.xml|internal_options\.conf|local_internal_options\.conf)"
    )
    with tarfile.open(tarball) as tar:
        for member in tar:
            if match := names.fullmatch(member.name):
                opened = tar.extractfile(member)
                assert opened is not None
                name = match[1] if match[1].startswith("rules/") else f"etc/{match[1]}"
                files[name] = opened.read()
    # As that image's Dockerfile does with sed.
    options = "etc/internal_options.conf"
    files[options] = files[options].replace(b"\n# EOF", b"\nanalysisd.geoip_jsonout=0\n#EOF")
    files[options] = files[options].replace(b"\nmaild.geoip=1", b"\nmaild.geoip=0")
    return files


@pytest.fixture
def old(stock: Files) -> Files:
    """A volume that was in use, by path: with changes of every kind."""
    changed = {
        "rules/local_rules.xml": LOCAL_RULES.encode(),
        "rules/sshd_rules.xml": re.sub(
            rb'(<rule id="5716" level=)"\d+"', rb'\1"11"', stock["rules/sshd_rules.xml"]
        ),
        "rules/nginx_rules.xml": BROKEN.encode(),
        "rules/my_rules.xml": b'<group name="mine,"></group>\n',
        "etc/local_decoder.xml": LOCAL_DECODER.encode(),
        "etc/decoder.xml": stock["etc/decoder.xml"] + b"<!-- mine -->\n",
        "etc/local_internal_options.conf": b"analysisd.fts_list_size=48\n",
        "etc/lists/users": b"alice:1\n",
        "etc/shared/rootkit_files.txt": b"x\n",
    }
    assert changed["rules/sshd_rules.xml"] != stock["rules/sshd_rules.xml"]
    return {**stock, **changed, **LOGS}


@pytest.fixture
def few(stock: Files, old: Files) -> Files:
    """The same with fewer files: each that was changed costs the upgrade two looks of the engine."""
    unchanged = sorted(name for name in stock if old[name] == stock[name] and name.startswith("rules/"))
    left_out = {*unchanged[3:], "rules/nginx_rules.xml", "etc/lists/users"}
    return {name: content for name, content in old.items() if name not in left_out}


def put(client: docker.DockerClient, of: image.Image, volume: str, files: Files, uid: int, gid: int) -> None:
    """Write the files onto the volume, for that owner; each day's files have their second names."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:

        def add(name: str, kind: bytes, mode: int, content: bytes = b"", link: str = "") -> None:
            member = tarfile.TarInfo(name)
            member.type, member.mode, member.linkname, member.size = kind, mode, link, len(content)
            member.uid, member.gid = uid, gid
            tar.addfile(member, io.BytesIO(content))

        add(".", tarfile.DIRTYPE, 0o755)
        for folder in sorted({str(parent) for name in files for parent in Path(name).parents}):
            add(folder, tarfile.DIRTYPE, 0o750)
        for name, content in files.items():
            add(name, tarfile.REGTYPE, 0o640, content)
        if LOGS.keys() <= files.keys():
            add(
                "logs/alerts/alerts.log",
                tarfile.LNKTYPE,
                0o640,
                link="logs/alerts/2023/Jan/ossec-alerts-05.log",
            )
    made = client.containers.create(of.name, volumes={volume: {"bind": DATA}})
    try:
        assert made.put_archive(DATA, packed.getvalue())
    finally:
        removal.remove(made)


def get(client: docker.DockerClient, of: image.Image, volume: str) -> Files:
    """The volume's files by path."""
    made = client.containers.create(of.name, volumes={volume: {"bind": DATA}})
    try:
        stream, _ = made.get_archive(f"{DATA}/.")
        with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as tar:
            opened = {
                one.name.removeprefix("./"): tar.extractfile(one)
                for one in tar
                if (one.isreg() or one.islnk()) and not one.name.endswith("/.lock")
            }
            return {name: file.read() for name, file in opened.items() if file}
    finally:
        removal.remove(made)


def upgrade(
    client: docker.DockerClient, of: image.Image, volume: str, *arguments: str, code: int = 0
) -> list[str]:
    """The one command; returns the lines that it prints."""
    mounts = {volume: {"bind": DATA}}
    with container(
        client, of.name, command=["upgrade", *arguments], user="0", volumes=mounts, network_disabled=True
    ) as made:
        assert made.wait(timeout=120)["StatusCode"] == code, made.logs().decode()
        return [line.removeprefix("ossec-log-server: ") for line in made.logs().decode().splitlines()]


def told(lines: list[str]) -> dict[str, str]:
    """What the upgrade says of each file: kept, replaced …"""
    rows = [re.match(r"([^:]+): ([^,;]+)[,;]", line) for line in lines]
    return {row[2]: row[1] for row in rows if row}


def alerts(server: Server, rule: int) -> list[int]:
    """The levels of that rule's alerts."""
    return [one["rule"]["level"] for one in server.alerts() if one["rule"]["sidid"] == rule]


@pytest.fixture
def upgraded(
    client: docker.DockerClient, ossec_image: image.Image, volume: str, old: Files
) -> tuple[str, list[str]]:
    """A volume whose files were root's, after the upgrade, and what that said."""
    put(client, ossec_image, volume, old, 0, 0)
    return volume, upgrade(client, ossec_image, volume)


def test_each_file_is_told_of_and_none_is_lost(
    client: docker.DockerClient,
    ossec_image: image.Image,
    old: Files,
    stock: Files,
    upgraded: tuple[str, list[str]],
) -> None:
    volume, lines = upgraded
    became = told(lines)
    local = old.keys() - LOGS.keys()
    assert became.keys() == local | {"logs", "stats", "queue"}
    not_used, lost = "set aside, not used", "set aside, AND YOU HAD CHANGED IT"
    expected = dict.fromkeys(stock, "replaced") | {"logs": "kept", "stats": "kept", "queue": "kept"}
    expected |= dict.fromkeys(("etc/client.keys", "etc/ossec.conf", "etc/shared/rootkit_files.txt"), not_used)
    expected |= dict.fromkeys(("rules/nginx_rules.xml", "rules/my_rules.xml", "etc/decoder.xml"), lost)
    kept = {
        "rules/local_rules.xml": "etc/local_rules.xml",
        "rules/sshd_rules.xml": "etc/rules/sshd_rules.xml",
        "etc/local_decoder.xml": "etc/local_decoder.xml",
        "etc/local_internal_options.conf": "etc/local_internal_options.conf",
        "etc/lists/users": "etc/lists/users",
    }
    assert became == expected | dict.fromkeys(kept, "kept")
    [reason] = [line for line in lines if "rules/nginx_rules.xml;" in line]
    assert "999999" in reason
    now = get(client, ossec_image, volume)
    # In OSSEC's own log is what the engine said of the file that it does not take.
    assert {name: now[name] for name in LOGS if name != "logs/ossec.log"} == {
        name: content for name, content in LOGS.items() if name != "logs/ossec.log"
    }
    [aside] = {name.split("/")[0] for name in now if name.startswith("replaced-")}
    assert {name: now[f"{aside}/{name}"] for name in local} == {name: old[name] for name in local}
    assert {name: content for name, content in now.items() if name.startswith("etc/")} == {
        new: old[name] for name, new in kept.items()
    }
    assert upgrade(client, ossec_image, volume) == ["the volume has layout 1, the one of this release"]
    assert get(client, ossec_image, volume) == now


@pytest.mark.parametrize("user", ["10514:0", "54321:0"])
def test_the_server_uses_what_was_kept(
    client: docker.DockerClient, ossec_image: image.Image, volume: str, few: Files, user: str
) -> None:
    put(client, ossec_image, volume, few, 0, 0)
    upgrade(client, ossec_image, volume)
    mounts = {volume: {"bind": DATA}}
    with run_server(client, ossec_image.name, FROM_HERE, user=user, volumes=mounts) as server:
        server.wait_listening()
        lines = [
            syslog.message("trumpets", tag="elephantd"),
            syslog.message("Failed password for zoe from 203.0.113.8 port 22 ssh2"),
        ]
        syslog.send_tcp(*server.tcp, lines)
        wait_until(lambda: alerts(server, 100100) and alerts(server, 5716), 30, what="the alerts")
        assert (alerts(server, 100100), alerts(server, 5716)) == ([9], [11])
        assert "etc/rules/sshd_rules.xml: it is used in place of the image's own" in server.log()
        assert "analysisd.fts_list_size=48" in server.run("cat", "/etc/local_internal_options.conf")
        assert server.stop() == 0, server.log()
    now = get(client, ossec_image, volume)
    # OSSEC's own log and what it has seen (fts) grow; the days' files do not.
    grow = ("logs/ossec.log", "queue/fts/fts-queue")
    assert all(now[name] == content for name, content in LOGS.items() if name not in grow)
    assert now["queue/fts/fts-queue"].startswith(LOGS["queue/fts/fts-queue"])


@pytest.mark.parametrize(("owner", "user"), [((0, 0), "10514:0"), ((105, 108), "54321:54321")])
def test_a_start_without_the_upgrade_says_which_command(
    client: docker.DockerClient,
    ossec_image: image.Image,
    volume: str,
    few: Files,
    owner: tuple[int, int],
    user: str,
) -> None:
    put(client, ossec_image, volume, few, *owner)
    mounts = {volume: {"bind": DATA}}
    with run_server(client, ossec_image.name, FROM_HERE, user=user, volumes=mounts) as server:
        assert server.exit_code() == 73
        [line] = server.log().splitlines()
    [command] = re.findall(r": docker run --rm --user 0 -v (.*)$", line)
    assert command == f"{volume}:{DATA} IMAGE upgrade" + (" 54321:54321" if "54321" in user else "")
    assert get(client, ossec_image, volume) == {
        **few,
        "logs/alerts/alerts.log": LOGS["logs/alerts/2023/Jan/ossec-alerts-05.log"],
    }
    upgrade(client, ossec_image, volume, *command.split("upgrade")[1].split())
    with run_server(client, ossec_image.name, FROM_HERE, user=user, volumes=mounts) as server:
        server.wait_listening()


def test_a_server_that_starts_as_root_upgrades_its_volume(
    client: docker.DockerClient, ossec_image: image.Image, volume: str, few: Files
) -> None:
    put(client, ossec_image, volume, few, 0, 0)
    mounts = {volume: {"bind": DATA}}
    with run_server(client, ossec_image.name, FROM_HERE, user="0", cap_drop=[], volumes=mounts) as server:
        server.wait_listening()
        assert "kept: rules/local_rules.xml, as etc/local_rules.xml" in server.log()


def test_an_interrupted_upgrade_goes_on(
    client: docker.DockerClient, ossec_image: image.Image, volume: str, few: Files
) -> None:
    half = {
        (f"replaced-then/{name}" if name.startswith("etc/") else name): content
        for name, content in few.items()
    }
    half |= {".upgrade": b"replaced-then\n", "etc/local_decoder.xml": b"<deco"}
    put(client, ossec_image, volume, half, 0, 0)
    upgrade(client, ossec_image, volume)
    now = get(client, ossec_image, volume)
    assert now["etc/local_decoder.xml"] == LOCAL_DECODER.encode()
    local = few.keys() - LOGS.keys()
    assert {name: now[f"replaced-then/{name}"] for name in local} == {name: few[name] for name in local}
    assert ".upgrade" not in now


def test_second_names_that_are_files_of_their_own_are_set_aside(
    client: docker.DockerClient, ossec_image: image.Image, volume: str, few: Files
) -> None:
    put(client, ossec_image, volume, {**few, "logs/archives/archives.log": b"only here\n"}, 0, 0)
    assert told(upgrade(client, ossec_image, volume))["logs/archives/archives.log"] == "set aside, not used"
    now = get(client, ossec_image, volume)
    assert [now[name] for name in now if name.endswith("/logs/archives/archives.log")] == [b"only here\n"]


def test_an_upgrade_that_leaves_no_server_says_so(
    client: docker.DockerClient, ossec_image: image.Image, volume: str, stock: Files
) -> None:
    put(
        client,
        ossec_image,
        volume,
        {**stock, "rules/local_rules.xml": b'<group name="local,">\n<rule>\n'},
        0,
        0,
    )
    *_, line = upgrade(client, ossec_image, volume, code=78)
    assert line.startswith(
        f"{DATA}: the volume is upgraded, but a server will not start on it: {DATA}/etc/local_rules.xml line 2: "
    )


# The one release of ours before the layouts wrote none; what it has on the volume is what it has with layout 1.
@pytest.mark.parametrize("layout", [None, b"0\n", b"1\n"])
def test_a_volume_of_ours_is_taken(
    client: docker.DockerClient, built: image.Image, volume: str, layout: bytes | None
) -> None:
    files = {**LOGS, **({".layout": layout} if layout else {})}
    put(client, built, volume, files, 10514, 0)
    with run_server(client, built.name, FROM_HERE, volumes={volume: {"bind": DATA}}) as server:
        server.wait_listening()
        assert "upgrade" not in server.log()
    now = get(client, built, volume)
    assert all(now[name] == content for name, content in LOGS.items() if name.endswith((".gz", "05.log")))
    assert int(now[".layout"]) == (0 if layout == b"0\n" else 1)


@pytest.mark.parametrize(
    ("layout", "words"), [(b"2\n", "has layout 2"), (b"one\n", "'one' is not the number of a layout")]
)
def test_a_layout_that_is_not_known_is_refused(
    client: docker.DockerClient, standin_image: image.Image, volume: str, layout: bytes, words: str
) -> None:
    put(client, standin_image, volume, {".layout": layout}, 10514, 0)
    with run_server(client, standin_image.name, FROM_HERE, volumes={volume: {"bind": DATA}}) as server:
        assert server.exit_code() == 78
        [line] = server.log().splitlines()
        assert words in line
    assert get(client, standin_image, volume) == {".layout": layout}


@pytest.mark.parametrize("page", ["upgrading.md", "from-kalaksi.md"])
def test_upgrading_works_as_the_page_says(
    client: docker.DockerClient, ossec_image: image.Image, few: Files, page: str, tmp_path: Path
) -> None:
    name = f"ossec-log-server-{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:12]}"
    with new_volume(client, name=name):
        put(client, ossec_image, name, few, 0, 0)
        removal.sweep()  # the page removes the volume, which no container may have then
        client.containers.create(ossec_image.name, name=name, volumes={name: {"bind": DATA}})
        try_out(client, page, name, ossec_image.name, tmp_path)

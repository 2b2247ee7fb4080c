"""Configuration in layers: what is set and mounted comes into force; what is wrong is one line and exit 78."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import docker
import pytest

from pipeline import image
from pipeline.project import ROOT
from pipeline.server import HARDENED, syslog
from pipeline.server import container as run_container
from pipeline.server import server as run_server
from pipeline.server.shell import Shell
from pipeline.wait import wait_until
from tests.image.conftest import FROM_HERE
from tests.image.support import documentation
from tests.image.support.trial import VALUE, Trial, one_line

PAGE = documentation.examples(ROOT / "docs" / "use" / "configuration.md")

MAIL = {
    "OSSEC_EMAIL_NOTIFICATION": "yes",
    "OSSEC_EMAIL_TO": "a@example.org",
    "OSSEC_EMAIL_FROM": "b@example.org",
    "OSSEC_SMTP_SERVER": "mail.example.org",
}


def mounted(folder: Path, files: dict[str, str], mode: int = 0o644) -> dict[str, dict[str, str]]:
    """Docker's `volumes` for files of these contents, by their paths in the container, each mounted by itself."""
    volumes = {}
    for number, (path, content) in enumerate(files.items()):
        here = folder / f"{number}-{Path(path).name}"
        here.write_text(content)
        here.chmod(mode)
        volumes[str(here)] = {"bind": path, "mode": "ro"}
    return volumes


def test_any_value_can_come_from_a_file(
    client: docker.DockerClient, standin_image: image.Image, tmp_path: Path
) -> None:
    files = {"/run/secrets/to": "from-a-file@example.org\n", "/run/secrets/level": "3"}
    settings = {**MAIL, **FROM_HERE, "OSSEC_EMAIL_TO_FILE": "/run/secrets/to", "OSSEC_EMAIL_TO": ""}
    settings["OSSEC_EMAIL_ALERT_LEVEL_FILE"] = "/run/secrets/level"
    with run_server(client, standin_image.name, settings, volumes=mounted(tmp_path, files)) as running:
        running.wait_listening()
        conf = running.run("cat", "/run/ossec/ossec.conf")
        assert "<email_to>from-a-file@example.org</email_to>" in conf
        assert "<email_alert_level>3</email_alert_level>" in conf
        # One that has just begun cannot be read, and one may end meanwhile.
        script = "for p in /proc/[0-9]*; do [ $p = /proc/1 ] || cat $p/environ 2> /dev/null; done; true"
        environments = running.run("bash", "-c", script)
        assert "OSSEC_EMAIL_TO_FILE=" in environments
        assert "from-a-file" not in environments


@pytest.mark.parametrize(
    ("settings", "content", "mode", "words"),
    [
        ({"OSSEC_EMAIL_TO": "a@example.org"}, b"", 0o644, "OSSEC_EMAIL_TO: it is set, and OSSEC_EMAIL_TO_FILE, too"),
        ({}, b"nobody", 0o644, f"OSSEC_EMAIL_TO: what {VALUE} holds is no"),
        ({}, b"a@example.org", 0o600, f"OSSEC_EMAIL_TO_FILE: '{VALUE}' is not a file that UID 10514 can read"),
        ({"OSSEC_EMAIL_TO_FILE": "/etc/absent"}, b"", 0o644, "OSSEC_EMAIL_TO_FILE: '/etc/absent' is not a file"),
        ({"OSSEC_EMAIL_TO_FILE": "nobody"}, b"", 0o644, "OSSEC_EMAIL_TO_FILE: it is not the path of a file"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_one_line_that_does_not_show_its_content(
    tried: Trial, settings: dict[str, str], content: bytes, mode: int, words: str
) -> None:
    tried.put_value(content, mode)
    line = tried.refused({**MAIL, "OSSEC_EMAIL_TO": "", "OSSEC_EMAIL_TO_FILE": VALUE, **settings}, 78)
    assert line.startswith(f"ossec-log-server: {words}")
    assert "nobody" not in line


@pytest.mark.parametrize("example", PAGE, ids=lambda example: example.title)
def test_an_example_of_the_documentation(
    ossec_image: image.Image, tmp_path: Path, example: documentation.Example
) -> None:
    example.write(tmp_path)
    example.run(tmp_path, ossec_image.name)


def test_the_documentation_has_an_example_of_each_layer() -> None:
    files = {name for example in PAGE for name in example.files}
    assert {"local_rules.xml", "local_decoder.xml", "local_internal_options.conf", "ossec.conf"} <= {
        Path(name).name for name in files
    }
    assert {"ossec/conf.d", "ossec/rules", "ossec/lists"} <= {str(Path(name).parent) for name in files}


RULE = '<rule id="100001" level="{}"><match>x</match><description>y</description></rule>'
GROUP = '<group name="local,">\n{}\n</group>\n'
# file, content, what the line says of it; those of the second table are found by OSSEC itself
WRONG_FILES = [
    ("conf.d/a.conf", "<global>\n<stats>8</stats>\n", "line 1: <global> is not closed; write </global>"),
    ("conf.d/a.conf", "<global><stats>8</global>", "line 1: </global> where <stats> of line 1 is open"),
    ("conf.d/a.conf", "</global>", "line 1: </global> closes an element that is not open"),
    ("conf.d/a.conf", "<!-- \n<global></global>", "line 1: a comment begins here and has no end"),
    ("conf.d/a.conf", "<alerts></alerts>\nlevel 7\n", "line 2: 'level' stands outside of any element"),
    ("conf.d/a.conf", '<?xml version="1.0"?>\n<alerts></alerts>', "line 1: OSSEC does not read <? ... ?>"),
    ("conf.d/a.conf", "<!DOCTYPE x>\n<alerts></alerts>", "line 1: OSSEC does not read <!DOCTYPE ...>"),
    ("conf.d/a.conf", "<alerts>\n<![CDATA[x]]></alerts> <!-- x -->", "line 2: OSSEC does not read <![CDATA ...>"),
    ("conf.d/a.conf", "<globl></globl>", "line 1: <globl> can't stand here; write <ossec_config> or a section"),
    ("conf.d/a.conf", "\n", "line 1: there is no element in it"),
    ("conf.d/a.conf", "\ufeff<alerts></alerts>", "line 1: it begins with a byte order mark"),
    ("conf.d/a.conf", "<alerts>\n<log_alert_level>17</log_alert_level></alerts>", "line 2: <log_alert_level>: '17'"),
    ("conf.d/a.conf", "<email_alerts><level>x</level></email_alerts>", "line 1: <level>: 'x' is not a level"),
    ("conf.d/a.conf", "<global>\n<email_to>me</email_to></global>", "line 2: <email_to>: 'me' is not an email address"),
    ("conf.d/a.conf", "<global><smtp_port>0</smtp_port></global>", "line 1: <smtp_port>: '0' is not a port"),
    ("conf.d/a.conf", "<global><allow_list>10.0.0.0/33</allow_list></global>", "line 1: <allow_list>: '10.0.0.0"),
    ("conf.d/a.conf", "<global>\n<logall>no</logall></global>", "line 2: <logall> must be yes in this image"),
    ("ossec.conf", "<ossec_config><global></global></ossec_config>", "does not say <logall>yes</logall>"),
    ("ossec.conf", "<ossec_config>\n<global>", "line 2: <global> is not closed"),
    ("local_rules.xml", GROUP.format(RULE.format(17)), "line 2: the level of rule 100001: '17' is not"),
    ("local_rules.xml", GROUP.format('<rule level="5"></rule>'), "line 2: this rule has no proper id"),
    ("local_rules.xml", GROUP.format('<rule id="100001"></rule>'), "line 2: rule 100001 has no level"),
    ("local_rules.xml", "<rule></rule>", 'line 1: <rule> can\'t stand here; write <group name="local,">'),
    ("rules/own.xml", GROUP.format(RULE.format("high")), "line 2: the level of rule 100001: 'high' is not"),
    ("local_decoder.xml", '<decoder name="x">\n<prematch>^x', "line 2: <prematch> is not closed"),
    ("local_decoder.xml", "<decoder name=x></decoder>", "line 1: <decoder> has no proper end or attributes"),
    ("lists/own", "192.0.2.7:one\n192.0.2.8\n", "line 2: '192.0.2.8' is not an entry of a list; write key:value"),
    ("local_internal_options.conf", "# mine\nmaild\n", "line 2: 'maild' is not an option; write name.option=number"),
    ("local_internal_options.conf", "monitord.monitor_agents=1\n", "line 1: monitord.monitor_agents must stay 0"),
    ("local_internal_options.conf", "analysisd.nothing=2\n", "line 1: there is no option analysisd.nothing"),
]  # fmt: skip
OWN = GROUP.format(RULE.format(5))
WRONG_FOR_OSSEC = [
    ("conf.d/a.conf", "<global>\n<stats>many</stats></global>", "line 2: OSSEC says: Invalid value for element"),
    ("conf.d/a.conf", "<alerts>\n<loglevel>1</loglevel></alerts>", "line 2: OSSEC says: Invalid element"),
    ("conf.d/a.conf", "<rules>\n<include>none.xml</include></rules>", "line 2: OSSEC says: Error reading XML file"),
    ("local_rules.xml", OWN.replace("<rule", RULE.format(6) + "\n<rule"), "line 3: OSSEC says: Duplicate rule ID"),
    ("local_rules.xml", OWN.replace("match", "mach"), "line 2: OSSEC says: Invalid option 'mach'"),
    ("local_rules.xml", OWN.replace("match>x", "if_sid>999999").replace("match", "if_sid"), "line 2: OSSEC says: Sig"),
    ("local_rules.xml", OWN.replace("match>x", "regex>(x").replace("match", "regex"), "line 2: OSSEC says: Syntax"),
    ("local_rules.xml", OWN.replace("match>x", "srcip>10.0.0.256").replace("match", "srcip"), "line 2: OSSEC says: "),
    ("local_rules.xml", OWN.replace("<match>x</match>", '<list field="srcip">lists/none</list>'), "line 2: there is"),
    ("rules/own.xml", OWN.replace("level=", 'colour="red" level='), "line 2: OSSEC says: Invalid attribute"),
    ("local_decoder.xml", '<decoder name="x">\n<parent>none</parent></decoder>', "line 2: OSSEC says: "),
    ("local_internal_options.conf", "monitord.compress=2\n", "line 1: monitord.compress is 2; write a number from 0"),
]  # fmt: skip


@contextmanager
def idle(client: docker.DockerClient, name: str) -> Iterator[Shell]:
    """A container in which nothing runs and /etc/ossec-log-server can be written: many checks, one start."""
    tmpfs = {"/run": "", "/etc/ossec-log-server": "mode=1777"}
    options = {**HARDENED, "tmpfs": tmpfs, "entrypoint": ["sleep", "infinity"], "init": True}
    with run_container(client, name, **options) as made, closing(Shell(made)) as shell:
        yield shell


@pytest.fixture(scope="module")
def idle_standin(client: docker.DockerClient, standin_image: image.Image) -> Iterator[Shell]:
    with idle(client, standin_image.name) as made:
        yield made


@pytest.fixture(scope="module")
def idle_ossec(client: docker.DockerClient, ossec_image: image.Image) -> Iterator[Shell]:
    with idle(client, ossec_image.name) as made:
        yield made


def check(shell: Shell, file: str, content: str) -> tuple[int, list[str]]:
    """How `check` ends, and what it says, where that is the one file of the user's."""
    path = f"/etc/ossec-log-server/{file}"
    script = 'mkdir -p "${1%/*}" && printf %s "$2" > "$1" && ossec-log-server check; code=$?; rm -r "$1"; exit $code'
    code, output = shell.execute(["bash", "-c", script, "bash", path, content])
    return code, output.decode(errors="replace").splitlines()


@pytest.mark.parametrize(("file", "content", "words"), WRONG_FILES)
def test_a_wrong_file_is_one_line_that_names_file_and_line(
    idle_standin: Shell, file: str, content: str, words: str
) -> None:
    code, [line] = check(idle_standin, file, content)
    assert code == 78
    assert line.startswith(f"ossec-log-server: /etc/ossec-log-server/{file}")
    assert words in line


@pytest.mark.parametrize(("file", "content", "words"), WRONG_FOR_OSSEC)
def test_what_ossec_refuses_is_one_line_that_names_file_and_line(
    idle_ossec: Shell, file: str, content: str, words: str
) -> None:
    code, [line] = check(idle_ossec, file, content)
    assert code == 78
    assert line.startswith(f"ossec-log-server: /etc/ossec-log-server/{file}")
    assert words in line


def test_a_wrong_file_ends_the_server_before_a_daemon_starts(
    client: docker.DockerClient, built: image.Image, tmp_path: Path
) -> None:
    for file, content, words in (WRONG_FILES[0], WRONG_FILES[-1]):
        path = f"/etc/ossec-log-server/{file}"
        with run_server(client, built.name, volumes=mounted(tmp_path, {path: content})) as running:
            assert running.exit_code() == 78
            [line] = running.log().splitlines()
            assert line.startswith(f"ossec-log-server: {path} {words}")


def test_a_folder_where_a_file_is_wanted_and_a_file_that_cannot_be_read(
    client: docker.DockerClient, standin_image: image.Image, tmp_path: Path
) -> None:
    rules = "/etc/ossec-log-server/local_rules.xml"
    absent = {str(tmp_path / "absent"): {"bind": rules, "mode": "ro"}}  # Docker makes a folder of it
    with run_server(client, standin_image.name, volumes=absent) as running:
        assert running.exit_code() == 78
        assert running.log().startswith(f"ossec-log-server: {rules}: it is a folder; Docker makes one where")
    with run_server(client, standin_image.name, volumes=mounted(tmp_path, {rules: "x"}, 0o600)) as running:
        assert running.exit_code() == 78
        assert running.log().startswith(f"ossec-log-server: {rules}: it cannot be read by UID 10514")


def test_a_folder_that_cannot_be_read_is_not_taken_for_an_empty_one(
    client: docker.DockerClient, standin_image: image.Image, tmp_path: Path
) -> None:
    folder = tmp_path / "ossec"
    folder.mkdir(mode=0o700)
    volumes = {str(folder): {"bind": "/etc/ossec-log-server", "mode": "ro"}}
    with run_server(client, standin_image.name, volumes=volumes) as running:
        assert running.exit_code() == 78
        [line] = running.log().splitlines()
        assert line.startswith("ossec-log-server: /etc/ossec-log-server: it cannot be read by UID 10514")


@pytest.mark.parametrize(
    ("relay", "settings", "words"),
    [
        (
            "/usr/local/lib/ossec-log-server/sendmail b@example.org",
            {},
            "hands mail to the mail queue, which needs",
        ),
        ("/usr/local/lib/ossec-log-server/sendmail b@example.org", MAIL, ""),
        ("192.0.2.25", {}, ""),
        ("", {}, "says <email_notification>yes</email_notification>, which needs <smtp_server>, too"),
    ],
)
def test_a_complete_configuration_may_send_mail_through_the_queue_or_by_itself(
    client: docker.DockerClient,
    ossec_image: image.Image,
    tmp_path: Path,
    relay: str,
    settings: dict[str, str],
    words: str,
) -> None:
    server = f"<smtp_server>{relay}</smtp_server>" if relay else ""
    conf = (
        "<ossec_config><global><logall>yes</logall><jsonout_output>yes</jsonout_output>"
        "<email_notification>yes</email_notification><email_to>a@example.org</email_to>"
        f"<email_from>b@example.org</email_from>{server}</global>"
        "<rules><include>rules_config.xml</include><include>syslog_rules.xml</include></rules></ossec_config>"
    )
    volumes = mounted(tmp_path, {"/etc/ossec-log-server/ossec.conf": conf})
    with run_server(client, ossec_image.name, {**FROM_HERE, **settings}, volumes=volumes) as running:
        if words:
            assert running.exit_code() == 78
            [line] = running.log().splitlines()
            assert line.startswith(f"ossec-log-server: /etc/ossec-log-server/ossec.conf: it {words}")
        else:
            running.wait_listening()
            assert "ossec-maild" in running.processes()
            assert ("nullmailer-send" in running.processes()) == (settings == MAIL)


def test_a_complete_configuration_and_a_fragment_exclude_each_other(
    client: docker.DockerClient, standin_image: image.Image, tmp_path: Path
) -> None:
    files = {
        "/etc/ossec-log-server/ossec.conf": "<ossec_config></ossec_config>",
        "/etc/ossec-log-server/conf.d/a.conf": "<alerts></alerts>",
    }
    with run_server(client, standin_image.name, volumes=mounted(tmp_path, files)) as running:
        assert running.exit_code() == 78
        [line] = running.log().splitlines()
        assert "/etc/ossec-log-server/conf.d/a.conf has no place in it" in line


def test_a_misspelt_variable_ends_and_a_strange_one_is_told_of(tried: Trial) -> None:
    misspelt = ("OSSEC_EMAILTO", "OSSEC_ALOWED_IPS", "OSSEC_ALLOWED_IP_FILE")
    endings = tried.each([{wrong: "/etc/hostname"} for wrong in misspelt])
    for wrong, ended in zip(misspelt, endings, strict=True):
        line = one_line(ended, 78)
        assert line.startswith(f"ossec-log-server: {wrong}: unknown variable; did you mean OSSEC_"), line
    strange = {
        "OSSEC_CLUSTER_COLOUR": "red",
        "OSSEC_SERVICE_HOST": "10.0.0.1",
        "OSSEC_SERVICE_PORT_SYSLOG": "514",
        "OSSEC_PORT": "tcp://10.0.0.1:514",
        "OSSEC_PORT_514_TCP": "tcp://10.0.0.1:514",
        "OSSEC_PORT_514_TCP_ADDR": "10.0.0.1",
    }
    ended = tried.run(strange, "check")
    assert ended.code == 0
    told, *_, right = ended.lines
    assert told.startswith("ossec-log-server: OSSEC_CLUSTER_COLOUR: unknown variable, so it has no effect")
    assert right == "ossec-log-server: the configuration is right"


def test_one_mounted_file_hides_nothing_and_wins_over_the_volume(
    client: docker.DockerClient, built: image.Image, tmp_path: Path, volume: str
) -> None:
    own = RULE.format(5)
    kept = {
        "local_rules.xml": own.replace("100001", "100777"),
        "rules/kept.xml": own.replace("100001", "100002"),
    }
    script = "mkdir -p /var/ossec/data/etc/rules && cd /var/ossec/data/etc" + "".join(
        f" && echo '{GROUP.format(content)}' > {name}" for name, content in kept.items()
    )
    data = {volume: {"bind": "/var/ossec/data", "mode": "rw"}}
    with run_server(client, built.name, volumes=data, entrypoint=["bash", "-c", script]) as writing:
        assert writing.exit_code() == 0, writing.log()
    mounts = {**data, **mounted(tmp_path, {"/etc/ossec-log-server/local_rules.xml": GROUP.format(own)})}
    with run_server(client, built.name, FROM_HERE, volumes=mounts) as running:
        running.wait_listening()
        conf = running.run("cat", "/run/ossec/ossec.conf")
        assert "<include>sshd_rules.xml</include>" in conf
        assert "<include>/var/ossec/data/etc/rules/kept.xml</include>" in conf
        assert conf.count("local_rules.xml") == 1
        assert "<include>/etc/ossec-log-server/local_rules.xml</include>" in conf
        # What looks at the configuration shows what runs, and leaves it alone.
        assert "<include>/etc/ossec-log-server/local_rules.xml</include>" in running.run(
            "ossec-log-server", "config"
        )
        with pytest.raises(RuntimeError, match="a server runs in this container"):
            running.run("ossec-log-server", "check")
        assert running.run("cat", "/run/ossec/ossec.conf") == conf


@pytest.mark.parametrize("user", ["10514:0", "54321:54321"])
def test_check_needs_no_data_volume_and_no_user_of_its_own(
    client: docker.DockerClient, built: image.Image, volume: str, user: str
) -> None:
    data = {volume: {"bind": "/var/ossec/data", "mode": "ro"}}
    with run_server(
        client, built.name, {}, ["check"], user=user, volumes=data, tmpfs={"/run": ""}, network_mode="none"
    ) as running:
        assert running.exit_code() == 0, running.log()
        # The line before it may say that the host gives UDP too small a buffer.
        assert running.log().endswith("ossec-log-server: the configuration is right\n")


OWN_FILES = {
    "local_decoder.xml": '<decoder name="door"><program_name>^door$</program_name></decoder>\n'
    '<decoder name="door-refused"><parent>door</parent><regex>^refused (\\S+)$</regex><order>srcip</order></decoder>',
    "lists/known": "192.0.2.7:known\n",
    "rules/door.xml": GROUP.format(
        '<rule id="100300" level="7"><decoded_as>door</decoded_as><description>Refused.</description></rule>'
    ),
    "local_rules.xml": GROUP.format(
        '<rule id="100301" level="9"><if_sid>100300</if_sid><list field="srcip">lists/known</list>'
        "<description>A known one was refused.</description></rule>"
    ),
    "conf.d/level.conf": "<ossec_config><alerts><log_alert_level>8</log_alert_level></alerts></ossec_config>",
    "local_internal_options.conf": "maild.full_subject=1\n",
}
KNOWN = "Nov 23 04:50:00 web door[1]: refused 192.0.2.7"


def test_all_layers_are_in_force_in_a_server_and_its_tester(
    client: docker.DockerClient, ossec_image: image.Image, tmp_path: Path
) -> None:
    files = {f"/etc/ossec-log-server/{name}": content for name, content in OWN_FILES.items()}
    volumes = mounted(tmp_path, {**files, "/tmp/lines": f"{KNOWN}\n"})
    with run_server(client, ossec_image.name, FROM_HERE, volumes=volumes) as running:
        running.wait_listening()
        # The fragment's level: the first of them is a 7.
        syslog.send_tcp(*running.tcp, [f"<38>{KNOWN.replace('2.7', '2.8')}", f"<38>{KNOWN}"])
        own = wait_until(
            lambda: [a for a in running.alerts() if a["rule"]["sidid"] > 100000], 30, what="the alert"
        )
        assert [alert["rule"]["sidid"] for alert in own] == [100301]
        assert "\nmaild.full_subject=1\n" in running.run("ossec-log-server", "config")
        for asked in (KNOWN, "/tmp/lines"):
            answer = running.run("bash", "-c", 'ossec-log-server logtest "$1" 2> /dev/null', "bash", asked)
            assert "Rule id: '100301'" in answer


def test_check_says_what_it_cannot_do_without(
    client: docker.DockerClient, standin_image: image.Image
) -> None:
    with run_server(client, standin_image.name, {}, ["check"], tmpfs={}) as running:
        assert running.exit_code() == 73
        assert "give the container a tmpfs that everybody may write: --tmpfs /run" in running.log()


def test_no_secret_is_shown(client: docker.DockerClient, ossec_image: image.Image, tmp_path: Path) -> None:
    conf = (
        "<ossec_config><global><logall>yes</logall><jsonout_output>yes</jsonout_output>"
        "<email_notification>no</email_notification><smtp_password>hunter2</smtp_password></global>"
        "<rules><include>rules_config.xml</include><include>syslog_rules.xml</include></rules></ossec_config>"
    )
    files = {"/etc/ossec-log-server/ossec.conf": conf, "/run/secrets/ips": "192.0.2.77"}
    settings = {"OSSEC_ALLOWED_IPS_FILE": "/run/secrets/ips"}
    with run_server(
        client,
        ossec_image.name,
        settings,
        ["config"],
        volumes=mounted(tmp_path, files),
    ) as running:
        assert running.exit_code() == 0, running.log()
        printed = running.container.logs(stdout=True, stderr=True).decode()
        assert "<smtp_password>(not shown)</smtp_password>" in printed
        assert "OSSEC_ALLOWED_IPS=what /run/secrets/ips holds" in printed
        assert "hunter2" not in printed
        assert "192.0.2.77" not in printed

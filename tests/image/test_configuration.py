"""Configuration in layers: what is set and mounted comes into force; what is wrong is one line and exit 78."""

from pathlib import Path

import docker
import pytest

from pipeline import image
from pipeline.server import server as run_server
from tests.image.conftest import FROM_HERE

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
        environments = running.run(
            "bash", "-c", "for p in /proc/[0-9]*; do [ $p = /proc/1 ] || cat $p/environ; done"
        )
        assert "from-a-file" not in environments


@pytest.mark.parametrize(
    ("settings", "content", "mode", "words"),
    [
        ({"OSSEC_EMAIL_TO": "a@example.org"}, "", 0o644, "OSSEC_EMAIL_TO and OSSEC_EMAIL_TO_FILE are both set"),
        ({}, "nobody", 0o644, "OSSEC_EMAIL_TO is what /etc/secret holds, which is no mail address"),
        ({}, "a@example.org", 0o600, "OSSEC_EMAIL_TO_FILE is '/etc/secret', which is no file that UID 10514 can read"),
        ({"OSSEC_EMAIL_TO_FILE": "/etc/absent"}, "", 0o644, "OSSEC_EMAIL_TO_FILE is '/etc/absent', which is no file"),
        ({"OSSEC_EMAIL_TO_FILE": "nobody"}, "", 0o644, "OSSEC_EMAIL_TO_FILE is no path of a file"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_one_line_that_does_not_show_its_content(
    client: docker.DockerClient,
    standin_image: image.Image,
    tmp_path: Path,
    settings: dict[str, str],
    content: str,
    mode: int,
    words: str,
) -> None:
    settings = {**MAIL, "OSSEC_EMAIL_TO": "", "OSSEC_EMAIL_TO_FILE": "/etc/secret", **settings}
    volumes = mounted(tmp_path, {"/etc/secret": content}, mode)
    with run_server(client, standin_image.name, settings, volumes=volumes) as running:
        assert running.exit_code() == 78
        [line] = running.log().splitlines()
        assert line.startswith(f"ossec-log-server: {words}")
        assert "nobody" not in line

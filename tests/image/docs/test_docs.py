"""The pages in docs/ about a server that runs: each command works, and prints what the page says; each test that a
page names is there.
"""

import re
import subprocess
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import docker
import pytest
from docker.errors import NotFound

from pipeline import image
from pipeline.project import ROOT
from pipeline.server import Server
from pipeline.server import server as run_server
from pipeline.wait import wait_until
from tests.image.conftest import FROM_HERE
from tests.image.support import documentation

DOCS = ROOT / "docs"
SERVER = "192.0.2.10"  # as the pages write its address
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def translated(client: docker.DockerClient, command: str, name: str, image_name: str) -> str:
    """A page's command for the container of that name, where the page says `ossec`."""
    command = documentation.RELEASED.sub(image_name, command)
    command = re.sub(
        r"(\bdocker (?:exec|kill|logs|restart|inspect|stop|rm|volume rm)\b[^|]*?|--name) ossec\b",
        rf"\1 {name}",
        command,
    )
    command = command.replace("-v ossec:", f"-v {name}:")
    command = re.sub(r"-p \S+ ", "", command)  # others may use this machine's ports
    if SERVER in command:
        networks = client.containers.get(name).attrs["NetworkSettings"]["Networks"]
        command = command.replace(SERVER, networks["bridge"]["IPAddress"])
    return command


def check(command: str, folder: Path, wanted: list[str]) -> bool:
    """Run a command in `folder`. Raises AssertionError if it prints a wanted line not, or, where none is, fails."""
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    good = set(wanted) <= set(done.stdout.splitlines()) if wanted else done.returncode == 0
    assert good, f"it ended with {done.returncode} and printed {done.stdout!r}, not {wanted}"
    return True


def try_out(client: docker.DockerClient, page: str, name: str, image_name: str, folder: Path) -> None:
    """Do in `folder` what the page says, from its beginning to its end."""
    for example in documentation.examples(DOCS / "use" / page):
        example.write(folder)
        for written, wanted in example.commands:
            command = translated(client, written, name, image_name)
            wait_until(
                partial(check, command, folder, wanted),
                timeout=60 if wanted else 0,  # what is to be seen may take a moment to come
                what=f"`{written}` of {page}",
                ignoring=(AssertionError,),
            )


@pytest.mark.parametrize("page", ["notify.md", "reload.md", "scaling.md", "troubleshooting.md"])
def test_what_a_page_says_of_a_running_server(
    client: docker.DockerClient, ossec_image: image.Image, page: str, tmp_path: Path
) -> None:
    with run_server(client, ossec_image.name, FROM_HERE) as running:
        running.wait_listening()
        try_out(client, page, str(running.container.name), ossec_image.name, tmp_path)


@pytest.fixture
def name(client: docker.DockerClient) -> Iterator[str]:
    """A name for the container and the volume that a page makes; both are gone at the end."""
    made = f"ossec-log-server-{uuid.uuid4().hex[:12]}"
    yield made
    for kind in (client.containers, client.volumes):
        try:
            kind.get(made).remove(force=True)
        except NotFound:
            continue


def test_tls_is_set_up_as_its_page_says(
    client: docker.DockerClient, ossec_image: image.Image, name: str, tmp_path: Path
) -> None:
    try_out(client, "tls.md", name, ossec_image.name, tmp_path)


def test_retention_is_set_as_its_page_says(
    client: docker.DockerClient, ossec_image: image.Image, name: str, tmp_path: Path
) -> None:
    try_out(client, "retention.md", name, ossec_image.name, tmp_path)
    running = Server(client.containers.get(name))
    running.wait_listening()
    assert "/housekeeping\x0090\x0010737418240\x00" in running.run(
        "bash", "-c", "cat /proc/[0-9]*/cmdline || true"
    )
    assert running.run("date", "+%Z").strip() in ("CET", "CEST")


def test_readme_s_commands_work_on_a_server_that_is_started_as_it_says(
    client: docker.DockerClient, ossec_image: image.Image, name: str, tmp_path: Path
) -> None:
    shown = (ROOT / "README.md").read_text().replace("\\\n", "").splitlines()
    [start] = [line.strip() for line in shown if line.startswith("    docker run -d --name ossec ")]
    inside = [line.strip() for line in shown if line.startswith(("    docker exec ossec ", "    logger "))]
    assert len(inside) >= 3
    check(translated(client, start, name, ossec_image.name), tmp_path, [])
    ready = translated(client, "docker exec ossec ossec-log-server ready", name, ossec_image.name)
    wait_until(partial(check, ready, tmp_path, []), 60, what="the server", ignoring=(AssertionError,))
    for command in inside:
        check(translated(client, command, name, ossec_image.name), tmp_path, [])
    searches = re.findall(
        r"^    (docker exec ossec .*)$", (DOCS / "use" / "search.md").read_text(), re.MULTILINE
    )
    assert len(searches) > 4
    for command in searches:
        found_or_not = f"{translated(client, command, name, ossec_image.name)}\n[ $? -le 1 ]"
        check(found_or_not, tmp_path, [])


def test_each_page_whose_commands_print_something_is_run_by_a_test() -> None:
    """Not that a page's name stands in a test alone: in a call that reads its examples."""
    tests = "\n".join(path.read_text() for path in (ROOT / "tests" / "image").rglob("test_*.py"))
    pages = [path for path in DOCS.rglob("*.md") if documentation.examples(path)]
    assert len(pages) > 10
    for page in pages:
        assert re.search(rf'(try_out\(.*|parametrize\("page", .*|/ )"{re.escape(page.name)}"', tests), page


def test_the_tests_that_the_security_model_names_are_there() -> None:
    named = TEST.findall((DOCS / "trust" / "security.md").read_text())
    assert len(named) > 20
    for file, function in named:
        assert f"\ndef {function}(" in (ROOT / file).read_text(), f"{file} has no {function}"


def test_what_the_page_for_those_who_come_from_wazuh_says(ossec_image: image.Image, tmp_path: Path) -> None:
    """Each section's files in a folder of their own: `check` ends with what the page prints."""
    sections = documentation.examples(DOCS / "use" / "from-wazuh.md")
    assert [section.title for section in sections] == ["What becomes of ossec.conf", "Rules"]
    for number, section in enumerate(sections):
        folder = tmp_path / str(number)
        folder.mkdir()
        section.write(folder)
        section.run(folder, ossec_image.name)


def test_each_rule_element_that_the_page_calls_the_same_is_taken_by_the_engine(
    ossec_image: image.Image, tmp_path: Path
) -> None:
    rows = (DOCS / "use" / "from-wazuh.md").read_text().partition("## Rules")[2].splitlines()
    same = [re.findall(r"<(\w+)(?: /)?", row.split("|")[1]) for row in rows if row.endswith("| the same |")]
    names = {name for row in same for name in row} - {"list", "options"}
    assert len(names) > 30
    text = {
        "if_sid": "5716",
        "if_matched_sid": "5716",
        "if_level": "5",
        "time": "6 pm - 8 am",
        "weekday": "weekends",
    }
    text |= {"srcip": "!10.0.0.0/8", "dstip": "10.0.0.0/8", "decoded_as": "sshd", "category": "syslog"}
    rules = []
    for number, name in enumerate(sorted(names - {"description"})):
        several = re.match("same_|different_|not_same_|if_matched_", name)
        counting = ' frequency="4" timeframe="60"' if several else ""
        parent = "<if_matched_sid>5716</if_matched_sid>" if several and name[:3] != "if_" else ""
        field = ' name="x"' if name == "field" else ""
        empty = (several and name[:3] != "if_") or name in ("check_diff", "if_fts")
        element = f"<{name} />" if empty else f"<{name}{field}>{text.get(name, 'sshd')}</{name}>"
        rules.append(
            f'<rule id="{100200 + number}" level="3"{counting}>{parent}{element}<description>x</description></rule>'
        )
    folder = tmp_path / "ossec"
    folder.mkdir()
    (folder / "local_rules.xml").write_text('<group name="local,">\n' + "\n".join(rules) + "\n</group>\n")
    mount = f"{folder}:/etc/ossec-log-server:ro"
    done = subprocess.run(
        ["docker", "run", "--rm", "-v", mount, ossec_image.name, "check"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", [*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "examples" / "README.md"])
def test_no_link_to_a_file_is_dead(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?:|\.\./\.\./actions/)([^)#]+)", page.read_text()):
        assert (page.parent / link).exists(), link


NAMES = ("ossec", "full", "old")  # of the containers and volumes on the page


@pytest.fixture
def names(client: docker.DockerClient) -> Iterator[dict[str, str]]:
    """Names of this test's own for those of the page. What has them is gone at the end."""
    made = {name: f"ossec-log-server-{uuid.uuid4().hex[:12]}" for name in NAMES}
    yield made
    for name in made.values():
        for kind in (client.containers, client.volumes):
            try:
                kind.get(name).remove(force=True)
            except NotFound:
                continue


def test_each_first_mistake_prints_the_line_of_its_page(
    client: docker.DockerClient, ossec_image: image.Image, names: dict[str, str], tmp_path: Path
) -> None:
    sections = documentation.examples(DOCS / "use" / "first-mistakes.md")
    assert [section.title.partition(".")[0] for section in sections] == [str(n) for n in range(1, 11)]
    for section in sections:
        assert any("exit " in line for _, wanted in section.commands for line in wanted)
        section.write(tmp_path)
        for written, wanted in section.commands:
            command = documentation.RELEASED.sub(ossec_image.name, written)
            for name, own in names.items():
                command = re.sub(
                    rf"((?:-v|--name|exec|container:|size=512k) ?){name}\b", rf"\1{own}", command
                )
                wanted = [re.sub(rf"(volume |-v ){name}\b", rf"\1{own}", line) for line in wanted]
            wait_until(
                partial(check, command, tmp_path, wanted),
                timeout=60 if " ready" in command else 0,
                what=f"`{written}`",
                ignoring=(AssertionError,) if " ready" in command else (),
            )

"""`ossec-log-server test`: a user's own tests of rules, in TOML and in upstream's form."""

import subprocess
import tarfile
from pathlib import Path
from xml.etree import ElementTree

import docker
import pytest
from semver import Version

from pipeline import image, release, source
from pipeline.project import ROOT
from pipeline.server import server as run_server
from tests.image.conftest import FROM_HERE
from tests.image.support import documentation

PAGE = documentation.examples(ROOT / "docs" / "use" / "testing-rules.md")
SSHD = "Nov 26 06:00:00 web1 sshd[77]: Failed password for root from 203.0.113.9 port 22 ssh2"


@pytest.mark.parametrize("example", PAGE, ids=[example.title for example in PAGE])
def test_an_example_of_the_page(
    ossec_image: image.Image, tmp_path: Path, example: documentation.Example
) -> None:
    tmp_path.chmod(0o755)
    example.write(tmp_path)
    example.run(tmp_path, ossec_image.name)


def run(image_name: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    folder.chmod(0o755)
    command = ["docker", "run", "--rm", "--volume", f"{folder}:/etc/ossec-log-server:ro"]
    command += ["--env", "OSSEC_EXTRA_RULES=no", image_name, "test"]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    ("name", "text", "code", "complaint"),
    [
        ("a.toml", "[[test]]\nline = 'a\n", 78, "a.toml line 2: it is not TOML: "),
        (
            "a.toml",
            "line = 'a'\n",
            78,
            "a.toml line 1: 'line' is not known here; write [[test]] above each test",
        ),
        ("a.toml", "[test]\nline = 'a'\n", 78, "a.toml line 1: 'test' is not known here; write [[test]]"),
        (
            "a.toml",
            "[[test]]\nline = 'a'\n",
            78,
            "a.toml line 1: a test needs at least one of: rule, level, decoder",
        ),
        ("a.toml", "[[test]]\nrule = 5\n", 78, "a.toml line 1: a test needs 'line' or 'lines', and not both"),
        ("a.toml", "[[test]]\nline = 'a'\nrule = '5'\n", 78, "a.toml line 3: 'rule' is not a number"),
        ("a.toml", "[[test]]\nline = 'a'\nfields = {a = 1}\n", 78, "a.toml line 3: 'fields' holds texts"),
        (
            "a.toml",
            "[[test]]\nlines = 'a'\nrule = 1\n",
            78,
            "a.toml line 2: 'lines' is not an array of texts",
        ),
        (
            "a.toml",
            "[[test]]\nline = 'a'\nrule = 1\nrepeat = 0\n",
            78,
            "a.toml line 1: 'repeat' is a number from 1",
        ),
        ("a.toml", '[[test]]\nline = "a\\nb"\nrule = 1\n', 78, "a.toml line 1: a line holds a newline"),
        ("a.toml", "", 66, "there are no tests; mount some as /etc/ossec-log-server/tests/NAME.toml"),
        ("a.ini", "[a]\nlog 1 pass = x\n", 78, "a.ini line 1: [a] does not say rule = NUMBER"),
        ("a.ini", "rule = 5\n", 78, "a.ini line 1: 'rule = 5' is not of upstream's form"),
        ("a.ini", "[a]\nlog one = x\n", 78, "a.ini line 2: 'log one = x' is not of upstream's form"),
    ],
)
def test_what_is_no_test_is_one_line(
    ossec_image: image.Image, tmp_path: Path, name: str, text: str, code: int, complaint: str
) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / name).write_text(text)
    done = run(ossec_image.name, tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1), done
    assert complaint in done.stderr


def test_options_and_files_that_are_none(ossec_image: image.Image, tmp_path: Path) -> None:
    for arguments, code, complaint in [
        (["--junit"], 64, "test: --junit needs a file behind it"),
        (["--xml"], 64, "test: '--xml' is not an option of it; write --junit FILE"),
        (["nowhere.toml"], 66, "test: nowhere.toml cannot be read"),
        (["notes.txt"], 64, "test: 'notes.txt' is no file of tests; its name ends in .toml or .ini"),
    ]:
        done = run(ossec_image.name, tmp_path, *arguments)
        assert done.returncode == code, (arguments, done)
        assert complaint in done.stderr
    (tmp_path / "local_rules.xml").write_text("<group name='local,'><rule id='100100' level='99'/></group>")
    done = run(ossec_image.name, tmp_path)
    assert done.returncode == 78
    assert "local_rules.xml line 1: the level of rule 100100" in done.stderr


def test_results_as_junit_and_in_a_running_server(
    client: docker.DockerClient, ossec_image: image.Image, tmp_path: Path
) -> None:
    (tmp_path / "tests").mkdir()
    tmp_path.chmod(0o755)
    (tmp_path / "tests" / "a.toml").write_text(
        f"[[test]]\nname = 'right & <well>'\nline = '{SSHD}'\nrule = 5716\n"
        f"[[test]]\nline = '{SSHD}'\nlevel = 6\nfields = {{ srcip = '203.0.113.9', user = 'bob' }}\n"
    )
    with run_server(
        client, ossec_image.name, FROM_HERE, volumes=[f"{tmp_path}:/etc/ossec-log-server:ro"]
    ) as server:
        server.wait_listening()
        code, said = server.answer("ossec-log-server", "test", "--junit", "/tmp/results.xml")
        assert code == 1
        assert "2 tests, 1 passed, 1 failed" in said
        assert "level     expected 6, found 5" in said
        suites = ElementTree.fromstring(server.run("cat", "/tmp/results.xml"))
    [suite] = suites
    assert (suites.get("tests"), suites.get("failures")) == ("2", "1")
    right, wrong = suite
    assert (right.get("name"), len(right)) == ("right & <well>", 0)
    assert (wrong.get("name"), wrong.get("line")) == (SSHD, "5")
    [failure] = wrong
    assert failure.get("message") == "level     expected 6, found 5"
    assert SSHD in (failure.text or "")


def test_upstream_s_own_tests_pass(
    ossec_image: image.Image, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    wanted = release.find(request.config.getoption("--release"))
    tarball = source.fetch(wanted)
    (tmp_path / "tests").mkdir()
    with tarfile.open(tarball) as tar:
        for name in ("su", "pam", "postfix"):
            [member] = [m for m in tar.getnames() if m.endswith(f"contrib/ossec-testing/tests/{name}.ini")]
            content = tar.extractfile(member)
            assert content
            text = content.read()
            if wanted.version < Version(4, 2, 0):
                # Their ossec-logtest names the decoder that took the line, and not its child that found the fields.
                text = text.replace(b"decoder = postfix-reject", b"decoder = postfix")
            (tmp_path / "tests" / f"{name}.ini").write_bytes(text)
    done = run(ossec_image.name, tmp_path)
    assert done.returncode == 0, done
    assert done.stdout.endswith(" 0 failed\n")

"""What `check` says of files for OSSEC: here by the program itself, without a container."""

import subprocess
from pathlib import Path

import pytest

from pipeline.project import ROOT

PROGRAM = ROOT / "docker/rootfs/usr/local/lib/ossec-log-server/configuration/ossec-files"


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["perl", str(PROGRAM), *words], capture_output=True, text=True, timeout=30)


def rules(folder: Path, element: str) -> str:
    """What is said of a rule with this element, empty if nothing."""
    file = folder / "local_rules.xml"
    lines = ('<group name="local,">', '<rule id="100001" level="5">', element, "<description>x</description>")
    file.write_text("\n".join((*lines, "</rule>", "</group>", "")))
    done = run("check", "rules", str(file))
    assert done.returncode == (78 if done.stderr else 0)
    return done.stderr.removeprefix(f"{file} ").strip()


# Each was tried on OSSEC 4.2.0: it refuses these elements, and takes no notice of these attributes.
@pytest.mark.parametrize(
    ("element", "remedy"),
    [
        ("<srcuser>root</srcuser>", "OSSEC has none of this name; write <user>"),
        ("<data>x</data>", "write <extra_data>"),
        ("<system_name>x</system_name>", "write <match> or <pcre2> on the line itself"),
        ("<mitre><id>T1110</id></mitre>", "name the technique in <group>"),
        ("<same_srcip />", "write <same_source_ip />"),
        ("<same_srcport />", "write <same_src_port />"),
        ("<same_field>x</same_field>", "remove it, or compare by <same_source_ip />"),
        ("<different_dstip />", "remove it, or compare by <different_url />"),
        ("<global_frequency />", "OSSEC counts over all senders"),
        ('<match negate="yes">x</match>', "<match negate=...>: OSSEC ignores it"),
        ('<srcip negate="yes">10.0.0.1</srcip>', "write <srcip>!...</srcip>"),
        (
            '<regex type="pcre2">x+</regex>',
            "OSSEC ignores the type and reads a pattern of its own; write <pcre2>",
        ),
        ('<match type="pcre2">x+</match>', "write <match_pcre2>"),
        ('<url type="pcre2">x+</url>', "write <url_pcre2>"),
        ("<options>no_full_log</options>", "OSSEC has no such option; remove it"),
    ],
)
def test_what_wazuhs_rules_have_and_ossecs_not_is_named_with_a_remedy(
    tmp_path: Path, element: str, remedy: str
) -> None:
    said = rules(tmp_path, element)
    assert said.startswith("line 3: <")
    assert remedy in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    "element",
    [
        "<match>!x</match>",
        "<pcre2>x+</pcre2>",
        "<user>root</user>",
        '<field name="x">y</field>',
        '<info type="link">https://example.org</info>',
        "<same_source_ip />",
        "<options>no_email_alert</options>",
        '<list field="srcip" lookup="address_match_key">lists/x</list>',
    ],
)
def test_what_both_have_is_taken(tmp_path: Path, element: str) -> None:
    assert rules(tmp_path, element) == ""


@pytest.mark.parametrize(
    ("section", "remedy"),
    [
        ("<integration><name>slack</name></integration>", "<integration>: it is a section of Wazuh's"),
        ("<integration><name>slack</name></integration>", "set OSSEC_NOTIFY_URL"),
        ("<ruleset><rule_dir>etc/rules</rule_dir></ruleset>", "mount rules/, local_decoder.xml and lists/"),
        ('<wodle name="syscollector"></wodle>', "remove it: it is about agents"),
        ("<vulnerability-detection></vulnerability-detection>", "remove it: it is about agents"),
        ("<global><update_check>yes</update_check></global>", "an option of Wazuh's <global>"),
    ],
)
def test_wazuhs_sections_are_named_with_a_remedy(tmp_path: Path, section: str, remedy: str) -> None:
    file = tmp_path / "ossec.conf"
    file.write_text(f"<ossec_config>\n{section}\n</ossec_config>\n")
    done = run("check", "config", str(file))
    assert done.returncode == 78
    assert done.stderr.startswith(f"{file} line 2: ")
    assert remedy in done.stderr


def recipients(folder: Path, count: int, granular: int = 0) -> str:
    file = folder / "ossec.conf"
    to = "".join(f"<email_to>person-{number:04}@example.org</email_to>" for number in range(count))
    more = "".join(
        f"<email_alerts><email_to>team-{number:06}@example.org</email_to></email_alerts>"
        for number in range(granular)
    )
    file.write_text(f"<ossec_config><global>{to}</global>{more}</ossec_config>")
    done = run("recipients", str(file))
    assert done.returncode == (78 if done.stderr else 0)
    return done.stderr


def test_recipients_that_ossec_would_not_mail_to_are_refused(tmp_path: Path) -> None:
    """Each of the others takes 27 characters there: OSSEC 4.3.0 takes 36 of them, and with 37 no mail goes out."""
    assert recipients(tmp_path, 1) == ""
    assert recipients(tmp_path, 37) == ""
    assert "the recipients after the first need 997 characters" in recipients(tmp_path, 38)
    assert "write the address of a mailing list" in recipients(tmp_path, 38)
    assert recipients(tmp_path, 20, granular=17) == ""
    assert "and OSSEC takes 994" in recipients(tmp_path, 20, granular=18)

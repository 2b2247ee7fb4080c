"""The program that ossec-maild hands its mails to, with a stand-in for the mail queue's program."""

import subprocess
from pathlib import Path

import pytest

from pipeline.project import ROOT

LIBRARY = ROOT / "docker/rootfs/usr/local/lib/ossec-log-server"


def queued(folder: Path, head: str) -> list[str]:
    """The recipients that a mail with these headers is queued for, one mail each."""
    queue = folder / "queue"
    queue.write_text(f"#!/bin/sh\nsed -n 2p >> {folder}/recipients\ncat > /dev/null\n")
    queue.chmod(0o755)
    script = (LIBRARY / "mail" / "sendmail").read_text()
    places = {
        "/usr/sbin/nullmailer-queue": str(queue),
        "/usr/local/lib/ossec-log-server": str(LIBRARY),
        "/var/ossec/data/queue/mail/position": str(folder / "position"),
    }
    for place, ours in places.items():
        script = script.replace(place, ours)
    (folder / "sendmail").write_text(script)
    mail = f"{head}\r\nSubject: x\r\n\r\n\x012026-11-26 7 9 2026-11-25 5 8\x01 text\r\n"
    command = ["perl", str(folder / "sendmail"), "alerts@example.org"]
    subprocess.run(command, input=mail.encode(), check=True, timeout=30)
    assert (folder / "position").read_text() == "2026-11-26 7 9 2026-11-25 5 8\n"
    return (folder / "recipients").read_text().splitlines()


@pytest.mark.parametrize(
    "head",
    [
        "To: <a@example.org>\r\nTo: <b@example.org>\r\nTo: <c@example.org>",  # up to 4.2.0
        "To: <a@example.org>\r\nCc: <b@example.org>, <c@example.org>",  # upstream's next
        "To: a@example.org\r\nCc: b@example.org,c@example.org, a@example.org",
        "To: <a@example.org>,\r\n <b@example.org>\r\ncc: The third <c@example.org>",
    ],
)
def test_every_recipient_of_to_and_cc_gets_one_mail(tmp_path: Path, head: str) -> None:
    assert queued(tmp_path, head) == ["a@example.org", "b@example.org", "c@example.org"]

"""Alerts and archive as JSON: byte for byte what OSSEC's own writer gives, in UTF-8, and then "@timestamp"."""

import codecs
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import docker
import pytest

from pipeline import image, release, source
from pipeline.bench.lines import mixed_lines
from pipeline.server import server as run_server
from pipeline.server import syslog
from pipeline.wait import wait_until
from tests.image.conftest import FROM_HERE
from tests.image.support import compiled
from tests.image.support.ledger import DATA

WRITERS = ("analysisd/format/to_json.c", "analysisd/format/json_extended.c", "external/cJSON/cJSON.c")

AWKWARD = [
    *(bytes([byte]) for byte in range(1, 256)),
    *(b"plain text " + bytes([byte]) + b" and more of it" for byte in range(1, 256)),
    bytes(range(1, 256)),
    b"",
    b'"\\/\b\f\n\r\t\x01\x1f\x7f',
    "Grüße, 日本語, 🙂 and \u2028".encode(),
    b"cut within \xe2\x82",
    b"cut within \xf0\x9f\x99",
    b"too long a form \xc0\x80 \xe0\x80\x80 \xf0\x80\x80\x80",
    b"a surrogate \xed\xa0\x80, too great \xf4\x90\x80\x80 \xf8\x88",
    b"{PCI_DSS: 1.2} \xff{CIS: 3}",
    b"x" * 7 + b'"' + b"y" * 8 + b"\\" + b"z" * 9,
    b"long " * 12_000,
]


@pytest.fixture(scope="module")
def sources(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> compiled.Sources:
    wanted = release.find(request.config.getoption("--release", default=None))
    return compiled.unpack(wanted, tmp_path_factory.mktemp("json"))


@pytest.fixture(scope="module")
def writers(sources: compiled.Sources) -> list[Path]:
    """The harness, linked with the release's own writer, and the same with the shim."""
    files = [sources.ossec / name for name in WRITERS]
    return [sources.program("json.c", files, shim) for shim in (False, True)]


def samples(request: pytest.FixtureRequest) -> list[bytes]:
    wanted = release.find(request.config.getoption("--release", default=None))
    return [line.encode() for line in mixed_lines(source.fetch(wanted))]


def mended(stock: bytes) -> bytes:
    """With U+FFFD for each byte that is no part of a character."""
    return stock.decode("utf-8", "each byte").encode()


def each_byte(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "\ufffd" * (error.end - error.start), error.end


codecs.register_error("each byte", each_byte)


@pytest.mark.parametrize("kind", ["sample lines", "awkward bytes"])
def test_every_byte_is_what_the_tree_gave_and_then_the_timestamp(
    request: pytest.FixtureRequest, writers: list[Path], kind: str
) -> None:
    texts = AWKWARD if kind == "awkward bytes" else samples(request)
    stock, ours = (compiled.written(program, texts) for program in writers)
    assert len(stock) == len(ours) == 12 * len(texts)
    for number, (theirs, own) in enumerate(zip(stock, ours, strict=True)):
        expected = mended(theirs)
        found = re.fullmatch(rb"(.*),\"@timestamp\":\"([^\"]*)\"}", own, re.DOTALL)
        assert found, own
        assert found[1] + b"}" == expected, f"event {number}"
        json.loads(own.decode())
    times = [re.search(rb'"TimeStamp":(\d+)', line) for line in stock[::2]]
    for number, time in enumerate(times):
        assert time
        # Where the clock has gone on by a second since the event was given its time.
        milliseconds = 999 if number % 6 == 0 else 123
        moment = datetime.fromtimestamp(int(time[1]) / 1000, UTC).replace(microsecond=milliseconds * 1000)
        stamp = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        assert ours[2 * number].endswith(f'"@timestamp":"{stamp}"}}'.encode())


def test_the_archive_as_json_takes_any_host_and_has_the_time_too(
    client: docker.DockerClient, ossec_image: image.Image, tmp_path: Path
) -> None:
    fragment = tmp_path / "json.conf"
    fragment.write_text("<ossec_config><global><logall_json>yes</logall_json></global></ossec_config>")
    mounts = {str(fragment): {"bind": "/etc/ossec-log-server/conf.d/json.conf", "mode": "ro"}}
    hosts = ["(evil", "(evil)", "(evil) ", "(" + "x" * 2000, "good"]
    with run_server(client, ossec_image.name, FROM_HERE, volumes=mounts) as server:
        server.wait_listening()
        before = datetime.now(UTC)
        lines = [
            f"<38>Nov 26 12:00:00 {host} sshd[1]: Failed password for json{number} from 203.0.113.9 port 22 ssh2 \xff"
            for number, host in enumerate(hosts)
        ]
        # A rule can be of the group rootcheck; what it says is no control of a benchmark.
        lines.append(
            "<38>Nov 26 12:00:00 good sshd[1]: Failed password for json5 {PCI: 1.2} from 203.0.113.9 port 22 ssh2"
        )
        syslog.send_tcp(*server.tcp, lines)

        def entries(file: str) -> list[dict[str, Any]]:
            found = [json.loads(line) for line in server.run("cat", f"{DATA}/logs/{file}").splitlines()]
            return [one for one in found if "Failed password for json" in one["full_log"]]

        def all_there() -> list[dict[str, Any]]:
            both = entries("alerts/alerts.json") + entries("archives/archives.json")
            return both if len(both) >= 2 * len(lines) else []

        # The last line of a file may be there by half.
        both = wait_until(all_there, 30, what="the entries of both files", ignoring=(ValueError,))
        after = datetime.now(UTC)
        for entry in both:
            assert list(entry)[-1] == "@timestamp"
            assert re.fullmatch(r"[0-9-]{10}T[0-9:]{8}\.[0-9]{3}Z", entry["@timestamp"])
            # To the millisecond, as the stamp is cut.
            stamp = datetime.fromisoformat(entry["@timestamp"])
            assert before.timestamp() - 0.01 <= stamp.timestamp() <= after.timestamp()
        for entry in entries("alerts/alerts.json"):
            assert int(datetime.fromisoformat(entry["@timestamp"]).timestamp()) * 1000 == entry["TimeStamp"]

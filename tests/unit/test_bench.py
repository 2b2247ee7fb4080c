"""The parts of the bench that need no Docker: what is sent, what is counted, and how the results are told."""

import io
import json
import re
import tarfile
import xml.etree.ElementTree
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from rich.console import Console
from rich.markdown import Markdown

from pipeline import bench
from pipeline.bench import lines, profile, report, steps, subject
from pipeline.bench.results import Findings, Measurement, Results
from pipeline.errors import UserError

INI = """\
[A failed login]
log 1 pass = Feb  9 11:44:56 host sshd[1]: Failed password for bob = x
log 2 fail =   10.0.0.5 - - "GET / HTTP/1.1" 403   \t
log 3 pass =

rule = 5716
alert = 5
decoder = sshd
"""
WELL = Measurement(1000, 1000, 1000, 0, 0, seconds=0.5, sending_seconds=0.4, died=False)


@pytest.fixture
def found() -> Results:
    """A run in which stock lost much, died once and was not measured in all."""
    ours = dict.fromkeys(("tcp", "sustained", "dns", "udp_10000"), WELL)
    ours["direct"] = replace(WELL, seconds=0.45)
    theirs = {
        "tcp": replace(WELL, analysed=231, dropped=None, died=True),
        "udp_10000": replace(WELL, analysed=900, sending_seconds=0.1),
        "udp_45000": replace(WELL, analysed=870, sending_seconds=0.1),
        "dns": replace(WELL, analysed=100, seconds=2.0),
        "sustained": replace(WELL, seconds=1.0),
    }
    return Results(
        "4.2.0",
        "2026-11-23 08:00 UTC",
        1.0,
        {"cores": "2 cores", "kernel": "Linux 6.1"},
        {"cpus": "2 CPUs"},
        {
            "ours": Findings("this image", ours, {"first_alert_seconds": 0.61, "image_bytes": 36_400_000}),
            "stock": Findings("stock", theirs, {"first_alert_seconds": 1.5}),
        },
    )


def rows(shown: Results) -> dict[str, list[str]]:
    """The table's cells by the name of their row."""
    return {
        name: [cell(findings) for findings in shown.findings.values()] for name, cell in report.rows(shown)
    }


def test_sample_lines_are_those_of_passes_and_fails_without_empty_ones() -> None:
    assert lines.sample_lines(INI) == [
        "Feb  9 11:44:56 host sshd[1]: Failed password for bob = x",
        '10.0.0.5 - - "GET / HTTP/1.1" 403',
    ]


def test_mixed_lines_come_from_upstreams_tests_only(tmp_path: Path) -> None:
    tarball = tmp_path / "ossec.tar.gz"
    with tarfile.open(tarball, "w:gz") as tar:
        for name in ("tests/b.ini", "tests/a.ini", "tests/readme", "other/c.ini"):
            data = f"log 1 pass = from {name}\n".encode() + b"log 2 pass = \xff\n" * (name == "tests/a.ini")
            entry = tarfile.TarInfo(f"ossec-hids-4.2.0/contrib/ossec-testing/{name}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    assert lines.mixed_lines(tarball) == ("from tests/a.ini", "�", "from tests/b.ini")


def test_a_tarball_without_samples_is_named(tmp_path: Path) -> None:
    tarball = tmp_path / "empty.tar.gz"
    tarfile.open(tarball, "w:gz").close()
    with pytest.raises(UserError, match=r"empty\.tar\.gz has no sample lines"):
        lines.mixed_lines(tarball)


@pytest.mark.parametrize("size", [1, 2, 7, 11, 12, 13, 64, 10_000])
def test_ids_are_counted_wherever_the_stream_is_cut(size: int) -> None:
    text = "".join(f"{lines.numbered('a line (uid=0)', number)}\n" for number in range(500, 620)).encode()
    text += b"again uid=0000600\nuid=00006011 is too long, uid=000060 too short, uid=uid=0000619"
    chunks = [text[at : at + size] for at in range(0, len(text), size)]
    assert lines.count_ids(chunks, first=510, count=110) == lines.Found(unique=110, repeated=2)


def test_no_id_is_counted_where_there_is_none() -> None:
    assert lines.count_ids([], 0, 10) == lines.Found(0, 0)
    assert lines.count_ids([b"uid=0000010\n"], 0, 10) == lines.Found(0, 0)


def test_what_is_seen_of_a_dead_engine_that_nobody_has_buried() -> None:
    text = "archive 1795419786.539350899 4711\ncache 999\nrss 1000\nshmem 24\nState:\tZ (zombie)\n"
    assert subject.parse_look(text) == subject.Look(1795419786.5393509, 4711, 1024, alive=False)
    assert subject.parse_look(text + "State:\tS (sleeping)\n").alive


def test_memory_is_read_from_either_version_of_cgroups() -> None:
    assert subject.parse_look("anon 5\nfile 100\nkernel 7\nshmem 2\n").memory == 7
    assert subject.parse_look("").memory == 0


def test_counters_without_those_since_the_last_writing() -> None:
    text = (
        "# Events\nevents_dropped='3'\nevents_dropped_delta='3'\nqueue_usage='0.00'\narchives_written='12'\n"
    )
    assert subject.parse_counters(text) == {"events_dropped": 3, "archives_written": 12}


def test_scaled_counts_stay_large_enough() -> None:
    one = steps.Bench(None, [], Path(), "", 2.0, scale=0.02)  # type: ignore[arg-type] # no engine is asked
    assert [one.scaled(count) for count in (1_000_000, 40_000)] == [20_000, 1000]


def test_rates_and_losses_follow_from_the_counts() -> None:
    measured = replace(WELL, analysed=870, taken=990)
    assert (measured.rate, measured.sending_rate) == (1740, 2475)
    assert measured.loss == pytest.approx(0.13)


def test_table_tells_of_losses_deaths_and_what_was_not_measured(found: Results) -> None:
    cells = rows(found)
    assert cells["analysed of 1,000 mixed lines over 50 TCP connections"] == ["1,000", "died after 231"]
    assert cells["dropped of these by the engine's own counters"] == ["0", "–"]
    assert cells["analysed of 100 lines in one TCP write"] == ["–", "–"]
    assert cells["mixed lines/s, DNS dropping every query"] == ["2,000", "50"]
    assert cells["this image's rate then, against it"] == ["–", "40.0 ×"]
    assert cells["mixed lines/s, of that"] == ["90%", "–"]
    assert cells["from docker run to the first alert"] == ["0.6 s", "1.5 s"]
    assert cells["image, compressed"] == ["36.4 MB", "–"]


def test_table_tells_what_a_line_and_a_sync_cost(found: Results) -> None:
    ours = found.findings["ours"]
    ours.values |= {
        "cpu_full_us": 49.4,
        "cpu_1000_us": float("nan"),
        "idle_cpu_ms": 4.91,
        "health_cpu_ms": 50.0,
    }
    ours.counts["relp"] = replace(WELL, analysed=10, seconds=2.0)
    cells = rows(found)
    assert cells["CPU time a line, at full speed"] == ["49 µs", "–"]
    assert cells["CPU time a line, at 1,000/s over UDP"] == ["–", "–"]
    assert cells["CPU time a second, idle, with the health check"] == ["4.9 ms", "–"]
    assert cells["CPU time of health, with docker exec"] == ["50.0 ms", "–"]
    # What was acknowledged counts, not what the engine has analysed by then.
    assert cells["lines/s acknowledged over RELP, each synced to disk"] == ["2,500", "–"]


def test_table_tells_where_the_sender_was_too_slow(found: Results) -> None:
    cells = rows(found)
    assert cells["lost of 10,000 UDP datagrams/s"] == ["0.0% (at 2,500/s)", "10.0%"]
    assert cells["lost of 45,000 UDP datagrams/s"] == ["–", "13.0% (at 10,000/s)"]


def test_table_names_the_machine(found: Results) -> None:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(Markdown(report.markdown(found)))
    text = console.export_text()
    for words in ("OSSEC 4.2.0", "2026-11-23 08:00 UTC", "2 cores", "Linux 6.1", "2 CPUs", "this image"):
        assert words in text


def test_results_are_written_with_their_rates(found: Results, tmp_path: Path) -> None:
    bench.write(found, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bench.json", "bench.svg"]
    written = json.loads((tmp_path / "bench.json").read_text())
    assert written["findings"]["ours"]["counts"]["tcp"] == {**asdict(WELL), "rate": 2000.0}


def test_each_version_has_a_row(found: Results) -> None:
    text = report.markdown_by_version([found, replace(found, ossec="3.6.0")])
    cells = "1,000 / died after 231 | 2,000 / 1,000 | 2,000 / 50 | 2,222 / –"
    assert text.splitlines()[:4] == [
        "| OSSEC | of 1,000 over TCP | lines/s | lines/s, no DNS | into the engine |",
        "|---|---|---|---|---|",
        f"| 4.2.0 | {cells} |",
        f"| 3.6.0 | {cells} |",
    ]
    assert "This image / stock." in text


def test_plot_shows_each_share_and_loads_nothing(found: Results) -> None:
    svg = report.plot(found)
    root = xml.etree.ElementTree.fromstring(svg)
    texts = {"".join(element.itertext()).strip() for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"this image", "stock", "100", "23.1", "87", "UDP 45k/s"} <= texts
    assert "<script" not in svg
    assert not re.search(r"(href|src|@import)[^>]*https?:", svg)


def test_a_folder_that_cannot_be_written_is_named(found: Results, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file/docs cannot be written"):
        bench.write(found, tmp_path / "file" / "docs")


def test_steps_are_taken_in_their_own_order() -> None:
    assert bench.chosen("udp, start") == ("start", "udp")
    assert bench.chosen("") == tuple(steps.STEPS)
    with pytest.raises(UserError, match="no step nonsense"):
        bench.chosen("tcp,nonsense")
    with pytest.raises(UserError, match=r"no step udp\. Known: tcp, sustained, dns, direct\."):
        bench.bench_each([], "udp")  # which has no column there


@pytest.mark.parametrize("scale", [0, -1, 1.1, float("nan")])
def test_a_scale_that_is_none_is_refused(scale: float) -> None:
    with pytest.raises(UserError, match="scale"):
        bench.bench(None, scale=scale)  # type: ignore[arg-type] # it does not come to the release


def test_the_machine_is_described() -> None:
    words = bench.machine("28.5")
    assert words["engine"] == "Docker 28.5"
    assert re.fullmatch(r"\d+ cores", words["cores"])


SAMPLES = """\
ossec-analysisd
        55a6 put_quoted (/var/ossec/bin/ossec-analysisd)
        55a7 Eventinfo_to_jsonstr (/var/ossec/bin/ossec-analysisd)
        55a8 jsonout_output_event (/var/ossec/bin/ossec-analysisd)
        55a9 main (/var/ossec/bin/ossec-analysisd)

ossec-analysisd
        7f01 [unknown] ([JIT] tid 11357)

ossec-analysisd
        7f02 [unknown] (/usr/lib/x86_64-linux-gnu/libc.so.6)
        55aa OS_AddEvent_List.part.0 (/var/ossec/bin/ossec-analysisd)
        55ab analysisd_analyze_event (/var/ossec/bin/ossec-analysisd)
        55a9 main (/var/ossec/bin/ossec-analysisd)

ossec-analysisd
        ffff schedule ([kernel.kallsyms])

ossec-analysisd
        55ac OS_CheckIfRuleMatch (/var/ossec/bin/ossec-analysisd)
        55a9 main (/var/ossec/bin/ossec-analysisd)
"""


def test_samples_of_perf_are_shares_of_stages() -> None:
    found = profile.parse(SAMPLES.splitlines())
    assert dict(found.shares()) == {
        "alerts as JSON": 0.2,
        "regular expressions": 0.2,
        "rules": 0.4,
        "kernel": 0.2,
    }
    assert found.stacks[("main", "analysisd_analyze_event", "OS_AddEvent_List", "libc")] == 1


def test_the_flame_graph_is_an_svg_with_each_function_as_wide_as_its_share() -> None:
    drawn = profile.flame_graph(profile.parse(SAMPLES.splitlines()), "a < b")
    root = xml.etree.ElementTree.fromstring(drawn)
    titles = [title.text for title in root.iter("{http://www.w3.org/2000/svg}title")]
    assert "main: 60.0%" in titles
    assert "a regular expression: 20.0%" in titles
    assert "a &lt; b, 5 samples" in drawn


def test_a_page_gets_the_new_table_between_its_marks(tmp_path: Path, found: Results) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n")
    bench.renew(page, "bench", report.markdown(found))
    text = page.read_text()
    assert text.startswith("before\n<!-- bench -->\n|  | this image | stock |\n|---|---|---|\n")
    assert "| lost of 10,000 UDP datagrams/s | 0.0% (at 2,500/s) | 10.0% |\n" in text
    assert text.endswith("<!-- /bench -->\nafter\n")
    assert "old" not in text
    with pytest.raises(UserError, match=r"has no lines <!-- other --> and <!-- /other -->"):
        bench.renew(page, "other", "x")


def test_the_pages_have_the_marks_and_the_readme_names_rows_that_there_are(found: Results) -> None:
    root = Path(__file__).resolve().parents[2]
    for page, marks in (
        ("README.md", ("bench",)),
        ("docs/use/performance.md", ("bench", "bench-each", "bench-profile")),
    ):
        text = (root / page).read_text()
        for mark in marks:
            assert f"<!-- {mark} -->\n" in text
            assert f"<!-- /{mark} -->\n" in text
    found.findings["ours"].counts["tcp"] = replace(WELL, sent=1_000_000)
    assert set(report.SHORT) <= {name for name, _ in report.rows(found)}


def test_every_header_is_the_same_message() -> None:
    assert len(lines.HEADERS) == 8
    assert all(line.rstrip("\r").endswith(": 3 opened, 3 closed") for line in lines.HEADERS.values())

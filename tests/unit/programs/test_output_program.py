"""What ossec-output hands on, and from where: after kills, power failures, clocks that jump, compressed days."""

import gzip
import os
import re
import signal
import time
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.wait import wait_until
from tests.unit.programs.output_program import SECONDS, TODAY, Engine, Output, compiled


def test_alerts_are_printed_once_over_restarts_and_kills(output: Output, engine: Engine) -> None:
    engine.write(1000)
    output.start()
    output.wait_for(1000)
    engine.write(50)
    output.wait_for(1050)
    wait_until(lambda: output.counters() == (1050, 0), SECONDS, 0.05, "the note of the last")
    output.end(signal.SIGKILL)
    engine.write(50)
    assert output.run(1100) == list(range(1100))
    assert output.counters() == (1100, 0)


def test_a_kill_repeats_no_more_than_a_batch(output: Output, engine: Engine) -> None:
    engine.write(20000)
    for least in (1000, 5000, 9000):
        output.start()
        wait_until(lambda: len(output.printed) > least * 80, SECONDS, 0.001, "some alerts")  # noqa: B023
        output.end(signal.SIGKILL)
    got = output.run(20000)
    assert set(got) == set(range(20000))
    assert len(got) - 20000 <= 3 * 16


def test_at_the_first_start_it_begins_at_the_end(program: Path, engine: Engine, tmp_path: Path) -> None:
    engine.write(10, TODAY - timedelta(1))
    engine.compress(TODAY - timedelta(1))
    engine.write(10)
    output = Output(program, engine, tmp_path)
    output.command("--settle")
    engine.write(5)
    assert output.run(5) == list(range(20, 25))


CALLS = r"""
#include <stdio.h>
#include <stdlib.h>
int __real_fsync(int file);
int __real_rename(const char *from, const char *to);
static void note(const char *what)
{
    FILE *log = fopen(getenv("CALLS"), "a");
    fprintf(log, "%s\n", what);
    fclose(log);
}
int __wrap_fsync(int file) { note("fsync"); return __real_fsync(file); }
int __wrap_rename(const char *from, const char *to) { note("rename"); return __real_rename(from, to); }
"""


def test_the_position_is_synced_once_a_second_and_at_the_end(
    engine: Engine, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("wrapped")
    (folder / "calls.c").write_text(CALLS)
    flags = ["-Wl,--wrap=fsync", "-Wl,--wrap=rename", str(folder / "calls.c")]
    output = Output(compiled(folder, *flags), engine, tmp_path)
    output.environment["CALLS"] = os.environ["CALLS"] = str(tmp_path / "calls")
    output.command("--settle")
    del os.environ["CALLS"]
    began = time.monotonic()
    for _ in range(10):
        engine.write(2000)
        if not output.process:
            output.start()
        output.wait_for(engine.number)
        time.sleep(0.1)
    output.end()
    seconds = time.monotonic() - began
    assert f"handed_on  {engine.number}\n" in output.position.read_text()
    calls = (tmp_path / "calls").read_text().split()
    # The file before it gets its name, its folder after.
    assert calls == ["fsync", "rename", "fsync"] * (len(calls) // 3)
    assert 2 <= len(calls) // 3 <= seconds + 4


@pytest.mark.parametrize("damage", ["empty", "zeros", "cut", "text", "changed", "folder"])
def test_a_position_that_is_damaged_repeats_the_newest_day_and_says_so(
    output: Output, engine: Engine, damage: str
) -> None:
    """L8."""
    engine.write(10, TODAY - timedelta(1))
    engine.write(10)
    output.run(20)
    text = output.position.read_bytes()
    output.position.unlink()
    if damage == "folder":
        output.position.mkdir()
    else:
        forms = {"empty": b"", "zeros": bytes(len(text)), "cut": text[:-20], "text": b"a\nb\n"}
        output.position.write_bytes(forms.get(damage, text.replace(b"handed_on  20", b"handed_on  21")))
    engine.write(3)
    assert sorted(output.run(23)) == sorted([*range(23), *range(10, 20)])
    complaints = [line for line in output.errors.splitlines() if "cannot be used" in line]
    assert len(complaints) == 1
    assert "so the alerts of the newest day are handed on again" in complaints[0]


def test_a_note_that_a_power_failure_has_damaged_costs_a_second_at_most(
    output: Output, engine: Engine
) -> None:
    engine.write(10)
    output.run(10)
    recent = output.position.with_name("position.recent")
    for content in (
        b"",
        bytes(192),
        recent.read_bytes()[:100],
        b"x" * 192,
        recent.read_bytes()[:-3] + b"0\n",
    ):
        recent.write_bytes(content)
        engine.write(1)
        output.run(engine.number)
    assert output.numbers() == list(range(engine.number))


def test_the_position_of_a_release_before_goes_on(program: Path, engine: Engine, tmp_path: Path) -> None:
    yesterday = TODAY - timedelta(1)
    engine.write(10, yesterday)
    engine.compress(yesterday)
    engine.write(10)
    offset = len(engine.file(TODAY).read_bytes()) // 10 * 4
    output = Output(program, engine, tmp_path)
    whole = len(gzip.decompress(engine.file(yesterday).with_suffix(".json.gz").read_bytes()))
    output.position.write_text(f"handed_on 14\nsince 20261125\n20261125 {whole}\n20261126 {offset}\n")
    assert output.run(6) == list(range(14, 20))
    # And the other way, as such a release reads it.
    lines = output.position.read_text().split("\n")
    assert lines[0].split() == ["handed_on", "20"]
    assert lines[1] == "since 20261125"
    assert lines[3] == f"20261126 {len(engine.file(TODAY).read_bytes())}"


def test_a_file_that_a_power_failure_has_shortened_goes_on_at_its_end(output: Output, engine: Engine) -> None:
    path = engine.write(1000)
    output.run(1000)
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join(lines[:600]) + b"\n" + lines[600][:20])
    output.command("--settle")
    # The engine cuts the half line off when it starts.
    path.write_bytes(b"\n".join(lines[:600]) + b"\n")
    engine.write(500)
    assert output.run(1500) == list(range(1500))
    assert "it goes on behind these" in output.errors


def test_what_reads_as_zeros_before_the_position_was_not_handed_on_for_good(
    output: Output, engine: Engine
) -> None:
    path = engine.write(1000)
    output.run(1000)
    whole = path.read_bytes()
    keep = whole[: whole.index(b'"n": 600,')].rindex(b"\n") + 1
    path.write_bytes(whole[:keep] + bytes(len(whole) - keep))
    output.command("--settle")
    os.truncate(path, keep)
    engine.write(500)
    assert output.run(1500) == list(range(1500))


def test_a_file_that_shrinks_while_it_is_read(output: Output, engine: Engine) -> None:
    path = engine.write(100)
    engine.write(raw=b'{"rule":{"lev' + bytes(5000))
    output.start()
    output.wait_for(100)
    size = path.read_bytes().index(b'{"rule":{"lev')
    os.truncate(path, size)
    engine.write(100)
    assert output.wait_for(200) == list(range(200))
    lines = path.read_bytes().split(b"\n")
    os.truncate(path, len(b"\n".join(lines[:150])) + 1)
    wait_until(
        lambda: "it goes on behind these" in output.errors, SECONDS, 0.02, "it to see the shorter file"
    )
    engine.write(100)
    assert output.wait_for(300) == list(range(300))
    output.end()


@pytest.mark.parametrize("zeros", [1, 5000, 300_000, 1_000_000])
def test_zeros_between_alerts_are_left_out_with_one_line(output: Output, engine: Engine, zeros: int) -> None:
    first, half, second = engine.alerts(10), engine.alerts(1)[:30], engine.alerts(10)
    engine.write(raw=first + half + bytes(zeros) + second)
    expected = [n for n in range(21) if n != 10]
    assert output.run(20) == expected
    assert b"\0" not in output.printed
    assert 1 <= len(re.findall("are left out", output.errors)) <= 2 + zeros // 262144
    assert output.counters() == (20, 0)


def test_half_a_line_is_not_printed_and_holds_up_nothing(output: Output, engine: Engine) -> None:
    yesterday = TODAY - timedelta(1)
    engine.write(10, yesterday)
    engine.write(day=yesterday, raw=b'{"rule":{"level":5,"comment":"half')
    output.start()
    output.wait_for(10)
    assert b"half" not in output.printed
    engine.write(10)  # the day is over
    assert output.wait_for(20) == list(range(20))
    wait_until(lambda: output.counters() == (20, 0), SECONDS, 0.05, "nothing that waits")
    engine.write(raw=b'rest of a line"}\n\n[1]\n' + engine.alerts(1))
    assert output.wait_for(21) == list(range(21))
    output.end()


def test_a_line_longer_than_any_alert_is_left_out(output: Output, engine: Engine) -> None:
    engine.write(3)
    engine.write(raw=b'{"x":"' + b"y" * 700_000 + b'"}\n')
    engine.write(3)
    assert output.run(6) == list(range(6))
    assert "longer than any alert" in output.errors


def test_the_clock_jumps_both_ways_over_kept_days(output: Output, engine: Engine) -> None:
    """L10."""
    days = [TODAY - timedelta(n) for n in range(14, 0, -1)]
    output.start()
    for day in days:
        engine.write(10, day)
        output.wait_for(engine.number)
        if day > days[0]:
            engine.compress(day - timedelta(1))
    # Back over all of them, where OSSEC begins another file of a day that is compressed; and forward again.
    for day in [days[0], days[7], TODAY, days[3], days[0], TODAY + timedelta(300), days[13], TODAY]:
        engine.write(10, day)
        output.wait_for(engine.number)
    output.end()
    engine.write(10, days[0])
    engine.write(10, TODAY)
    assert output.run(engine.number) == list(range(engine.number))
    assert output.counters() == (engine.number, 0)


def test_days_pass_while_nobody_reads_and_the_clock_goes_back(output: Output, engine: Engine) -> None:
    for day in [TODAY - timedelta(n) for n in (5, 4, 3)]:
        engine.write(100, day)
    engine.compress(TODAY - timedelta(5))
    engine.write(100, TODAY - timedelta(5))  # back to a day that is compressed
    engine.compress(TODAY - timedelta(5), part=1)
    engine.compress(TODAY - timedelta(4))
    engine.write(100, TODAY)
    got = output.run(500)
    assert sorted(got) == list(range(500))


def test_a_day_that_is_being_compressed_is_no_other_file(output: Output, engine: Engine) -> None:
    yesterday = TODAY - timedelta(1)
    path = engine.write(1000, yesterday)
    output.run(1000)
    packed = gzip.compress(path.read_bytes(), 1)
    for length in (0, 5, 30, 300, len(packed) - 4, len(packed)):
        path.with_suffix(".json.gz").write_bytes(packed[:length])
        engine.write(1)
        output.run(engine.number)
        engine.write(1, TODAY + timedelta(1))  # another file, so that it looks through the folder
        output.run(engine.number)
    path.unlink()
    engine.write(1)
    assert output.run(engine.number) == list(range(engine.number))


def test_a_damaged_compressed_day_costs_its_rest(output: Output, engine: Engine) -> None:
    yesterday = TODAY - timedelta(1)
    engine.write(5000, yesterday)
    packed = engine.compress(yesterday)
    whole = packed.read_bytes()
    packed.write_bytes(whole[: len(whole) // 2])
    engine.write(10)
    output.start()
    wait_until(lambda: 5009 in output.numbers(), SECONDS, 0.05, "the day after")
    output.end()
    got = output.numbers()
    assert len(got) == len(set(got))
    assert "compressed alerts of 20261125 are damaged" in output.errors
    before = len(got)
    engine.write(1)
    output.run(before + 1)
    assert output.numbers()[before:] == [5010]


def test_a_compressed_day_takes_linear_time(
    engine: Engine, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """In CPU time; L10: 80 MB took 60 s."""
    fast = compiled(tmp_path_factory.mktemp("fast"), "-O2")
    seconds = {}
    for megabytes in (10, 80):
        day = TODAY - timedelta(megabytes)
        mine = Engine(tmp_path / f"alerts-{megabytes}")
        output = Output(fast, mine, tmp_path / f"alerts-{megabytes}")
        output.command("--settle")
        mine.write(megabytes * 1000, day, padding=1000)
        mine.compress(day)
        mine.write(1)
        process = output.start()
        wait_until(lambda: output.counters()[0] == mine.number, 120, 0.2, "all alerts")  # noqa: B023
        with Path(f"/proc/{process.pid}/stat").open() as file:
            fields = file.read().rpartition(")")[2].split()
        seconds[megabytes] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        output.end()
        assert len(output.printed.splitlines()) == mine.number
    print(seconds)
    assert seconds[80] < max(16 * seconds[10], 2), seconds


def test_a_pipe_that_nobody_reads_holds_up_no_stop_and_loses_nothing(output: Output, engine: Engine) -> None:
    engine.write(3000)
    engine.write(5, padding=20_000)
    process = output.start(read=False)
    time.sleep(1)  # the pipe is full
    assert output.end() < 6
    assert process.stdout
    while part := process.stdout.read(65536):
        output.printed += part
    assert output.printed.endswith(b"\n")  # no half line
    got = output.run(engine.number)
    assert set(got) == set(range(engine.number))
    assert len(got) - engine.number <= 16


def test_an_end_hands_on_what_is_there(output: Output, engine: Engine) -> None:
    for _ in range(5):
        output.start()
        engine.write(2000)
        output.end()
    assert output.numbers() == list(range(10_000))

"""The journal by itself, with the sanitizers: what a kill, a power failure or a bad disk leaves of it."""

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.project import ROOT
from tests.unit.conftest import Once
from tests.unit.programs.intake import compiled

JOURNAL = ROOT / "docker" / "journal"
HEAD = 16  # bytes before each datagram; a segment begins with 8 more
# append COUNT: adds that many lines and syncs them; read POSITION: prints what the engine would read from there on.
# done POSITION: the engine is done up to there, and it is on disk.
TOOL = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "done.h"
#include "journal.h"
#include "reader.h"
#include "state.h"

static int number_of_last(const char *line)
{
    const char *space = strrchr(line, ' ');
    return space ? atoi(space + 1) : -1;
}

int main(int argc, char **argv)
{
    char problem[4200] = "", line[JOURNAL_RECORD_MAX + 1];
    struct journal *j = argc == 3 ? journal_open("journal", problem, sizeof(problem)) : NULL;
    struct reader r;

    if (j == NULL) {
        fprintf(stderr, "%s\n", problem);
        return 1;
    }
    if (strcmp(argv[1], "done") == 0) {
        struct done done = {.position = strtoull(argv[2], NULL, 10)};
        return done_write(done_open("journal"), DONE_SYNCED, &done) != 0;
    }
    if (strcmp(argv[1], "append") == 0) {
        int first = 0;

        reader_open(&r, "journal", 0);
        while (reader_next(&r, journal_flushed(j), line) > 0) {
            first = number_of_last(line) + 1;
        }
        for (int n = first; n < first + atoi(argv[2]); n++) {
            int length = snprintf(line, sizeof(line), "2:192.0.2.1:%0*d line %d", n % 3000 + 1, 0, n);
            journal_append(j, line, (uint32_t)length);
            if (n % 7 == 0 && journal_flush(j) != 0) {
                return 2;
            }
        }
        if (journal_flush(j) != 0 || journal_sync(j) != 0) {
            return 2;
        }
        printf("%llu\n", (unsigned long long)journal_synced(j));
        return 0;
    }
    reader_open(&r, "journal", strtoull(argv[2], NULL, 10));
    while (reader_next(&r, journal_flushed(j), line) > 0) {
        printf("%d\n", number_of_last(line));
    }
    return 0;
}
"""


@pytest.fixture(scope="session")
def tool(once: Once) -> Path:
    def made(folder: Path) -> Path:
        (folder / "tool.c").write_text(TOOL)
        return compiled(folder, folder / "tool.c", *JOURNAL.glob("*.c"), flags=('-DSTATE_PATH="state"',))

    return once("journal", made)


class Journal:
    """A journal in a folder of its own."""

    def __init__(self, tool: Path, folder: Path) -> None:
        self.tool, self.folder = tool, folder

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        quiet = {"ASAN_OPTIONS": "detect_leaks=0"}  # the tool ends with the journal open
        return subprocess.run([self.tool, *words], cwd=self.folder, capture_output=True, text=True, env=quiet)

    def append(self, count: int) -> int:
        result = self.run("append", str(count))
        assert result.returncode == 0, result.stderr
        return int(result.stdout)

    def read(self, position: int = 0) -> list[int]:
        result = self.run("read", str(position))
        assert result.returncode == 0, result.stderr
        return [int(number) for number in result.stdout.split()]

    def segments(self) -> list[Path]:
        return sorted(path for path in (self.folder / "journal").iterdir() if path.name.isdigit())


@pytest.fixture
def journal(tool: Path, tmp_path: Path) -> Journal:
    return Journal(tool, tmp_path)


def test_lines_go_through_many_segments(journal: Journal) -> None:
    journal.append(8000)
    assert len(journal.segments()) > 2
    assert journal.read() == list(range(8000))
    journal.append(10)
    assert journal.read() == list(range(8010))


def test_a_segment_cut_anywhere_costs_what_is_behind_the_cut_alone(journal: Journal) -> None:
    journal.append(60)
    [segment] = journal.segments()
    whole, rnd = segment.read_bytes(), random.Random(9)
    for cut in [0, 1, 7, 8, 9, 8 + HEAD, *(rnd.randrange(len(whole)) for _ in range(25))]:
        shutil.rmtree(journal.folder / "journal")
        (journal.folder / "journal").mkdir()
        segment.write_bytes(whole[:cut])
        kept = journal.read()
        assert kept == list(range(len(kept)))
        assert sum(HEAD + len(f"2:192.0.2.1:{'0' * (n % 3000 + 1)} line {n}") for n in kept) <= cut
        journal.append(3)  # and it goes on
        assert journal.read() == [*kept, *range(len(kept), len(kept) + 3)]


@pytest.mark.parametrize("junk", [b"\0" * 5000, b"\xff" * 5000, b"2:192.0.2.1:no record"])
def test_junk_behind_the_last_line_is_set_aside(journal: Journal, junk: bytes) -> None:
    journal.append(20)
    [segment] = journal.segments()
    with segment.open("ab") as file:
        file.write(junk)
    assert journal.read() == list(range(20))
    aside = list((journal.folder / "journal").glob("damaged-*"))
    # Zeros are what a power failure leaves of room that was never written: nobody's data.
    assert [path.read_bytes() for path in aside] == ([] if not junk.strip(b"\0") else [junk])
    journal.append(5)
    assert journal.read() == list(range(25))


def test_a_file_that_is_no_segment_is_set_aside_and_not_written_over(journal: Journal) -> None:
    folder = journal.folder / "journal"
    folder.mkdir()
    (folder / ("0" * 20)).write_bytes(b"somebody else's")
    journal.append(5)
    assert journal.read() == list(range(5))
    assert [path.read_bytes() for path in folder.glob("damaged-*")] == [b"somebody else's"]


def test_a_bad_block_in_the_middle_costs_its_segment_from_there_on(journal: Journal) -> None:
    journal.append(8000)
    first, second = journal.segments()[:2]
    middle = first.stat().st_size // 2
    with first.open("r+b") as file:
        file.seek(middle)
        file.write(b"\0" * 512)
    read = journal.read()
    gap = next(n for n, number in enumerate(read) if n != number)
    assert 0 < gap < read[gap]
    assert read[gap:] == list(range(read[gap], 8000))
    assert len([*range(gap, read[gap])]) * 20 < first.stat().st_size - middle + 512
    assert read[gap] == journal.read(int(second.name))[0]
    assert "the journal is damaged at" in journal.run("read", "0").stderr


def test_what_comes_after_a_lost_end_does_not_count_as_done(journal: Journal) -> None:
    """The engine had read lines that were not on disk yet, and a power failure took them from the journal."""
    end = journal.append(50)
    assert journal.run("done", str(end)).returncode == 0
    [segment] = journal.segments()
    segment.write_bytes(segment.read_bytes()[:2000])
    journal.append(4)
    assert journal.read(end) == journal.read()[-4:]
    assert int(journal.segments()[-1].name) == end


def test_both_places_that_say_what_is_done_may_be_torn(journal: Journal) -> None:
    end = journal.append(30)
    for torn in (0, 4096):
        journal.run("done", str(end))
        place = journal.folder / "journal" / "done"
        data = bytearray(place.read_bytes())
        data[torn + 20] ^= 0xFF
        place.write_bytes(data)
        assert journal.read() == list(range(30))
    place.write_bytes(b"")
    assert journal.read() == list(range(30))

"""What the rules notice of a corpus in fail2ban's format, and whom they blame."""

import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.table import Column, Table

from pipeline.errors import UserError

NOTICED = 5  # the least level of an alert that counts
# A comment above each line says what it is: `# failJSON: {"match": true, "host": "192.0.2.1"}`.
VERDICT = re.compile(r"#+ ?failJSON:(.+)")
# What begins like this is a syslog line already; anything else is a line of a file.
SYSLOG = re.compile(
    r"<\d+>1 |(?:<\d+>)?(?:[A-Z][a-z]{2} [ \d]\d (?:\d{4} )?\d\d:\d\d:\d\d(?:\.\d+)? \S"
    r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:[+-]\d\d:?\d\d|Z) [\w.-]+ [\w./-]+(?:\[\d+\])?: )"
)
EVENT = re.compile(r"^\*\*Phase 1: Completed pre-decoding\.$", re.MULTILINE)
SOURCE = re.compile(r"^ {7}srcip: '(.*)'$", re.MULTILINE)
USER = re.compile(r"^ {7}(?:dst|src)user: '(.*)'$", re.MULTILINE)
DECODER = re.compile(r"^ {7}decoder: '(.*)'$", re.MULTILINE)
RULE = re.compile(r"^ {7}Rule id: '(\d+)'\n {7}Level: '(\d+)'", re.MULTILINE)


@dataclass(frozen=True)
class Line:
    """A line of a corpus: the service that wrote it, and the address to blame for it, if any."""

    service: str
    text: str
    attack: bool
    host: str | None = None


@dataclass(frozen=True)
class Finding:
    """What the engine says of one line."""

    rule: int = 0
    level: int = 0
    source: str | None = None
    user: str | None = None
    decoder: str | None = None

    @property
    def noticed(self) -> bool:
        return self.level >= NOTICED


@dataclass
class Count:
    attacks: int = 0
    noticed: int = 0
    right: int = 0
    wrong: int = 0
    harmless: int = 0
    blamed: int = 0

    def add(self, line: Line, found: Finding) -> bool:
        """Count it in; whether it was judged right."""
        blames = found.noticed and found.source is not None
        if not line.attack:
            self.harmless += 1
            self.blamed += blames
            return not blames
        same = same_source(found.source, line.host)
        self.attacks += 1
        self.noticed += found.noticed
        self.right += found.noticed and same
        self.wrong += blames and not same
        return found.noticed and same


@dataclass
class Report:
    """The counts of a corpus, a service each, and the lines that were judged wrong."""

    services: dict[str, Count] = field(default_factory=dict)
    missed: list[tuple[Line, Finding]] = field(default_factory=list)

    @property
    def total(self) -> Count:
        sums: Counter[str] = Counter()
        for one in self.services.values():
            sums.update(vars(one))
        return Count(**sums)


def same_source(found: str | None, host: str | None) -> bool:
    """Whether two spellings mean one source. A line that names no host has none to get wrong."""
    return host is None or (found or "").lower() == host.lower().removeprefix("::ffff:")


def read(corpus: Path) -> list[Line]:
    """The lines of every file in a folder; the file's name is the service's."""
    if not corpus.is_dir():
        raise UserError(f"There is no folder {corpus}; name one with log files in fail2ban's format.")
    files = sorted(path for path in corpus.rglob("*") if path.is_file())
    lines = [line for path in files for line in _lines(str(path.relative_to(corpus)), path)]
    if not lines:
        raise UserError(f"No file in {corpus} has a line with a '# failJSON: {{...}}' comment above it.")
    return lines


def _lines(service: str, path: Path) -> Iterator[Line]:
    said: dict[str, object] | None = None
    for text in path.read_text(errors="replace").split("\n"):
        if found := VERDICT.match(text):
            try:
                said = json.loads(found[1])
            except ValueError as error:
                raise UserError(f"{path}: a failJSON comment is no JSON ({error}): {text}") from error
        elif text.strip() and not text.startswith("#") and said is not None:
            host = said.get("host")
            yield Line(service, text.rstrip("\r"), bool(said.get("match")), str(host) if host else None)
            said = None


def as_syslog(line: Line, program: str) -> str:
    """The line as a syslog server gets it: one of a file with the header that a container's log driver writes."""
    if SYSLOG.match(line.text):
        return line.text
    return f"Nov 26 06:00:00 web1 {program or line.service.replace('/', '-')}[1]: {line.text}"


def logtest(image: str, lines: Sequence[str], options: Sequence[str] = ()) -> list[Finding]:
    """What an image's rule tester says of the lines, in one run, repeats too. `options` are more of `docker run`."""
    words = ["docker", "run", "--rm", "-i", "--network", "none", "--tmpfs", "/run", *options]
    text = "".join(f"{line}\n" for line in lines).encode(errors="replace")
    ended = subprocess.run([*words, image, "logtest"], input=text, capture_output=True)
    output = ended.stdout.decode(errors="replace")
    events = EVENT.split(output)[1:]
    if ended.returncode or len(events) != len(lines):
        said = (ended.stderr or ended.stdout[-2000:]).decode(errors="replace").strip()
        raise UserError(
            f"The rule tester of {image} judged {len(events)} of {len(lines)} lines (exit {ended.returncode}): {said}"
        )
    return [_finding(event) for event in events]


def _finding(event: str) -> Finding:
    # A decoder that is tried after another prints its findings after it.
    def last(pattern: re.Pattern[str]) -> str | None:
        found: list[str] = pattern.findall(event)
        return found[-1] if found else None

    rule, level = map(int, found.groups()) if (found := RULE.search(event)) else (0, 0)
    return Finding(rule, level, last(SOURCE), last(USER), last(DECODER))


def measure(image: str, lines: Sequence[Line], program: str = "", options: Sequence[str] = ()) -> Report:
    """What an image notices of the lines. `program` is named in the header of a file's lines."""
    report = Report()
    found = logtest(image, [as_syslog(line, program) for line in lines], options)
    for line, finding in zip(lines, found, strict=True):
        if not report.services.setdefault(line.service, Count()).add(line, finding):
            report.missed.append((line, finding))
    return report


def table(report: Report) -> Table:
    titles = ("attacks", "noticed", "right source", "wrong source", "harmless", "blamed")
    numbers = (Column(title, justify="right") for title in titles)
    shown = Table("service", *numbers, box=None, header_style="bold")
    for service, count in sorted(report.services.items()):
        shown.add_row(service, *(str(number) for number in vars(count).values()))
    total = report.total
    shown.add_section()
    shown.add_row("all", *(str(number) for number in vars(total).values()), style="bold")
    of_attacks = (_share(part, total.attacks) for part in (total.noticed, total.right, total.wrong))
    shown.add_row("", "", *of_attacks, "", _share(total.blamed, total.harmless))
    return shown


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def missed(report: Report) -> str:
    """The lines that were judged wrong, each with what was found and what should have been."""
    return "\n".join(
        f"{line.service}\t{'attack' if line.attack else 'harmless'}\thost={line.host}\t"
        f"rule={found.rule} level={found.level} source={found.source} decoder={found.decoder}\t{line.text}"
        for line, found in report.missed
    )

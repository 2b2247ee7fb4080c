"""Where the engine's time goes: perf's samples of it as shares of the stages of a line's way, and as a flame graph."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from pipeline.errors import UserError

FREQUENCY = 499  # samples a second; perf copies a piece of the stack with each
STACK_BYTES = 8192
FEWEST = 500  # samples of which shares can be told
REGEX = "regular expressions"
KERNEL = "kernel"
OTHER = "other"

# The innermost of these functions on a sample's stack says which stage it belongs to.
STAGES = {
    "alerts as JSON": ("jsonout_output_event", "Eventinfo_to_jsonstr", "__wrap_W_ParseJSON"),
    "alerts as text": ("__wrap_OS_Log", "OS_Log"),
    "archive": ("OS_Store",),
    "journal: reading, and writing files in batches": (
        "shim_next_message",
        "next_message",
        "commit",
        "reader_next",
    ),
    "header": ("__wrap_OS_CleanMSG_ex", "__wrap_OS_CleanMSG", "OS_CleanMSG_ex", "OS_CleanMSG"),
    "decoders": ("__wrap_DecodeEvent", "DecodeEvent", "analysisd_decode_event"),
    "correlation: lines that came before": (
        "Search_LastSids",
        "Search_LastGroups",
        "Search_LastEvents",
        "OS_AddEvent",
    ),
    "rules": ("OS_CheckIfRuleMatch", "analysisd_analyze_event"),
    "an event's memory": ("Free_Eventinfo", "Zero_Eventinfo", "analysisd_event_alloc", "OS_DelEvent"),
}
_STAGE_OF = {function: stage for stage, functions in STAGES.items() for function in functions}
# What PCRE2 compiles has no name, and nothing unwinds it.
_COMPILED = re.compile(r"\[JIT\]|/perf-\d+\.map|//anon|libpcre2|\[unknown\] \(\[anon")
_FRAME = re.compile(r"^\s+[0-9a-f]+ (.+) \((.*)\)$")


@dataclass(frozen=True)
class Profile:
    """The stacks of functions that were seen, the outermost first, and the stages; with how often each was."""

    stacks: Counter[tuple[str, ...]] = field(default_factory=Counter)
    stages: Counter[str] = field(default_factory=Counter)

    def shares(self) -> list[tuple[str, float]]:
        """Each stage and its share, the greatest first."""
        total = sum(self.stages.values())
        return [(stage, count / total) for stage, count in self.stages.most_common()]


def record(pid: int, seconds: float) -> Profile:
    """Let that process of this machine, which is stopped, go on, and look at it for so long.

    Raises UserError where perf is not there or may not, or where the process did next to nothing.
    """
    if shutil.which("perf") is None:
        raise UserError("The profile is taken by perf, which is not on this machine: install linux-perf.")
    with tempfile.TemporaryDirectory() as folder:
        data = str(Path(folder, "perf.data"))
        how = ["-F", str(FREQUENCY), "-e", "cpu-clock", "--call-graph", f"dwarf,{STACK_BYTES}"]
        # perf takes seconds before it looks, so it is perf that lets the process go on.
        goes_on = ["sh", "-c", f"kill -CONT {pid} && exec sleep {seconds:g}"]
        command = ["perf", "record", "-q", *how, "-p", str(pid), "-o", data, "--", *goes_on]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode not in (0, -signal.SIGINT):
            raise UserError(f"perf cannot look at the engine: {done.stderr.strip()}. Run it as root.")
        # Not inlined functions: for these it asks addr2line, which cannot read a container's libraries, and ends it.
        script = ["perf", "script", "--no-inline", "-i", data, "-F", "comm,ip,sym,dso"]
        offline = os.environ | {"DEBUGINFOD_URLS": ""}
        told = subprocess.run(script, capture_output=True, text=True, env=offline)
    if told.returncode != 0:
        raise UserError(f"perf can't tell what it saw: {told.stderr.strip() or f'status {told.returncode}'}.")
    found = parse(told.stdout.splitlines())
    if (count := sum(found.stages.values())) < FEWEST:
        raise UserError(
            f"perf saw the engine at work only {count} times in {seconds:g} s, too few to tell shares: see that "
            "nothing else keeps the machine busy, and start it again."
        )
    return found


def parse(lines: Iterable[str]) -> Profile:
    """What `perf script` prints: for each sample its stack, the innermost function first, and an empty line."""
    profile = Profile()
    frames: list[tuple[str, str]] = []
    for line in [*lines, ""]:
        if found := _FRAME.match(line):
            frames.append((found[1].removesuffix(".part.0").partition("+0x")[0], found[2]))
        elif not line.strip() and frames:
            profile.stages[stage_of(frames)] += 1
            profile.stacks[tuple(_name(*frame) for frame in reversed(frames))] += 1
            frames = []
    return profile


def stage_of(frames: Sequence[tuple[str, str]]) -> str:
    """The stage of a sample's stack of functions and their files, the innermost first."""
    if _COMPILED.search(f"{frames[0][0]} ({frames[0][1]})"):
        return REGEX
    for function, _ in frames:
        if function in _STAGE_OF:
            return _STAGE_OF[function]
    return KERNEL if "kernel" in frames[0][1] else OTHER


def _name(function: str, file: str) -> str:
    if _COMPILED.search(f"{function} ({file})") and function == "[unknown]":
        return "a regular expression"
    return f"{Path(file).name.partition('.so')[0]}" if function == "[unknown]" else function


WIDTH, ROW, CHARACTER = 1200.0, 17, 7.0  # pixels


def flame_graph(profile: Profile, title: str) -> str:
    """An SVG: each function as wide as its share of the time, on the one that called it; pointing shows numbers."""
    total = sum(profile.stacks.values())
    counts: Counter[tuple[str, ...]] = Counter()
    for stack, count in profile.stacks.items():
        counts.update({stack[: depth + 1]: count for depth in range(len(stack))})
    shown: list[tuple[int, float, float, str]] = []
    free: dict[tuple[str, ...], float] = {(): 0.0}  # from where on there is room on a function, in pixels
    for stack in sorted(counts):  # each function before those that it has called
        left, width = free[stack[:-1]], WIDTH * counts[stack] / total
        free[stack], free[stack[:-1]] = left, left + width
        if width >= 0.5:
            shown.append((len(stack), left, width, stack[-1]))
    height = (max(depth for depth, *_ in shown) + 2) * ROW
    boxes = [_box(left, height - (depth + 1) * ROW, width, name) for depth, left, width, name in shown]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {height}" '
        'font-family="monospace" font-size="11">'
    )
    caption = f'<text x="4" y="{height - 4}" fill="#57606a">{escape(title)}, {total:,} samples</text>'
    return "\n".join([head, *boxes, caption, "</svg>"]) + "\n"


def _box(left: float, top: float, width: float, name: str) -> str:
    color = f"hsl({20 + sum(name.encode()) % 35},85%,{62 + len(name) % 12}%)"
    fits = int((width - 4) / CHARACTER)
    label = name if len(name) <= fits else f"{name[: fits - 1]}…" if fits > 3 else ""
    text = f'<text x="{left + 3:.1f}" y="{top + 12:.1f}">{escape(label)}</text>' if label else ""
    return (
        f"<g><title>{escape(name)}: {width / WIDTH:.1%}</title>"
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{max(width - 0.3, 0.2):.1f}" '
        f'height="{ROW - 1}" rx="1" fill="{color}"/>'
        f"{text}</g>"
    )

"""The results for people: tables in Markdown, for pages and terminals, and a plot."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from xml.etree.ElementTree import Element

import pygal  # type: ignore[import-untyped]
from pygal.style import Style  # type: ignore[import-untyped]

from pipeline.bench.lines import HEADERS
from pipeline.bench.profile import Profile
from pipeline.bench.results import COMMANDS, CORES, CPU_RATES, UDP_RATES, Findings, Measurement, Results

NONE = "–"  # not measured
OURS = "ours"

MICROSECONDS, TENTHS, MILLISECONDS, MEGABYTES = "{:,.0f} µs", "{:,.1f} µs", "{:,.1f} ms", "{:.1f} MB"

Cell = Callable[[Findings], str]
CountCell = Callable[[Measurement], str]

ANALYSED, DEAD = "{0.analysed:,}".format, "died after {0.analysed:,}".format
RATE, ACKNOWLEDGED = "{0.rate:,.0f}".format, "{0.sending_rate:,.0f}".format
NOTHING = NONE.format

# The steps by which versions are compared: what comes through over TCP, with DNS and without, and past the receiver.
EACH: Mapping[str, tuple[str, CountCell]] = {
    "tcp": ("of {lines} over TCP", ANALYSED),
    "sustained": ("lines/s", RATE),
    "dns": ("lines/s, no DNS", RATE),
    "direct": ("into the engine", RATE),
}

# The rows that the README has.
SHORT = (
    "analysed of 1,000,000 mixed lines over 50 TCP connections",
    "lost of 45,000 UDP datagrams/s",
    "mixed lines/s, DNS answering",
    "mixed lines/s, DNS dropping every query",
    "mixed lines/s straight into the engine",
    "CPU time a line, at full speed",
    "from a datagram to its alert at 1,000/s, median",
    "from docker run to the first alert",
    "memory, most",
    "image, compressed",
)


def rows(results: Results) -> list[tuple[str, Cell]]:
    """The table's rows: what each is called, and what it says of one of those compared."""
    ours = results.findings.get(OURS)
    lines = ours.counts["tcp"].sent if ours and "tcp" in ours.counts else 1_000_000
    best = ours.counts.get("dns") if ours else None
    return [
        (f"analysed of {lines:,} mixed lines over 50 TCP connections", _of("tcp", ANALYSED)),
        ("dropped of these by the engine's own counters", _of("tcp", _dropped, NOTHING)),
        ("analysed of 100 lines in one TCP write", _of("one_write", ANALYSED)),
        *(
            (f"lost of {rate:,} UDP datagrams/s", _of(f"udp_{rate}", partial(_loss, rate)))
            for rate in UDP_RATES
        ),
        ("mixed lines/s, DNS answering", _of("sustained", RATE)),
        ("mixed lines/s, DNS dropping every query", _of("dns", RATE)),
        ("this image's rate then, against it", _of("dns", partial(_times, best), NOTHING)),
        ("mixed lines/s straight into the engine", _of("direct", RATE)),
        ("mixed lines/s, of that", _share),
        *((f"mixed lines/s on {cores} cores", _of(f"cores_{cores}", RATE)) for cores in CORES),
        ("from docker run to the first alert", _value("first_alert_seconds", "{:.1f} s")),
        ("CPU time a line, at full speed", _value("cpu_full_us", MICROSECONDS)),
        *(
            (f"CPU time a line, at {rate:,}/s over UDP", _value(f"cpu_{rate}_us", MICROSECONDS))
            for rate in CPU_RATES
        ),
        *(
            (f"CPU time a line, header: {header.replace('_', ' ')}", _value(f"header_{header}_us", TENTHS))
            for header in HEADERS
        ),
        ("CPU time a line, our rules and upstream's", _value("rules_ours_us", TENTHS)),
        ("CPU time a line, upstream's rules alone", _value("rules_upstreams_us", TENTHS)),
        ("CPU time a second, idle, with the health check", _value("idle_cpu_ms", MILLISECONDS)),
        *(
            (f"CPU time of {name}, with docker exec", _value(f"{name}_cpu_ms", MILLISECONDS))
            for name in COMMANDS
        ),
        ("of that, docker exec alone", _value("exec_cpu_ms", MILLISECONDS)),
        ("from a datagram to its alert at 1,000/s, median", _value("latency_median_ms", MILLISECONDS)),
        ("the same, 99th percentile", _value("latency_99_ms", MILLISECONDS)),
        ("lines/s acknowledged over RELP, each synced to disk", _of("relp", ACKNOWLEDGED)),
        ("the same in memory, where a sync costs nothing", _of("relp_in_memory", ACKNOWLEDGED)),
        ("memory, idle", _value("idle_bytes", MEGABYTES, 1e-6)),
        ("memory, most", _value("peak_bytes", MEGABYTES, 1e-6)),
        ("image, compressed", _value("image_bytes", MEGABYTES, 1e-6)),
    ]


def markdown(results: Results, names: Collection[str] = (), keys: Collection[str] = (OURS, "stock")) -> str:
    """A column for each of those compared with one of the keys; the rows that are named, or all that were measured."""
    shown = [findings for key, findings in results.findings.items() if key in keys]
    cells = ([name, *(cell(one) for one in shown)] for name, cell in rows(results))
    kept = [[name, *found] for name, *found in cells if (name in names if names else {*found} - {NONE})]
    about = (f"OSSEC {results.ossec}", results.date, *results.machine.values(), *results.limits.values())
    return _table(["", *(one.title for one in shown)], kept) + f"\n{', '.join(about)}.\n"


def markdown_by_version(each: Sequence[Results]) -> str:
    """A row for each version: this image / stock. All were measured alike, on one machine."""
    about = f"{each[0].date}, {', '.join(each[0].machine.values())}. This image / stock."
    first = list(each[0].findings.values())
    measured = {name: one.sent for findings in first for name, one in findings.counts.items() if name in EACH}
    headings = [EACH[name][0].format(lines=f"{sent:,}") for name, sent in measured.items()]
    cells = [_of(name, EACH[name][1]) for name in measured]
    lines = [[one.ossec, *(" / ".join(map(cell, one.findings.values())) for cell in cells)] for one in each]
    return f"{_table(['OSSEC', *headings], lines)}\n{about}\n"


def markdown_stages(profile: Profile, title: str) -> str:
    count = sum(profile.stages.values())
    lines = [[stage, f"{share:.1%}"] for stage, share in profile.shares()]
    return _table(("stage", "share of the engine's time"), lines) + f"\n{title}, {count:,} samples.\n"


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    bar = "|" + "---|" * len(head)
    return "\n".join([f"| {' | '.join(head)} |", bar, *(f"| {' | '.join(line)} |" for line in lines)]) + "\n"


def plot(results: Results) -> str:
    """An SVG: of the lines sent, how many each of those compared has analysed, in per cent."""
    bars: list[tuple[str, str]] = [
        ("tcp", "50 TCP connections"),
        ("one_write", "100 in one write"),
        *((f"udp_{rate}", f"UDP {rate // 1000}k/s") for rate in UDP_RATES),
        ("direct", "the engine alone"),
    ]
    ink = "#57606a"  # to be read on a dark page as on a light one
    style = Style(
        background="transparent",
        plot_background="transparent",
        **dict.fromkeys(("foreground", "foreground_strong", "foreground_subtle"), ink),
        colors=("#1a7f37", "#cf222e", "#bf8700", "#8250df"),
        font_family="sans-serif",
        label_font_size=13,
        major_label_font_size=13,
        value_font_size=9,
        legend_font_size=14,
        title_font_size=16,
        guide_stroke_color=ink,
        major_guide_stroke_color=ink,
        value_colors=(ink,) * len(results.findings),
        opacity="1",
    )
    chart = pygal.Bar(
        style=style,
        js=[],
        disable_xml_declaration=True,
        width=1000,
        height=420,
        range=(0, 100),
        y_labels=[0, 25, 50, 75, 100],
        legend_at_bottom=True,
        legend_at_bottom_columns=len(results.findings),
        x_label_rotation=20,
        title=f"OSSEC {results.ossec}: lines analysed, % of those sent",
        print_values=True,
        print_values_position="top",
        value_formatter=lambda value: "" if value is None else f"{value:.3g}",
        no_prefix=True,
    )
    chart.add_xml_filter(_without_scripts)
    chart.x_labels = [label for _, label in bars]
    for findings in results.findings.values():
        measured = [findings.counts.get(name) for name, _ in bars]
        chart.add(findings.title, [one and 100 * one.analysed / one.sent for one in measured])
    return str(chart.render(is_unicode=True)) + "\n"


def _without_scripts(root: Element) -> Element:
    """A picture needs none, and some viewers refuse one that has any."""
    for parent in list(root.iter()):
        for child in [one for one in parent if str(one.tag).endswith("script")]:
            parent.remove(child)
    return root


def _of(name: str, cell: CountCell, of_dead: CountCell = DEAD) -> Cell:
    """What is said of that count; of an engine that died of it, `of_dead`."""

    def shown(findings: Findings) -> str:
        one = findings.counts.get(name)
        return NONE if one is None else of_dead(one) if one.died else cell(one)

    return shown


def _value(name: str, form: str, unit: float = 1.0) -> Cell:
    def shown(findings: Findings) -> str:
        number = findings.values.get(name, math.nan)
        return NONE if math.isnan(number) else form.format(number * unit)

    return shown


def _dropped(one: Measurement) -> str:
    return NONE if one.dropped is None else f"{one.dropped:,}"


def _loss(asked: int, one: Measurement) -> str:
    # A sender that did not keep up says so: its loss is that of a lower rate.
    slow = one.sending_rate < 0.97 * asked
    return f"{one.loss:.1%}" + (f" (at {one.sending_rate:,.0f}/s)" if slow else "")


def _times(best: Measurement | None, one: Measurement) -> str:
    return NONE if best is None or one is best or not one.analysed else f"{best.rate / one.rate:,.1f} ×"


def _share(findings: Findings) -> str:
    sustained, direct = findings.counts.get("sustained"), findings.counts.get("direct")
    if sustained is None or direct is None or sustained.died or direct.died or not direct.analysed:
        return NONE
    return f"{sustained.rate / direct.rate:.0%}"

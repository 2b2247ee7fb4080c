"""The results for people: a table and a plot."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from xml.etree.ElementTree import Element

import pygal  # type: ignore[import-untyped]
from pygal.style import Style  # type: ignore[import-untyped]
from rich.table import Table

from pipeline.bench.lines import HEADERS
from pipeline.bench.profile import Profile
from pipeline.bench.results import COMMANDS, CORES, CPU_RATES, UDP_RATES, Findings, Measurement, Results

NONE = "–"  # not measured
OURS = "ours"

Cell = Callable[[Findings], str]

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


def table(results: Results) -> Table:
    """One column for each of those compared, one row for each thing measured."""
    machine = ", ".join(results.machine.values())
    limits = ", ".join(results.limits.values())
    shown = Table(
        title=f"OSSEC {results.ossec}, {results.date}",
        caption=f"{machine}; each in {limits}",
        title_justify="left",
        caption_justify="left",
    )
    shown.add_column("")
    for findings in results.findings.values():
        shown.add_column(findings.title, justify="right")
    for name, cell in rows(results):
        shown.add_row(name, *(cell(findings) for findings in results.findings.values()))
    return shown


def rows(results: Results) -> list[tuple[str, Cell]]:
    """The table's rows: what each is called, and what it says of one of those compared."""
    ours = results.findings.get(OURS)
    lines = ours.counts["tcp"].sent if ours and "tcp" in ours.counts else 1_000_000
    best = ours.counts.get("dns") if ours else None
    return [
        (f"analysed of {lines:,} mixed lines over 50 TCP connections", _of("tcp", _analysed)),
        ("dropped of these by the engine's own counters", _of("tcp", _dropped)),
        ("analysed of 100 lines in one TCP write", _of("one_write", _analysed)),
        *((f"lost of {rate:,} UDP datagrams/s", _of(f"udp_{rate}", _loss(rate))) for rate in UDP_RATES),
        ("mixed lines/s, DNS answering", _of("sustained", _rate)),
        ("mixed lines/s, DNS dropping every query", _of("dns", _rate)),
        ("this image's rate then, against it", _of("dns", _times(best))),
        ("mixed lines/s straight into the engine", _of("direct", _rate)),
        ("mixed lines/s, of that", _share),
        *((f"mixed lines/s on {cores} cores", _of(f"cores_{cores}", _rate)) for cores in CORES),
        (
            "from docker run to the first alert",
            _value("first_alert_seconds", lambda number: f"{number:.1f} s"),
        ),
        ("CPU time a line, at full speed", _value("cpu_full_us", _microseconds)),
        *(
            (f"CPU time a line, at {rate:,}/s over UDP", _value(f"cpu_{rate}_us", _microseconds))
            for rate in CPU_RATES
        ),
        *(
            (f"CPU time a line, header: {header.replace('_', ' ')}", _value(f"header_{header}_us", _tenths))
            for header in HEADERS
        ),
        ("CPU time a line, our rules and upstream's", _value("rules_ours_us", _tenths)),
        ("CPU time a line, upstream's rules alone", _value("rules_upstreams_us", _tenths)),
        ("CPU time a second, idle, with the health check", _value("idle_cpu_ms", _milliseconds)),
        *(
            (f"CPU time of {name}, with docker exec", _value(f"{name}_cpu_ms", _milliseconds))
            for name in COMMANDS
        ),
        ("of that, docker exec alone", _value("exec_cpu_ms", _milliseconds)),
        ("from a datagram to its alert at 1,000/s, median", _value("latency_median_ms", _milliseconds)),
        ("the same, 99th percentile", _value("latency_99_ms", _milliseconds)),
        ("lines/s acknowledged over RELP, each synced to disk", _of("relp", _acknowledged)),
        ("the same in memory, where a sync costs nothing", _of("relp_in_memory", _acknowledged)),
        ("memory, idle", _value("idle_bytes", _megabytes)),
        ("memory, most", _value("peak_bytes", _megabytes)),
        ("image, compressed", _value("image_bytes", _megabytes)),
    ]


def by_version(each: Sequence[Results]) -> Table:
    """One row for each version, of this image and of stock OSSEC; all were measured alike, on one machine."""
    first = each[0]
    limits = ", ".join([*first.machine.values(), *first.limits.values()])
    shown = Table(
        title=f"Each version, {first.date}", caption=limits, title_justify="left", caption_justify="left"
    )
    shown.add_column("OSSEC")
    measured = {
        name: one
        for findings in first.findings.values()
        for name, one in findings.counts.items()
        if name in EACH
    }
    for name, one in measured.items():
        for findings in first.findings.values():
            heading = EACH[name][0].format(lines=f"{one.sent:,}")
            shown.add_column(f"{heading}\n{findings.title}", justify="right")
    for results in each:
        cells = [_of(name, EACH[name][1])(one) for name in measured for one in results.findings.values()]
        shown.add_row(results.ossec, *cells)
    return shown


def markdown(results: Results, names: Collection[str] = ()) -> str:
    """The table for a page: this image and stock, and of the rows those that are named, or all that were measured."""
    keys = [key for key in ("ours", "stock") if key in results.findings]
    shown = [results.findings[key] for key in keys]
    cells = [(name, [cell(one) for one in shown]) for name, cell in rows(results)]
    kept = [
        (name, found) for name, found in cells if (name in names if names else set(found) != {NONE}) and found
    ]
    what = ", ".join(
        (f"OSSEC {results.ossec}", results.date, *results.machine.values(), *results.limits.values())
    )
    return (
        _table(["", *(one.title for one in shown)], [[name, *found] for name, found in kept]) + f"\n{what}.\n"
    )


def markdown_by_version(each: Sequence[Results]) -> str:
    """The rows of the versions for a page: this image / stock."""
    measured = [name for name in EACH if name in each[0].findings[OURS].counts]
    lines = [
        [
            one.ossec,
            *(
                " / ".join(_of(name, EACH[name][1])(two) for two in one.findings.values())
                for name in measured
            ),
        ]
        for one in each
    ]
    sent = f"{each[0].findings[OURS].counts[measured[0]].sent:,}" if measured else ""
    head = ["OSSEC", *(EACH[name][0].format(lines=sent) for name in measured)]
    return (
        _table(head, lines)
        + f"\n{each[0].date}, {', '.join(each[0].machine.values())}. This image / stock.\n"
    )


def stages(profile: Profile) -> Table:
    """The shares of the stages."""
    shown = Table("stage", "share of the engine's time")
    for stage, share in profile.shares():
        shown.add_row(stage, f"{share:.1%}")
    return shown


def markdown_stages(profile: Profile, title: str) -> str:
    """The same for a page."""
    lines = [[stage, f"{share:.1%}"] for stage, share in profile.shares()]
    count = sum(profile.stages.values())
    return _table(["stage", "share of the engine's time"], lines) + f"\n{title}, {count:,} samples.\n"


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
        foreground=ink,
        foreground_strong=ink,
        foreground_subtle=ink,
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
        chart.add(findings.title, [_percent(findings.counts.get(name)) for name, _ in bars])
    return str(chart.render(is_unicode=True)) + "\n"


def _without_scripts(root: Element) -> Element:
    """A picture needs none, and some viewers refuse one that has any."""
    for parent in list(root.iter()):
        for child in [one for one in parent if str(one.tag).endswith("script")]:
            parent.remove(child)
    return root


def _of(name: str, cell: Callable[[Measurement], str]) -> Cell:
    return lambda findings: cell(findings.counts[name]) if name in findings.counts else NONE


def _value(name: str, cell: Callable[[float], str]) -> Cell:
    return lambda findings: cell(findings.values[name]) if name in findings.values else NONE


def _dead(one: Measurement) -> str:
    return f"died after {one.analysed:,}"


def _analysed(one: Measurement) -> str:
    return _dead(one) if one.died else f"{one.analysed:,}"


def _dropped(one: Measurement) -> str:
    return NONE if one.dropped is None else f"{one.dropped:,}"


def _rate(one: Measurement) -> str:
    return _dead(one) if one.died else f"{one.rate:,.0f}"


# The steps by which versions are compared: what comes through over TCP, with DNS and without, and past the receiver.
EACH: Mapping[str, tuple[str, Callable[[Measurement], str]]] = {
    "tcp": ("of {lines} over TCP", _analysed),
    "sustained": ("lines/s", _rate),
    "dns": ("lines/s, no DNS", _rate),
    "direct": ("into the engine", _rate),
}


def _loss(asked: int) -> Callable[[Measurement], str]:
    def cell(one: Measurement) -> str:
        if one.died:
            return _dead(one)
        # A sender that did not keep up says so: its loss is that of a lower rate.
        slow = one.sending_rate < 0.97 * asked
        return f"{one.loss:.1%}" + (f" (at {one.sending_rate:,.0f}/s)" if slow else "")

    return cell


def _times(best: Measurement | None) -> Callable[[Measurement], str]:
    def cell(one: Measurement) -> str:
        if best is None or one is best or one.died or not one.analysed:
            return NONE
        return f"{best.rate / one.rate:,.1f} ×"

    return cell


def _share(findings: Findings) -> str:
    sustained, direct = findings.counts.get("sustained"), findings.counts.get("direct")
    if sustained is None or direct is None or sustained.died or direct.died or not direct.analysed:
        return NONE
    return f"{sustained.rate / direct.rate:.0%}"


def _acknowledged(one: Measurement) -> str:
    return _dead(one) if one.died else f"{one.sending_rate:,.0f}"


def _microseconds(number: float) -> str:
    return NONE if math.isnan(number) else f"{number:,.0f} µs"


def _tenths(number: float) -> str:
    return NONE if math.isnan(number) else f"{number:,.1f} µs"


def _milliseconds(number: float) -> str:
    return f"{number:,.1f} ms"


def _megabytes(number: float) -> str:
    return f"{number / 1e6:.1f} MB"


def _percent(one: Measurement | None) -> float | None:
    return None if one is None else 100 * one.analysed / one.sent

"""The benchmark: our image and stock OSSEC of the same version, side by side in one run, in the same limits.

It takes about twelve minutes a version, and nobody else should use the machine meanwhile.
"""

import os
import platform
import re
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import docker
from docker.errors import APIError
from rich.markdown import Markdown
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pipeline import image, project, source
from pipeline.bench import lines, report, results, stock, subject
from pipeline.bench.profile import flame_graph
from pipeline.bench.results import Findings, Results
from pipeline.bench.steps import STEPS, Bench, profile_engine
from pipeline.bench.subject import Kind
from pipeline.console import err, out
from pipeline.errors import UserError
from pipeline.machine import terminated_like_interrupted
from pipeline.release import Release
from pipeline.server.syslog import SendError
from pipeline.wait import WaitTimeout

DOCS = project.ROOT / "docs" / "use"
PROFILED = f"{image.REPOSITORY}-profile"


def bench(release: Release, only: str = "", scale: float = 1.0) -> None:
    """Measure the release's image and stock OSSEC, and print the table; a full run renews pages, JSON and plot.

    `only` names steps with commas between them, and `scale` is the share of the full number of messages: both
    are for working on the bench itself. Raises UserError as `measure` does.
    """
    steps = chosen(only)
    done = measure(release, steps, scale)
    out.print(Markdown(report.markdown(done, keys=done.findings)))
    if steps == tuple(STEPS) and scale == 1:
        write(done, DOCS)
        renew(project.ROOT / "README.md", "bench", report.markdown(done, report.SHORT))
        renew(DOCS / "performance.md", "bench", report.markdown(done))


def bench_each(releases: Sequence[Release], only: str = "", scale: float = 1.0) -> None:
    """Measure each release's image and its stock OSSEC by the steps in report.EACH, and print a row for each.

    `only` and `scale` as `bench` has them. Raises UserError for another step, and as `measure` does.
    """
    steps = chosen(only, report.EACH)
    for release in releases:  # all of them before the first is measured
        source.fetch(release)
    done: list[Results] = []
    try:
        for release in releases:
            err.print(f"[bold]OSSEC {release.version}[/]")
            done.append(measure(release, steps, scale, ("ours", "stock")))
    finally:
        if done:
            out.print(Markdown(report.markdown_by_version(done)))
    if steps == tuple(report.EACH):
        renew(DOCS / "performance.md", "bench-each", report.markdown_by_version(done))


def bench_profile(release: Release, scale: float = 1.0) -> None:
    """See where the engine's time goes while it works off a full journal, and renew the page and the flame graph.

    Raises UserError where perf is not there or may not look, and as `measure` does.
    """
    tarball = source.fetch(release)
    with image.arguments(image.recipe(release, tarball)) as words:
        # The same code; only its functions' names are left in.
        words = ["--build-arg=SYMBOLS=yes", *words]
        made = image.built(image.name(release, PROFILED), words, release.source.commit_date)
    theirs = stock.build(release, tarball)
    with _bench(tarball, theirs.name, scale) as bench:
        found = profile_engine(bench, subject.ours(made.name))
    title = f"OSSEC {release.version}, {datetime.now(UTC):%Y-%m-%d}"
    stages = report.markdown_stages(found, title)
    out.print(Markdown(stages))
    (DOCS / "engine.svg").write_text(flame_graph(found, f"ossec-analysisd, {title}"))
    renew(DOCS / "performance.md", "bench-profile", stages)


def renew(page: Path, mark: str, text: str) -> None:
    """Put the text between `<!-- MARK -->` and `<!-- /MARK -->` of the page. Raises UserError if they are not there."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(f"<!-- {mark} -->\n")
    _, end, after = rest.partition(f"<!-- /{mark} -->\n")
    if not begin or not end:
        raise UserError(f"{page} has no lines <!-- {mark} --> and <!-- /{mark} -->: add them.")
    page.write_text(f"{before}{begin}{text}{end}{after}", encoding="utf-8")
    err.print(f"Renewed {page}", soft_wrap=True)


@terminated_like_interrupted()
def measure(release: Release, steps: Sequence[str], scale: float, keys: Sequence[str] = ()) -> Results:
    """Take the steps with those compared whose keys are given, or with all.

    Raises UserError for a wrong scale, where the engine is not on this machine, or where an image can't be built.
    Nothing that it started is left, also when it is interrupted.
    """
    if not 0 < scale <= 1:
        raise UserError(f"The scale is {scale:g}: write a number above 0 and up to 1.")
    if sys.platform != "linux":
        raise UserError("The bench sends to containers' addresses, which only Linux reaches: run it there.")
    tarball = source.fetch(release)
    with err.status("Building the two images …"):
        ours, theirs = image.build(release, tarball), stock.build(release, tarball)
    kinds = [subject.ours(ours.name), *subject.stocks(theirs.name)]
    compared = [kind for kind in kinds if kind.key in keys or not keys]
    with _bench(tarball, theirs.name, scale) as bench:
        found = _measure(bench, compared, steps)
        for key, built in (("ours", ours), ("stock", theirs)):
            found[key].values["image_bytes"] = sum(layer.size for layer in built.layers)
        return Results(
            ossec=str(release.version),
            date=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            scale=scale,
            machine=machine(str(bench.client.version()["Version"])),
            limits={"cpus": f"{bench.cpus:g} CPUs", "memory": f"{subject.MEMORY >> 20} MiB"},
            findings=found,
        )


@contextmanager
def _bench(tarball: Path, perl_image: str, scale: float) -> Iterator[Bench]:
    """What the steps need, with the sample lines of the release."""
    mixed = lines.mixed_lines(tarball)
    cpus = min(2.0, float(os.cpu_count() or 1))  # that each of the compared may use
    with (
        closing(docker.from_env()) as client,
        tempfile.TemporaryDirectory(prefix="ossec-log-server-bench-") as name,
    ):
        tools = Path(name)
        tools.chmod(0o755)  # whoever runs in a container reads it
        (tools / "mixed").write_text("".join(f"{line}\n" for line in mixed), encoding="utf-8")
        yield Bench(client, mixed, tools, perl_image, cpus, scale)


def chosen(only: str, known: Collection[str] = STEPS) -> tuple[str, ...]:
    """The steps that are named, in the order in which they are taken; all that are known if none is."""
    wanted = {word.strip() for word in only.split(",") if word.strip()}
    if unknown := wanted - set(known):
        raise UserError(f"The bench has no step {', '.join(sorted(unknown))}. Known: {', '.join(known)}.")
    return tuple(step for step in known if step in wanted or not wanted)


def write(done: Results, folder: Path) -> None:
    """Write bench.json and bench.svg. Raises UserError where the folder can't be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in (("bench.json", results.to_json(done)), ("bench.svg", report.plot(done))):
            (folder / name).write_text(text, encoding="utf-8")
            err.print(f"Wrote {folder / name}", soft_wrap=True)
    except OSError as problem:
        raise UserError(f"{folder} cannot be written: {problem.strerror}. Name another folder.") from problem


def machine(engine: str) -> dict[str, str]:
    """What the numbers were measured on, a few words each; `engine` is Docker's version."""
    model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cores": f"{os.cpu_count()} cores",
        "cpu": model[1].strip() if model else platform.machine(),
        "memory": f"{memory / (1 << 30):.0f} GiB",
        "kernel": f"Linux {platform.release()}",
        "engine": f"Docker {engine}",
    }


def _measure(bench: Bench, kinds: Sequence[Kind], steps: Sequence[str]) -> dict[str, Findings]:
    found = {kind.key: Findings(kind.title) for kind in kinds}
    # Step by step and not kind by kind: what the machine does meanwhile then hits all of them alike.
    todo = [(step, kind) for step in steps for kind in kinds if not kind.steps or step in kind.steps]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task("", total=len(todo))
        for step, kind in todo:
            progress.update(task, description=f"{kind.title}: {step}")
            began = monotonic()
            try:
                STEPS[step](bench, kind, found[kind.key])
            except (WaitTimeout, SendError, RuntimeError, APIError) as problem:
                raise UserError(
                    f"The bench failed at {kind.title}: {step}: {problem}. See that nothing else keeps the machine "
                    "busy, and start it again."
                ) from problem
            progress.advance(task)
            progress.console.print(f"{kind.title}: {step}, {monotonic() - began:.0f} s")
    return found

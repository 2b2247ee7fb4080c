"""The menu: what can be done here, in the order in which a person does it. `./dev TASK` runs one."""

import json
import shlex
from pathlib import Path

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit

import pipeline.bench
import pipeline.image.reproduce
import pipeline.image.settings
import pipeline.registry.describe
import pipeline.registry.notes
import pipeline.registry.publish
import pipeline.registry.verify
import pipeline.rules.detect
import pipeline.server.demo
import pipeline.server.smoke
import pipeline.soak
import pipeline.upkeep.add
import pipeline.upkeep.documents
import pipeline.upkeep.outdated
from pipeline import image, project, release, source
from pipeline.console import err, out
from pipeline.errors import UserError
from pipeline.image import platforms
from pipeline.machine import emulation, engine
from pipeline.menu import task
from pipeline.registry import cosign, published
from pipeline.server import tested


@task
def releases(
    _: Context, tags: bool = False, unpublished: str = "", pushed: str = "", write: bool = False
) -> None:
    """List the versions, and the tags that each one gets; with --tags, only the tag of each that never moves.

    --unpublished REGISTRY/NAME lists, as JSON, the versions whose such tag is not there yet; --pushed TAG fails unless
    that git tag is one of a version file's. --write names the newest tag in every page.
    """
    found = release.load_all()
    if write:
        for page in pipeline.upkeep.documents.update(found, project.ROOT):
            out.print(f"{page} is written.", soft_wrap=True)
        return
    if unpublished:
        versions = pipeline.registry.publish.unpublished(found, unpublished, pushed)
        out.print(json.dumps(versions), soft_wrap=True)
        return
    out.print("\n".join(one.immutable_tag for one in found) if tags else release.table(found))


@task
def fetch(_: Context, version: str) -> None:
    """Download OSSEC's source for [VERSION] (the newest), and verify it."""
    wanted = release.find(version or None)
    path = source.fetch(wanted)
    out.print(f"OSSEC {wanted.version} as its version file says, size and SHA-256: {path}", soft_wrap=True)


@task
def build(_: Context, version: str, platform: str = "", require_snapshot: bool = False) -> None:
    """Build the image of [VERSION] (the newest) from its verified source.

    --platform linux/arm64 (or linux/amd64) builds it for another machine than this, emulated. --require-snapshot fails
    where Debian's archive of the version file's day does not answer: only such an image may be published.
    """
    wanted, on = release.find(version or None), platforms.find(platform)
    tarball = source.fetch(wanted)
    engine.ensure()
    emulation.ensure(on)
    built = image.build(wanted, tarball, platform=on, require_snapshot=require_snapshot)
    out.print(image.sizes(built))
    out.print(f"[bold]{built.name}[/] {built.digest}", soft_wrap=True)


@task
def smoke(_: Context, version: str, platform: str = "") -> None:
    """Test the image of [VERSION] (the newest): send syslog, see the alerts, see the mail in MailHog."""
    wanted, on = release.find(version or None), platforms.find(platform)
    name = image.name(wanted, platform=on)
    engine.ensure()
    emulation.ensure(on)
    passed = pipeline.server.smoke.smoke(name, image.archive(name, on))
    out.print(f"[bold green]{name} passes.[/]")
    if not passed:
        err.print("The cache holds no archive of this very image, so it can't be published: build it again.")


@task
def reproduce(_: Context, version: str, platform: str = "", against: str = "") -> None:
    """Build the image of [VERSION] (the newest) again, in other surroundings, and compare bit for bit.

    It is compared with what `build` has left in the cache, or else with one more build. `publish` asks for this.
    --against NAME:TAG builds what that published image says it was made from, and compares with it.
    """
    on = platforms.find(platform)
    if against:
        subject = published.find(against, on)
        pipeline.image.reproduce.report(published.against(subject))
        tested.note(subject.digest, tested.REBUILT, image.commit())
        return
    wanted = release.find(version or None)
    tarball = source.fetch(wanted)
    engine.ensure()
    emulation.ensure(on)
    archive = image.archive(image.name(wanted, platform=on), on)
    outcome = pipeline.image.reproduce.reproduce(image.recipe(wanted, tarball, platform=on), archive)
    pipeline.image.reproduce.report(outcome)
    tested.note(outcome.digest, tested.REPRODUCED, image.commit())


@task
def demo(_: Context) -> None:
    """Show it: build the newest version, attack it, and print its alerts and its mail."""
    pipeline.server.demo.demo(release.find())


@task
def bench(
    _: Context, version: str, steps: str = "", scale: float = 1.0, each: bool = False, profile: bool = False
) -> None:
    """Measure the image of [VERSION] (the newest) side by side with stock OSSEC: 12 minutes, on an idle machine.

    A full run renews the tables of README.md and docs/use/performance.md. --each measures every version by fewer steps,
    a row for each, and renews theirs. --profile shows where the engine's time goes, and renews that and its flame
    graph; it needs perf and root. --steps names steps with commas between them, --scale takes a share of the messages:
    for working on the bench, or for having less time.
    """
    if profile and (each or steps):
        raise UserError("--profile is a measurement of its own: leave --each and --steps out.")
    if each and version:
        raise UserError(
            f"--each is every version, so {version} has no place beside it; leave one of them out."
        )
    engine.ensure()
    if each:
        pipeline.bench.bench_each(release.load_all(), steps, scale)
    elif profile:
        pipeline.bench.bench_profile(release.find(version or None), scale)
    else:
        pipeline.bench.bench(release.find(version or None), steps, scale)


@task
def soak(_: Context, version: str, minutes: float = 10.0, seed: int = 0, json: bool = False) -> None:
    """Load the image of [VERSION] (the newest) while it is stopped, killed and paused at random; count every alert.

    --minutes is how long, --seed repeats the events of another run (a new one is printed). --json prints all of it for
    a script. Exits with 1 if a line that was taken is lost at any end, or more came twice than is allowed.
    """
    if pipeline.soak.run(release.find(version or None), minutes, seed, as_json=json):
        raise Exit(code=1)


@task
def detect(
    _: Context, corpus: str, version: str, program: str = "", missed: str = "", extra_rules: bool = True
) -> None:
    """Measure what the rules notice of [CORPUS], a folder of logs in fail2ban's format, and whom they blame.

    The image is that of [VERSION] (the newest). --program is the name in the header of a file's lines, such as a
    container's id; without it, it is the service's. --missed FILE lists the lines that were judged wrong.
    --no-extra-rules measures upstream's rules alone.
    """
    engine.ensure()
    lines = pipeline.rules.detect.read(Path(corpus))
    options = [] if extra_rules else ["-e", "OSSEC_EXTRA_RULES=no"]
    found = pipeline.rules.detect.measure(image.name(release.find(version or None)), lines, program, options)
    out.print(pipeline.rules.detect.table(found))
    if missed:
        Path(missed).write_text(pipeline.rules.detect.missed(found) + "\n")


@task
def publish(
    _: Context,
    version: str,
    to: str,
    key: str = "",
    only: str = "",
    dry_run: bool = False,
    stage: str = "",
) -> None:
    """Publish the tested images of [VERSION] (the newest): --to REGISTRY/NAME.

    --key names cosign's private key; without it a GitHub workflow signs as itself. --only linux/amd64 leaves other
    platforms out. --dry-run shows what would be done. --stage push does all but the tags, --stage tag moves those once
    what was pushed has been built again (`reproduce --against`).
    """
    pipeline.registry.publish.publish(
        release.find(version or None),
        release.load_all(),
        to,
        cosign.Signer(key),
        only,
        dry_run,
        stage,
    )


@task
def verify(_: Context, tag: str, key: str = "", repository: str = "", rebuild: bool = True) -> None:
    """Check a published image, NAME:TAG: signature, origin, contents, built again, and say what each proves.

    --key names cosign's public key; without it the release workflow of the GitHub --repository OWNER/NAME counts,
    or of this clone's own. --no-rebuild leaves out the last, which takes minutes and a Docker engine.
    """
    cosign.ensure()
    pipeline.registry.verify.verify(
        tag, pipeline.registry.verify.trust(key, repository), release.load_all(), rebuild
    )


@task
def notes(_: Context, version: str, of: str, into: str) -> None:
    """Write what is told of the published [VERSION] (the newest), with digests and SBOMs: --of NAME --into FOLDER."""
    pipeline.registry.notes.write(release.find(version or None), of, Path(into))


@task
def describe(_: Context, to: str) -> None:
    """Show docs/trust/docker-hub.md as the description of the repository on Docker Hub: --to docker.io/OWNER/NAME."""
    pipeline.registry.describe.describe(to)


@task
def add(_: Context, version: str) -> None:
    """Download OSSEC [VERSION], write its version file, and tell what to review before it is built."""
    if not version:
        raise UserError(
            "Name the version to add, such as: ./dev add 4.3.0. `./dev outdated` lists newer ones."
        )
    added = pipeline.upkeep.add.add(version)
    pages = pipeline.upkeep.documents.update(release.load_all(), project.ROOT)
    for line in added.review:
        out.print(f"- {line}", markup=False, soft_wrap=True)
    if pages:
        named = ", ".join(str(page.relative_to(project.ROOT)) for page in pages)
        out.print(f"- The newest version is named anew in: {named}.", markup=False, soft_wrap=True)
    out.print(f"[bold]{added.version_file}[/] is written. Look at the above, then:", soft_wrap=True)
    out.print(f"  ./dev build {version} && ./dev smoke {version}")
    out.print(f"  ./dev test --only image --of {version}")


@task
def outdated(_: Context, json: bool = False) -> None:
    """Name newer versions of OSSEC, of the base image and of the Python packages; exits with 2 if there are any.

    --json prints them for a script. With 1, not everybody could be asked.
    """
    if code := pipeline.upkeep.outdated.outdated(as_json=json):
        raise Exit(code=code)


@task
def settings(_: Context) -> None:
    """Write docs/use/settings.md and docs/use/settings.schema.json anew, from the image's table of settings."""
    for path in pipeline.image.settings.write():
        out.print(f"{path} is written.", soft_wrap=True)


@task
def test(context: Context, only: str = "", of: str = "", fast: bool = False) -> None:  # noqa: PT028 # no test of pytest
    """Run all that nox runs by default, or --only one of its sessions, such as lint.

    --fast runs lint, types, the unit tests and the smoke tests. --of VERSION tests the image of that version and not of
    the newest: --only image.
    """
    if only and fast:
        raise UserError("--fast and --only are two choices of sessions; leave one of them out.")
    if of and only != "image":
        raise UserError("--of: is for the image's tests alone; write --only image --of VERSION.")
    sessions = ["lint", "types", "fast"] if fast else [only] if only else []
    words = ["nox", *(["--session", *sessions] if sessions else []), *(["--", "--release", of] if of else [])]
    context.run(shlex.join(words), pty=err.is_terminal)


namespace = Collection(
    releases,
    fetch,
    build,
    smoke,
    reproduce,
    demo,
    bench,
    detect,
    soak,
    publish,
    verify,
    notes,
    describe,
    add,
    outdated,
    settings,
    test,
)

"""The older versions of OSSEC: each is built and smoke-tested as the newest is, and its own weak points are mended."""

import docker
import pytest

from pipeline import image, release, source
from pipeline.errors import UserError
from pipeline.server import smoke, syslog
from pipeline.upkeep import add
from pipeline.wait import wait_until
from tests.image.conftest import image_of
from tests.image.rules.test_fuzz import ASL, DEADLY, FAILED, RELAYED
from tests.image.support.victim import WAYS, Victim

OLDER = [str(one.version) for one in release.load_all()][1:]


@pytest.fixture(scope="module", params=OLDER)
def older(
    client: docker.DockerClient,
    ossec_image: image.Image,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> image.Image:
    """Its image. Where the source of the version under test can't be had, nor is this one's asked for."""
    return image_of(client, tmp_path_factory, release.find(request.param))


@pytest.mark.parametrize("known", release.load_all(), ids=lambda known: str(known.version))
def test_add_would_write_what_its_build_needs(ossec_image: image.Image, known: release.Release) -> None:
    try:
        tarball = source.fetch(known)
    except source.SourceUnreachable as problem:
        pytest.skip(f"NOT COMPARED WITH REAL OSSEC {known.version}: {problem}")
    found = add.look_into(tarball.read_bytes(), str(known.version), str(tarball))
    assert set(add.missing_wraps(found)) == set(known.build.without_wraps)


def test_an_older_version_passes_the_smoke_test(client: docker.DockerClient, older: image.Image) -> None:
    try:
        smoke.have_mailhog(client)
    except UserError as problem:
        pytest.skip(f"SMOKE TEST NOT RUN: {problem}")
    smoke.smoke(older.name)


def test_an_older_version_survives_and_counts(client: docker.DockerClient, older: image.Image) -> None:
    """Lines that kill a stock OSSEC, and the alert of another server, which made it read what it had freed."""
    lines = [line.encode() for line in [*DEADLY.values(), ASL.format(FAILED, ">x")]]
    # Freed memory is filled, so that whoever still reads it shows.
    fill = "glibc.malloc.perturb=85:glibc.malloc.tcache_count=0"
    victim = Victim(client, older.name, kept=True, GLIBC_TUNABLES=fill)
    try:
        assert victim.survives(lines, WAYS, mailed=True), victim.fell
        failed = [syslog.message(f"Failed password for x from 10.9.8.7 port {n} ssh2") for n in range(10)]
        syslog.send_tcp(*victim.server.tcp, failed)
        victim.send("lf", [RELAYED.format("other", 5720, " told by another").encode()])
        victim.wait_analysed()
        last = "told by another"  # printed in their order
        wait_until(
            lambda: any(last in alert["full_log"] for alert in victim.server.alerts()), 60, what="the alerts"
        )
        alerts = victim.server.alerts()
        assert any("previous_output" in alert for alert in alerts if alert["rule"]["sidid"] == 5720)
        [relayed] = [alert for alert in alerts if last in alert["full_log"]]
        assert relayed["program_name"] == "ossec"
        assert "previous_output" not in relayed
        received = victim.server.counters()["received"]
        wait_until(lambda: victim.server.counters()["analysed"] >= received, 30, what="the engine's counters")
        wait_until(
            lambda: victim.server.counters()["alerts"] == len(victim.server.alerts()),
            30,
            what="counters that agree",
        )
    finally:
        victim.close()

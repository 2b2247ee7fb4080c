"""The SBOM of a real image: what dpkg in the running container says, and what is linked into OSSEC's programs."""

import docker

from pipeline import image, release, server, source
from pipeline.image import content, labels
from pipeline.registry import inventory, sbom


def test_it_lists_what_the_running_container_has(
    client: docker.DockerClient, ossec_image: image.Image
) -> None:
    wanted = release.find(ossec_image.labels[labels.VERSION].rpartition("-r")[0])
    held = content.read(ossec_image.archive)
    parts = inventory.inventory(held, wanted, source.fetch(wanted))
    listed = {(part.name, part.version) for part in parts if part.purl.startswith("pkg:deb/")}
    options = {"entrypoint": ["dpkg-query", "-W", "-f", "${Package} ${Version}\n"]}
    with server.container(client, ossec_image.name, **{**server.HARDENED, **options}) as made:
        made.wait(timeout=60)
        assert listed == {tuple(line.split()) for line in made.logs(stderr=False).decode().splitlines()}
    ours = {part.name: part.version for part in parts if not part.purl.startswith("pkg:deb/")}
    # OSSEC carries Lua and zlib too, but Lua is not built, and Debian's zlib is used.
    assert ours.keys() == {"ossec-hids", "cJSON", "imsg"}
    assert ours["ossec-hids"] == str(wanted.version)
    # Ten packages, and two that share one's file, have no copyright file in Debian's machine-readable form.
    assert len([part for part in parts if not part.licence]) <= 12
    assert sbom.purls(sbom.spdx(held, parts)) == sbom.purls(sbom.cyclonedx(held, parts))

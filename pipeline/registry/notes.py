"""What is told of a release: its digests, what changed, how to verify it, and its SBOMs as files."""

import json
from collections.abc import Sequence
from pathlib import Path

from pipeline import project, source
from pipeline.image import content, labels
from pipeline.image.content import Content
from pipeline.registry import Manifest, attest
from pipeline.release import Release

SUFFIXES = {attest.SPDX: "spdx", attest.CYCLONEDX: "cdx"}


def write(release: Release, name: str, folder: Path) -> None:
    """Write notes.md, digests.txt and each platform's SBOMs, of what the registry has as `name`, into the folder.

    Also, for who announces it: `commit` with the image's, and `latest`, whether that tag points at it, true or false.
    The folder is made if need be. Raises UserError when the release is not published there.
    """
    remedy = "publish it first"
    repository, tag, top, images = content.under(f"{name}:{release.immutable_tag}", remedy)
    tarball = source.fetch(release)
    folder.mkdir(parents=True, exist_ok=True)
    for one in images:
        for kind, said in attest.statements(one, release, tarball).items():
            if kind in SUFFIXES:
                file = f"{tag}-{one.platform['architecture']}.{SUFFIXES[kind]}.json"
                (folder / file).write_text(json.dumps(said, indent=2) + "\n")
    latest = repository.digest("latest") == top.digest
    (folder / "latest").write_text(f"{str(latest).lower()}\n")
    # The commit that the image is of, for the tag: others may have come since.
    (folder / "commit").write_text(images[0].labels.get(labels.REVISION, "") + "\n")
    (folder / "digests.txt").write_text(digests(f"{name}:{tag}", top, images))
    (folder / "notes.md").write_text(notes(release, name, top, images, changes(release)))


def digests(reference: str, top: Manifest, images: Sequence[Content]) -> str:
    """A line for what the tag points at, and one for each platform's image."""
    lines = [f"{top.digest} {reference}"]
    lines += [f"{one.digest} {one.platform_name}" for one in images]
    return "".join(f"{line}\n" for line in lines)


def notes(
    release: Release, name: str, top: Manifest, images: Sequence[Content], changed: Sequence[str]
) -> str:
    tag = release.immutable_tag
    parts = [
        f"OSSEC {release.version} on {release.base.image}, revision {release.revision} of the image.",
        f"    docker pull {name}:{tag}@{top.digest}",
        "\n".join(f"- `{one.platform_name}`: `{one.digest}`" for one in images),
        f"Signed and attested. In a clone of this repository, `./dev verify {name}:{tag}` checks the signature, where "
        f"it comes from and what is in it; `./dev reproduce --against {name}:{tag}` builds it again and compares.",
    ]
    if changed:
        parts.append("Changes since the revision before:\n\n" + "\n".join(f"- {line}" for line in changed))
    return "\n\n".join(parts) + "\n"


def changes(release: Release, root: Path | None = None) -> list[str]:
    """The subjects of the commits that changed the image since its revision before, the newest first.

    Empty for a version's first revision: what it is compared with would be another version.
    """

    def git(*words: str) -> list[str]:
        return project.git_says(*words, root=root).splitlines()

    start = f"{release.version}-r"
    numbers = [tag.removeprefix(start) for tag in git("tag", "--list", f"{start}*")]
    before = [int(one) for one in numbers if one.isdigit() and int(one) < release.revision]
    if not before:
        return []
    since = f"{start}{max(before)}..HEAD"
    return git("log", "--format=%s", since, "--", "docker", f"versions/{release.version}.toml")

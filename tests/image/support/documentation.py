"""The examples of a page in docs/: files, commands and what they print, written so that they can be run.

A block whose first line names a file (```` ```xml ossec/local_rules.xml ````) is that file. A block `console` holds
commands, each behind "$ ", and lines that stand in what the command before them prints. Each section has files of
its own.
"""

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RELEASED = re.compile(r"\bossec-log-server:\d[\w.-]*")  # the image, as people write it


@dataclass
class Example:
    """A section of a page: its title, its files by name, its commands with the lines that each one prints."""

    title: str
    files: dict[str, str] = field(default_factory=dict)
    commands: list[tuple[str, list[str]]] = field(default_factory=list)

    def write(self, folder: Path) -> None:
        """Write the files below `folder`, readable for everybody."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    def run(self, folder: Path, image: str) -> None:
        """Run the commands in `folder`, with `image` as the released one. Raises AssertionError for a missing line."""
        for command, wanted in self.commands:
            done = subprocess.run(
                ["bash", "-c", RELEASED.sub(image, command)],
                cwd=folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=120,
            )
            printed = done.stdout.splitlines()
            for line in wanted:
                assert line in printed, f"{command}\nprints no line {line!r}, but:\n{done.stdout}"


def examples(page: Path) -> list[Example]:
    """The sections of the page that hold commands, in their order. What stands before the first is one, too."""
    found = []
    for section in re.split(r"^## ", page.read_text().removeprefix("# "), flags=re.MULTILINE):
        example = Example(section.partition("\n")[0])
        for language, name, content in BLOCK.findall(section):
            if name:
                example.files[name] = content
            elif language == "console":
                for line in content.replace("\\\n", "").splitlines():
                    if line.startswith("$ "):
                        example.commands.append((line[2:], []))
                    else:
                        example.commands[-1][1].append(line)
        if example.commands:
            found.append(example)
    return found

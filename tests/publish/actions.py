"""Plays GitHub Actions: a workflow's jobs in their order, each in a clone of its own, the shell steps as they are.

Of the actions only what the steps count on is played: a checkout, artifacts, a login. Expressions are those that our
workflows use.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import yaml

ARCHITECTURES = {"ubuntu-24.04": ("X64", "amd64"), "ubuntu-24.04-arm": ("ARM64", "arm64")}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class StepFailed(Exception):
    """A step failed; the message names it, and holds what it said."""


@dataclass
class Run:
    """One run of a workflow: `results` and `outputs` of its jobs, `failures` what failed, by job and matrix."""

    workflow: Path
    remote: Path
    folder: Path
    github: dict[str, str]
    variables: dict[str, str]
    environment: dict[str, str]
    docker_config: Path
    artifacts: Path = field(init=False)
    results: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    failures: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.artifacts = self.folder / "artifacts"
        self.artifacts.mkdir(parents=True, exist_ok=True)

    def start(self) -> None:
        """Run it, or, when it has run before, "re-run failed jobs": what succeeded and needs none of them stays."""
        self.failures.clear()
        repeated: set[str] = set()
        for name, job in yaml.safe_load(self.workflow.read_text())["jobs"].items():
            needs = job.get("needs", [])
            needs = [needs] if isinstance(needs, str) else needs
            condition = str(job.get("if", "success()")).removeprefix("${{").removesuffix("}}").strip()
            if not re.search(r"cancelled\(\)|success\(\)", condition):
                condition = f"success() && ({condition})"
            fine = all(self.results[one] == "success" for one in needs)
            if not self._holds(condition, fine):
                self.results[name] = "skipped"
                continue
            legs = list(self._legs(job))
            for leg in legs:
                key = f"{name} {' '.join(leg.values())}".strip()
                if key in self.done and not repeated & {*needs}:
                    continue
                repeated.add(name)
                try:
                    self._run(name, job, leg, key)
                    self.done.add(key)
                except StepFailed as problem:
                    self.failures[key] = str(problem)
            bad = [key for key in self.failures if key.split()[0] == name]
            self.results[name] = "failure" if bad else "success"

    def _legs(self, job: dict[str, Any]) -> Iterator[dict[str, str]]:
        matrix = job.get("strategy", {}).get("matrix", {})
        axes = {key: self._axis(values) for key, values in matrix.items()}
        for values in product(*axes.values()):
            yield dict(zip(axes, values, strict=True))

    def _axis(self, values: Any) -> list[str]:
        if isinstance(values, list):
            return [str(value) for value in values]
        match = re.fullmatch(r"\$\{\{ fromJSON\((.+)\) \}\}", values)
        assert match, values
        found: list[str] = json.loads(self._value(match[1], {}))
        return found

    def _value(self, name: str, leg: dict[str, str]) -> str:
        kind, _, key = name.partition(".")
        if kind == "needs":
            job, what, *rest = key.split(".")
            return self.results[job] if what == "result" else self.outputs.get(job, {}).get(rest[1 - 1], "")
        known = {"vars": self.variables, "secrets": self.variables, "matrix": leg, "github": self.github}
        return known[kind].get(key, "")

    def _filled(self, text: str, leg: dict[str, str], more: dict[str, str]) -> str:
        def one(match: re.Match[str]) -> str:
            name = match[1].strip()
            return more[name] if name in more else self._value(name, leg)

        return re.sub(r"\$\{\{(.+?)\}\}", one, text)

    def _holds(self, condition: str, fine: bool) -> bool:
        """By turning it into Python."""
        said = re.sub(r"\b(?:needs|vars)\.[\w.]+", lambda match: repr(self._value(match[0], {})), condition)
        said = said.replace("!cancelled()", "True").replace("success()", str(fine))
        said = re.sub(r"startsWith\(([^,]+), ([^)]+)\)", r"(\1).startswith(\2)", said)
        return bool(eval(said.replace("&&", " and ").replace("||", " or "), {}))

    def _run(self, name: str, job: dict[str, Any], leg: dict[str, str], key: str) -> None:
        runner = leg.get("runner") or str(job["runs-on"])
        arch, architecture = ARCHITECTURES[runner]
        workspace = self.folder / "workspaces" / key.replace(" ", "-")
        shutil.rmtree(workspace, ignore_errors=True)
        temp = Path(f"{workspace}-temp")
        shutil.rmtree(temp, ignore_errors=True)
        temp.mkdir(parents=True)
        more = {"runner.arch": arch, "github.workspace": str(workspace)}
        environment = {
            **self.environment,
            **{f"GITHUB_{one.upper()}": value for one, value in self.github.items()},
            "RUNNER_TEMP": str(temp),
            "PLAY_ARCHITECTURE": architecture,
            **{one: self._filled(str(value), leg, more) for one, value in job.get("env", {}).items()},
        }
        for number, step in enumerate(job["steps"], start=1):
            given = {one: self._filled(_text(v), leg, more) for one, v in step.get("with", {}).items()}
            if "uses" in step:
                self._act(step["uses"].partition("@")[0], given, workspace, environment)
            else:
                own = {one: self._filled(str(v), leg, more) for one, v in step.get("env", {}).items()}
                said = self._shell(step["run"], workspace, environment | own, temp / f"output-{number}")
                outputs = job.get("outputs", {})
                for output, where in outputs.items():
                    match = re.fullmatch(r"\$\{\{ steps\.([\w-]+)\.outputs\.([\w-]+) \}\}", where)
                    if match and match[1] == step.get("id"):
                        self.outputs.setdefault(name, {})[output] = said.get(match[2], "")

    def _shell(
        self, script: str, workspace: Path, environment: dict[str, str], output: Path
    ) -> dict[str, str]:
        output.touch()
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=workspace,
            env=environment | {"GITHUB_OUTPUT": str(output)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            raise StepFailed(f"{script.strip()}\n{done.stdout}")
        text = output.read_text()
        several = dict(re.findall(r"^([\w-]+)<<(?:\S+)\n(.*?)\n?\S+$", text, re.MULTILINE | re.DOTALL))
        return dict(re.findall(r"^([\w-]+)=(.*)$", text, re.MULTILINE)) | several

    def _act(self, action: str, given: dict[str, str], workspace: Path, environment: dict[str, str]) -> None:
        if action == "actions/checkout":
            words = ["git", "clone", "--quiet", str(self.remote), str(workspace)]
            subprocess.run(words, check=True)
            switch = ["git", "checkout", "--quiet", "-B", "played", self.github["sha"]]
            subprocess.run(switch, cwd=workspace, check=True)
        elif action == "actions/upload-artifact":
            self._upload(given, workspace)
        elif action == "actions/download-artifact":
            self._download(given, workspace)
        elif action == "docker/login-action":
            assert all((given["username"], given["password"]))
            environment["DOCKER_CONFIG"] = str(self.docker_config)
        elif action != "sigstore/cosign-installer":
            raise AssertionError(f"{action} is not played")

    def _upload(self, given: dict[str, str], workspace: Path) -> None:
        to = self.artifacts / given["name"]
        if to.exists():
            if given.get("overwrite") != "true":
                raise StepFailed(f"there is an artifact {to.name}")
            shutil.rmtree(to)
        paths = [workspace / line.strip() for line in given["path"].split()]
        found = [file for path in paths for file in path.rglob("*") if file.is_file()]
        if not found:
            raise StepFailed(f"no files for {to.name}")
        # As the action has it: below the folder that all the paths have in common.
        top = Path(os.path.commonpath(paths)) if len(paths) > 1 else paths[0]
        for file in found:
            place = to / file.relative_to(top)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, place)

    def _download(self, given: dict[str, str], workspace: Path) -> None:
        to = workspace / given["path"]
        if "name" in given:
            names = [self.artifacts / given["name"]]
            if not names[0].exists():
                raise StepFailed(f"there is no artifact {given['name']}")
        else:
            assert given["merge-multiple"] == "true"
            names = sorted(self.artifacts.glob(given["pattern"]))
        for name in names:
            shutil.copytree(name, to, dirs_exist_ok=True)

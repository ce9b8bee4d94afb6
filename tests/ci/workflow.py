"""Runs the steps of a composite action as a runner of GitHub does: expressions, environment, and
the files by which steps talk to each other. Steps that use other actions are listed, not run."""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_TOKEN = re.compile(r"'(?:[^']|'')*'|[A-Za-z_][\w.-]*|==|!=|&&|\|\||[!(),]|\d+")
_PYTHON = {"&&": " and ", "||": " or ", "!": " not ", "true": "True", "false": "False"}


@dataclass
class Runner:
    """`context`: github, inputs, runner; `path`: of programs, the first first."""

    action: Path
    folder: Path
    context: dict[str, Any]
    path: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    log: str = ""
    used: list[str] = field(default_factory=list)
    steps: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """What the steps wrote for the page of the run."""
        return (self.folder / "summary").read_text()

    def run(self, skip: tuple[str, ...] = ()) -> int:
        """The exit status of the first step that fails, or 0."""
        content = yaml.safe_load(self.action.read_text())
        given = self.context.setdefault("inputs", {})
        for name, of in content["inputs"].items():
            given.setdefault(name, self._text(of.get("default", "")))
        for name in ("output", "summary", "path"):
            (self.folder / name).write_text("")
        for step in content["runs"]["steps"]:
            if not self._value(step.get("if", "true")) or step["name"] in skip:
                continue
            if "uses" in step:
                self.used.append(step["uses"])
            elif status := self._run(step):
                return status
        return 0

    def _run(self, step: dict[str, Any]) -> int:
        output = self.folder / "output"
        output.write_text("")
        own = {key: self._text(value) for key, value in step.get("env", {}).items()}
        names = {"OUTPUT": "output", "PATH": "path", "STEP_SUMMARY": "summary"}
        files = {f"GITHUB_{key}": str(self.folder / name) for key, name in names.items()}
        added = (self.folder / "path").read_text().split()
        paths = {"PATH": ":".join([*self.path, *added, os.environ["PATH"]])}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            env={**os.environ, **self.environment, **files, **paths, **own,
                 "RUNNER_TEMP": str(self.folder)},
            cwd=self.folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        self.log += f"## {step['name']}\n{done.stdout}{done.stderr}"
        pairs = (line.partition("=") for line in output.read_text().splitlines())
        self.steps.setdefault(step.get("id", step["name"]), {}).update({k: v for k, _, v in pairs})
        return done.returncode

    def _text(self, text: object) -> str:
        return _EXPRESSION.sub(lambda match: str(self._value(match[1])), str(text))

    def _value(self, expression: object) -> Any:
        """Of an expression: names, strings, !, &&, ||, ==, startsWith, format."""
        text = str(expression).strip()
        text = match[1] if (match := _EXPRESSION.fullmatch(text)) else text
        words = [self._word(token) for token in _TOKEN.findall(text)]
        functions = {"startsWith": lambda a, b: str(a).startswith(b), "format": str.format}
        return eval("".join(words), {"look": self._look, **functions})

    def _word(self, token: str) -> str:
        if token.startswith("'"):
            return repr(token[1:-1].replace("''", "'"))
        if token in _PYTHON or not re.match(r"[A-Za-z_]", token):
            return _PYTHON.get(token, token)
        return token if token in ("startsWith", "format") else f"look({token!r})"

    def _look(self, name: str) -> Any:
        parts = name.split(".")
        if parts[0] == "steps":
            return self.steps.get(parts[1], {}).get(parts[3], "")
        value: Any = self.context
        for part in parts:
            value = value.get(part, "") if isinstance(value, dict) else ""
        return value

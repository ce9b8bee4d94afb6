"""A Firefox profile as rows, read as src/types/profile.ts says, and as the Profiler counts it."""

import json
import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Function = tuple[str, str]  # name and dso


class FirefoxProfile:
    """A file of version 60."""

    def __init__(self, content: bytes) -> None:
        self.file = json.loads(content)
        self.meta, self.shared, self.threads = (
            self.file[key] for key in ("meta", "shared", "threads")
        )
        tables = [table for table in self.shared.values() if isinstance(table, dict)]
        tables += [thread[key] for thread in self.threads for key in ("samples", "markers")]
        for table in tables:
            lengths = {len(column) for column in table.values() if isinstance(column, list)}
            assert lengths == {table["length"]}
        categories = [each["name"] for each in self.meta["categories"]]
        frames, functions = self.shared["frameTable"], self.shared["funcTable"]
        texts, resources = self.shared["stringArray"], self.shared["resourceTable"]
        self.functions: list[Function] = [
            (texts[name], "[unknown]" if resource < 0 else
             self.file["libs"][resources["lib"][resource]]["path"])
            for name, resource in zip(functions["name"], functions["resource"], strict=True)
        ]  # fmt: skip
        self.chains: list[list[int]] = []
        self.category = [categories[each] for each in frames["category"]]
        stacks = self.shared["stackTable"]
        self.is_idle: list[bool] = []
        for row, (frame, prefix) in enumerate(zip(stacks["frame"], stacks["prefix"], strict=True)):
            assert prefix is None or prefix < row
            self.chains.append([*([] if prefix is None else self.chains[prefix]), frame])
            self.is_idle.append(self.category[frame] == "Idle")

    def samples(self) -> Iterator[tuple[dict[str, Any], int, float, float]]:
        """Thread, stack, time and weight."""
        for thread in self.threads:
            rows = thread["samples"]
            columns = (rows[key] for key in ("stack", "time", "weight"))
            for stack, time, weight in zip(*columns, strict=True):
                yield thread, stack, time, weight

    def by_function(self) -> dict[Function, tuple[float, float]]:
        """Self and total without idle."""
        own, total = Counter[Function](), Counter[Function]()
        for _, stack, _, weight in self.samples():
            if not self.is_idle[stack]:
                frames = [self.function(frame) for frame in self.chains[stack]]
                own[frames[-1]] += weight  # type: ignore[assignment]
                for function in set(frames):
                    total[function] += weight  # type: ignore[assignment]
        return {function: (own[function], weight) for function, weight in total.items()}

    def function(self, frame: int) -> Function:
        return self.functions[self.shared["frameTable"]["func"][frame]]


PROFILER = shutil.which("profiler-cli")


@contextmanager
def opened_by_the_profiler(path: Path) -> Iterator[Any]:
    """A function from words of `profiler-cli` to its answer, with a file loaded: it is what Mozilla
    builds of the Profiler's own code."""
    with tempfile.TemporaryDirectory(prefix="p") as folder:  # of a socket: its path must be short
        environment = os.environ | {"PROFILER_CLI_SESSION_DIR": folder}

        def ask(*words: str) -> Any:
            command = [str(PROFILER), *words]
            done = subprocess.run(command, capture_output=True, check=True, env=environment)
            return json.loads(done.stdout) if "--json" in words else done.stdout.decode()

        try:
            _load(ask, path)
            yield ask
        finally:
            ask("stop", "--all")


def _load(ask: Any, path: Path) -> None:
    """It waits half a second for its daemon, and says itself that another try may do."""
    for _ in range(9):
        try:
            ask("load", str(path))
        except subprocess.CalledProcessError as error:
            if b"retrying often works" not in error.stderr:
                raise
        else:
            return
    raise TimeoutError(path)

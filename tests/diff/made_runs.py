"""Runs for tests: `{stack: [hits of run 1, hits of run 2, ...]}`, a stack as `root;...;leaf`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from perfduck_diff.engine.comparison import DiffOptions
from perfduck_diff.engine.result import Diff
from perfduck_diff.engine.run_diff import run_diff
from perfduck_diff.engine.run_matrix import Frame, Run, RunMatrix
from perfduck_diff.engine.stacks import Stacks

PERIOD = 1000.0
CONTEXT = {"do_syscall_64": "syscall_entry", "handle_softirqs": "softirq"}


def runs_of(
    hits: Mapping[str, Sequence[float]],
    *,
    work: Sequence[float] | float | None = 1e4,
    each: Sequence[Mapping[str, Any]] = (),
) -> RunMatrix:
    matrix = np.array([list(row) for row in hits.values()], dtype=float)
    size = matrix.shape[1]
    works = [work] * size if work is None or isinstance(work, float) else list(work)
    names: dict[str, int] = {}
    chains = [[names.setdefault(f, len(names)) for f in stack.split(";")] for stack in hits]
    frames = tuple(_frame(name) for name in names)
    facts = [dict(entry) for entry in each] or [{} for _ in range(size)]
    runs = tuple(_run(column, works[column], facts[column]) for column in range(size))
    charged = [frames[chain[-1]].subsystem for chain in chains]
    subsystems = tuple(sorted(set(charged)))
    blame = np.array([subsystems.index(name) for name in charged])
    area = {frame.subsystem: frame.area for frame in frames}
    return RunMatrix(
        event="cpu-clock", unit="ns", runs=runs, frames=frames, stacks=Stacks.of(chains),
        subsystems=subsystems, blame=blame, area=area, weight=matrix * PERIOD, hits=matrix,
    )  # fmt: skip


def _frame(name: str) -> Frame:
    """`conntrack/nf_conntrack_in` is of subsystem conntrack."""
    subsystem, _, function = name.rpartition("/")
    subsystem = CONTEXT.get(function, subsystem or "other")
    role = "context" if function in CONTEXT else "domain"
    return Frame(function, "[kernel.kallsyms]", subsystem, "net", role, kernel=True)


def _run(column: int, work: float | None, facts: dict[str, Any]) -> Run:
    usual = {
        "name": f"run.{column}", "work": work, "work_unit": "packet" if work else None,
        "duration_s": 4.0, "cpus": 2, "kernel_release": "6.18", "grain": PERIOD,
    }  # fmt: skip
    return Run(**{**usual, **facts})


def answer(runs: RunMatrix, base: int, **options: Any) -> Diff:
    """The first BASE columns against the others."""
    size = len(runs.runs)
    return run_diff(runs, np.arange(base), np.arange(base, size), DiffOptions(**options))


def noisy(means: Mapping[str, tuple[float, float]], runs: int, *, seed: int = 1) -> RunMatrix:
    """Poisson hits around (base, new) of every stack, RUNS columns a side."""
    random = np.random.default_rng(seed)
    hits = {
        stack: [*random.poisson(base, runs).tolist(), *random.poisson(new, runs).tolist()]
        for stack, (base, new) in means.items()
    }
    return runs_of(hits)

"""What the engine works on: the runs of both sides, their frames, and a stack x run matrix.

                     native.1  native.2  docker0.1  docker0.2
    stack 0 (ns)      5005005   4004004   12012012   13013013
    stack 1 (ns)            0         0   44044044   41041041

No database here: comparison_input.py fills it from the store, tests from anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from perfduck_diff.engine.stacks import Stacks, is_background, is_entry, is_wakeup
from perfduck_model.arrays import Bool, Float64, Int64

Values = tuple[tuple[str, ...], Int64]  # names, and the place of that of each stack


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One profile, as far as a comparison cares."""

    name: str
    work: float | None = None
    work_unit: str | None = None
    duration_s: float | None = None
    cpus: int | None = None
    arch: str | None = None
    kernel_release: str | None = None
    host: str | None = None
    lost: float = 0.0  # part of its samples that the recording lost, filtered or not
    listed: float = 1.0  # part of its samples that the recording lists
    frequency: float | None = None
    has_period: bool = True
    idle: float = 0.0  # weight of the idle loop, in no stack of the matrix
    inlined: float | None = None  # part of its samples with inlined functions; None: not known
    grain: float = 1.0  # what one sample represents: sum of squared weights over sum of weights
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Frame:
    """A function as the comparison sees it: one name over kernels, modules and compilers."""

    name: str  # canonical; '[unknown] in iperf3' where the profiler knew none
    dso: str
    subsystem: str
    area: str
    role: str  # domain, helper, context
    kernel: bool
    of_class: str = "unknown"  # data_copy, tcp_ip, ... (perfduck_tags.classes)

    @property
    def is_nameless(self) -> bool:
        """Whether this is all code of a binary that the profiler had no name for."""
        return self.name.startswith("[unknown]")


@dataclass(frozen=True, slots=True)
class Cells:
    """Weights by a dimension: cell x run. A cell is a stack, or of what a stack does not say, its
    pod and network namespace, a stack with a value."""

    names: tuple[str, ...]
    value: Int64  # of each cell: which of the names
    stack: Int64  # likewise
    weight: Float64
    hits: Float64


@dataclass(frozen=True, slots=True)
class RunMatrix:
    """All runs over the same stacks. Column i of `weight` and `hits` is `runs[i]`."""

    event: str
    unit: str  # of weight: ns, cycles, sample
    runs: tuple[Run, ...]
    frames: tuple[Frame, ...]
    stacks: Stacks
    subsystems: tuple[str, ...]  # that are charged, by name
    blame: Int64  # per stack: which of them
    area: dict[str, str]  # of a subsystem
    weight: Float64
    hits: Float64
    known: Mapping[str, Values] = field(default_factory=dict)  # direction, program: of each stack
    # By what stacks do not say: pod, netns, where that was recorded.
    of_samples: Mapping[str, Cells] = field(default_factory=dict)

    def reordered(self, columns: Int64) -> Self:
        """The same with the run of column `columns[i]` at column i."""
        runs = tuple(self.runs[column] for column in columns)
        weight, hits = (np.ascontiguousarray(each[:, columns]) for each in (self.weight, self.hits))
        of_samples = {
            by: replace(each, weight=each.weight[:, columns], hits=each.hits[:, columns])
            for by, each in self.of_samples.items()
        }
        return replace(self, runs=runs, weight=weight, hits=hits, of_samples=of_samples)

    def entry(self) -> Bool:
        """Frames that start work of their own."""
        return self._flag([frame.kernel and is_entry(frame.name) for frame in self.frames])

    def classes(self, rerooted: Stacks) -> tuple[tuple[str, ...], Int64]:
        """The noise class of every stack: names, and one number per stack."""
        waking = self._flag([frame.kernel and is_wakeup(frame.name) for frame in self.frames])
        idle = self._flag([frame.kernel and is_background(frame.name) for frame in self.frames])
        names = tuple(sorted({*self.subsystems, "wakeup", "background"}))
        position = {name: number for number, name in enumerate(names)}
        class_of = np.array([position[name] for name in self.subsystems])[self.blame]
        class_of[rerooted.any(waking)] = position["wakeup"]
        root = rerooted.ends(leaf=False)
        class_of[(root >= 0) & idle[np.maximum(root, 0)]] = position["background"]
        return names, class_of

    def stored(self, key: str, rest: str) -> Values:
        """What the store knows of every stack; `rest` where it was not asked."""
        return self.known.get(key, ((rest,), np.zeros(self.stacks.size, np.int64)))

    @staticmethod
    def _flag(flags: list[bool]) -> Bool:
        return np.array(flags, dtype=np.bool_)


def gathered(keys: Int64, size: int, weights: Float64) -> Float64:
    """Sums of the rows of `weights` by key: key x column."""
    total = np.zeros((size, weights.shape[1]))
    for column in range(weights.shape[1]):
        total[:, column] = np.bincount(keys, weights[:, column], size)
    return total


def mixed(keys: Int64, size: int, classes: Int64, kinds: int, rate: Float64) -> Float64:
    """What each key consists of: key x noise class, the mean rate of the runs."""
    mean = rate.mean(axis=1, keepdims=True)
    return gathered(keys * kinds + classes, size * kinds, mean).reshape(size, kinds)

"""By what a cost is split: each sample counts for one value of a dimension, mostly by its stack.

    class       ip_rcv < ... : tcp_ip       of the function that was sampled
    direction   ip_rcv < ... : ingress      of the stack
    pod         default/web-0               of the control group, and what the stack runs in

To add one: a function from the runs to names and a number per stack, its line in DIMENSIONS, its
name in MatrixKey (keys.py), and what `top` ranks it by. `diff`, `compare`, `trend`, the pages and
the library then have it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from perfduck_diff.engine.run_matrix import Cells, RunMatrix, Values
from perfduck_diff.engine.traversals import station_passes
from perfduck_diff.keys import MatrixKey

NO_PROGRAM = "[no program]"
NO_STATION = "[no station]"
NO_CGROUP = "[no cgroup]"
NO_NETNS = "[no netns]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """`values`: which one each stack counts for. `weight`: what counts of it, in a table's head.
    `several`: what the rows are called in JSON, `title`: on a page. `meaning`: what they are."""

    values: Callable[[RunMatrix], Values]
    weight: str
    several: str
    title: str
    meaning: str


def _subsystems(runs: RunMatrix) -> Values:
    return runs.subsystems, runs.blame


def _classes(runs: RunMatrix) -> Values:
    """That of the leaf."""
    names = tuple(sorted({frame.of_class for frame in runs.frames} | {"unknown"}))
    position = {name: number for number, name in enumerate(names)}
    # one more frame, at place -1: that of an empty stack
    of_frame = np.array([*(position[frame.of_class] for frame in runs.frames), position["unknown"]])
    return names, of_frame[runs.stacks.ends(leaf=True)]


def _directions(runs: RunMatrix) -> Values:
    return runs.stored("direction", "none")


def _traversals(runs: RunMatrix) -> Values:
    """The innermost station, and which time the stack is there."""
    passes = station_passes(runs)
    innermost = np.zeros(runs.stacks.size, np.int64)
    innermost[passes.stack] = passes.number + 1  # of a stack's passes the last one stays
    return (NO_STATION, *passes.names), innermost


def _programs(runs: RunMatrix) -> Values:
    return runs.stored("program", NO_PROGRAM)


def _pods(runs: RunMatrix) -> Values:
    """Without control groups; see `cells` for those that have some."""
    return runs.stored("pod", NO_CGROUP)


def _namespaces(runs: RunMatrix) -> Values:
    """Where no recording has any; see `cells`."""
    return runs.stored("netns", NO_NETNS)


DIMENSIONS: dict[MatrixKey, Dimension] = {
    "subsystem": Dimension(
        values=_subsystems,
        weight="blamed",
        several="subsystems",
        title="Subsystems",
        meaning="by subsystem that is blamed",
    ),
    "class": Dimension(
        values=_classes,
        weight="self",
        several="classes",
        title="Classes",
        meaning="by class, self weight: what kind of work it is (Cai et al., SIGCOMM'21)",
    ),
    "direction": Dimension(
        values=_directions,
        weight="weight",
        several="directions",
        title="Directions",
        meaning="by direction: which way the packet of each kernel stack goes",
    ),
    "traversal": Dimension(
        values=_traversals,
        weight="weight",
        several="traversals",
        title="Traversals",
        meaning="by the innermost station of a packet's way, and which time the stack is there",
    ),
    "program": Dimension(
        values=_programs,
        weight="blamed",
        several="programs",
        title="Programs of eBPF",
        meaning="by program of eBPF that is blamed, with what it calls",
    ),
    "pod": Dimension(
        values=_pods,
        weight="blamed",
        several="pods",
        title="Pods",
        meaning=(
            "by pod that is blamed; softirqs and interrupts, which run on anybody's CPU time, are"
            " rows of their own"
        ),
    ),
    "netns": Dimension(
        values=_namespaces,
        weight="weight",
        several="namespaces",
        title="Network namespaces",
        meaning=(
            "by network namespace (inode) of the thread; softirqs and interrupts are of the thread"
            " that they interrupt"
        ),
    ),
}
OF_SAMPLES: tuple[MatrixKey, ...] = ("pod", "netns")  # which stacks do not tell
SPLITS = tuple(key for key in DIMENSIONS if key != "subsystem")  # whose rows are names alone


def cells(runs: RunMatrix, by: MatrixKey) -> Cells:
    """The weights by a dimension."""
    if of_samples := runs.of_samples.get(by):
        return of_samples
    names, values = DIMENSIONS[by].values(runs)
    return Cells(names, values, np.arange(runs.stacks.size), runs.weight, runs.hits)

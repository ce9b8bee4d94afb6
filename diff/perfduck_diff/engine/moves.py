"""What only moved, in words: from where, to where, how much, and what the net change is."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from perfduck_diff.engine.alignment import Move, Path
from perfduck_diff.engine.comparison import Comparison
from perfduck_diff.engine.moderated_t import NodeRates
from perfduck_diff.engine.pairing import Netted
from perfduck_diff.engine.result import Moved
from perfduck_model.arrays import Bool, Float64, Int64

NOTABLE = 0.05  # part of a claim that has to have moved for the claim to say so
TOP = 0.002  # part of the total from which a move is listed


@dataclass(frozen=True, slots=True)
class Origin:
    """How much of a claim is at another place on one side: base's `source` or new's `target`."""

    label: str = ""
    moved: float = 0.0
    source: Path = ()  # frame codes, root first
    target: Path = ()

    @classmethod
    def of(cls, move: Move, moved: float) -> Self:
        """By the side that was laid over."""
        source, target = ((), move.source) if move.side else (move.source, ())
        return cls(move.label, moved, source, target)


def renames(work: Comparison) -> list[Move]:
    """Functions that go by the name of another, as moves of all stacks that they are in."""
    codes = np.flatnonzero(work.names != np.arange(len(work.names))).tolist()
    if not codes:
        return []
    owner, frames = work.runs.stacks.flat()
    rate = work.rate
    moves = []
    for code in codes:
        stacks = np.unique(owner[frames == code])
        sides = [rate[stacks][:, side].mean(axis=1).sum() for side in work.design.sides]
        if len(stacks):
            side, name = int(sides[1] > sides[0]), int(work.names[code])
            label = kind(work, "renamed", code, name)
            moves.append(Move(label, side, (code,), (name,), stacks, of_name=True))
    return moves


def kind(work: Comparison, label: str, one: int, other: int) -> str:
    """The label, or what it is where code without a name took part: that was not renamed."""
    nameless = sum(work.runs.frames[code].is_nameless for code in (one, other))
    return ("renamed", "unnamed", "moved")[nameless] if label == "renamed" else label


def origin(work: Comparison, moves: list[Move], stacks: Bool, size: float) -> Origin | None:
    """Of a claim with these stacks; `size` is the larger of its sides."""
    parts = [(_part(work, move, stacks), move) for move in moves]
    largest, move = max(parts, key=lambda part: part[0], default=(0.0, None))
    if move is None or largest < NOTABLE * size:
        return None
    return Origin.of(move, largest)


def laid_over(work: Comparison, moves: list[Move], stacks: Bool) -> Origin:
    """How much of base was laid over among these stacks, and where the largest part of it was."""
    of_base = [move for move in moves if move.side == 0 and _part(work, move, stacks) > 0]
    if not of_base:
        return Origin()
    every = np.unique(np.concatenate([move.stacks[stacks[move.stacks]] for move in of_base]))
    largest = max(of_base, key=lambda move: _part(work, move, stacks))
    return Origin.of(largest, float(_rate(work, every)[work.design.base].mean()))


def _part(work: Comparison, move: Move, stacks: Bool) -> float:
    return _weight(work, move, move.stacks[stacks[move.stacks]])


def _weight(work: Comparison, move: Move, stacks: Int64) -> float:
    return float(_rate(work, stacks)[work.design.sides[move.side]].mean())


def _rate(work: Comparison, stacks: Int64) -> Float64:
    return np.asarray(work.rate[stacks].sum(axis=0))


def listed(work: Comparison, moves: list[Move], netted: list[Netted]) -> tuple[Moved, ...]:
    """Every notable move, the largest first."""
    described = [_of_stacks(work, move) for move in moves]
    described += [_of_group(work, net) for net in netted if not net.change.is_significant]
    least = TOP * float(work.rows.rates[0].mean())
    large = [move for move in described if move.moved >= least]
    return tuple(sorted(large, key=lambda move: (-move.moved, move.path)))


def _of_stacks(work: Comparison, move: Move) -> Moved:
    """The net is that of everything now at the target."""
    here = _below(work, move)
    rows = work.grouped((~here).astype(np.int64), 2)[np.array([0])]
    moved = _weight(work, move, move.stacks)
    return _described(work, move.label, *move.ends, moved, rows)


def _below(work: Comparison, move: Move) -> Bool:
    """The stacks at the target of a move."""
    if move.of_name:
        owner, frames = work.runs.stacks.mapped(work.names).flat()
        here = np.zeros(work.runs.stacks.size, dtype=np.bool_)
        here[owner[frames == move.target[0]]] = True
        return here
    stacks = work.aligned.stacks
    here = stacks.length >= len(move.target)
    for depth, code in enumerate(move.target):
        at = np.minimum(stacks.start + depth, len(stacks.codes) - 1)
        here &= stacks.codes[at] == code
    return np.asarray(here)


def _of_group(work: Comparison, net: Netted) -> Moved:
    source = max(net.halves, key=lambda half: (abs(half.delta), -half.node), default=net.change)
    paths = [tuple(work.tree.path(half.node)) for half in (source, net.change)]
    rows = NodeRates(net.change.rates[None, :], net.change.mix[None, :])
    if net.change.delta <= 0:
        paths.reverse()  # the growth is where it went
    label = kind(work, net.label, paths[0][-1], paths[1][-1])
    return _described(work, label, paths[0], paths[1], net.moved, rows)


def _described(
    work: Comparison, label: str, source: Path, target: Path, moved: float, rows: NodeRates
) -> Moved:
    test = work.model(rows)
    low, high = test.limits()
    base, new = (float(rows.rates[0, side].mean()) for side in work.design.sides)
    return Moved(
        label=label,
        source=named(work, source),
        path=named(work, target),
        moved=moved,
        base=base,
        new=new,
        delta=new - base,
        low=float(low[0]),
        high=float(high[0]),
        p=float(min(test.growth[0], test.shrinkage[0])),
    )


def named(work: Comparison, path: Path) -> tuple[str, ...]:
    """The names of frames, as the tree of this comparison has them."""
    frames = [work.runs.frames[code] for code in path]
    by_subsystem = work.options.tree == "subsystem"
    return tuple(frame.subsystem if by_subsystem else frame.name for frame in frames)

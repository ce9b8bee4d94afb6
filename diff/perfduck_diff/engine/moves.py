"""What only moved, in words: from where, to where, how much, and what the net change is."""

from dataclasses import dataclass

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
    """How much of a claim moved there, and from where."""

    label: str
    moved: float
    source: Path  # frame codes, root first


def renames(work: Comparison) -> list[Move]:
    """Functions that go by the name of another, as moves of all stacks that they are in."""
    codes = np.flatnonzero(work.names != np.arange(len(work.names))).tolist()
    if not codes:
        return []
    owner, frames = work.runs.stacks.flat()
    rate = work.rate
    found = []
    for code in codes:
        stacks = np.unique(owner[frames == code])
        sides = [rate[stacks][:, side].mean(axis=1).sum() for side in work.design.sides]
        if len(stacks):
            side, name = int(sides[1] > sides[0]), int(work.names[code])
            found.append(Move("renamed", side, (code,), (name,), stacks))
    return found


def origin(work: Comparison, moves: list[Move], stacks: Bool, size: float) -> Origin | None:
    """Of a claim with these stacks; `size` is the larger of its sides."""
    parts = [(_part(work, move, stacks), move) for move in moves]
    largest, move = max(parts, key=lambda part: part[0], default=(0.0, None))
    if move is None or largest < NOTABLE * size:
        return None
    return Origin(move.label, largest, move.source)


def amount(work: Comparison, moves: list[Move], stacks: Bool) -> float:
    """How much of base was laid over among these stacks."""
    return sum(_part(work, move, stacks) for move in moves if move.side == 0)


def _part(work: Comparison, move: Move, stacks: Bool) -> float:
    return _weight(work, move, move.stacks[stacks[move.stacks]])


def _weight(work: Comparison, move: Move, stacks: Int64) -> float:
    return float(_rate(work, stacks)[work.design.sides[move.side]].mean())


def _rate(work: Comparison, stacks: Int64) -> Float64:
    return np.asarray(work.rate[stacks].sum(axis=0))


def listed(work: Comparison, moves: list[Move], netted: list[Netted]) -> tuple[Moved, ...]:
    """Every notable move, the largest first."""
    found = [_of_stacks(work, move) for move in moves]
    found += [_of_group(work, net) for net in netted if not net.found.stands]
    least = TOP * float(work.rows.rates[0].mean())
    kept = [move for move in found if move.moved >= least]
    return tuple(sorted(kept, key=lambda move: (-move.moved, move.path)))


def _of_stacks(work: Comparison, move: Move) -> Moved:
    """The net is that of everything now at the target."""
    here = _below(work, move)
    rows = work.grouped((~here).astype(np.int64), 2)[np.array([0])]
    moved = _weight(work, move, move.stacks)
    return _described(work, move.label, move.source, move.target, moved, rows)


def _below(work: Comparison, move: Move) -> Bool:
    """The stacks at the target of a move."""
    if move.label == "renamed":
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
    source = max(net.halves, key=lambda half: (abs(half.delta), -half.node), default=net.found)
    paths = [tuple(work.tree.path(half.node)) for half in (source, net.found)]
    rows = NodeRates(net.found.rates[None, :], net.found.mix[None, :])
    if net.found.delta <= 0:
        paths.reverse()  # the growth is where it went
    return _described(work, net.label, paths[0], paths[1], net.moved, rows)


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

"""What developers do to code without making it more expensive, done to the stacks of real runs.

Each kind takes the chains of one side (root first) and a function of it, and gives for every chain
what it becomes; a chain whose leaf is cut in two becomes two, with a part of the samples each.
Names go the way of the store: canonical, then the table of renamed functions, so a suffix of the
compiler is no new function here either.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from perfduck_diff.engine.run_matrix import Frame, RunMatrix
from perfduck_diff.engine.stacks import Stacks
from perfduck_symbols.names import canonical
from perfduck_tags.renamed import identity

Chain = list[int]
Parts = list[tuple[Chain, float]]  # what a chain becomes, with the part of its samples
Change = Callable[[Chain], Parts]


@dataclass
class Code:
    """The functions of a program, to which more may come."""

    frames: list[Frame]
    codes: dict[str, int] = field(default_factory=dict)
    number: itertools.count = field(default_factory=itertools.count)  # type: ignore[type-arg]

    def __post_init__(self) -> None:
        for code, frame in enumerate(self.frames):
            if frame.kernel:
                self.codes.setdefault(_last(frame.name), code)

    def named(self, name: str, like: int) -> int:
        """The function of this name, which is new if none has it: then in the place of another."""
        plain = pl.DataFrame({"name": [name]}).select(canonical(pl.col("name"))).item()
        if _last(plain) not in self.codes:
            self.codes[_last(plain)] = len(self.frames)
            self.frames.append(replace(self.frames[like], name=plain))
        return self.codes[_last(plain)]

    def new(self, like: int) -> int:
        """A function that nobody has heard of."""
        return self.named(f"refactored_{next(self.number)}", like)


def _last(name: str) -> str:
    return identity().get(name, name)


def renamed(_runs: RunMatrix, code: Code, function: int, _: np.random.Generator) -> Change:
    other = code.new(function)
    return lambda chain: [([other if f == function else f for f in chain], 1.0)]


def inserted(_runs: RunMatrix, code: Code, function: int, _: np.random.Generator) -> Change:
    """A caller between the function and all of its callers."""
    other = code.new(function)
    return _replacing(function, [other, function])


def wrapped(_runs: RunMatrix, code: Code, function: int, _: np.random.Generator) -> Change:
    """The function only calls `__function`, which has its code."""
    inner = code.new(function)
    return _replacing(function, [function, inner])


def removed(_runs: RunMatrix, _: Code, function: int, __: np.random.Generator) -> Change:
    """Its callers call its callees, and do what it did."""
    return _replacing(function, [])


def swapped(runs: RunMatrix, _: Code, function: int, __: np.random.Generator) -> Change:
    """The function and the callee that it spends most in call each other the other way round."""
    owner, codes = runs.stacks.flat()
    calls = (owner[1:] == owner[:-1]) & (codes[:-1] == function)
    weight = np.bincount(codes[1:][calls], runs.weight.mean(axis=1)[owner[1:][calls]])
    callee = int(np.argmax(weight))

    def change(chain: Chain) -> Parts:
        if function not in chain:
            return [(chain, 1.0)]
        place = chain.index(function)
        if chain[place + 1 : place + 2] != [callee]:
            return [([*chain[:place], callee, *chain[place:]], 1.0)]
        if len(chain) == place + 2:  # what the callee did itself
            return [([*chain[:place], callee], 1.0)]
        return [([*chain[:place], callee, function, *chain[place + 2 :]], 1.0)]

    return change


def outlined(_runs: RunMatrix, code: Code, function: int, _: np.random.Generator) -> Change:
    """Most of its own code becomes a callee."""
    other = code.new(function)

    def change(chain: Chain) -> Parts:
        if chain[-1:] != [function]:
            return [(chain, 1.0)]
        return [([*chain, other], 0.6), (chain, 0.4)]

    return change


def split(_runs: RunMatrix, code: Code, function: int, _: np.random.Generator) -> Change:
    """Two functions, of which the first calls the second, which has all of its callees."""
    first, second = code.new(function), code.new(function)

    def change(chain: Chain) -> Parts:
        if function not in chain:
            return [(chain, 1.0)]
        inner = _replaced(chain, function, [first, second])
        if chain[-1] != function:
            return [(inner, 1.0)]
        return [(inner, 0.5), (inner[:-1], 0.5)]

    return change


def merged(_runs: RunMatrix, code: Code, function: int, _: np.random.Generator) -> Change:
    """The function and its callees are one new function, with the callees of both."""
    other = code.new(function)

    def change(chain: Chain) -> Parts:
        if function not in chain:
            return [(chain, 1.0)]
        place = chain.index(function)
        return [([*chain[:place], other, *chain[place + 2 :]], 1.0)]

    return change


def moved(_runs: RunMatrix, code: Code, function: int, random: np.random.Generator) -> Change:
    """Somebody else calls it: a new function at the same entry."""
    other = code.new(function)

    def change(chain: Chain) -> Parts:
        if function not in chain:
            return [(chain, 1.0)]
        place = chain.index(function)
        kept = max(place // 2, min(place, 1))
        return [([*chain[:kept], other, *chain[place:]], 1.0)]

    return change


def suffixed(_runs: RunMatrix, code: Code, function: int, random: np.random.Generator) -> Change:
    name = code.frames[function].name
    endings = (".isra.0", ".constprop.0", ".part.0", ".cold", ".llvm.1234567890", ".isra.0.cold")
    other = code.named(name + str(random.choice(endings)), function)
    return lambda chain: [([other if f == function else f for f in chain], 1.0)]


def cloned(_runs: RunMatrix, code: Code, function: int, _: np.random.Generator) -> Change:
    """One of its callers has a copy of its own; the rest call another copy."""
    name = code.frames[function].name
    copies = [code.named(f"{name}.constprop.{n}", function) for n in (0, 1)]

    def change(chain: Chain) -> Parts:
        return [([copies[i % 2] if f == function else f for i, f in enumerate(chain)], 1.0)]

    return change


def syscall_entry(_runs: RunMatrix, code: Code, _: int, __: np.random.Generator) -> Change:
    """do_syscall_64 calls what it calls by a dispatcher, as since 6.9, and has another name."""
    entry = code.codes.get("do_syscall_64", -1)
    other = code.new(entry)
    dispatch = code.named("x64_sys_call", entry)

    def change(chain: Chain) -> Parts:
        chain = [f for f in chain if f != dispatch]
        if chain[-1:] == [entry]:  # what it does itself it still does
            return [([*chain[:-1], other], 1.0)]
        return [(_replaced(chain, entry, [other, dispatch]), 1.0)]

    return change


def softirq(_runs: RunMatrix, code: Code, _: int, random: np.random.Generator) -> Change:
    """Its name of before 6.10, or one that nobody has heard of."""
    entry = code.codes.get("handle_softirqs", -1)
    old = code.named("__do_softirq", entry) if random.random() < 0.5 else code.new(entry)
    return lambda chain: [([old if f == entry else f for f in chain], 1.0)]


def unchanged(_runs: RunMatrix, _: Code, __: int, ___: np.random.Generator) -> Change:
    """Other threads, commands and modules: frames are the same, in any of them."""
    return lambda chain: [(chain, 1.0)]


def alias(_runs: RunMatrix, code: Code, function: int, _: np.random.Generator) -> Change:
    """Another name of the same address: one of the table, or of a function that is a leaf."""
    known = {last: old for old, last in identity().items()}
    name = _last(code.frames[function].name)
    other = code.named(known[name], function) if name in known else code.new(function)
    return lambda chain: [([other if f == function else f for f in chain], 1.0)]


def to_worker(_runs: RunMatrix, code: Code, function: int, _: np.random.Generator) -> Change:
    """All of it runs in a kernel thread: a work item, or ksoftirqd."""
    names = ["ret_from_fork_asm", "ret_from_fork", "kthread", "worker_thread", "process_one_work"]
    thread = [code.named(name, function) for name in names]
    work = code.new(function)

    def change(chain: Chain) -> Parts:
        if function not in chain:
            return [(chain, 1.0)]
        return [([*thread, work, *chain[chain.index(function) :]], 1.0)]

    return change


def _replacing(function: int, by: Chain) -> Change:
    return lambda chain: [(_replaced(chain, function, by) or chain, 1.0)]


def _replaced(chain: Chain, function: int, by: Chain) -> Chain:
    return [new for f in chain for new in (by if f == function else [f])]


# name -> what it does, and which functions it is done to
KINDS: dict[str, tuple[Callable[..., Change], str]] = {
    "renamed in the middle": (renamed, "inner"),
    "renamed at the leaf": (renamed, "leaf"),
    "inserted": (inserted, "inner"),
    "removed": (removed, "inner"),
    "swapped": (swapped, "inner"),
    "inlined": (removed, "leaf"),
    "outlined": (outlined, "leaf"),
    "split in two": (split, "inner"),
    "merged": (merged, "inner"),
    "moved under another parent": (moved, "inner"),
    "suffix": (suffixed, "inner"),
    "static clone": (cloned, "inner"),
    "wrapper level": (wrapped, "inner"),
    "syscall entry renamed": (syscall_entry, "inner"),
    "softirq renamed": (softirq, "inner"),
    "thread, command or module": (unchanged, "inner"),
    "symbol alias": (alias, "leaf"),
    "moved to a kworker": (to_worker, "inner"),
}


def applied(runs: RunMatrix, columns: list[int], change: Change, code: Code,
            random: np.random.Generator) -> RunMatrix:  # fmt: skip
    """The runs with the stacks of some columns changed: rows of their own."""
    stacks = [runs.stacks.chain(row).tolist() for row in range(runs.stacks.size)]
    mine = np.zeros(len(runs.runs), dtype=bool)
    mine[columns] = True
    chains: list[Chain] = []
    rows: list[int] = []
    parts: list[float] = []
    for row in np.flatnonzero(runs.hits[:, mine].any(axis=1)).tolist():
        for chain, part in change(stacks[row]):
            chains.append(chain)
            rows.append(row)
            parts.append(part)
    hits, weight = (np.where(mine, matrix[rows], 0.0) for matrix in (runs.hits, runs.weight))
    taken = _thinned(hits, np.array(parts), rows, random)
    scale = np.divide(taken, hits, out=np.zeros_like(hits), where=hits > 0)
    left = [np.where(mine, 0.0, matrix) for matrix in (runs.hits, runs.weight)]
    blame = np.concatenate([runs.blame, runs.blame[rows]])
    return replace(
        runs,
        frames=tuple(code.frames),
        stacks=Stacks.of([*stacks, *chains]),
        blame=blame,
        hits=np.concatenate([left[0], taken]),
        weight=np.concatenate([left[1], weight * scale]),
        known={
            by: (names, np.concatenate([of, of[rows]])) for by, (names, of) in runs.known.items()
        },
        of_samples={},
    )


def _thinned(hits: np.ndarray, parts: np.ndarray, rows: list[int],
             random: np.random.Generator) -> np.ndarray:  # fmt: skip
    """Of rows that are two, each sample goes to one of them."""
    taken = hits.copy()
    for place in np.flatnonzero(parts < 1).tolist():
        if place and rows[place - 1] == rows[place]:
            taken[place] = hits[place] - taken[place - 1]
        else:
            taken[place] = random.binomial(hits[place].astype(int), parts[place])
    return taken

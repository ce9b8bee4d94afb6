"""Call chains as numbers of frames, for formats that have a table of functions."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from perfduck_diff.engine.stacks import Stacks
from perfduck_diff.engine.tree import Trie, grown
from perfduck_diff.export_input import ExportInput
from perfduck_model.arrays import Bool, Int64
from perfduck_model.words import unnamed_code

_UNNAMED = "[unknown]"


class ChainTable:
    """The functions of an export, and its chains as rows of them."""

    def __init__(self, data: ExportInput) -> None:
        self.functions = data.functions()
        chains = data.chains()
        ids = chains["symbol_ids"].explode().to_numpy()
        self.blamed = chains["blamed"]
        self.context = chains["context"]
        self.direction = chains["direction"]
        self._rows: Int64 = np.searchsorted(self.functions["symbol_id"].to_numpy(), ids)
        self._ends: Int64 = np.cumsum(chains["symbol_ids"].list.len().to_numpy(), dtype=np.int64)
        self._ids = chains["stack_id"].to_numpy()

    def __len__(self) -> int:
        return len(self._ids)

    def names(
        self, named: Callable[[str], str] = str, unnamed: Callable[[str], str] = unnamed_code
    ) -> list[str]:
        """The name of each function, made of it by `named`; without one, of its dso by
        `unnamed`: [libc.so.6]."""
        pairs = self.functions.select("name", "dso").iter_rows()
        return [named(name) if name != _UNNAMED else unnamed(dso) for name, dso in pairs]

    def places(self, stack_ids: ArrayLike) -> Int64:
        """The place of each stack in this table."""
        return np.searchsorted(self._ids, np.asarray(stack_ids))

    def leaf_first(self, place: int) -> list[int]:
        """The rows of a chain's functions."""
        start = int(self._ends[place - 1]) if place else 0
        rows: Any = self._rows[start : self._ends[place]].tolist()
        return rows  # type: ignore[no-any-return]

    def trie(self, marked: Bool) -> Trie:
        """Every distinct beginning of a chain, root first. A code is a row of `functions`; in
        chains that are `marked`, that and the number of functions."""
        size = len(self._rows)
        starts = np.concatenate([[0], self._ends[:-1]])
        marks = np.repeat(marked, self._ends - starts) * self.functions.height
        codes = (self._rows + marks)[::-1].astype(np.int32)
        stacks = Stacks(codes, size - self._ends, size - starts)
        return grown(stacks, np.zeros((stacks.size, 1)), 0.0)

"""How much of a recording has no name, where it lies, and which option would help.

48 % of the weight has no name: give --kallsyms and --symbols
(31 % [kernel.kallsyms], 16 % /opt/app/bin/server: not found)
"""

from collections import Counter, defaultdict
from collections.abc import Mapping

import numpy as np
import polars as pl

from perfduck_ingest.perf_data.dsos import NO_OFFSET, unpack
from perfduck_model.arrays import Float64, Int64
from perfduck_symbols import names

_LEAST = 0.01  # of the weight, to be said
_MOST_DSOS = 3
_OPTIONS = {"kernel": "--kallsyms", "user": "--symbols"}


class Unnamed:
    """Adds up the weight of samples whose function has no name."""

    def __init__(self) -> None:
        self._symbols = 0
        self._dsos: dict[int, str] = {}  # of symbols without a name, by their number
        self._samples = Counter[int]()  # by event
        self._weights: defaultdict[int, float] = defaultdict(float)
        self._unnamed: defaultdict[int, Counter[str]] = defaultdict(Counter)

    def learn(self, symbols: pl.DataFrame) -> None:
        """The next symbols, in the order of their numbers."""
        numbered = symbols.with_row_index("number", self._symbols)
        rows = numbered.filter(name=names.UNKNOWN).select("number", "dso")
        self._dsos.update(rows.iter_rows())
        self._symbols += len(symbols)

    def add(self, events: Int64, leaves: Int64, weights: Float64) -> None:
        """Samples: event, symbol and offset packed, weight."""
        numbers, offsets = unpack(leaves)
        for event in np.flatnonzero(np.bincount(events)).tolist():
            own = events == event
            self._samples[event] += int(own.sum())
            self._weights[event] += float(weights[own].sum())
            own &= offsets == NO_OFFSET
            found, which = np.unique(numbers[own], return_inverse=True)
            sums = np.bincount(which, weights[own], len(found))
            for number, weight in zip(found.tolist(), sums.tolist(), strict=True):
                self._unnamed[event][self._dsos[number]] += weight

    def said(self, missing: Mapping[str, str]) -> str | None:
        """In words, of the event with most samples; None where it is little. `missing` says why
        the file of a dso was not used."""
        if not self._samples:
            return None
        event = max(self._samples, key=lambda one: self._samples[one])
        total, dsos = self._weights[event], self._unnamed[event]
        if dsos.total() < _LEAST * total or not dsos.total():
            return None
        options = sorted({_option(dso) for dso in dsos if dsos[dso] >= _LEAST * total} - {""})
        shown = ", ".join(
            f"{weight / total:.0%}".replace("%", " %") + f" {dso}" + _reason(missing.get(dso))
            for place, (dso, weight) in enumerate(dsos.most_common(_MOST_DSOS))
            if place == 0 or weight >= _LEAST * total
        )
        advice = f": give {' and '.join(options)}" if options else ""
        share = f"{dsos.total() / total:.0%}".replace("%", " %")
        return f"{share} of the weight has no name{advice} ({shown})"


def _option(dso: str) -> str:
    return _OPTIONS.get(names.binary(dso)[0], "")


def _reason(reason: str | None) -> str:
    return f": {reason}" if reason else ""

"""Long tables of a test: some rows are among the quick tests, `make slow` has the others."""

from collections.abc import Iterable
from typing import Any

import pytest
from _pytest.mark.structures import ParameterSet

_SLOW = pytest.mark.slow


def mostly_slow(rows: Iterable[Any], every: int = 10) -> list[ParameterSet]:
    """All rows, tuples of several values or a value each: the first is quick, and each of so many
    behind it."""
    return [_row(row, is_quick=number % every == 0) for number, row in enumerate(rows)]


def _row(row: Any, *, is_quick: bool) -> ParameterSet:
    marks = () if is_quick else (_SLOW,)
    if isinstance(row, ParameterSet):
        return pytest.param(*row.values, marks=(*row.marks, *marks), id=row.id)
    return pytest.param(*(row if isinstance(row, tuple) else (row,)), marks=marks)

"""Look-ups of whole columns against a loop over the intervals."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfduck_symbols.addresses import _preference, preferred_first
from perfduck_symbols.intervals import GroupedIntervals, Intervals

ROWS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 15)), max_size=12)
FAR = (1 << 64) - 50  # addresses of the kernel have the highest bit


@given(ROWS, st.sampled_from([0, FAR]))
def test_the_last_interval_that_holds_a_number(rows: list[tuple[int, int]], first: int) -> None:
    spans = sorted(((start, start + size) for start, size in rows), key=lambda span: span[0])
    starts = np.array([first + min(start, 49) for start, _ in spans], np.uint64)
    ends = np.array([first + min(end, 49) for _, end in spans], np.uint64)
    found = Intervals(starts, ends).find(np.arange(50, dtype=np.uint64) + np.uint64(first))
    holders = [[n for n, (low, high) in enumerate(spans) if low <= at < high] for at in range(49)]
    assert found.tolist()[:49] == [max(holding, default=-1) for holding in holders]


@pytest.mark.slow
@given(st.dictionaries(st.integers(-3, 6), ROWS, max_size=4))
def test_the_interval_of_the_group(rows: dict[int, list[tuple[int, int]]]) -> None:
    spans: dict[int, list[tuple[int, int]]] = {}
    for group in sorted(rows):
        spans[group], end = [], 0
        for gap, size in rows[group]:  # without overlap
            spans[group].append((end + gap, end + gap + size + 1))
            end += gap + size + 1
    flat = [(group, *span) for group, of_group in spans.items() for span in of_group]
    columns = np.array(flat, np.int64).reshape(-1, 3).T
    table = GroupedIntervals(
        np.array(list(spans), np.int64),
        np.array([len(of_group) for of_group in spans.values()], np.int64),
        *(columns[1:].astype(np.uint64)),
    )
    asked = [(value, group) for value in range(0, 200, 3) for group in range(-4, 8)]
    values, groups = np.array(asked, np.int64).T
    holders = [
        [n for n, (own, low, high) in enumerate(flat) if own == group and low <= value < high]
        for value, group in asked
    ]
    found = table.find(values.astype(np.uint64), groups)
    assert found.tolist() == [max(holding, default=-1) for holding in holders]


@given(st.lists(st.text("_ab", min_size=1, max_size=6), min_size=1, unique=True))
def test_aliases_of_frames_and_of_tables_are_chosen_alike(names: list[str]) -> None:
    rows = pl.DataFrame({"name": names, "size": [8] * len(names)})
    first = rows.sort(*preferred_first("size", "name"))["name"][0]
    assert _preference(first) == max(map(_preference, names))

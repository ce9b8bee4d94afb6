"""The number of a row of words."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from perfduck_ingest.perf_data.polynomials import Polynomials

ROWS = st.lists(st.lists(st.integers(0, 3), max_size=5), min_size=1, max_size=12)


@given(ROWS)
def test_the_same_rows_have_the_same_number_wherever_they_are(rows: list[list[int]]) -> None:
    lengths = np.array([len(row) for row in rows])
    words = np.array([word for row in rows for word in row], np.uint64)
    numbers = Polynomials().of(words, np.cumsum(lengths) - lengths, lengths).tolist()
    assert len(set(zip(map(tuple, rows), numbers, strict=True))) == len(set(map(tuple, rows)))
    assert len(set(numbers)) == len(set(map(tuple, rows)))

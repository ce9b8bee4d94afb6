"""What is remembered for a number is always its own, however small the memory."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from perfduck_ingest.perf_data.byte_order import Integers
from perfduck_ingest.perf_data.memo import Memo
from perfduck_ingest.perf_data.polynomials import Polynomials

KEYS = st.lists(st.integers(0, 1 << 64), max_size=60).map(
    lambda keys: [k % (1 << 64) for k in keys]
)
ROWS = st.lists(st.lists(st.integers(0, 3), max_size=5), min_size=1, max_size=12)


@given(st.lists(KEYS, max_size=4))
def test_every_key_has_its_own_values(calls: list[list[int]]) -> None:
    memo = Memo(3, columns=2)
    for numbers in calls:
        keys = np.array(numbers, np.uint64)
        asked: list[int] = []

        def look_up(
            places: Integers, keys: "np.typing.NDArray[np.uint64]" = keys, asked: list[int] = asked
        ) -> tuple[Integers, ...]:
            asked += keys[places].tolist()
            return keys[places].view(np.int64), ~keys[places].view(np.int64)

        one, other = memo.of(keys, look_up)
        assert one.view(np.uint64).tolist() == numbers
        assert (~other).view(np.uint64).tolist() == numbers
        assert len(asked) == len(set(asked))


@given(ROWS)
def test_the_same_rows_have_the_same_number_wherever_they_are(rows: list[list[int]]) -> None:
    lengths = np.array([len(row) for row in rows])
    words = np.array([word for row in rows for word in row], np.uint64)
    numbers = Polynomials().of(words, np.cumsum(lengths) - lengths, lengths).tolist()
    assert len(set(zip(map(tuple, rows), numbers, strict=True))) == len(set(map(tuple, rows)))
    assert len(set(numbers)) == len(set(map(tuple, rows)))

"""What is remembered for a hash is always its own, however small the memory."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from perfduck_kernels.hash_cache import HashCache
from perfduck_model.arrays import Int64

CALLS = st.lists(st.lists(st.integers(0, (1 << 64) - 1), max_size=60), max_size=4)


@given(CALLS)
def test_every_hash_has_its_own_value(calls: list[list[int]]) -> None:
    memo = HashCache[np.uint64](np.uint64, 3)
    for numbers in calls:
        hashes = np.array(numbers, np.uint64)
        asked: list[int] = []

        def look_up(
            places: Int64,
            hashes: "np.typing.NDArray[np.uint64]" = hashes,
            asked: list[int] = asked,
        ) -> "np.typing.NDArray[np.uint64]":
            asked += hashes[places].tolist()
            return ~hashes[places]

        assert (~memo.of(hashes, look_up)).tolist() == numbers
        assert len(asked) == len(set(asked))


def test_what_is_not_kept_is_looked_up_again() -> None:
    hashes = np.array([7, 8, 7, 9], np.uint64)
    memo = HashCache[np.uint64](np.uint64, 10, lambda values: values != 8)
    assert memo.of(hashes, hashes.take).tolist() == [7, 8, 7, 9]
    asked: list[int] = []
    memo.of(hashes, lambda places: asked.extend(places.tolist()) or hashes[places])
    assert asked == [1]

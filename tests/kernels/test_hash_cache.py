"""The value of a hash is always its own, however small the cache."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from implementations import each_implementation

from perfduck_kernels import Kernels
from perfduck_kernels.hash_cache import HashCache
from perfduck_model.arrays import Int64

CALLS = st.lists(st.lists(st.integers(0, (1 << 64) - 1), max_size=60), max_size=4)


@each_implementation
@given(CALLS)
def test_every_hash_has_its_own_value(kernels: Kernels, calls: list[list[int]]) -> None:
    cache = HashCache[np.uint64](np.uint64, 3, implementation=kernels)
    for numbers in calls:
        hashes = np.array(numbers, np.uint64)
        asked: list[int] = []

        def look_up(
            indices: Int64,
            hashes: "np.typing.NDArray[np.uint64]" = hashes,
            asked: list[int] = asked,
        ) -> "np.typing.NDArray[np.uint64]":
            asked += hashes[indices].tolist()
            return ~hashes[indices]

        assert (~cache.of(hashes, look_up)).tolist() == numbers
        assert len(asked) == len(set(asked))


@each_implementation
def test_what_is_not_kept_is_looked_up_again(kernels: Kernels) -> None:
    hashes = np.array([7, 8, 7, 9], np.uint64)
    cache = HashCache[np.uint64](np.uint64, 10, lambda values: values != 8, kernels)
    assert cache.of(hashes, hashes.take).tolist() == [7, 8, 7, 9]
    asked: list[int] = []
    cache.of(hashes, lambda indices: asked.extend(indices.tolist()) or hashes[indices])
    assert asked == [1]

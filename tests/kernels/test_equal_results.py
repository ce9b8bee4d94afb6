"""The native loops return what those in numpy return, byte by byte and of the same types."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from implementations import IMPLEMENTATIONS, needs_native

from perfduck_kernels import numpy_kernels
from perfduck_kernels.constants import CHUNK_WIDTH, LINE_BLOCK_BYTES

pytestmark = needs_native

WORDS = st.integers(0, (1 << 64) - 1)
SIGNED = st.integers(-(1 << 63), (1 << 63) - 1)
LENGTHS = st.lists(st.integers(1, 9), max_size=20).map(lambda given: np.array(given, np.int64))
SEEDS = st.integers(0, 1 << 32)


def words_of(seed: int, count: int) -> npt.NDArray[np.uint64]:
    """Any words; some of them are equal."""
    random = np.random.default_rng(seed)
    words = random.integers(0, 1 << 64, count, np.uint64)
    return words[random.integers(0, max(count, 1), count)]


def assert_equal(function: str, *arguments: Any) -> None:
    expected = getattr(numpy_kernels, function)(*arguments)
    got = getattr(IMPLEMENTATIONS["native"], function)(*arguments)
    pairs = zip(expected, got, strict=True) if isinstance(expected, tuple) else [(expected, got)]
    for one, other in pairs:
        if isinstance(one, np.ndarray):
            assert (one.dtype, one.shape) == (other.dtype, other.shape)
            assert one.tobytes() == other.tobytes()
        else:
            assert one == other


@given(st.binary(max_size=300), st.integers(1, 20))
def test_line_starts(content: bytes, most: int) -> None:
    content = content.replace(b"\0", b"\n") + b"\n"
    assert_equal("line_starts", np.frombuffer(content, np.uint8), most)


@pytest.mark.parametrize("most", [1, LINE_BLOCK_BYTES - 1, LINE_BLOCK_BYTES, 10**9])
def test_line_starts_of_blocks(most: int) -> None:
    content = np.frombuffer(b"\n" * (3 * LINE_BLOCK_BYTES), np.uint8)
    assert_equal("line_starts", content, most)
    assert_equal("line_starts", content[: LINE_BLOCK_BYTES + 1], most)


@given(st.lists(st.tuples(st.integers(0, 6), WORDS), max_size=60), st.sampled_from([0, 16, 32, 48]))
def test_walk_records(headers: list[tuple[int, int]], size_shift: int) -> None:
    """Nearly all of the words may be a header."""
    words = [
        word & ~(0xFFFF << size_shift) | (8 * length + word % 8) << size_shift
        for length, word in headers
    ]
    assert_equal("walk_records", np.array(words, np.uint64), size_shift)


@given(LENGTHS, SEEDS)
def test_chain_keys_and_stack_ids(lengths: npt.NDArray[np.int64], seed: int) -> None:
    terms = words_of(seed, int(lengths.sum()))
    assert_equal("chain_keys", terms, np.cumsum(lengths) - lengths, lengths)
    assert_equal("stack_ids", terms.view(np.int64), lengths)


@given(LENGTHS, SEEDS)
def test_ranges(lengths: npt.NDArray[np.int64], seed: int) -> None:
    random = np.random.default_rng(seed)
    starts, strides = random.integers(-50, 50, (2, len(lengths)))
    assert_equal("ranges", starts, lengths - 1)
    assert_equal("ranges", starts, lengths, strides)
    assert_equal("ranges", starts, lengths, 7)


@given(LENGTHS, SEEDS)
def test_chunk_chains(lengths: npt.NDArray[np.int64], seed: int) -> None:
    """Chains may lie anywhere, and have words in common."""
    lengths = lengths - 1
    words = words_of(seed, 12)
    ends = np.random.default_rng(seed).integers(lengths, 13)
    assert_equal("chunk_chains", words, ends, lengths)


@given(st.integers(0, 30), SEEDS)
def test_keys_of_chunks_and_groups(count: int, seed: int) -> None:
    frames, groups = (
        words_of(seed, CHUNK_WIDTH * count).reshape(CHUNK_WIDTH, count),
        words_of(1, count),
    )
    assert_equal("chunk_keys", frames, groups.view(np.int64))
    assert_equal("group_keys", words_of(seed, count), groups.view(np.int64))
    symbols = words_of(seed, 2 * count).view(np.int32).reshape(count, CHUNK_WIDTH)
    assert_equal("chunk_terms", symbols)


@pytest.mark.parametrize("value", [np.int32, np.int64, np.uint32, np.bool_])
@given(st.integers(1, 5), st.integers(0, 60), SEEDS)
def test_tables(value: type[np.generic], log2_slots: int, count: int, seed: int) -> None:
    tables = [
        (np.zeros(1 << log2_slots, np.uint64), np.zeros(1 << log2_slots, value)) for _ in "ab"
    ]
    hashes = words_of(seed, count)
    fresh = (hashes >> np.uint64(33)).astype(value)
    for kernels, table in zip(IMPLEMENTATIONS.values(), tables, strict=True):
        kernels.put(*table, hashes, fresh)
    for one, other in zip(*tables, strict=True):
        assert one.tobytes() == other.tobytes()
    assert_equal("probe", *tables[0], words_of(seed + 1, count))
    assert_equal("probe", *tables[0], hashes)


@given(st.lists(st.one_of(WORDS, st.integers(0, 3)), max_size=80))
def test_distinct(hashes: list[int]) -> None:
    assert_equal("distinct", np.array(hashes, np.uint64))


def test_columns_with_gaps_are_read_as_any() -> None:
    words, lengths = words_of(1, 60), np.array([2, 9, 3, 9, 5], np.int64)[::2]
    assert_equal("distinct", words[::3])
    assert_equal("group_keys", words[::2], words[1::2].view(np.int64))
    assert_equal("chain_keys", words[:20:2], np.array([0, 2, 5]), lengths)
    shifted = np.frombuffer(b"1" + words.tobytes(), np.uint8)[1:].view(np.uint64)
    assert_equal("distinct", shifted)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("chain_keys", (words_of(1, 3), np.array([2]), np.array([2]))),
        ("stack_ids", (words_of(1, 3).view(np.int64), np.array([4]))),
        ("chunk_chains", (words_of(1, 3), np.array([4]), np.array([1]))),
        ("chunk_chains", (words_of(1, 3), np.array([1]), np.array([2]))),
        ("chunk_keys", (words_of(1, 3), np.array([4]))),
        ("probe", (words_of(1, 3), words_of(1, 3), words_of(1, 1))),
    ],
)
def test_columns_that_do_not_fit_are_an_error(function: str, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(RuntimeError, match="panicked"):
        getattr(IMPLEMENTATIONS["native"], function)(*arguments)

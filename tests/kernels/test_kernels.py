"""Every implementation of the hot loops against plain Python: dictionaries and loops."""

import struct
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from implementations import each_implementation

from perfduck_kernels import Kernels
from perfduck_kernels.constants import CHUNK_WIDTH, LINE_BLOCK_BYTES, MIX, NO_FRAME
from perfduck_kernels.lines import TextLines
from perfduck_model.arrays import Int64
from perfduck_model.identity import stack_id

WORDS = st.integers(0, (1 << 64) - 1)
# Few distinct lines, so that many are equal; with line ends of either kind and no UTF-8.
LINES = st.lists(st.sampled_from([b"", b"a", b"a ", b"ab", b"\tffff f+0x1 (x)", b"\xff\r"]))
# Symbols and lengths are few, so that chains differ by their order or their length only.
CHAINS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12), min_size=1, max_size=12)


def laid_out(chains: list[list[int]]) -> tuple[list[int], Int64, Int64]:
    """The elements of all chains; where each chain begins, and its length."""
    lengths = np.array([len(chain) for chain in chains], np.int64)
    return [one for chain in chains for one in chain], np.cumsum(lengths) - lengths, lengths


def laid_out_lines(lines: list[bytes]) -> TextLines:
    starts = np.cumsum([0, *map(len, lines)], dtype=np.int32)
    return TextLines(np.frombuffer(b"".join(lines), np.uint8), starts)


@each_implementation
@given(LINES.filter(len))
def test_lines_start_behind_line_ends(kernels: Kernels, lines: list[bytes]) -> None:
    content = b"".join(line + b"\n" for line in lines)
    starts = kernels.line_starts(np.frombuffer(content, np.uint8), len(lines))
    assert [content[a:b] for a, b in pairwise(starts.tolist())] == [one + b"\n" for one in lines]


@each_implementation
@pytest.mark.parametrize(("most", "blocks"), [(1, 1), (LINE_BLOCK_BYTES // 2, 1), (10**9, 3)])
def test_no_more_blocks_are_read_than_needed(kernels: Kernels, most: int, blocks: int) -> None:
    content = np.frombuffer(b"a\n" * (3 * LINE_BLOCK_BYTES // 2), np.uint8)
    starts = kernels.line_starts(content, most)
    assert starts.tolist() == list(range(0, blocks * LINE_BLOCK_BYTES + 1, 2))


@each_implementation
@given(LINES.filter(len))
def test_equal_lines_have_equal_hashes_and_others_others(
    kernels: Kernels, lines: list[bytes]
) -> None:
    hashes = kernels.line_hashes(laid_out_lines(lines)).tolist()
    assert len(set(hashes)) == len(set(lines)) == len(set(zip(lines, hashes, strict=True)))


@each_implementation
@given(LINES, st.data())
def test_some_lines_are_gathered(kernels: Kernels, lines: list[bytes], data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.sampled_from(range(len(lines))))) if lines else []
    column = kernels.gather_lines(laid_out_lines(lines), np.array(chosen, np.int64))
    assert column.dtype == pl.Binary
    assert column.to_list() == [lines[one] for one in chosen]


@each_implementation
@pytest.mark.parametrize("is_big", [False, True])
@given(st.lists(st.integers(1, 9), max_size=20), st.integers(0, 7), st.booleans())
def test_records_are_walked_to_the_last_whole_one(
    kernels: Kernels, is_big: bool, lengths: list[int], cut: int, has_zero: bool
) -> None:
    """A record has 1 word or more; behind them one that is cut off, or a size of zero."""
    order = ">" if is_big else "<"
    records = [struct.pack(f"{order}IHH", 9, 2, 8 * n) + b"\xee" * 8 * (n - 1) for n in lengths]
    tail = struct.pack(f"{order}IHH", 9, 2, 0 if has_zero else 8 * (cut + 1)) + b"\xee" * 8 * cut
    raw = b"".join(records) + (tail if has_zero or not cut else tail[:-8])
    words = np.frombuffer(raw, f"{order}u8").astype(np.uint64)
    starts, end = kernels.walk_records(words, 0 if is_big else 48)
    whole = [*lengths, cut + 1] if not has_zero and not cut else lengths
    assert starts.tolist() == [sum(whole[:n]) for n in range(len(whole))]
    assert end == sum(whole)


@each_implementation
@given(CHAINS)
def test_equal_chains_have_equal_keys_and_others_others(
    kernels: Kernels, chains: list[list[int]]
) -> None:
    terms, starts, lengths = laid_out(chains)
    keys = kernels.chain_keys(np.array(terms, np.uint64), starts, lengths).tolist()
    distinct = set(map(tuple, chains))
    assert len(set(keys)) == len(distinct)
    assert len(set(zip(map(tuple, chains), keys, strict=True))) == len(distinct)


@pytest.mark.slow
@each_implementation
@given(CHAINS)
def test_chunks_of_equal_chains_have_equal_keys_and_others_others(
    kernels: Kernels, chains: list[list[int]]
) -> None:
    """-1 fills the first chunk of a chain, as in a table of symbols."""
    counts = np.array([-(-len(chain) // CHUNK_WIDTH) for chain in chains])
    flat = [one for chain in chains for one in [-1] * (-len(chain) % CHUNK_WIDTH) + chain]
    terms = kernels.chunk_terms(np.array(flat, np.int32).reshape(-1, CHUNK_WIDTH))
    keys = kernels.chain_keys(terms, np.cumsum(counts) - counts, counts).tolist()
    distinct = set(map(tuple, chains))
    assert len(set(keys)) == len(distinct)
    assert len(set(zip(map(tuple, chains), keys, strict=True))) == len(distinct)


@each_implementation
@given(st.lists(st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=40), max_size=8))
def test_stack_ids(kernels: Kernels, chains: list[list[int]]) -> None:
    symbol_ids, _, lengths = laid_out(chains)
    ids = kernels.stack_ids(np.array(symbol_ids, np.int64), lengths)
    assert ids.tolist() == [stack_id(np.array(one, np.int64)) for one in chains]


@each_implementation
@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 5), st.integers(1, 4))))
def test_ranges(kernels: Kernels, rows: list[tuple[int, int, int]]) -> None:
    starts, lengths, strides = np.array(rows, np.int64).reshape(-1, 3).T
    plain = [start + n for start, length, _ in rows for n in range(length)]
    assert kernels.ranges(starts, lengths).tolist() == plain
    strided = [start + n * stride for start, length, stride in rows for n in range(length)]
    assert kernels.ranges(starts, lengths, strides).tolist() == strided


@each_implementation
@given(st.lists(st.lists(st.integers(0, 9), max_size=14), max_size=8))
def test_chunks_hold_the_frames_of_chains(kernels: Kernels, chains: list[list[int]]) -> None:
    words, starts, lengths = laid_out(chains)
    frames, counts = kernels.chunk_chains(np.array(words, np.uint64), starts + lengths, lengths)
    assert counts.tolist() == [-(-len(chain) // CHUNK_WIDTH) for chain in chains]
    filled = [[int(NO_FRAME)] * (-len(chain) % CHUNK_WIDTH) + chain for chain in chains]
    assert frames.T.ravel().tolist() == [one for chain in filled for one in chain]


@each_implementation
@given(st.lists(st.tuples(*[st.integers(0, 2)] * (CHUNK_WIDTH + 1)), min_size=1))
def test_equal_chunks_have_equal_keys_and_others_others(
    kernels: Kernels, chunks: list[tuple[int, ...]]
) -> None:
    rows = np.array(chunks, np.int64)
    frames = np.ascontiguousarray(rows[:, :CHUNK_WIDTH].T).view(np.uint64)
    keys = kernels.chunk_keys(frames, rows[:, CHUNK_WIDTH].copy()).tolist()
    assert len(set(keys)) == len(set(chunks)) == len(set(zip(chunks, keys, strict=True)))


@pytest.mark.slow
@each_implementation
@given(st.lists(st.tuples(st.integers(0, 1 << 47), st.integers(-9, 1 << 20)), min_size=1))
def test_equal_values_of_a_group_have_equal_keys_and_others_others(
    kernels: Kernels, rows: list[tuple[int, int]]
) -> None:
    values, groups = (list(column) for column in zip(*rows, strict=True))
    keys = kernels.group_keys(np.array(values, np.uint64), np.array(groups, np.int64)).tolist()
    assert len(set(keys)) == len(set(rows)) == len(set(zip(rows, keys, strict=True)))


@each_implementation
@given(st.lists(st.one_of(WORDS, st.integers(0, 5)), max_size=80))
def test_distinct(kernels: Kernels, hashes: list[int]) -> None:
    first, which = kernels.distinct(np.array(hashes, np.uint64))
    rank = {one: n for n, one in enumerate(dict.fromkeys(hashes))}
    assert [hashes[n] for n in first.tolist()] == list(rank)
    assert first.tolist() == [hashes.index(one) for one in rank]
    assert which.tolist() == [rank[one] for one in hashes]


@pytest.mark.slow
@each_implementation
@pytest.mark.parametrize("value", [np.int32, np.int64, np.uint32, np.bool_])
@given(st.lists(st.lists(WORDS, max_size=30), max_size=4), st.lists(WORDS, max_size=30))
def test_a_table_has_the_last_hash_of_each_slot(
    kernels: Kernels, value: type[np.generic], written: list[list[int]], asked: list[int]
) -> None:
    keys, values = np.zeros(8, np.uint64), np.zeros(8, value)
    keys[0] = 1
    slots: dict[int, tuple[int, int]] = {}
    for hashes in written:
        fresh = np.array([one % 101 for one in hashes]).astype(value)
        kernels.put(keys, values, np.array(hashes, np.uint64), fresh)
        slots |= {
            (one * int(MIX) % (1 << 64)) >> 61: (one, fresh[n].item())
            for n, one in enumerate(hashes)
        }
    asked += [one for hashes in written for one in hashes]
    got, missing = kernels.probe(keys, values, np.array(asked, np.uint64))
    known = {one: stored for one, stored in slots.values()}
    assert missing.tolist() == [n for n, one in enumerate(asked) if one not in known]
    assert all(got[n] == known[one] for n, one in enumerate(asked) if one in known)

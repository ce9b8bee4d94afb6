"""The hot loops in Rust (kernels/native/src/): what each returns is in interface.py.

They take flat columns, without gaps and aligned: others are copied first.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from perfduck_kernels.constants import CHUNK_WIDTH
from perfduck_kernels.lines import TextLines
from perfduck_model.arrays import Int32, Int64, UInt8, UInt64

if TYPE_CHECKING:  # see lines.py
    import polars as pl

_native: Any = import_module("perfduck_native")
T = TypeVar("T", bound=np.generic)


def _flat(column: npt.NDArray[T]) -> npt.NDArray[T]:
    return np.require(column, requirements=["C", "A"]).reshape(-1)


def line_starts(content: UInt8, most: int) -> Int32:
    """lines.rs: 32 bytes at a time."""
    return cast(Int32, _native.line_starts(_flat(content), most))


def line_hashes(lines: TextLines) -> UInt64:
    """lines.rs: foldhash, as polars has."""
    return cast(UInt64, _native.line_hashes(_flat(lines.content), _flat(lines.starts)))


def gather_lines(lines: TextLines, indices: Int64) -> "pl.Series":
    """lines.rs: the others get into no column."""
    content, starts = _flat(lines.content), _flat(lines.starts)
    return TextLines(*_native.gather_lines(content, starts, _flat(indices))).column


def walk_records(words: UInt64, size_shift: int) -> tuple[Int64, int]:
    """columns.rs: one by one."""
    return cast(tuple[Int64, int], _native.walk_records(_flat(words), size_shift))


def chain_keys(terms: UInt64, starts: Int64, lengths: Int64) -> UInt64:
    """columns.rs: one pass over the terms."""
    return cast(UInt64, _native.chain_keys(_flat(terms), _flat(starts), _flat(lengths)))


def stack_ids(symbol_ids: Int64, lengths: Int64) -> Int64:
    """identity.rs: blake2b without an object for each chain."""
    return cast(Int64, _native.stack_ids(_flat(symbol_ids), _flat(lengths)))


def ranges(starts: Int64, lengths: Int64, strides: Int64 | int = 1) -> Int64:
    """columns.rs: one range after the other."""
    each = _flat(np.asarray(strides, np.int64))
    return cast(Int64, _native.ranges(_flat(starts), _flat(lengths), each))


def chunk_chains(words: UInt64, ends: Int64, lengths: Int64) -> tuple[UInt64, Int64]:
    """columns.rs: chain by chain."""
    frames, counts = _native.chunk_chains(_flat(words), _flat(ends), _flat(lengths))
    return frames.reshape(CHUNK_WIDTH, -1), counts


def chunk_keys(frames: UInt64, groups: Int64) -> UInt64:
    """columns.rs: place by place."""
    return cast(UInt64, _native.chunk_keys(_flat(frames), _flat(groups)))


def chunk_terms(symbols: Int32) -> UInt64:
    """columns.rs: chunk by chunk."""
    return cast(UInt64, _native.chunk_terms(_flat(symbols)))


def group_keys(values: UInt64, groups: Int64) -> UInt64:
    """columns.rs: value by value."""
    return cast(UInt64, _native.group_keys(_flat(values), _flat(groups)))


def probe(keys: UInt64, values: npt.NDArray[Any], hashes: UInt64) -> tuple[npt.NDArray[Any], Int64]:
    """columns.rs: both columns of the table at once."""
    found, missing = _native.probe(keys, _words(values), _flat(hashes))
    return found.view(values.dtype), missing


def put(keys: UInt64, values: npt.NDArray[Any], hashes: UInt64, fresh: npt.NDArray[Any]) -> None:
    """columns.rs: hash by hash."""
    _native.put(keys, _words(values), _flat(hashes), _words(_flat(fresh)))


def _words(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Numbers without a sign, of as many bytes: what they mean is nothing to a table."""
    return values.view(f"u{values.itemsize}")


def distinct(hashes: UInt64) -> tuple[Int64, Int64]:
    """columns.rs: a table of those that have come up."""
    return cast(tuple[Int64, Int64], _native.distinct(_flat(hashes)))

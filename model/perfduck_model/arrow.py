"""Arrow arrays as columns of polars."""

import numpy as np
import polars as pl
import pyarrow as pa
from msgspec import Struct

from perfduck_model.arrays import Int32, Int64, UInt8


class _Exported(Struct, frozen=True):
    """An array by nothing but the Arrow C interface."""

    array: pa.Array

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        capsules: tuple[object, object] = self.array.__arrow_c_array__(requested_schema)
        return capsules


def series(array: pa.Array) -> pl.Series:
    """The array as a series. pl.Series(array) loads pyarrow.compute, for dictionaries alone: 0.06 s
    of the 0.7 s that a short recording takes."""
    return pl.Series(_Exported(array))


def binaries(content: UInt8, offsets: Int32 | Int64) -> pl.Series:
    """Value i is content[offsets[i] : offsets[i + 1]]."""
    kind = pa.binary() if offsets.dtype == np.int32 else pa.large_binary()
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(content)]
    return series(pa.Array.from_buffers(kind, len(offsets) - 1, buffers))


def lists(values: Int64, lengths: Int64) -> pl.Series:
    """The values as lists of these lengths. Out of buffers: pyarrow loads pandas, where that is
    installed, before it takes an array of numpy, and that takes longer than a small recording."""
    offsets = np.append(np.int64(0), np.cumsum(lengths))
    flat = pa.py_buffer(np.ascontiguousarray(values))
    children = [pa.Array.from_buffers(pa.int64(), len(values), [None, flat])]
    buffers = [None, pa.py_buffer(offsets)]
    kind = pa.large_list(pa.int64())
    return series(pa.Array.from_buffers(kind, len(lengths), buffers, children=children))

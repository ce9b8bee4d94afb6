"""Frames as Arrow IPC files, from another machine: how large one is unpacked is known before it is,
and pyarrow reads and checks it, as polars takes a file that is damaged for a bug of its own.

The footer of a file says where its batches are, and a batch where its buffers; a packed buffer
begins with its length unpacked, which is up to 255 times its own with LZ4. Columns may share a
buffer, so the lengths are added up. Footer and batches are flatbuffers:
https://arrow.apache.org/docs/format/Columnar.html#ipc-file-format
"""

import struct
from collections.abc import Iterator
from typing import cast

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.ipc

from perfduck_model.limits import limits

_TAIL = struct.Struct("<i6s")  # length of the footer, ARROW1
_CONTINUED = b"\xff\xff\xff\xff"  # before the length of a message, since format version 0.15
_MOST_DESCRIBED = 16 << 20  # bytes of a footer or of what describes a batch; 10,000 columns: 2 MB
_CELL_BYTES = 8  # at least, of what is allocated for a row of a column, packed or not

# Fields by their number in Schema.fbs, Message.fbs and File.fbs.
_DICTIONARIES, _BATCHES = 2, 3  # of a footer
_HEADER = 2  # of a message
_BATCH_OF_DICTIONARY = 1
_NODES, _BUFFERS, _COMPRESSION = 1, 2, 3  # of a batch
_BLOCK = np.dtype([("at", "<i8"), ("metadata", "<i4"), ("padding", "<i4"), ("body", "<i8")])
_NODE = np.dtype([("rows", "<i8"), ("nulls", "<i8")])
_BUFFER = np.dtype([("at", "<i8"), ("bytes", "<i8")])
_NO_FRAME = (struct.error, IndexError, OSError, pa.ArrowException, pl.exceptions.PolarsError)
_TYPES = (
    pa.types.is_primitive, pa.types.is_null, pa.types.is_decimal, pa.types.is_string_view,
    pa.types.is_large_string, pa.types.is_binary_view, pa.types.is_large_binary,
)  # fmt: skip


def read_frame(data: bytes) -> pl.DataFrame:
    """The frame. ValueError for what is none, and for one that is larger than
    `limits.most_frame_bytes`."""
    try:
        _check_size(data)
        table = pa.ipc.open_file(pa.py_buffer(data)).read_all()
        table.validate(full=True)
        plain = table.cast(pa.schema([_plain_field(field) for field in table.schema]))
        return cast(pl.DataFrame, pl.from_arrow(plain))
    except _NO_FRAME as error:
        message = "expected a frame as an Arrow IPC file"
        raise ValueError(message) from error


def _plain_field(field: pa.Field) -> pa.Field:
    """Without metadata, by which polars and pyarrow make other types of it."""
    return pa.field(field.name, _plain_type(field.type), field.nullable)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """ValueError for a type that polars does not write."""
    if pa.types.is_struct(kind):
        return pa.struct([_plain_field(field) for field in kind])
    if pa.types.is_map(kind):
        return pa.map_(_plain_field(kind.key_field), _plain_field(kind.item_field))
    if pa.types.is_large_list(kind):
        return pa.large_list(_plain_field(kind.value_field))
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(_plain_field(kind.value_field), kind.list_size)
    if pa.types.is_timestamp(kind):
        return pa.timestamp(kind.unit, kind.tz)  # which is read as UTF-8 here
    values = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not any(is_type(values) for is_type in _TYPES):
        message = f"expected a frame of polars, got a column of {kind}"
        raise ValueError(message)
    return kind


def _check_size(data: bytes) -> None:
    size = 0
    for batch in _sizes(data):
        size += batch
        if size > limits.most_frame_bytes:
            message = f"expected a frame of at most {limits.most_frame_bytes >> 20:,} MB, got more"
            raise ValueError(message)


class _Table:
    """A table of a flatbuffer."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at
        numbers = at - _int32(data, at)
        self._fields = np.frombuffer(data, "<u2", _uint16(data, numbers) // 2 - 2, numbers + 4)

    def has(self, field: int) -> bool:
        return field < len(self._fields) and self._fields[field] > 0

    def table(self, field: int) -> "_Table":
        return _Table(self._data, self._pointed(field))

    def rows(self, field: int, kind: np.dtype[np.void]) -> npt.NDArray[np.void]:
        """A vector of structs; none where the field is missing."""
        if not self.has(field):
            return np.empty(0, kind)
        at = self._pointed(field)
        return np.frombuffer(self._data, kind, _int32(self._data, at), at + 4)

    def _pointed(self, field: int) -> int:
        at = self._at + int(self._fields[field])
        return at + _int32(self._data, at)


def _sizes(data: bytes) -> Iterator[int]:
    """Bytes of each batch, unpacked."""
    end = len(data) - _TAIL.size
    length, _ = _TAIL.unpack_from(data, end)
    _check_described(length)
    footer = _root(data, end - length)
    for field in (_DICTIONARIES, _BATCHES):
        for block in footer.rows(field, _BLOCK):
            at = int(block["at"])
            is_continued = data[at : at + 4] == _CONTINUED
            batch = _root(data, at + (8 if is_continued else 4)).table(_HEADER)
            if field == _DICTIONARIES:
                batch = batch.table(_BATCH_OF_DICTIONARY)
            yield _size(data, batch, at + int(block["metadata"]))


def _size(data: bytes, batch: _Table, body: int) -> int:
    """With what describes it: a file may name a batch again and again."""
    nodes, buffers = batch.rows(_NODES, _NODE), batch.rows(_BUFFERS, _BUFFER)
    described = nodes.nbytes + buffers.nbytes
    _check_described(described)
    cells: int = sum(map(abs, nodes["rows"].tolist()))
    unpacked: int = sum(
        _unpacked_size(data, body + at, length) if batch.has(_COMPRESSION) else abs(length)
        for at, length in buffers.tolist()
    )
    return described + _BLOCK.itemsize + max(cells * _CELL_BYTES, unpacked)


def _check_described(size: int) -> None:
    """Each column is an object before its batches are read."""
    if size > _MOST_DESCRIBED:
        message = f"expected a frame that {_MOST_DESCRIBED >> 20} MB describe, got more"
        raise ValueError(message)


def _unpacked_size(data: bytes, at: int, length: int) -> int:
    """Of a packed buffer; -1 is one that is not packed after all."""
    said = struct.unpack_from("<q", data, at)[0] if length else 0
    return max(int(said), abs(length))


def _root(data: bytes, at: int) -> _Table:
    return _Table(data, at + _int32(data, at))


def _uint16(data: bytes, at: int) -> int:
    return int(struct.unpack_from("<H", data, at)[0])


def _int32(data: bytes, at: int) -> int:
    return int(struct.unpack_from("<i", data, at)[0])

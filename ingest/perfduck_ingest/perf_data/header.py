"""The head of perf.data, and where its parts lie.

    PERFILE2, size 104, attr size 144, attrs at 168, data at 424 (1445584 bytes), features 0x3ff..

A recording that went through a pipe has nothing of it but the magic and the size 16: attributes
and features come as records.
"""

import os
import struct
from typing import BinaryIO

from perfduck_ingest.perf_data.attributes import Attribute, attribute
from perfduck_ingest.perf_data.features import TRACING_DATA, PerfRecording, learn
from perfduck_ingest.perf_data.records import ByteOrder
from perfduck_model.limits import limits

# perf writes the number 0x32454c4946524550 in its own byte order.
_ORDERS = {b"PERFILE2": ByteOrder(big=False), b"2ELIFREP": ByteOrder(big=True)}
PIPE_HEADER_SIZE = 16
_FILE_HEADER_SIZE = 104
_FEATURE_BITS = 256


def byte_order(head: bytes) -> ByteOrder | None:
    """That of the recording machine; None where it is no perf.data."""
    return _ORDERS.get(head[:8])


def is_pipe(head: bytes, order: ByteOrder) -> bool:
    """Whether attributes and features come as records; raises struct.error if cut off."""
    return bool(order.unpack("Q", head, 8)[0] == PIPE_HEADER_SIZE)


def read_header(file: BinaryIO, order: ByteOrder) -> tuple[PerfRecording, int, int]:
    """What the header and the features say, and offset and size of the data (0: to the end);
    raises struct.error where something is cut off."""
    head = _pread(file, 0, _FILE_HEADER_SIZE)
    _, attribute_size, attributes_at, attributes_size, data_at, data_size = order.unpack(
        "QQQQQQ", head, 8
    )
    recording = PerfRecording(order)
    if attribute_size < 80:
        message = f"attributes of {attribute_size} bytes"
        raise struct.error(message)
    if attributes_size // attribute_size > limits.most_events:
        message = f"more than {limits.most_events:,} events"
        raise struct.error(message)
    raw = _pread(file, attributes_at, attributes_size)
    for offset in range(0, len(raw) - attribute_size + 1, attribute_size):
        entry = raw[offset : offset + attribute_size]
        recording.add_attribute(_attribute(file, entry, order))
    features = sum(word << (64 * n) for n, word in enumerate(order.unpack("4Q", head, 72)))
    recording.is_unfinished = not data_size
    if data_size:
        _read_features(file, recording, data_at + data_size, features)
    return recording, data_at, data_size


def _attribute(file: BinaryIO, entry: bytes, order: ByteOrder) -> Attribute:
    """An attribute, and where its ids lie."""
    ids_at, ids_size = order.unpack("QQ", entry, len(entry) - 16)
    raw = _pread(file, ids_at, ids_size, 8 * limits.most_event_ids)
    ids = order.unpack(f"{len(raw) // 8}Q", raw)
    return attribute(entry[:-16], order).with_ids(ids)


def _read_features(file: BinaryIO, recording: PerfRecording, table_at: int, features: int) -> None:
    present = [bit for bit in range(_FEATURE_BITS) if features >> bit & 1]
    table = _pread(file, table_at, 16 * len(present))
    tracing, file_end = b"", table_at + len(table)
    for place, feature in enumerate(present):
        offset, size = recording.order.unpack("QQ", table, 16 * place)
        file_end = max(file_end, offset + size)
        if feature == TRACING_DATA:
            tracing = _pread(file, offset, min(size, limits.most_tracing_bytes))
        else:
            learn(recording, feature, _pread(file, offset, size))
    recording.name_attributes()
    recording.name_tracepoints(tracing)
    _check_is_last(file, file_end)


def _check_is_last(file: BinaryIO, end: int) -> None:
    """Raises struct.error where another recording begins at the end of this one."""
    file.seek(end)
    if byte_order(file.read(8)) is not None:
        message = f"another perf.data begins at byte {end:,}: ingest each of them"
        raise struct.error(message)


def _pread(file: BinaryIO, offset: int, size: int, most: int = limits.most_feature_bytes) -> bytes:
    """A section; raises struct.error where the file ends before it does, or it is too large."""
    if size > most:
        message = f"section of {size:,} bytes at {offset}, more than {most:,}"
        raise struct.error(message)
    end = file.seek(0, os.SEEK_END)
    if offset + size > end:
        message = (
            f"it ends at byte {end:,}, before a section at {offset:,}: was the copy cut short?"
        )
        raise struct.error(message)
    file.seek(offset)
    return file.read(size)

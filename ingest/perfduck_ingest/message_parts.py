"""A protobuf message that is larger than memory should hold: cut between its fields into parts,
each of which is a message with some of the fields, as parts in a row are one message.

Nothing is allocated for a length that the file only claims.
"""

from collections.abc import Iterable, Iterator

from perfduck_model.limits import limits

_FIELDS_AT_ONCE = 50_000  # of a few bytes each; a parsed one takes some hundred
_BYTES_AT_ONCE = 4 << 20
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED = {_FIXED64: 8, _FIXED32: 4}


class MessageError(ValueError):
    """Bytes that are no protobuf message, or one beyond a bound."""


def check_number(number: int, what: str, most: int) -> None:
    """Raise MessageError for more than that."""
    if number > most:
        message = f"more than {most:,} {what}"
        raise MessageError(message)


def message_parts(chunks: Iterable[bytes], most: int | None = None) -> Iterator[bytes]:
    """Whole fields of the message that the chunks are together. MessageError for what is none, and
    for a field of more than `most` bytes, `limits.most_message_bytes` unless said."""
    most = most or limits.most_message_bytes
    buffer = b""
    for chunk in chunks:
        buffer += chunk
        start = 0
        while end := _end(buffer, start, most):
            yield buffer[start:end]
            start = end
        buffer = buffer[start:]
    start = 0
    while end := _end(buffer, start, most, is_last=True):
        yield buffer[start:end]
        start = end
    if start < len(buffer):
        message = "a part of a protobuf message"
        raise MessageError(message)


def _end(buffer: bytes, start: int, most: int, *, is_last: bool = False) -> int:
    """Where the fields end that are whole, from `start` on: some megabytes of them; 0 for less."""
    place = start
    for _ in range(_FIELDS_AT_ONCE):
        after = _field_end(buffer, place, most)
        if after is None:
            return place if is_last and place > start else 0
        place = after
        if place - start >= _BYTES_AT_ONCE:
            break
    return place


def _field_end(buffer: bytes, place: int, most: int) -> int | None:
    """Where the field ends that begins here; None where the buffer ends before."""
    tag, place = _varint(buffer, place)
    if place == 0:
        return None
    if not tag >> 3:
        message = "what is no protobuf message: a field without a number"
        raise MessageError(message)
    kind = tag & 7
    if kind == _VARINT:
        _, end = _varint(buffer, place)
        return end or None
    if kind == _BYTES:
        length, place = _varint(buffer, place)
        if length > most:
            message = f"a field of {length:,} bytes, and at most {most >> 20} MB are read"
            raise MessageError(message)
        end = place + length
    elif kind in _FIXED:
        end = place + _FIXED[kind]
    else:
        message = f"what is no protobuf message: a field of type {kind}"
        raise MessageError(message)
    return end if place and end <= len(buffer) else None


def _varint(buffer: bytes, place: int) -> tuple[int, int]:
    """A number and where it ends; 0 where the buffer ends before."""
    value = shift = 0
    for end in range(place, min(place + 10, len(buffer))):
        byte = buffer[end]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, end + 1
        shift += 7
    if place + 10 <= len(buffer):
        message = "what is no protobuf message: a number of more than 10 bytes"
        raise MessageError(message)
    return 0, 0

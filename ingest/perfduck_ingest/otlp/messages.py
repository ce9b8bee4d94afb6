"""A file of OpenTelemetry's profiles: messages, each with a dictionary of its own.

protobuf     ProfilesData or ExportProfilesServiceRequest, which are the same on the wire
JSON         one message, or one a line, as the Collector's file exporter writes them
lengths      messages of either, packed with zstd or not, each behind its length in 4 bytes: what
             that exporter writes with `format: proto` or `compression: zstd`
"""

import re
from collections.abc import Iterable, Iterator

from perfduck_ingest.message_parts import MessageError, message_parts
from perfduck_ingest.otlp.columns import DamagedProfiles, DictionaryColumns, ProfileColumns
from perfduck_ingest.source import Source
from perfduck_model.limits import limits
from perfduck_model.otlp_schema import (
    OneProfile,
    ProfilesData,
    ProfilesDictionary,
    Resource,
    ResourceProfiles,
    ScopeProfiles,
    decoded,
)
from perfduck_model.zstandard import zstd

Message = tuple[ProfileColumns, DictionaryColumns]

_CHUNK = 1 << 20
_LENGTH = 4  # bytes, the highest first
_ZSTD = b"\x28\xb5\x2f\xfd"
_JSON = re.compile(rb'\s*\{\s*"(?:resourceProfiles|dictionary)"\s*:')
# The fields that lead to the first profile, and how it begins: its type, or without one samples or
# a time. Spans, logs and metrics have the same resources and scopes, and begin otherwise.
_VARINT = rb"[\x80-\xff]{0,9}[\x00-\x7f]"
_PROFILE = re.compile(rb"\x0a[\x00-\x0c](?:[\x08\x10\x12\x19\x20]|$)|[\x12\x19]", re.DOTALL)
_DICTIONARY = re.compile(rb"\x12" + _VARINT + rb"\x0a\x00[\x0a\x12]")
_FIELD = re.compile(rb"([\x0a\x12\x1a])(" + _VARINT + rb")", re.DOTALL)


def is_json(head: bytes) -> bool:
    """Whether a file begins as OTLP's JSON of profiles."""
    return _JSON.match(head) is not None


def is_protobuf(head: bytes) -> bool:
    """Whether a file begins as a message with profiles: a resource with one, or the dictionary."""
    if _DICTIONARY.match(head):
        return True
    place = 0
    for wanted in (b"\x0a", b"\x12", b"\x12"):  # resource_profiles, scope_profiles, profiles
        while (field := _FIELD.match(head, place)) and field[1] != wanted:
            place = field.end() + _number(field[2])
        if not field:
            return False
        place = field.end()
    return _PROFILE.match(head, place) is not None


def has_lengths(head: bytes) -> bool:
    """Whether a file begins as a message behind its length; those have less than 16 MB, so that no
    message of protobuf begins so."""
    begins = head.startswith(b"\0") and int.from_bytes(head[:_LENGTH]) > 0
    inner = head[_LENGTH:]
    return begins and (inner.startswith(_ZSTD) or is_json(inner) or is_protobuf(inner))


def messages(source: Source) -> Iterator[Message]:
    """The messages, one after the other. DamagedProfiles, MessageError, msgspec.DecodeError, and
    DecodeError of protobuf."""
    if has_lengths(source.head):
        for content in _behind_lengths(source.chunks(_CHUNK)):
            yield _of_json(content) if is_json(content) else _of_protobuf([content])
    elif is_json(source.head):
        for text in _texts(source):
            yield _of_json(text)
    else:
        yield _of_protobuf(source.chunks(_CHUNK))


def _behind_lengths(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The messages of a file that says how long each is."""
    buffer = b""
    for chunk in chunks:
        buffer, place = buffer + chunk, 0
        while (start := place + _LENGTH) <= len(buffer):
            end = start + int.from_bytes(buffer[place:start])
            _check(buffer[start:end])
            if end > len(buffer):
                break
            yield _unpacked(buffer[start:end])
            place = end
        buffer = buffer[place:]
    if buffer:
        message = f"a part of a message: {len(buffer):,} bytes"
        raise MessageError(message)


def _unpacked(content: bytes) -> bytes:
    if not content.startswith(_ZSTD):
        return content
    unpacker = zstd.ZstdDecompressor()
    try:
        unpacked = unpacker.decompress(content, limits.most_json_bytes + 1)
    except zstd.ZstdError as error:
        message = f"a message that is not packed with zstd ({error})"
        raise MessageError(message) from error
    _check(unpacked)
    if not unpacker.eof or unpacker.unused_data:
        message = "a message whose zstd frame has another length"
        raise MessageError(message)
    return unpacked


def _number(varint: bytes) -> int:
    return sum((byte & 0x7F) << 7 * place for place, byte in enumerate(varint))


def _of_protobuf(chunks: Iterable[bytes]) -> Message:
    profiles, dictionary = ProfileColumns(), DictionaryColumns()
    dictionaries = 0
    for part in message_parts(chunks):
        message = ProfilesData.FromString(part)
        for resource in message.resource_profiles:
            _add_resource(profiles, resource)
        for content in message.dictionary:
            dictionaries += 1
            if dictionaries == 1:
                for tables in message_parts([content], limits.most_field_bytes):
                    dictionary.add(ProfilesDictionary.FromString(tables))
    if dictionaries > 1:
        # protobuf adds their tables up, so that the places of the second one lead astray.
        text = f"{dictionaries} messages in a row: ingest them one by one"
        raise DamagedProfiles(text)
    return profiles, dictionary


def _add_resource(profiles: ProfileColumns, content: bytes) -> None:
    resource = ResourceProfiles()
    for part in message_parts([content]):
        resource.MergeFrom(ResourceProfiles.FromString(part))
    profiles.note_resource(sum(map(len, resource.resource)))
    said = Resource.FromString(b"".join(resource.resource))
    for scope in resource.scope_profiles:
        for part in message_parts([scope]):
            for profile in ScopeProfiles.FromString(part).profiles:
                profiles.begin(said)
                for fields in message_parts([profile]):
                    profiles.add(OneProfile.FromString(fields))


def _texts(source: Source) -> Iterator[bytes]:
    """A text for each message: lines, where the first of them is one."""
    buffer = b""
    for chunk in source.chunks(_CHUNK):
        buffer += chunk
        *lines, buffer = buffer.split(b"\n")
        for number, line in enumerate(lines):
            if not line.strip():
                continue
            if not line.rstrip().endswith(b"}"):  # JSON over several lines
                buffer = b"\n".join((*lines[number:], buffer))
                break
            yield line
        _check(buffer)
    if buffer.strip():
        yield buffer


def _check(buffer: bytes) -> None:
    if len(buffer) > limits.most_json_bytes:
        message = f"expected at most {limits.most_json_bytes >> 20} MB a message, got more"
        raise MessageError(message)


def _of_json(text: bytes) -> Message:
    message = decoded(text)
    profiles, dictionary = ProfileColumns(), DictionaryColumns()
    for resource in message.resource_profiles:
        for scope in resource.scope_profiles:
            for profile in scope.profiles:
                profiles.begin(resource.resource)
                profiles.add(profile)
    dictionary.add(message.dictionary)
    return profiles, dictionary

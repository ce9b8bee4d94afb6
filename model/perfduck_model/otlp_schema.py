"""The messages of OpenTelemetry's profiles, as protobuf and as JSON: what the importer reads.

https://github.com/open-telemetry/opentelemetry-proto, release 1.10, in development there:
opentelemetry/proto/profiles/v1development/profiles.proto, common/v1, resource/v1. A message and the
structure of its JSON have the same attributes, so that one function reads both. Fields that are not
read are not described; messages whose parts are read one by one are `bytes`.

In JSON names are in lowerCamelCase and numbers may be texts:
https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding.
"""

from types import GenericAlias
from typing import Any

import msgspec

from perfduck_model.protobuf_schema import Messages, message_classes

_LEAVES: Messages = {
    "AnyValue": {
        "string_value": (1, "?string"),
        "int_value": (3, "?int64"),
        "string_value_strindex": (8, "?int32"),
    },
    "KeyValue": {"key": (1, "string"), "value": (2, "AnyValue"), "key_strindex": (3, "int32")},
    "Resource": {"attributes": (1, "*KeyValue")},
    "ValueType": {"type_strindex": (1, "int32"), "unit_strindex": (2, "int32")},
    "Sample": {
        "stack_index": (1, "int32"),
        "attribute_indices": (2, "*int32"),
        "link_index": (3, "int32"),
        "values": (4, "*int64"),
        "timestamps_unix_nano": (5, "*fixed64"),
    },
    "Profile": {
        "sample_type": (1, "ValueType"),
        "samples": (2, "*Sample"),
        "time_unix_nano": (3, "fixed64"),
        "duration_nano": (4, "uint64"),
        "period_type": (5, "ValueType"),
        "period": (6, "int64"),
    },
    "Mapping": {
        "memory_start": (1, "uint64"),
        "file_offset": (3, "uint64"),
        "filename_strindex": (4, "int32"),
    },
    "Line": {"function_index": (1, "int32")},
    "Location": {
        "mapping_index": (1, "int32"),
        "address": (2, "uint64"),
        "lines": (3, "*Line"),
        "attribute_indices": (4, "*int32"),
    },
    "Function": {"name_strindex": (1, "int32"), "system_name_strindex": (2, "int32")},
    "KeyValueAndUnit": {"key_strindex": (1, "int32"), "value": (2, "AnyValue")},
    "Stack": {"location_indices": (1, "*int32")},
    "ProfilesDictionary": {
        "mapping_table": (1, "*Mapping"),
        "location_table": (2, "*Location"),
        "function_table": (3, "*Function"),
        "string_table": (5, "*string"),
        "attribute_table": (6, "*KeyValueAndUnit"),
        "stack_table": (7, "*Stack"),
    },
}
_IN_PARTS: Messages = {
    **_LEAVES,
    "ScopeProfiles": {"profiles": (2, "*bytes")},
    "ResourceProfiles": {"resource": (1, "*bytes"), "scope_profiles": (2, "*bytes")},
    "ProfilesData": {"resource_profiles": (1, "*bytes"), "dictionary": (2, "*bytes")},
}
_WHOLE: Messages = {
    **_LEAVES,
    "ScopeProfiles": {"profiles": (2, "*Profile")},
    "ResourceProfiles": {"resource": (1, "Resource"), "scope_profiles": (2, "*ScopeProfiles")},
    "ProfilesData": {
        "resource_profiles": (1, "*ResourceProfiles"),
        "dictionary": (2, "ProfilesDictionary"),
    },
}


def _structures(messages: Messages) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, fields in messages.items():
        described = [(field, *_described(type_, made)) for field, (_, type_) in fields.items()]
        made[name] = msgspec.defstruct(name, described, rename="camel", frozen=True, gc=False)
    return made


def _described(type_: str, made: dict[str, Any]) -> tuple[Any, Any]:
    """The type of a field in JSON, and what it is without a value."""
    plain = type_.lstrip("*?")
    kind = made.get(plain) or (str if plain == "string" else int)
    if type_.startswith("*"):
        return GenericAlias(tuple, (kind, ...)), ()
    if type_.startswith("?"):
        return kind | None, None
    return kind, kind()


_classes = message_classes("perfduck.otlp", _IN_PARTS)
ProfilesData: Any = _classes["ProfilesData"]
Resource: Any = _classes["Resource"]
ResourceProfiles: Any = _classes["ResourceProfiles"]
ScopeProfiles: Any = _classes["ScopeProfiles"]
OneProfile: Any = _classes["Profile"]
ProfilesDictionary: Any = _classes["ProfilesDictionary"]
_decoder = msgspec.json.Decoder(_structures(_WHOLE)["ProfilesData"], strict=False)


def decoded(text: bytes) -> Any:
    """ProfilesData of JSON: as the messages, but whole. msgspec.DecodeError for what is none."""
    return _decoder.decode(text)


def value_of(value: Any, texts: list[str]) -> str | int | None:
    """What an AnyValue says, a text or a whole number; None for any other. IndexError."""
    if isinstance(value, msgspec.Struct):
        said = next((name for name in _VALUES if getattr(value, name) is not None), None)
    else:
        said = value.WhichOneof("value")
    if said is None:
        return None
    content: Any = getattr(value, said)
    return text_of(content, texts) if said == "string_value_strindex" else content


_VALUES = ("string_value", "int_value", "string_value_strindex")


def text_of(index: int, texts: list[str]) -> str:
    """A text of string_table. IndexError for a place that it does not have."""
    if index < 0:
        raise IndexError(index)
    return texts[index]

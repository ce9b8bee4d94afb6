"""Messages of protobuf, described by tables of their fields.

The fields are described and not generated: generated code is bound to versions of the protobuf
package.
"""

from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

# Message -> field -> its number and type. `*`: repeated; `?`: one of those of the message with this
# mark has a value; a capital: a message.
Messages = Mapping[str, Mapping[str, tuple[int, str]]]

_FIELD = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    "int32": _FIELD.TYPE_INT32,
    "int64": _FIELD.TYPE_INT64,
    "uint64": _FIELD.TYPE_UINT64,
    "fixed64": _FIELD.TYPE_FIXED64,
    "bool": _FIELD.TYPE_BOOL,
    "string": _FIELD.TYPE_STRING,
    "bytes": _FIELD.TYPE_BYTES,
}
_ONE_OF = "value"


def message_classes(package: str, messages: Messages) -> dict[str, Any]:
    """A class for each message, by its name; all `repeated` numbers are packed, as proto3 does."""
    file = descriptor_pb2.FileDescriptorProto(
        name=f"perfduck/{package}.proto", package=package, syntax="proto3"
    )
    for name, fields in messages.items():
        _describe(file.message_type.add(name=name), package, fields)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}"))
        for name in messages
    }


def _describe(message: Any, package: str, fields: Mapping[str, tuple[int, str]]) -> None:
    for name, (number, type_) in fields.items():
        plain = type_.lstrip("*?")
        label = _FIELD.LABEL_REPEATED if type_.startswith("*") else _FIELD.LABEL_OPTIONAL
        described = message.field.add(name=name, number=number, label=label)
        if type_.startswith("?"):
            described.oneof_index = 0
        if plain in _TYPES:
            described.type = _TYPES[plain]
        else:
            described.type = _FIELD.TYPE_MESSAGE
            described.type_name = f".{package}.{plain}"
    if any(type_.startswith("?") for _, type_ in fields.values()):
        message.oneof_decl.add(name=_ONE_OF)

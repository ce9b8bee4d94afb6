"""Parameters and answers of a store's methods as bytes: MessagePack, with the types that the
protocol's annotations say; frames within it are Arrow IPC files.

What comes is checked against the types: unknown or missing parameters, another type, a word that is
none of a Literal, a number that no column holds is a PerfduckError.
"""

import io
import operator
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from inspect import signature
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin, get_type_hints

import msgspec

from perfduck_model.errors import PerfduckError
from perfduck_store import parts
from perfduck_store.choice import Choice
from perfduck_store.records import ResultRows
from perfduck_store.remote.services import StoreMethod

if TYPE_CHECKING:
    import polars as pl

MOST_BYTES = 16 << 20  # of parameters: a choice of 100,000 profiles has 2 MB
MOST_BYTES_OF_CHANGES = 512 << 20  # tags of a million symbols have 100 MB
_INT64 = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
_COUNT = Annotated[int, msgspec.Meta(ge=0, le=1 << 60)]
_COUNTS = ("limit", "most")  # parameters
_DATETIME = 1  # code of an extension type: rows without types, whose texts are not taken for dates


def encoded_parameters(method: StoreMethod, arguments: tuple[Any, ...], named: Any) -> bytes:
    """What a caller gives the method, as a request has it. PerfduckError for text that is no
    Unicode."""
    return _packed(parameters_of(method, arguments, named))


def parameters_of(method: StoreMethod, arguments: tuple[Any, ...], named: Any) -> dict[str, Any]:
    """What a caller gives the method, by name."""
    bound = signature(method.function).bind(None, *arguments, **named).arguments
    return {name: _plain(method, name, value) for name, value in list(bound.items())[1:]}


def packed(parameters: dict[str, Any]) -> bytes:
    """Those of `parameters_of` as a request has them. PerfduckError for text that is no Unicode."""
    return _packed(parameters)


def with_choice(choice: Choice, parameters: bytes) -> bytes:
    """Parameters of a method of samples, with whose."""
    return _packed({"choice": choice, "parameters": msgspec.Raw(parameters)})


def without_choice(body: bytes) -> tuple[bytes, bytes]:
    """What `with_choice` has put together: the choice, still as bytes, and the parameters."""
    both = _unpacked(body, _OfChoice)
    return bytes(both.choice), bytes(both.parameters)


def decoded_choice(packed: bytes) -> Choice:
    """The choice of `without_choice`, checked."""
    choice: Choice = _unpacked(packed, Choice)
    return choice


def decoded_parameters(method: StoreMethod, body: bytes) -> dict[str, Any]:
    """Arguments of the method by name, checked."""
    values = _unpacked(body, _parameters_type(method))
    return {name: getattr(values, name) for name in values.__struct_fields__}


def encoded_answer(answer: Any) -> bytes:
    """What the method has answered."""
    if isinstance(answer, ResultRows):
        cells = [[_cell(cell) for cell in row] for row in answer.rows()]
        answer = {"columns": answer.columns, "values": cells}
    return _packed(answer)


def decoded_answer(method: StoreMethod, body: bytes) -> Any:
    """What a server has answered."""
    return _unpacked(body, _hints(method).get("return", type(None)))


class _OfChoice(msgspec.Struct, forbid_unknown_fields=True):
    choice: msgspec.Raw
    parameters: msgspec.Raw


def _packed(value: Any) -> bytes:
    try:
        return msgspec.msgpack.encode(value, enc_hook=_encoded)
    except UnicodeEncodeError as error:
        message = f"expected text in UTF-8, got {error.object!r}"
        raise PerfduckError(message) from error
    except OverflowError as error:
        message = "expected sums of at most 64 bits, got a larger one: ask a copy of the store"
        raise PerfduckError(message) from error


def _unpacked(body: bytes, type_: Any) -> Any:
    try:
        return msgspec.msgpack.decode(body, type=type_, dec_hook=_decoded, ext_hook=_extension)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:  # ValueError: of _extension
        text = str(error)
        message = f"store: {text[:1].lower()}{text[1:]}"
        raise PerfduckError(message) from error


def _plain(method: StoreMethod, name: str, value: Any) -> Any:
    """Ids may come as a dict, a generator or a polars column."""
    annotation = str(method.function.__annotations__[name])
    return list(value) if "Iterable[" in annotation and value is not None else value


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return msgspec.msgpack.Ext(_DATETIME, value.isoformat().encode())
    return value


def _extension(code: int, data: memoryview) -> Any:
    if code == _DATETIME:
        return _naive(datetime.fromisoformat(bytes(data).decode()))
    message = f"expected no extension type {code}"
    raise ValueError(message)


def _naive(time: datetime) -> datetime:
    if time.tzinfo is not None:
        message = "expected a time in UTC without a zone"
        raise ValueError(message)
    return time


def _encoded(value: Any) -> Any:
    """What MessagePack has no type for: frames, ranges, numbers of numpy."""
    if hasattr(value, "write_ipc"):
        file = io.BytesIO()
        value.write_ipc(file, compression="lz4")
        return file.getvalue()
    if isinstance(value, Iterable):
        return list(value)
    return operator.index(value)


def _decoded(type_: type, value: Any) -> "pl.DataFrame":
    if not isinstance(value, bytes):
        message = "expected a frame"
        raise ValueError(message)
    return parts.frames.read_frame(value)


@cache
def _parameters_type(method: StoreMethod) -> type[msgspec.Struct]:
    hints = _hints(method)
    fields: list[Any] = []
    for name, parameter in list(signature(method.function).parameters.items())[1:]:
        type_ = _COUNT if name in _COUNTS else _bounded(hints[name])
        has_default = parameter.default is not parameter.empty
        fields.append((name, type_, parameter.default) if has_default else (name, type_))
    name = f"{method.service}.{method.name}"
    return msgspec.defstruct(name, fields, forbid_unknown_fields=True, kw_only=True)


@cache
def _hints(method: StoreMethod) -> dict[str, Any]:
    """The annotations; polars is loaded for those methods alone whose frames it reads."""
    names: dict[str, Any] = {}
    if any("pl." in str(each) for each in method.function.__annotations__.values()):
        import polars

        names["pl"] = polars
    return get_type_hints(method.function, localns=names)


def _bounded(type_: Any) -> Any:
    """The type with whole numbers that a column holds, and lists for what is only gone through."""
    if type_ is int:
        return _INT64
    origin, arguments = get_origin(type_), get_args(type_)
    if origin is Iterable:
        return list[_bounded(arguments[0])]  # type: ignore[misc]  # a type that is made here
    if arguments and type(None) in arguments:
        [other] = [each for each in arguments if each is not type(None)]
        return _bounded(other) | None
    return type_

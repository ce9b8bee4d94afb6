"""What a request may ask for: options of the library as parameters of a URL.

    ProfileStore.top(selector, *, by="function", limit=30, **filters: Unpack[FilterOptions])

    /api/v1/top?selector=scenario=native&limit=5&comm=nginx&comm=wrk

The names, types, choices and defaults are those of the signature: nothing is listed here again.
"""

import inspect
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from fastapi import Request

from perfduck import PerfduckError
from perfduck.typed import did_you_mean, listed, number, whole_number

Kind = Literal["text", "whole", "number", "flag", "list", "file"]
_YES, _NO = ("true", "1"), ("false", "0")
_KINDS: dict[Any, Kind] = {str: "text", int: "whole", float: "number", bool: "flag"}
_MOST = 10**9  # rows; a store has fewer
_MOST_PID = 2**31 - 1


@dataclass(frozen=True, slots=True)
class QueryOption:
    """A parameter of a URL. `choices`: the values there are, where these are few; `several`: it
    may be repeated; kind `list`: several values in one, a,b,c; `file`: the text of a file."""

    name: str
    kind: Kind
    choices: tuple[str, ...] = ()
    several: bool = False
    default: Any = inspect.Parameter.empty
    most: int | None = None  # of a number

    @property
    def is_required(self) -> bool:
        """Whether there is no answer without it."""
        return self.default is inspect.Parameter.empty

    def value(self, texts: Sequence[str]) -> Any:
        """What was typed, as the library takes it. PerfduckError where it cannot be that."""
        if self.several:
            return [self._one(text) for text in texts]
        if len(texts) > 1:
            raise self._refusal(expected="it once", got=f"it {len(texts)} times")
        return self._one(texts[0])

    def _one(self, text: str) -> Any:
        match self.kind:
            case "whole" | "number":
                return self._number(text)
            case "flag":
                if text not in (*_YES, *_NO):
                    raise self._refusal(expected="true or false", got=text or "nothing")
                return text in _YES
            case "list":
                return text.split(",")
        if self.choices and text not in self.choices:
            hint = did_you_mean(text, self.choices).capitalize()
            got = f"{text or 'nothing'}. {hint}".rstrip(". ")
            raise self._refusal(expected=_either(self.choices), got=got)
        return text

    def _number(self, text: str) -> float:
        least, most = self._range()
        try:
            amount = whole_number(text) if self.kind == "whole" else number(text)
            if least <= amount <= most:
                return amount
        except ValueError:
            pass
        kind = "whole number" if self.kind == "whole" else "number"
        expected = f"a {kind} from {least:,} to {most:,}"
        raise self._refusal(expected=expected, got=text or "nothing")

    def _range(self) -> tuple[int, int]:
        """Of a number. Those that may be repeated are pids: perf prints -1 for none."""
        if self.several:
            return -1, _MOST_PID
        return (1 if self.kind == "whole" else 0), self.most or _MOST

    def _refusal(self, *, expected: str, got: str) -> PerfduckError:
        return PerfduckError.at(self.name, expected=expected, got=got)

    def schema(self) -> dict[str, Any]:
        """The parameter as OpenAPI describes it."""
        one: dict[str, Any] = {"type": _OPENAPI[self.kind]}
        if self.choices:
            one["enum"] = list(self.choices)
        if self.default not in (inspect.Parameter.empty, None, ()):
            one["default"] = self.default
        return {
            "name": self.name,
            "in": "query",
            "required": self.is_required,
            "schema": {"type": "array", "items": one} if self.several else one,
        }


_OPENAPI: Mapping[Kind, str] = {
    "text": "string", "whole": "integer", "number": "number", "flag": "boolean", "list": "string",
    "file": "string",
}  # fmt: skip


@cache
def options_of(*functions: Callable[..., Any]) -> Mapping[str, QueryOption]:
    """The parameters behind the first of each function, by name."""
    return {option.name: option for function in functions for option in _signature(function)}


def given(options: Mapping[str, QueryOption], typed: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The values of a request. PerfduckError for a parameter that is unknown, missing or wrong."""
    texts: dict[str, list[str]] = {}
    for name, text in typed:
        if name not in options:
            raise _unknown(name, options)
        texts.setdefault(name, []).append(text)
    for option in options.values():
        if option.is_required and option.name not in texts:
            raise PerfduckError.at(where=option.name, expected="a value", got="none")
    return {name: options[name].value(values) for name, values in texts.items()}


def only_declared(request: Request) -> None:
    """A dependency of routes whose parameters FastAPI reads: PerfduckError for one that the route
    does not have, or that comes twice, of which FastAPI takes the last."""
    declared = [field.alias for field in request.scope["route"].dependant.query_params]
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if name not in declared:
            raise _unknown(name, declared)
        if names.count(name) > 1:
            raise PerfduckError.at(name, expected="it once", got=f"it {names.count(name)} times")


def in_url(line: str, names: Iterable[str], gap: str = "_") -> str:
    """A line of the command line as one about a URL: options have the names of its parameters,
    with `gap` between the words of a name: forms have a space there."""
    known = set(names)

    def parameter(match: re.Match[str]) -> str:
        name = match["name"].replace("-", "_")
        return name.replace("_", gap) if name in known else match[0]

    return _OPTION.sub(parameter, line)


_OPTION = re.compile(r"(?<![\w-])--(?P<name>[a-z]+(?:-[a-z]+)*)\b")


def _unknown(name: str, known: Iterable[str]) -> PerfduckError:
    names = list(known)
    there_are = f"there are {listed(names, 99)}" if names else "there are none"
    return PerfduckError(f"unknown parameter {name}; {did_you_mean(name, names)}{there_are}")


def _either(choices: Sequence[str]) -> str:
    *others, last = choices
    return f"{', '.join(others)} or {last}" if others else last


def _signature(function: Callable[..., Any]) -> list[QueryOption]:
    options: list[QueryOption] = []
    for name, parameter in list(inspect.signature(function).parameters.items())[1:]:
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            [keywords] = get_args(parameter.annotation)  # Unpack[FilterOptions]
            fields = keywords.__annotations__.items()
            options += [_option(key, each, default=None) for key, each in fields]
        else:
            options.append(_option(name, parameter.annotation, parameter.default))
    return options


def _option(name: str, hint: Any, default: Any) -> QueryOption:
    union = get_origin(hint) in (Union, UnionType)
    types = [each for each in (get_args(hint) if union else (hint,)) if each is not NoneType]
    if any(get_origin(each) is os.PathLike for each in types):
        return QueryOption(name, "file", default=default)
    lists = [each for each in types if get_origin(each) is Sequence]
    plain = [each for each in types if each not in lists]
    choices = tuple(
        choice for each in plain if get_origin(each) is Literal for choice in get_args(each)
    )
    if choices:
        return QueryOption(name, "text", choices, default=default)
    if not plain:
        return QueryOption(name, "list", default=default)
    # `str | float`: a text that the library reads, 500ms.
    kind = "text" if str in plain else _KINDS[plain[0]]
    return QueryOption(name, kind, several=bool(lists), default=default)

"""Modules that are loaded when they are first used, where few commands need what they load.

__getattr__ = lazy_modules(__name__, {"writer": "perfduck_store.duckdb.writer"})
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType


def lazy_modules(name: str, places: Mapping[str, str]) -> Callable[[str], ModuleType]:
    """The __getattr__ of module `name` whose attributes are the modules at these `places`."""

    def attribute(wanted: str) -> ModuleType:
        if wanted not in places:
            message = f"module {name!r} has no attribute {wanted!r}"
            raise AttributeError(message)
        return import_module(places[wanted])

    return attribute

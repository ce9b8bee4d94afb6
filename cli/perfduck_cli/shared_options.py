"""Options that several commands take alike, declared once.

    @sharing("filters", _typed)
    def top(selector: Selector, filters: FilterOptions, ...) -> None:

gives `top` the parameters of `_typed` in place of its parameter `filters`, which gets what `_typed`
makes of them.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any


def sharing(
    name: str, typed: Callable[..., Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator of commands: the parameters of `typed` in place of parameter `name`."""
    options = inspect.signature(typed).parameters

    def with_options(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(**given: Any) -> None:
            chosen = {option: given.pop(option) for option in options}
            command(**{name: typed(**chosen)}, **given)

        parameters = [
            each.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for own, parameter in inspect.signature(command).parameters.items()
            for each in (options.values() if own == name else (parameter,))
        ]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return run

    return with_options

"""Where the keys of a TOML file are, which tomllib does not say.

[budget.path]             ("budget", "path")              line 1
"br_*" = "0 ns"           ("budget", "path", "br_*")      line 2
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

Keys = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Places:
    """The lines of the keys of the file `name`; none where only its content is known."""

    name: str
    lines: Mapping[Keys, int] = field(default_factory=dict)

    def of(self, *keys: str) -> str:
        """perfduck.toml:2, of the key or of the innermost table around it whose line is known."""
        for size in range(len(keys), 0, -1):
            if line := self.lines.get(keys[:size]):
                return f"{self.name}:{line}"
        return self.name


def places(name: str, text: str) -> Places:
    """The places of a file that is TOML, line by line: of a value of several lines the first."""
    lines: dict[Keys, int] = {}
    table: Keys = ()
    for number, line in enumerate(text.splitlines(), 1):
        try:
            paths = list(_paths(tomllib.loads(line)))
        except (ValueError, RecursionError):  # a part of such a value
            continue
        is_header = line.lstrip().startswith("[")
        table = () if is_header else table
        for path in paths:
            for size in range(1, len(path) + 1):
                lines.setdefault((*table, *path[:size]), number)
            table = path if is_header else table
    return Places(name, lines)


def _paths(table: Mapping[str, object]) -> Iterator[Keys]:
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield from ((key, *rest) for rest in _paths(value))
        else:
            yield (key,)

"""Where the binaries of a recording may lie. Knows no polars: the reading process has it."""

from dataclasses import dataclass
from pathlib import Path

from perfduck_symbols.files import HostFiles


@dataclass(frozen=True, slots=True)
class SymbolPlaces:
    """What the user allowed to be looked at."""

    directories: tuple[Path, ...] = ()
    host_files: HostFiles | None = None  # of this machine

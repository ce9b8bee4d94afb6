"""The recorded kernel's own files, as the user gives them: its kallsyms and its vmlinux.

Importers name addresses by them, and tags tell from them what a function belongs to. Each is read
and parsed once, for all recordings of a command.
"""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from perfduck_symbols import kallsyms
from perfduck_symbols.kallsyms import Kallsyms
from perfduck_symbols.kallsyms_symbols import KernelSymbols, symbols_of

if TYPE_CHECKING:  # an import of text reads no ELF file
    from perfduck_symbols.addresses import Svmas, SymbolTable
    from perfduck_symbols.elf import Elf


class KernelFiles:
    """Reads nothing before it is asked for; raises SymbolError for a file that is not what it
    should be."""

    def __init__(self, kallsyms: Path | None = None, vmlinux: Path | None = None) -> None:
        """The files, plain or compressed."""
        self.kallsyms = kallsyms
        self.vmlinux = vmlinux

    @cached_property
    def code(self) -> Kallsyms | None:
        """The functions that kallsyms lists: a line that is no symbol is an error."""
        if self.kallsyms is None:
            return None
        return kallsyms.checked(self.kallsyms, self._text, self._rows)

    @cached_property
    def symbols(self) -> KernelSymbols | None:
        """The symbols of kallsyms as perf makes them: lines that are no symbols are left out."""
        return symbols_of(self._rows) if self.kallsyms is not None else None

    @cached_property
    def elf(self) -> "Elf | None":
        """The vmlinux."""
        from perfduck_symbols.elf import open_elf

        return open_elf(self.vmlinux) if self.vmlinux is not None else None

    @cached_property
    def table(self) -> "SymbolTable[Svmas] | None":
        """The functions of vmlinux."""
        from perfduck_symbols.elf_symbols import kernel_table

        return kernel_table(self.elf) if self.elf is not None else None

    def check(self, functions: pl.Series) -> None:
        """Raise SymbolError where kallsyms does not list the functions of vmlinux that a recording
        names."""
        if self.kallsyms is not None:
            kallsyms.check(self.kallsyms, self._rows["name"], functions)

    @cached_property
    def _text(self) -> str:
        assert self.kallsyms is not None
        return kallsyms.raw(self.kallsyms).decode("utf-8", "backslashreplace")

    @cached_property
    def _rows(self) -> pl.DataFrame:
        return kallsyms.rows(self._text)

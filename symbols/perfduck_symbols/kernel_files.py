"""The recorded kernel's own files, as the user gives them: its kallsyms and its vmlinux.

Importers name addresses by them, and tags tell from them what a function belongs to. Each is read
and parsed once, for all recordings of a command.
"""

from functools import cached_property
from pathlib import Path

import polars as pl

from perfduck_model.small_file import UserFile
from perfduck_symbols import kallsyms
from perfduck_symbols.addresses import Svmas, SymbolTable
from perfduck_symbols.elf import Elf, open_elf
from perfduck_symbols.elf_symbols import kernel_table
from perfduck_symbols.kallsyms import Kallsyms


class KernelFiles:
    """Reads nothing before it is asked for; raises SymbolError for a file that is not what it
    should be."""

    def __init__(self, kallsyms: UserFile | None = None, vmlinux: Path | None = None) -> None:
        """The files, plain or compressed."""
        self.kallsyms = kallsyms
        self.vmlinux = vmlinux

    @cached_property
    def symbols(self) -> Kallsyms | None:
        """What kallsyms lists."""
        return kallsyms.read(self.kallsyms) if self.kallsyms is not None else None

    @cached_property
    def elf(self) -> Elf | None:
        """The vmlinux."""
        return open_elf(self.vmlinux) if self.vmlinux is not None else None

    @cached_property
    def table(self) -> SymbolTable[Svmas] | None:
        """The functions of vmlinux."""
        return kernel_table(self.elf) if self.elf is not None else None

    def check(self, functions: pl.Series) -> None:
        """Raise SymbolError where kallsyms does not list the functions of vmlinux that a recording
        names."""
        if self.kallsyms is not None and self.symbols is not None:
            kallsyms.check(self.kallsyms.path, self.symbols, functions)

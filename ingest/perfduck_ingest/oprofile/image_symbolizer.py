"""Which symbol table an image has: kallsyms, vmlinux, a module, a file, JIT code, or none.

    /proc/kallsyms             --kallsyms, or the copy in an oparchive
    vmlinux-6.1.0              --vmlinux, or the file below --symbols, else kallsyms
    no-vmlinux                 kallsyms: its keys are addresses
    nf_conntrack               nf_conntrack.ko below --symbols, else kallsyms
    /usr/lib/libc.so.6         DIR/usr/lib/libc.so.6 or DIR/libc.so.6, and its debug file
    anon of process 5321       5321.jo beside its sample files

Nothing is taken from the running machine unless it is named: its files may be of another build.
"""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

import polars as pl

from perfduck_ingest.importer import ImportOptions
from perfduck_ingest.oprofile import names, symbol_table
from perfduck_ingest.oprofile.sample_path import Image
from perfduck_ingest.oprofile.session import OprofileSession
from perfduck_ingest.oprofile.symbol_table import EMPTY, ElfFunctions, ImageSymbols
from perfduck_model.errors import PerfduckError, SymbolError
from perfduck_symbols import kallsyms
from perfduck_symbols.demangle import with_parameters
from perfduck_symbols.elf import mapped
from perfduck_symbols.file_finder import OPREPORT, FileFinder
from perfduck_symbols.files import is_regular
from perfduck_symbols.names import KERNEL

_X86_TEXT = 0xFFFFFFFF80000000  # arch/x86/include/asm/page_64_types.h: __START_KERNEL_map


@dataclass
class ImageSymbolizer:
    """Finds and keeps the tables of one session. `changed` names files that are not the ones that
    were recorded. `dynamic` takes names from .dynsym where there is no .symtab; opreport does not.
    """

    session: OprofileSession
    options: ImportOptions
    dynamic: bool = True
    changed: dict[str, str] = field(default_factory=dict)
    _tables: dict[tuple[Image, bool], ImageSymbols] = field(default_factory=dict)

    def table(
        self, image: Image, *, is_kernel: bool, mtime: int = 0, jit: str = ""
    ) -> ImageSymbols:
        """The functions of an image. `jit` is the path of the .jo file it would have."""
        key = (image, is_kernel)
        if key not in self._tables:
            if image.is_range:
                self._tables[key] = self._jit(jit, image.start) or EMPTY
            elif is_kernel:
                self._tables[key] = self._kernel(image.path) or EMPTY
            else:
                self._tables[key] = self._file(image.path, mtime) or EMPTY
        return self._tables[key]

    def _kernel(self, path: str) -> ImageSymbols | None:
        name = PurePosixPath(path).name
        if names.dso_of_kernel(path) != KERNEL:
            return self._module(name)
        if "no-" in name:
            return symbol_table.of_addresses(self._kallsyms) if self._kallsyms is not None else None
        if name == "kallsyms":
            return self._kallsyms_table("_stext", "_text")
        # Keys count from .text. On x86 _text begins it; on others .head.text lies between.
        return self._vmlinux(path) or self._kallsyms_table(*self._text_marks())

    def _text_marks(self) -> tuple[str, str]:
        text = kallsyms.address_of(self._kallsyms, "_text") if self._kallsyms is not None else None
        return (
            ("_text", "_stext") if text is not None and text >= _X86_TEXT else ("_stext", "_text")
        )

    def _kallsyms_table(self, mark: str, other: str) -> ImageSymbols | None:
        """The kernel's functions, with keys that count from the symbol `mark`."""
        symbols = self._kallsyms
        if symbols is None:
            return None
        base = kallsyms.address_of(symbols, mark)
        base = base if base is not None else kallsyms.address_of(symbols, other)
        if base is None:
            raise PerfduckError.at(self.options.kallsyms, expected=f"the symbol {mark}", got="none")
        return symbol_table.of_kernel(symbols, base, kallsyms.address_of(symbols, "_etext"))

    @cached_property
    def _kallsyms(self) -> pl.DataFrame | None:
        try:
            if (given := self.options.kernel_files.symbols) is not None:
                return given.symbols
            archived = self.session.archived("/proc/kallsyms")
            if archived is None:
                return None
            text = archived.decode("utf-8", "replace")
            return kallsyms.parse(Path("proc/kallsyms"), text).symbols
        except SymbolError as error:
            raise PerfduckError(str(error)) from error

    def _vmlinux(self, path: str) -> ImageSymbols | None:
        vmlinux = self.options.vmlinux
        elf = _read(vmlinux) if vmlinux is not None else self._elf(path)[0]
        text = symbol_table.text_section(elf) if elf is not None else None
        if elf is None or text is None:
            return None
        return symbol_table.of_functions(symbol_table.functions(elf), "address", text.address)

    def _module(self, name: str) -> ImageSymbols | None:
        """opreport adds the place of .text in the .ko to the key."""
        bare = names.dso_of_kernel(name).strip("[]")
        path = self._finder.kernel_file(bare)
        elf = _read(path) if path is not None else None
        text = symbol_table.text_section(elf) if elf is not None else None
        if elf is not None and text is not None:
            functions = symbol_table.functions(elf)
            return symbol_table.of_functions(functions, "file_offset", text.file_offset)
        return symbol_table.of_module(self._kallsyms, bare) if self._kallsyms is not None else None

    @cached_property
    def _finder(self) -> FileFinder:
        return FileFinder(self.options.symbol_dirs, OPREPORT)

    def _jit(self, path: str, start: int) -> ImageSymbols | None:
        """Code that a virtual machine made: opjitconv writes it as an ELF file at its addresses."""
        if not self.session.holds(path):
            return None
        elf = symbol_table.read_elf(self.session.read(path))
        if elf is None:
            return None
        return symbol_table.of_functions(_demangled(symbol_table.functions(elf)), "address", start)

    def _file(self, path: str, mtime: int) -> ImageSymbols | None:
        elf, place = self._elf(path)
        if elf is None:
            return None
        if place is not None and mtime and int(place.stat().st_mtime) != mtime:
            self.changed[path] = f"{place.name} has changed since: names may be wrong"
        debug = None if elf.has_debug else self._debug_file(elf, path)
        functions = symbol_table.functions(elf, debug, dynamic=self.dynamic)
        return symbol_table.of_functions(_demangled(functions), "file_offset", 0)

    def _elf(self, path: str) -> tuple[ElfFunctions | None, Path | None]:
        archived = self.session.archived(path)
        if archived is not None:
            return symbol_table.read_elf(archived), None
        for candidate in self._finder.binary(path.removesuffix(" (deleted)")):
            elf = _read(candidate)
            if elf is not None:
                return elf, candidate
        return None, None

    def _debug_file(self, elf: ElfFunctions, path: str) -> ElfFunctions | None:
        for place in self._finder.debug_of_recorded(path, elf.build_id, elf.debug_link):
            debug = _read(place)
            if debug is not None and debug.build_id == elf.build_id:
                return debug
        return None


def _demangled(functions: pl.DataFrame) -> pl.DataFrame:
    names_ = {name: with_parameters(name) for name in functions["name"].unique()}
    return functions.with_columns(pl.col("name").replace(names_))


def _read(path: Path) -> ElfFunctions | None:
    is_there = is_regular(path) and path.stat().st_size > 0
    return symbol_table.read_elf(mapped(path)) if is_there else None

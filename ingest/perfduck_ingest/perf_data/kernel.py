"""The recorded kernel: where it and its modules lay, and what its functions are called.

    MMAP  [kernel.kallsyms]_text  0xffffffff81000000 + 0x3f000000 @ 0xffffffff81000000
    MMAP  /lib/modules/6.1.0/kernel/net/netfilter/nf_conntrack.ko  0xffffffffc0a41000 + 0x2b000

Names come from kallsyms of the recorded boot; the kernel's own, unless kallsyms was given, from the
vmlinux that was given, and where there is no kallsyms from one below --symbols of its build id. If
the kernel was loaded at another address than these say, `_text` in both gives the offset; modules
were then at other addresses, too, which nothing records. A file of another kernel is refused: by
the build id of vmlinux, and by how far it is from `_text` to `_etext`, which perf record notes as
the size of the kernel's map. Where that proves nothing (an old perf maps the kernel up to where
modules begin, at a whole megabyte), modules that lie where kallsyms has them show that it is of the
same boot; else the answer says that nothing does.
"""

from functools import cached_property

import numpy as np

from perfduck_ingest.importer import ImportOptions
from perfduck_ingest.perf_data.dsos import Dso
from perfduck_ingest.perf_data.features import PerfRecording
from perfduck_ingest.perf_data.inlined import DebugInformation, Inlined, has_debug_information
from perfduck_ingest.perf_data.mappings import Mappings
from perfduck_ingest.perf_data.recorded_host import RecordedHost
from perfduck_ingest.perf_data.task_events import KernelSymbol, Mapping
from perfduck_model.errors import PerfduckError
from perfduck_symbols import kallsyms, names
from perfduck_symbols.addresses import EMPTY, Svmas, SymbolTable
from perfduck_symbols.elf import Elf, opened_or_none
from perfduck_symbols.elf_symbols import address_of, kernel_table
from perfduck_symbols.file_finder import PERF, FileFinder
from perfduck_symbols.kallsyms import Kallsyms
from perfduck_symbols.names import KERNEL

_ENDS = ("_edata", "_etext")  # as perf looks for them
_MEGABYTE = 1 << 20
_HIGH_HALF = (1 << 63, (1 << 64) - 1)


class RecordedKernel:
    """The kernel's maps, as records tell them, and its dsos."""

    def __init__(self, recording: PerfRecording, options: ImportOptions) -> None:
        """`recording` says which kernel it was."""
        self.recording = recording
        self._options = options
        self._maps = Mappings()
        self._names: list[str] = []
        self._tables: dict[int, SymbolTable[Svmas]] = {}
        self._recorded: tuple[str, int] | None = None  # a function and where it was
        self._recorded_size = 0  # from there to the end of the map
        self.missing: dict[str, str] = {}  # why dsos have no names
        self.changed = True
        self._is_checked = False
        self._is_asked = False  # whether an address of the kernel itself was looked up

    def add(self, task_event: Mapping | KernelSymbol) -> None:
        """The kernel or a module lies here; or code was made that is called so."""
        if isinstance(task_event, KernelSymbol):
            starts = np.array([task_event.start], np.uint64)
            ends = starts + np.uint64(task_event.size)
            table = SymbolTable(Svmas(starts), ends, lambda _: task_event.name)
            self._insert(
                task_event.start, task_event.start + task_event.size, task_event.name, table
            )
        elif task_event.dso.startswith((KERNEL, "[guest.kernel.kallsyms")):
            name, _, function = task_event.dso.partition("]")
            if offset := task_event.pgoff_bias + task_event.start:
                self._recorded = (function, offset)
                self._recorded_size = task_event.end - offset
                self._is_checked = False
            self._insert(task_event.start, task_event.end, f"{name}]")
        else:
            self._insert(task_event.start, task_event.end, _module_name(task_event.dso))

    def _insert(
        self, start: int, end: int, name: str, table: SymbolTable[Svmas] | None = None
    ) -> None:
        if start < end < 1 << 64:
            if table is not None:
                self._tables[len(self._names)] = table
            self._maps.insert(start, end, 0, len(self._names))
            self._names.append(name)
            self.changed = True

    def maps(self) -> Mappings:
        """Which dso (by its number) an address is in; later changes do not alter the answer."""
        if KERNEL not in self._names:
            self._insert(*_HIGH_HALF, KERNEL)
        if not self._is_checked:
            self._check()
        self._stretch()
        self.changed = False
        return self._maps.copy()

    def _check(self) -> None:
        """Raise PerfduckError where what was given is of another kernel."""
        self._is_checked = True
        elf, build_id = self._options.kernel_files.elf, self.recording.build_ids.get(KERNEL)
        if elf is not None and build_id and (got := elf.build_id) != build_id:
            path = self._options.vmlinux
            raise PerfduckError.at(
                path, expected=f"the recorded kernel (build id {build_id})", got=got
            )
        if self._options.kallsyms is not None and self._tells_its_size and (sizes := self._sizes()):
            if self._recorded_size in sizes:
                return
            raise PerfduckError.at(
                self._options.kallsyms,
                expected=(
                    f"kallsyms of the recorded kernel ({self._recorded_size:,} bytes from "
                    "_text to _etext)"
                ),
                got=f"those of another one ({sizes[-1]:,} bytes)",
            )

    @property
    def _tells_its_size(self) -> bool:
        """Whether the recording tells where the kernel ends. Of an old perf its map reaches to
        where modules begin, at a whole megabyte."""
        return self._recorded is not None and self._recorded_size % _MEGABYTE != 0

    def _sizes(self) -> list[int]:
        """The sizes of the kernel by kallsyms, from the recorded function to either of its ends."""
        base = self._recorded and self._kallsyms.address(self._recorded[0])
        ends = [self._kallsyms.address(name) for name in _ENDS]
        return [end - base for end in ends if base is not None and end is not None]

    @property
    def doubt(self) -> str | None:
        """In words, that nothing tells whether the kallsyms that was given is of this kernel."""
        is_proven = self._tells_its_size and bool(self._sizes())  # else _check() refuses it
        is_given = self._options.kallsyms is not None and self._is_asked
        if not is_given or is_proven or self._has_its_modules:
            return None
        if self._recorded is None:
            reason = "the recording has no map of the kernel"
        elif self._tells_its_size:
            reason = f"it lacks {self._recorded[0]} or {' and '.join(_ENDS)}"
        else:
            reason = f"the recorded map of {self._recorded_size >> 20:,} MB goes beyond the kernel"
        moved = f", which was {abs(self._moved()):,} bytes off" if self._moved() else ""
        return (
            f"kernel functions are named by the kallsyms that was given{moved}: that it is of the"
            f" recorded kernel could not be checked ({reason})"
        )

    @property
    def _has_its_modules(self) -> bool:
        """Whether there are modules, and all lie where kallsyms has them: it is of this boot."""
        modules = {name: number for number, name in enumerate(self._names) if _is_module(name)}
        listed = [name for name in modules if len(self._kallsyms.code(name))]
        return bool(listed) and all(self._is_in_place(name, modules[name]) for name in listed)

    def _stretch(self) -> None:
        """The kernel reaches from its first symbol to its last: the map that perf record writes
        ends before the code that runs at boot only, where every idle task's chain begins."""
        symbols = self._own
        if len(symbols.starts):
            moved = self._moved()
            maps = Mappings()
            start, end = int(symbols.starts[0]) - moved, int(symbols.ends[-1]) - moved
            start, end = max(start, 0), min(end, _HIGH_HALF[1])
            if start < end:
                maps.insert(start, end, 0, self._names.index(KERNEL))
            for one in self._maps.rows():
                maps.insert(*one)
            self._maps = maps

    def prepare(self) -> None:
        """Read the symbols before the first address is asked for."""
        _ = self._own

    @cached_property
    def _kallsyms(self) -> Kallsyms:
        symbols = self._options.kernel_files.symbols
        return kallsyms.of_running_kernel(self._text()) if symbols is None else symbols

    @cached_property
    def _vmlinux(self) -> Elf | None:
        """The vmlinux that was given, unless kallsyms says more; where there is no kallsyms, one
        below --symbols of the recorded build id."""
        if self._options.kallsyms is not None:
            return None
        elf = self._options.kernel_files.elf
        return elf or (None if len(self._kallsyms.rows) else self._recorded_vmlinux)

    @cached_property
    def _recorded_vmlinux(self) -> Elf | None:
        """One below --symbols of the recorded build id."""
        build_id = self.recording.build_ids.get(KERNEL)
        if build_id is None:
            return None
        opened = map(opened_or_none, self._finder.vmlinux(build_id))
        return next((elf for elf in opened if elf and elf.build_id == build_id), None)

    @cached_property
    def _debug(self) -> tuple[DebugInformation, Elf] | None:
        """The vmlinux with debug information, if that is wanted; names may be from another file."""
        if self._options.inline is False:
            return None
        elf = self._options.kernel_files.elf or self._recorded_vmlinux
        if elf is None or not has_debug_information(elf):
            return None
        return DebugInformation(elf), elf

    def _inlined(self) -> Inlined | None:
        """Functions inlined into those of the kernel itself."""
        if self._debug is None:
            return None
        information, vmlinux = self._debug
        function, recorded = self._recorded or ("", 0)
        linked = address_of(vmlinux, function) if function else None
        moved = np.uint64((0 if linked is None else linked - recorded) % (1 << 64))
        return Inlined(information, lambda addresses: addresses + moved)

    @property
    def has_given_files(self) -> bool:
        """Whether symbols of this kernel are below the places that the user gave."""
        return self._finder.has_recorded

    @cached_property
    def _own(self) -> SymbolTable[Svmas]:
        """The symbols of the kernel itself."""
        if self._vmlinux is None:
            return self._kallsyms.part("")
        return self._options.kernel_files.table or kernel_table(self._vmlinux)

    @cached_property
    def _finder(self) -> FileFinder:
        return FileFinder(self._options.symbol_dirs, PERF, self._options.host_files)

    def open(self, number: int) -> Dso[Svmas]:
        """A dso by its number."""
        name = self._names[number]
        if number in self._tables:
            return Dso(name, self._tables[number])
        if name == KERNEL:
            self._is_asked = True
            return Dso(name, self._own, self._moved(), self._inlined())
        return Dso(name, self._module(name, number), lacks_inlined=self._debug is not None)

    def _module(self, name: str, number: int) -> SymbolTable[Svmas]:
        """The symbols of a module, if they lie where it was recorded: they are of this boot."""
        if not self._is_in_place(name, number):
            self.missing[name] = "kallsyms is of another boot"
            return EMPTY
        return self._kallsyms.part(name)

    def _is_in_place(self, name: str, number: int) -> bool:
        places = [row[:2] for row in self._maps.rows() if row[3] == number]
        low, high = min(places)[0], max(places)[1]
        code = self._kallsyms.code(name)
        is_elsewhere = (
            self._moved() or code.min() < low or code.max() >= high if len(code) else False
        )
        return not is_elsewhere

    def _moved(self) -> int:
        """How far the kernel of the symbols is from the recorded one."""
        if self._recorded is None:
            return 0
        function, recorded = self._recorded
        if self._vmlinux is None:
            address = self._kallsyms.address(function)
        else:
            address = address_of(self._vmlinux, function)
        return 0 if address is None else address - recorded

    def _text(self) -> bytes:
        """The kallsyms of the recorded boot that is found, or nothing."""
        build_id, host = self.recording.build_ids.get(KERNEL), self._options.host_files
        for path in self._finder.kallsyms(KERNEL, build_id) if build_id else ():
            return kallsyms.raw(kallsyms.file_of(path))
        if host is None or not RecordedHost(host, self.recording).runs_the_kernel:
            return b""
        return host.kallsyms.read_bytes()


def _module_name(path: str) -> str:
    module = names.module_of_file(path)
    return f"[{module}]" if module else path


def _is_module(name: str) -> bool:
    return name.startswith("[") and not name.startswith((KERNEL, "[guest."))

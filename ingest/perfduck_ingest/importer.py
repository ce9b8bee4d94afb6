"""What an importer is: a module with NAME and open; what a user may say of a recording, and what
the periods of an event count.

To add an input format, write one file with these two names and put it into FORMATS
(formats.py).
"""

import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol, Self

from msgspec import Struct

from perfduck_ingest.source import Source
from perfduck_model.batch import Batch
from perfduck_model.errors import PerfduckError
from perfduck_symbols import kallsyms
from perfduck_symbols.files import HostFiles
from perfduck_symbols.kernel_files import KernelFiles

# perf-list(1): user, kernel, hypervisor, guest, host, precise, ... behind the last colon
_MODIFIERS = re.compile(r":[ukhGHpPSDIWeb]+$")
# Both count CPU time; their period is nanoseconds.
_CLOCKS = frozenset({"cpu-clock", "task-clock"})


def unit_of(event: str) -> str:
    """What one event is: ns for the clocks, `event` for tracepoints, else its plain name.

    cycles:P  cpu/event=0x3c/ppp  cpu-clock:u  sched:sched_switch  probe:x"""
    plain = _MODIFIERS.sub("", event)
    if plain.split("/")[0] in _CLOCKS:
        return "ns"
    return "event" if ":" in plain else plain


class WeightEvent(Struct, frozen=True):
    """What a weight counts: off-cpu in us, cpu-clock in ns."""

    name: str
    unit: str

    @classmethod
    def of(cls, text: str) -> Self:
        """NAME=UNIT, or NAME of an event whose unit is known. PerfduckError for nothing, for what
        cannot be shown in a line, and for a rate: rates do not add up."""
        name, equals, unit = text.partition("=")
        if not name or (equals and not unit) or not text.isprintable():
            where = f"--event {text}"
            raise PerfduckError.at(where, expected="NAME=UNIT or NAME", got=f"{text!r}")
        if "/" in unit:
            where = f"--event {text}"
            raise PerfduckError.at(where, expected="a unit that adds up", got=f"{unit!r}")
        return cls(name, unit or unit_of(name))


@dataclass(frozen=True)
class ImportOptions:
    """What the user said about a recording that the recording does not say itself."""

    kallsyms: Path | None = None  # /proc/kallsyms of the recorded boot, plain or compressed
    vmlinux: Path | None = None
    symbol_dirs: tuple[Path, ...] = ()  # where ELF files with symbols lie
    host_files: HostFiles | None = None  # of this machine, if they may name addresses
    inline: bool | None = None  # inlined functions as frames; None: the user does not say
    lenient: bool = False  # keep a file of which more than 1 % was not understood
    event: WeightEvent | None = None  # of a format that does not say what its weights count

    @cached_property
    def kernel_files(self) -> KernelFiles:
        """kallsyms and vmlinux, read once for all recordings that have these options."""
        listed = None if self.kallsyms is None else kallsyms.file_of(self.kallsyms)
        return KernelFiles(listed, self.vmlinux)


class Recording(Struct, frozen=True):
    """A recording of a known format, of which no more than the head was read. What the user may
    say of it: with `takes_event`, what its weights count; with `takes_inline`, whether inlined
    functions are frames."""

    format: str  # the importer's NAME
    read: Callable[[ImportOptions], Iterator[Batch]]
    takes_event: bool = False
    takes_inline: bool = False

    def batches(self, options: ImportOptions) -> Generator[Batch]:
        """The recording, part by part, once. Raises PerfduckError for what the user can fix."""
        yield from self.read(options)


class Importer(Protocol):
    """One input format."""

    NAME: str

    def open(self, source: Source) -> Recording | None:
        """The recording, if the source is of this format, by `source.head` or by its directory."""

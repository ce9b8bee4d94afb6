"""Stacks for other tools.

To add a format, write a function from the store and a request to Export, and put it into EXPORTS,
its name into ExportFormat (perfduck_report/formats.py).
"""

import shutil
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import BinaryIO

from perfduck.opening import StorePlace
from perfduck_diff.export_input import ExportInput, load_export
from perfduck_diff.filters import Filters
from perfduck_diff.flame_input import alone
from perfduck_diff.selection import Note
from perfduck_model.errors import PerfduckError
from perfduck_model.firefox_format import weight_type
from perfduck_model.words import listed
from perfduck_report.firefox import firefox
from perfduck_report.folded import fine_unit_of, folded
from perfduck_report.formats import ExportFormat
from perfduck_report.html import render_side
from perfduck_report.pprof import pprof
from perfduck_report.speedscope import speedscope
from perfduck_store.protocol import Store

_IN_MEMORY = 16 << 20  # bytes; what is larger is on disk until it is written
_PART = 1 << 20
_SHOWN = 4  # names in a note
_WITH_BASE = "--format folded, pprof or speedscope"


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What is exported. `base`: the selector of a base; `per_work`: weights are per unit of
    work."""

    selector: str
    base: str | None
    filters: Filters
    per_work: bool


class Export:
    """Stacks for other tools. `notes`: what is merged, left out or narrowed, and what the format
    cannot hold, where it has no place for that. Large ones are in a temporary file."""

    def __init__(
        self, parts: Iterable[bytes], notes: Iterable[Note] = (), *, is_text: bool = True
    ) -> None:
        """Read all parts: the store may be closed then."""
        self.notes = tuple(notes)
        self.is_text = is_text
        self._file = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  # as long as this
        weakref.finalize(self, self._file.close)
        for part in parts:
            self._file.write(part)

    @property
    def text(self) -> str:
        """The export as text. UnicodeDecodeError for a format that is none: pprof."""
        return b"".join(self.parts()).decode()

    def parts(self) -> Iterator[bytes]:
        """The export as bytes, at most 1 MB at a time; for one reader at a time."""
        self._file.seek(0)
        while part := self._file.read(_PART):
            yield part

    def write(self, path: str | Path) -> None:
        """Write it to a file."""
        with Path(path).open("wb") as file:
            self.write_to(file)

    def write_to(self, file: BinaryIO) -> None:
        """Write it to a stream of bytes."""
        self._file.seek(0)
        shutil.copyfileobj(self._file, file, _PART)

    def __str__(self) -> str:
        return self.text


def export(file: StorePlace, format: ExportFormat, request: ExportRequest) -> Export:
    """The stacks of the selected profiles in a format of EXPORTS. PerfduckError where the format
    cannot hold what is asked for."""
    with file.read() as store:
        return EXPORTS[format](store, request)


def _load(store: Store, request: ExportRequest) -> ExportInput:
    return load_export(
        store, request.selector, request.base, request.filters, per_work=request.per_work
    )


def _folded(store: Store, request: ExportRequest) -> Export:
    data = _load(store, request)
    fine = fine_unit_of(data)
    unit = (Note("format", f"weights are in {fine.name}"),) if fine else ()
    return Export(folded(data), (*data.notes, *unit))


def _pprof(store: Store, request: ExportRequest) -> Export:
    data = _load(store, request)
    lost = Note("format", "pprof holds no times of samples")
    return Export(pprof(data), (*data.notes, lost), is_text=False)


def _speedscope(store: Store, request: ExportRequest) -> Export:
    data = _load(store, request)
    lost = Note("format", "speedscope holds commands, and no pids, CPUs, times and subsystems")
    return Export(speedscope(data), (*data.notes, lost))


def _firefox(store: Store, request: ExportRequest) -> Export:
    if request.base is not None:
        got = "firefox: the Firefox Profiler has no differences: export each side"
        raise PerfduckError.at(where="--base", expected=_WITH_BASE, got=got)
    if request.per_work:
        got = "firefox: the Firefox Profiler shows samples over time"
        raise PerfduckError.at(where="--per-work", expected=_WITH_BASE, got=got)
    data = _load(store, request)
    runs = [run for side in data.sides for run in side.runs]
    first = store.profiles.first_ns(run.profile_id for run in runs)
    untimed = [run.facts.name for run in runs if first[run.profile_id] is None]
    return Export(firefox(data, untimed), (*data.notes, *_lacking_firefox(data, untimed)))


def _lacking_firefox(data: ExportInput, untimed: list[str]) -> Iterator[Note]:
    lacks = "CPUs, control groups, network namespaces and directions"
    yield Note("format", f"the Firefox Profiler holds no {lacks} of samples")
    if weight_type(data.unit) == "samples" and data.unit != "sample":
        yield Note("format", f"what the Firefox Profiler calls samples is {data.unit}")
    if untimed:
        text = f"{listed(untimed, _SHOWN)} without times: samples are one interval apart"
        yield Note("format", text)


def _html(store: Store, request: ExportRequest) -> Export:
    if request.base is not None:
        got = "html: perfduck diff --format html compares"
        raise PerfduckError.at(where="--base", expected=_WITH_BASE, got=got)
    if request.per_work:
        raise PerfduckError.at(where="--per-work", expected=_WITH_BASE, got="html")
    drawing = alone(store, request.selector, request.filters)
    notes = [note.text for note in drawing.notes]
    page = render_side(request.selector, drawing.profiles, drawing.flame, drawing.heat, notes)
    return Export([page.encode("utf-8")])


EXPORTS: dict[ExportFormat, Callable[[Store, ExportRequest], Export]] = {
    "folded": _folded,
    "pprof": _pprof,
    "speedscope": _speedscope,
    "firefox": _firefox,
    "html": _html,
}

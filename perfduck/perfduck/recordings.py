"""Recordings into a store, and files that explain them."""

import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from msgspec import structs

from perfduck import cilium_report, parts
from perfduck.attachments import Attachment, keep, read_all
from perfduck.ingestion import IngestRequest
from perfduck.manifest import checked_work, requests
from perfduck.opening import StorePlace, StoreServer
from perfduck.options import (
    FilePath,
    Files,
    IngestOptions,
    Labels,
    file_of,
    path_of,
    places_of,
    refuse_others,
)
from perfduck.store_results import EditResult
from perfduck_ingest import labels as label_words
from perfduck_ingest.counters import is_counter, work_between
from perfduck_ingest.importer import ImportOptions, WeightEvent
from perfduck_ingest.kernel_release import checked_release
from perfduck_ingest.source import Source, printable
from perfduck_ingest.work import AN_AMOUNT, Work, work_from
from perfduck_model.errors import PerfduckError
from perfduck_report.names import visible
from perfduck_report.numbers import plural
from perfduck_store.recording import Receipt
from perfduck_store.selector import by_id, select
from perfduck_symbols.file_finder import check_places
from perfduck_symbols.files import HostFiles
from perfduck_tags import rule_file

Recording = FilePath | bytes | BinaryIO
Progress = Callable[[Source, int], None]


@dataclass(frozen=True, slots=True)
class IngestResult:
    """A recording that was stored, or was stored already. `data`: its samples, stacks, symbols,
    what was skipped and lost, and what is not what it seems."""

    data: Receipt

    @property
    def name(self) -> str:
        """Of the profile."""
        return self.data.name

    @property
    def id(self) -> str:
        """Of the profile: 16 hex digits, as in the selector id:HEX."""
        return by_id(self.data.profile_id).removeprefix("id:")

    @property
    def is_new(self) -> bool:
        """Whether the store had no recording of this content."""
        return self.data.is_new

    @property
    def is_sent(self) -> bool:
        """Whether the store has it; False: it is kept in the spool directory."""
        return not self.data.unsent

    @property
    def changes(self) -> tuple[str, ...]:
        """Of what the store had, in words."""
        return self.data.changes

    @property
    def notes(self) -> tuple[str, ...]:
        """What is missing of the recording, or is not what it seems."""
        name = visible(self.data.name)
        return tuple(f"{name}: {visible(words)}" for words in _notes(self.data))

    def to_text(self) -> str:
        """A line that says what was stored, or changed."""
        name, changes = visible(self.data.name), visible(", ".join(self.data.changes))
        if not self.data.is_new:
            done = f"; {changes}" if changes else ", nothing added"
            return f"{name}: already in the store{done}\n"
        if self.data.unsent:
            changes = f"{changes}; " if changes else ""
            return f"{name}: {_contents(self.data)}; {changes}{visible(self.data.unsent)}\n"
        layout = f"  read as: {visible(self.data.layout)}\n" if self.data.layout else ""
        inlined = _inlined(self.data)
        return (
            f"{name}: {_contents(self.data)}{f'; {changes}' if changes else ''}\n{layout}{inlined}"
        )

    def __str__(self) -> str:
        return self.to_text()


def _inlined(receipt: Receipt) -> str:
    if not receipt.inlined:
        return ""
    return f"  inlined functions in {receipt.inlined:,} of {receipt.samples:,} samples\n"


def _notes(receipt: Receipt) -> Iterator[str]:
    if receipt.is_new and receipt.skipped:
        yield f"{receipt.skipped} {plural(receipt.skipped, 'line')} skipped (see table skipped)"
    if receipt.is_new and receipt.lost:
        yield f"{receipt.lost} {plural(receipt.lost, 'sample')} lost by the kernel"
    if receipt.is_new or receipt.is_renamed:
        yield from receipt.limitations
    yield from receipt.unused


def _contents(receipt: Receipt) -> str:
    counts = {"sample": receipt.samples, "stack": receipt.stacks, "symbol": receipt.symbols}
    return ", ".join(f"{count} {plural(count, noun)}" for noun, count in counts.items())


def ingest(
    file: StorePlace,
    wanted: Sequence[IngestRequest],
    on_start: Callable[[str], object] | None,
    progress: Progress | None,
    on_stored: Callable[[IngestResult], object] | None,
    note: Callable[[str], object],
    spool: Path | None = None,
) -> tuple[IngestResult, ...]:
    """Store each recording in a transaction of its own, and open the store only for that; one that
    was just stored is not changed by the next. `note` takes what may fail at the end."""
    results: list[IngestResult] = []
    with file.ingestion(spool) as ingestion:
        ingestion.check(wanted, note)
        for number, request in enumerate(wanted, 1):
            stored = frozenset(each.name for each in results)
            if on_start:
                on_start(request.source)
            with _saying_how_many_are_left(len(wanted) - number):
                receipt = ingestion.ingest(replace(request, just_stored=stored), progress)
            results.append(IngestResult(_with_work(receipt, request)))
            if on_stored:
                on_stored(results[-1])
    return tuple(results)


def _with_work(receipt: Receipt, request: IngestRequest) -> Receipt:
    """What was stored, with the work that a report gave: its reader chose it, not the user."""
    if not (request.is_work_read and receipt.is_new):
        return receipt
    return structs.replace(receipt, changes=(f"work is {request.work}", *receipt.changes))


def push(
    place: StorePlace, folder: Path, on_stored: Callable[[IngestResult], object]
) -> tuple[str, ...]:
    """Send what a spool directory keeps; a line for each that the server refuses."""
    if not isinstance(place, StoreServer):
        raise PerfduckError.at(place, expected="the URL of a server to push to", got="a file")
    send_all = parts.remote_ingestion.send_all
    return tuple(send_all(place, folder, lambda receipt: on_stored(IngestResult(receipt))))


@contextmanager
def _saying_how_many_are_left(count: int) -> Iterator[None]:
    """The recordings behind one that fails are not read: the error says so."""
    try:
        yield
    except PerfduckError as error:
        if not count:
            raise
        behind = f"{count} {plural(count, 'recording')} after it {'was' if count == 1 else 'were'}"
        message = f"{error} ({behind} not read)"
        raise type(error)(message) from error


def attach(file: StorePlace, selector: str, files: Sequence[Attachment]) -> EditResult:
    """Keep the files with each profile, all or none."""
    with file.write() as store:
        with store.transaction():
            done = {name: keep(store, key, files) for key, name in select(store, selector).items()}
        store.close_and_compact()  # what was replaced
    return EditResult(done, otherwise="attached already, nothing added")


def attachments(files: Files) -> Sequence[Attachment]:
    """Read each file of KIND=FILE, or by kind."""
    return read_all(_pairs(files))


def _pairs(files: Files) -> Sequence[str]:
    if not isinstance(files, Mapping):
        return files
    return [f"{kind}={os.fspath(path)}" for kind, path in files.items()]


def labels(pairs: Labels) -> dict[str, str]:
    """Labels of key=value, or by key."""
    if not isinstance(pairs, Mapping):
        return label_words.labels(pairs)
    if wrong := next((key for key in pairs if "=" in key), None):
        message = f"--label {wrong}: expected a key without ="
        raise PerfduckError(message)
    return label_words.labels(f"{key}={value}" for key, value in pairs.items())


def work(amount: float | None, unit: str | None, report: FilePath | None = None) -> Work | None:
    """How much got done: an amount of something, or as a load generator reports it."""
    if report is not None:
        if amount is not None or unit is not None:
            message = f"--work-from {report}: expected no --work and --unit beside it"
            raise PerfduckError(message)
        text = os.fspath(report)
        return work_between(text) if is_counter(text) else work_from(Path(report))
    if amount is None:
        if unit is not None:
            message = f"--unit {unit}: expected --work N with it"
            raise PerfduckError(message)
        return None
    try:
        return checked_work(amount, None if unit is None else printable(unit))
    except ValueError as error:
        expected = AN_AMOUNT if unit != "" else "a unit"
        message = f"--work {amount}: expected {expected}"
        raise PerfduckError(message) from error


def requests_of(
    recordings: Sequence[Recording],
    manifest: Path | None,
    options: IngestOptions,
    note: Callable[[str], object] = lambda line: None,
) -> list[IngestRequest]:
    """What to store, checked before anything is: what the manifest lists, then the recordings.
    `note` takes what is missing of them."""
    refuse_others(options, IngestOptions)
    name = options.get("name")
    if not recordings and manifest is None:
        message = "expected a recording to ingest: FILE... or --manifest"
        raise PerfduckError(message)
    if name is not None and (manifest is not None or len(recordings) > 1):
        raise PerfduckError.at(where=f"--name {name}", expected="one recording", got="several")
    template = _template(options, is_one=manifest is None and len(recordings) == 1)
    listed = [] if manifest is None else requests(manifest, template)
    wanted = [*listed, *(one for each in recordings for one in _requests(each, template, note))]
    if template.force and not any(each.work for each in wanted):
        message = "--force: expected work that may replace that of a stored recording, got none"
        raise PerfduckError(message)
    return wanted


def _template(options: IngestOptions, *, is_one: bool) -> IngestRequest:
    name, kernel = options.get("name"), options.get("kernel")
    places = places_of(options.get("symbols"))
    check_places(places)
    return IngestRequest(
        source="",
        name=None if name is None else label_words.checked_name(name, "--name"),
        work=work(options.get("work"), options.get("unit"), options.get("work_from")),
        is_work_read=options.get("work_from") is not None,
        labels=labels(options.get("labels") or ()),
        options=ImportOptions(
            path_of(options.get("kallsyms")),
            path_of(options.get("vmlinux")),
            places,
            host_files=HostFiles() if options.get("host_files", True) else None,
            inline=options.get("inline"),
            lenient=options.get("lenient", False),
            event=None if (event := options.get("event")) is None else WeightEvent.of(event),
        ),
        rules=file_of(options.get("rules"), rule_file.file_of),
        kernel=None if kernel is None else checked_release(kernel, "--kernel"),
        attachments=_attached(options.get("attach") or (), is_one=is_one),
        force=options.get("force", False),
    )


def _attached(files: Files, *, is_one: bool) -> tuple[Attachment, ...]:
    pairs = _pairs(files)
    if pairs and not is_one:
        message = f"--attach {pairs[0]}: expected one recording to attach it to"
        raise PerfduckError(message)
    return tuple(read_all(pairs, "--attach"))


def _requests(
    recording: Recording, template: IngestRequest, note: Callable[[str], object]
) -> list[IngestRequest]:
    """Of a recording; of a report directory of Cilium, one for each profile."""
    if isinstance(recording, str | os.PathLike) and cilium_report.is_report(Path(recording)):
        return cilium_report.requests(Path(recording), template, note)
    return [_request(recording, template)]


def _request(recording: Recording, template: IngestRequest) -> IngestRequest:
    if isinstance(recording, str | os.PathLike):
        return replace(template, source=os.fspath(recording))
    if template.name is None:
        message = "expected a name for a recording that is not a file, got none"
        raise PerfduckError(message)
    stream = io.BytesIO(recording) if isinstance(recording, bytes) else recording
    if isinstance(stream, io.TextIOBase):
        raise PerfduckError.at(template.name, expected="a stream of bytes", got="one of text")
    return replace(template, source=f"<{template.name}>", stream=stream)

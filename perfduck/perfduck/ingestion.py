"""Recordings into a store: read without it, then committed in one transaction each.

recording -> importer -> batches -> Draft -> open the store -> tags of what it lacks -> commit
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Self

import polars as pl
from msgspec import structs

from perfduck.attachments import Attachment, keep
from perfduck.tagging import (
    Annotator,
    TaggingSources,
    check_kallsyms,
    keep_inputs,
    note_artefacts,
    unused_files,
)
from perfduck_ingest.formats import opened
from perfduck_ingest.importer import ImportOptions, Recording, WeightEvent
from perfduck_ingest.kernel_release import settled
from perfduck_ingest.runtime.malloc import trim
from perfduck_ingest.runtime.prefetch import background
from perfduck_ingest.source import Source, printable
from perfduck_ingest.work import Work
from perfduck_ingest.work_limitations import of_work
from perfduck_model.batch import Batch, Facts
from perfduck_model.errors import PerfduckError
from perfduck_model.limits import limits
from perfduck_model.small_file import UserFile
from perfduck_model.words import listed
from perfduck_store.draft import Draft
from perfduck_store.duckdb import store_file
from perfduck_store.duckdb.store import DuckDbStore
from perfduck_store.duckdb.store_file import Engine, StoreIsBusy
from perfduck_store.protocol import LocalStore, ProfileWriter, Store
from perfduck_store.recording import Identity, Receipt
from perfduck_symbols.kernel_files import KernelFiles
from perfduck_tags.blame import blame

# Endings that say how a recording is packed, not what it is called.
_ENDINGS = (
    ".gz",
    ".xz",
    ".zst",
    ".bz2",
    ".tar",
    ".tgz",
    ".txt",
    ".data",
    ".xml",
    ".out",
    ".folded",
    ".collapsed",
    ".pb",
    ".json",
    ".jsonl",
    ".pprof",
)
_LARGE_BYTES = 16 << 20  # a second to read, packed ten
_HASHED_BYTES = 1 << 22

Progress = Callable[[Source, int], None]


@dataclass(frozen=True, slots=True)
class IngestRequest:
    """A recording to store, and what the user says of it."""

    source: str  # a path, or '-'
    name: str | None = None  # None: from the file's name, or as it is stored
    work: Work | None = None
    is_work_read: bool = False  # from a report, by --work-from
    labels: dict[str, str] = field(default_factory=dict)
    options: ImportOptions = field(default_factory=ImportOptions)
    rules: UserFile | None = None
    kernel: str | None = None  # the release that ran
    attachments: tuple[Attachment, ...] = ()
    force: bool = False  # other work than that of the stored recording replaces it
    just_stored: frozenset[str] = frozenset()  # names of profiles that this may not change
    stream: BinaryIO | None = None  # what the recording is read from, where it is no file


class Annotators:
    """What tags the recordings of a command: files that the user gives are read once."""

    def __init__(self) -> None:
        self._made: dict[tuple[TaggingSources, KernelFiles], Annotator] = {}

    def of(self, request: IngestRequest) -> Annotator:
        """The annotator for the files of a request. SymbolError where one is not what it should
        be."""
        key = (_tagging_sources(request), request.options.kernel_files)
        if key not in self._made:
            self._made[key] = Annotator(*key)
        return self._made[key]


class Ingestion:
    """Recordings on their way into the store at a path, one after the other. The store is open only
    while one is committed; what the user gives beside recordings is read once."""

    def __init__(self, path: Path, wait_s: float | None = None) -> None:
        """Open nothing yet. `wait_s`: for a process that has it open; None: as this one is set."""
        self._path = path
        self._wait_s = wait_s
        self._engine = Engine(path)
        self._annotators = Annotators()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.close()

    def check(self, requests: Iterable[IngestRequest], note: Callable[[str], object]) -> None:
        """Raise PerfduckError for what would fail at the commit, as far as the store tells without
        a recording being read; `note` takes what may fail then. A store that another process writes
        just now is not waited for: the commit does that."""
        try:
            with (
                DuckDbStore(self._path, wait_s=0) if self._path.exists() else nullcontext() as store
            ):
                if store is None:
                    store_file.check_new(self._path)
                else:
                    check_names(store, requests, note)
        except StoreIsBusy:
            return

    def ingest(self, request: IngestRequest, progress: Progress | None = None) -> Receipt:
        """Read the recording, then store it."""
        annotator = self._annotators.of(request)
        with Draft(self._path.parent) as draft:
            identity = read(request, draft, progress)
            with self._opened() as store:
                event = request.options.event
                return commit(store, request.attachments, draft, identity, annotator, event)

    def ingest_pair(self, requests: Sequence[IngestRequest]) -> list[Receipt]:
        """Read recordings, then store them in one transaction."""
        return ingest_pair(self._opened, self._path.parent, requests, self._annotators)

    def _opened(self) -> DuckDbStore:
        return DuckDbStore(self._path, write=True, wait_s=self._wait_s, engine=self._engine)


def ingest_pair(
    opened: Callable[[], AbstractContextManager[LocalStore]],
    folder: Path,
    requests: Sequence[IngestRequest],
    annotators: Annotators,
) -> list[Receipt]:
    """Read recordings, then open a store, and store all of them or none."""
    with ExitStack() as stack:
        drafts = [stack.enter_context(Draft(folder)) for _ in requests]
        identities = [read(*each) for each in zip(requests, drafts, strict=True)]
        store = stack.enter_context(opened())
        stack.enter_context(store.transaction())
        return [
            _committed(store, request.attachments, draft, identity, annotators.of(request))
            for request, draft, identity in zip(requests, drafts, identities, strict=True)
        ]


def ingest(store: LocalStore, request: IngestRequest, progress: Progress | None = None) -> Receipt:
    """Store the recording in a store that is open."""
    annotator = Annotator(_tagging_sources(request), request.options.kernel_files)
    with Draft(store.folder) as draft:
        identity = read(request, draft, progress)
        return commit(store, request.attachments, draft, identity, annotator, request.options.event)


def read(request: IngestRequest, draft: Draft, progress: Progress | None = None) -> Identity:
    """Read the recording into the draft. `progress` is called with the source and the samples so
    far, now and then."""
    with Source(request.source, request.stream) as source:
        recording = opened(source)
        _check_event(request, recording)
        _check_inline(request, recording)
        # An error's traceback would keep the importer's threads, processes and files.
        with closing(recording.batches(request.options)) as batches:
            for batch in batches:
                draft.add(batch)
                check_bounds(source.name, draft)
                if progress:
                    progress(source, draft.samples)
        trim()
        if not draft.samples:
            why = [one.text for one in draft.facts.limitations.values()]
            got = ": ".join(["a recording without any", *why])
            raise PerfduckError.at(source.name, expected="samples", got=got)
        draft.ran(settled(source.name, request.kernel, draft.facts.kernel_release))
        if request.work:
            doubts = of_work(request.work, draft.duration_s)
            draft.add(Batch(facts=Facts(limitations=doubts)))
        if not draft.facts.inlined_samples:  # which kallsyms does not list
            check_kallsyms(request.options.kernel_files, draft.symbols)
        return _identity(request, source, recording.format)


def check_bounds(name: str, draft: Draft) -> None:
    """Raise PerfduckError where the recording called `name` has more than a store keeps."""
    if draft.event_count > limits.most_events:
        expected = f"at most {limits.most_events:,} events"
        raise PerfduckError.at(name, expected=expected, got="more")
    if draft.samples > limits.most_weight:
        expected = f"at most {limits.most_weight:,} samples"
        raise PerfduckError.at(name, expected=expected, got=f"{draft.samples:,}")


def _check_event(request: IngestRequest, recording: Recording) -> None:
    if request.options.event and not recording.takes_event:
        where = f"{request.source}: --event"
        expected = "folded stacks, which do not say what they count"
        raise PerfduckError.at(where, expected=expected, got=recording.format)


def _check_inline(request: IngestRequest, recording: Recording) -> None:
    if request.options.inline is not None and not recording.takes_inline:
        option = "--inline" if request.options.inline else "--no-inline"
        where = f"{request.source}: {option}"
        expected = "perf.data (perf script has both options for its text)"
        raise PerfduckError.at(where, expected=expected, got=recording.format)


def commit(
    store: LocalStore,
    attachments: Sequence[Attachment],
    draft: Draft,
    identity: Identity,
    annotator: Annotator,
    event: WeightEvent | None = None,
) -> Receipt:
    """Store what was read, in one transaction: a new profile, better names for one that is stored,
    or only what is said of it. PerfduckError where it is stored with another event than that which
    the user says."""
    with store.transaction():
        return _committed(store, attachments, draft, identity, annotator, event)


def _committed(
    store: LocalStore,
    attachments: Sequence[Attachment],
    draft: Draft,
    identity: Identity,
    annotator: Annotator,
    event: WeightEvent | None = None,
) -> Receipt:
    writer = store.writer(draft, identity)
    if event and not writer.is_new:
        _check_stored_event(store, writer.profile_id, event)
    if writer.is_new or writer.is_renamed:
        receipt = _inserted(store, writer, draft, annotator)
        note_artefacts(store, writer.profile_id)
    else:
        receipt = structs.replace(writer.receipt(), unused=unused_of_stored(annotator.given))
    attached = keep(store, writer.profile_id, attachments)
    inputs = keep_inputs(store, annotator.given, draft.facts.kernel_release)
    return structs.replace(receipt, changes=(*receipt.changes, *attached, *inputs))


def _check_stored_event(store: Store, profile: int, event: WeightEvent) -> None:
    stored = {(each.event, each.unit) for each in store.profiles.events([profile])}
    if stored != {(event.name, event.unit)}:
        names = listed([f"{name} in {unit}" for name, unit in sorted(stored)])
        where = f"--event {event.name}={event.unit}"
        got = f"it with {names} (perfduck rm, then ingest again)"
        raise PerfduckError.at(where, expected="the event of the stored recording", got=got)


def _inserted(store: Store, writer: ProfileWriter, draft: Draft, annotator: Annotator) -> Receipt:
    """Tags are worked out while a thread inserts all else, which alone uses the store then."""
    new = writer.new_names()
    annotation = annotator.annotation(store, new.symbols, draft.facts.kernel_release)
    inserted = background(lambda: writer.insert(new))
    try:
        tags = annotation.tags().select(new.tagged.columns)
        blamed = blame(new.stacks, pl.concat([new.tagged, tags]))
    finally:
        inserted.result()  # what fails there fails the transaction, and says why
    store.symbols.keep_functions(annotation.fresh_functions())
    receipt = writer.finish(tags, blamed)
    if draft.facts.has_given_files:
        return receipt
    dsos = draft.symbols["dso"].unique()
    return structs.replace(
        receipt, unused=unused_files(annotation.tagger, annotator.given.binaries, dsos)
    )


def unused_of_stored(sources: TaggingSources) -> tuple[str, ...]:
    """Files that name nothing of a stored recording better; their source files are for `tag`."""
    if not sources.binaries:
        return ()
    files = listed([str(each) for each in sources.binaries], 3)
    return (f"{files}: no better names in it (perfduck tag applies its source files)",)


def check_names(
    store: Store, requests: Iterable[IngestRequest], note: Callable[[str], object]
) -> None:
    """Raise PerfduckError where another recording has a name that is to be given: a taken one is
    right for the same recording only, which its content tells."""
    names = {profile.name for profile in store.profiles.all()}
    for request in requests:
        if request.stream is not None:
            continue  # it is there as a whole: the commit tells soon
        if Path(request.source).is_file():
            _check_name(store, request, names)
        elif request.name in names:
            note(f"'{request.name}' is stored already: expected the same recording again")


def _check_name(store: Store, request: IngestRequest, taken: set[str]) -> None:
    if Path(request.source).stat().st_size < _LARGE_BYTES:  # read soon enough
        return
    with Source(request.source) as source:
        if (request.name or _plain_name(source)) not in taken:
            return
        recording = opened(source)
        for _ in source.chunks(_HASHED_BYTES):
            pass
        store.check(_identity(request, source, recording.format))


def _identity(request: IngestRequest, source: Source, format: str) -> Identity:
    return Identity(
        name=request.name or printable(_plain_name(source)),
        format=format,
        source=source.name,
        content_hash=source.reading.content_hash,
        work=request.work.amount if request.work else None,
        work_unit=request.work.unit if request.work else None,
        kernel_release=request.kernel,
        labels=request.labels,
        wanted_name=request.name,
        may_change_work=request.force,
        just_stored=request.just_stored,
        has_names=_has_names(request.options),
    )


def _has_names(options: ImportOptions) -> bool:
    has_files = any((options.kallsyms, options.vmlinux, options.symbol_dirs))
    return has_files or options.inline is not None


def _tagging_sources(request: IngestRequest) -> TaggingSources:
    options = request.options
    vmlinux = (options.vmlinux,) if options.vmlinux else ()
    return TaggingSources(
        request.rules,
        options.kernel_files.kallsyms,
        (*vmlinux, *options.symbol_dirs),
        host_files=options.host_files,
    )


def _plain_name(source: Source) -> str:
    """The file's name without the endings that say how it is packed."""
    if source.name == "-":
        return f"stdin-{source.reading.content_hash[:8]}"
    name = source.path.resolve().name if source.is_directory else source.path.name
    while name.endswith(_ENDINGS):
        name = name[: name.rindex(".")]
    return name or source.name

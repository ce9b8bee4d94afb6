"""One recording into the store: sniff, read, tag, store; everything or nothing."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from perfduck.attachments import Attachment, keep
from perfduck.tagging import (
    TaggingSources,
    check_kallsyms,
    keep_inputs,
    note_artefacts,
    tag_new,
    with_kept,
)
from perfduck_ingest.formats import importer_of
from perfduck_ingest.importer import ImportOptions
from perfduck_ingest.kernel_release import settled
from perfduck_ingest.runtime.malloc import trim
from perfduck_ingest.source import Source, printable
from perfduck_ingest.work import Work
from perfduck_model.errors import PerfduckError
from perfduck_model.identity import profile_id
from perfduck_store.store import Store
from perfduck_store.writer import Identity, ProfileWriter, Receipt
from perfduck_tags.blame import blame

# Endings that say how a recording is packed, not what it is called.
_ENDINGS = (".gz", ".xz", ".zst", ".bz2", ".tar", ".tgz", ".txt", ".data", ".xml", ".out")


@dataclass(frozen=True, slots=True)
class IngestRequest:
    """A recording to store, and what the user says of it."""

    source: str  # a path, or '-'
    name: str | None = None  # None: from the file's name, or as it is stored
    work: Work | None = None
    labels: dict[str, str] = field(default_factory=dict)
    options: ImportOptions = field(default_factory=ImportOptions)
    rules: Path | None = None
    kernel: str | None = None  # the release that ran
    attachments: tuple[Attachment, ...] = ()
    force: bool = False  # other work than that of the stored recording replaces it
    just_stored: frozenset[str] = frozenset()  # names of profiles that this may not change
    stream: BinaryIO | None = None  # what the recording is read from, where it is no file


def ingest(
    store: Store, request: IngestRequest, progress: Callable[[Source, int], None] | None = None
) -> Receipt:
    """Store the recording. `progress` is told the source and the samples so far, now and then."""
    given = _known(request)
    with (
        with_kept(store, given) as known,
        Source(request.source, request.stream) as source,
        ProfileWriter(store) as writer,
    ):
        importer = importer_of(source)
        # An error's traceback would keep the importer's threads, processes and files.
        with closing(importer.read(source, request.options)) as batches:
            for batch in batches:
                writer.add(batch)
                if progress:
                    progress(source, writer.samples)
        trim()
        if not writer.samples:
            message = f"{source.name}: expected samples, got a recording without any"
            raise PerfduckError(message)
        writer.ran(settled(source.name, request.kernel, writer.facts.kernel_release))
        if not writer.facts.has_inlined:  # which kallsyms does not list
            check_kallsyms(given.kallsyms, writer.symbols)
        identity = _identity(request, source, importer.NAME)
        tag = tag_new(store, known, lambda: writer.facts.kernel_release)
        receipt = writer.finish(identity, tag, blame)
        if receipt.is_new or receipt.is_renamed:
            note_artefacts(store, identity.content_hash)
        attached = keep(store, profile_id(identity.content_hash), request.attachments)
        inputs = keep_inputs(store, given, writer.facts.kernel_release)
        return replace(receipt, changes=(*receipt.changes, *attached, *inputs))


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
    return any((options.kallsyms, options.vmlinux, options.symbol_dirs))


def _known(request: IngestRequest) -> TaggingSources:
    options = request.options
    vmlinux = (options.vmlinux,) if options.vmlinux else ()
    return TaggingSources(
        request.rules,
        options.kallsyms,
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

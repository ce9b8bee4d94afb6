"""A store of profiles, with a method for each command: what changes it is here, questions are in
questions.py. Light: what a method needs is loaded when it is called."""

import os
import warnings
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, Self, Unpack

from perfduck import parts, typed
from perfduck.opening import StorePlace, place_of
from perfduck.options import (
    FilePath,
    Files,
    IngestOptions,
    Labels,
    RecordingOptions,
    TagSources,
)
from perfduck.questions import StoreQuestions, judged_by
from perfduck.typed import filters_of

if TYPE_CHECKING:
    from perfduck.ab import AbResult, AbStep
    from perfduck.details import RecordingDetails
    from perfduck.names_and_tags import ExplainResult, TagResult
    from perfduck.recordings import IngestResult, Progress
    from perfduck.store_results import CompactResult, EditResult, MergeResult, RemoveResult
    from perfduck.tables import Table


def open(
    url: FilePath, *, wait_s: float | None = None, engine: str | None = None
) -> "ProfileStore":
    """The store at a path, a DuckDB file, which `ingest` makes where there is none; that of a
    perfduck server at a URL, http://host:8480, with the token of $PERFDUCK_TOKEN; or a lake,
    Parquet parts that many machines write, at lake:DIRECTORY or lake:s3://BUCKET/PREFIX.

    Nothing is opened yet: each method opens the store for as long as it runs, so that others may
    write it between two calls. `wait_s`: how many seconds to wait for one who has it open; None:
    30. PerfduckError for the URL of another kind of store.
    """
    return ProfileStore(place_of(os.fspath(url), wait_s, engine))


def explain(
    symbol: str,
    *,
    dso: str = "[kernel.kallsyms]",
    release: str | None = None,
    **sources: Unpack[TagSources],
) -> "ExplainResult":
    """Why a function would get its tag, without a store. `release`: of the kernel: 6.18.44."""
    return parts.names_and_tags.explain(None, symbol, dso, release, sources)


class ProfileStore(StoreQuestions):
    """Profiles in a store. A selector means some of them: a name, a glob, label=value, id:HEX, or
    A+B.

    Every method raises PerfduckError, with one line, for what its caller can fix: no such profile,
    a file that is not what it should be, a store that another process holds for too long, a full
    disk. What it would have changed is unchanged then.
    """

    def __init__(self, place: StorePlace) -> None:
        """The store at a place: see `perfduck.open`."""
        super().__init__(place)
        self.url = str(place)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is open between two calls; a store of another kind may have a connection."""

    def __repr__(self) -> str:
        return f"ProfileStore({self.url!r})"

    # Recordings

    def names(self) -> tuple[str, ...]:
        """The names of all profiles, sorted; there may be none."""
        return parts.inventory.names(self._file)

    def profiles(self, selector: str = "*") -> "Table":
        """A row for each profile: name, format, started_at, ingested_at, duration_s, samples,
        events, lost, raw_samples, skipped, work, work_unit, kernel_release, layout, labels, id (16
        hex digits)."""
        return parts.inventory.profiles(self._file, selector)

    def details(self, selector: str) -> "RecordingDetails":
        """All that is known of one profile: facts, events, limitations, attachments, and the input
        that was skipped."""
        return parts.details.details(self._file, selector)

    def ingest(
        self,
        *recordings: FilePath | bytes | BinaryIO,
        manifest: FilePath | None = None,
        on_start: Callable[[str], object] | None = None,
        progress: "Progress | None" = None,
        on_stored: "Callable[[IngestResult], object] | None" = None,
        on_note: Callable[[str], object] = warnings.warn,
        spool: FilePath | None = None,
        **options: Unpack[IngestOptions],
    ) -> "tuple[IngestResult, ...]":
        """Import recordings, one transaction each: files (perf.data, perf script text, OProfile;
        plain or packed), directories, "-" for standard input, bytes, or streams of bytes,
        which are read to their end and closed. `manifest`: a CSV file that lists more.

        `on_start` takes what is read next; `progress` the source (bytes_read, fraction_read) and
        the samples so far, now and then; `on_stored` each result as soon as it is stored; `on_note`
        a line on what of the manifest may be a mistake. `spool`: a directory that keeps what cannot
        be sent to a server, for `push`; such results are not `is_sent`.
        """
        if recordings and isinstance(recordings[0], str):
            parts.subprocess_iter.warm_up(recordings[0])
        listed = None if manifest is None else Path(manifest)
        wanted = parts.recordings.requests_of(recordings, listed, options, on_note)
        kept = None if spool is None else Path(spool)
        return parts.recordings.ingest(
            self._file, wanted, on_start, progress, on_stored, on_note, kept
        )

    def record(
        self,
        *command: str,
        runs: int = 1,
        name: str | None = None,
        spool: FilePath | None = None,
        on_start: Callable[[str], object] = lambda name: None,
        on_output: Callable[[bytes], object] | None = None,
        on_stored: "Callable[[IngestResult], object]" = lambda result: None,
        **options: Unpack[RecordingOptions],
    ) -> "tuple[IngestResult, ...]":
        """Run a command under perf, and store what it recorded with the work that the command
        reports, and the state of the system after it: rules, counters, links, settings. Without a
        command: the system for `seconds`.

        `runs`: how often, each a recording NAME.1, NAME.2, ... of label run. `on_start` takes the
        name of each; `on_output` what the command prints, which is held back without it.
        PerfduckError where perf may not record, or the command fails: that run is not stored.
        """
        kept = None if spool is None else Path(spool)
        return parts.recorder.record(
            self._file, command, runs, name, parts.recorder.options_of(options), kept,
            on_start, on_output, on_stored,
        )  # fmt: skip

    def ab(
        self,
        base: str,
        new: str,
        *,
        runs: int | None = None,
        setup_base: str | None = None,
        setup_new: str | None = None,
        until_sure: bool = False,
        most: int | None = None,
        name: str | None = None,
        budget: FilePath | None = None,
        tolerance: str | float | None = None,
        comm: str | Sequence[str] = (),
        on_step: "Callable[[AbStep], object]" = lambda step: None,
        on_stored: "Callable[[IngestResult], object]" = lambda result: None,
        **options: Unpack[RecordingOptions],
    ) -> "AbResult":
        """Record two shell commands in turns, in an order drawn by chance, and compare them in
        pairs. `setup_base`, `setup_new`: run before each run of a side, unrecorded.

        The verdict is by an exact test of the pairs, which needs five to show anything. `runs`:
        pairs (None: 6). `until_sure`: record more pairs until the answer is a regression or a pass,
        `most` at most (None: 16), looked at from `runs` on (None: from the first look that can show
        anything); all looks together keep 5 %.
        `comm`: compare only these programs.
        `on_step` takes how far it is.
        """
        plan = parts.ab.AbPlan(
            commands={"base": base, "new": new},
            setup={"base": setup_base, "new": setup_new},
            name=parts.ab.name_of(name),
            until_sure=until_sure,
            levels=parts.ab.looks(runs, most, until_sure=until_sure),
            question=parts.answer.DiffRequest(
                base="",
                new="",
                filters=filters_of({"comm": _texts(comm)}),
                **judged_by(budget, tolerance),
            ),
        )
        chosen = parts.recorder.options_of(options)
        return parts.ab.ab(self._file, plan, chosen, on_step, on_stored)

    def push(
        self,
        spool: FilePath,
        *,
        on_stored: "Callable[[IngestResult], object]" = lambda result: None,
    ) -> tuple[str, ...]:
        """Send what `ingest` has kept in a directory to this server, the oldest first, and remove
        what the server has. A line for each that it refuses, which stays. Several processes may
        push the same directory. PerfduckError where the server is not there."""
        return parts.recordings.push(self._file, Path(spool), on_stored)

    def adopt(
        self,
        other: FilePath,
        *,
        name: str | None = None,
        is_unnamed: bool = False,
        labels: Labels | None = None,
        kernel: str | None = None,
        force: bool = False,
        is_admin: bool = True,
        is_verified: bool = True,
    ) -> "IngestResult":
        """Store the one recording of another store, with what that store says of it, as `ingest`
        would have: the same content is stored once, other work needs `force`, tags are made by the
        rules of this store. `labels` are added and must not contradict. A new recording that
        `is_unnamed` is called by its content. What would apply to later recordings, rules, is
        refused unless one `is_admin`; and where the content hash is not `is_verified`, so are other
        names for what is stored, and other samples."""
        wanted = parts.adoption.Adoption(
            name=name,
            is_unnamed=is_unnamed,
            labels=parts.recordings.labels(labels or ()),
            kernel=kernel,
            force=force,
            is_admin=is_admin,
            is_verified=is_verified,
        )
        receipt = parts.adoption.adopt(self._file, Path(other), wanted)
        return parts.recordings.IngestResult(receipt)

    def attach(self, selector: str, files: Files) -> "EditResult":
        """Keep files with profiles, one of a kind: {"iptables": "rules.txt"}."""
        attachments = parts.recordings.attachments(files)
        return parts.recordings.attach(self._file, selector, attachments)

    def edit(
        self,
        selector: str,
        *,
        name: str | None = None,
        work: float | None = None,
        unit: str | None = None,
        labels: Labels | None = None,
        unlabel: str | Sequence[str] = (),
    ) -> "EditResult":
        """Change what is said of profiles. `labels` are added or changed, `unlabel` are the keys of
        those to remove."""
        done = parts.recordings.work(work, unit)
        changed = parts.recordings.labels(labels or ())
        return parts.edits.edit(self._file, selector, name, done, changed, _texts(unlabel))

    def remove(self, selector: str, *, dry_run: bool = False) -> "RemoveResult":
        """Remove profiles, and make the store's file smaller. `dry_run`: only say which."""
        return parts.inventory.remove(self._file, selector, dry_run=dry_run)

    def prune(
        self, selector: str, older_than: str | timedelta, *, dry_run: bool = False
    ) -> "RemoveResult":
        """Remove those of the profiles that are older: "36h", "90d", "8w", "2y" or a time span,
        from the recording, or where its time is not known, from when it was stored."""
        age, words = typed.age("--older-than", older_than), str(older_than)
        return parts.inventory.prune(self._file, selector, age, words, dry_run=dry_run)

    def merge(self, other: FilePath) -> "MergeResult":
        """Take over what another store, a file, a lake or that of a server, has and this one has
        not; what is here stays."""
        return parts.inventory.merge(self._file, os.fspath(other))

    def pull(self, selector: str, lake: FilePath) -> "MergeResult":
        """Take over some recordings of a lake, as `merge`."""
        return parts.inventory.pull(self._file, selector, os.fspath(lake))

    def compact(self, keep: str | timedelta = "1h") -> "CompactResult":
        """Make few large parts of the many small ones of a lake, and delete what nobody can need
        who began less than `keep` ago: "1h", "2d" or a time span."""
        return parts.inventory.compact(self._file, typed.age("--keep", keep))

    # Names and tags

    def tag(
        self,
        *,
        forget: Sequence[Literal["rules", "kallsyms"]] = (),
        **sources: Unpack[TagSources],
    ) -> "TagResult":
        """Tag all symbols and blame all stacks again. Rules and kallsyms that were given before
        apply until others are given, or they are to be forgotten."""
        return parts.names_and_tags.tag(self._file, sources, forget)

    def explain(
        self,
        symbol: str,
        *,
        dso: str = "[kernel.kallsyms]",
        release: str | None = None,
        **sources: Unpack[TagSources],
    ) -> "ExplainResult":
        """Why a function has its tag: source file, method, rule, and what else it might be. Rules
        that the store keeps apply where none are given."""
        return parts.names_and_tags.explain(self._file, symbol, dso, release, sources)

    def add_symbols(self, *places: FilePath, dso: str | None = None) -> "Table":
        """Keep the functions of ELF files, or of those in directories, for `tag`. A row for each
        binary: dso, build_id, functions. `dso`: the binary that the one file is."""
        return parts.names_and_tags.add_symbols(self._file, [Path(each) for each in places], dso)

    def symbols(self) -> "Table":
        """The binaries whose functions are kept: dso, build_id, functions, with_source."""
        return parts.names_and_tags.symbols(self._file)


def _texts(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)

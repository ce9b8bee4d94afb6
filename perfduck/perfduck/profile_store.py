"""A store of profiles, with a method for each command. Light: what a method needs is loaded when it
is called."""

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Self, Unpack

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
from perfduck.typed import FilterOptions, filters_of
from perfduck_diff.keys import By, MatrixKey, SeriesKey, Side
from perfduck_model.errors import PerfduckError
from perfduck_report.formats import ExportFormat

if TYPE_CHECKING:
    from perfduck.ab import AbResult, AbStep
    from perfduck.details import RecordingDetails
    from perfduck.diff_result import BudgetSuggestion, CompareResult, DiffResult
    from perfduck.drawings import SandwichResult
    from perfduck.exports import Export
    from perfduck.names_and_tags import ExplainResult, TagResult
    from perfduck.rankings import CallsResult, TopResult
    from perfduck.recordings import IngestResult, Progress
    from perfduck.store_results import EditResult, MergeResult, RemoveResult
    from perfduck.tables import Table
    from perfduck.trends import TrendResult
    from perfduck_diff.flame_input import Drawing


def open(url: FilePath, *, wait_s: float | None = None) -> "ProfileStore":
    """The store at a path, a DuckDB file, which `ingest` makes where there is none; or that of a
    perfduck server at a URL, http://host:8480, with the token of $PERFDUCK_TOKEN.

    Nothing is opened yet: each method opens the store for as long as it runs, so that others may
    write it between two calls. `wait_s`: how many seconds to wait for one who has it open; None:
    30. PerfduckError for the URL of another kind of store.
    """
    return ProfileStore(place_of(os.fspath(url), wait_s))


def explain(
    symbol: str,
    *,
    dso: str = "[kernel.kallsyms]",
    release: str | None = None,
    **sources: Unpack[TagSources],
) -> "ExplainResult":
    """Why a function would get its tag, without a store. `release`: of the kernel: 6.18.44."""
    return parts.names_and_tags.explain(None, symbol, dso, release, sources)


class ProfileStore:
    """Profiles in a store. A selector means some of them: a name, a glob, label=value, id:HEX, or
    A+B.

    Every method raises PerfduckError, with one line, for what its caller can fix: no such profile,
    a file that is not what it should be, a store that another process holds for too long, a full
    disk. What it would have changed is unchanged then.
    """

    def __init__(self, place: StorePlace) -> None:
        """The store at a place: see `perfduck.open`."""
        self.url = str(place)
        self._file = place

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

        `runs`: pairs (None: 5). `until_sure`: record more pairs until the answer is a regression or
        a pass, `most` at most (None: 20), from `runs` on (None: 2); all looks together keep 5 %.
        `comm`: compare only these programs.
        `on_step` takes how far it is.
        """
        plan = parts.ab.AbPlan(
            commands={"base": base, "new": new},
            setup={"base": setup_base, "new": setup_new},
            name=name or parts.ab.default_name(),
            until_sure=until_sure,
            **parts.ab.pairs(runs, most, until_sure=until_sure),
            question=parts.answer.DiffRequest(
                base="",
                new="",
                filters=filters_of({"comm": _texts(comm)}),
                **_question(budget, tolerance),
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
        """Take over what another store, or that of a server, has and this one has not; what is here
        stays."""
        return parts.inventory.merge(self._file, os.fspath(other))

    # Questions

    def top(
        self,
        selector: str,
        *,
        by: By = "function",
        limit: int = 30,
        **filters: Unpack[FilterOptions],
    ) -> "TopResult":
        """Rank what is hot: self, total and blamed, per unit of work where the work is known."""
        return parts.rankings.top(self._file, selector, by, limit, filters_of(filters))

    def calls(
        self,
        selector: str,
        function: str,
        *,
        side: Side = "callers",
        limit: int = 30,
        **filters: Unpack[FilterOptions],
    ) -> "CallsResult":
        """Rank who called a function, or (`side` "callees") what it called."""
        chosen = filters_of(filters)
        return parts.rankings.calls(self._file, selector, function, side, limit, chosen)

    def diff(
        self,
        base: str,
        new: str,
        *,
        budget: FilePath | None = None,
        tree: Literal["rerooted", "path", "subsystem"] = "rerooted",
        per: Literal["work", "cpu-second", "share"] | None = None,
        paired: bool = False,
        least_growth: float = 0.0,
        tolerance: str | float | None = None,
        allow_kernel_change: bool = False,
        last: int | None = None,
        **filters: Unpack[FilterOptions],
    ) -> "DiffResult":
        """What grew from the runs of `base` to those of `new`, and whether that is noise.

        `budget`: a TOML file of budgets to judge by. `per`: what to divide by; None: the best that
        all runs allow. `paired`: run i of base was recorded next to run i of new. `least_growth`:
        claim none below this, in the answer's unit. `tolerance`: growth of the total that does not
        matter, as a part of base or as "5%"; None: 5 %. Budgets judge in its place. `last`: of base
        only the newest so many runs that are like new (scenario, workload, unit, kernel).
        """
        if last is not None and last < 1:
            raise PerfduckError.at(where="--last", expected="1 or more", got=last)
        request = parts.answer.DiffRequest(
            base=base,
            new=new,
            filters=filters_of(filters),
            tree=tree,
            per=per,
            paired=paired,
            smallest=least_growth,
            **_question(budget, tolerance),
            allow_kernel_change=allow_kernel_change,
            last=last,
        )
        return parts.comparisons.diff(self._file, request)

    def compare(
        self,
        selector: str,
        over: str,
        *,
        order: Sequence[str] = (),
        by: MatrixKey = "subsystem",
        **filters: Unpack[FilterOptions],
    ) -> "CompareResult":
        """Compare the groups that label `over` makes of the profiles; `order`: its values, else by
        total cost. `by`: the rows, subsystems that are blamed, or classes by self weight."""
        chosen = filters_of(filters)
        return parts.comparisons.compare(self._file, selector, over, order, by, chosen)

    def trend(
        self,
        selector: str,
        over: str,
        *,
        by: SeriesKey = "subsystem",
        repo: FilePath | None = None,
        **filters: Unpack[FilterOptions],
    ) -> "TrendResult":
        """Where costs changed their level over `over`: "commit" (label `commit`, in the order of
        label `commit_time` or of the git repository `repo`), "time" (when recordings began) or a
        label. Runs of one commit, session or value are one point. `by`: what has a series of its
        own; paths are those with 1 % of the cost."""
        place = None if repo is None else Path(repo)
        return parts.trends.trend(self._file, selector, over, by, place, filters_of(filters))

    def export(
        self,
        selector: str,
        format: ExportFormat = "folded",
        **filters: Unpack[FilterOptions],
    ) -> "Export":
        """The stacks: `folded` for flame graph tools, a line for each (comm;root;...;leaf weight);
        `html`, a page with a flame graph."""
        return parts.exports.export(self._file, selector, format, filters_of(filters))

    def flame(
        self,
        selector: str,
        *,
        tree: Literal["rerooted", "path", "subsystem"] = "rerooted",
        **filters: Unpack[FilterOptions],
    ) -> "Drawing":
        """The call tree of the profiles and their hottest functions, per unit of work."""
        return parts.drawings.flame(self._file, selector, tree, filters_of(filters))

    def sandwich(
        self,
        selector: str,
        function: str,
        *,
        base: str | None = None,
        per: Literal["work", "cpu-second", "share"] | None = None,
        **filters: Unpack[FilterOptions],
    ) -> "SandwichResult":
        """A function between the trees of its callers and of its callees; with `base` of both
        sides."""
        sides = (selector,) if base is None else (base, selector)
        return parts.drawings.sandwich(self._file, sides, function, per, filters_of(filters))

    def timeline(
        self, selector: str, *, bucket: str | float = 0.02, **filters: Unpack[FilterOptions]
    ) -> "Table":
        """Samples over the time of each recording, regardless of `skip` and `until`: profile,
        start_s, hits. `bucket`: seconds of a row, or "20ms"; a bucket without samples has none."""
        width = typed.seconds("--bucket", bucket)
        if not width or width < 1e-6:
            raise PerfduckError.at(where="--bucket", expected="1us or more", got=bucket)
        return parts.drawings.timeline(self._file, selector, width, filters_of(filters))

    def sql(
        self,
        query: str | os.PathLike[str],
        parameters: Mapping[str, Any] | None = None,
        *,
        timeout_s: float = 20.0,
        max_rows: int = 1_000_000,
    ) -> "Table":
        """The rows of one statement that reads, or of a file with it: table `hit` has it all.
        `parameters`: for $name in the query. It opens no file and changes nothing."""
        limits = parts.records.SqlLimits(seconds=timeout_s, rows=max_rows)
        return parts.user_sql.sql(self._file, query, parameters or {}, limits)

    def suggest_budget(
        self,
        selector: str,
        *,
        keep: str | float = 0.95,
        runs: int = 5,
        **filters: Unpack[FilterOptions],
    ) -> "BudgetSuggestion":
        """Budgets that runs of one thing keep. `keep`: part of comparisons of like runs that keep
        all of them; `runs`: a side, that they are for."""
        part = typed.part("--keep", keep)
        if part >= 1:
            message = f"--keep {keep}: expected less than 100%"
            raise PerfduckError(message)
        return parts.comparisons.suggest_budget(
            self._file, selector, part, runs, filters_of(filters)
        )

    # The spread between runs

    def learn_noise(self, selector: str, *, event: str | None = None) -> "Table":
        """Learn from runs of the same thing (the same labels but `run`) how far they differ. A row
        for each subsystem: host_class, workload, unit, subsystem, cv, phi, freedom, runs. `notes`
        has a line for each run that is like no other and is not used."""
        return parts.comparisons.learn_noise(self._file, selector, event)

    def noise(self) -> "Table":
        """What was learned of the spread between runs."""
        return parts.comparisons.noise(self._file)

    def forget_noise(self, selector: str | None = None, *, all: bool = False) -> "Table":
        """Forget what was learned for the workloads of these profiles, or `all`; the rows that are
        gone."""
        if (selector is None) != all:
            got = "both" if all else "neither"
            raise PerfduckError.at(where="noise forget", expected="SELECTOR or --all", got=got)
        return parts.comparisons.forget_noise(self._file, selector)

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


def _question(budget: FilePath | None, tolerance: str | float | None) -> dict[str, Any]:
    """What a diff is judged by."""
    if tolerance is not None and budget is not None:
        message = f"--tolerance {tolerance}: expected no --budget beside it, which judges alone"
        raise PerfduckError(message)
    return {
        "tolerance": typed.part("--tolerance", 0.05 if tolerance is None else tolerance),
        "budget": None if budget is None else Path(budget),
    }


def _texts(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)

"""Recordings made here: perf around a command, its work counted, the system's state beside it, and
all of it into a store.

    Recorder.record(run) -> Taken: perf.data, work, state       kept nowhere yet
    Recorder.store(taken) -> IngestResult                       one transaction
"""

import shlex
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from msgspec import structs

from perfduck.attachments import Attachment, parsed
from perfduck.ingestion import IngestRequest
from perfduck.inventory import names
from perfduck.opening import StoreFile, StorePlace
from perfduck.options import RecordingOptions, refuse_others
from perfduck.record import command as commands
from perfduck.record import perf as perf_tool
from perfduck.record.counters import LiveCounter
from perfduck.record.net_counters import counters
from perfduck.record.network_namespace import check_namespace, namespace_of
from perfduck.record.perf import Perf
from perfduck.record.system_state import StateFile, system_state
from perfduck.recordings import IngestResult, labels
from perfduck.recordings import work as work_of
from perfduck_ingest.counters import counter_name, difference, is_counter
from perfduck_ingest.importer import ImportOptions
from perfduck_ingest.labels import checked_name
from perfduck_ingest.load_reports.netperf import super_netperf
from perfduck_ingest.work import UnusableReport, Work, work_from, work_in
from perfduck_model.errors import PerfduckError
from perfduck_store.recording import Receipt
from perfduck_store.remote.connection import ConnectionFailed, NotAllowed
from perfduck_symbols.files import HostFiles

_KALLSYMS = Path("/proc/kallsyms")
_HIDDEN = b"0" * 16
_HEAD_BYTES = 1 << 16  # per-CPU variables, which begin at 0, are less
_CLOCK_S = 0.1  # that the clock of files may be behind
_NO_WORK = (
    "no work in what the command printed: costs are per CPU second (--work N --unit U,"
    " --work-from FILE or netdev:DEVICE:rx_packets)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOptions:
    """How to record, and what is said of it."""

    events: tuple[str, ...] = ()
    frequency: int = perf_tool.FREQUENCY
    perf_args: str = ""
    seconds: float | None = None  # of a run
    work: Work | None = None
    work_from: str | None = None  # a counter, or a file that the command writes
    netns: str | None = None  # whose state is kept; None: that of the command
    labels: Mapping[str, str] = field(default_factory=dict)
    ignore_failure: bool = False


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A command to be recorded, and what its recording is called."""

    name: str
    command: tuple[str, ...]
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Taken:
    """A recording that is in no store yet. `notes`: what is missing of it, in words."""

    request: IngestRequest
    notes: tuple[str, ...]


class Recorder:
    """Records runs into a store, one after the other; perf is seen to work before the first."""

    def __init__(
        self, place: StorePlace, options: RecordOptions, spool: Path | None = None
    ) -> None:
        """PerfduckError where perf cannot record, or nothing can be stored."""
        self._options = options
        self._counter = options.work_from if is_counter(options.work_from or "") else None
        if self._counter:
            counter_name(self._counter)
        if options.netns is not None:
            check_namespace(options.netns)
        self._place = place
        self._open = ExitStack()
        self._ingestion = self._open.enter_context(place.ingestion(spool))
        self._ingestion.check((), lambda note: None)
        self._perf: Perf = perf_tool.ready(options.events, options.frequency, options.perf_args)
        self._folder = Path(self._open.enter_context(TemporaryDirectory(prefix="perfduck-record-")))
        self._kallsyms: Path | None = None
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def check_names(self, wanted: Sequence[str]) -> None:
        """PerfduckError where the store has one of the names, before anything is recorded."""
        taken = frozenset[str]()
        if self._place.is_there():
            try:
                taken = frozenset(names(self._place))
            except (NotAllowed, ConnectionFailed):  # it may only push; no server, but a spool
                return
        if there := next((name for name in wanted if name in taken), None):
            raise PerfduckError.at(
                where=f"--name {there}",
                expected="a name that the store does not have",
                got="one it has",
            )

    def record(self, run: PlannedRun, show: Callable[[bytes], object] | None) -> Taken:
        """Record a run. `show` takes what the command prints; None: it is held back.
        PerfduckError where it fails, and has printed why if that was held back."""
        folder = self._folder / str(self._count)
        self._count += 1
        folder.mkdir()
        netns = self._options.netns or namespace_of(run.command)
        counter = LiveCounter(counter_name(self._counter), netns) if self._counter else None
        before = counter.read() if counter else 0
        net_before = counters("before")
        start = time.time()
        done = commands.run(self._perf, run.command, folder, self._options.seconds, show)
        after = counter.read() if counter else 0
        net = StateFile("net", "/proc/net", f"{net_before}\n{counters('after')}")
        self._check(run, done)
        file = folder / commands.RECORDING
        try:
            if counter:
                counted = difference(counter.name, before, after)
                return self._taken(run, file, netns, Work(counted, counter.name.unit), net)
            return self._taken(run, file, netns, self._work(run, done, start), net)
        except PerfduckError as error:
            raise self._kept(run.name, file, error) from error

    def _taken(
        self, run: PlannedRun, file: Path, netns: str | None, work: Work | None, net: StateFile
    ) -> Taken:
        """The recording, with what is kept of the system as it is now, and what was counted."""
        state, notes = system_state(netns)
        if work is None:
            notes.append(_NO_WORK)
        kallsyms = self._kernel_symbols(notes)
        attached, refused = _attachments(
            (each.kind, each.source, each.text) for each in (*state, net)
        )
        request = IngestRequest(
            source=str(file),
            name=run.name,
            work=work,
            labels={**self._options.labels, **run.labels},
            options=ImportOptions(kallsyms, host_files=HostFiles()),
            attachments=attached,
        )
        return Taken(request, (*notes, *refused))

    def store(self, taken: Taken) -> IngestResult:
        """Store a recording. Where that fails its file is kept, and the error says so."""
        with self._keeping(taken):
            return _result(taken, self._ingestion.ingest(taken.request))

    def store_pair(self, pair: Sequence[Taken]) -> list[IngestResult]:
        """Store recordings; in a file all of them or none, Ctrl-C included."""
        with self._keeping(*pair):
            receipts = self._ingestion.ingest_pair([taken.request for taken in pair])
            return [_result(*each) for each in zip(pair, receipts, strict=True)]

    @contextmanager
    def _keeping(self, *some: Taken) -> Iterator[None]:
        """Files are kept where storing them fails, and gone where it does not."""
        try:
            yield
        except PerfduckError as error:
            for taken in some:
                error = self._kept(taken.request.name or "", Path(taken.request.source), error)
            raise error from None
        finally:
            for taken in some:
                shutil.rmtree(Path(taken.request.source).parent, ignore_errors=True)

    def _check(self, run: PlannedRun, done: commands.RecordedRun) -> None:
        if self._options.ignore_failure:
            return
        where = f"{run.name}: {shlex.join(run.command)}"
        hint = "not stored (--ignore-failure stores it)"
        if done.status:
            last = done.errors.decode(errors="replace").strip().splitlines()[-1:]
            said = f" ({last[0]})" if last else ""
            got = f"{done.status_words}{said}: {hint}"
            raise PerfduckError.at(where, expected="exit status 0", got=got)
        if failure := _printed_failure(done):
            raise PerfduckError.at(where, expected="a report of work", got=f"{failure}: {hint}")

    def _work(self, run: PlannedRun, done: commands.RecordedRun, start: float) -> Work | None:
        """What the user says, what the command wrote, or what it printed."""
        if self._options.work is not None or self._options.work_from is None:
            return self._options.work or _printed_work(done, run.command)
        report = Path(self._options.work_from)
        if report.exists() and report.stat().st_mtime < start - _CLOCK_S:
            raise PerfduckError.at(
                where=f"--work-from {report}",
                expected="a report that the command wrote",
                got="one from before it ran",
            )
        return work_from(report)

    def _kernel_symbols(self, notes: list[str]) -> Path | None:
        """The kernel's symbols now; the same file where modules and BPF programs are the same."""
        content = _KALLSYMS.read_bytes()
        if all(line.startswith(_HIDDEN) for line in content[:_HEAD_BYTES].splitlines()):
            notes.append(
                "/proc/kallsyms has no addresses (kernel.kptr_restrict): functions of the kernel"
                " may have no names"
            )
            return None
        if self._kallsyms is None or self._kallsyms.read_bytes() != content:
            self._kallsyms = self._folder / f"kallsyms.{self._count}"
            self._kallsyms.write_bytes(content)
        return self._kallsyms

    def _kept(self, name: str, file: Path, error: PerfduckError) -> PerfduckError:
        """The error, and where the recording is that could not be stored."""
        kept = Path(f"{name.replace('/', '_')}.perf.data")
        if kept.exists():
            return error
        try:
            shutil.move(file, kept)
        except OSError:
            return error
        return type(error)(f"{error} (the recording is kept as {kept})")


def _result(taken: Taken, receipt: Receipt) -> IngestResult:
    """What was stored, with what is missing of it."""
    limitations = (*receipt.limitations, *taken.notes)
    said = () if taken.request.work is None else (f"work is {taken.request.work}",)
    return IngestResult(
        structs.replace(receipt, limitations=limitations, changes=(*said, *receipt.changes))
    )


def default_name(program: str, place: StorePlace) -> str:
    """What recordings of a program are called from now on; with this host's name where a store is
    that of many."""
    moment = datetime.now().strftime("%Y%m%d-%H%M%S")  # of a clock on the wall, as users read it
    host = "" if isinstance(place, StoreFile) else f"{socket.gethostname()}."
    return f"{host}{Path(program).name}.{moment}"


def planned(
    name: str, command: Sequence[str], runs: int, labels: Mapping[str, str]
) -> list[PlannedRun]:
    """As many runs of a command, numbered where there are several."""
    if runs == 1:
        return [PlannedRun(name, tuple(command), {})]
    if "run" in labels:
        raise PerfduckError.at(
            where=f"--label run={labels['run']}",
            expected="no label run beside --runs",
            got=f"{runs} runs",
        )
    return [
        PlannedRun(f"{name}.{number}", tuple(command), {"run": str(number)})
        for number in range(1, runs + 1)
    ]


def command_of(command: Sequence[str], seconds: float | None) -> tuple[str, ...]:
    """What to run: the command, or to wait for as long as is to be recorded. PerfduckError for no
    command, and for a program that is not there."""
    if not command:
        if seconds is None:
            message = "expected a command to record: perfduck record -- CMD, or --seconds S"
            raise PerfduckError(message)
        return ("sleep", f"{seconds:g}")
    if shutil.which(command[0]) is None:
        raise PerfduckError.at(command[0], expected="a program", got="none of that name")
    return tuple(command)


def options_of(options: RecordingOptions) -> RecordOptions:
    """The options of a method of the store. PerfduckError where they do not go together."""
    refuse_others(options, RecordingOptions)
    work_from, amount, unit = (options.get(key) for key in ("work_from", "work", "unit"))
    if work_from is not None and (amount is not None or unit is not None):
        message = f"--work-from {work_from}: expected no --work and --unit beside it"
        raise PerfduckError(message)
    event = options.get("event") or ()
    return RecordOptions(
        events=(event,) if isinstance(event, str) else tuple(event),
        frequency=options.get("freq") or perf_tool.FREQUENCY,
        perf_args=options.get("perf_args", ""),
        seconds=options.get("seconds"),
        work=work_of(options.get("work"), options.get("unit")),
        work_from=options.get("work_from"),
        netns=options.get("netns"),
        labels=labels(options.get("labels") or ()),
        ignore_failure=options.get("ignore_failure", False),
    )


def record(
    place: StorePlace,
    command: Sequence[str],
    runs: int,
    name: str | None,
    options: RecordOptions,
    spool: Path | None,
    on_start: Callable[[str], object],
    on_output: Callable[[bytes], object] | None,
    on_stored: Callable[[IngestResult], object],
) -> tuple[IngestResult, ...]:
    """Record a command, as often as is wanted, and store each recording before the next."""
    words = command_of(command, options.seconds)
    if not command:
        options = replace(options, seconds=None)
    called = default_name(words[0], place) if name is None else name
    called = checked_name(called, "--name")
    wanted = planned(called, words, runs, options.labels)
    results = []
    with Recorder(place, options, spool) as recorder:
        recorder.check_names([each.name for each in wanted])
        for run in wanted:
            on_start(run.name)
            results.append(recorder.store(recorder.record(run, on_output)))
            on_stored(results[-1])
    return tuple(results)


def _printed_work(done: commands.RecordedRun, command: Sequence[str]) -> Work | None:
    if done.output is None:
        return None
    text = done.output.decode(errors="replace")
    with suppress(ValueError):  # JSON of another program
        return work_in(text) or super_netperf(command, text)
    return None


def _printed_failure(done: commands.RecordedRun) -> UnusableReport | None:
    try:
        work_in((done.output or b"").decode(errors="replace"))
    except UnusableReport as failure:
        return failure
    except ValueError:  # JSON of another program
        pass
    return None


def _attachments(
    files: Iterator[tuple[str, str, str]],
) -> tuple[tuple[Attachment, ...], tuple[str, ...]]:
    """Those that are understood, and a line for each that is not."""
    kept, refused = [], []
    for kind, source, text in files:
        try:
            kept.append(parsed(kind, source, text))
        except PerfduckError as error:
            refused.append(f"{kind} not kept: {error}")
    return tuple(kept), tuple(refused)

"""Lines beside an answer by pod or network namespace: what no pod is blamed for, which recordings
do not say whose their samples are, which pods have no name, and what their weight lacks."""

from collections.abc import Collection, Container, Iterable, Iterator

from perfduck_diff.engine.dimensions import NO_CGROUP, NO_NETNS
from perfduck_diff.events import is_cpu_time
from perfduck_diff.pods import is_unnamed
from perfduck_diff.selection import Note, Selection
from perfduck_model.words import listed
from perfduck_store.choice import HARDIRQ, SOFTIRQ
from perfduck_store.records import KeyValue

_SHOWN = 3
_LEAST = 0.01  # of a pod's ticks, to be said
_LEAST_OF_ALL = 0.001  # of the answer's weight: of a pod of 50 samples one is 2 %
_MOST_SAMPLES = 1_000_000  # of a diff, for missed ticks to be counted


def pod_notes(selection: Selection) -> Iterator[Note]:
    """Of a selection that is picked."""
    if not selection.has_pods:
        yield _without_groups(selection, range(len(selection.profiles)))
        return
    values = _busy_pods(selection)
    if any(each.value in (SOFTIRQ, HARDIRQ) for each in values):
        text = (
            f"{SOFTIRQ} and {HARDIRQ} are blamed on no pod: they run on the CPU time of whoever"
            " is there; of softirqs only those that take in what a task has just sent itself are"
            " blamed on its pod"
        )
        yield Note("filter", text)
    if silent := _silent(values):
        yield _without_groups(selection, silent)
    yield from _by_uid(values)
    if flat := selection.samples.without_callers():
        text = (
            f"{listed(flat, _SHOWN)}: no callers were recorded, which show what runs in a softirq"
            " (perf record -g)"
        )
        yield Note("lacking", text)
    yield from _missed_ticks(selection, {each.value for each in values})


def notes_beside(selection: Selection, by: str) -> tuple[Note, ...]:
    """Of a selection that is picked, split by any dimension."""
    if by == "pod":
        return tuple(pod_notes(selection))
    return tuple(netns_notes(selection)) if by == "netns" else ()


def comparison_notes(selection: Selection, samples: float) -> Iterator[Note]:
    """Of a diff, which has every dimension: recordings that lack what others of it have, and ticks
    that the weight of pods lacks. Those take a second per million samples."""
    if selection.has_pods:
        values = _busy_pods(selection)
        if silent := _silent(values):
            yield _without_groups(selection, silent)
        if samples <= _MOST_SAMPLES:
            yield from _missed_ticks(selection, {each.value for each in values})
        elif _has_ticks(selection):
            text = (
                f"ticks that left no sample are not counted among {samples:,.0f} samples: top --by"
                " pod counts them"
            )
            yield Note("lacking", text)
    if selection.has_netns:
        yield from netns_notes(selection)


def _busy_pods(selection: Selection) -> list[KeyValue]:
    return [each for each in selection.samples.values("pod") if not each.is_idle]


def _silent(values: Collection[KeyValue]) -> set[int]:
    """The runs that do not say whose their samples are."""
    said = {each.run for each in values if each.value not in (SOFTIRQ, HARDIRQ, NO_CGROUP)}
    return {each.run for each in values if each.value == NO_CGROUP} - said


def _without_groups(selection: Selection, runs: Iterable[int]) -> Note:
    text = (
        f"{_names(selection, runs)}: no control groups were recorded (perf record --all-cgroups;"
        " for text also perf script -F +cgroup)"
    )
    return Note("lacking", text)


def _by_uid(values: Collection[KeyValue]) -> Iterator[Note]:
    """Pods that no list names, as where the list is of another cluster."""
    if weight := sum(each.weight for each in values if is_unnamed(each.value or "")):
        share = 100 * weight / sum(each.weight for each in values)
        text = (
            f"{share:.1f} % of the weight is of pods that no attached list names: they are called"
            " by their uids or ids (--attach pods=FILE)"
        )
        yield Note("lacking", text)


def _names(selection: Selection, runs: Iterable[int]) -> str:
    names = list(selection.profiles.values())
    return listed([names[run] for run in sorted(runs)], _SHOWN)


def _has_ticks(selection: Selection) -> bool:
    """Whether the answer is of clocks: other events, of trace points too, come when they come."""
    return all(is_cpu_time(each, selection.unit) for each in selection.event.split("|"))


def _missed_ticks(selection: Selection, pods: Container[str | None]) -> Iterator[Note]:
    """What `total` lacks of these pods."""
    if not _has_ticks(selection):
        return
    least = _LEAST_OF_ALL * selection.busy
    rows = (each for each in selection.samples.missed_ticks() if each.pod in pods)
    shares = [(row, row.missed / (row.missed + row.sampled)) for row in rows if row.missed > least]
    if words := [
        f"{100 * share:.1f} % of those of {row.pod} ({row.missed / 1e6:.0f} ms)"
        for row, share in shares
        if share > _LEAST
    ]:
        whole = "recording" if len(selection.profiles) == 1 else "recordings"
        text = (
            f"ticks of {selection.event} left no sample, and total lacks them: in the whole {whole}"
            f" {listed(words, _SHOWN)}"
        )
        yield Note("lacking", text)


def netns_notes(selection: Selection) -> Iterator[Note]:
    """Of a selection that is picked."""
    values = selection.samples.values("netns")
    said = {each.run for each in values if each.value is not None}
    if silent := {each.run for each in values if each.value is None} - said:
        text = (
            f"{_names(selection, silent)}: no network namespaces were"
            " recorded (perf record --namespaces; for text also perf script"
            " --show-namespace-events)"
        )
        yield Note("lacking", text)
    if any(each.value == NO_NETNS and not each.is_idle for each in values):
        text = f"{NO_NETNS} are threads that ran before the recording had said where they are"
        yield Note("lacking", text)

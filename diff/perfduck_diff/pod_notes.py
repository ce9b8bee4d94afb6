"""Lines beside an answer by pod or network namespace: what no pod is blamed for, and which
recordings do not say whose their samples are."""

from collections.abc import Container, Iterator

from perfduck_diff.engine.dimensions import NO_CGROUP, NO_NETNS
from perfduck_diff.selection import Note, Selection
from perfduck_model.words import listed
from perfduck_store.records import HARDIRQ, SOFTIRQ

_SHOWN = 3
_LEAST = 0.01  # of a pod's ticks, to be said


def pod_notes(selection: Selection) -> Iterator[Note]:
    """Of a selection with pods that is picked."""
    values = [each for each in selection.samples.values("pod") if not each.is_idle]
    if any(each.value in (SOFTIRQ, HARDIRQ) for each in values):
        text = (
            f"{SOFTIRQ} and {HARDIRQ} are blamed on no pod: they run on the CPU time of whoever"
            " is there; of softirqs only those that take in what a task has just sent itself are"
            " blamed on its pod"
        )
        yield Note("filter", text)
    names = list(selection.profiles.values())
    said = {each.run for each in values if each.value not in (SOFTIRQ, HARDIRQ, NO_CGROUP)}
    silent = {each.run for each in values if each.value == NO_CGROUP} - said
    if silent:
        text = (
            f"{listed([names[run] for run in sorted(silent)], _SHOWN)}: no control groups were"
            " recorded (perf record --all-cgroups; for text also perf script -F +cgroup)"
        )
        yield Note("lacking", text)
    if flat := selection.samples.without_callers():
        text = (
            f"{listed(flat, _SHOWN)}: no callers were recorded, which show what runs in a softirq"
            " (perf record -g)"
        )
        yield Note("lacking", text)
    yield from _missed_ticks(selection, {each.value for each in values})


def _missed_ticks(selection: Selection, pods: Container[str | None]) -> Iterator[Note]:
    """What `total` lacks of these pods."""
    rows = (each for each in selection.samples.missed_ticks() if each.pod in pods)
    shares = [(row, row.missed / (row.missed + row.sampled)) for row in rows]
    if words := [
        f"{100 * share:.1f} % of those of {row.pod} ({row.missed / 1e6:.0f} ms)"
        for row, share in shares
        if share > _LEAST
    ]:
        text = (
            f"ticks of {selection.event} left no sample, and total lacks them: in the whole"
            f" recording {listed(words, _SHOWN)}"
        )
        yield Note("lacking", text)


def netns_notes(selection: Selection) -> Iterator[Note]:
    """Of a selection that is picked."""
    values = selection.samples.values("netns")
    names = list(selection.profiles.values())
    said = {each.run for each in values if each.value is not None}
    if silent := {each.run for each in values if each.value is None} - said:
        text = (
            f"{listed([names[run] for run in sorted(silent)], _SHOWN)}: no network namespaces were"
            " recorded (perf record --namespaces; for text also perf script"
            " --show-namespace-events)"
        )
        yield Note("lacking", text)
    if any(each.value == NO_NETNS and not each.is_idle for each in values):
        text = f"{NO_NETNS} are threads that ran before the recording had said where they are"
        yield Note("lacking", text)

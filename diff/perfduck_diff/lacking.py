"""What the recordings of an answer lack, a line for each limitation.

48 % to 52 % of the weight of 4 profiles has no name: ingest again with --kallsyms (31 %
[kernel.kallsyms], 17 % /opt/app/bin/server)
1,234 of 7,944 samples: user callers were recorded as DWARF stacks ... (native.1, whole recording)

Names are looked for in what is picked, so that the line is about the samples of the answer. Other
limitations were counted at the import: where an answer is about a part of the samples, it says so.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from perfduck_diff.selection import Note, Selection
from perfduck_store.limitation import limitations
from perfduck_store.protocol import Store
from perfduck_symbols.names import binary

_LEAST = 0.01  # of a run's weight, to be said
_MOST_DSOS = 3
_OPTIONS = {"kernel": "--kallsyms", "user": "--symbols"}


def lacking(store: Store, selection: Selection, profiles: Iterable[int]) -> tuple[str, ...]:
    """Of some profiles of the selection that is picked, in words."""
    return tuple(note.text for note in lacking_notes(store, selection, profiles))


def lacking_notes(
    store: Store, selection: Selection, profiles: Iterable[int] | None = None
) -> tuple[Note, ...]:
    """Of the selection that is picked, or of some of its profiles."""
    chosen = list(selection.profiles if profiles is None else profiles)
    counted = limitations(store, chosen, of_whole=selection.is_part)
    return (
        *(Note("lacking", text) for text in counted),
        *(Note("unnamed", text) for text in _unnamed(selection, chosen)),
    )


def _unnamed(selection: Selection, profiles: list[int]) -> list[str]:
    places = {key: run for run, key in enumerate(selection.profiles)}
    busy = {places[key]: selection.weights[key].busy for key in profiles}
    names = {places[key]: selection.profiles[key] for key in profiles}
    found = selection.samples.unnamed(list(busy))
    by_run: dict[int, float] = defaultdict(float)
    for each in found:
        by_run[each.run] += each.weight
    shares = {
        run: weight / busy[run] for run, weight in by_run.items() if weight >= _LEAST * busy[run]
    }
    if not shares:
        return []
    whole = sum(busy[run] for run in shares)
    dsos: dict[str, float] = defaultdict(float)
    for each in found:
        dsos[each.dso] += each.weight if each.run in shares else 0.0
    runs = [names[run] for run in sorted(shares)]
    of = f" of {len(runs)} profiles" if len(runs) > 1 else ""
    said = f" ({runs[0]})" if len(runs) == 1 else ""
    return [f"{_extent(shares.values())} of the weight{of} has no name{_where(dsos, whole)}{said}"]


def _extent(shares: Iterable[float]) -> str:
    least, most = (_percent(end) for end in (min(shares), max(shares)))
    return most if least == most else f"{least} to {most}"


def _where(dsos: Mapping[str, float], whole: float) -> str:
    """What would name it, and the binaries it is in, heaviest first."""
    heavy = [dso for dso in dsos if dsos[dso] >= _LEAST * whole] or list(dsos)
    heavy.sort(key=lambda dso: (-dsos[dso], dso))
    options = sorted({_OPTIONS.get(binary(dso)[0], "") for dso in heavy} - {""})
    advice = f": ingest again with {' and '.join(options)}" if options else ""
    shown = ", ".join(f"{_percent(dsos[dso] / whole)} {dso}" for dso in heavy[:_MOST_DSOS])
    return f"{advice} ({shown}{', ...' if len(heavy) > _MOST_DSOS else ''})"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"

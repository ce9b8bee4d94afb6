"""What is hot, and the stacks behind it."""

from perfduck.opening import StoreFile
from perfduck.top_result import CallsResult, Export, TopResult
from perfduck_diff import calls as call_ranking
from perfduck_diff import top as ranking
from perfduck_diff.filters import Filters
from perfduck_diff.flame_input import alone
from perfduck_diff.keys import By, Side
from perfduck_diff.lacking import lacking_notes
from perfduck_diff.selection import select_samples
from perfduck_report.html import render_side
from perfduck_report.names import folded
from perfduck_store.protocol import Store
from perfduck_store.selector import select


def top(file: StoreFile, selector: str, by: By, limit: int, filters: Filters) -> TopResult:
    """The heaviest rows of the selected profiles, taken together."""
    with file.read() as store:
        return TopResult(ranking.top(store, selector, by, filters=filters, limit=limit))


def calls(
    file: StoreFile, selector: str, function: str, side: Side, limit: int, filters: Filters
) -> CallsResult:
    """The heaviest callers or callees of a function."""
    with file.read() as store:
        return CallsResult(
            call_ranking.calls(store, selector, function, side, filters=filters, limit=limit)
        )


def export(file: StoreFile, selector: str, format: str, filters: Filters) -> Export:
    """The stacks of the selected profiles in a format of EXPORTS."""
    with file.read() as store:
        return EXPORTS[format](store, selector, filters)


def _folded(store: Store, selector: str, filters: Filters) -> Export:
    groups = {"": select(store, selector, filters.where)}
    selection = select_samples(store, groups, filters, "comm")
    stacks = selection.samples.folded()
    text = "".join(f"{';'.join(map(folded, each.path))} {each.weight}\n" for each in stacks)
    return Export(text, (*selection.notes, *lacking_notes(store, selection)))


def _html(store: Store, selector: str, filters: Filters) -> Export:
    drawing = alone(store, selector, filters)
    notes = [note.text for note in drawing.notes]
    return Export(render_side(selector, drawing.profiles, drawing.flame, drawing.heat, notes), ())


EXPORTS = {"folded": _folded, "html": _html}

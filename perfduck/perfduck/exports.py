"""Stacks for other tools.

To add a format, write a function from store, selector and filters to Export, and put it into
EXPORTS.
"""

from dataclasses import dataclass
from pathlib import Path

from perfduck.opening import StorePlace
from perfduck_diff.filters import Filters
from perfduck_diff.flame_input import alone
from perfduck_diff.notes import lacking_notes
from perfduck_diff.selection import Note, select_samples
from perfduck_report.html import render_side
from perfduck_report.names import folded
from perfduck_store.protocol import Store
from perfduck_store.selector import select


@dataclass(frozen=True, slots=True, repr=False)
class Export:
    """Stacks for other tools. `notes`: what is merged, left out or narrowed, where the text has no
    place for it."""

    text: str
    notes: tuple[Note, ...] = ()

    def write(self, path: str | Path) -> None:
        """Write the text to a file, as UTF-8."""
        Path(path).write_text(self.text, encoding="utf-8")

    def __str__(self) -> str:
        return self.text


def export(file: StorePlace, selector: str, format: str, filters: Filters) -> Export:
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

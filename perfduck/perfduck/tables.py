"""Answers in text, markdown, csv and json; those that are rows: of `sql`, `profiles`, `noise`,
`symbols`."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfduck import parts
from perfduck_report import tables
from perfduck_report.screen import Screen, terminal

if TYPE_CHECKING:  # printing a few rows takes none
    import polars as pl


def screen_of(width: int | None, *, color: bool) -> Screen:
    """Where a text is read: a terminal of so many columns (80 to 250 are used), or None."""
    return Screen(colour=color) if width is None else terminal(width, colour=color)


class PrintedAnswer(ABC):
    """An answer that is printed as the command line prints it."""

    __slots__ = ()

    @abstractmethod
    def render(self, format: Any, *, width: int | None = None, color: bool = False) -> str:
        """The answer as text, markdown, csv or json; `width`: columns of a terminal, None for a
        pipe or a file, where nothing is shortened."""

    def to_text(self, *, width: int | None = None, color: bool = False) -> str:
        """Aligned columns, as the command prints them."""
        return self.render("text", width=width, color=color)

    def to_markdown(self) -> str:
        """The same as GitHub's markdown."""
        return self.render("markdown")

    def to_csv(self) -> str:
        """Comma-separated values with a heading; of a trend a row for each point and a column for
        each series, as Apache Otava reads it."""
        return self.render("csv")

    def to_json(self) -> str:
        """A list of objects; of a trend one object with every number."""
        return self.render("json")

    def __str__(self) -> str:
        return self.to_text()


class TableAnswer(PrintedAnswer):
    """An answer whose rows are a polars frame."""

    __slots__ = ()

    @property
    @abstractmethod
    def frame(self) -> "pl.DataFrame":
        """The rows."""

    def __len__(self) -> int:
        return len(self.frame)

    def _repr_html_(self) -> str:
        return parts.frames.html(self.frame)


@dataclass(frozen=True, slots=True, repr=False)
class Table(TableAnswer):
    """Rows with named columns; `as_text`: how they are printed for people; `notes`: what was
    selected and is not in them."""

    rows: tables.Answer
    as_text: Callable[[tables.Answer, Screen], str] = tables.text
    notes: tuple[str, ...] = ()

    @property
    def frame(self) -> "pl.DataFrame":
        """The rows as a polars frame."""
        return parts.frames.frame_of(self.rows)

    def render(self, format: str, *, width: int | None = None, color: bool = False) -> str:
        """The rows as text, markdown, csv or json."""
        screen = screen_of(width, color=color)
        form = self.as_text if format == "text" else tables.FORMATS[format]
        return form(self.rows, screen)

    def __repr__(self) -> str:
        return f"Table({len(self.rows.rows())} rows: {', '.join(self.rows.columns)})"

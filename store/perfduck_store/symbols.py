"""The functions that a DuckDB store knows."""

from typing import TYPE_CHECKING

from perfduck_store.query import named

if TYPE_CHECKING:
    import polars as pl

    from perfduck_store.store import Store


class DuckDbSymbols:
    """See protocol.Symbols."""

    def __init__(self, store: "Store") -> None:
        self._store = store

    def tagged(self) -> "pl.DataFrame":
        """[symbol_id, name, dso, canonical, area, subsystem, role] of all, by symbol_id."""
        return self._store.frame(named("tagged_symbols"))

    def is_known(self, function: str) -> bool:
        """Whether a function has this name, as a recording or as an answer shows it."""
        self._store.execute(named("shown_name"))
        return bool(self._store.rows(named("known_function"), {"function": function}))

    def similar(self, function: str) -> str | None:
        """The name most like this one, if any is much like it."""
        rows = self._store.rows(named("similar_function"), {"function": function})
        return rows[0][0] if rows else None

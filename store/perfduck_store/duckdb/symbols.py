"""The functions that a DuckDB store knows: of stacks, and of ELF files, which are read once."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from perfduck_store.duckdb.schema import named

if TYPE_CHECKING:
    import polars as pl

    from perfduck_store.duckdb.store import DuckDbStore

# Columns that DuckDB and Spark keep signed; addresses of a kernel use the highest bit.
_UNSIGNED = ("address", "offset", "size")


class DuckDbSymbols:
    """See protocol.Symbols."""

    def __init__(self, store: "DuckDbStore") -> None:
        self._store = store

    def tagged(self) -> "pl.DataFrame":
        """[symbol_id, name, dso, canonical, area, subsystem, role, class] of all, by symbol_id."""
        return self._store.frame(named("tagged_symbols"))

    def is_known(self, function: str) -> bool:
        """Whether a function has this name, as a recording or as an answer shows it."""
        self._store.execute(named("dialect"))
        return bool(self._store.rows(named("known_function"), {"function": function}))

    def similar(self, function: str) -> str | None:
        """The name most like this one, if any is much like it."""
        rows = self._store.rows(named("similar_function"), {"function": function})
        return rows[0][0] if rows else None

    def all(self) -> "pl.DataFrame":
        """Table symbol, by symbol_id."""
        return self._store.frame(named("symbols"))

    def called(self, names: Iterable[str]) -> "pl.DataFrame":
        """Rows of table symbol with these canonical names."""
        return self._store.frame(named("symbols_called"), {"names": list(names)})

    def of_kernel(self, release: str) -> "pl.DataFrame":
        """[profile_id, symbol_id, name, dso, address] of the kernel itself in profiles of a
        release."""
        return self._store.frame(named("kernel_symbols"), {"release": release})

    def stacks(self) -> "pl.DataFrame":
        """Table stack, by stack_id."""
        return self._store.frame(named("stacks"))

    def replace_tags(self, tagged: "pl.DataFrame", blamed: "pl.DataFrame") -> None:
        """Tags of rows of table symbol, and rows of stack_blame, in place of those with the same
        ids, in a transaction of the caller."""
        self._store.make_room(len(blamed))
        self._store.execute_on(tagged, named("replace_tags"))
        self._store.execute_on(blamed, named("replace_blame"))

    def functions_of(self, dsos: Iterable[str]) -> "pl.DataFrame":
        """[dso, build_id, address, offset, size, name, section, source_file] of the ELF files that
        were read for these dsos."""
        rows = self._store.frame(named("functions_of"), {"dsos": sorted(set(dsos))})
        return rows.with_columns(rows[name].reinterpret(signed=False) for name in _UNSIGNED)

    def known_binaries(self, dsos: Iterable[str]) -> set[str]:
        """Those of the dsos whose functions are stored."""
        rows = self._store.rows(named("known_binaries"), {"dsos": sorted(set(dsos))})
        return {dso for (dso,) in rows}

    def keep_functions(self, functions: "pl.DataFrame") -> None:
        """Store the functions of whole dsos, in place of what was known of them, in a transaction
        of the caller."""
        if functions.is_empty():
            return
        dsos = functions["dso"].unique().to_list()
        self._store.execute(named("forget_functions"), {"dsos": dsos})
        signed = (functions[name].reinterpret(signed=True) for name in _UNSIGNED)
        self._store.insert("elf_function", functions.with_columns(signed))

    def binaries(self) -> "pl.DataFrame":
        """[dso, build_id, functions, with_source] of the ELF files that were read, by dso."""
        return self._store.frame(named("binaries"))

    def leaf_offsets(self, profile_id: int, symbols: Iterable[int]) -> "pl.DataFrame":
        """Rows of table leaf_offset of a profile, of the symbols with these ids."""
        keys = {"profile_id": profile_id, "symbols": list(symbols)}
        return self._store.frame(named("leaf_offsets_of"), keys)

    def keep_artefacts(self, profile_id: int, artefacts: "pl.DataFrame") -> None:
        """Store rows of table artefact without its profile_id, in a transaction of the caller."""
        if len(artefacts):
            self._store.insert("artefact", artefacts, f"{profile_id}::bigint as profile_id, *")

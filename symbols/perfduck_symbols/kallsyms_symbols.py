"""The symbols that perf makes of a kernel's /proc/kallsyms.

    ffffffff81000000 T _stext
    ffffffff81000000 T _text
    ffffffffc0a41000 t nf_ct_get_tuple	[nf_conntrack]

They have no sizes: each ends where the next begins. Of several at the same address perf keeps the
last, the only one that is left with a length. It keeps data as well as code.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from perfduck_symbols import kallsyms
from perfduck_symbols.addresses import Svmas, SymbolTable, page_behind

_KINDS = tuple("TtWwDdBb")


@dataclass(frozen=True, slots=True)
class KernelSymbols:
    """The symbols of a kernel and its modules."""

    table: pl.DataFrame  # [address, end, name, module], one for each address
    rows: pl.DataFrame  # kallsyms.rows

    def part(self, module: str) -> SymbolTable[Svmas]:
        """The symbols of the kernel itself (''), or of a module: `[nf_conntrack]`."""
        own = pl.col("module").is_null() if not module else pl.col("module") == module.strip("[]")
        chosen = self.table.filter(own)
        names = chosen["name"]
        starts, ends = Svmas(chosen["address"].to_numpy()), chosen["end"].to_numpy()
        return SymbolTable(starts, ends, lambda place: str(names[place]))

    def code(self, module: str) -> "np.typing.NDArray[np.uint64]":
        """Where the functions of a module begin."""
        own = pl.col("module") == module.strip("[]")
        return self.rows.filter(own, pl.col("kind").is_in(["T", "t"]))["address"].to_numpy()

    def address(self, name: str) -> int | None:
        """Where a function of the kernel itself is."""
        return kallsyms.address_of(self.rows, name)


def kernel_symbols(raw: bytes) -> KernelSymbols:
    """Read the text; lines that are no symbols are left out."""
    return symbols_of(kallsyms.rows(raw.decode("utf-8", "backslashreplace")))


def symbols_of(every: pl.DataFrame) -> KernelSymbols:
    """The symbols among kallsyms.rows."""
    rows = every.drop_nulls("address")
    # Mapping symbols of ARM begin with a dollar.
    kept = pl.col("kind").is_in(_KINDS) & ~pl.col("name").str.starts_with("$")
    ordered = rows.filter(kept).sort("address", maintain_order=True)
    addresses = ordered["address"].to_numpy()
    # Between the kernel and its modules there are gigabytes of nothing.
    of_module = pl.col("module").is_not_null()
    border = (of_module != of_module.shift(-1)).fill_null(value=True)
    end = (
        pl.when(border).then(pl.lit(page_behind(addresses))).otherwise(pl.col("address").shift(-1))
    )
    table = ordered.select("address", end.alias("end"), "name", "module")
    return KernelSymbols(table.unique("address", keep="last", maintain_order=True), rows)

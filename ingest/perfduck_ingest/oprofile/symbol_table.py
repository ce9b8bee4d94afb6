"""From the keys of a sample file to functions.

    key 0x3a2390 of /proc/kallsyms: ip - address of _stext      finish_task_switch.isra.0 + 0x10
    key 0x1640   of a file: the offset in the file              now_loop(int) + 0x12

A table holds the functions of one image by the key at which each begins.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from perfduck_model.arrays import UInt64
from perfduck_symbols.intervals import Intervals
from perfduck_symbols.kallsyms import last_of_each
from perfduck_symbols.names import KERNEL, UNKNOWN

# Where a page begins: memory for modules is given out in pages.
_PAGE = 4096


@dataclass(frozen=True)
class ImageSymbols(Intervals[UInt64]):
    """Functions by key. `base` is added to the key of an address without a name. `dsos` are those
    of functions that the image's own name does not say."""

    names: pl.Series
    base: int = 0
    dsos: pl.Series | None = None

    def resolve(self, keys: UInt64) -> pl.DataFrame:
        """[name, dso, address, offset] of each key: address where there is no name, else offset;
        the dso is null where it is the image's."""
        index = self.find(keys)
        known = index >= 0
        offsets = keys - self.starts[index] if len(self.starts) else np.zeros_like(keys)
        with np.errstate(over="ignore"):
            addresses = (keys + np.uint64(self.base)).view(np.int64)
        picked = pl.Series(np.where(known, index, 0)) if len(self.starts) else None
        names = self.names.gather(picked) if picked is not None else pl.Series([UNKNOWN])
        has_dsos = self.dsos is not None and picked is not None
        dsos = self.dsos.gather(picked) if has_dsos else None  # type: ignore[union-attr,arg-type]
        return pl.select(
            pl.lit(pl.Series(known)).alias("known"),
            pl.lit(pl.Series(addresses)).alias("address"),
            pl.lit(pl.Series(offsets.view(np.int64))).alias("offset"),
        ).select(
            pl.when("known").then(pl.lit(names)).otherwise(pl.lit(UNKNOWN)).alias("name"),
            pl.when("known").then(pl.lit(dsos, pl.String)).alias("dso"),
            pl.when(~pl.col("known")).then("address").alias("address"),
            pl.when("known").then("offset").alias("offset"),
        )


EMPTY = ImageSymbols(
    np.array([], np.uint64), np.array([], np.uint64), pl.Series([], dtype=pl.String)
)


def of_kernel(symbols: pl.DataFrame, base: int, end: int | None) -> ImageSymbols:
    """The functions of kallsyms, by address, as offsets from `base`. Each reaches to the next one;
    of several names at one address the last line's is taken, as opreport does."""
    own = symbols.filter(pl.col("module").is_null() & (pl.col("address") >= base))
    own = own if end is None else own.filter(pl.col("address") < end)
    last = last_of_each(own)
    starts = last["address"].to_numpy() - np.uint64(base)
    limit = end - base if end is not None else int(starts[-1]) + _PAGE if len(starts) else 0
    return ImageSymbols(starts, np.append(starts[1:], np.uint64(limit)), last["name"], base)


def of_addresses(symbols: pl.DataFrame) -> ImageSymbols:
    """The functions of kallsyms, of modules too, by their addresses. Each reaches to the next one,
    the last of a module to the end of its page at most."""
    last = last_of_each(symbols)
    ends = last.select(
        pl.when(pl.col("module").eq_missing(pl.col("module").shift(-1)))
        .then(pl.col("address").shift(-1))
        .otherwise(pl.min_horizontal(pl.col("address").shift(-1), pl.col("address") + _PAGE))
        .fill_null(pl.col("address") + _PAGE)
    ).to_series()
    dsos = last.select(pl.format("[{}]", pl.col("module").fill_null(KERNEL.strip("[]"))))
    starts = last["address"].to_numpy()
    return ImageSymbols(starts, ends.to_numpy(), last["name"], dsos=dsos.to_series())


def of_module(symbols: pl.DataFrame, module: str) -> ImageSymbols | None:
    """The functions of a module as offsets from where its code was loaded, which stands nowhere:
    the beginning of the page of its first function."""
    own = symbols.filter(pl.col("module") == module)
    if own.is_empty():
        return None
    first = int(own["address"].min())  # type: ignore[arg-type]
    return of_kernel(own.with_columns(module=pl.lit(None, pl.String)), first // _PAGE * _PAGE, None)


def of_functions(functions: pl.DataFrame, column: str, base: int) -> ImageSymbols:
    """The functions of an ELF file by `column` (file_offset or address), counted from `base`."""
    after = functions.filter(pl.col(column) >= base).sort(column)
    starts = after[column].to_numpy() - np.uint64(base)
    return ImageSymbols(starts, starts + after["size"].to_numpy(), after["name"])

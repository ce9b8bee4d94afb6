"""A stored recording read again with other names: whether they are better, and making room for
them. What the user said of the recording (name, work, labels, attachments) stays."""

from typing import TYPE_CHECKING

import polars as pl

from perfduck_store.duckdb.schema import named

if TYPE_CHECKING:
    from perfduck_store.duckdb.store import DuckDbStore

UNKNOWN = "[unknown]"
# What is made of stacks and symbols. Events, skipped input and the profile itself stay as they are.
_OF_NAMES = ("sample", "rollup", "leaf_offset", "artefact", "edge", "recorded_binary")


def better(
    store: "DuckDbStore",
    profile_id: int,
    symbols: pl.DataFrame,
    stacks: pl.DataFrame,
    inlined: int | None,
    *,
    given: bool,
) -> str | None:
    """What would be better, in words, if these symbols and stacks were those of the profile: fewer
    functions without a name; or as many, but others, where names were `given`, or another number of
    samples with `inlined` functions. None where nothing is."""
    old = store.frame(named("used_symbols"), {"profile_id": profile_id})
    used = pl.DataFrame({"symbol_id": stacks["symbol_ids"].explode().unique()})
    new = symbols.join(used, on="symbol_id", how="semi")
    before, after = int((~old["is_named"]).sum()), len(new.filter(name=UNKNOWN))
    changed = len(new.join(old, on="symbol_id", how="anti"))
    [(old_inlined,)] = store.rows(named("inlined"), {"profile_id": profile_id})
    counts = f"; inlined functions in {inlined or 0:,} samples, {old_inlined or 0:,} before"
    is_inlined_otherwise = (inlined or 0) != (old_inlined or 0)
    changed += given and is_inlined_otherwise
    if not changed or after > before or (after == before and not given):
        return None
    text = f"resolved again: {after:,} of {len(new):,} functions without a name, {before:,} before"
    return text + counts if is_inlined_otherwise else text


def forget(store: "DuckDbStore", profile_id: int) -> None:
    """Delete what is made of the names of a profile, in a transaction of the caller."""
    for table in _OF_NAMES:
        store.execute(f"delete from {table} where profile_id = $key", {"key": profile_id})
    store.execute(named("forget_limitations"), {"profile_id": profile_id})

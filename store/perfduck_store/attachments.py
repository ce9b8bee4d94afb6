"""Files kept with a profile, and the rows that were read off them."""

from collections.abc import Mapping

import polars as pl

from perfduck_store.store import Store, named


def keep(
    store: Store,
    profile_id: int,
    kind: str,
    source: str,
    text: str,
    rows: Mapping[str, pl.DataFrame],
) -> str | None:
    """Keep a file of a kind in place of the one before, in a transaction of the caller; `rows`: by
    table. What that changed, in words; None where the profile has this very text."""
    key = {"profile_id": profile_id, "kind": kind}
    before = store.rows(named("attached"), key)
    if before == [(text,)]:
        return None
    if before:
        store.execute(named("detach"), key)
    store.execute(named("attach"), {**key, "source": source, "text": text})
    for table, read in rows.items():
        store.execute(f"delete from {table} where profile_id = $p", {"p": profile_id})
        if not read.is_empty():
            store.insert(table, read.with_columns(pl.lit(profile_id).alias("profile_id")))
    return f"{kind} {'replaced' if before else 'attached'}"

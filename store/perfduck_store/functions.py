"""Functions of ELF files, kept so that a file is read once, and tags that are given again."""

from collections.abc import Iterable

import polars as pl

from perfduck_store.store import Store, named

# Columns that DuckDB and Spark keep signed; addresses of a kernel use the highest bit.
_UNSIGNED = ("address", "offset", "size")


def known(store: Store, dsos: Iterable[str]) -> pl.DataFrame:
    """[dso, build_id, address, offset, size, name, section, source_file] of these dsos."""
    rows = store.frame(named("functions_of"), {"dsos": sorted(set(dsos))})
    return rows.with_columns(pl.col(_UNSIGNED).reinterpret(signed=False))


def known_binaries(store: Store, dsos: Iterable[str]) -> set[str]:
    """Those of the dsos whose functions are stored."""
    rows = store.rows(named("known_binaries"), {"dsos": sorted(set(dsos))})
    return {dso for (dso,) in rows}


def keep(store: Store, functions: pl.DataFrame) -> None:
    """Store the functions of whole dsos, in place of what was known of them."""
    if functions.is_empty():
        return
    store.execute(
        "delete from elf_function where dso in (select unnest($dsos::varchar[]))",
        {"dsos": functions["dso"].unique().to_list()},
    )
    store.insert("elf_function", functions.with_columns(pl.col(_UNSIGNED).reinterpret(signed=True)))


def symbols(store: Store) -> pl.DataFrame:
    """All rows of table symbol."""
    return store.frame("select * from symbol order by symbol_id")


def of_kernel(store: Store, release: str) -> pl.DataFrame:
    """[profile_id, symbol_id, name, dso, address] of the kernel itself in profiles of a release."""
    return store.frame(named("kernel_symbols"), {"release": release})


def replace_tags(store: Store, tagged: pl.DataFrame, charged: pl.DataFrame) -> None:
    """New rows of symbol and stack_blame in place of those with the same ids, in a transaction of
    the caller."""
    store.make_room(len(charged))
    for table, key, frame in (
        ("symbol", "symbol_id", tagged),
        ("stack_blame", "stack_id", charged),
    ):
        columns = ", ".join(f"{name} = new.{name}" for name in frame.columns if name != key)
        store.stage("new_rows", frame)
        store.execute(
            f"update {table} set {columns} from new_rows as new where {table}.{key} = new.{key}"
        )


def stacks(store: Store) -> pl.DataFrame:
    """All rows of table stack."""
    return store.frame("select * from stack order by stack_id")


def releases(store: Store) -> list[str]:
    """Kernel releases of the profiles, the one of most profiles first."""
    rows = store.rows(
        "select kernel_release from profile where kernel_release is not null"
        " group by kernel_release order by count(*) desc, kernel_release"
    )
    return [release for (release,) in rows]


def binaries(store: Store) -> pl.DataFrame:
    """[dso, build_id, functions, with_source] of the ELF files that were read."""
    return store.frame(
        "select dso, any_value(build_id) as build_id, count(*) as functions,"
        " count(source_file) as with_source from elf_function group by dso order by dso"
    )

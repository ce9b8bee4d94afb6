"""A recording that is stored without names and ingested again with them is resolved again."""

from pathlib import Path

import pytest
from test_recordings import FIXTURES, OPTIONS

from perfduck.attachments import read
from perfduck.ingestion import IngestRequest, ingest
from perfduck_ingest.importer import ImportOptions
from perfduck_ingest.work import Work
from perfduck_store.duckdb.store import DuckDbStore

RECORDING = str(FIXTURES / "chains" / "recording.data.xz")
NAMES = ImportOptions(**OPTIONS)  # type: ignore[arg-type]
TABLES = ("sample", "rollup", "leaf_offset", "artefact", "limitation", "event", "skipped")
IDS = ("symbol", "stack", "stack_symbol", "stack_blame")


def contents(store: DuckDbStore) -> dict[str, list[tuple[object, ...]]]:
    return {table: store.rows(f"select * from {table} order by all") for table in (*TABLES, *IDS)}


@pytest.fixture
def named(tmp_path: Path) -> dict[str, list[tuple[object, ...]]]:
    """What the store has where names were given at once."""
    with DuckDbStore(tmp_path / "named.duckdb", write=True) as store:
        ingest(store, IngestRequest(RECORDING, options=NAMES))
        return contents(store)


@pytest.mark.slow
def test_the_second_ingest_leaves_what_the_first_would_have(
    store_path: Path, tmp_path: Path, named: dict[str, list[tuple[object, ...]]]
) -> None:
    (tmp_path / "note").write_text("of the run")
    request = IngestRequest(
        RECORDING, "run", Work(7, "packet"), {"k": "v"},
        attachments=(read(f"note={tmp_path / 'note'}"),),
    )  # fmt: skip
    with DuckDbStore(store_path, write=True) as store:
        ingest(store, request)
        before = store.rows("select * from profile"), store.rows("select * from attachment")
        nothing = ingest(store, IngestRequest(RECORDING))
        assert (nothing.is_renamed, nothing.changes) == (False, ())
        receipt = ingest(store, IngestRequest(RECORDING, options=NAMES))
        assert receipt.is_renamed
        assert not receipt.is_new
        assert receipt.changes[0].startswith("resolved again: ")
        assert contents(store) == named
        assert (
            store.rows("select * from profile"),
            store.rows("select * from attachment"),
        ) == before


@pytest.mark.slow
def test_names_are_not_given_up_for_worse_ones(
    store_path: Path, named: dict[str, list[tuple[object, ...]]]
) -> None:
    with DuckDbStore(store_path, write=True) as store:
        ingest(store, IngestRequest(RECORDING, options=NAMES))
        worse = ingest(
            store, IngestRequest(RECORDING, options=ImportOptions(kallsyms=OPTIONS["kallsyms"]))
        )  # type: ignore[arg-type]
        assert (worse.is_renamed, worse.changes) == (False, ())
        assert not ingest(store, IngestRequest(RECORDING)).is_renamed
        assert contents(store) == named

"""The recordings in fixtures/, and what the perf script importer makes of them."""

import io
import lzma
from pathlib import Path

import polars as pl
from msgspec.structs import replace

from perfduck_ingest.importer import ImportOptions
from perfduck_ingest.perf_script import importer
from perfduck_ingest.source import Source
from perfduck_model.batch import Batch

ROOT = Path(__file__).parent.parent
FIXTURES = ROOT / "fixtures"


def text_of(folder: Path) -> bytes:
    """The input of a fixture folder."""
    packed = folder / "input.txt.xz"
    return lzma.decompress(packed.read_bytes()) if packed.exists() else _plain(folder)


def _plain(folder: Path) -> bytes:
    return (folder / "input.txt").read_bytes()


def parsed(text: bytes, *, lenient: bool = False, name: str = "input.txt") -> Batch:
    """What the importer makes of perf script text, in one batch."""
    source = Source(name, io.BytesIO(text))
    assert importer.open(source)
    batches = list(importer.open(source).batches(ImportOptions(lenient=lenient)))
    return Batch(
        samples=pl.concat([batch.samples for batch in batches]),
        symbols=pl.concat([batch.symbols for batch in batches]),
        stacks=pl.concat([batch.stacks for batch in batches]),
        leaf_offsets=pl.concat([batch.leaf_offsets for batch in batches]),
        skipped=pl.concat([batch.skipped for batch in batches]),
        facts=replace(
            batches[-1].facts,
            limitations={k: v for batch in batches for k, v in batch.facts.limitations.items()},
        ),
    )


def named_chains(batch: Batch) -> pl.DataFrame:
    """The samples with `leaf`, `dso` and `chain` (names, leaf first) in place of the stack id."""
    names = dict(batch.symbols.select("symbol_id", "name").iter_rows())
    dsos = dict(batch.symbols.select("symbol_id", "dso").iter_rows())
    chains = {
        key: ([names[i] for i in ids], [dsos[i] for i in ids]) for key, ids in batch.stacks.rows()
    }
    rows = [chains[key] for key in batch.samples["stack_id"]]
    return batch.samples.drop("stack_id").with_columns(
        pl.Series("chain", [chain for chain, _ in rows], pl.List(pl.String)),
        pl.Series("leaf", [chain[0] for chain, _ in rows], pl.String),
        pl.Series("dso", [dsos[0] for _, dsos in rows], pl.String),
    )

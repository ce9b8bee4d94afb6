"""A recording that has been read and is in no store yet: what importers yield, collected.

    SampleBatch, SampleBatch, ... -> Draft -> one transaction of an open store (writer.py)

No store is open meanwhile: a recording that comes through a pipe takes as long as the program that
is recorded. The id of a profile is that of the whole recording, so its samples cannot go into their
table before the end, and a recording may be larger than memory: samples go to disk in sorted runs,
and skipped input beyond some megabytes; symbols, stacks, arcs and leaf offsets stay in memory, each
distinct one once.
"""

from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Self

import numpy as np
import polars as pl
from msgspec.structs import replace

from perfduck_model.batch import EDGE, LEAF_OFFSET, SKIPPED, STACK, SYMBOL, Batch, Facts, merged
from perfduck_model.errors import room_on_disk
from perfduck_model.limits import limits

_ADDED_UP = ("lost", "inlined_samples", "build_ids", "labels", "events", "limitations")  # of facts
_MOST_OF_A_LINE = 1000  # characters; a line that is skipped may have megabytes
_OFFSETS_AT_ONCE = 250_000  # 10 MB; 635,000 samples have 43,000 that differ
_SKIPPED_AT_ONCE = 50_000  # of 100 characters each, 5 MB


class Draft:
    """Collects the batches of one recording; close it, or use it as a context manager."""

    def __init__(self, folder: Path) -> None:
        """`folder`: where temporary files go, which end with the process."""
        self.facts = Facts()
        self.samples = 0
        self.skipped = 0  # lines
        self._folder = folder
        self._spill = SampleSpill(folder)
        self._times: list[int] = []  # ns; of the first and the last sample of batches
        self._symbols = [pl.DataFrame(schema=SYMBOL)]
        self._stacks = [pl.DataFrame(schema=STACK)]
        self._edges = [pl.DataFrame(schema=EDGE)]
        self._leaf_offsets = [pl.DataFrame(schema=LEAF_OFFSET)]
        self._offsets = 0  # that were added to them since they were added up
        self._skipped = [pl.DataFrame(schema=SKIPPED)]
        self._skipped_rows = 0  # of them
        self._skipped_files: list[IO[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the temporary files."""
        self._spill.close()
        for file in self._skipped_files:
            file.close()

    def add(self, batch: Batch) -> None:
        """Keep the rows of a batch."""
        self._spill.add(batch.samples)
        self._symbols.append(batch.symbols)
        self._stacks.append(batch.stacks)
        self._edges.append(batch.edges)
        self._add_leaf_offsets(batch.leaf_offsets)
        self._add_skipped(batch.skipped)
        self.samples += int(batch.samples["count"].cast(pl.Int128).sum())
        times = batch.samples.select(first=pl.min("time_ns"), last=pl.max("time_ns"))
        self._times += [time for time in times.row(0) if time is not None]
        self.facts = _merged(self.facts, batch.facts)

    def ran(self, kernel_release: str | None) -> None:
        """Which kernel the recording is of."""
        self.facts = replace(self.facts, kernel_release=kernel_release)

    @property
    def duration_s(self) -> float | None:
        """What the recording says it lasted, else the time of its samples so far; None where it has
        no times."""
        if self.facts.duration_s is None and self._times:
            return (max(self._times) - min(self._times)) / 1e9
        return self.facts.duration_s

    @property
    def event_count(self) -> int:
        """How many events the samples so far have."""
        return len(self._spill.events)

    @cached_property
    def symbols(self) -> pl.DataFrame:
        """SYMBOL, each once, by id; to be asked for when all batches are there."""
        return _distinct(self._symbols)

    @cached_property
    def stacks(self) -> pl.DataFrame:
        """STACK, each once, by id; to be asked for when all batches are there."""
        return _distinct(self._stacks)

    @property
    def edges(self) -> pl.DataFrame:
        """EDGE, as the batches had them."""
        return pl.concat(self._edges)

    @property
    def leaf_offsets(self) -> pl.DataFrame:
        """LEAF_OFFSET; some places come several times."""
        return pl.concat(self._leaf_offsets)

    def take_samples(self) -> Iterator[pl.DataFrame]:
        """SAMPLE, in sorted runs that fit into memory. Once only."""
        return self._spill.take()

    def take_skipped(self) -> Iterator[pl.DataFrame]:
        """SKIPPED, in the order in which it was read, in parts that fit into memory."""
        for file in self._skipped_files:
            file.seek(0)
            yield pl.read_ipc(file)
        yield pl.concat(self._skipped)

    def _add_leaf_offsets(self, rows: pl.DataFrame) -> None:
        self._leaf_offsets.append(rows)
        self._offsets += len(rows)
        if self._offsets > _OFFSETS_AT_ONCE:
            place = ("event", "symbol_id", "offset")
            self._leaf_offsets = [self.leaf_offsets.group_by(place).agg(pl.sum("count", "weight"))]
            self._offsets = 0

    def _add_skipped(self, rows: pl.DataFrame) -> None:
        if rows.is_empty():
            return
        short = pl.col("text").str.head(_MOST_OF_A_LINE)
        self._skipped.append(rows.with_columns(short).sort("line", maintain_order=True))
        self._skipped_rows += len(rows)
        self.skipped += len(rows)
        if self._skipped_rows > _SKIPPED_AT_ONCE:  # with --lenient that may be most of a recording
            file = TemporaryFile(dir=self._folder)  # noqa: SIM115 - close() closes it
            self._skipped_files.append(file)
            with room_on_disk(self._folder):
                pl.concat(self._skipped).write_ipc(file, compression="lz4")
            self._skipped, self._skipped_rows = [pl.DataFrame(schema=SKIPPED)], 0


def _distinct(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """One row for each id, the first column, in their order."""
    rows = pl.concat(frames, rechunk=True)
    frames.clear()
    return rows[np.unique(rows.to_series(0).to_numpy(), return_index=True)[1]]


def _merged(old: Facts, new: Facts) -> Facts:
    said = {
        name: value
        for name in Facts.__struct_fields__
        if name not in _ADDED_UP and (value := getattr(new, name)) is not None
    }
    return replace(
        old,
        **said,
        lost=old.lost + new.lost,
        inlined_samples=_sum(old.inlined_samples, new.inlined_samples),
        build_ids=old.build_ids | new.build_ids,
        labels=old.labels | new.labels,
        events=old.events | new.events,
        limitations=merged(old.limitations, new.limitations),
    )


def _sum(old: int | None, new: int | None) -> int | None:
    return new if old is None else old + (new or 0)


def _temporary(folder: Path) -> IO[bytes]:
    return TemporaryFile(dir=folder)


class SampleSpill:
    """Holds one run in memory. What is put on disk goes with the process, however that ends."""

    def __init__(
        self,
        folder: Path,
        rows: int | None = None,
        new_file: Callable[[Path], IO[bytes]] = _temporary,
    ) -> None:
        """`folder`: where the runs go; `rows` of a run, else limits.rows_of_a_run."""
        self._new_file = new_file
        self._most_rows = rows or limits.rows_of_a_run
        self._folder = folder
        self._files: list[IO[bytes]] = []
        self.events: set[int] = set()  # codes of their names
        self._waiting: list[pl.DataFrame] = []
        self._rows = 0

    def add(self, samples: pl.DataFrame) -> None:
        """Keep the rows of a batch."""
        # 4 bytes a word in place of 16, and no text that the words were cut from.
        rows = samples.with_columns(pl.col("event", "comm", "cgroup").cast(pl.Categorical))
        self.events.update(rows["event"].to_physical().unique())
        while len(rows):
            some = rows[: self._most_rows - self._rows]
            self._waiting.append(some)
            self._rows += len(some)
            if self._rows == self._most_rows:
                self._put_away()
            rows = rows[len(some) :]

    def take(self) -> Iterator[pl.DataFrame]:
        """All rows, run by run; in each by stack and time."""
        if self._files and self._waiting:
            self._put_away()  # one run at a time in memory
        for file in self._files:
            with file:
                file.seek(0)
                yield pl.read_ipc(file)
        if self._waiting:
            yield self._run()

    def close(self) -> None:
        """Remove what is on disk."""
        for file in self._files:
            file.close()

    def _put_away(self) -> None:
        file = self._new_file(self._folder)
        with room_on_disk(self._folder):
            self._run().write_ipc(file, compression="lz4")
        self._files.append(file)

    def _run(self) -> pl.DataFrame:
        """What is in memory, sorted. numpy takes half the time of polars for that, and gathering
        from many pieces twice that from one."""
        rows = pl.concat(self._waiting)
        self._waiting, self._rows = [], 0
        times = rows["time_ns"].fill_null(0).to_numpy()
        order = np.lexsort((times, rows["stack_id"].to_numpy()))
        # Column by column, and each is freed: 30 MB less at the peak of a large import.
        return pl.DataFrame([rows.drop_in_place(name).rechunk()[order] for name in rows.columns])

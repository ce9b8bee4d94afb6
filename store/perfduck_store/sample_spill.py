"""The samples of a profile until its last is read: compact, in sorted runs, on disk if several.

The id of a profile is that of the whole recording, so its samples cannot go into their table before
the end; and a recording may be larger than memory.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import numpy as np
import polars as pl

from perfduck_model.errors import room_on_disk

# 30 MB, and whole row groups of DuckDB: where runs end within one, the commit writes all samples
# again, and leaves a file of twice the size. Twice as many take 60 MB more at the end of 2.7 GB of
# text, and 4 % off the file.
_ROWS = 4 * 122_880


class SampleSpill:
    """Holds one run in memory. What is put on disk goes with the process, however that ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: list[IO[bytes]] = []
        self._waiting: list[pl.DataFrame] = []
        self._rows = 0

    def add(self, samples: pl.DataFrame) -> None:
        """Keep the rows of a batch."""
        # 4 bytes a word in place of 16, and no text that the words were cut from.
        rows = samples.with_columns(pl.col("event", "comm", "cgroup").cast(pl.Categorical))
        while len(rows):
            some = rows[: _ROWS - self._rows]
            self._waiting.append(some)
            self._rows += len(some)
            if self._rows == _ROWS:
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
        file = TemporaryFile(dir=self._folder)  # noqa: SIM115 - take() closes it
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

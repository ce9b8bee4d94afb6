"""What is said of parts that a compaction deleted while somebody read them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from perfduck_model.errors import PerfduckError
from perfduck_store.lake.files import LakeFiles
from perfduck_store.lake.log import LakeState, newest_generation
from perfduck_store.lake.storage import PartIsMissing

# What DuckDB says of a part that was there when its view was made.
_GONE = re.compile(r'(?:No files found that match the pattern|Cannot open file) "(.+?\.parquet)"')


@contextmanager
def told_of_compactions(files: LakeFiles, state: LakeState) -> Iterator[None]:
    """Parts that are missing now are a line that says why."""
    try:
        yield
    except PerfduckError as error:
        missing = error if isinstance(error, PartIsMissing) else _missing(str(error))
        if missing is None:
            raise
        if newest_generation(files) == state.generation:
            raise missing from error.__cause__
        expected = "a part that stays until the command ends (compact --keep)"
        got = "a compaction that deleted it meanwhile: ask again"
        raise PerfduckError.at(missing.where, expected=expected, got=got) from error


def _missing(text: str) -> PartIsMissing | None:
    match = _GONE.search(text)
    return PartIsMissing.of(match[1], "no such file") if match else None

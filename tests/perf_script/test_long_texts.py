"""Texts with lines too long, and with more lines than are parsed at once."""

from pathlib import Path

import pytest
from rows import mostly_slow
from set_limits import SetLimits

from perfduck.ingestion import IngestRequest, ingest
from perfduck_ingest.importer import ImportOptions
from perfduck_model.errors import PerfduckError
from perfduck_model.limits import limits
from perfduck_store.duckdb.store import DuckDbStore

SAMPLE = (
    "x 1 [000] 1.500000: 1001001 cpu-clock: \n"
    "\tffffffff821f2fa7 f+0xd7 ([kernel.kallsyms])\n"
    "\tffffffff821f2fb7 g+0xd7 ([kernel.kallsyms])\n\n"
)
LONG = "a" * (limits.longest_line + 1)


@pytest.mark.slow
@pytest.mark.parametrize("lenient", mostly_slow([False, True], 8))
@pytest.mark.parametrize("behind", ["\n" + SAMPLE, "\n" + SAMPLE * 20_000, "", "a" * (30 << 20)])
@pytest.mark.parametrize("before", ["", "\t", "x 1 [000] 1.500000: 1 "])
def test_a_line_too_long_is_refused_by_its_number(
    before: str, behind: str, lenient: bool, tmp_path: Path, store_path: Path
) -> None:
    path = tmp_path / "x.txt"
    path.write_text(SAMPLE * 10 + before + LONG + behind)
    request = IngestRequest(str(path), options=ImportOptions(lenient=lenient))
    with (
        DuckDbStore(store_path, write=True) as store,
        pytest.raises(PerfduckError, match=r"x\.txt:41: expected lines of at most 8 MB, got a"),
    ):
        ingest(store, request)


@pytest.mark.slow
@pytest.mark.parametrize("filling", mostly_slow(["", "\n", "\t\n"], 3))
def test_more_lines_than_are_parsed_at_once_are_the_same_samples(
    filling: str, tmp_path: Path, set_limits: SetLimits
) -> None:
    (tmp_path / "x.txt").write_text((SAMPLE * 3 + filling * 2000 + "odd\n\n") * 50)
    answers = []
    for most in (1 << 20, 1000):
        set_limits(most_lines_at_once=most)
        with DuckDbStore(tmp_path / f"{most}.duckdb", write=True) as store:
            options = ImportOptions(lenient=True)
            ingest(store, IngestRequest(str(tmp_path / "x.txt"), options=options))
            answers.append(store.rows("from sample order by all") + store.rows("from skipped"))
    assert answers[0] == answers[1]
    odd = [row for row in answers[0] if "odd" in row]
    assert len(odd) == 50
    assert sum(row[-2] for row in answers[0] if row not in odd and "\t" not in row) == 150

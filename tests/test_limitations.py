"""What a recording holds that could not be read is kept with it and said with every answer."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from recordings import FIXTURES

from perfduck.ingestion import IngestRequest, ingest
from perfduck_diff.answer import DiffRequest, compare_profiles, resolve_sides
from perfduck_diff.top import top
from perfduck_ingest.importer import ImportOptions
from perfduck_ingest.perf_script import importer
from perfduck_ingest.source import Source
from perfduck_model.batch import Batch, Facts
from perfduck_model.limitation import Limitation
from perfduck_store.limitation import limitations
from perfduck_store.store import Store

RUNS = [str(FIXTURES / "demo" / f"native.udp64.{number}.txt.xz") for number in (1, 2)]
CALLERS = "user callers were recorded as DWARF stacks and are not unwound"
NAMES = "48 % of the weight has no name: give --kallsyms or --symbols"


@pytest.fixture
def limited(store_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Two recordings whose importer says in two batches what it could not read."""
    read = importer.read

    def says_more(source: Source, options: ImportOptions) -> Iterator[Batch]:
        yield from read(source, options)
        for samples in (1200, 34):
            found = {"dwarf": Limitation(CALLERS, samples), "names": Limitation(NAMES)}
            yield Batch(facts=Facts(layout="comm, tid", limitations=found))

    monkeypatch.setattr(importer, "read", says_more)
    store = Store(store_path, write=True)
    receipts = [ingest(store, IngestRequest(source)) for source in RUNS]
    assert receipts[0].layout == "comm, tid"
    assert receipts[0].limitations == (f"1,234 of 7,944 samples: {CALLERS}", NAMES)
    return store


def test_they_are_kept_by_profile(limited: Store) -> None:
    assert limited.rows("select code, samples, text from limitation order by all") == [
        ("dwarf", 1234, CALLERS),
        ("dwarf", 1234, CALLERS),
        ("names", None, NAMES),
        ("names", None, NAMES),
    ]
    assert limited.rows("select distinct layout from profile") == [("comm, tid",)]


def test_samples_of_several_profiles_add_up(limited: Store) -> None:
    keys = [key for (key,) in limited.rows("select profile_id from profile order by name")]
    assert limitations(limited, keys) == (
        f"2,468 of 15,837 samples: {CALLERS} (2 profiles)",
        f"{NAMES} (2 profiles)",
    )
    assert (
        limitations(limited, keys[:1])[0] == f"1,234 of 7,944 samples: {CALLERS} (native.udp64.1)"
    )


def test_top_and_diff_say_them(limited: Store) -> None:
    said = f"1,234 of 7,944 samples: {CALLERS} (native.udp64.1)"
    assert said in top(limited, "native.udp64.1", "function").provenance
    request = DiffRequest(base="native.udp64.1", new="native.udp64.2")
    found = compare_profiles(limited, request, resolve_sides(limited, request))
    assert f"base: {said}" in found.context
    assert f"new: {NAMES} (native.udp64.2)" in found.context

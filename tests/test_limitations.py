"""What a recording holds that could not be read is kept with it and said with every answer."""

import re
from pathlib import Path

import pytest
from recordings import FIXTURES
from rows import mostly_slow
from typer.testing import CliRunner

from perfduck.ingestion import Annotators, IngestRequest, commit, read
from perfduck_cli.main import app
from perfduck_diff.answer import DiffRequest, compare_profiles, resolve_sides
from perfduck_diff.calls import calls
from perfduck_diff.compare_groups import compare_groups
from perfduck_diff.filters import Filters
from perfduck_diff.notes import limitations
from perfduck_diff.top import top
from perfduck_model.batch import Batch, Facts, Limitation
from perfduck_store.draft import Draft
from perfduck_store.duckdb.store import DuckDbStore
from perfduck_store.recording import Receipt

RUNS = [str(FIXTURES / "demo" / f"native.udp64.{number}.txt.xz") for number in (1, 2)]
CALLERS = "user callers were recorded as DWARF stacks and are not unwound"
NAMES = "48 % of the weight has no name: give --kallsyms or --symbols"


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings whose importer says in two batches what it could not read."""
    path = tmp_path_factory.mktemp("limited") / "store.duckdb"
    with DuckDbStore(path, write=True) as store:
        receipts = [stored(store, IngestRequest(source)) for source in RUNS]
    assert receipts[0].layout == "comm, tid"
    assert receipts[0].limitations == (f"1,234 of 7,944 samples: {CALLERS}", NAMES)
    return path


def stored(store: DuckDbStore, request: IngestRequest) -> Receipt:
    with Draft(store.folder) as draft:
        identity = read(request, draft)
        for samples in (1200, 34):
            found = {"dwarf": Limitation(CALLERS, samples), "names": Limitation(NAMES)}
            draft.add(Batch(facts=Facts(layout="comm, tid", limitations=found)))
        return commit(store, (), draft, identity, Annotators().of(request))


@pytest.fixture
def limited(two_runs: Path, store_path: Path) -> DuckDbStore:
    store_path.write_bytes(two_runs.read_bytes())
    return DuckDbStore(store_path, write=True)


@pytest.mark.slow
def test_they_are_kept_by_profile(limited: DuckDbStore) -> None:
    assert limited.rows("select code, samples, text from limitation order by all") == [
        ("dwarf", 1234, CALLERS),
        ("dwarf", 1234, CALLERS),
        ("names", None, NAMES),
        ("names", None, NAMES),
    ]
    assert limited.rows("select distinct layout from profile") == [("comm, tid",)]


@pytest.mark.slow
def test_samples_of_several_profiles_add_up(limited: DuckDbStore) -> None:
    keys = [key for (key,) in limited.rows("select profile_id from profile order by name")]
    assert limitations(limited, keys) == (
        f"2,468 of 15,837 samples: {CALLERS} (2 profiles)",
        f"{NAMES} (2 profiles)",
    )
    assert (
        limitations(limited, keys[:1])[0] == f"1,234 of 7,944 samples: {CALLERS} (native.udp64.1)"
    )


@pytest.mark.slow
def test_top_and_diff_say_them(limited: DuckDbStore) -> None:
    said = f"1,234 of 7,944 samples: {CALLERS} (native.udp64.1)"
    assert said in top(limited, "native.udp64.1", "function").provenance
    request = DiffRequest(base="native.udp64.1", new="native.udp64.2")
    found = compare_profiles(limited, request, resolve_sides(limited, request))
    assert f"base: {said}" in found.context
    assert f"new: {NAMES} (native.udp64.2)" in found.context


IPERF = Filters(comm=("iperf3",))
WHOLE = f"1,234 of 7,944 samples: {CALLERS} (native.udp64.1, whole recording)"


@pytest.mark.slow
@pytest.mark.parametrize("filters", mostly_slow([IPERF, Filters(cpu=(0,)), Filters(from_s=1.0)], 3))
def test_under_filters_they_are_of_the_whole_recording(
    limited: DuckDbStore, filters: Filters
) -> None:
    said = top(limited, "native.udp64.1", "function", filters=filters).provenance
    assert said[:2] == (WHOLE, f"{NAMES} (native.udp64.1, whole recording)")
    both = top(limited, "native.udp64.*", "function", filters=filters).provenance
    assert both[0] == f"2,468 of 15,837 samples: {CALLERS} (2 profiles, whole recordings)"
    request = DiffRequest(base="native.udp64.1", new="native.udp64.2", filters=filters)
    found = compare_profiles(limited, request, resolve_sides(limited, request))
    assert f"base: {WHOLE}" in found.context


def test_where_chooses_profiles_and_is_no_filter_of_samples(limited: DuckDbStore) -> None:
    found = top(limited, "native.udp64.1", "function", filters=Filters(where=("native.*",)))
    assert found.provenance[0] == WHOLE.replace(", whole recording", "")


def test_callers_and_callees_say_them(limited: DuckDbStore) -> None:
    found = calls(limited, "native.udp64.1", "udp_sendmsg", "callers")
    assert found.notes[0].text == WHOLE.replace(", whole recording", "")


def test_compare_says_them_of_each_group(limited: DuckDbStore) -> None:
    limited.execute("update profile set labels = map {'n': right(name, 1)}")
    assert f"1: {WHOLE}" in compare_groups(limited, "*", "n", filters=IPERF).context
    assert f"2: {NAMES} (native.udp64.2)" in compare_groups(limited, "*", "n").context


SPIN = FIXTURES / "perf_data"


@pytest.fixture(scope="module")
def nameless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings whose addresses nothing names."""
    store_path = tmp_path_factory.mktemp("nameless") / "store.duckdb"
    for name in ("chains", "no-chains"):
        words = [str(SPIN / name / "recording.data.xz"), "--name", name, "--no-host-files"]
        words += ["--label", f"kind={name}", "--store", str(store_path)]
        assert CliRunner().invoke(app, ["ingest", *words]).exit_code == 0
    return store_path


@pytest.mark.slow
def test_missing_names_are_those_of_the_answer(nameless: Path) -> None:
    def lines(selector: str, **chosen: tuple[str, ...]) -> tuple[str, ...]:
        return top(store, selector, "function", filters=Filters(**chosen)).provenance

    kernel, spin = "[kernel.kallsyms]", "/tmp/perfduck-fixture/spin"
    with DuckDbStore(nameless) as store:
        assert lines("chains")[0] == (
            "100 % of the weight has no name: ingest again with --kallsyms and --symbols"
            f" (97 % {kernel}, 3 % {spin}) (chains)"
        )
        assert lines("*")[0].startswith("100 % of the weight of 2 profiles has no name: ingest")
        assert lines("chains", dso=(spin,))[0] == (
            f"100 % of the weight has no name: ingest again with --symbols (100 % {spin}) (chains)"
        )


@pytest.mark.slow
def test_shares_of_several_profiles_are_one_line(nameless: Path, store_path: Path) -> None:
    """Half of one recording's code gets a name, as if its binary had been found."""
    store_path.write_bytes(nameless.read_bytes())
    with DuckDbStore(store_path, write=True) as store:
        store.execute(
            "update symbol set name = 'named' where symbol_id in"
            " (select symbol_id from stack_symbol where is_leaf and stack_id in"
            "  (select stack_id from rollup join profile using (profile_id) where name = 'chains'"
            "   order by stack_id limit 20))"
        )
        first, *rest = top(store, "*", "function").provenance
        assert re.match(r"\d\d % to \d\d % of the weight of 2 profiles has no name: ", first)
        assert not [line for line in rest if "no name" in line]


@pytest.mark.slow
def test_an_answer_without_a_heading_says_them_beside(limited: DuckDbStore) -> None:
    limited.close()
    for words in (["top", "*"], ["top", "*", "udp_sendmsg", "--by", "callers"], ["export", "*"]):
        format = ["--format", "json", "--limit", "1000"] if words[0] == "top" else []
        done = CliRunner().invoke(app, [*words, *format, "--store", str(limited.path)])
        assert done.stderr.splitlines() == [
            f"perfduck: 2,468 of 15,837 samples: {CALLERS} (2 profiles)",
            f"perfduck: {NAMES} (2 profiles)",
        ]


@pytest.mark.slow
def test_missing_names_are_in_every_heading(nameless: Path) -> None:
    for words in (
        ["top", "chains"],
        ["export", "chains", "--format", "html"],
        ["compare", "*", "--over", "kind"],
    ):
        done = CliRunner().invoke(app, [*words, "--store", str(nameless)])
        assert "100 % of the weight has no name: " in done.stdout
        assert done.stderr == ""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from recordings import FIXTURES
from typer.testing import CliRunner

from perfduck.ingestion import IngestRequest, ingest
from perfduck.tagging import TaggingSources, add_files, tag_again
from perfduck_cli.main import app
from perfduck_diff.top import top
from perfduck_ingest.importer import ImportOptions
from perfduck_model.errors import PerfduckError
from perfduck_store.duckdb.store import DuckDbStore
from perfduck_tags import rule_file

ELF = FIXTURES / "elf"
RECORDING = """\
program  7 [000]  1.000001:     250000 cpu-clock:
\t138 [unknown] (/usr/bin/program)
\t112 [unknown] (/usr/bin/program)

program  7 [000]  1.000002:     250000 cpu-clock:
\tffffffff82159110 br_of_tomorrow+0x10 ([kernel.kallsyms])
\tffffffff82159210 br_handle_frame+0x0 ([kernel.kallsyms])
\t155 [unknown] (/usr/bin/program)

"""
KALLSYMS = """\
ffffffff82159000 T br_handle_frame_finish
ffffffff82159100 t br_of_tomorrow
ffffffff82159200 T br_handle_frame
"""


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "run.txt"
    path.write_text(RECORDING)
    return path


def tags(store: DuckDbStore) -> list[tuple[object, ...]]:
    return store.rows(
        "select canonical, source_file, subsystem, tagged_by from symbol order by dso, canonical"
    )


NAMED = [
    ("_start", "start.S", "user", "dso"),
    ("receive", "net/core/receive.c", "user", "dso"),
    ("transmit", "net/core/transmit.c", "user", "dso"),
]


@pytest.mark.slow
def test_a_second_ingest_reads_no_elf_file(
    store_path: Path, recording: Path, tmp_path: Path
) -> None:
    places = tmp_path / "elf"
    places.mkdir()
    shutil.copy(ELF / "program", places)
    options = ImportOptions(symbol_dirs=(places,))
    with DuckDbStore(store_path, write=True) as store:
        ingest(store, IngestRequest(str(recording), options=options))
        assert [row for row in tags(store) if row[3] == "dso"] == NAMED
        (places / "program").unlink()
        longer = RECORDING.replace("138", "13a")
        recording.write_text(longer)
        ingest(store, IngestRequest(str(recording), name="second", options=options))
        assert [row[0] for row in tags(store)].count("receive") == 2


@pytest.mark.slow
def test_symbols_added_later_name_addresses(store_path: Path, recording: Path) -> None:
    with DuckDbStore(store_path, write=True) as store:
        ingest(store, IngestRequest(str(recording)))
        assert [row[0] for row in tags(store) if row[3] == "dso"] == ["[unknown]"] * 3
        found = add_files(store, [ELF])
        assert found.select("dso", "functions").rows() == [("/usr/bin/program", 6)]
        assert tag_again(store, TaggingSources()).changed == 3
        assert [row for row in tags(store) if row[3] == "dso"] == NAMED
        assert tag_again(store, TaggingSources()).changed == 0


@pytest.mark.slow
def test_what_kallsyms_placed_stays_when_tagged_again_without_it(
    store_path: Path, recording: Path, tmp_path: Path
) -> None:
    kallsyms = tmp_path / "kallsyms"
    kallsyms.write_text(KALLSYMS)
    placed = ("br_of_tomorrow", "net/bridge/br_input.c", "bridge", "neighbour")
    with DuckDbStore(store_path, write=True) as store:
        ingest(store, IngestRequest(str(recording), options=ImportOptions(kallsyms=kallsyms)))
        assert placed in tags(store)
        tag_again(store, TaggingSources())
        assert placed in tags(store)


def test_the_users_rules_change_tags_and_charges(
    store_path: Path, recording: Path, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.csv"
    rules.write_text("symbol,area,subsystem,role\n^br_,ours,our_bridge,domain\n")
    with DuckDbStore(store_path, write=True) as store:
        ingest(store, IngestRequest(str(recording)))
        assert tag_again(store, TaggingSources(rules=rule_file.file_of(rules))).changed == 2
        assert ("our_bridge",) in store.rows("select subsystem from stack_blame")
        before = tags(store), store.symbols.all()
        rules.write_text("symbol,area\n")
        with pytest.raises(Exception, match="expected a column subsystem"):
            tag_again(store, TaggingSources(rules=rule_file.file_of(rules)))
        assert (tags(store), len(store.symbols.all())) == (before[0], len(before[1]))


@pytest.mark.slow
def test_a_file_that_no_profile_names_is_refused(store_path: Path, recording: Path) -> None:
    with DuckDbStore(store_path, write=True) as store:
        ingest(store, IngestRequest(str(recording)))
        with pytest.raises(PerfduckError, match=r"expected a binary that a profile names"):
            add_files(store, [ELF / "dwarf5.ko"])
        with pytest.raises(PerfduckError, match="got no such file"):
            add_files(store, [ELF / "none"])
        found = add_files(store, [ELF / "stripped.debug"], "/usr/bin/program")
        assert found["functions"].to_list() == [6]


def test_addresses_of_a_kernel_survive_the_store(store_path: Path) -> None:
    kept = pl.DataFrame(
        [("[kernel]", "ab", 2**64 - 4096, 2**63, 16, "tcp_ack", ".text", None)],
        schema={"dso": pl.String, "build_id": pl.String, "address": pl.UInt64,
                "offset": pl.UInt64, "size": pl.UInt64, "name": pl.String, "section": pl.String,
                "source_file": pl.String},
        orient="row",
    )  # fmt: skip
    with DuckDbStore(store_path, write=True) as store:
        store.symbols.keep_functions(kept)
        store.symbols.keep_functions(kept)
        assert store.symbols.functions_of(["[kernel]", "x"]).equals(kept)


@pytest.mark.slow
def test_commands_add_tag_and_explain(store_path: Path, recording: Path) -> None:
    run = CliRunner().invoke
    at = ["--store", str(store_path)]
    assert run(app, ["ingest", str(recording), *at]).exit_code == 0
    added = run(app, ["symbols", "add", str(ELF), *at])
    assert added.stdout.startswith("/usr/bin/program: 6 functions, build-id ")
    assert "/usr/bin/program" in run(app, ["symbols", "list", *at]).stdout
    assert run(app, ["tag", *at]).stdout == "3 symbols got a different tag\n"
    told = run(app, ["explain", "__siphash_unaligned"]).stdout
    assert "siphash (crypto), helper: passes the blame up to its caller" in told
    assert "lib/siphash.c" in told
    answer = json.loads(run(app, ["explain", "x", "--dso", "[veth]", "--format", "json"]).stdout)
    assert (answer["subsystem"], answer["method"]) == ("veth", "module")


@pytest.mark.slow
def test_top_says_how_sure_the_tags_are_and_what_only_looks_hot(store_path: Path) -> None:
    run = CliRunner().invoke
    at = ["--store", str(store_path)]
    recording = str(FIXTURES / "demo" / "docker0-nat.udp64.1.txt.xz")
    assert run(app, ["ingest", recording, *at]).exit_code == 0
    heading = run(app, ["top", "*", *at]).stdout.split("\n\n")[0]
    assert max(map(len, heading.splitlines())) <= 100
    heading = " ".join(heading.split())
    assert "tags by weight: 8" in heading
    assert "% catalogue, " in heading
    artifact = "% of self time is an artifact of disabled interrupts, not contention"
    assert f"{artifact}: _raw_spin_unlock_irqrestore, do_syscall_64, " in heading
    with DuckDbStore(store_path) as store:
        notes = top(store, "*", "function").provenance
    assert any(f"{artifact}: _raw_spin_unlock_irqrestore" in note for note in notes)


@pytest.mark.slow
def test_siphash_under_conntrack_is_charged_to_conntrack(store_path: Path) -> None:
    with DuckDbStore(store_path, write=True) as store:
        ingest(store, IngestRequest(str(FIXTURES / "demo" / "docker0-nat.udp64.1.txt.xz")))
        charged = dict(
            store.rows("""
            select stack_blame.subsystem, count(*) from stack_blame
            join stack_symbol on stack_symbol.stack_id = stack_blame.stack_id and is_leaf
            join symbol on symbol.symbol_id = stack_symbol.symbol_id
            where symbol.subsystem = 'siphash' group by all""")
        )
    assert charged.keys() <= {"conntrack", "nat", "inet_sock", "routing"}
    assert max(charged, key=charged.__getitem__) == "conntrack"

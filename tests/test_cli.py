"""The door: what a user types, reads and gets back."""

import json
import lzma
import os
import shutil
import subprocess
import sys
from io import StringIO
from pathlib import Path

import polars as pl
import pytest
from command import run
from recordings import FIXTURES

DEMO = FIXTURES / "demo"
NATIVE = DEMO / "native.udp64.1.txt.xz"


def perfduck(
    *arguments: str | Path, store: Path, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    return run([*arguments, "--store", store], stdin)


def answer(*arguments: str | Path, store: Path) -> str:
    done = perfduck(*arguments, store=store)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode()


@pytest.mark.slow
def test_a_pipe_is_read(store_path: Path) -> None:
    text = lzma.decompress(NATIVE.read_bytes())
    done = perfduck("ingest", "-", "--name", "piped", store=store_path, stdin=text)
    assert done.stdout == (
        b"piped: 7944 samples, 377 stacks, 329 symbols\n"
        b"  read as: comm tid [cpu] time: period event:, chains\n"
    )
    assert done.stderr == b""


@pytest.mark.slow
def test_periods_of_63_bits_add_up(store_path: Path) -> None:
    head = b"a 1 [000] 1.500000: 9223372036854775807 cycles: \n"
    text = (head + b"\tffffffff821f2fa7 f+0xd7 ([kernel.kallsyms])\n\n") * 3
    perfduck("ingest", "-", "--name", "a", store=store_path, stdin=text)
    name, weight = folded("a", store=store_path).split()
    assert (name, float(weight)) == ("a;f", pytest.approx(3 * 2.0**63))


def test_a_line_of_megabytes_is_skipped_and_its_beginning_kept(store_path: Path) -> None:
    sample = b"a 1 [000] 1.500000: 1 cycles: \n\tffffffff821f2fa7 f+0xd7 ([kernel.kallsyms])\n\n"
    text = sample * 100 + b"b" * 3_000_000 + b"\n" + sample
    done = perfduck("ingest", "-", "--name", "a", store=store_path, stdin=text)
    assert b"a: 101 samples" in done.stdout
    assert b"1 line skipped" in done.stderr
    query = "select line, length(text) as length, left(text, 3) as start from skipped"
    assert answer("sql", query, "--format", "csv", store=store_path).split()[1] == "301,1000,bbb"


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["gz", "xz", "zst", "bz2"])
def test_compressed_files_have_the_content_of_plain_ones(
    ending: str, tmp_path: Path, store_path: Path
) -> None:
    import bz2
    import gzip

    from perfduck_model.zstandard import zstd

    text = lzma.decompress(NATIVE.read_bytes())
    pack = {"gz": gzip.compress, "xz": lzma.compress, "bz2": bz2.compress,
            "zst": zstd.compress}  # fmt: skip
    packed = tmp_path / f"run.txt.{ending}"
    packed.write_bytes(pack[ending](text))
    assert answer("ingest", NATIVE, store=store_path).startswith("native.udp64.1: 7944")
    again = answer("ingest", packed, store=store_path)
    assert again == "native.udp64.1: already in the store, nothing added\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ingest"], "perfduck: expected a recording to ingest: FILE... or --manifest\n"),
        (["ingest", "/gone"], "perfduck: /gone: expected a recording, got No such file"),
        (["ingest", "x", "--label", "k"], "perfduck: --label k: expected key=value\n"),
        (
            ["ingest", "x", "--work", "-1"],
            "perfduck: --work -1.0: expected a positive number, 1e-9 to 1e18\n",
        ),
        (["ingest", "x", "y", "--name", "n"], "perfduck: --name n: expected one recording"),
        (["ingest", "--manifest", "/gone"], "perfduck: /gone: expected a manifest"),
        (["top", "nobody"], "perfduck: nobody: expected a profile name, glob or label"),
        (["top", "native.udp64.1", "--event", "cycles"], "perfduck: cycles: expected an event"),
        (["sql", "select subsytem from hit"], 'Candidate bindings: "subsystem"'),
        (["sql", "select * from hits"], 'Did you mean "hit"?'),
        (["sql", "selec 1"], "perfduck: sql:1: Parser Error"),
        (["sql", "drop table sample"], "expected one query that reads (SELECT), got DROP"),
        (["sql", "copy meta to '/tmp/x.csv'"], "(SELECT), got COPY"),
        (["sql", "select $name"], "name"),
        (["sql"], "perfduck: sql: expected a query or -f FILE, got neither"),
    ],
)
def test_mistakes_are_told_in_a_line(arguments: list[str], message: str, demo_store: Path) -> None:
    done = perfduck(*arguments, store=demo_store)
    assert done.returncode == 2
    assert message in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1
    assert done.stdout == b""


def test_a_missing_store_is_told(tmp_path: Path) -> None:
    done = perfduck("profiles", store=tmp_path / "none.duckdb")
    assert done.returncode == 2
    assert b"none.duckdb: expected a store, got no such file" in done.stderr


@pytest.mark.slow
def test_skipped_lines_are_reported_on_stderr(tmp_path: Path, store_path: Path) -> None:
    lines = lzma.decompress(NATIVE.read_bytes()).split(b"\n")
    strange = tmp_path / "strange.txt"
    strange.write_bytes(b"\n".join([*lines[:100], b"%% strange %%", *lines[100:]]))
    done = perfduck("ingest", strange, store=store_path)
    assert done.returncode == 0
    assert done.stderr == (b"perfduck: strange: 1 line skipped (see table skipped)\n")
    assert answer("sql", "from skipped", "--format", "csv", store=store_path).endswith(
        ",101,%% strange %%,no known line\n"
    )


def test_the_manifest_gives_names_work_and_labels(demo_store: Path) -> None:
    rows = json.loads(answer("profiles", "--format", "json", store=demo_store))
    assert len(rows) == 18
    row = next(row for row in rows if row["name"] == "native.crr.2")
    assert (row["work"], row["work_unit"]) == (129748, "request")
    assert row["labels"] == {"scenario": "native", "workload": "crr", "run": "2"}


@pytest.mark.slow
@pytest.mark.parametrize("by", ["function", "path", "subsystem", "source", "dso", "comm", "cgroup"])
def test_top_shares_the_whole(by: str, demo_store: Path) -> None:
    rows = json.loads(
        answer(
            "top",
            "native.udp64.1",
            "--by",
            by,
            "--limit",
            "100000",
            "--format",
            "json",
            store=demo_store,
        )
    )
    assert by in rows[0]
    main = "blamed" if by == "subsystem" else "self"
    whole = sum(row[main] for row in rows)
    events = json.loads(answer("sql", """
        select sum(weight) / any_value(work) as busy from hit
        where profile = 'native.udp64.1' and context <> 'idle'
        """, "--format", "json", store=demo_store))  # fmt: skip
    assert whole == pytest.approx(events[0]["busy"])
    assert sum(row["share"] for row in rows) == pytest.approx(100)
    assert all(row["self"] <= row["total"] * (1 + 1e-9) for row in rows)


def folded(*arguments: str | Path, store: Path) -> str:
    done = perfduck("export", *arguments, store=store)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode()


def test_folded_stacks_hold_all_samples(demo_store: Path) -> None:
    lines = folded("native.udp64.1", store=demo_store).splitlines()
    weights = [int(line.rpartition(" ")[2]) for line in lines]
    assert sum(weights) == 7951951944
    assert any(line.startswith("iperf3;") and ";udp_sendmsg;" in line for line in lines)


@pytest.mark.slow
def test_folded_sums_beyond_53_bits_are_exact(store_path: Path, tmp_path: Path) -> None:
    most = (1 << 63) - 1
    text = tmp_path / "large.txt"
    text.write_text("".join(
        f"a 1 [000] 1.5: {period} cycles: \n\tffffffff81000010 {name}+0x1 (/bin/a)\n\n"
        for name, period in [("f", (1 << 53) + 1), ("f", 1), ("g", most), ("g", most), ("h", 7)]
    ))  # fmt: skip
    answer("ingest", text, store=store_path)
    exact = f"a;f {(1 << 53) + 2}\na;g {2 * most}\na;h 7\n"
    assert folded("large", store=store_path) == exact
    assert folded("large", "--cpu", "0", store=store_path) == exact


@pytest.mark.slow
def test_sql_prints_every_format(demo_store: Path, tmp_path: Path) -> None:
    query = "select name, work, labels from profile order by name"
    assert "native.udp64.3" in answer("sql", query, store=demo_store)
    csv = answer("sql", query, "--format", "csv", store=demo_store)
    assert len(pl.read_csv(StringIO(csv))) == 18
    done = perfduck("sql", query, "--format", "parquet", store=demo_store)
    (tmp_path / "x.parquet").write_bytes(done.stdout)
    assert len(pl.read_parquet(tmp_path / "x.parquet")) == 18
    (tmp_path / "q.sql").write_text("select count(*) as n from profile where name = $name")
    counted = answer("sql", "-f", tmp_path / "q.sql", "--param", "name=native.crr.1",
                     "--format", "json", store=demo_store)  # fmt: skip
    assert json.loads(counted) == [{"n": 1}]


@pytest.mark.slow
def test_the_demo_names_what_docker0_adds(demo_store: Path, store_path: Path) -> None:
    shutil.copy(demo_store, store_path)  # it writes, and other processes read
    text = answer("demo", store=store_path)
    assert "ns/packet" in text
    for subsystem in ("conntrack", "nat", "iptables", "bridge", "br_netfilter", "veth"):
        row = next(line for line in text.splitlines() if line.startswith(f"{subsystem} "))
        assert "+" in row


def test_vxlan_is_named_on_flannel(demo_store: Path) -> None:
    rows = json.loads(
        answer(
            "top",
            "scenario=flannel-vxlan,workload=udp64",
            "--by",
            "subsystem",
            "--limit",
            "100",
            "--format",
            "json",
            store=demo_store,
        )
    )
    assert next(row for row in rows if row["subsystem"] == "vxlan")["blamed"] > 50


def test_help_does_not_load_what_it_does_not_need() -> None:
    code = """
import sys
from perfduck_cli.main import app
try:
    app(["--help"])
except SystemExit:
    pass
heavy = {"polars", "duckdb", "pyarrow", "numpy", "scipy"} & sys.modules.keys()
sys.exit(f"loaded: {heavy}" if heavy else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    for command in ("ingest", "profiles", "top", "diff", "sql", "export", "demo"):
        assert command in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "needless"),
    [
        (("profiles",), {"pydantic", "pandas", "scipy", "polars", "numpy"}),
        (("top", "native*"), {"pydantic", "pandas", "scipy"}),
        (("ingest", str(NATIVE), "--name", "again"), {"pydantic", "pandas", "scipy", "elftools"}),
        (("diff", "native.udp64*", "docker0-nat.udp64*"), {"pydantic", "pandas", "scipy.optimize"}),
    ],
)
def test_a_command_does_not_load_what_it_does_not_need(
    words: tuple[str, ...], needless: set[str], demo_store: Path, tmp_path: Path
) -> None:
    store = shutil.copy(demo_store, tmp_path / "copy.duckdb")
    code = f"""
import sys
from perfduck_cli.main import app
try:
    app({[*words, "--store", str(store)]!r})
except SystemExit:
    pass
print(*{needless!r} & sys.modules.keys(), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1:] == [""], done.stderr


@pytest.mark.slow
def test_an_import_of_text_loads_no_other_importer() -> None:
    code = f"""
import sys
from perfduck_ingest.formats import opened
from perfduck_ingest.source import Source
import perfduck.recordings
recording = opened(Source({str(NATIVE)!r}))
others = {{"elftools", "tarfile", "xml", "perfduck_ingest.perf_data"}}
print(recording.format, *others & sys.modules.keys())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("perf-script\n", "")


@pytest.mark.slow
def test_a_file_name_that_is_not_utf8_stays_visible(tmp_path: Path, store_path: Path) -> None:
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/run\xff.txt.xz")
    Path(odd).write_bytes(NATIVE.read_bytes())
    assert answer("ingest", odd, store=store_path).startswith("run\\xff: 7944 samples")


def test_samples_of_oprofile_are_hits(store_path: Path) -> None:
    session = FIXTURES / "oprofile" / "app-flat" / "session.tar.gz"
    done = perfduck("ingest", session, store=store_path)
    hits = json.loads(
        answer(
            "sql",
            "select sum(count)::bigint as n from sample",
            "--format",
            "json",
            store=store_path,
        )
    )[0]["n"]
    assert f": {hits} samples," in done.stdout.decode()
    assert hits > 1000


@pytest.mark.slow
def test_python_runs_the_package() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "perfduck", "--version"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout.split()[0]) == (0, "perfduck")


def test_recordings_behind_one_that_fails_are_counted(tmp_path: Path, store_path: Path) -> None:
    wrong = tmp_path / "wrong.txt"
    wrong.write_text("no recording\n")
    done = perfduck("ingest", str(wrong), str(NATIVE), str(NATIVE), store=store_path)
    assert done.returncode == 2
    assert done.stderr.endswith(b" (2 recordings after it were not read)\n")

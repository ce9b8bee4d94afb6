"""Sample files, text and XML against what opreport printed of the same recordings, all rows."""

from pathlib import Path

import pytest
from oprofile_files import KALLSYMS, RECORDINGS, batch_of, functions, load_oracle
from rows import mostly_slow

from perfduck_ingest.oprofile import session_importer, text_importer, xml_importer

ORACLE = load_oracle()
FOLDERS = sorted(path for path in RECORDINGS.iterdir() if (path / "session.tar.gz").is_file())


def report(folder: Path, shape: str) -> Path:
    (path,) = (folder / "reports").glob(f"{shape}.out*")
    return path


@pytest.mark.parametrize("folder", mostly_slow(FOLDERS, 3), ids=lambda folder: folder.name)
def test_sample_files_hold_what_opreport_prints_of_them(folder: Path) -> None:
    results = ORACLE.compared(ORACLE.Recording(folder, KALLSYMS, ()))
    assert {name: one.differing for name, one in results.items() if one.differing} == {}
    assert results["operf.log"].compared == 1
    assert results["summary rows"].compared >= 3
    assert results["-l rows"].compared >= 2


SHAPES = [
    "l",
    "l-D-normal",
    "l-a",
    "l-f",
    "l-g",
    "l-g-f",
    "l-everything",
    "l-r",
    "l-sort-vma",
    "l-w",
    "d",
    "d-a",
    "d-g",
    "d-global",
]
LISTINGS = [
    *(("app-flat", shape, 1258) for shape in SHAPES),
    *(("pod-flat-q", shape, 22845) for shape in ("l", "l-f", "l-w-f", "l-stdout-and-stderr")),
]


@pytest.mark.parametrize(("recording", "shape", "samples"), LISTINGS)
def test_every_listing_of_a_recording_says_the_same(
    recording: str, shape: str, samples: int
) -> None:
    folder = RECORDINGS / recording
    of_text = functions(batch_of(text_importer, report(folder, shape)))
    of_xml = functions(batch_of(xml_importer, report(folder, "X")))
    assert sum(of_text.values()) == samples
    if not shape.endswith(("f", "everything")):  # base names: /usr/lib/libc.so.6 is libc.so.6
        of_text, of_xml = _by_base_name(of_text), _by_base_name(of_xml)
    assert of_text == of_xml


def _by_base_name(counts: dict[tuple[str, ...], int]) -> dict[tuple[str, ...], int]:
    found: dict[tuple[str, ...], int] = {}
    for (event, name, dso), count in counts.items():
        key = (event, name, Path(dso).name)
        found[key] = found.get(key, 0) + count
    return found


CALL_GRAPHS = ["c", "c-D-none", "c-a", "c-f", "c-g", "c-global", "c-merge-lib", "c-n", "c-w"]


@pytest.mark.parametrize("shape", CALL_GRAPHS)
def test_every_call_graph_has_each_arc_once(shape: str) -> None:
    folder = RECORDINGS / "app-callgraph"
    batch = batch_of(text_importer, report(folder, shape))
    assert (len(batch.edges), batch.edges["count"].sum()) == (73, 4452)
    assert batch.samples["count"].sum() == 1265


@pytest.mark.parametrize("folder", ["app-callgraph", "pod-callgraph-q"])
def test_the_arcs_of_xml_are_those_of_text(folder: str) -> None:
    xml = batch_of(xml_importer, report(RECORDINGS / folder, "X-c"))
    text = batch_of(text_importer, report(RECORDINGS / folder, "c"))
    assert ORACLE._edges(xml.edges, xml.symbols) == ORACLE._edges(text.edges, text.symbols)


@pytest.mark.parametrize(
    ("shape", "samples"),
    [("opreport", 1273), ("opreport-f", 1273), ("opreport-global", 1273), ("opreport-n", 1273),
     ("opreport-merge-lib", 1273), ("opreport-merge-all", 1273), ("opreport-t1", 1273)],
)  # fmt: skip
def test_an_image_summary_counts_samples_without_symbol_too(shape: str, samples: int) -> None:
    batch = batch_of(text_importer, report(RECORDINGS / "app-flat", shape))
    assert batch.samples["count"].sum() == samples
    assert len(batch.skipped) == 0
    assert {name for _, name, _ in functions(batch)} == {"[unknown]"}


@pytest.mark.parametrize(("shape", "comms"), [("opreport", 40), ("l-kern-only", 38)])
def test_an_application_may_be_a_library(shape: str, comms: int) -> None:
    """libpthread.so.0 and libtinfo.so.6.4 are two of 40 applications, as opreport prints them."""
    batch = batch_of(text_importer, report(RECORDINGS / "pod-2events", shape))
    assert batch.samples["comm"].null_count() == 0
    assert batch.samples["comm"].n_unique() == comms
    assert {"libpthread.so.0", "python3.11"} <= set(batch.samples["comm"])


def test_a_summary_from_a_terminal_is_counted_once() -> None:
    folder = RECORDINGS / "app-callgraph"
    expanded = batch_of(text_importer, report(folder, "opreport-f-tabs-expanded"))
    assert expanded.samples["count"].sum() == 1283
    assert functions(expanded) == functions(batch_of(text_importer, report(folder, "opreport-f")))


def test_columns_of_processes_and_cpus_become_pid_and_cpu() -> None:
    folder = RECORDINGS / "pod-thread-cpu"
    by_cpu = batch_of(text_importer, report(folder, "l-merge-tgid"))
    assert set(by_cpu.samples["cpu"].unique()) == {0, 1}
    assert by_cpu.samples["count"].sum() == 23399
    by_process = batch_of(text_importer, report(folder, "opreport-merge-tid,cpu"))
    assert by_process.samples["pid"].n_unique() > 100
    xml = batch_of(xml_importer, report(folder, "X"))
    assert xml.samples["tid"].null_count() == 0
    assert xml.samples["count"].sum() == 23399


def test_details_give_the_places_in_a_function() -> None:
    folder = RECORDINGS / "app-flat"
    text = batch_of(text_importer, report(folder, "d")).leaf_offsets
    xml = batch_of(xml_importer, report(folder, "X-d")).leaf_offsets
    assert len(text) == len(xml) == 145
    assert sorted(text["offset"]) == sorted(xml["offset"])
    assert text["count"].sum() == xml["count"].sum() == 1258


def test_a_session_knows_time_loss_and_nanoseconds() -> None:
    batch = batch_of(session_importer, RECORDINGS / "pod-flat-q" / "session.tar.gz")
    assert str(batch.facts.started_at) == "2026-11-23 02:04:47"
    assert batch.facts.duration_s == 5
    assert batch.facts.lost == 2
    assert batch.facts.events["CPU_CLK_UNHALTED"].unit == "ns"
    # 23,032 hits of a million cycles at 2299.998 MHz
    assert batch.samples["period"].sum() == pytest.approx(23032 * 1e9 / 2299.998, rel=1e-6)


def test_kernel_functions_of_iperf3_that_pod_networking_adds() -> None:
    """ns a packet, for the kernel's samples in iperf3: what the bridge and iptables cost."""
    packets = {"pod-flat-q": 855_080, "native-flat-q": 1_878_850}
    cost: dict[str, dict[str, float]] = {}
    for recording, sent in packets.items():
        source = RECORDINGS / recording / "session.tar.gz"
        hits = ORACLE.Recording(source.parent, KALLSYMS, ()).hits
        kernel = hits.filter((hits["comm"] == "iperf3") & (hits["dso"] == "[kernel.kallsyms]"))
        cost[recording] = {}
        for name, period in kernel.select("name", "period").iter_rows():
            cost[recording][name] = cost[recording].get(name, 0.0) + period / sent
    growth = {
        name: value - cost["native-flat-q"].get(name, 0.0)
        for name, value in cost["pod-flat-q"].items()
    }
    top = sorted(growth, key=growth.__getitem__, reverse=True)[:40]
    wanted = ["ipt_do_table", "fib_table_lookup", "fdb_find_rcu", "br_nf_pre_routing",
              "conntrack_mt_v3", "__nf_conntrack_find_get"]  # fmt: skip
    assert {name: round(growth[name]) for name in wanted} == {
        "ipt_do_table": 80, "fib_table_lookup": 63, "fdb_find_rcu": 38, "br_nf_pre_routing": 35,
        "conntrack_mt_v3": 34, "__nf_conntrack_find_get": 34,
    }  # fmt: skip
    assert set(wanted) <= set(top[:20])

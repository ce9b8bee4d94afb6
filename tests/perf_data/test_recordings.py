"""Recordings of many options: the samples, stacks and names are those that perf script prints."""

import gzip
import io
import lzma
import re
import struct
from pathlib import Path

import oracle
import polars as pl
import pytest
import xxhash
from rows import mostly_slow
from set_limits import SetLimits

from perfduck_ingest.importer import ImportOptions
from perfduck_ingest.perf_data import importer as perf_data
from perfduck_ingest.perf_script import importer
from perfduck_ingest.source import Source
from perfduck_model.batch import Batch
from perfduck_model.errors import PerfduckError
from perfduck_symbols.elf import elf_of

FIXTURES = Path(__file__).parents[2] / "fixtures" / "perf_data"
FOLDERS = sorted(path.parent.name for path in FIXTURES.glob("*/recording.data.xz"))
OPTIONS = {"kallsyms": FIXTURES / "kallsyms.gz", "symbol_dirs": (FIXTURES / "symfs",)}


def read(folder: str, **options: Path | None) -> list[Batch]:
    return oracle.batches_of(FIXTURES / folder / "recording.data.xz", **{**OPTIONS, **options})


def perf_rows(folder: str) -> list[oracle.Row]:
    text = lzma.decompress((FIXTURES / folder / "oracle.txt.xz").read_bytes())
    return list(oracle.said_by_perf(text.decode().splitlines()))


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_sample_is_what_perf_script_prints(folder: str) -> None:
    wanted, got = perf_rows(folder), list(oracle.said_by_us(read(folder)))
    assert len(wanted) > 0
    if all(row[5] is None for row in wanted):  # perf script prints no period that is fixed
        assert {row[5] for row in got} == {500000}
        got = [(*row[:5], None, *row[6:]) for row in got]
    only_perf, only_ours = oracle.differences(wanted, got)
    assert (only_perf, only_ours) == ({}, {})


def plain(folder: str, tmp_path: Path) -> Path:
    path = tmp_path / f"{folder}.data"
    path.write_bytes(lzma.decompress((FIXTURES / folder / "recording.data.xz").read_bytes()))
    return path


def rows_of(path: Path) -> list[str]:
    return sorted(map(repr, oracle.said_by_us(oracle.batches_of(path, **OPTIONS))))


@pytest.mark.parametrize("folder", ["chains", "events", "packed", "pipe"])
def test_small_blocks_make_no_difference(
    folder: str, set_limits: SetLimits, tmp_path: Path
) -> None:
    packed = FIXTURES / folder / "recording.data.xz"
    whole = rows_of(packed)
    set_limits(head_bytes=4096, block_bytes=4096)
    assert rows_of(packed) == whole
    assert rows_of(plain(folder, tmp_path)) == whole


@pytest.mark.parametrize("folder", ["chains", "events", "deleted"])
def test_pieces_that_are_numbered_anew_make_no_difference(
    folder: str, set_limits: SetLimits
) -> None:
    path = FIXTURES / folder / "recording.data.xz"
    whole = rows_of(path)
    set_limits(block_bytes=4096, most_chunks=50, first_chunks=1)
    assert rows_of(path) == whole


@pytest.mark.slow
@pytest.mark.parametrize("folder", mostly_slow(["chains", "events", "packed"], 3))
def test_another_process_reads_the_same(folder: str, set_limits: SetLimits, tmp_path: Path) -> None:
    path = plain(folder, tmp_path)
    rows, facts = rows_of(path), oracle.batches_of(path, **OPTIONS)[-1].facts
    set_limits(subprocess_bytes=0)
    assert rows_of(path) == rows
    with Source(str(path)) as source:
        assert list(perf_data.open(source).batches(ImportOptions(**OPTIONS)))[-1].facts == facts  # type: ignore[arg-type]
        assert source.reading.bytes_read == path.stat().st_size
        assert source.reading.content_hash == xxhash.xxh3_128(path.read_bytes()).hexdigest()


def test_what_another_process_cannot_read_is_said(set_limits: SetLimits, tmp_path: Path) -> None:
    path = plain("chains", tmp_path)
    raw = bytearray(path.read_bytes())
    (start,) = struct.unpack_from("<Q", raw, 40)  # of the data
    raw[start : start + 8] = bytes(8)
    path.write_bytes(raw)
    set_limits(subprocess_bytes=0)
    with pytest.raises(
        PerfduckError, match=r"chains\.data: .*expected a record of 8 bytes or more"
    ):
        rows_of(path)


def test_facts_are_those_of_the_header() -> None:
    facts = read("events")[-1].facts
    assert facts.arch == "x86_64"
    assert facts.tool is not None
    assert facts.tool.startswith("perf 6.1")
    assert facts.command is not None
    assert "sched:sched_process_fork" in facts.command
    units = {name: event.unit for name, event in facts.events.items()}
    assert units == {
        "cpu-clock": "ns",
        "task-clock": "ns",
        "page-faults": "page-faults",
        "sched:sched_process_fork": "event",
    }


def test_lost_samples_are_counted() -> None:
    batches = read("lost")
    said = (FIXTURES / "lost" / "lost.txt").read_text()
    assert batches[-1].facts.lost == int(said)
    assert batches[-1].facts.lost > 0


def test_vmlinux_names_functions_wherever_the_kernel_was_placed() -> None:
    ours = read("chains", vmlinux=FIXTURES / "vmlinux.xz", kallsyms=None)
    assert oracle.differences(perf_rows("chains"), oracle.said_by_us(ours)) == ({}, {})


@pytest.mark.parametrize("name", ["boot/vmlinux-6.18", ".build-id/{id}.debug"])
def test_the_vmlinux_below_symbols_names_functions_where_there_is_no_kallsyms(
    name: str, tmp_path: Path
) -> None:
    raw = lzma.decompress((FIXTURES / "vmlinux.xz").read_bytes())
    build_id = elf_of(Path("vmlinux"), raw).build_id or ""
    path = tmp_path / name.format(id=f"{build_id[:2]}/{build_id[2:]}")
    path.parent.mkdir(parents=True)
    path.write_bytes(raw)
    (tmp_path / "vmlinux-other").write_bytes(raw.replace(bytes.fromhex(build_id), bytes(20)))
    ours = read("chains", kallsyms=None, symbol_dirs=(FIXTURES / "symfs", tmp_path))  # type: ignore[arg-type]
    assert oracle.differences(perf_rows("chains"), oracle.said_by_us(ours)) == ({}, {})
    path.unlink()
    others = read("chains", kallsyms=None, symbol_dirs=(FIXTURES / "symfs", tmp_path))  # type: ignore[arg-type]
    assert oracle.differences(perf_rows("chains"), oracle.said_by_us(others)) != ({}, {})


def test_the_vmlinux_of_another_kernel_is_refused(tmp_path: Path) -> None:
    raw = lzma.decompress((FIXTURES / "vmlinux.xz").read_bytes())
    other = tmp_path / "vmlinux"
    other.write_bytes(raw.replace(bytes.fromhex(elf_of(other, raw).build_id or ""), bytes(20)))
    with pytest.raises(
        PerfduckError, match=r"vmlinux: expected the recorded kernel \(build id .*got 0"
    ):
        read("chains", vmlinux=other, kallsyms=None)


def test_the_kallsyms_of_another_kernel_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "kallsyms"
    text = gzip.decompress((FIXTURES / "kallsyms.gz").read_bytes()).decode()
    path.write_text(f"{text}ffffffff8220bb08 T _etext\n")  # where the recorded map ends
    same = oracle.said_by_us(read("chains", kallsyms=path))
    assert oracle.differences(perf_rows("chains"), same) == ({}, {})
    path.write_text(f"{text}ffffffff8220cb08 T _etext\n")
    message = (
        r"kallsyms: expected kallsyms of the recorded kernel \(18,922,248 bytes .*got those of"
    )
    with pytest.raises(PerfduckError, match=message):
        read("chains", kallsyms=path)


def test_a_group_has_samples_of_all_its_events() -> None:
    samples = oracle.frame_of(read("group"))
    leader, member = (samples.filter(event=event) for event in ("cpu-clock", "task-clock"))
    assert len(leader) == len(member) > 0
    faults = samples.filter(event="page-faults")
    assert 0 < len(faults) <= len(leader)  # none where there was no fault since the sample before


def test_records_that_are_passed_over_are_counted() -> None:
    reason = "SWITCH: context switches are not kept"
    [(line, text)] = read("more-fields")[-1].skipped.filter(reason=reason).drop("reason").rows()
    assert line == 0
    assert re.fullmatch(r"[1-9]\d* records of type \d+", text)


def test_cgroups_have_their_names() -> None:
    samples = oracle.frame_of(read("cgroups"))
    assert samples["cgroup"].null_count() == 0
    assert samples["cgroup"].str.starts_with("/").all()


def test_leaf_offsets_count_every_sample_with_a_known_leaf() -> None:
    batches = read("one-process")
    symbols = {row[0]: row[1] for batch in batches for row in batch.symbols.iter_rows()}
    counted = sum(int(batch.leaf_offsets["count"].sum()) for batch in batches)
    leaves = [row[-1][0][0] for row in oracle.said_by_us(batches)]
    assert counted == sum(leaf != "[unknown]" for leaf in leaves)
    names = {symbols[one] for batch in batches for one in batch.leaf_offsets["symbol_id"]}
    assert "turn" in names or "__turn_alias" in names


@pytest.mark.parametrize("folder", ["chains", "events", "made-code", "one-process"])
def test_text_of_the_same_recording_has_the_same_ids(folder: str) -> None:
    text = lzma.decompress((FIXTURES / folder / "oracle.txt.xz").read_bytes())
    with Source("perf.txt", io.BytesIO(text)) as source:
        assert importer.open(source)
        theirs = list(importer.open(source).batches(ImportOptions()))
    ours = read(folder)
    for column in ("symbol_id", "name", "dso", "address"):
        one, other = (
            pl.concat([batch.symbols for batch in batches]).sort("symbol_id")[column]
            for batches in (ours, theirs)
        )
        assert one.to_list() == other.to_list()
    stacks = [oracle.frame_of(batches)["stack_id"].sort().to_list() for batches in (ours, theirs)]
    assert stacks[0] == stacks[1]

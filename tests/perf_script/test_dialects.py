"""The same recording, damaged or rewritten in ways that people's files are."""

import io
import lzma
import re
from collections.abc import Callable

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from recordings import FIXTURES, named_chains, parsed, text_of
from rows import mostly_slow
from set_limits import SetLimits

from perfduck_ingest.importer import ImportOptions
from perfduck_ingest.perf_script import importer
from perfduck_ingest.source import Source
from perfduck_model.batch import Batch
from perfduck_model.errors import PerfduckError
from perfduck_model.limits import limits

CHAIN = FIXTURES / "perf_script" / "comms"
FLAT = FIXTURES / "perf_script" / "comms-flat"
DEMO = FIXTURES / "demo" / "native.udp64.1.txt.xz"


def ordered(batch: Batch) -> pl.DataFrame:
    samples = named_chains(batch)
    return samples.sort(pl.all().exclude("chain"), maintain_order=True)


REWRITTEN: dict[str, Callable[[bytes], bytes]] = {
    "CRLF": lambda text: text.replace(b"\n", b"\r\n"),
    "tabs for blanks": lambda text: re.sub(rb"^\t +", b"\t", text, flags=re.MULTILINE),
    "blanks for tabs": lambda text: re.sub(rb"^\t", b"        ", text, flags=re.MULTILINE),
    "no final newline": lambda text: text.rstrip(b"\n"),
    "blank lines behind the event line": lambda text: text.replace(b"clock: \n", b"clock: \n\n"),
    "three blank lines between samples": lambda text: text.replace(b"\n\n", b"\n\n\n\n"),
    "no blank lines": lambda text: text.replace(b"\n\n", b"\n"),
    "blanks before comm": lambda text: re.sub(rb"^(?=python3 )", b"    ", text, flags=re.MULTILINE),
    "no blank behind the event": lambda text: text.replace(b"cpu-clock: \n", b"cpu-clock:\n"),
}


@pytest.mark.slow
@pytest.mark.parametrize("rewrite", mostly_slow(REWRITTEN.values(), 3), ids=REWRITTEN.keys())
def test_rewritten_text_gives_the_same_samples(rewrite: Callable[[bytes], bytes]) -> None:
    text = text_of(CHAIN)
    assert_frame_equal(ordered(parsed(rewrite(text))), ordered(parsed(text)))


def test_a_chain_may_begin_on_the_event_line() -> None:
    text = text_of(CHAIN)
    joined = text.replace(b"cpu-clock: \n\t", b"cpu-clock: \t")
    assert joined != text
    assert_frame_equal(ordered(parsed(joined)), ordered(parsed(text)))


@pytest.mark.parametrize("name", ["f(void (*)(int))", "g::operator() (int)", "main"])
@pytest.mark.parametrize("gap", ["            401136 ", "\n\t          401136 "])
def test_a_name_is_whole_where_no_dso_is_printed(name: str, gap: str) -> None:
    text = f"spin 7 [000] 1.000001: 9 cpu-clock: {gap}{name}\n" + "\n" * gap.startswith("\n")
    rest = text.replace(name, "main").replace("1.0", "2.0") * 2
    found = named_chains(parsed((text + rest).encode()))
    assert found.select("leaf", "dso").row(0) == (name, "[unknown]")


@pytest.mark.parametrize("comm", ["p", "S", "GEM"])
def test_a_comm_may_be_as_short_as_a_mode(comm: str) -> None:
    text = f"{comm} 1.000001: cpu-clock: \n\t          401136 main (/app)\n\n"
    assert set(parsed((text * 3).encode()).samples["comm"]) == {comm}


@pytest.mark.parametrize("dso", ["a(b", "x)y", "/opt/a(b", "app"])
@pytest.mark.parametrize("gap", ["            401136 ", "\n\t          401136 "])
def test_a_dso_alone_may_have_half_a_parenthesis(dso: str, gap: str) -> None:
    text = f"spin 7 [000] 1.000001: 9 cpu-clock: {gap}({dso})\n" + "\n" * gap.startswith("\n")
    rest = text.replace(dso, "app").replace("1.0", "2.0") * 4
    found = named_chains(parsed((text + rest).encode()))
    assert found["dso"][0] == dso


@pytest.mark.parametrize("dso", ["app (deleted)", "./app (deleted)", "app"])
def test_a_relative_dso_may_be_deleted(dso: str) -> None:
    text = f"spin 7 [000] 1.000001: 9 cpu-clock:             401136 main ({dso})\n"
    found = named_chains(parsed((text * 3).encode()))
    assert found.select("leaf", "dso").row(0) == ("main", dso)


def test_comms_with_blanks_colons_brackets_slashes_and_parentheses_are_whole() -> None:
    comms = set(parsed(text_of(CHAIN)).samples["comm"])
    assert {"V8 WorkerThread", "a:b [c] 12/3", "(sd-pam)", "/usr/bin/x", "[ext4-rsv]"} <= comms
    assert {"kworker/0:1-ev", "#hash", "12345", "a,b=c", ";semi;", ":-1", "a  b"} <= comms
    assert comms == set(parsed(text_of(FLAT)).samples["comm"]) | comms


def test_bytes_that_are_not_utf8_stay_visible() -> None:
    text = text_of(CHAIN).replace(b"V8 WorkerThread", b"V8 \xff\xfeThread")
    assert "V8 \\xff\\xfeThread" in set(parsed(text).samples["comm"])


@pytest.mark.parametrize("size", [50_000, 300_000])
def test_the_size_of_parts_does_not_matter(size: int, set_limits: SetLimits) -> None:
    text = lzma.decompress(DEMO.read_bytes())[:2_000_000]
    assert_parts_do_not_matter(text[: text.rindex(b"\n\n") + 2], size, set_limits)


@pytest.mark.slow
def test_a_part_may_begin_with_an_inlined_frame(set_limits: SetLimits) -> None:
    text = text_of(FIXTURES / "perf_script" / "v7-inline")
    assert_parts_do_not_matter(text * 30, 2000, set_limits)


def assert_parts_do_not_matter(text: bytes, size: int, set_limits: SetLimits) -> None:
    assert len(text) > limits.head_bytes + size  # the head is one part
    whole = parsed(text)
    set_limits(text_part_bytes=size)
    parts = parsed(text)
    assert_frame_equal(parts.samples, whole.samples)
    for name, key in (("symbols", "symbol_id"), ("stacks", "stack_id")):
        left, right = (getattr(batch, name).unique(key).sort(key) for batch in (parts, whole))
        assert_frame_equal(left, right)


def test_a_file_that_is_cut_off_within_a_line_is_refused() -> None:
    text = text_of(CHAIN)
    cut = text[: text.rindex(b" ([kernel.kallsyms])") + 12]
    with pytest.raises(
        PerfduckError, match=r"input\.txt:\d+: expected a whole line, got '.*asm_exc"
    ):
        parsed(cut)
    assert len(parsed(cut, lenient=True).samples)


def test_a_few_strange_lines_are_kept_and_counted() -> None:
    lines = text_of(CHAIN).split(b"\n")
    lines.insert(40, b"%% what is this? %%")
    skipped = parsed(b"\n".join(lines)).skipped
    assert skipped.rows() == [(41, "%% what is this? %%", "no known line")]


@pytest.mark.slow
def test_many_strange_lines_are_refused_unless_lenient() -> None:
    text = text_of(CHAIN).replace(b"\n\n", b"\n%% strange %%\n\n")
    with pytest.raises(PerfduckError, match=r"lines could not be parsed \(--lenient"):
        parsed(text)
    assert len(parsed(text, lenient=True).skipped) == text.count(b"%% strange")


def test_a_header_becomes_facts() -> None:
    facts = parsed(text_of(FIXTURES / "perf_script" / "header")).facts
    assert facts.host == "vm"
    assert facts.kernel_release == "6.18.44-fc-v669"
    assert facts.arch == "x86_64"
    assert facts.cpus == 2
    assert facts.tool == "perf 6.1.187"
    assert facts.command is not None
    assert "record" in facts.command
    assert facts.events["cpu-clock"].unit == "ns"
    assert facts.events["cpu-clock"].frequency == 999


def test_lost_records_are_summed() -> None:
    text = text_of(FIXTURES / "perf_script" / "lost")
    expected = sum(map(int, re.findall(rb"PERF_RECORD_LOST lost (\d+)", text)))
    batches = list(perf_script_batches(text))
    assert sum(batch.facts.lost for batch in batches) == expected > 0


def perf_script_batches(text: bytes) -> list[Batch]:
    return list(importer.open(Source("input.txt", io.BytesIO(text))).batches(ImportOptions()))


def test_cgroups_stand_behind_chains_and_on_flat_lines() -> None:
    for name in ("v612-cgroup", "v7-cgroup", "v7-cgroup-flat"):
        cgroups = set(parsed(text_of(FIXTURES / "perf_script" / name)).samples["cgroup"])
        assert len(cgroups) > 1
        assert all(cgroup.startswith("/") for cgroup in cgroups)


def test_a_text_that_begins_within_a_sample_lacks_that_sample_only() -> None:
    text = text_of(FIXTURES / "perf_script" / "v7-cgroup")
    behind = re.sub(rb"(?m)clock:  (/.*)\n((?:\t.*\n)+)", rb"clock: \n\2 \1\n", text)
    whole, rest = (parsed(form, lenient=True) for form in (behind, behind.split(b"\n", 1)[1]))
    assert_frame_equal(whole.samples, parsed(text).samples)
    assert_frame_equal(rest.samples, whole.samples[1:])
    assert set(rest.skipped["reason"]) == {"no event line before it"}


def test_addresses_are_kept_where_they_mean_the_same_in_the_next_run() -> None:
    symbols = parsed(text_of(FIXTURES / "perf_script" / "no-user-symbols")).symbols
    unknown = symbols.filter(name="[unknown]")
    by_file = unknown.filter(pl.col("dso").str.starts_with("/opt/"))
    assert not by_file["address"].has_nulls()
    assert unknown.filter(~pl.col("dso").str.starts_with("/"))["address"].is_null().all()


def test_a_cgroup_may_hold_blanks_and_colons() -> None:
    for name in ("v612-cgroup", "v7-cgroup", "v7-cgroup-flat"):
        cgroups = set(parsed(text_of(FIXTURES / "perf_script" / name)).samples["cgroup"])
        assert any(" " in cgroup and ":" in cgroup for cgroup in cgroups), cgroups


def test_inlined_frames_have_the_dso_of_the_function_around_them() -> None:
    for name in ("v7-inline", "dwarf"):
        symbols = parsed(text_of(FIXTURES / "perf_script" / name)).symbols
        inlined = symbols.filter(pl.col("name").is_in(["operator()", "_M_invoke", "twist"]))
        assert set(inlined["dso"]) == {"/opt/demo/demo"}


def test_the_kernel_and_its_modules_have_one_name_each() -> None:
    text = text_of(CHAIN)
    elsewhere = text.replace(b"[kernel.kallsyms]", b"/usr/lib/debug/boot/vmlinux-6.1.0")
    # Threads number the lines in no certain order; the store sorts symbols by their id.
    symbols = [parsed(form).symbols.sort("symbol_id") for form in (elsewhere, text)]
    assert_frame_equal(*symbols)
    module = text.replace(b"[kernel.kallsyms]", b"/lib/modules/6.1.0/kernel/nf_conntrack.ko.xz")
    assert "[nf_conntrack]" in set(parsed(module).symbols["dso"])
    guest = text.replace(b"[kernel.kallsyms]", b"[guest.kernel.kallsyms.77]")
    assert "[guest.kernel.kallsyms]" in set(parsed(guest).symbols["dso"])


ODD_DSOS = [
    "/opt/a(b", "/opt/a)b", "/opt/(a", "/opt/a)", "/opt/x (y", "/opt/x) y", "/opt/d (1/x",
    "/opt/d 1)/x", "/opt/a(b (deleted)", "./a(b", "a(b.so", "[a(b]", "/opt/((a", "/opt/x y(",
]  # fmt: skip
ODD_NAMES = [
    "fun", "operator()", "void foo<int>(char (*)(int)) const", "[unknown]", "a(b",
    "(anonymous namespace)::f(int)", "std::function<void (int)>::operator()(int) const",
]  # fmt: skip


@pytest.mark.parametrize("offset", ["", "+0x1"])
@pytest.mark.parametrize("gap", ["\n\t    ", "  "], ids=["chain", "flat"])
def test_a_dso_may_have_half_a_parenthesis(gap: str, offset: str) -> None:
    wanted = [("fun", "/usr/lib/libc.so.6")] * 300
    wanted += [(name, dso) for name in ODD_NAMES for dso in ODD_DSOS]
    text = "".join(
        f"app 12 [001] 1.5: 1000 cycles: {gap}{0xFFFFFFFF81000010 + at:x}"
        f" {name}{offset * (name != '[unknown]')} ({dso})\n" + "\n" * ("\t" in gap)
        for at, (name, dso) in enumerate(wanted)
    )
    found = named_chains(parsed(text.encode()))
    assert list(zip(found["leaf"], found["dso"], strict=True)) == wanted


@pytest.mark.parametrize("is_flat", [True, False], ids=["flat", "chain"])
@pytest.mark.parametrize("is_behind", [True, False], ids=["behind", "before"])
def test_a_cgroup_without_a_name_is_unknown(is_flat: bool, is_behind: bool) -> None:
    """perf prints `unknown` where no record names the id; perf 6.2 to 6.4 cgroups behind frames."""
    frame = "ffffffff81000000 clear_page+0x10 ([kernel.kallsyms])"
    begin, end = ("", "") if is_flat else ("\n\t", "\n")
    samples = []
    for second, group in enumerate(("/pod.slice/a b:c", "unknown", "/pod.slice/a b:c")):
        before, behind = ("", f" {group}") if is_behind else (f" {group}", "")
        head = f"app 7 [000] {second}.000001: 1001001 cpu-clock: {before}{begin or ' '}"
        samples.append(f"{head}{frame}{end}{behind}\n{end}")
    batch = parsed("".join(samples).encode())
    assert batch.samples["cgroup"].to_list() == ["/pod.slice/a b:c", None, "/pod.slice/a b:c"]
    assert batch.symbols.select("name", "dso").rows() == [("clear_page", "[kernel.kallsyms]")]
    assert batch.skipped.is_empty()

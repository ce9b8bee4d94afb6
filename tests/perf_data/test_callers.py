"""Callers that are not in the chain of their sample, and chains that are not whole."""

from collections.abc import Sequence
from pathlib import Path

import oracle
import pytest
from made import CHAIN, FIELDS, KERNEL, PID, USER, Recording, words
from set_limits import SetLimits

from perfduck_ingest.perf_data import features, records
from perfduck_kernels import native
from perfduck_model.batch import Batch

PROGRAM = "/opt/app/bin/progs"
LBR = 1 | records.BRANCH_CALL_STACK
DEFERRED = records.CONTEXT_USER_DEFERRED
DEFER = 1 << 38 | 1 << 39
LEAF, MIDDLE, TOP, MAIN = 0x401620, 0x40163E, 0x40164C, 0x401658
HOOK, SENDTO = 0xFFFFFFFF81001010, 0xFFFFFFFF81002010
FILE = 0x400000  # address minus offset in the program


def recording(sample_type: int, **given: int) -> Recording:
    made = Recording(sample_type, **given)  # type: ignore[arg-type]
    made.map(0xFFFFFFFF81000000, 0x2000000, 0, "[kernel.kallsyms]_text", mode=1, pid=-1)
    made.comm("prog")
    made.map(0x401000, 0x78000, 0x1000, PROGRAM)
    return made


def batches_of(made: Recording, tmp_path: Path) -> list[Batch]:
    return oracle.batches_of(made.write(tmp_path / "perf.data"))


def chains_of(batches: Sequence[Batch]) -> list[list[int | str]]:
    """Each sample's frames, leaf first: the address, or the dso where that is not kept."""
    symbols = {
        row[0]: row[2] if row[3] is None else row[3] % (1 << 64)
        for batch in batches
        for row in batch.symbols.iter_rows()
    }
    stacks = {key: ids for batch in batches for key, ids in batch.stacks.iter_rows()}
    ids = oracle.frame_of(batches).sort("time_ns")["stack_id"]
    return [[symbols[one] for one in stacks[key]] for key in ids]


def chains(made: Recording, tmp_path: Path) -> list[list[int | str]]:
    return chains_of(batches_of(made, tmp_path))


def in_file(*addresses: int) -> list[int]:
    return [address - FILE for address in addresses]


@pytest.mark.slow
def test_a_call_stack_of_branches_gives_the_callers(tmp_path: Path) -> None:
    made = recording(CHAIN | records.SAMPLE_BRANCH_STACK, branch_type=LBR)
    calls = [(MIDDLE, 0x401615), (TOP, 0x401638), (MAIN, 0x401646)]
    made.sample(10, LEAF, [USER, LEAF], calls)
    made.sample(11, HOOK, [KERNEL, HOOK, SENDTO, USER, LEAF], calls[1:], mode=1)
    made.sample(12, HOOK, [KERNEL, HOOK, SENDTO], calls, mode=1)  # of a kernel thread: as it is
    made.sample(13, LEAF, [USER, LEAF, MIDDLE], [])
    assert chains(made, tmp_path) == [
        in_file(0x401615, MIDDLE, TOP, MAIN),
        [HOOK, SENDTO, *in_file(0x401638, TOP, MAIN)],
        [HOOK, SENDTO],
        in_file(LEAF, MIDDLE),
    ]


def test_branches_that_are_no_callers_are_counted(tmp_path: Path) -> None:
    made = recording(CHAIN | records.SAMPLE_BRANCH_STACK, branch_type=1)
    made.sample(10, LEAF, [USER, LEAF, TOP], [(MIDDLE, LEAF)])
    made.sample(11, LEAF, [USER, LEAF], [])
    batches = batches_of(made, tmp_path)
    assert chains_of(batches) == [in_file(LEAF, TOP), in_file(LEAF)]
    assert batches[-1].facts.limitations["branch-stacks"].samples == 1


@pytest.mark.parametrize("limit", [24, 0])
def test_deferred_callers_are_those_of_all_samples_with_their_cookie(
    limit: int, tmp_path: Path, set_limits: SetLimits
) -> None:
    """With a limit of 0 samples are due before their callers are read."""
    set_limits(most_blocks_waiting=limit, head_bytes=512, block_bytes=512)
    made = recording(CHAIN, flags=DEFER)
    for time in range(10, 20):
        made.sample(time, HOOK, [KERNEL, HOOK, SENDTO, DEFERRED, 77], mode=1)
    made.sample(21, LEAF, [USER, LEAF])
    made.sample(22, HOOK, [KERNEL, HOOK, DEFERRED, 78], mode=1)
    made.sample(23, HOOK, [KERNEL, HOOK, DEFERRED, 79], mode=1)
    made.map(0x401000, 0x78000, 0x1000, "/opt/app/bin/later", time=24)
    made.user_callers(30, 77, [USER, LEAF, MIDDLE, TOP])
    made.user_callers(31, 78, [LEAF, MAIN])
    batches = batches_of(made, tmp_path)
    assert chains_of(batches) == [
        *[[HOOK, SENDTO, *in_file(LEAF, MIDDLE, TOP)]] * 10,
        in_file(LEAF),
        [HOOK, *in_file(LEAF, MAIN)],
        [HOOK],
    ]
    assert {row[2] for batch in batches for row in batch.symbols.iter_rows()} == {
        "[kernel.kallsyms]", PROGRAM,
    }  # fmt: skip
    assert batches[-1].facts.limitations["deferred-callers"].samples == 1


def test_an_entry_that_is_no_address_cuts_off_what_is_behind_it(tmp_path: Path) -> None:
    made = recording(CHAIN)
    made.sample(10, HOOK, [KERNEL, HOOK, SENDTO, USER, LEAF, (1 << 64) - 1, MAIN], mode=1)
    made.sample(11, HOOK, [(1 << 64) - 1, LEAF], mode=1)
    batches = batches_of(made, tmp_path)
    assert chains_of(batches) == [[HOOK, SENDTO, *in_file(LEAF)], [HOOK]]
    assert batches[-1].facts.limitations["broken-callchains"].samples == 2


def test_guests_and_hypervisors_are_no_user_space(tmp_path: Path) -> None:
    made = recording(CHAIN)
    made.map(0x401000, 0x1000, 0, "[guest.kernel.kallsyms]_text", mode=records.GUEST_KERNEL)
    made.sample(10, LEAF, [], mode=records.GUEST_KERNEL)
    made.sample(11, LEAF, [KERNEL], mode=records.GUEST_USER)
    made.sample(12, LEAF, [], mode=records.HYPERVISOR)
    made.sample(13, LEAF, [USER, LEAF])
    names = ["[guest.kernel.kallsyms]", "[guest.user]", "[hypervisor]"]
    assert chains(made, tmp_path) == [*([one] for one in names), in_file(LEAF)]


def test_dwarf_stacks_are_counted(tmp_path: Path) -> None:
    registers = records.SAMPLE_REGS_USER | records.SAMPLE_STACK_USER
    made = recording(CHAIN | registers)
    made.sample(10, LEAF, [], tail=words(0, 16, 1, 2, 16))
    made.sample(11, HOOK, [KERNEL, HOOK, SENDTO], mode=1, tail=words(0, 16, 1, 2, 8))
    made.sample(12, HOOK, [KERNEL, HOOK], mode=1, tail=words(0, 0))  # of a kernel thread
    batches = batches_of(made, tmp_path)
    assert chains_of(batches) == [in_file(LEAF), [HOOK, SENDTO], [HOOK]]
    limitations = batches[-1].facts.limitations
    why = "dwarf-stacks-of-other-machines" if native.version() else "dwarf-stacks"
    assert limitations[why].samples == 2


@pytest.mark.parametrize("samples", [0, 1])
def test_bytes_of_processor_traces_are_said(samples: int, tmp_path: Path) -> None:
    made = recording(FIELDS)
    for _ in range(3):
        made.record(records.AUXTRACE, 0, words(4096, 0, 1, 0, 0))
        made.parts.append(bytes(4096))
    for time in range(samples):
        made.sample(10 + time, LEAF)
    batches = batches_of(made, tmp_path)
    said = batches[-1].facts.limitations["processor-traces"]
    assert said.text.startswith("12,288 bytes of processor traces (AUX) are not decoded")
    assert "3 records of type 71" in batches[-1].skipped["text"].to_list()


def test_counts_of_perf_stat_record_are_said(tmp_path: Path) -> None:
    made = recording(FIELDS)
    made.features[features.STAT] = b""
    said = batches_of(made, tmp_path)[-1].facts.limitations["counts"]
    assert said.text.startswith("counts of `perf stat record`")


def test_numbers_beyond_63_bits_are_left_out_and_counted(tmp_path: Path) -> None:
    made = recording(FIELDS)
    for number in range(6):
        time, period = 10 + number, 1000
        if number == 3:
            time = 1 << 63
        if number == 4:
            period = (1 << 64) - 7
        made.sample(time, LEAF, period=period)
    batches = batches_of(made, tmp_path)
    samples = oracle.frame_of(batches)
    assert samples["time_ns"].to_list() == [10, 11, 12, None, 14, 15]
    assert samples["period"].to_list() == [1000, 1000, 1000, 1000, None, 1000]
    assert samples["comm"].to_list() == ["prog"] * 6
    assert samples["pid"].to_list() == [PID] * 6
    facts = batches[-1].facts
    assert {code: one.samples for code, one in facts.limitations.items()} == {
        "time-out-of-range": 1, "period-out-of-range": 1, "no-names": None,
    }  # fmt: skip
    assert facts.duration_s == 5e-9

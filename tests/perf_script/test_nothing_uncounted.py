"""What goes in is stored, or skipped and counted: real recordings, damaged line by line."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import FIXTURES, named_chains, parsed, text_of

from perfduck_model.batch import Batch

GARBAGE = [
    "%% what is this? %%",
    "app 12 [0x] 1.x: cycles:",
    "Warning: Processed 12 events and lost 3 chunks!",
    "\tnot a frame (",
    "    indented prose",
    " instruction trace error type 1 time 12.345 cpu 0 pid 1 tid 2 ip 0x1 code 6: Trace lost",
    "12 apples",
    "swapper     0 [000]",
]
KEPT, UNREADABLE, WITHOUT_EVENT, STRANGE_INSIDE, STRANGE_BEFORE = range(5)


@dataclass(frozen=True)
class Block:
    """A sample as perf printed it, and as it is read where nothing is damaged."""

    event: str
    frames: list[str]
    chain: list[str]


def blocks_of(name: str, most: int = 25) -> list[Block]:
    text = text_of(FIXTURES / "perf_script" / name).decode("utf-8", "backslashreplace")
    parts = [part.split("\n") for part in text.strip("\n").split("\n\n")][:most]
    whole = "\n\n".join("\n".join(part) for part in parts) + "\n\n"
    chains = named_chains(parsed(whole.encode()))["chain"].to_list()
    assert len(chains) == len(parts)
    return [Block(part[0], part[1:], chain) for part, chain in zip(parts, chains, strict=True)]


RECORDINGS = {name: blocks_of(name) for name in ("comms", "net-chain", "v7-cgroup", "fields-pid")}


@dataclass
class Damaged:
    """The damaged text, the chains of the samples that are left, and what is to be skipped."""

    lines: list[str]
    chains: list[list[str]]
    skipped: list[tuple[int, str]]

    def skip(self, line: str) -> None:
        self.lines.append(line)
        self.skipped.append((len(self.lines), line))

    def add(self, block: Block, damage: int, garbage: str) -> None:
        if damage == STRANGE_BEFORE:
            self.skip(garbage)
            self.lines.append("")
        if damage in (UNREADABLE, WITHOUT_EVENT):
            if damage == UNREADABLE:
                self.skip(garbage)
            for frame in block.frames:
                self.skip(frame)
        else:
            self.chains.append(block.chain)
            self.lines += [block.event, *block.frames[:1]]
            if damage == STRANGE_INSIDE:
                self.skip(garbage)
            self.lines += block.frames[1:]
        self.lines.append("")


def read(lines: list[str]) -> Batch:
    return parsed("".join(f"{line}\n" for line in lines).encode(), lenient=True)


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(sorted(RECORDINGS)),
    st.lists(st.tuples(st.integers(0, 4), st.sampled_from(GARBAGE)), max_size=12),
)
def test_every_line_of_a_damaged_recording_is_stored_or_skipped(
    name: str, damages: list[tuple[int, str]]
) -> None:
    damaged = Damaged([], [], [])
    blocks = RECORDINGS[name]
    for at, block in enumerate(blocks):
        damage, garbage = damages[at // 2] if at % 2 and at // 2 < len(damages) else (KEPT, "")
        damaged.add(block, damage, garbage)
    batch = read(damaged.lines)
    assert named_chains(batch)["chain"].to_list() == damaged.chains
    skipped = sorted(batch.skipped.select("line", "text").rows())
    assert skipped == damaged.skipped


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from(GARBAGE)), max_size=8))
def test_every_line_of_a_damaged_flat_recording_is_stored_or_skipped(
    garbage: list[tuple[int, str]],
) -> None:
    text = text_of(FIXTURES / "perf_script" / "default-flat").decode()
    lines = text.splitlines()[:60]
    for at, line in garbage:
        lines.insert(at, line)
    batch = read(lines)
    assert len(batch.samples) == 60
    assert sorted(batch.skipped["text"]) == sorted(line for _, line in garbage)


def test_a_chain_behind_an_unread_event_line_belongs_to_no_sample() -> None:
    blocks = RECORDINGS["comms"]
    damaged = Damaged([], [], [])
    for at, block in enumerate(blocks):
        damaged.add(block, UNREADABLE if at == 3 else KEPT, "comm without anything")
    reasons = read(damaged.lines).skipped["reason"].to_list()
    assert reasons == ["no known line"] + ["no event line before it"] * len(blocks[3].frames)


@pytest.mark.parametrize("tail", [" 0x40162f/0x401620/P/-/-/5/ ", " ABI:2    SP:0x7fff9f5bb1a8 "])
def test_where_no_blank_lines_divide_samples_an_unread_line_ends_one(tail: str) -> None:
    lines: list[str] = []
    for at in range(20):
        lines.append(f"prog   500 [001]     0.00000{at % 10}:       1000 cycles: ")
        lines += ["\t            1640 f+0x8 (/opt/app)", "\t            1658 main+0x4 (/opt/app)"]
        lines.append(tail)
    lines[40] = "prog 500 [001] 0.x: cycles"
    batch = read(lines)
    assert named_chains(batch)["chain"].to_list() == [["f", "main"]] * 19
    assert len(batch.skipped) == 3


def test_one_foreign_line_in_three_changes_no_layout() -> None:
    blocks = RECORDINGS["fields-pid"]
    lines = []
    for block in blocks:
        lines += [block.event, *block.frames[:2], " instruction trace error type 1 time 1 ip 0", ""]
    batch = parsed("".join(f"{line}\n" for line in lines).encode())
    assert len(batch.samples) == len(batch.skipped) == len(blocks)
    assert batch.facts.layout == "comm pid/tid [cpu] time: period event:, chains"


def test_numbers_beyond_their_columns_are_skipped_and_counted() -> None:
    lines = [f"app 1 [000] 1.00000{at}:    1000 cycles:  401000 f (/bin/app)" for at in range(9)]
    lines[3] = lines[3].replace("1000 cycles", "93000000000000000000 cycles")
    lines[5] = lines[5].replace("app 1", "app 99999999999")
    batch = read(lines)
    assert len(batch.samples) == 7
    assert batch.skipped["line"].to_list() == [4, 6]


SAMPLE = "app 12 [001] {time}: {period} cycles: \n\tffffffff81000010 f+0x1 (/bin/a)\n\n"
MOST, MOST_PRINTED = (1 << 63) - 1, (1 << 64) - 1


@pytest.mark.parametrize(
    ("time", "period", "kept", "limited"),
    [
        ("1.5", MOST, (1_500_000_000, MOST), []),
        ("1.5", MOST + 1, (1_500_000_000, None), ["period-out-of-range"]),
        ("1.5", MOST_PRINTED, (1_500_000_000, None), ["period-out-of-range"]),
        ("1.5", MOST_PRINTED + 1, None, []),
        ("9223372035.9", 7, (9223372035_900000000, 7), []),
        ("9223372037.1", 7, (None, 7), ["time-out-of-range"]),
        ("18446744073.1", MOST_PRINTED, (None, None), ["time-out-of-range", "period-out-of-range"]),
        ("18446744074.1", 7, None, []),
    ],
)
def test_a_number_of_64_bits_is_left_out_as_of_perf_data(
    time: str, period: int, kept: tuple[int | None, int | None] | None, limited: list[str]
) -> None:
    plain = SAMPLE.format(time="1.5", period=1)
    text = plain * 20 + SAMPLE.format(time=time, period=period)
    found = parsed(text.encode(), lenient=True)
    numbers = found.samples.select("time_ns", "period").rows()
    assert numbers[:20] == [(1_500_000_000, 1)] * 20
    assert numbers[20:] == ([] if kept is None else [kept])
    assert len(found.skipped) == (2 if kept is None else 0)
    assert {code: one.samples for code, one in found.facts.limitations.items()} == dict.fromkeys(
        limited, 1
    )


def test_samples_without_a_function_are_counted() -> None:
    """As `perf sched script` prints them."""
    line = "spin 12 [000] 1.000001: sched:sched_stat_runtime: comm=spin pid=12 runtime=63633 [ns]\n"
    found = parsed((line * 3).encode())
    assert found.samples["count"].sum() == 3
    assert {code: one.samples for code, one in found.facts.limitations.items()} == {"no-frames": 3}

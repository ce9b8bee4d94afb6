"""Real texts cut off at every byte: what is left are samples of the whole, or it is said."""

from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import FIXTURES, named_chains, parsed, text_of

from perfduck_ingest.perf_script.end import CUT_CHAIN, CUT_LINE, OPEN_CHAIN
from perfduck_model.batch import Batch
from perfduck_model.errors import PerfduckError

LAYOUTS = [
    "comms", "marks", "marks-flat", "default-flat", "fields-ip-sym", "fields-ip-sym-flat",
    "fields-comm-only", "fields-comm-tid-ip-sym", "fields-without-dso", "fields-without-time",
    "fields-no-ip", "fields-ip", "address", "dwarf", "srcline", "tracepoint-mixed", "v7-cgroup",
    "v7-cgroup-flat", "v7-dsoff", "registers", "records-mmap",
]  # fmt: skip


@lru_cache
def start_of(name: str) -> bytes:
    """The first few samples; where chains end in blank lines, up to one."""
    text = text_of(FIXTURES / "perf_script" / name)
    blank = text.find(b"\n\n", 1200)
    return text[: blank + 2 if blank >= 0 else text.index(b"\n", 600) + 1]


@lru_cache
def rows(text: bytes) -> tuple[Batch, list[tuple[object, ...]]]:
    batch = parsed(text, lenient=True)
    fields = ("comm", "pid", "tid", "cpu", "time_ns", "period", "event", "cgroup", "chain")
    return batch, named_chains(batch).select(fields).rows()


def wrong(text: bytes, size: int) -> str | None:
    """What is neither refused nor a sample of the whole text nor said, of its first bytes."""
    whole = rows(text)[1]
    try:
        batch, cut = rows(text[:size])
    except (PerfduckError, AssertionError):
        return None  # refused, or not recognised
    if cut == whole[: len(cut)]:
        return None
    *before, last = cut
    rest = whole[len(before) :]
    is_start = bool(rest) and last[:-1] == rest[0][:-1] and last[-1] == rest[0][-1][: len(last[-1])]
    is_said = "open-chain" in batch.facts.limitations
    # A first event line alone: nothing says that a chain was behind it, but for the layout.
    is_first = not before and bool(rest) and last[:-1] == rest[0][:-1]
    is_line = is_first and not str(batch.facts.layout).endswith("chains")
    if before == whole[: len(before)] and ((is_start and is_said) or is_line):
        return None
    return f"{size}: {text[:size][-80:]!r}: {last} for {rest[:1]}"


@pytest.mark.slow
@settings(deadline=None, max_examples=80)
@given(st.sampled_from(LAYOUTS), st.floats(0, 1, exclude_max=True))
def test_a_text_cut_off_anywhere_gives_samples_of_the_whole_or_says_so(
    name: str, part: float
) -> None:
    text = start_of(name)
    assert wrong(text, 1 + int(part * (len(text) - 1))) is None


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYOUTS)
def test_a_text_cut_off_at_every_third_byte_of_its_last_lines(name: str) -> None:
    text = start_of(name)
    sizes = range(max(len(text) - 300, 1), len(text), 3)
    assert not list(filter(None, (wrong(text, size) for size in sizes)))


def skipped(text: bytes) -> list[tuple[str, str]]:
    """The text of what is skipped, and why."""
    return parsed(text, lenient=True).skipped.select("text", "reason").rows()


@pytest.mark.slow
def test_an_event_line_at_the_end_is_no_sample_without_frames() -> None:
    text = start_of("comms")
    line = text.split(b"\n")[0]
    for end in (line, line.rstrip(), line + b"\n", line + b"\n\t"):
        assert len(parsed(text + end).samples) == len(parsed(text).samples)
        assert [reason for _, reason in skipped(text + end)] in ([CUT_LINE], [CUT_CHAIN])


def test_a_frame_that_is_cut_off_is_skipped_and_its_chain_may_lack_callers() -> None:
    text = start_of("fields-without-dso").rstrip(b"\n")
    last = text.split(b"\n")[-1].decode()
    assert skipped(text) == [(last, CUT_LINE)]  # its name may go on
    assert parsed(text).facts.limitations == {"open-chain": OPEN_CHAIN}


def test_a_text_without_its_last_newlines_keeps_its_last_sample_and_says_so() -> None:
    text = start_of("comms")
    for end in (b"", b"\n"):
        batch = parsed(text.rstrip(b"\n") + end)
        assert named_chains(batch).equals(named_chains(parsed(text)))
        assert batch.facts.limitations == {"open-chain": OPEN_CHAIN}
    assert not parsed(text).facts.limitations

"""Generated samples, printed the way perf prints them, come back as they were."""

from dataclasses import dataclass

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from recordings import named_chains, parsed

PRINTABLE = st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_categories=["C", "Z"])
WORD = st.text(PRINTABLE, min_size=1, max_size=12)
# perf prints "[unknown]" for no name; a '+0x1f (' in a name is one that nothing can tell apart.
NAME = (
    st.lists(WORD, min_size=1, max_size=3)
    .map(" ".join)
    .filter(lambda name: "(" not in name and ")" not in name and "+0x" not in name)
)
COMM = st.lists(WORD, min_size=1, max_size=3).map(" ".join)
DSO = st.sampled_from(
    ["[kernel.kallsyms]", "[nf_conntrack]", "/usr/bin/a b", "/opt/x (deleted)", "/opt/d (1)/x"]
)
FRAME = st.tuples(NAME, DSO)


@dataclass(frozen=True)
class Sample:
    comm: str
    tid: int
    time_ns: int
    period: int
    frames: list[tuple[str, str]]


SAMPLE = st.builds(
    Sample,
    COMM,
    st.integers(0, 4_000_000),
    st.integers(0, 10**12).map(lambda us: us * 1000),
    st.integers(1, 10**9),
    st.lists(FRAME, min_size=1, max_size=5),
)


def printed(sample: Sample) -> str:
    seconds, rest = divmod(sample.time_ns, 10**9)
    time = f"{seconds:5}.{rest // 1000:06}"
    head = f"{sample.comm} {sample.tid:5} [001] {time}: {sample.period:10} cpu-clock: \n"
    frames = (
        f"\t{4096 + offset:16x} {name}+0x{offset:x} ({dso})\n"
        for offset, (name, dso) in enumerate(sample.frames)
    )
    return f"{head}{''.join(frames)}\n"


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(st.lists(SAMPLE, min_size=1, max_size=20))
@example([Sample("PERF_RECORD_", 0, 0, 1, [("f", "/usr/bin/a b")])])
def test_what_was_printed_is_read(samples: list[Sample]) -> None:
    got = named_chains(parsed("".join(map(printed, samples)).encode()))
    assert got.select("comm", "tid", "time_ns", "period", "chain").rows() == [
        (s.comm, s.tid, s.time_ns, s.period, [name for name, _ in s.frames]) for s in samples
    ]
    assert got["dso"].to_list() == [sample.frames[0][1] for sample in samples]

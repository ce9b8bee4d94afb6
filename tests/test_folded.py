"""Folded stacks of several tools, in and out."""

import re
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from command import run
from hypothesis import given
from hypothesis import strategies as st

import perfduck
from perfduck_ingest.formats import opened
from perfduck_ingest.importer import ImportOptions, WeightEvent
from perfduck_ingest.source import Source
from perfduck_model.batch import Batch
from perfduck_model.errors import PerfduckError
from perfduck_model.limits import limited
from perfduck_report import names

KERNEL, UNKNOWN = "[kernel.kallsyms]", "[unknown]"
FOLDED = Path(__file__).parents[1] / "fixtures" / "folded"


def read(path: Path, text: str | None = None, **options: Any) -> list[Batch]:
    if text is not None:
        path.write_text(text)
    with Source(str(path)) as source:
        recording = opened(source)
        assert recording.format == "folded"
        return list(recording.batches(ImportOptions(**options)))


def stacks(batches: list[Batch]) -> list[tuple[str | None, list[tuple[str, str]], int]]:
    """Comm, functions with their dso from root to leaf, and count."""
    symbols = {row[0]: (row[1], row[2]) for batch in batches for row in batch.symbols.iter_rows()}
    chains = {
        key: [symbols[each] for each in reversed(ids)]
        for batch in batches
        for key, ids in batch.stacks.iter_rows()
    }
    return [
        (comm, chains[stack], count)
        for batch in batches
        for stack, comm, count in batch.samples.select("stack_id", "comm", "count").iter_rows()
    ]


READ = {
    "stackcollapse-perf.pl": (
        "iperf3;main;entry_SYSCALL_64_after_hwframe;udp_sendmsg 10\nnginx;[libc.so.6] 5\n",
        [
            ("iperf3", [("main", UNKNOWN), ("entry_SYSCALL_64_after_hwframe", KERNEL),
                        ("udp_sendmsg", KERNEL)], 10),
            ("nginx", [(UNKNOWN, "libc.so.6")], 5),
        ],
    ),
    "stackcollapse-perf.pl --kernel --jit": (
        "java;Run_[j];tcp_sendmsg_[k] 3\njava;f_[i];g 4\n",
        [
            ("java", [("Run", "[jit]"), ("tcp_sendmsg", KERNEL)], 3),
            ("java", [("f", UNKNOWN), ("g", UNKNOWN)], 4),
        ],
    ),
    "profile -fd of bcc": (
        "a b;main;-;tcp_sendmsg 12\na b;--;schedule 1\n",
        [
            ("a b", [("main", UNKNOWN), ("tcp_sendmsg", KERNEL)], 12),
            ("a b", [("schedule", KERNEL)], 1),
        ],
    ),
    "async-profiler": (
        "java/lang/Thread.run;App$1.call(int, java.lang.String) 7\nstart_thread;f;[libc.so.6] 1\n",
        [
            (None, [("java/lang/Thread.run", UNKNOWN),
                    ("App$1.call(int, java.lang.String)", UNKNOWN)], 7),
            (None, [("start_thread", UNKNOWN), ("f", UNKNOWN), (UNKNOWN, "libc.so.6")], 1),
        ],
    ),
    "py-spy record -f raw": (
        "<module> (app.py:10);work (app.py:4) 99\n<module> (app.py:11);sleep (app.py:5) 1\n",
        [
            (None, [("<module> (app.py:10)", UNKNOWN), ("work (app.py:4)", UNKNOWN)], 99),
            (None, [("<module> (app.py:11)", UNKNOWN), ("sleep (app.py:5)", UNKNOWN)], 1),
        ],
    ),
    "rbspy record --format collapsed": (
        "<main> - a.rb:1;foo - a.rb:3 12\n",
        [(None, [("<main> - a.rb:1", UNKNOWN), ("foo - a.rb:3", UNKNOWN)], 12)],
    ),
    "names that were escaped": (
        r"c;a\x3bb;d\x5ce 2" "\n",
        [("c", [("a;b", UNKNOWN), (r"d\e", UNKNOWN)], 2)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("tool", READ)
def test_stacks_are_those_of_the_tool(tool: str, tmp_path: Path) -> None:
    text, expected = READ[tool]
    assert stacks(read(tmp_path / "a.folded", text)) == expected


def test_pids_of_stackcollapse_are_pids(tmp_path: Path) -> None:
    [batch, _] = read(tmp_path / "a", "a-b-12/34;f;g 1\nc-?/5;f 2\nc-7;f 2\n")
    rows = batch.samples.select("comm", "pid", "tid").rows()
    assert rows == [("a-b", 12, 34), ("c", None, 5), ("c", 7, None)]


def test_what_is_not_known_is_null_and_said(tmp_path: Path) -> None:
    [batch, last] = read(tmp_path / "a", "a;f;g 1\n")
    unknown = batch.samples.select("cpu", "cgroup", "time_ns", "period", "pid")
    assert unknown.rows() == [(None, None, None, None, None)]
    text = last.facts.limitations["folded"].text
    assert "no times, CPUs and binaries" in text
    assert "first frame of each is taken as the command" in text
    assert last.facts.events["samples"].unit == "sample"


FOREIGN = {
    "two sides": "a;b 1 2\na;c 3 0\n",
    "a log": "Jan 1 a; done 5\nJan 2 b; done 7\n",
    "code": "for (i=0; i<n; i++) x = 5\nint a; int b = 7\n",
    "few": "total 5\nsize 3\na;b 1\n",
    "a log with times": "2026-01-01T10:00:00 host a;b took 5\n2026-01-01T10:00:01 host c;d 7\n",
    "a script": "cd /tmp;ls 5\nfor i in 1;do sleep 1\necho a;sleep 2\n",
    "a script with its program": "#!/bin/sh\ndate a;ls 5\n",
    "tabs": "a;b\t12 7\na;c\t9 1\n",
}


@pytest.mark.parametrize("what", FOREIGN)
def test_other_text_is_not_taken_for_stacks(what: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(FOREIGN[what])
    with Source(str(path)) as source, pytest.raises(PerfduckError, match=r"a\.txt:1: expected"):
        opened(source)


def test_a_table_is_not_taken_for_stacks(tmp_path: Path) -> None:
    path = tmp_path / "a.CSV"
    path.write_text("name;qty 2020\nfoo;bar 3\n")
    with Source(str(path)) as source, pytest.raises(PerfduckError, match=r"a\.CSV:1: expected"):
        opened(source)


ANY_NAME = st.text(
    st.characters(exclude_categories=("Cs",)) | st.sampled_from("\n\t\x1b;\\ -#"), min_size=1
) | st.sampled_from(
    ["[x]", "[libc.so.6]", "[a;b]", "[]", "k_[k]", "-", "--", "#a", " a ", r"\n", r"\x3b", "\u202e"]
)


@pytest.mark.slow
@given(st.lists(ANY_NAME, min_size=1))
def test_names_of_an_export_come_back(
    tmp_path_factory: pytest.TempPathFactory, meant: list[str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "names.folded"
    line = ";".join(map(names.folded, ["sh", *meant]))
    [(comm, frames, _)] = stacks(read(path, f"{line} 1\n"))
    assert comm == "sh"
    assert [name for name, _ in frames] == meant


def test_commands_of_an_export_come_back(tmp_path: Path) -> None:
    comms = ["\x1b]0;a\x07", "a\nb", "a\tb", "a;b", "#a", " b ", "\u202ea", r"C:\n", "[x]"]
    comms.append("[none]")
    text = "".join(f"{names.folded(comm)};f 1\n" for comm in comms) + "[none];f 1\n"
    read_back = [comm for comm, _, _ in stacks(read(tmp_path / "a", text))]
    assert read_back == [*comms, None]
    assert stacks(read(tmp_path / "a", "[none];f 1\nsh-1/2;f 2\n"))[1][0] == "sh"


def test_backslashes_of_other_tools_stay(tmp_path: Path) -> None:
    text = "php;App\\Http\\new;App\\new\\table 1\n"
    [(_, frames, _)] = stacks(read(tmp_path / "a", text))
    assert [name for name, _ in frames] == [r"App\Http\new", r"App\new\table"]


TEXT = st.characters(codec="utf-8", exclude_categories=("Cc", "Zs", "Zl", "Zp"))
NAME = st.text(TEXT, min_size=1)
LINE = st.one_of(
    st.builds("{} {}".format, st.lists(NAME, min_size=1).map(";".join), st.integers(1, 10**15)),
    st.text(TEXT | st.sampled_from(" 0123456789;#.\t"), max_size=30),
)
IS_STACK = re.compile(r"(.*\S)[ \t]+([0-9]{1,18}|[0-9]{1,18}\.[0-9]{1,9})")


@pytest.mark.slow
@given(st.lists(LINE, max_size=30))
def test_every_line_is_stored_or_skipped(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "lines.folded"
    head = [f"a;f{number % 7};g 1" for number in range(2001)]
    path.write_bytes("\n".join([*head, *lines]).encode())
    batches = read(path, lenient=True)
    stored = pl.concat([each.samples for each in batches])
    meant = [line for line in lines if line.strip() and not line.startswith("#")]
    parts = [match.groups() for line in meant if (match := IS_STACK.fullmatch(line))]
    whole = [int(weight) for _, weight in parts if "." not in weight]
    decimals: dict[str, Decimal] = defaultdict(Decimal)
    for stack, weight in parts:
        if "." in weight:
            decimals[stack] += Decimal(weight)
    weights = [*whole, *(int(sum_ + Decimal("0.5")) for sum_ in decimals.values())]
    assert stored.height == len(head) + sum(weight > 0 for weight in weights)
    assert sum(each.skipped.height for each in batches) == len(meant) - len(parts)
    assert stored["count"].sum() == len(head) + sum(weights)


LINES = st.sampled_from([
    "sh;main;x 5", "sh;main;-;tcp_sendmsg 7", "sh;--;schedule 2", "sh;main;do_syscall_64;f 1",
    "sh;main;f_[k] 3", "[none];f 4", "sh-12;f 1", "nginx-1/2;g 6", "a_long_name_of_a_function;f 1",
    "sh;main;x 0.4", "sh;main;y 0", "all;x 9",
])  # fmt: skip


@pytest.mark.slow
@given(
    st.lists(LINES, min_size=1, max_size=12).flatmap(
        lambda x: st.tuples(st.just(x), st.permutations(x))
    )
)
def test_the_order_of_lines_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, both: tuple[list[str], list[str]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "order.folded"
    with limited(head_bytes=40, folded_part_bytes=40):
        one, other = (read(path, "".join(f"{line}\n" for line in lines)) for lines in both)
    assert Counter(map(str, stacks(one))) == Counter(map(str, stacks(other)))
    assert one[-1].facts == other[-1].facts


LATE = {
    "-": ("sh;main;-;tcp_sendmsg 7", ("sh", [("main", UNKNOWN), ("tcp_sendmsg", KERNEL)], 7)),
    "--": ("sh;main;--;tcp_sendmsg 7", ("sh", [("main", UNKNOWN), ("tcp_sendmsg", KERNEL)], 7)),
    "_[k]": ("sh;f_[k];vfs_read 7", ("sh", [("f", KERNEL), ("vfs_read", UNKNOWN)], 7)),
    "no command": ("all;f 7", (None, [("all", UNKNOWN), ("f", UNKNOWN)], 7)),
}


@pytest.mark.parametrize("what", LATE)
def test_what_the_last_line_shows_holds_for_all(what: str, tmp_path: Path) -> None:
    line, expected = LATE[what]
    head = [f"sh;main;x{number} 5" for number in range(2500)]
    late = stacks(read(tmp_path / "late", "\n".join([*head, line])))
    early = stacks(read(tmp_path / "early", "\n".join([line, *head])))
    assert expected in late
    assert sorted(map(str, late)) == sorted(map(str, early))


@pytest.mark.slow
def test_export_and_ingest_keep_stacks_and_sums(demo_store: Path, tmp_path: Path) -> None:
    text = perfduck.open(demo_store).export("native.udp64.1").text
    (tmp_path / "back.folded").write_text(text)
    with perfduck.open(tmp_path / "back.duckdb") as store:
        [result] = store.ingest(tmp_path / "back.folded", event="cpu-clock")
        assert result.name == "back"
        assert store.export("back").text == text
    assert sum(int(line.rpartition(" ")[2]) for line in text.splitlines()) == 7951951944


@pytest.mark.slow
def test_stacks_of_inferno_are_those_of_the_recording(tmp_path: Path) -> None:
    recorded = FOLDED.parent / "perf_script" / "net-chain" / "input.txt.xz"
    with perfduck.open(tmp_path / "s.duckdb") as store:
        store.ingest(recorded, name="perf")
        store.ingest(FOLDED / "net-chain.inferno.folded", name="folded", event="cpu-clock")
        perf, folded = (
            {
                row["function"]: (row["self"], row["total"])
                for row in store.top(name, limit=9999).frame.iter_rows(named=True)
                if "[" not in row["function"]
            }
            for name in ("perf", "folded")
        )
    assert folded == perf
    assert len(folded) > 100


@pytest.mark.slow
def test_an_event_keeps_its_unit_and_is_no_cpu_time(demo_store: Path, tmp_path: Path) -> None:
    path, store = tmp_path / "off.folded", tmp_path / "s.duckdb"
    path.write_text("iperf3;main;schedule 700\n")
    recorded = FOLDED.parent / "perf_script" / "net-chain" / "input.txt.xz"
    for words in ((path, "--event", "off-cpu=ns"), (recorded,)):
        assert run(["ingest", *words, "--store", store]).returncode == 0
    top = run(["top", "*", "--store", store])
    assert b"left out: 1 profile without cpu-clock: off (off-cpu, 1 samples)" in top.stdout
    again = run(["ingest", path, "--store", store])
    assert b"unchanged" in again.stdout or again.returncode == 0
    other = run(["ingest", path, "--event", "wall=us", "--store", store])
    assert other.returncode == 2
    assert b"--event wall=us: expected the event of the stored recording" in other.stderr
    refused = run(["ingest", recorded, "--event", "x=us", "--store", store])
    assert b"--event: expected folded stacks, which do not say what they count" in refused.stderr


def test_weights_with_decimals_are_summed_before_they_are_rounded(tmp_path: Path) -> None:
    text = "a;f 0.4\n" * 1000 + "a;g 0.6\n" * 100 + "a;h 3\na;i 0.3\n"
    batches = read(tmp_path / "a", text)
    assert {frames[0][0]: count for _, frames, count in stacks(batches)} == {
        "f": 400, "g": 60, "h": 3
    }  # fmt: skip
    assert (
        batches[-1]
        .facts.limitations["folded-decimals"]
        .text.endswith("those of 1,101 lines, 460.3 in all, are stored as 460")
    )
    timed = pl.concat([each.samples for each in read(tmp_path / "a", event=WeightEvent("x", "us"))])
    assert sorted(timed.select("count", "period").rows()) == [(1, 3), (100, 60), (1000, 400)]


def test_lines_without_weight_are_counted(tmp_path: Path) -> None:
    batches = read(tmp_path / "a", "a;f 0\na;g 0.0\na;h 3\n")
    assert batches[-1].facts.limitations["folded-zeros"].text == "lines of weight 0 are left out: 2"


@pytest.mark.slow
def test_weights_that_cannot_be_added_up_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.folded"
    path.write_text(f"sh;a {10**18 - 1}\n" * 4)
    assert run(["ingest", path, "--store", tmp_path / "s.duckdb"]).returncode == 0
    assert run(["top", "*", "--store", tmp_path / "s.duckdb"]).returncode == 0
    path.write_text(f"sh;a {10**18 - 1}\n" * 20)
    done = run(["ingest", path, "--store", tmp_path / "t.duckdb"])
    assert done.returncode == 2
    assert b"a.folded:20: expected weights that add up to at most 4,611," in done.stderr


def test_a_line_without_an_end_is_refused(tmp_path: Path, set_limits: Any) -> None:
    set_limits(longest_line=10_000, text_part_bytes=20_000, head_bytes=5000)
    text = "a;f 1\n" * 1000 + "x" * 100_000
    with pytest.raises(PerfduckError, match="expected lines of at most"):
        read(tmp_path / "a", text)


def test_a_warning_of_the_tool_among_few_stacks_is_the_line_that_is_refused(tmp_path: Path) -> None:
    text = "app;f 5\n" * 30 + "WARNING: 3 stack traces could not be displayed.\n"  # bcc, with 2>&1
    with pytest.raises(PerfduckError, match=r":31: expected folded stacks, but 1 of 31 lines"):
        read(tmp_path / "a", text)

"""Weights near the 63 bits of the store: sums are right, or refused in a line."""

import json
import re
from pathlib import Path

import pytest
from command import run_text
from served import served

import perfduck
from perfduck_model.errors import PerfduckError
from perfduck_model.pprof_schema import Profile

MOST = (1 << 62) - 1
RUNS, WORK = 6, 1000
FRAME = "\t    ffffffff81000000 {} ([kernel.kallsyms])\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("large")


@pytest.fixture(scope="module", params=["counts", "periods"])
def store(request: pytest.FixtureRequest, folder: Path) -> Path:
    """Recordings each of which is near the bound."""
    path = folder / f"{request.param}.duckdb"
    with perfduck.open(path) as store:
        for run in range(RUNS):
            source = folder / f"{request.param}{run}"
            source.write_text(TEXTS[request.param](run))
            labels = [f"side={run % 2}"]
            store.ingest(source, name=f"r{run}", labels=labels, work=WORK, unit="packet")
    return path


def folded_text(run: int) -> str:
    part = MOST // 5
    return "".join(f"a;main;f{run};g{number} {part}\n" for number in range(5))


def script_text(run: int) -> str:
    head = f"a 1/1 [000] {run + 1}.000001: {MOST} cycles: \n"
    return "".join(f"{head}{FRAME.format(name)}\n" for name in ("tcp_sendmsg+0x10", "tcp_ack+0x1"))


TEXTS = {"counts": folded_text, "periods": script_text}
TOTALS = {"counts": RUNS * (MOST // 5 * 5), "periods": RUNS * 2 * MOST}
QUESTIONS = [
    ["profiles"],
    ["profiles", "--format", "json"],
    ["top", "*"],
    ["top", "*", "--by", "comm"],
    ["top", "*", "--by", "path", "--format", "json"],
    ["diff", "side=0", "side=1"],
    ["diff", "side=0", "side=1", "--format", "json"],
    ["diff", "side=0", "side=1", "--format", "html"],
    ["compare", "*", "--over", "side"],
    ["trend", "*", "--over", "side", "--format", "json"],
    *(["export", "*", "--format", name] for name in ("folded", "pprof", "speedscope", "html")),
    *(
        ["export", "side=0", "--base", "side=1", "--format", name]
        for name in ("folded", "pprof", "speedscope")
    ),
    ["noise", "list"],
]
BROKEN = re.compile(r"\b(?:Infinity|inf|nan)\b|(?<![\w.-])-\d{16,}(?![\d.]*,)")


@pytest.mark.slow
@pytest.mark.parametrize("words", QUESTIONS, ids=" ".join)
def test_every_question_is_answered_or_refused(store: Path, words: list[str]) -> None:
    done = run_text_of([*words, "--store", str(store)])
    assert done is None or not BROKEN.search(done)


def run_text_of(words: list[str]) -> str | None:
    """The answer, without a page's scripts; None for one that is not text."""
    try:
        done = run_text(words)
    except UnicodeDecodeError:
        return None
    assert done.returncode in (0, 2, 3), done.stderr
    assert done.returncode != 2 or done.stderr.count("\n") == 1
    return "" if "html" in words else done.stdout


@pytest.mark.slow
def test_sums_are_exact_or_doubles_next_to_them(store: Path) -> None:
    total = TOTALS[store.stem]
    with perfduck.open(store) as asked:
        sums = asked.sql("select sum(coalesce(period, count)) as weight from sample").frame
        assert int(sums["weight"][0]) == total
        exported = asked.export("*").text
        assert sum(int(line.rpartition(" ")[2]) for line in exported.splitlines()) == total
        ranked = json.loads(asked.top("*", by="comm").to_json())
        assert [row["self"] for row in ranked] == [pytest.approx(total / (RUNS * WORK), rel=1e-15)]


@pytest.mark.slow
def test_a_server_answers_alike_or_refuses(store: Path) -> None:
    here = [run_text_of([*words, "--store", str(store)]) for words in QUESTIONS]
    with served(store) as url:
        there = [run_text_of([*words, "--store", url]) for words in QUESTIONS]
    answers = [(a, b) for a, b in zip(here, there, strict=True) if b]
    assert len(answers) > 3  # sums of more than 64 bits are refused
    assert [b for _, b in answers] == [a for a, _ in answers]


def test_a_recording_of_more_samples_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.folded"
    path.write_text("".join(f"a;b;c{number} {10**18 - 1}\n" for number in range(9)))
    assert refusal(path).startswith(f"{path}:9: expected weights that add up to at most")
    path = tmp_path / "a.pb"
    types = [("samples", "count"), ("cpu", "nanoseconds"), ("wall", "nanoseconds")]
    texts = list(dict.fromkeys(["", *(word for each in types for word in each)]))
    message = Profile(
        sample_type=[{"type": texts.index(a), "unit": texts.index(b)} for a, b in types],
        sample=[{"value": [MOST // 2 + 1000, 1, 1]}] * 2,
        string_table=texts,
    )
    path.write_bytes(message.SerializeToString())
    assert refusal(path).startswith(f"{path}: expected a whole profile of pprof, got values of cpu")
    message.ClearField("sample")
    message.sample.add(value=[MOST // 2 + 1000, 1, 1])
    path.write_bytes(message.SerializeToString())
    assert refusal(path) == f"{path}: expected at most {MOST + 1:,} samples, got {MOST + 1999:,}"


def refusal(path: Path) -> str:
    store = path.with_name("s.duckdb")
    with perfduck.open(store) as opened, pytest.raises(PerfduckError) as refused:
        opened.ingest(path)
    assert not store.exists()
    return str(refused.value)

"""Inputs that were read wrong once: a folder each, with what is in the samples (expected.txt)."""

from pathlib import Path

import pytest
from recordings import FIXTURES, named_chains, parsed

CASES = sorted(folder.parent for folder in (FIXTURES / "perf_script_cases").glob("*/input.txt"))
FIELDS = ("comm", "pid", "tid", "cpu", "time_ns", "period", "event")


def described(text: bytes) -> str:
    """The layout, a line for each sample and its frames, and what was skipped."""
    batch = parsed(text, lenient=True)
    names = dict(batch.symbols.select("symbol_id", "name").iter_rows())
    dsos = dict(batch.symbols.select("symbol_id", "dso").iter_rows())
    chains = {key: [f"{names[i]} ({dsos[i]})" for i in ids] for key, ids in batch.stacks.rows()}
    lines = [f"layout: {batch.facts.layout}"]
    for row in batch.samples.iter_rows(named=True):
        fields = " ".join(f"{name}={row[name]!r}" for name in FIELDS)
        lines.append("\n    ".join([fields, *chains[row["stack_id"]]]))
    lines += [f"skipped {line}: {text!r}: {reason}" for line, text, reason in batch.skipped.rows()]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_what_was_read_wrong_once_is_read_right(folder: Path) -> None:
    got = described((folder / "input.txt").read_bytes())
    assert got == (folder / "expected.txt").read_text(encoding="utf-8")


def test_each_case_says_what_it_is() -> None:
    assert all((folder / "command.txt").read_text().strip() for folder in CASES)
    assert len(named_chains(parsed((CASES[0] / "input.txt").read_bytes()))) == 10

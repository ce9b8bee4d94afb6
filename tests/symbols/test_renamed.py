from pathlib import Path

import polars as pl
import pytest

from perfduck_model.errors import SymbolError
from perfduck_tags import build_renamed, catalogue, rule_file, rules
from perfduck_tags.build_renamed import checked
from perfduck_tags.renamed import COLUMNS, RENAMED, Renamed, identity, last_names, read

ROWS = read()


def _row(old: str, new: str, since: str, kind: str = "renamed") -> Renamed:
    return Renamed(old, new, since, "", kind, "", "")  # type: ignore[arg-type]


def _ruled(names: set[str]) -> set[str]:
    """Names that a symbol rule knows: the shipped catalogue leaves these out."""
    work = pl.DataFrame({"symbol": sorted(names)}, {"symbol": pl.String}).with_columns(
        pl.lit(None, pl.String).alias(column) for column in ("source", "module", "dso")
    )
    tagged = rules.Rules(rule_file.shipped()).classify(work)
    return set(tagged.filter(pl.col("rule").is_not_null())["symbol"])


def test_what_the_table_says_was_checked_is_in_the_shipped_catalogue() -> None:
    functions = catalogue.shipped().functions.with_columns(
        pl.col("name").str.replace("_noprof$", "")
    )
    known = {
        column[1:]: set(functions.filter(pl.col(column) != catalogue.ABSENT)["name"])
        for column in catalogue.version_columns(functions)
    }
    shown = [(row, *row.checked.split(">")) for row in ROWS if row.checked]
    missing = {row.old for row, before, _ in shown if row.old not in known[before]}
    missing |= {row.new for row, _, after in shown if row.new not in known[after]}
    assert len(shown) > 0.75 * len(ROWS)
    assert missing - _ruled(missing) == set()


def test_an_old_name_has_one_new_name_and_no_chain_is_a_circle() -> None:
    assert len({row.old for row in ROWS}) == len(ROWS)
    assert identity()["__softirqentry_text_start"] == identity()["__do_softirq"]
    assert identity()["kfree_skb"] == "sk_skb_reason_drop"
    assert not identity().keys() & set(identity().values())
    with pytest.raises(SymbolError, match="circle"):
        last_names((_row("a", "b", "5.0"), _row("b", "a", "6.0")))


def test_a_row_is_held_against_the_nearest_kernels_on_both_sides() -> None:
    kernels = {"5.10": {"a"}, "6.1": {"b"}, "7.2": {"c"}}
    rows = [_row("a", "b", "5.12"), _row("b", "c", "6.10")]
    assert [checked(row, rows, kernels) for row in rows] == [("5.10>6.1", ""), ("6.1>7.2", "")]
    assert checked(_row("x", "b", "5.12"), rows, kernels) == ("", "x is not in 5.10")
    assert checked(_row("a", "x", "5.12"), rows, kernels) == ("", "x is not in 6.1")
    assert checked(_row("a", "b", "4.19"), rows, kernels)[1] == "b is not in 5.10"
    assert checked(_row("a", "b", "4.19"), rows, {"6.1": {"b"}}) == ("", "")
    assert checked(_row("a", "c", "4.15", "layer"), rows, kernels)[1] == "no kernel has both"


def test_the_checker_writes_the_table_and_fails_on_a_contradiction(tmp_path: Path) -> None:
    tables = []
    for version, column in (("6.1", 0), ("7.2", 1)):
        names = [(row.old, row.new)[column] for row in ROWS] + [row.new for row in ROWS]
        tables.append(str(tmp_path / f"functions-{version}.parquet"))
        pl.DataFrame({"name": names, "src": "a.c", "size": 1}).write_parquet(tables[-1])
    output = tmp_path / "renamed.csv"
    assert build_renamed.main(["check", *tables, "--output", str(output)]) == 0
    assert {row.checked for row in read(output)} <= {"", "6.1>7.2", "6.1>6.1"}
    pl.DataFrame({"name": ["x"], "src": "a.c", "size": 1}).write_parquet(tables[1])
    assert build_renamed.main(["check", *tables, "--output", str(output)]) == 1


def test_candidates_are_alike_and_in_one_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tables = [str(tmp_path / f"functions-{version}.parquet") for version in ("6.1", "7.2")]
    for table, names in zip(
        tables, (["foo_queue_rcv", "same"], ["foo_queue_rcv_1", "same"]), strict=True
    ):
        pl.DataFrame({"name": names, "src": "a.c", "size": 100}).write_parquet(table)
    assert build_renamed.main(["candidates", *tables]) == 0
    assert capsys.readouterr().out.split()[:3] == ["a.c", "foo_queue_rcv", "foo_queue_rcv_1"]


def test_a_bad_line_is_refused_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "renamed.csv"
    file.write_text(",".join(COLUMNS) + "\na,b,6.1,,swapped,,\n")
    with pytest.raises(SymbolError, match=r"renamed\.csv:2: expected a row"):
        read(file)
    file.write_text(RENAMED.read_text().replace("since", "from", 1))
    with pytest.raises(SymbolError, match=r"renamed\.csv:1: expected old,new"):
        read(file)

"""How much of the samples' weight gets a tag, by method, and are the hottest names right?

    python bench/tags_by_weight.py KERNELS RECORDINGS [--sources TREE...]

KERNELS holds functions-VERSION.parquet, RECORDINGS perf script texts and the kallsyms beside them.
The recorded 6.18 kernel has no DWARF: "wrong" is what differs from the tag that all catalogued
kernels and kallsyms together give, and with --sources the 500 hottest names are looked up in kernel
source trees: a file that a tag rests on must define the function there.
"""

import argparse
import re
from functools import cache
from pathlib import Path

import polars as pl

from perfduck_ingest.formats import opened
from perfduck_ingest.importer import ImportOptions
from perfduck_ingest.source import Source
from perfduck_symbols import kallsyms
from perfduck_symbols.names import binaries, plain
from perfduck_tags import catalogue, catalogue_files, neighbours, rule_file
from perfduck_tags.catalogue import Catalogue
from perfduck_tags.kernel_tagger import KernelTagger
from perfduck_tags.prefixes import Prefixes
from perfduck_tags.rules import Rules

RELEASE = "6.18"
RULES = Rules(tuple(rule for rule in rule_file.shipped() if not rule.dso))
CASES = (("5.10",), ("6.1",), ("5.10", "6.1"), ("5.10", "6.1", "7.2"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kernels", type=Path)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--sources", type=Path, nargs="*", default=[])
    given = parser.parse_args()
    weights = kernel_weights(given.recordings)
    symbols = kallsyms.read(kallsyms.file_of(given.recordings / "kallsyms.gz"))
    tables = {
        path.stem.removeprefix("functions-"): pl.read_parquet(path)
        for path in sorted(given.kernels.glob("functions-*.parquet"))
    }
    tagged = decided(catalogue.shipped(), weights, symbols)
    truth = tagged.select("row", pl.col("subsystem").alias("truth"))
    print(f"{len(weights)} kernel functions, {weights['weight'].sum() / 1e9:.1f} s of CPU")
    print(
        f"{'catalogue':<14}{'kallsyms':<9}{'method':<10}"
        f"{'functions':>10}{'weight %':>10}{'wrong %':>9}"
    )
    for versions in CASES:
        listed = catalogue_files.compress({version: tables[version] for version in versions})
        for known in (None, symbols):
            show("+".join(versions), known is not None, decided(listed, weights, known), truth)
    if given.sources:
        check_sources(tagged, given.sources)


def kernel_weights(recordings: Path) -> pl.DataFrame:
    """[row, name, symbol, module, dso, weight]: self weight of kernel functions, hottest first."""
    parts = [self_weights(path) for path in sorted(recordings.glob("*.txt.xz"))]
    total = pl.concat(parts).group_by("name", "dso").agg(pl.col("weight").sum())
    own = total.join(binaries(total["dso"]), on="dso").filter(pl.col("kind") == "kernel")
    return own.sort("weight", "name", descending=True).select(
        "name", plain(pl.col("name")).alias("symbol"), "module", "dso", "weight"
    ).with_row_index("row")  # fmt: skip


def self_weights(path: Path) -> pl.DataFrame:
    with Source(str(path)) as source:
        batches = list(opened(source).batches(ImportOptions()))
    samples, stacks, symbols = (
        pl.concat([getattr(batch, part) for batch in batches])
        for part in ("samples", "stacks", "symbols")
    )
    leaf = pl.col("symbol_ids").list.first().alias("symbol_id")
    leaves = samples.join(stacks.unique("stack_id").select("stack_id", leaf), on="stack_id")
    named = leaves.join(symbols.unique("symbol_id"), on="symbol_id")
    return named.group_by("name", "dso").agg(pl.col("period").sum().alias("weight"))


def decided(
    listed: Catalogue, weights: pl.DataFrame, known: kallsyms.Kallsyms | None
) -> pl.DataFrame:
    kernel = KernelTagger(RULES, 0, listed, RELEASE, Prefixes(listed, RULES))
    if known is not None:
        located = neighbours.locate(known, listed, RULES, RELEASE)
        kernel = KernelTagger(RULES, 0, listed, RELEASE, Prefixes(listed, RULES), located)
    return kernel.decide(weights).join(weights.select("row", "name", "symbol", "weight"), on="row")


def show(versions: str, known: bool, tagged: pl.DataFrame, truth: pl.DataFrame) -> None:
    judged = tagged.join(truth, on="row").with_columns(
        wrong=(pl.col("tagged_by") != "unknown")
        & (pl.col("subsystem") != pl.col("truth")) & (pl.col("truth") != "unknown")
    )  # fmt: skip
    total = judged["weight"].sum()
    for method in ("all", *sorted(judged["tagged_by"].unique())):
        part = judged if method == "all" else judged.filter(pl.col("tagged_by") == method)
        share = 100 * part["weight"].sum() / total
        wrong = 100 * part.filter("wrong")["weight"].sum() / total
        print(
            f"{versions:<14}{'yes' if known else 'no':<9}{method:<10}"
            f"{len(part):>10}{share:>10.3f}{wrong:>9.3f}"
        )


def check_sources(tagged: pl.DataFrame, trees: list[Path]) -> None:
    """Look up the definition of the 500 hottest names in the file their tag rests on."""
    hottest = tagged.sort("weight", "name", descending=True).head(500)
    share = hottest["weight"].sum() / tagged["weight"].sum()
    outcomes: dict[str, list[str]] = {}
    for row in hottest.iter_rows(named=True):
        outcomes.setdefault(outcome(row, trees), []).append(f"{row['name']} {row['source']}")
    print(
        f"\nthe 500 hottest names, {100 * share:.2f} % of the weight, in {len(trees)} source trees"
    )
    for what, found in sorted(outcomes.items()):
        print(f"  {len(found):>4} {what}")
        if not what.startswith("defined"):
            print("".join(f"         {name}\n" for name in found), end="")


def outcome(row: dict[str, object], trees: list[Path]) -> str:
    if row["tagged_by"] == "unknown":
        return "unknown"
    if row["source"] is None:
        return f"by {row['tagged_by']}, without a source file"
    for tree in trees:
        path = tree / str(row["source"])
        if path.is_file() and defines(with_included(path), str(row["symbol"])):
            return "defined in the file of the tag"
    return "not found in the file of the tag"


@cache
def with_included(path: Path) -> str:
    """A file and what it includes of its own directory: kernel/sched/build_policy.c is nothing but
    the other files there."""
    text = path.read_text(errors="replace")
    beside = (path.parent / name for name in re.findall(r'#include "([\w.]+)"', text))
    return text + "".join(part.read_text(errors="replace") for part in beside if part.is_file())


def defines(text: str, name: str) -> bool:
    """Whether C or assembler text defines a function: its name before parameters and a body, or
    as the argument of a macro that makes functions."""
    word = re.escape(re.sub(r"^__(x64|do|se)_sys_", "", name).removesuffix("_noprof"))
    if re.search(rf"\b[A-Z][A-Z0-9_]+\(\s*{word}\b", text):
        return True
    return any(has_body(text, at.end()) for at in re.finditer(rf"\b{word}(_noprof)?\s*\(", text))


def has_body(text: str, at: int) -> bool:
    """Whether the parameters that begin here end before a brace."""
    depth = 1
    for end in range(at, min(at + 2000, len(text))):
        depth += {"(": 1, ")": -1}.get(text[end], 0)
        if depth == 0:
            return re.match(r"\s*(__\w+(\([^()]*\))?\s*)*\{", text[end + 1 : end + 200]) is not None
    return False


if __name__ == "__main__":
    main()

"""How many functions get the right subsystem, by method, with the tested kernel left out.

    python bench/tags.py KERNELS            functions-5.10.parquet, functions-6.1-arm64.parquet, ...

By sample weight: tags_by_weight.py.

Truth is the source file that the tested kernel's DWARF names; the catalogue holds other kernels.
Kernels of other architectures are tested with the catalogue of those of x86, and with that and the
other kernels of their own. "Module known": the frame names its module; "name only": a kernel
without modules.
"""

import argparse
import time
from pathlib import Path

import polars as pl

from perfduck_symbols.kallsyms import Kallsyms
from perfduck_symbols.names import plain
from perfduck_tags import catalogue, catalogue_files, neighbours, rule_file
from perfduck_tags.catalogue_files import SHIPPED_AREAS
from perfduck_tags.kernel_tagger import KernelTagger
from perfduck_tags.prefixes import Prefixes
from perfduck_tags.rules import Rules

RULES = Rules(tuple(rule for rule in rule_file.shipped() if not rule.dso))
X86 = ("5.10", "6.1", "7.2")
CASES = ((("5.10", "7.2"), "6.1"), (("5.10", "6.1"), "7.2"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kernels", type=Path)
    arguments = parser.parse_args()
    tables = {
        path.stem.removeprefix("functions-"): pl.read_parquet(path)
        for path in sorted(arguments.kernels.glob("functions-*.parquet"))
    }
    print(f"{'catalogue':<12}{'kernel':<7}{'scope':<9}{'known':<12}{'method':<11}"
          f"{'functions':>10}{'right %':>9}{'wrong %':>9}{'unknown %':>10}")  # fmt: skip
    for versions, target in CASES:
        show_case({version: tables[version] for version in versions}, tables[target], target)
    of_x86 = {version: tables[version] for version in X86}
    for target in (each for each in tables if "-" in each):
        arch = target.partition("-")[2]
        same = {k: v for k, v in tables.items() if k.endswith(f"-{arch}") and k != target}
        for others in ({}, same) if same else ({},):
            show_case(of_x86, tables[target], target, others)
    show_speed()


def show_case(
    kernels: dict[str, pl.DataFrame],
    table: pl.DataFrame,
    target: str,
    others: dict[str, pl.DataFrame] | None = None,
) -> None:
    listed = catalogue_files.compress(kernels, others)
    truth = true_tags(table)
    kernel = KernelTagger(RULES, 0, listed, target, Prefixes(listed, RULES))
    of_vmlinux = truth.filter(pl.col("module").is_null())
    located = neighbours.locate(kallsyms_of(table), listed, RULES, target)
    with_order = KernelTagger(RULES, 0, listed, target, Prefixes(listed, RULES), located)
    in_pod = pl.col("area").is_in(SHIPPED_AREAS)
    runs = (
        ("module", kernel, truth),
        ("name only", kernel, truth.with_columns(pl.lit(None, pl.String).alias("module"))),
        ("kallsyms", with_order, truth),
    )
    for known, asked, rows in runs:
        decided = judged(asked, rows)
        for scope, part in (
            ("all", decided),
            ("vmlinux", decided.join(of_vmlinux, on="row", how="semi")),
            ("pod", decided.filter(in_pod)),
        ):
            show("+".join([*kernels, *(others or ())]), target, scope, known, part)


def true_tags(table: pl.DataFrame) -> pl.DataFrame:
    """[row, name, symbol, module, dso, area, subsystem] of every function but padding."""
    is_code = ~pl.col("name").str.contains("^(__pfx_|__SC[TK]__)") & pl.col("src").is_not_null()
    rows = table.filter(is_code).select(
        "name",
        pl.col("src").alias("source"),
        pl.when(pl.col("module") != "vmlinux").then("module").alias("module"),
        plain(pl.col("name")).alias("symbol"),
        pl.lit("[kernel.kallsyms]").alias("dso"),
    )
    tagged = RULES.classify(rows).filter(pl.col("rule").is_not_null())
    return tagged.select("name", "symbol", "module", "dso", "area", "subsystem").with_row_index(
        "row"
    )


def kallsyms_of(table: pl.DataFrame) -> Kallsyms:
    own = table.filter(pl.col("module") == "vmlinux").select(
        pl.col("addr").alias("address"), pl.lit("t").alias("kind"), "name",
        pl.lit(None, pl.String).alias("module"),
    )  # fmt: skip
    return Kallsyms(own.sort("address", maintain_order=True))


def judged(kernel: KernelTagger, truth: pl.DataFrame) -> pl.DataFrame:
    decided = kernel.decide(truth.drop("area", "subsystem"))
    known = decided.select("row", pl.col("subsystem").alias("decided"), "tagged_by")
    verdict = (
        pl.when(pl.col("tagged_by") == "unknown").then(pl.lit("unknown"))
        .when(pl.col("decided") == pl.col("subsystem")).then(pl.lit("right"))
        .otherwise(pl.lit("wrong"))
    )  # fmt: skip
    return truth.join(known, on="row").with_columns(verdict.alias("verdict"))


def show(listed: str, target: str, scope: str, known: str, rows: pl.DataFrame) -> None:
    for method in ("all", *sorted(rows["tagged_by"].unique())):
        part = rows if method == "all" else rows.filter(pl.col("tagged_by") == method)
        shares = [100 * (part["verdict"] == v).mean() for v in ("right", "wrong", "unknown")]
        print(f"{listed:<12}{target:<7}{scope:<9}{known:<12}{method:<11}{len(part):>10}"
              + "".join(f"{share:>9.2f}" for share in shares))  # fmt: skip


def show_speed() -> None:
    started = time.perf_counter()
    catalogue.load()
    seconds = time.perf_counter() - started
    size = sum(path.stat().st_size for path in (catalogue.FUNCTIONS, catalogue.MODULES))
    print(f"\ncatalogue: {size} bytes, loads in {seconds:.3f} s")


if __name__ == "__main__":
    main()

"""Rules: which area, subsystem and role a function gets.

    source,area,subsystem,role
    net/netfilter/nf_conntrack*,net/netfilter,conntrack,domain

Four kinds of condition, and a rule may hold several, which must then all hold: `source` (a glob
over the source path), `module` (a glob over the kernel module), `symbol` (a regular expression over
the plain name), `dso` (a glob over the binary). The first rule that matches decides; the user's
come before the shipped ones.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import polars as pl

DATA = Path(__file__).parent / "data"
CONDITIONS = ("source", "module", "symbol", "dso")
ROLES = ("domain", "helper", "context")
_AT_ONCE = 64  # rules


@dataclass(frozen=True, slots=True)
class Rule:
    """Conditions (None: any) and the tag they lead to; `where` is file and line."""

    where: str
    area: str
    subsystem: str
    role: str
    source: str | None = None
    module: str | None = None
    symbol: str | None = None
    dso: str | None = None

    def condition(self) -> pl.Expr:
        """Whether a row of [source, module, symbol, dso] matches."""
        parts = [
            _match(pl.col(column), pattern, regex=column == "symbol")
            for column in CONDITIONS
            if (pattern := getattr(self, column)) is not None
        ]
        return pl.all_horizontal(parts).fill_null(value=False)

    def describe(self) -> str:
        """The rule as a line for people."""
        said = (f"{name} {getattr(self, name)}" for name in CONDITIONS if getattr(self, name))
        return f"{', '.join(said)} ({self.where})"


def _match(column: pl.Expr, pattern: str, *, regex: bool) -> pl.Expr:
    if regex:
        return column.str.contains(pattern)
    literal = re.split(r"[*?]", pattern)[0]
    if literal == pattern:
        return column == pattern
    # Half of the globs are a prefix and a star; no regular expression is needed for these.
    if literal + "*" == pattern:
        return column.str.starts_with(literal)
    return column.str.contains(glob_regex(pattern))


def glob_regex(glob: str) -> str:
    """The glob as a regular expression: * crosses /, ? is one character."""
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in glob)
    return f"^{''.join(parts)}$"


# A tag's columns: what classify adds to a row.
TAG = {"rule": pl.Int32, "area": pl.String, "subsystem": pl.String, "role": pl.String}


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules in the order in which they are tried."""

    all: tuple[Rule, ...]

    def classify(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows of [source, module, symbol, dso], nulls where not known, plus rule, area,
        subsystem and role, null where no rule matches."""
        columns = rows.columns
        rows = rows.with_row_index("_row")
        mixed = [i for i, rule in enumerate(self.all) if _only_on(rule) is None]
        decided = _first(rows, self.all, mixed)
        for column in ("source", "module", "dso"):
            by_value = self._by_value(column, rows[column])
            decided = decided.join(by_value, on=column, how="left")
        first = pl.min_horizontal("_first", "_source", "_module", "_dso").cast(pl.Int32)
        return self._with_tag(decided.sort("_row").with_columns(first.alias("rule"))).select(
            [*columns, *TAG]
        )

    def _by_value(self, column: str, values: pl.Series) -> pl.DataFrame:
        """[column, _column]: the first rule on this column alone, per distinct value."""
        tried = [i for i, rule in enumerate(self.all) if _only_on(rule) == column]
        distinct = pl.DataFrame({column: values.drop_nulls().unique()})
        found = _first(distinct, self.all, tried)
        return found.select(column, pl.col("_first").alias(f"_{column}"))

    def _with_tag(self, rows: pl.DataFrame) -> pl.DataFrame:
        tags = pl.DataFrame(
            [(i, rule.area, rule.subsystem, rule.role) for i, rule in enumerate(self.all)],
            schema=TAG,
            orient="row",
        )
        joined = rows.join(tags, on="rule", how="left", maintain_order="left")
        return _fill_components(joined)


def _only_on(rule: Rule) -> str | None:
    given = [name for name in CONDITIONS if getattr(rule, name) is not None]
    return given[0] if len(given) == 1 and given[0] != "symbol" else None


def _first(rows: pl.DataFrame, rules: Sequence[Rule], tried: Sequence[int]) -> pl.DataFrame:
    """The rows plus `_first`, the first rule that matches; only what is left is tried again."""
    settled, left = [], rows
    # A query per rule spends most of its time on being a query; one for all tries too much.
    for start in range(0, len(tried), _AT_ONCE):
        some = tried[start : start + _AT_ONCE]
        found = [pl.when(rules[index].condition()).then(pl.lit(index)) for index in some]
        left = left.with_columns(pl.coalesce(found).cast(pl.Int32).alias("_first"))
        settled.append(left.filter(pl.col("_first").is_not_null()))
        left = left.filter(pl.col("_first").is_null())
    return pl.concat([*settled, left.with_columns(pl.lit(None, pl.Int32).alias("_first"))])


def _fill_components(rows: pl.DataFrame) -> pl.DataFrame:
    """{n} in a subsystem: the n-th component of the source path."""
    number = pl.col("subsystem").str.extract(r"\{(\d)\}").cast(pl.Int32)
    component = (
        pl.col("source").str.split("/").list.get(number - 1, null_on_oob=True)
        .str.replace(r"\.[chS]$", "").fill_null("other")
    )  # fmt: skip
    filled = pl.col("subsystem").str.extract(r"^(.*?)\{") + component
    return rows.with_columns(pl.coalesce(filled, "subsystem").alias("subsystem"))


@cache
def shipped() -> tuple[Rule, ...]:
    """The rules that come with perfduck, symbol rules first."""
    from perfduck_symbols.rule_file import read

    files = ("symbol_rules.csv", "path_rules.csv", "dso_rules.csv")
    return tuple(rule for name in files for rule in read(DATA / name, where=name))

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

    def given(self) -> tuple[str, ...]:
        """The columns it has a condition on."""
        return tuple(name for name in CONDITIONS if getattr(self, name) is not None)

    def condition(self) -> pl.Expr:
        """Whether a row of [source, module, symbol, dso] matches."""
        parts = [
            _match(pl.col(column), getattr(self, column), regex=column == "symbol")
            for column in self.given()
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
        decided = rows.with_row_index("_row").with_columns(
            pl.lit(None, pl.Int32).alias(f"_{column}") for column in CONDITIONS
        )
        for column in {rule.given()[0] for rule in self.all if len(rule.given()) == 1}:
            by_value = self._by_value(column, rows[column])
            decided = decided.drop(f"_{column}").join(
                by_value, on=column, how="left", maintain_order="left"
            )
        several = self._by_several(decided.select("_row", *CONDITIONS))
        decided = decided.join(several, on="_row", how="left", maintain_order="left")
        first = pl.min_horizontal("_several", *(f"_{column}" for column in CONDITIONS))
        return self._with_tag(rows.with_columns(decided.select(first.alias("rule")).to_series()))

    def _by_value(self, column: str, values: pl.Series) -> pl.DataFrame:
        """[column, _column]: the first rule on this column alone, per distinct value."""
        tried = [i for i, rule in enumerate(self.all) if rule.given() == (column,)]
        distinct = pl.DataFrame({column: values.drop_nulls().unique()})
        return _first(distinct, self.all, tried).rename({"_first": f"_{column}"})

    def _by_several(self, rows: pl.DataFrame) -> pl.DataFrame:
        """[_row, _several]: the first rule on several columns."""
        names = pl.DataFrame({"symbol": rows["symbol"].drop_nulls().unique()})
        parts = [pl.DataFrame(schema={"_row": pl.UInt32, "_several": pl.Int32})]
        for index, rule in enumerate(self.all):
            if len(rule.given()) < 2:
                continue
            # A regular expression costs the most: once per name, and few names match.
            named = (
                names.filter(_match(pl.col("symbol"), rule.symbol, regex=True))
                if rule.symbol
                else None
            )
            asked = rows if named is None else rows.join(named, on="symbol", how="semi")
            hit = asked.filter(rule.condition())
            parts.append(hit.select("_row", pl.lit(index, pl.Int32).alias("_several")))
        return pl.concat(parts).group_by("_row").agg(pl.col("_several").min())

    def _with_tag(self, rows: pl.DataFrame) -> pl.DataFrame:
        tags = pl.DataFrame(
            [(i, rule.area, rule.subsystem, rule.role) for i, rule in enumerate(self.all)],
            schema=TAG,
            orient="row",
        )
        plain = tags.filter(~pl.col("subsystem").str.contains("{", literal=True))
        holes = tags.join(plain, on="rule", how="anti")
        filled = _fill_components(rows.select("rule", "source").join(holes, on="rule").unique())
        joined = rows.join(plain, on="rule", how="left", maintain_order="left")
        if filled.is_empty():
            return joined
        both = joined.join(filled, on=["rule", "source"], how="left", maintain_order="left")
        tag = (pl.coalesce(name, f"{name}_right").alias(name) for name in list(TAG)[1:])
        return both.select(*rows.columns, *tag)


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

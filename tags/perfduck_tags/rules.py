"""Rules: which area, subsystem and role a function gets.

    source,area,subsystem,role
    net/netfilter/nf_conntrack*,net/netfilter,conntrack,domain

Four kinds of condition, and a rule may hold several, which must then all hold: `source` (a glob
over the source path), `module` (a glob over the kernel module), `symbol` (a regular expression over
the plain name), `dso` (a glob over the binary). The first rule that matches decides; the user's
come before the shipped ones.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain
from operator import itemgetter
from pathlib import Path

import polars as pl
from msgspec import Struct

DATA = Path(__file__).parent / "data"
CONDITIONS = ("source", "module", "symbol", "dso")
_LONGEST = 200  # characters of a pattern that is shown
ROLES = ("domain", "helper", "context")
Condition = tuple[str, str]  # a column and the pattern it is to match


class Rule(Struct, frozen=True):
    """Conditions (None: any) and the tag they lead to; `where` is file and line."""

    where: str
    area: str
    subsystem: str
    role: str
    source: str | None = None
    module: str | None = None
    symbol: str | None = None
    dso: str | None = None
    of_class: str | None = None  # where it says so: classes.py

    def given(self) -> tuple[Condition, ...]:
        """Its conditions."""
        patterns = (self.source, self.module, self.symbol, self.dso)
        both = zip(CONDITIONS, patterns, strict=True)
        return tuple((column, pattern) for column, pattern in both if pattern is not None)

    def describe(self) -> str:
        """The rule as a line for people."""
        conditions = (f"{name} {_shortened(pattern)}" for name, pattern in self.given())
        return f"{', '.join(conditions)} ({self.where})"


def _shortened(pattern: str) -> str:
    """The entries of all architectures are one pattern, of 1,500 characters."""
    return pattern if len(pattern) <= _LONGEST else f"{pattern[:_LONGEST]}..."


def glob_regex(glob: str) -> str:
    """The glob as a regular expression: * crosses /, ? is one character."""
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in glob)
    return f"^{''.join(parts)}$"


# A tag's columns: what classify adds to a row.
TAG = {"rule": pl.Int32, "area": pl.String, "subsystem": pl.String, "role": pl.String}
# The values that match; conditions that none does are left out.
Matches = dict[Condition, list[str]]


@dataclass(frozen=True)
class Rules:
    """Rules in the order in which they are tried."""

    all: tuple[Rule, ...]

    def classify(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows of [source, module, symbol, dso], nulls where not known, plus rule, area,
        subsystem and role, null where no rule matches."""
        matches: Matches = {}
        for column, patterns in self._patterns.items():
            distinct = rows[column].drop_nulls().unique()
            find = _by_regex if column == "symbol" else _by_glob
            matches |= {(column, pattern): hits for pattern, hits in find(distinct, patterns)}
        found = [*self._by_value(matches), *self._by_several(matches)]
        first = pl.min_horizontal(pl.lit(None, pl.Int32), *found)
        return self._with_tag(rows.with_columns(first.alias("rule")))

    @cached_property
    def _given(self) -> list[tuple[Condition, ...]]:
        return [rule.given() for rule in self.all]

    @cached_property
    def _patterns(self) -> dict[str, list[str]]:
        """The distinct patterns of each column."""
        by_column: dict[str, list[str]] = {}
        for column, pattern in dict.fromkeys(chain.from_iterable(self._given)):
            by_column.setdefault(column, []).append(pattern)
        return by_column

    def _by_value(self, matches: Matches) -> Iterator[pl.Expr]:
        """Per column the first rule on this column alone."""
        first: dict[str, dict[str, int]] = {}
        for index, given in enumerate(self._given):
            if len(given) == 1 and given[0] in matches:
                known = first.setdefault(given[0][0], {})
                for value in matches[given[0]]:
                    known.setdefault(value, index)
        for column, rules in first.items():
            yield pl.col(column).replace_strict(
                list(rules), list(rules.values()), default=None, return_dtype=pl.Int32
            )

    def _by_several(self, matches: Matches) -> Iterator[pl.Expr]:
        """A rule on several columns each."""
        for index, given in enumerate(self._given):
            if len(given) > 1 and all(each in matches for each in given):
                hit = pl.all_horizontal(pl.col(each[0]).is_in(matches[each]) for each in given)
                yield pl.when(hit).then(pl.lit(index, pl.Int32))

    @cached_property
    def _tags(self) -> pl.DataFrame:
        tags = [(rule.area, rule.subsystem, rule.role) for rule in self.all]
        columns = {name: kind for name, kind in TAG.items() if name != "rule"}
        return pl.DataFrame(tags, schema=columns, orient="row")

    def _with_tag(self, rows: pl.DataFrame) -> pl.DataFrame:
        holes = [i for i, rule in enumerate(self.all) if "{" in rule.subsystem]
        hole = pl.col("rule").is_in(holes)
        # Without a source there is nothing to fill a hole with, and no tag.
        known = pl.when(~hole | pl.col("source").is_not_null()).then("rule")
        tags = self._tags.select(pl.all().gather(rows.select(known).to_series()))
        tagged = pl.concat([rows, tags], how="horizontal")
        asked = tagged.filter(hole).select("rule", "source", "subsystem").unique()
        if asked.is_empty():
            return tagged
        filled = _fill_components(asked).rename({"subsystem": "_filled"})
        return (
            tagged.join(filled, on=["rule", "source"], how="left", maintain_order="left")
            .with_columns(pl.coalesce("_filled", "subsystem").alias("subsystem"))
            .drop("_filled")
        )


def _by_regex(values: pl.Series, patterns: list[str]) -> Iterator[tuple[str, list[str]]]:
    column = pl.col(values.name)
    ordered = values.sort().to_list()
    likely = [p for p in patterns if any(_begins(ordered, each) for each in beginnings(p))]
    hits = (column.filter(column.str.contains(p)).implode().alias(p) for p in likely)
    for hit in values.to_frame().select(hits):
        if found := hit.item().to_list():
            yield hit.name, found


def _begins(ordered: list[str], beginning: str) -> bool:
    """Whether one of the values begins so."""
    place = bisect_left(ordered, beginning)
    return place < len(ordered) and ordered[place].startswith(beginning)


# A bar or parenthesis that is a character, or a bracket that is, behind which one may be.
_HIDES_BARS = re.compile(r"\\[][()|]|\[[^][]*[()|]|\[\^?\]")
_MARKS = re.compile(r"[()|]")
_LITERAL = re.compile(r"(?:[0-9A-Za-z_](?![?*{]))*")
_MAY_BE_ABSENT = ("?", "*", "{")


@cache
def beginnings(pattern: str) -> tuple[str, ...]:
    """With which of these all that matches a regular expression begins; '' where that is not easily
    seen. To compile the 104 of the shipped rules takes longer than to match some functions."""
    if not pattern.startswith("^") or _HIDES_BARS.search(pattern) or _choices(pattern)[1:]:
        return ("",)
    rest = pattern.removeprefix("^")
    choices = _choices(rest.removeprefix("("))
    end = len("|".join(choices)) + len("()")
    if rest.startswith("(") and rest[end : end + 1] in _MAY_BE_ABSENT:
        return ("",)
    return tuple(_LITERAL.findall(each)[0] for each in choices)


def _choices(pattern: str) -> list[str]:
    """What is between the bars of a pattern, or of a group up to its end."""
    depth = start = 0
    found: list[str] = []
    for mark in _MARKS.finditer(pattern):
        depth += {"(": 1, ")": -1, "|": 0}[mark[0]]
        if depth < 0:
            return [*found, pattern[start : mark.start()]]
        if mark[0] == "|" and not depth:
            found.append(pattern[start : mark.start()])
            start = mark.end()
    return [*found, pattern[start:]]


def _by_glob(values: pl.Series, patterns: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Values that begin like a glob lie side by side when sorted: few are compared with any."""
    ordered = values.sort().to_list()
    for pattern in patterns:
        start, *others = re.split(r"[*?]", pattern)
        first = bisect_left(ordered, start)
        # A third of the globs are one value, and half are a beginning and a star.
        beginning = itemgetter(slice(len(start) if others else None))
        hits = ordered[first : bisect_right(ordered, start, first, key=beginning)]
        if pattern not in (start, start + "*"):
            longest = max(others, key=len)
            hits = [each for each in hits if longest in each and _glob(pattern).fullmatch(each)]
        if hits:
            yield pattern, hits


@cache
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(glob_regex(pattern))


def _fill_components(rows: pl.DataFrame) -> pl.DataFrame:
    """{n} in a subsystem: the n-th component of the source path."""
    number = pl.col("subsystem").str.extract(r"\{(\d)\}").cast(pl.Int32)
    component = (
        pl.col("source").str.split("/").list.get(number - 1, null_on_oob=True)
        .str.replace(r"\.[chS]$", "").fill_null("other")
    )  # fmt: skip
    filled = pl.col("subsystem").str.extract(r"^(.*?)\{") + component
    return rows.with_columns(pl.coalesce(filled, "subsystem").alias("subsystem"))

"""Tags of kernel functions: from the source file each is in, found by what is at hand.

    name                 module        method     source file
    nf_hook_slow                       catalogue  net/netfilter/core.c
    nf_conntrack_in      nf_conntrack  module     net/netfilter/nf_conntrack_core.c
    __x86_return_thunk                 rule
    a_function_of_today                neighbour  that of the functions before and behind it

Every file a name may lie in is a possibility with a rank: DWARF of this kernel, kallsyms of this
kernel, the catalogue (nearest version first, vmlinux before modules), the module, the bare name.
The first rank whose possibilities have one tag decides.
"""

from dataclasses import dataclass, field

import polars as pl

from perfduck_symbols import names
from perfduck_tags.catalogue import Catalogue
from perfduck_tags.prefixes import Prefixes
from perfduck_tags.rules import TAG, Rules

# What DWARF and kallsyms say of this very kernel. `certain`: the source is the function's own, not
# only that of a function with the same tag.
LOCATED = {
    "module": pl.String,
    "name": pl.String,
    "source": pl.String,
    "certain": pl.Boolean,
    "method": pl.String,
}
_DWARF, _NEIGHBOUR, _CATALOGUE, _MODULE, _BARE = 0, 1, 100, 1000, 10000
_POSSIBLE = ["row", "symbol", "module", "dso", "source", "certain", "method", "rank"]
DECISION = ["row", "source", *TAG, "tagged_by"]


@dataclass(frozen=True, slots=True)
class KernelTagger:
    """What is known of the profiled kernel."""

    rules: Rules  # the user's, symbol rules, path rules
    users: int  # how many of them are the user's
    catalogue: Catalogue
    release: str | None
    prefixes: Prefixes
    located: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=LOCATED))

    def named(self, work: pl.DataFrame) -> pl.DataFrame:
        """The rows of [name] plus canonical, and symbol: the name that the catalogue would have.
        All spellings of a system call are one there, or one prefix would have a tag that another
        has not. A plain sys_* may be any function: its own name comes first."""
        plain, canonical = names.plain(pl.col("name")), names.canonical(pl.col("name"))
        rows = work.with_columns(plain.alias("symbol"), canonical.alias("canonical"))
        calls = self.catalogue.spelled(rows["canonical"])
        if calls.is_empty():
            return rows
        called = rows.filter(pl.col("canonical").is_in(calls["canonical"].implode()))
        listed_names = self.catalogue.listed(called["symbol"].unique())
        is_own = pl.col("symbol").is_in(listed_names["name"].implode()) & (
            pl.col("symbol") == pl.col("canonical")
        )
        spelled = rows.join(calls, on="canonical", how="left", maintain_order="left")
        symbol = pl.when(is_own).then("symbol").otherwise(pl.coalesce("spelling", "symbol"))
        return spelled.with_columns(symbol.alias("symbol")).drop("spelling")

    def decide(self, work: pl.DataFrame) -> pl.DataFrame:
        """Decisions for rows of [row, name, symbol, module, dso], one each."""
        decided = _agreed(self._ranked(self.possible(work))).with_columns(self._tagged_by())
        undecided = work.join(decided, on="row", how="anti")
        guessed = self.prefixes.guess(undecided.filter(pl.col("module").is_null()))
        undecided = undecided.join(guessed, on="row", how="anti")
        return pl.concat(
            [decided.select(DECISION), guessed.select(DECISION), self._undecided(undecided)]
        )

    def possible(self, work: pl.DataFrame) -> pl.DataFrame:
        """Every possibility of every row, with the tag it would give; null where none."""
        parts = (self._located(work), self._listed(work), self._modules(work))
        located = pl.concat(part.select(_POSSIBLE) for part in parts)
        nowhere = work.join(located.select("row").unique(), on="row", how="anti")
        return self.rules.classify(pl.concat([located, self._bare(nowhere).select(_POSSIBLE)]))

    def _located(self, work: pl.DataFrame) -> pl.DataFrame:
        rank = pl.when(pl.col("method") == "dwarf").then(_DWARF).otherwise(_NEIGHBOUR)
        rows = work.join(self.located, on=["module", "name"], nulls_equal=True)
        return rows.with_columns(rank.alias("rank"))

    def _listed(self, work: pl.DataFrame) -> pl.DataFrame:
        """A name without a module is in vmlinux, or in what this kernel has built in."""
        listed = self.catalogue.candidates(work["symbol"], self.release)
        rows = work.join(listed, left_on="symbol", right_on="name")
        is_other_place = pl.col("builtin") != pl.col("module").is_null()
        return rows.with_columns(
            pl.lit(value=True).alias("certain"),
            pl.lit("catalogue").alias("method"),
            (_CATALOGUE + 2 * pl.col("age") + is_other_place.cast(pl.Int32)).alias("rank"),
        )

    def _modules(self, work: pl.DataFrame) -> pl.DataFrame:
        """A module's main tag first, then its others."""
        sources = self.catalogue.module_sources(work["module"].drop_nulls(), self.release)
        main_first = sources.sort("module", "functions", descending=True)
        order = pl.int_range(pl.len(), dtype=pl.Int32).over("module")
        ranked = main_first.with_columns((_MODULE + order).alias("rank"))
        return work.join(ranked, on="module").with_columns(
            pl.lit(value=False).alias("certain"), pl.lit("module").alias("method")
        )

    def _bare(self, work: pl.DataFrame) -> pl.DataFrame:
        return work.with_columns(
            pl.lit(None, pl.String).alias("source"),
            pl.lit(value=False).alias("certain"),
            pl.lit("rule").alias("method"),
            pl.lit(_BARE, pl.Int32).alias("rank"),
        )

    def _ranked(self, possible: pl.DataFrame) -> pl.DataFrame:
        """What may decide: of the catalogue's only the nearest, and only the module's own tags."""
        coded = _with_code(possible.filter(pl.col("rule").is_not_null()))
        own = coded.filter(pl.col("method") == "module").select("row", "code").unique()
        tags = own.group_by("row").agg(pl.len().alias("tags"))
        marked = own.with_columns(pl.lit(value=True).alias("own"))
        coded = coded.join(marked, on=["row", "code"], how="left").join(tags, on="row", how="left")
        listed = pl.col("method") == "catalogue"
        known = pl.col("tags").is_not_null()
        foreign = known & pl.col("own").is_null()
        of_unknown_module = ~known & pl.col("module").is_not_null()
        kept = coded.filter(self._by_name() | ~(listed & (foreign | of_unknown_module)))
        nearest = kept.filter(listed).group_by("row").agg(pl.col("rank").min().alias("nearest"))
        kept = kept.join(nearest, on="row", how="left")
        return kept.filter(~listed | (pl.col("rank") == pl.col("nearest"))).with_columns(
            # The only tag of a module is the module's word; the catalogue adds the file.
            pl.when(listed & (pl.col("tags") == 1))
            .then(pl.lit("module")).otherwise("method").alias("method")
        )  # fmt: skip

    def _by_name(self) -> pl.Expr:
        """Whether a rule on the name decided, or one of the user's: true for any source file."""
        named = [i for i, rule in enumerate(self.rules.all) if rule.symbol and not rule.source]
        return pl.col("rule").is_in(named) | (pl.col("rule") < self.users)

    def _tagged_by(self) -> pl.Expr:
        users = pl.when(pl.col("rule") < self.users).then(pl.lit("user-rule"))
        return (
            users.when(self._by_name()).then(pl.lit("rule")).otherwise("method").alias("tagged_by")
        )

    def _undecided(self, work: pl.DataFrame) -> pl.DataFrame:
        """Modules that no catalogued kernel has are their own subsystem; the rest is unknown."""
        named = pl.col("module").is_not_null()
        return work.select(
            "row",
            pl.lit(None, pl.String).alias("source"),
            pl.lit(None, pl.Int32).alias("rule"),
            pl.when(named)
            .then(pl.lit("modules"))
            .otherwise(pl.lit("kernel/unknown"))
            .alias("area"),
            pl.when(named).then("module").otherwise(pl.lit("unknown")).alias("subsystem"),
            # What is not known passes the charge up: a caller that is known says more.
            pl.when(named).then(pl.lit("domain")).otherwise(pl.lit("helper")).alias("role"),
            pl.lit("unknown").alias("tagged_by"),
        )


def _with_code(possible: pl.DataFrame) -> pl.DataFrame:
    """A number per tag: comparing numbers within groups is ten times faster than structs."""
    tag = ["area", "subsystem", "role"]
    codes = possible.select(tag).unique().with_row_index("code")
    return possible.join(codes, on=tag)


def _agreed(ranked: pl.DataFrame) -> pl.DataFrame:
    """Per row the lowest rank whose possibilities have one tag."""
    groups = ranked.group_by("row", "rank").agg(
        pl.col("code").min().alias("low"), pl.col("code").max().alias("high"),
        pl.col("source").min(), pl.col("source").max().alias("other"), pl.col("certain").all(),
        pl.col("rule").min(), pl.col("area", "subsystem", "role", "method").first(),
    )  # fmt: skip
    lowest = groups.filter(pl.col("low") == pl.col("high")).sort("row", "rank")
    own = pl.col("certain") & (pl.col("source") == pl.col("other"))
    return lowest.unique("row", keep="first", maintain_order=True).with_columns(
        pl.when(own).then("source").alias("source")
    )

"""The class of a function: what kind of work of the host's network stack it is.

    skb_copy_datagram_iter   net/socket    socket       data_copy
    __inet_lookup_established net/transport inet_sock   tcp_ip
    main                     user          nginx        user

A function's class cuts across its subsystem: a socket's file has copies, locks and wake-ups.
The classes are those of Cai et al. (SIGCOMM'21); data/class_rules.csv has their words.
"""

from collections.abc import Sequence
from functools import cache

import polars as pl

from perfduck_tags.rules import DATA, Rule, glob_regex

CLASSES = (
    "data_copy", "tcp_ip", "netdev", "skb", "memory", "lock", "sched", "other", "user", "unknown",
)  # fmt: skip
_REST = "other"
# Conditions of class_rules.csv, and the columns of a tagged function that they look at.
_GLOBS = {"source": "source_file", "area": "area", "subsystem": "subsystem"}


def with_class(decided: pl.DataFrame, rules: Sequence[Rule]) -> pl.DataFrame:
    """Rows of [canonical, source_file, area, subsystem, rule] plus class: what the rule says that
    decided, else what class_rules.csv says."""
    own = {number: rule.of_class for number, rule in enumerate(rules) if rule.of_class}
    rule_class = pl.col("rule").replace_strict(
        list(own), list(own.values()), default=None, return_dtype=pl.String
    )
    return decided.with_columns(pl.coalesce(rule_class, _shipped()).alias("class"))


@cache
def _shipped() -> pl.Expr:
    """The class of the first rule that matches."""
    table = pl.read_csv(DATA / "class_rules.csv", comment_prefix="#", infer_schema=False)
    classes = [
        pl.when(_matches(row)).then(pl.lit(row["class"])) for row in table.iter_rows(named=True)
    ]
    return pl.coalesce(*classes, pl.lit(_REST))


def _matches(row: dict[str, str | None]) -> pl.Expr:
    """Whether all conditions of a rule hold."""
    patterns = {column: row[name] for name, column in _GLOBS.items()}
    hold = [
        pl.col(column).str.contains(glob_regex(glob))
        for column, glob in patterns.items()
        if glob and glob != "*"
    ]
    if row["symbol"]:
        hold.append(pl.col("canonical").str.contains(row["symbol"]))
    return pl.all_horizontal(hold).fill_null(value=False)

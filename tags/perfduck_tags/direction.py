"""Which way the packet of a kernel stack goes: egress, ingress, forward, or none.

    leaf  nf_nat_ipv4_out
          nf_hook_slow
          ip_output              transmit  goes out: forwarded or sent from here
          ip_forward             transmit
          ip_rcv                 receive   so it is a packet that came in: forward
          process_backlog        receive
          handle_softirqs        the walk ends: below it is whoever was interrupted
          __local_bh_enable_ip
    root  udp_sendmsg            send

The innermost entry decides. One that transmits asks the next one that does not: below `send` it is
egress, below `receive` forward, and egress where there is neither (net_tx_action, a tunnel's
worker: the queue before them does not tell where a packet is from). A stack whose leaf is in user
space has no direction. The entries are in data/direction_rules.csv.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
import polars as pl

from perfduck_model.arrays import Bool, Int64
from perfduck_tags.rules import DATA

DIRECTIONS = ("none", "egress", "ingress", "forward")
_NONE, _EGRESS, _INGRESS, _FORWARD = range(4)
ENTRIES = ("receive", "send", "transmit", "apart")


@cache
def _rules() -> pl.DataFrame:
    """[entry, station, continues, symbol], in order."""
    return pl.read_csv(DATA / "direction_rules.csv", comment_prefix="#", infer_schema=False)


def entries(names: pl.Series) -> pl.Series:
    """What kernel functions are to the walk, by their canonical names: one of ENTRIES, or
    'neither'; null for most."""
    return _of_rules(names, "entry")


def stations(names: Sequence[str]) -> list[tuple[str | None, bool]]:
    """The station of a packet's way that kernel functions belong to, by their canonical names; None
    for most. And whether the function goes on with a pass through it that began before."""
    asked = pl.Series(names, dtype=pl.String)
    stations, goes_on = (_of_rules(asked, name).to_list() for name in ("station", "continues"))
    return [(name, said == "yes") for name, said in zip(stations, goes_on, strict=True)]


def _of_rules(names: pl.Series, column: str) -> pl.Series:
    """What the first rule that matches says. One pattern of all of them first: most match none."""
    rules = _rules()
    listed = names.unique()
    matched = listed.filter(listed.str.contains("|".join(f"(?:{p})" for p in rules["symbol"])))
    rows = [
        pl.when(pl.lit(matched).str.contains(pattern)).then(row)
        for row, pattern in enumerate(rules["symbol"])
    ]
    values = rules[column][pl.select(pl.coalesce(rows)).to_series()]
    return names.replace_strict(matched, values, default=None, return_dtype=pl.String)


def directions(frames: dict[str, Bool], ends_walk: Bool, starts: Int64, ends: Int64) -> Int64:
    """The direction of each stack, a place in DIRECTIONS. `frames`: which are each of
    ENTRIES; the frames of a stack are `starts` to `ends`, leaf first."""
    last = first(ends_walk, starts, ends)
    last = np.where(last >= 0, last, ends)
    is_transmit = frames["transmit"]
    is_decided = frames["receive"] | frames["send"] | frames["apart"]
    transmit = first(is_transmit, starts, last)
    decided = first(is_decided, starts, last)
    kinds = np.full(len(is_decided) + 1, _NONE)  # the place at -1 is of what nothing decided
    kinds[:-1][frames["receive"]] = _INGRESS
    kinds[:-1][frames["send"]] = _EGRESS
    direction = kinds[decided]
    is_out = (transmit >= 0) & ((decided < 0) | (transmit < decided))
    return np.where(is_out, np.where(direction == _INGRESS, _FORWARD, _EGRESS), direction)


def first(flags: Bool, starts: Int64, ends: Int64) -> Int64:
    """The first flagged frame from each start on and before its end, else -1."""
    hits = np.append(np.flatnonzero(flags), len(flags))
    nearest = hits[np.searchsorted(hits, starts)]
    return np.where(nearest < ends, nearest, -1)

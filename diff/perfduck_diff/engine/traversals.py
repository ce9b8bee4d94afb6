"""How deep in the network stack a kernel stack is: the stations that a packet's way goes through.

    root  handle_softirqs
          process_backlog
          __netif_receive_skb_one_core      __netif_receive_skb_core #1
          br_handle_frame_finish
          netif_receive_skb                 __netif_receive_skb_core #2
          __netif_receive_skb_one_core
          ip_rcv                            ip_rcv #1
    leaf  nf_hook_slow

A number is a place in one stack, not a count of calls: samples do not tell how often a function is
called. What a queue separates (a veth pair, the backlog) is another stack, and begins at #1 again.
A function that ends by a call of another one (a tail call) is not in the stack. Stations are in
tags/perfduck_tags/data/direction_rules.csv.
"""

from dataclasses import dataclass

import numpy as np

from perfduck_diff.engine.run_matrix import RunMatrix
from perfduck_model.arrays import Bool, Int64
from perfduck_tags.direction import stations


@dataclass(frozen=True, slots=True)
class Passes:
    """Pass i is that of stack `stack[i]` through `names[number[i]]`; those of a stack follow each
    other, from the root to the leaf."""

    stack: Int64
    number: Int64
    names: tuple[str, ...]


def station_passes(runs: RunMatrix) -> Passes:
    """Every pass of every stack through a station, since the interrupt, softirq loop or system call
    that its leaf runs in."""
    of_frame, goes_on, names = _stations(runs)
    owner, codes = runs.stacks.rerooted(runs.entry()).flat()
    at = np.flatnonzero(of_frame[codes] >= 0)
    owner, codes, station = owner[at], codes[at], of_frame[codes[at]]
    begins = np.ones(len(at), np.bool_)
    is_same = (station[1:] == station[:-1]) & (owner[1:] == owner[:-1])
    begins[1:] = ~(is_same & (goes_on[codes[1:]] | (np.diff(at) == 1)))
    stack, station = owner[begins], station[begins]
    times = _before(stack * len(names) + station)
    most = int(times.max(initial=0)) + 1
    met, number = np.unique(station * most + times, return_inverse=True)
    called = tuple(f"{names[each // most]} #{each % most + 1}" for each in met.tolist())
    return Passes(stack, number, called)


def _stations(runs: RunMatrix) -> tuple[Int64, Bool, list[str]]:
    """Of each frame the station, -1 where it is in none, and whether it goes on with a pass; and
    the names of the stations."""
    rows = stations([frame.name if frame.kernel else "" for frame in runs.frames])
    names = sorted({name for name, _ in rows if name})
    place = {name: number for number, name in enumerate(names)}
    of_frame = np.array([place.get(name or "", -1) for name, _ in rows], dtype=np.int64)
    return of_frame, np.array([goes_on for _, goes_on in rows], dtype=np.bool_), names


def _before(keys: Int64) -> Int64:
    """How many equal keys are before each."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    before = np.empty(len(keys), np.int64)
    before[order] = np.arange(len(keys)) - np.searchsorted(ordered, ordered)
    return before

"""Whether an answer is about the load at all, or about what else ran on the machine.

61.2 % of the weight is of other programs than the load (wrk): chrome 48.0 %, node 13.2 %;
--comm wrk looks at the load alone
"""

import re
from collections.abc import Iterable, Sequence

from perfduck_diff.selection import Selection
from perfduck_model.suggestion import listed
from perfduck_store.protocol import Store

_COMM_BYTES = 15  # what the kernel keeps of a program's name
_MOST = 0.5  # of the weight: others have more than the load
_SHOWN = 3
# The programs whose reports tell the work, for recordings that do not say their command.
_GENERATORS = ("iperf3", "wrk", "sockperf")
# Threads of the kernel do the load's work as well as others'.
_KERNEL = re.compile(r"(swapper|kworker|ksoftirqd|rcu_|migration|irq/|napi/|kdamond|idle_inject).*")


def other_programs(store: Store, selection: Selection, profiles: Sequence[int]) -> tuple[str, ...]:
    """A line where most of the weight of the picked profiles is of programs other than the load.

    The load is what the recording's command names, else a load generator. Nothing where samples
    were chosen: then the user has said what to look at.
    """
    if any(note.code == "filter" for note in selection.notes):
        return ()
    places = {key: run for run, key in enumerate(selection.profiles)}
    weights = selection.samples.comms([places[key] for key in profiles])
    load = _load(weights, [each.command or "" for each in store.profiles.of(profiles)])
    whole = sum(weights.values())
    others = {c: w for c, w in weights.items() if c not in load and not _KERNEL.fullmatch(c)}
    if not load or not whole or sum(others.values()) <= _MOST * whole:
        return ()
    share = 100 * sum(others.values()) / whole
    named_others = listed([f"{c} {100 * w / whole:.1f} %" for c, w in others.items()], _SHOWN)
    chosen = " ".join(f"--comm {comm}" for comm in load)
    return (
        f"{share:.1f} % of the weight is of other programs than the load ({', '.join(load)}):"
        f" {named_others}; {chosen} looks at the load alone",
    )


def _load(comms: Iterable[str], commands: Sequence[str]) -> list[str]:
    words = {word.rpartition("/")[2][:_COMM_BYTES] for text in commands for word in text.split()}
    words -= {"perf", "sleep"}
    called = [comm for comm in comms if comm in words]
    return called or [comm for comm in comms if comm in _GENERATORS]

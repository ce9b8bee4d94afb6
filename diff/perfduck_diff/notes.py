"""Lines beside an answer, on what it may be mistaken for.

What the recordings lack. Names are looked for in what is picked, so that the line is about the
samples of the answer; other limitations were counted at the import, of whole recordings:

    48 % to 52 % of the weight of 4 profiles has no name: ingest again with --kallsyms (31 %
    [kernel.kallsyms], 17 % /opt/app/bin/server)
    1,234 of 7,944 samples: user callers were recorded as DWARF stacks ... (native.1)

Whether it is about the load, how sure the tags are, and which self weight is misplaced:

    61.2 % of the weight is of other programs than the load (wrk): chrome 48.0 %, node 13.2 %;
    --comm wrk looks at the load alone
    tags by weight: 81.9 % catalogue, 17.0 % rule, 1.0 % neighbour, 0.1 % unknown
    21.4 % of self time is an artifact of disabled interrupts, not contention: ...

What is attached, beside a growth: which rules need conntrack or NAT, and how many packets met them.

    docker0-nat: -A POSTROUTING ! -o docker0 -j MASQUERADE needs nat: 89,974 packets
    docker0-nat: conntrack had 3,721 entries
    docker0-nat: counted per packet: __netif_receive_skb_core 3.01, ...
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from perfduck_diff import net_counts
from perfduck_diff.selection import Note, Selection
from perfduck_model.batch import said
from perfduck_model.words import listed
from perfduck_store.protocol import Store
from perfduck_store.records import FunctionWeight, MetRule, SharedLimitation, TagShare
from perfduck_symbols.names import binary
from perfduck_tags.methods import INEXACT

_LEAST = 0.01  # of a run's weight, to be said
_MOST_DSOS = 3
_OPTIONS = {"kernel": "--kallsyms", "user": "--symbols"}
_COMM_BYTES = 15  # what the kernel keeps of a program's name
_MOST = 0.5  # of the weight: others have more than the load
_SHOWN = 3
_NAMED = 3  # functions that a line names
# The programs whose reports tell the work, for recordings that do not say their command.
_GENERATORS = ("iperf3", "wrk", "sockperf")
# Threads of the kernel do the load's work as well as others'.
_KERNEL = re.compile(r"(swapper|kworker|ksoftirqd|rcu_|migration|irq/|napi/|kdamond|idle_inject).*")


def lacking(store: Store, selection: Selection, profiles: Iterable[int]) -> tuple[str, ...]:
    """Of some profiles of the selection that is picked, in words."""
    return tuple(note.text for note in lacking_notes(store, selection, profiles))


def lacking_notes(
    store: Store, selection: Selection, profiles: Iterable[int] | None = None
) -> tuple[Note, ...]:
    """Of the selection that is picked, or of some of its profiles."""
    runs = list(selection.profiles if profiles is None else profiles)
    counted = limitations(store, runs, of_whole=selection.is_part)
    return (
        *(Note("lacking", text) for text in counted),
        *(Note("unnamed", text) for text in _unnamed(selection, runs)),
    )


def _unnamed(selection: Selection, profiles: list[int]) -> list[str]:
    places = {key: run for run, key in enumerate(selection.profiles)}
    busy = {places[key]: selection.weights[key].busy for key in profiles}
    names = {places[key]: selection.profiles[key] for key in profiles}
    unnamed = selection.samples.unnamed(list(busy))
    by_run: dict[int, float] = defaultdict(float)
    for each in unnamed:
        by_run[each.run] += each.weight
    shares = {
        run: weight / busy[run] for run, weight in by_run.items() if weight >= _LEAST * busy[run]
    }
    if not shares:
        return []
    whole = sum(busy[run] for run in shares)
    dsos: dict[str, float] = defaultdict(float)
    for each in unnamed:
        dsos[each.dso] += each.weight if each.run in shares else 0.0
    runs = [names[run] for run in sorted(shares)]
    of = f" of {len(runs)} profiles" if len(runs) > 1 else ""
    one = f" ({runs[0]})" if len(runs) == 1 else ""
    return [f"{_extent(shares.values())} of the weight{of} has no name{_where(dsos, whole)}{one}"]


def _extent(shares: Iterable[float]) -> str:
    least, most = (_percent(end) for end in (min(shares), max(shares)))
    return most if least == most else f"{least} to {most}"


def _where(dsos: Mapping[str, float], whole: float) -> str:
    """What would name it, and the binaries it is in, heaviest first."""
    heavy = [dso for dso in dsos if dsos[dso] >= _LEAST * whole] or list(dsos)
    heavy.sort(key=lambda dso: (-dsos[dso], dso))
    options = sorted({_OPTIONS.get(binary(dso)[0], "") for dso in heavy} - {""})
    advice = f": ingest again with {' and '.join(options)}" if options else ""
    shown = [f"{_percent(dsos[dso] / whole)} {dso}" for dso in heavy]
    return f"{advice} ({listed(shown, _MOST_DSOS)})"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def limitations(
    store: Store, profiles: Iterable[int], *, of_whole: bool = False
) -> tuple[str, ...]:
    """Limitations of the profiles with these ids in words, those of most samples first. `of_whole`:
    say that they are of whole recordings, as where an answer is not. Missing names are left to the
    answer, which knows what it is about."""
    return tuple(
        f"{said(each.text, each.samples, each.total)} ({_profiles(each, of_whole=of_whole)})"
        for each in store.profiles.limitations(profiles)
    )


def _profiles(limitation: SharedLimitation, *, of_whole: bool) -> str:
    is_one = limitation.profiles == 1
    profiles = limitation.first_profile if is_one else f"{limitation.profiles} profiles"
    return f"{profiles}, whole recording{'' if is_one else 's'}" if of_whole else profiles


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
    options = " ".join(f"--comm {comm}" for comm in load)
    return (
        f"{share:.1f} % of the weight is of other programs than the load ({', '.join(load)}):"
        f" {named_others}; {options} looks at the load alone",
    )


def _load(comms: Iterable[str], commands: Sequence[str]) -> list[str]:
    words = {word.rpartition("/")[2][:_COMM_BYTES] for text in commands for word in text.split()}
    words -= {"perf", "sleep", "sh", "ip"}  # what starts the load, or waits
    called = [comm for comm in comms if comm in words]
    return called or [comm for comm in comms if comm in _GENERATORS]


def provenance(
    store: Store, selection: Selection, profiles: Iterable[int] | None = None
) -> tuple[str, ...]:
    """Of the selection that is picked, or of some of its profiles: a line on programs other than
    the load, one on the tags where they are not all exact, and one on what only looks hot."""
    places = {key: run for run, key in enumerate(selection.profiles)}
    profile_ids = list(places if profiles is None else profiles)
    runs = [places[key] for key in profile_ids]
    busy = sum(selection.weights[key].busy for key in profile_ids)
    return (
        *other_programs(store, selection, profile_ids),
        *_tags(selection.samples.tag_methods(runs)),
        *_artefacts(selection.samples.artefacts(runs), busy),
    )


def _tags(methods: list[TagShare]) -> list[str]:
    if not any(each.method in INEXACT and each.share for each in methods):
        return []
    parts = (
        f"{100 * each.share:.{1 if each.share >= 0.001 else 3}f} % {each.method}"
        for each in methods
    )
    return [f"tags by weight: {', '.join(parts)}"]


def _artefacts(artefacts: list[FunctionWeight], busy: float) -> list[str]:
    if not artefacts or not busy:
        return []
    share = sum(each.weight for each in artefacts) / busy
    names = [each.function for each in artefacts]
    what = "of self time is an artifact of disabled interrupts, not contention"
    return [f"{100 * share:.1f} % {what}: {listed(names, _NAMED)}"]


def attachment_notes(
    store: Store, name: str, profiles: list[int], limit: int = 6
) -> tuple[str, ...]:
    """What the attachments of these profiles say, most packets first."""
    lines = [
        f"{name}: {met.rule} needs {met.needs}{_counted(met)}"
        for met in store.attachments.met_rules(profiles, limit)
    ]
    if others := store.attachments.other_rules(profiles):
        more = "1 more iptables rule needs" if others == 1 else f"{others} more iptables rules need"
        lines.append(f"{name}: {more} neither conntrack nor nat")
    entries = store.attachments.conntrack_entries(profiles)
    if entries is not None:
        lines.append(f"{name}: conntrack had {entries:,} entries after the run")
    if counts := net_counts.counted(store, profiles):
        lines.append(f"{name}: {counts}")
    return tuple(lines)


def _counted(met: MetRule) -> str:
    """Packets of a rule. Counters run on from file to file, so they are no terms of a sum."""
    if met.least is None or met.most is None:
        return ""
    if met.least == met.most:
        return f": {met.most:,} packet{'' if met.most == 1 else 's'}"
    return f": {met.least:,} to {met.most:,} packets in {met.files} files"

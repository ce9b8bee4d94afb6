"""Which event an answer is about: one rule for top, diff, compare and export.

The event that most profiles have, then the one with the most samples. Names of one clock are one:

    cpu-clock  cpu-clock:ppp                  only how exactly perf was asked to sample differs
    cpu-clock  task-clock  CPU_CLK_UNHALTED   CPU time in ns, where no event is in all profiles; of
                                              each profile one

Of a hybrid CPU every core PMU counts for itself: cpu_core/cycles/ and cpu_atom/cycles/ are two
events, `name` and `other_pmus`, which an answer shows beside each other. --event cycles adds them
up. cpu-clock:u is not cpu-clock: what it leaves out is no matter of precision. Other
time in ns (off-cpu, delay, wall) is no CPU time, and never taken for it.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from perfduck_model.errors import PerfduckError
from perfduck_model.words import did_you_mean, listed
from perfduck_store.records import RecordedEvent

_PMU = re.compile(r"(?P<pmu>\w+)/(?P<event>[^/=]+)/(?P<modifiers>\w*)")
_ONLY_PMU = "cpu"  # of a CPU whose cores are all alike
_MODIFIERS = re.compile(r"(?P<event>.+):(?P<modifiers>[ukhGHIpPSDWeb]+)")
# Of perf, of pprof, and cycles of OProfile, whose importer knows the clock.
_CPU_TIME = re.compile(
    r"(?:cpu|task)-clock|cpu|cycles|cpu_cycles|cpu_clk\w*|pm_(?:run_)?cyc\w*|global_power_events",
    re.IGNORECASE,
)
_RESTRICTING = "ukhGHI"  # user, kernel, hypervisor, guest, host, no idle: what they count differs
_SHOWN = 3  # profiles or events in a note


@dataclass(frozen=True, slots=True)
class Clock:
    """The events to answer from, `of` each profile that has any. `other_pmus`: the same event of
    the other core PMUs of a hybrid CPU, each as --event takes it. In words: what is `merged`, what
    is kept `apart`, which `others` of these profiles are left out, and which profiles have no such
    event (`missing`)."""

    name: str
    unit: str
    of: Mapping[int, tuple[str, ...]]
    other_pmus: tuple[str, ...] = ()
    merged: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What is merged, kept apart and left out of these profiles."""
        return (*self.merged, *self.apart, *self.others)


def plain(event: str) -> str:
    """The event without PMU and modifiers of precision: cpu-clock, cycles:u."""
    pmu = _PMU.fullmatch(event)
    event = f"{pmu['event']}:{pmu['modifiers']}".rstrip(":") if pmu else event
    match = _MODIFIERS.fullmatch(event)
    if match is None:
        return event
    modifiers = "".join(letter for letter in match["modifiers"] if letter in _RESTRICTING)
    return f"{match['event']}:{modifiers}" if modifiers else match["event"]


def _pmu(event: str) -> str:
    """The core PMU that an event is counted by; '' where there is but one."""
    match = _PMU.fullmatch(event)
    return match["pmu"] if match and match["pmu"] != _ONLY_PMU else ""


def is_cpu_time(event: str, unit: str) -> bool:
    """Whether what it weighs is CPU time in ns."""
    return unit == "ns" and _CPU_TIME.fullmatch(plain(event)) is not None


def choose(
    rows: Sequence[RecordedEvent], profiles: Mapping[int, str], wanted: Sequence[str] = ()
) -> Clock:
    """The events to answer from, out of all events of the profiles (id -> name)."""
    if not rows:
        raise PerfduckError.at(
            next(iter(profiles.values())), expected="a profile with samples", got="none"
        )
    used = _wanted(rows, wanted) if wanted else _usual(rows, len(profiles))
    of: dict[int, tuple[str, ...]] = defaultdict(tuple)
    for row in used:
        of[row.profile] += (row.event,)
    rest = [row for row in rows if row not in used]
    siblings = [] if wanted else _of_other_pmus(used, rest)
    return Clock(
        _name(used),
        _unit(used),
        dict(of),
        _names_by_pmu(siblings),
        _merged(used),
        _apart(used, siblings),
        _others(used, [row for row in rest if row.profile in of and row not in siblings]),
        _missing({key: name for key, name in profiles.items() if key not in of}, rest, _name(used)),
    )


def _wanted(rows: Sequence[RecordedEvent], wanted: Sequence[str]) -> list[RecordedEvent]:
    """Those asked for by name, by glob, or as `a|b`."""
    patterns = [part for pattern in wanted for part in pattern.split("|")]
    for pattern in patterns:
        if not any(_means(pattern, row.event) for row in rows):
            raise PerfduckError(_unknown(pattern, rows))
    matching = {row for pattern in patterns for row in _of(pattern, rows)}
    used = [row for row in rows if row in matching]
    units = {_plain_unit(row) for row in used}
    if len(units) > 1:
        raise PerfduckError.at(
            where=f"--event {' --event '.join(wanted)}",
            expected="events of one unit",
            got=", ".join(sorted({f"{row.event} in {row.unit}" for row in used})),
        )
    return used


def _of(pattern: str, rows: Sequence[RecordedEvent]) -> list[RecordedEvent]:
    """Of each profile the event of exactly this name, else those that the pattern means."""
    exact = {row.profile for row in rows if row.event == pattern}
    return [
        row
        for row in rows
        if row.event == pattern or (row.profile not in exact and _means(pattern, row.event))
    ]


def _means(pattern: str, event: str) -> bool:
    of_pmu = f"{_pmu(event)}/{plain(event)}/"  # without its modifiers
    return pattern in (event, plain(event), of_pmu) or fnmatchcase(event, pattern)


def _unknown(pattern: str, rows: Sequence[RecordedEvent]) -> str:
    names = list(dict.fromkeys(row.event for row in rows))
    hint = did_you_mean(pattern, names)
    expected = f"{pattern}: expected an event of the profiles, got none of that name"
    return f"{expected}: {hint}there are {listed(names)}"


def _usual(rows: Sequence[RecordedEvent], profiles: int) -> list[RecordedEvent]:
    """Without a wish: the clock that most profiles have."""
    clocks: dict[str, list[RecordedEvent]] = defaultdict(list)
    for row in rows:
        clocks[plain(row.event)].append(row)
    best = max(clocks.values(), key=lambda each: (_reach(each), sum(r.samples for r in each)))
    best = _one_each(best)
    if _reach(best) == profiles:
        return best
    time = _time(rows, plain(best[0].event))
    return time if _reach(time) > _reach(best) else best


def _one_each(rows: Sequence[RecordedEvent]) -> list[RecordedEvent]:
    """Of several names of a clock in one profile the largest, of one core PMU: the one that most
    profiles have, then the one with the most samples."""
    pmus: dict[str, dict[int, RecordedEvent]] = defaultdict(dict)
    for row in sorted(rows, key=lambda row: -row.samples):
        pmus[_pmu(row.event)].setdefault(row.profile, row)
    return max(
        (list(of.values()) for of in pmus.values()),
        key=lambda of: (_reach(of), sum(row.samples for row in of)),
    )


def _of_other_pmus(
    used: Sequence[RecordedEvent], rest: Sequence[RecordedEvent]
) -> list[RecordedEvent]:
    """The same clock as another core PMU of the same machines counted it."""
    names, pmus = {plain(row.event) for row in used}, {_pmu(row.event) for row in used}
    if pmus == {""}:
        return []
    return [row for row in rest if plain(row.event) in names and _pmu(row.event) not in {"", *pmus}]


def _names_by_pmu(rows: Sequence[RecordedEvent]) -> tuple[str, ...]:
    """The events of each PMU, as --event takes them."""
    names: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row.event not in names[_pmu(row.event)]:
            names[_pmu(row.event)].append(row.event)
    return tuple("|".join(each) for each in names.values())


def _reach(rows: Sequence[RecordedEvent]) -> int:
    return len({row.profile for row in rows})


def _time(rows: Sequence[RecordedEvent], first: str) -> list[RecordedEvent]:
    """CPU time in ns, under any name: of each profile the `first`, else its largest."""
    events: dict[int, RecordedEvent] = {}
    in_ns = [row for row in rows if is_cpu_time(row.event, row.unit)]
    for row in sorted(in_ns, key=lambda row: (plain(row.event) != first, -row.samples)):
        events.setdefault(row.profile, row)
    return list(events.values())


def _plain_unit(row: RecordedEvent) -> str:
    return plain(row.unit).partition(":")[0]


def _name(used: Sequence[RecordedEvent]) -> str:
    names = {row.event for row in used}
    return names.pop() if len(names) == 1 else "|".join(sorted({plain(row.event) for row in used}))


def _unit(used: Sequence[RecordedEvent]) -> str:
    units = {_unit_of_pmu(row) for row in used}
    return units.pop() if len(units) == 1 else _plain_unit(used[0])


def _unit_of_pmu(row: RecordedEvent) -> str:
    """The unit without slashes, which divide: `cycles (cpu_core)` of cpu_core/cycles/P, whose
    spread between runs is not that of cpu_atom."""
    name = _plain_unit(row) if _PMU.fullmatch(row.unit) else row.unit
    pmu = _pmu(row.unit)
    return "event" if "/" in name else f"{name} ({pmu})" if pmu else name


def _merged(used: Sequence[RecordedEvent]) -> tuple[str, ...]:
    names = list(dict.fromkeys(row.event for row in used))
    if len(names) < 2:
        return ()
    whole = sum(row.weight for row in used) or 1.0
    parts = []
    for name in names:
        rows = [row for row in used if row.event == name]
        share = 100 * sum(row.weight for row in rows) / whole
        parts.append(f"{name} ({_profiles(_reach(rows))}, {share:.1f} % of the weight)")
    differ = len({_pmu(name) for name in names}) > 1
    doubt = "; one of a core PMU is not one of another" if differ else ""
    return (f"taken as one event: {', '.join(parts)}{doubt}",)


def _apart(used: Sequence[RecordedEvent], siblings: Sequence[RecordedEvent]) -> tuple[str, ...]:
    """What each core PMU of a hybrid CPU has of the samples."""
    if not siblings:
        return ()
    samples: dict[str, int] = defaultdict(int)
    for row in (*used, *siblings):
        samples[row.event] += row.samples
    whole = sum(samples.values())
    parts = [f"{name} ({100 * n / whole:.1f} % of the samples)" for name, n in samples.items()]
    name = plain(used[0].event)
    return (
        f"a hybrid CPU, whose core PMUs are kept apart: {', '.join(parts)};"
        f" --event chooses one, --event {name} adds them up",
    )


def _others(used: Sequence[RecordedEvent], rest: Sequence[RecordedEvent]) -> tuple[str, ...]:
    """Other events of the same profiles; first the same event of other core PMUs."""
    same = _of_other_pmus(used, rest)
    events = [row for row in rest if row not in same]
    return (*_left_out("of other core PMUs", same), *_left_out("as other events", events))


def _left_out(why: str, rest: Sequence[RecordedEvent]) -> tuple[str, ...]:
    samples: dict[str, int] = defaultdict(int)
    for row in rest:
        samples[row.event] += row.samples
    if not samples:
        return ()
    text = listed([f"{event} ({count:,} samples)" for event, count in samples.items()], _SHOWN)
    return (f"left out, {why}: {text}; --event chooses",)


def _missing(
    names: Mapping[int, str], rest: Sequence[RecordedEvent], event: str
) -> tuple[str, ...]:
    if not names:
        return ()
    own = {key: next((row for row in rest if row.profile == key), None) for key in names}
    parts = [
        f"{name} ({row.event}, {row.samples:,} samples)" if (row := own[key]) else name
        for key, name in names.items()
    ]
    return (f"left out: {_profiles(len(names))} without {event}: {listed(parts, _SHOWN)}",)


def _profiles(number: int) -> str:
    return f"{number} profile{'' if number == 1 else 's'}"

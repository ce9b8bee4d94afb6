"""Which recordings are one point of a trend, in which order, and which make a series of their own.

    --over commit   label `commit`, in the order of label `commit_time`, or of a repository
    --over time     when the recording began; runs of one session are one point
    --over LABEL    its values, numbers in them by size: 6.1.2 before 6.10.1

Labels `scenario` and `workload` always divide, and any other label that has several values at one
commit or value, and these at several of them.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from perfduck_diff.like_runs import RUN_LABEL
from perfduck_model.errors import PerfduckError
from perfduck_model.words import did_you_mean, listed
from perfduck_store.protocol import Store
from perfduck_store.records import Profile

COMMIT, COMMIT_TIME, TIME = "commit", "commit_time", "time"
DIVIDING = ("scenario", "workload")
SESSION = timedelta(hours=1)  # runs of a session begin within it
_SHOWN = 3
_OF_THE_POINT = (COMMIT, COMMIT_TIME, RUN_LABEL)

# Of commits their place in the order of a repository and their time; what it lacks is not in it.
CommitOrder = Callable[[Sequence[str]], Mapping[str, tuple[int, datetime]]]


@dataclass(frozen=True, slots=True)
class PointKey:
    """A point: its value, when that was, and its profiles (id -> name)."""

    value: str
    at: datetime | None
    profiles: dict[int, str]


@dataclass(frozen=True, slots=True)
class Ordered:
    """The points of each group (its labels), what they are ordered by, and notes."""

    groups: tuple[tuple[dict[str, str], tuple[PointKey, ...]], ...]
    order: str
    notes: tuple[str, ...]


def ordered_points(
    store: Store, selected: Mapping[int, str], over: str, commits: CommitOrder | None
) -> Ordered:
    """The points of the selected profiles. PerfduckError where none has what `over` asks for, or
    commits have no order."""
    if not over:
        raise PerfduckError.at(where="--over", expected="commit, time or a label", got="nothing")
    profiles = store.profiles.of(selected)
    began = _began(store, selected)
    if over == TIME:
        return _by_time(profiles, began)
    there = [each for each in profiles if over in each.labels]
    if not there:
        raise PerfduckError.at(
            where=f"--over {over}",
            expected=f"recordings with label {over}",
            got=_labels(over, profiles),
        )
    notes = _left_out(profiles, there, f"no label {over}")
    if over == COMMIT:
        places, order, more = _commits(there, commits)
        in_history = [each for each in there if each.labels[COMMIT] in places]
        notes += more
    else:
        values = sorted({each.labels[over] for each in there}, key=_natural)
        places = {value: (number, None) for number, value in enumerate(values)}
        in_history, order = there, f"label {over}"
    groups = _divided(in_history, over)
    return Ordered(
        tuple((labels, _points(group, over, places, began)) for labels, group in groups),
        order,
        tuple(notes),
    )


def _points(
    profiles: Sequence[Profile],
    over: str,
    places: Mapping[str, tuple[int, datetime | None]],
    began: Mapping[int, datetime | None],
) -> tuple[PointKey, ...]:
    values: dict[str, dict[int, str]] = defaultdict(dict)
    for each in profiles:
        values[each.labels[over]][each.profile_id] = each.name
    points = []
    for value in sorted(values, key=lambda value: places[value][0]):
        times = [time for key in values[value] if (time := began[key])]
        points.append(PointKey(value, places[value][1] or min(times, default=None), values[value]))
    return tuple(points)


def _began(store: Store, selected: Mapping[int, str]) -> dict[int, datetime | None]:
    listing = store.profiles.listing(selected).select(["name", "started_at"]).rows()
    times = dict(listing)
    return {key: times.get(name) for key, name in selected.items()}


def _labels(over: str, profiles: Sequence[Profile]) -> str:
    keys = sorted({key for each in profiles for key in each.labels})
    return f"none: {did_you_mean(over, keys)}the labels are {listed(keys) or 'none'}"


def _left_out(profiles: Sequence[Profile], there: Sequence[Profile], why: str) -> list[str]:
    in_points = {each.profile_id for each in there}
    names = [each.name for each in profiles if each.profile_id not in in_points]
    profile = "profile" if len(names) == 1 else "profiles"
    return [f"left out: {len(names)} {profile}, {why}: {listed(names, _SHOWN)}"] if names else []


def _by_time(profiles: Sequence[Profile], began: Mapping[int, datetime | None]) -> Ordered:
    there = [each for each in profiles if began[each.profile_id]]
    if not there:
        raise PerfduckError.at(
            where="--over time",
            expected="recordings that say when they began",
            got="none: --over LABEL orders by a label",
        )
    groups = []
    for labels, group in _divided(there, TIME):
        group.sort(key=lambda each: (began[each.profile_id], each.name))
        groups.append((labels, _sessions(group, began)))
    notes = _left_out(profiles, there, "which do not say when they began")
    return Ordered(tuple(groups), "when recordings began (UTC)", tuple(notes))


def _sessions(
    profiles: Sequence[Profile], began: Mapping[int, datetime | None]
) -> tuple[PointKey, ...]:
    """Neighbours in time with the same labels but `run`, each run once, within an hour."""
    points: list[PointKey] = []
    runs: set[str] = set()
    like: dict[str, str] = {}
    for each in profiles:
        time, run = began[each.profile_id], each.labels.get(RUN_LABEL)
        rest = {key: value for key, value in each.labels.items() if key != RUN_LABEL}
        last = points[-1] if points else None
        is_same = last and run and run not in runs and rest == like
        if is_same and last and last.at and time and time - last.at <= SESSION:
            last.profiles[each.profile_id] = each.name
            runs.add(run or "")
        else:
            points.append(PointKey(_unique(points, time), time, {each.profile_id: each.name}))
            runs, like = {run} if run else set(), rest
    return tuple(points)


def _unique(points: Sequence[PointKey], time: datetime | None) -> str:
    """The time as the value of a point; a number tells points of one second apart."""
    value = f"{time:%Y-%m-%dT%H:%M:%S}"
    same = sum(each.value.partition(" ")[0] == value for each in points)
    return f"{value} {same + 1}" if same else value


def _commits(
    profiles: Sequence[Profile], commits: CommitOrder | None
) -> tuple[dict[str, tuple[int, datetime | None]], str, list[str]]:
    names = sorted({each.labels[COMMIT] for each in profiles})
    if commits is not None:
        places = dict(commits(names))
        in_history = [each for each in profiles if each.labels[COMMIT] in places]
        notes = _left_out(profiles, in_history, "whose commit the repository does not have")
        return {name: (place, time) for name, (place, time) in places.items()}, "history", notes
    times = _commit_times(profiles)
    if lacking := [name for name in names if name not in times]:
        raise PerfduckError.at(
            where="--over commit",
            expected=f"label {COMMIT_TIME} of every commit, or --repo DIR",
            got=f"none for {listed(lacking, _SHOWN)} (perfduck edit {COMMIT}={lacking[0]} --label"
            f" {COMMIT_TIME}=2026-11-27T08:00:00Z)",
        )
    in_order = sorted(names, key=lambda name: (times[name], name))
    notes = _ties(times)
    return (
        {name: (place, times[name]) for place, name in enumerate(in_order)},
        f"label {COMMIT_TIME}",
        notes,
    )


def _ties(times: Mapping[str, datetime]) -> list[str]:
    same: dict[datetime, list[str]] = defaultdict(list)
    for name, time in times.items():
        same[time].append(name)
    return [
        f"commits of one {COMMIT_TIME} are in the order of their names: {listed(sorted(names))}"
        for names in same.values()
        if len(names) > 1
    ]


def _commit_times(profiles: Sequence[Profile]) -> dict[str, datetime]:
    times: dict[str, tuple[datetime, str]] = {}
    for each in profiles:
        text = each.labels.get(COMMIT_TIME)
        if text is None:
            continue
        time = _time(text, each.name)
        before, name = times.setdefault(each.labels[COMMIT], (time, each.name))
        if before != time:
            raise PerfduckError.at(
                each.name,
                expected=f"{COMMIT_TIME} of commit {each.labels[COMMIT]} as {name} has it",
                got=text,
            )
    return {commit: time for commit, (time, _) in times.items()}


def _time(text: str, name: str) -> datetime:
    """ISO 8601, in UTC without an offset, or seconds since 1970: `git log --format=%ct`."""
    try:
        if re.fullmatch(r"[0-9]{9,11}", text):
            return datetime.fromtimestamp(int(text), UTC).replace(tzinfo=None)
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time
    except (ValueError, OverflowError) as error:
        raise PerfduckError.at(
            where=f"{name}: label {COMMIT_TIME}",
            expected="2026-11-27T08:00:00Z or seconds since 1970",
            got=text or "nothing",
        ) from error


def _natural(value: str) -> list[tuple[int, int, str]]:
    """Numbers within a text by size; a leading `-` of a whole number is its sign."""
    if re.fullmatch(r"-?[0-9]{1,18}", value):
        return [(0, int(value), "")]
    parts = re.findall(r"[0-9]{1,18}|[^0-9]+|[0-9]+", value)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


def _divided(profiles: Sequence[Profile], over: str) -> list[tuple[dict[str, str], list[Profile]]]:
    keys = _dividing(profiles, over)
    groups: dict[tuple[str, ...], list[Profile]] = defaultdict(list)
    for each in profiles:
        groups[tuple(each.labels.get(key, "") for key in keys)].append(each)
    several = [place for place in range(len(keys)) if len({values[place] for values in groups}) > 1]
    return [
        ({keys[place]: values[place] for place in several}, group)
        for values, group in sorted(groups.items(), key=lambda group: group[0])
    ]


def _dividing(profiles: Sequence[Profile], over: str) -> list[str]:
    keys = sorted({key for each in profiles for key in each.labels} - {over, *_OF_THE_POINT})
    return [
        key for key in keys if key in DIVIDING or (over != TIME and _divides(key, profiles, over))
    ]


def _divides(key: str, profiles: Sequence[Profile], over: str) -> bool:
    """Whether a point has several values of the label, and a value several points."""
    points: dict[str, set[str]] = defaultdict(set)
    values: dict[str, set[str]] = defaultdict(set)
    for each in profiles:
        value = each.labels.get(key, "")
        points[each.labels[over]].add(value)
        values[value].add(each.labels[over])
    has_several = any(len(some) > 1 for some in points.values())
    return has_several and all(len(some) > 1 for some in values.values())

"""Which profiles and samples an answer is about, as typed: --where --event --comm --not-comm --pid
--cpu --dso --subsystem --cgroup --netns --not-netns --pod --not-pod --skip --until. One set for all
questions. Light: the help needs it.

Which values a filter means is looked up among those that there are. What cannot apply is an error
that names the option and what there is:

    no sample with --comm iperf: there are iperf3 (62 %), swapper (21 %), ksoftirqd/0 (9 %)
    no sample with --cpu 2-3: there are 0-1
    no sample with --comm swapper: swapper has only idle time, which is left out: there are iperf3
    native.2: expected samples with a cpu for --cpu 0, its recording has none
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePath

from perfduck_diff import pods
from perfduck_model.errors import PerfduckError
from perfduck_model.words import did_you_mean, listed, number_ranges
from perfduck_store.choice import KEYS, Key
from perfduck_store.picked_samples import PickedSamples
from perfduck_store.records import KeyValue, Weight

OF_SAMPLES = (
    "comm", "not_comm", "pid", "cpu", "dso", "subsystem", "cgroup", "netns", "not_netns", "pod",
    "not_pod",
)  # fmt: skip
_SHOWN = 4  # values that an error names


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which profiles and which of their samples count.

    `where` are selectors that all hold; of every other option any value may hold. Texts are globs,
    times are seconds from a profile's first sample.
    """

    where: tuple[str, ...] = ()
    event: tuple[str, ...] = ()
    comm: tuple[str, ...] = ()
    not_comm: tuple[str, ...] = ()
    pid: tuple[int, ...] = ()
    cpu: tuple[int, ...] = ()
    dso: tuple[str, ...] = ()
    subsystem: tuple[str, ...] = ()
    cgroup: tuple[str, ...] = ()
    netns: tuple[str, ...] = ()
    not_netns: tuple[str, ...] = ()
    pod: tuple[str, ...] = ()
    not_pod: tuple[str, ...] = ()
    from_s: float | None = None
    to_s: float | None = None

    @property
    def has_times(self) -> bool:
        """Whether only a part of each run's time counts."""
        return self.from_s is not None or self.to_s is not None

    def kept(self, duration_s: float | None) -> float:
        """The part of a run's time that is looked at."""
        if not duration_s:
            return 1.0
        end = min(self.to_s if self.to_s is not None else duration_s, duration_s)
        return max(end - (self.from_s or 0.0), 0.0) / duration_s

    def words(self, *names: str) -> str:
        """The options that choose samples (of these names), as they may be typed again."""
        return " ".join(
            [
                f"--{name.replace('_', '-')} {value}"
                for name in names or OF_SAMPLES
                for value in getattr(self, name)
            ]
            + ([] if names else self._times())
        )

    def typed(self) -> tuple[str, ...]:
        """The options but --where, in words of a command line."""
        names = ("event", *OF_SAMPLES)
        pairs = [(name, str(value)) for name in names for value in getattr(self, name)]
        times = [word for option in self._times() for word in option.split()]
        return (*(w for n, v in pairs for w in (f"--{n.replace('_', '-')}", v)), *times)

    def _times(self) -> list[str]:
        ends = {"--skip": self.from_s, "--until": self.to_s}
        return [f"{option} {seconds:g}s" for option, seconds in ends.items() if seconds is not None]


class FilterValues:
    """The values of what is picked, of the keys that the filters choose by. `with_idle`: whether
    the answer has idle in it; where not, what has only idle is known, and no sample of it is."""

    def __init__(
        self,
        samples: PickedSamples,
        filters: Filters,
        groups: Sequence[Mapping[int, str]],
        *,
        with_idle: bool,
    ) -> None:
        self.filters, self._groups, self._with_idle = filters, groups, with_idle
        self._names = [name for group in groups for name in group.values()]
        keys = [key for key in KEYS if filters.words(*_OPTIONS[key])]
        self._known = {key: samples.values(key) for key in keys}

    def meant(self) -> dict[Key, list[str]]:
        """Per key the values to look for. Raises where a filter means none, or cannot apply."""
        for key in self._known:
            self._check_recorded(key)
            if key == "cpu":
                self._check_cpus()
                continue
            for option in _OPTIONS[key]:
                for pattern in self._typed(option):
                    self._check_known(key, option, pattern)
        return {key: self._meant(key) for key in self._known}

    def why_empty(self, group: int) -> tuple[Key | None, str]:
        """The first filter that alone leaves nothing of a group, and that in words."""
        runs = self._runs(group)
        for key, values in self._known.items():
            meant = set(self._meant(key))
            if not any(each.run in runs and each.value in meant for each in self._counted(values)):
                return key, self._nothing(self.filters.words(*_OPTIONS[key]), key, runs)
        left_out = "" if self._with_idle else ", idle left out"
        return None, f"no sample with {self.filters.words()} together{left_out}"

    def is_empty(self, weights: Iterable[Weight]) -> bool:
        """Whether an answer has nothing of these runs."""
        return not sum(each.busy + each.idle * self._with_idle for each in weights)

    def left_out(self) -> Iterator[str]:
        """What the filters name and the answer cannot have, as it has only idle time."""
        for key in self._known:
            typed = [text for option in _OPTIONS[key] for text in self._typed(option)]
            if text := self._only_idle(key, typed, range(len(self._names))):
                yield text

    def _only_idle(self, key: Key, typed: Sequence[str], runs: range) -> str:
        """Of what is typed, in words, that which means values of idle alone."""
        is_idle: dict[str, bool] = {}
        for each in self._known[key]:
            if each.value is not None and each.run in runs:
                is_idle[each.value] = is_idle.get(each.value, True) and each.is_idle
        idle: dict[str, None] = {}
        for pattern in typed:
            meant = [value for value in is_idle if _MEANS[key](value, pattern)]
            if all(is_idle[value] for value in meant):
                idle |= dict.fromkeys(meant)
        if not idle or self._with_idle:
            return ""
        has = "has" if len(idle) == 1 else "have"
        return f"{_shown(key, list(idle))} {has} only idle time, which is left out"

    def _counted(self, values: Iterable[KeyValue]) -> list[KeyValue]:
        """Those that the answer may have."""
        return [each for each in values if self._with_idle or not each.is_idle]

    def _typed(self, option: str) -> list[str]:
        return [str(value) for value in getattr(self.filters, option)]

    def _meant(self, key: Key) -> list[str]:
        typed = self._typed(key)
        unwanted = [text for option in _OPTIONS[key][1:] for text in self._typed(option)]
        return [
            value
            for value in dict.fromkeys(each.value for each in self._known[key])
            if value is not None
            and (not typed or _means_any(key, typed, value))
            and not _means_any(key, unwanted, value)
        ]

    def _check_recorded(self, key: Key) -> None:
        """A recording that does not say what is asked for cannot be filtered by it."""
        values = self._counted(self._known[key])
        runs_with_value = {each.run for each in values if each.value is not None}
        silent = {each.run for each in values if each.value is None} - runs_with_value
        if silent:
            message = (
                f"{self._names[min(silent)]}: expected samples with a {key} for"
                f" {self.filters.words(*_OPTIONS[key])}, its recording has none"
            )
            raise PerfduckError(message)

    def _check_known(self, key: Key, option: str, pattern: str) -> None:
        values = [each.value for each in self._known[key] if each.value is not None]
        if not any(_MEANS[key](value, pattern) for value in values):
            filter_text = f"--{option.replace('_', '-')} {pattern}"
            runs = range(len(self._names))
            raise PerfduckError(self._nothing(filter_text, key, runs, pattern))

    def _check_cpus(self) -> None:
        """Of a range that goes beyond the CPUs there are, the error names all that are not."""
        cpus = {int(each.value) for each in self._known["cpu"] if each.value is not None}
        if missing := set(self.filters.cpu) - cpus:
            there = number_ranges(cpus) or "none"
            message = f"no sample with --cpu {number_ranges(missing)}: there are {there}"
            raise PerfduckError(message)

    def _runs(self, group: int) -> range:
        before = sum(len(each) for each in self._groups[:group])
        return range(before, before + len(self._groups[group]))

    def _nothing(self, asked: str, key: Key, runs: range, typed: str = "") -> str:
        weight: dict[str, float] = {}
        for each in self._counted(self._known[key]):
            if each.value is not None and each.run in runs:
                weight[each.value] = weight.get(each.value, 0.0) + each.weight
        whole = sum(weight.values()) or 1.0
        heaviest = sorted(weight, key=lambda value: (-weight[value], value))
        known = [pods.short(value) for value in heaviest] if "/" not in typed else heaviest
        hint = "" if key == "pid" else did_you_mean(typed, known if key == "pod" else heaviest)
        parts = [f"{value} ({100 * weight[value] / whole:.1f} %)" for value in heaviest]
        there = listed(parts, _SHOWN) or ("none" if self._with_idle else "none but those of idle")
        idle = self._only_idle(key, [typed] if typed else self._typed(key), runs)
        return f"no sample with {asked}: {idle and f'{idle}: '}{hint}there are {there}"


def _shown(key: Key, values: Sequence[str]) -> str:
    if key in ("pid", "cpu"):
        return f"{key} {number_ranges(int(value) for value in values)}"
    return listed(values, _SHOWN)


def _means_any(key: Key, patterns: Iterable[str], value: str) -> bool:
    return any(_MEANS[key](value, pattern) for pattern in patterns)


def _is_like(value: str, pattern: str) -> bool:
    return value == pattern or fnmatchcase(value, pattern)


def _is_pod(value: str, pattern: str) -> bool:
    names = (value, pods.without_uid(value), pods.short(value), value.strip("[]"))
    return any(_is_like(name, pattern) for name in names)


def _is_binary(value: str, pattern: str) -> bool:
    return value == pattern or value.strip("[]") == pattern or PurePath(value).match(pattern)


_OPTIONS: Mapping[Key, tuple[str, ...]] = {key: (key,) for key in KEYS} | {
    "comm": ("comm", "not_comm"),
    "netns": ("netns", "not_netns"),
    "pod": ("pod", "not_pod"),
}
_MEANS: Mapping[Key, Callable[[str, str], bool]] = {
    "comm": _is_like,
    "pid": str.__eq__,
    "cpu": str.__eq__,
    "cgroup": _is_like,
    "netns": _is_like,
    "pod": _is_pod,
    "dso": _is_binary,
    "subsystem": _is_like,
}

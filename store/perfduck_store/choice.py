"""What a store is asked for: which samples, ranked by what, and how much a statement may take."""

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct, field

Key = Literal["comm", "pid", "cpu", "dso", "subsystem", "cgroup", "netns", "pod"]
OF_SAMPLES: tuple[Key, ...] = ("pid", "cpu")  # the rollup does not know them
OF_STACKS: tuple[Key, ...] = ("dso", "subsystem")
# What `rank` ranks by: each has a query.
By = Literal[
    "function", "path", "subsystem", "class", "direction", "program", "source", "dso", "comm",
    "cgroup", "netns", "pod",
]  # fmt: skip
# Columns of samples that an answer is about; the others are merged.
Kept = Literal["comm", "cgroup", "netns"]
KEPT: tuple[Kept, ...] = ("comm", "cgroup", "netns")
KEYS: tuple[Key, ...] = ("comm", "cgroup", "netns", *OF_SAMPLES, *OF_STACKS, "pod")

# Rows of a ranking by pod that are none: what runs in a softirq or an interrupt is there because of
# packets and timers, regardless of whose time it takes.
SOFTIRQ, HARDIRQ = "[softirq]", "[hardirq]"


class PodOfCgroup(Struct, frozen=True):
    """Whose a control group is: a pod, a container without pod or a slice of the host; `container`
    of the pod, where its name is known."""

    cgroup: str
    pod: str
    container: str | None = None


class Choice(Struct, frozen=True, kw_only=True):
    """Samples of `events[i]` of profile `profiles[i]`, with these values, at these times.

    `spans`: from and to in ns of each profile's clock, None where open. `keep`: columns that
    the answer is about. `pods`: whose each control group is, where the answer or a filter is about
    pods; None otherwise. `is_exact`: weights beyond 2^53 are not rounded.
    """

    profiles: Sequence[int]
    events: Sequence[tuple[str, ...]]
    values: Mapping[Key, Sequence[str]] = field(default_factory=dict)
    spans: Sequence[tuple[int | None, int | None]] | None = None
    keep: Sequence[Kept] = ()
    pods: Sequence[PodOfCgroup] | None = None
    is_exact: bool = False

    def __post_init__(self) -> None:
        if not len(self.profiles) == len(self.events) == len(self.spans or self.profiles):
            message = "expected events and a span of each profile"
            raise ValueError(message)

    @property
    def of_samples(self) -> bool:
        """Whether the rollup cannot answer."""
        has_sample_keys = any(key in self.values for key in OF_SAMPLES)
        return has_sample_keys or self.spans is not None or self.is_exact

    @property
    def pairs(self) -> list[str] | None:
        """Each profile and event, where not all profiles have the same; else None."""
        if len(set(self.events)) == 1:
            return None
        both = zip(self.profiles, self.events, strict=True)
        return [f"{profile} {event}" for profile, events in both for event in events]


class SqlLimits(Struct, frozen=True):
    """What a statement may take."""

    seconds: float = 20.0  # less than writers wait for the store
    rows: int = 1_000_000
    memory_mb: int = 1024
    spilled_mb: int = 4096  # beside the store, in STORE.tmp

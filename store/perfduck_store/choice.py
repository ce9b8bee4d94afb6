"""Which samples an answer is about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Key = Literal["comm", "pid", "cpu", "dso", "subsystem", "cgroup"]
OF_SAMPLES: tuple[Key, ...] = ("pid", "cpu", "cgroup")  # the rollup does not know them
OF_STACKS: tuple[Key, ...] = ("dso", "subsystem")
# What `rank` ranks by: each has a query.
By = Literal["function", "path", "subsystem", "class", "source", "dso", "comm", "cgroup"]
KEYS: tuple[Key, ...] = ("comm", *OF_SAMPLES, *OF_STACKS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Samples of `events[i]` of profile `profiles[i]`, with these values, at these times.

    `spans`: from and to in ns of each profile's clock, None where open. `keep`: a column that only
    samples have and that the answer is about. `is_exact`: weights beyond 2^53 are not rounded.
    """

    profiles: Sequence[int]
    events: Sequence[tuple[str, ...]]
    values: Mapping[Key, Sequence[str]] = field(default_factory=dict)
    spans: Sequence[tuple[int | None, int | None]] | None = None
    keep: Literal["", "comm", "cgroup"] = ""
    is_exact: bool = False

    def __post_init__(self) -> None:
        if not len(self.profiles) == len(self.events) == len(self.spans or self.profiles):
            message = "expected events and a span of each profile"
            raise ValueError(message)

    @property
    def of_samples(self) -> bool:
        """Whether the rollup cannot answer."""
        asked = any(key in self.values for key in OF_SAMPLES)
        return asked or self.spans is not None or self.keep == "cgroup" or self.is_exact

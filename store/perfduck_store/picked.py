"""What an answer is about: samples of some profiles, in the temporary view `picked`.

Every query of an answer reads `picked`, so that its rows, totals and footers are about the same
samples. Columns: run (the place of the profile), event, stack_id, comm, cgroup, weight, hits; rows
may repeat. One choice of samples at a time: another one replaces it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from perfduck_store.store import Store, named

Key = Literal["comm", "pid", "cpu", "dso", "subsystem", "cgroup"]
OF_SAMPLES: tuple[Key, ...] = ("pid", "cpu", "cgroup")  # the rollup does not know them
OF_STACKS: tuple[Key, ...] = ("dso", "subsystem")
KEYS: tuple[Key, ...] = ("comm", *OF_SAMPLES, *OF_STACKS)
_EMPTY = "from sampled limit 0"


@dataclass(frozen=True, slots=True)
class Weight:
    """Of a run: the weight without idle, that of idle, and the samples without idle."""

    busy: float = 0.0
    idle: float = 0.0
    samples: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Samples of `events[i]` of profile `profiles[i]`, with these values, at these times.

    `spans`: from and to in ns of each profile's clock, None where open. `keep`: a column that only
    samples have and that the answer is about.
    """

    profiles: Sequence[int]
    events: Sequence[tuple[str, ...]]
    values: Mapping[Key, Sequence[str]] = field(default_factory=dict)
    spans: Sequence[tuple[int | None, int | None]] | None = None
    keep: Literal["", "comm", "cgroup"] = ""

    @property
    def of_samples(self) -> bool:
        """Whether the rollup cannot answer."""
        asked = any(key in self.values for key in OF_SAMPLES)
        return asked or self.spans is not None or self.keep == "cgroup"


def pick(store: Store, choice: Choice) -> None:
    """Make `picked` the samples of the choice."""
    _set(store, choice)
    store.execute(named("shown_name"))
    store.execute(named("pick_rollup"))
    if choice.of_samples:
        _pick_samples(store, choice)
    if any(key in choice.values for key in OF_STACKS):
        store.execute(named("pick_stacks"))
        store.execute(named("picked_of_stacks"))
    else:
        store.execute("create or replace temp view picked as from sampled")


def _set(store: Store, choice: Choice) -> None:
    """The variables that the views read."""
    named_events = sorted({event for events in choice.events for event in events})
    alike = len(set(choice.events)) == 1
    pairs = None if alike else [
        f"{profile} {event}"
        for profile, events in zip(choice.profiles, choice.events, strict=True)
        for event in events
    ]  # fmt: skip
    store.execute("set variable profiles = $p::bigint[]", {"p": list(choice.profiles)})
    for name, values in {"events": named_events, "pairs": pairs}.items():
        store.execute(f"set variable {name} = $v::varchar[]", {"v": values})
    for key in KEYS:
        wanted = list(choice.values[key]) if key in choice.values else None
        store.execute(f"set variable {key} = $v::varchar[]", {"v": wanted})


def _pick_samples(store: Store, choice: Choice) -> None:
    store.execute(f"create or replace temp table picked_sample as {_EMPTY}")
    for run, (profile, events) in enumerate(zip(choice.profiles, choice.events, strict=True)):
        begin, end = choice.spans[run] if choice.spans else (None, None)
        keys = {"run": run, "profile": profile, "events": list(events), "keep": choice.keep}
        store.execute(named("pick_samples"), keys | {"from_ns": begin, "to_ns": end})
    store.execute("create or replace temp view sampled as from picked_sample")


def values(store: Store, key: Key) -> list[tuple[str | None, int, float]]:
    """What there is of a key: (value, run, weight without idle), heaviest first."""
    query = "picked_sample_values" if key in OF_SAMPLES else "picked_values"
    return store.rows(named(query), {"key": key})


def weights(store: Store) -> dict[int, Weight]:
    """What is picked of each run that has any picked sample."""
    return {run: Weight(*row) for run, *row in store.rows(named("picked_weights"))}

"""From what was typed to the samples of an answer: profiles, event, filters, in one place."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from msgspec import structs

from perfduck_diff.events import Clock, choose
from perfduck_diff.filters import Filters, FilterValues
from perfduck_diff.pods import pods_of
from perfduck_model.errors import PerfduckError
from perfduck_store.choice import OF_STACKS, Choice, Kept, Key, PodOfCgroup
from perfduck_store.picked_samples import PickedSamples
from perfduck_store.protocol import Store
from perfduck_store.records import Weight

Group = Mapping[int, str]  # profile id -> name
# When samples know their pods: where a filter asks, where control groups were recorded, or always.
WithPods = Literal["asked", "recorded", "always"]


@dataclass(frozen=True, slots=True)
class Note:
    """What is merged, left out, narrowed or lacking, in words. `blocks`: a comparison is worth
    less."""

    code: Literal["calls", "counted", "event", "filter", "format", "lacking", "unnamed", "work"]
    text: str
    blocks: bool = False


@dataclass(frozen=True, slots=True)
class Selection:
    """Of the profiles of each group the samples that pass the filters. The weights, per profile,
    are in `unit`. `other_pmus`: as in Clock. `is_part`: samples of these profiles are left out, by
    filters or as other events. `has_pods`: the samples know their pods, `has_netns`: some their
    network namespaces (where that is kept)."""

    groups: tuple[Group, ...]
    event: str
    unit: str
    notes: tuple[Note, ...]
    weights: Mapping[int, Weight]
    samples: PickedSamples
    other_pmus: tuple[str, ...] = ()
    is_part: bool = False
    has_pods: bool = False
    has_netns: bool = False

    @property
    def profiles(self) -> dict[int, str]:
        """The profiles of all groups, in their order: run i of `samples` is the i-th."""
        return {key: name for group in self.groups for key, name in group.items()}

    @property
    def busy(self) -> float:
        """All weight without idle."""
        return sum(weight.busy for weight in self.weights.values())

    @property
    def idle(self) -> float:
        """The weight of idle."""
        return sum(weight.idle for weight in self.weights.values())


class NothingSelectedError(PerfduckError):
    """Filters leave no sample of any group."""


def select_samples(
    store: Store,
    groups: Mapping[str, Group],
    filters: Filters,
    keep: Sequence[Kept] = (),
    pods: WithPods = "asked",
    *,
    with_idle: bool = False,
) -> Selection:
    """The samples of these groups (title -> profiles) that pass the filters; `keep` as in Choice,
    `with_idle`: whether the answer has idle in it."""
    profiles = {key: name for group in groups.values() for key, name in group.items()}
    clock = _clock(store, profiles, filters)
    groups_with_event = {title: _with_event(title, group, clock) for title, group in groups.items()}
    ids = [key for group in groups_with_event.values() for key in group]
    spans = _spans(store, ids, profiles, filters)
    events = [clock.of[key] for key in ids]
    whole = Choice(profiles=ids, events=events, keep=keep)
    whole = structs.replace(whole, pods=_pods(store, whole, filters, pods))
    samples = store.samples(whole)
    there = FilterValues(samples, filters, list(groups_with_event.values()), with_idle=with_idle)
    condition = there.meant()
    if condition or spans:
        samples = store.samples(structs.replace(whole, values=condition, spans=spans))
    weights = samples.weights()
    selection = Selection(
        tuple(groups_with_event.values()),
        clock.name,
        clock.unit,
        (
            *_notes(clock, filters),
            *(Note("filter", text) for text in there.left_out()),
            *_of_tids(store, ids, filters),
            *_beside_pods(samples, filters, sum(each.busy for each in weights.values())),
        ),
        {key: weights.get(run, Weight()) for run, key in enumerate(ids)},
        samples,
        clock.other_pmus,
        is_part=bool(filters.words() or clock.others or clock.other_pmus),
        has_pods=whole.pods is not None,
        has_netns="netns" in keep and _is_recorded(samples, "netns"),
    )
    return _checked(selection, list(groups), there)


def _pods(
    store: Store, choice: Choice, filters: Filters, pods: WithPods
) -> list[PodOfCgroup] | None:
    """Whose the recorded control groups are; None where nobody asks."""
    is_asked = pods == "always" or bool(filters.pod or filters.not_pod)
    if not is_asked and pods == "asked":
        return None
    groups = store.samples(choice).values("cgroup")
    if not is_asked and all(each.value is None for each in groups):
        return None
    return pods_of(groups, store.attachments.pods(choice.profiles))


def _is_recorded(samples: PickedSamples, key: Key) -> bool:
    return any(each.value is not None for each in samples.values(key))


def _beside_pods(samples: PickedSamples, filters: Filters, busy: float) -> Iterator[Note]:
    """What an answer about pods leaves out though it took their CPU time."""
    if not filters.pod or not (left_out := samples.beside_pods()):
        return
    share = 100 * left_out / (busy + left_out)
    text = (
        f"{share:.1f} % of what ran on the CPU time of {filters.words('pod')} is left out:"
        " softirqs and interrupts, which are not blamed on whom they interrupt (--by pod has"
        " rows of them)"
    )
    yield Note("filter", text)


def check_apart(groups: Iterable[Group]) -> None:
    """PerfduckError where a profile is in two groups."""
    seen: dict[int, str] = {}
    for group in groups:
        both = sorted(group[key] for key in group if key in seen)
        if both:
            message = f"expected different profiles in base and new, got {both[0]} in both"
            raise PerfduckError(message)
        seen |= group


def _clock(store: Store, profiles: Group, filters: Filters) -> Clock:
    return choose(store.profiles.events(profiles), profiles, filters.event)


def _with_event(title: str, group: Group, clock: Clock) -> Group:
    runs = {key: name for key, name in group.items() if key in clock.of}
    if not runs:
        message = f"{_of(title)}expected a profile with event {clock.name}: {clock.missing[0]}"
        raise PerfduckError(message)
    return runs


def _notes(clock: Clock, filters: Filters) -> tuple[Note, ...]:
    words = filters.words()
    return (
        *(Note("event", text, blocks=True) for text in clock.missing),
        *(Note("event", text) for text in clock.notes),
        *([Note("filter", f"only samples chosen by {words}")] if words else []),
    )


def _of_tids(store: Store, ids: Sequence[int], filters: Filters) -> Iterator[Note]:
    """That --pid is held against tids, where perf script printed one number."""
    layouts = [each.layout or "" for each in store.profiles.of(ids) if filters.pid]
    if count := sum("tid" in layout.replace(",", "").split() for layout in layouts):
        text = (
            f"--pid chooses by the one number that perf script printed of a thread in {count} of"
            f" {len(ids)} {'profile' if len(ids) == 1 else 'profiles'}: its tid, so that other"
            " threads of a process are left out (-F +pid prints both)"
        )
        yield Note("filter", text)


def _spans(
    store: Store, ids: Sequence[int], names: Group, filters: Filters
) -> list[tuple[int | None, int | None]] | None:
    """The times to look at on each recording's clock, in ns."""
    if not filters.has_times:
        return None
    begun = store.profiles.first_ns(ids)
    lasted = {each.profile_id: each.duration_s for each in store.profiles.of(ids)}
    spans = []
    for key in ids:
        first = begun.get(key)
        if first is None:
            message = (
                f"{names[key]}: expected samples with a time for {filters.words()},"
                " its recording has none"
            )
            raise PerfduckError(message)
        if not filters.kept(lasted[key]):
            message = (
                f"{names[key]}: {filters.words()} leaves nothing of the {lasted[key]:.3g} s that it"
                " lasted"
            )
            raise PerfduckError(message)
        spans.append((_at(first, filters.from_s), _at(first, filters.to_s)))
    return spans


def _at(first_ns: int, seconds: float | None) -> int | None:
    return None if seconds is None else first_ns + round(seconds * 1e9)


def _checked(selection: Selection, titles: Sequence[str], there: FilterValues) -> Selection:
    """The selection, unless a filter leaves nothing of a group.

    What code was not run costs nothing: where only --subsystem or --dso leave a group without
    samples, and another has some, that is the answer.
    """
    if not there.filters.words():
        return selection
    empty = [
        number
        for number, group in enumerate(selection.groups)
        if there.is_empty(selection.weights[key] for key in group)
    ]
    notes = []
    for number in empty:
        key, why = there.why_empty(number)
        if len(empty) == len(titles):
            raise NothingSelectedError(_of(titles[number]) + why)
        if key not in OF_STACKS:
            raise PerfduckError(_of(titles[number]) + why)
        filter_texts = there.filters.words()
        notes.append(
            Note("filter", f"{_of(titles[number])}no sample with {filter_texts}: its cost is 0")
        )
    return replace(selection, notes=(*selection.notes, *notes))


def _of(title: str) -> str:
    return f"{title}: " if title else ""

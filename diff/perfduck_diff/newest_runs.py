"""A baseline that is chosen: of the runs that a selector means the newest that are like NEW."""

from collections import Counter

from perfduck_diff.engine.result import Reason
from perfduck_diff.selection import Group
from perfduck_diff.trend_points import DIVIDING
from perfduck_model.errors import PerfduckError
from perfduck_model.words import listed
from perfduck_store.protocol import Store
from perfduck_store.records import Profile

_SHOWN = 5
Kind = tuple[str | None, ...]


def newest_runs(
    store: Store, pool: Group, new: Group, last: int, *, any_kernel: bool = False
) -> tuple[dict[int, str], Reason]:
    """The newest `last` runs of the pool, for each scenario and workload that `new` has, which are
    not in `new` and have its unit of work and, unless `any_kernel`, its kernel release; and which
    they are, in words.
    PerfduckError where there is none."""
    kinds = {_kind(each, any_kernel=any_kernel) for each in store.profiles.of(new)}
    others = [each for each in store.profiles.of(pool) if each.profile_id not in new]
    like = [each for each in others if _kind(each, any_kernel=any_kernel) in kinds]
    if not like:
        raise PerfduckError.at(
            where="--base-from",
            expected=f"a run like those of new ({_words(kinds)})",
            got=_words({_kind(each, any_kernel=any_kernel) for each in others}) or "none but new",
        )
    newest = _newest(store, like, last, any_kernel=any_kernel)
    by_name = sorted(newest, key=lambda each: each.name)
    reason = Reason(code="base", text=_said(newest, like, others), blocks=False)
    return {each.profile_id: each.name for each in by_name}, reason


def _kind(profile: Profile, *, any_kernel: bool) -> Kind:
    labels = [profile.labels.get(key) for key in DIVIDING]
    return (*labels, profile.work_unit, None if any_kernel else profile.kernel_release)


def _words(kinds: set[Kind]) -> str:
    names = (*DIVIDING, "unit", "kernel")
    parts = [
        " ".join(f"{name} {value}" for name, value in zip(names, kind, strict=True) if value)
        for kind in kinds
    ]
    return listed(sorted(each or "no labels" for each in parts), _SHOWN)


def _newest(store: Store, like: list[Profile], last: int, *, any_kernel: bool) -> list[Profile]:
    """By when they were recorded, else stored; what says neither is the oldest."""
    since = {
        each.profile_id: f"{each.age_from or ''}"
        for each in store.profiles.contents([each.profile_id for each in like])
    }
    counts: Counter[Kind] = Counter()
    newest = []
    for each in sorted(like, key=lambda one: (since[one.profile_id], one.name), reverse=True):
        kind = _kind(each, any_kernel=any_kernel)
        if counts[kind] < last:
            counts[kind] += 1
            newest.append(each)
    return newest


def _said(chosen: list[Profile], like: list[Profile], others: list[Profile]) -> str:
    names = listed([each.name for each in chosen], _SHOWN)
    rest = len(others) - len(like)
    unlike = f"; {rest} of another scenario, workload, unit or kernel" if rest else ""
    return f"base is the newest {len(chosen)} of {len(like)} runs like new: {names}{unlike}"

"""The filters that top, calls, diff, compare, export and suggest_budget share, as keywords."""

from collections.abc import Sequence
from typing import Any, TypedDict

from perfduck.options import refuse_others
from perfduck.typed import cpus, seconds
from perfduck_diff.filters import Filters
from perfduck_model.errors import PerfduckError


class FilterOptions(TypedDict, total=False):
    """Which profiles and which of their samples count. A list adds to the choice, but all of
    `where` must hold. Texts are globs."""

    where: str | Sequence[str] | None  # only profiles that this selector means too
    event: str | Sequence[str] | None  # default: the event that most profiles have
    comm: str | Sequence[str] | None  # only these programs
    not_comm: str | Sequence[str] | None
    pid: int | Sequence[int] | None
    cpu: str | int | Sequence[str | int] | None  # 0, "0-3", "0,2"
    dso: str | Sequence[str] | None  # of the leaf
    subsystem: str | Sequence[str] | None  # that is blamed
    cgroup: str | Sequence[str] | None
    skip: str | float | None  # the start of every run, in seconds or as "500ms"
    until: str | float | None


_TEXTS = ("where", "event", "comm", "not_comm", "dso", "subsystem", "cgroup")


def filters_of(options: FilterOptions) -> Filters:
    """The filters. PerfduckError for a value that is none, TypeError for another keyword."""
    refuse_others(options, FilterOptions)
    given: dict[str, Any] = dict(options)
    filters = Filters(
        **{name: _texts(name, given.get(name)) for name in _TEXTS},
        pid=_several(given.get("pid")),
        cpu=tuple(cpu for value in _several(given.get("cpu")) for cpu in cpus("--cpu", value)),
        from_s=seconds("--skip", given.get("skip")),
        to_s=seconds("--until", given.get("until")),
    )
    if filters.to_s is not None and filters.to_s <= (filters.from_s or 0.0):
        skipped = given.get("skip") or "0s"
        message = f"--until {given['until']}: expected a time after --skip {skipped}"
        raise PerfduckError(message)
    return filters


def _several(value: Any) -> tuple[Any, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str | int) else tuple(value)


def _texts(name: str, value: str | Sequence[str] | None) -> tuple[str, ...]:
    values = _several(value)
    if not all(values):
        raise PerfduckError.at(
            where=f"--{name.replace('_', '-')}", expected="a name or a glob", got="nothing"
        )
    return values

"""Whether what a server says answers the question: rows of the profiles that were asked for, runs
of the choice, the columns of a frame. The types are those of the protocol (wire.py)."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from perfduck_store import parts
from perfduck_store.choice import Choice
from perfduck_store.records import ResultRows
from perfduck_store.remote.services import StoreMethod

_NONE = type(None)
_LISTING: dict[str, tuple[type, ...]] = {
    "name": (str,), "format": (str,), "started_at": (datetime, _NONE),
    "ingested_at": (datetime, _NONE), "duration_s": (float, int, _NONE), "samples": (int,),
    "events": (str,), "lost": (int,), "raw_samples": (int, _NONE), "skipped": (int,),
    "work": (float, int, _NONE), "work_unit": (str, _NONE), "kernel_release": (str, _NONE),
    "layout": (str, _NONE), "labels": (dict,), "id": (str,),
}  # fmt: skip


def check(
    method: StoreMethod, answer: Any, arguments: Mapping[str, Any], choice: Choice | None
) -> None:
    """Raise ValueError for an answer of the right type that is none to this question."""
    if hasattr(answer, "null_count"):
        columns = parts.frame_columns.columns_of(f"{method.service}.{method.name}", arguments)
        parts.frame_columns.check(answer, columns, len(choice.profiles) if choice else 0)
    elif isinstance(answer, ResultRows):
        _check_listing(answer)
    elif choice is not None:
        _check_runs(answer, choice)
    elif "profiles" in arguments and isinstance(answer, list | dict):
        _check_ids(answer, arguments["profiles"])


def _check_listing(rows: ResultRows) -> None:
    if rows.columns != list(_LISTING):
        message = "expected a list of profiles, got other columns"
        raise ValueError(message)
    for row in rows.values:
        if len(row) != len(_LISTING) or not all(map(isinstance, row, _LISTING.values())):
            message = f"expected a row of a list of profiles, got {str(row)[:60]}"
            raise ValueError(message)


def _check_runs(answer: Any, choice: Choice) -> None:
    runs: Iterable[int] = ()
    if isinstance(answer, dict):
        runs = [key for key in answer if isinstance(key, int)]
    elif isinstance(answer, list):
        runs = [each.run for each in answer if hasattr(each, "run")]
        ids = [each.profile_id for each in answer if hasattr(each, "profile_id")]
        _expect(set(choice.profiles), ids)
    _expect(range(len(choice.profiles)), runs)


def _check_ids(answer: list[Any] | dict[Any, Any], asked: Iterable[int]) -> None:
    if isinstance(answer, dict):
        ids = list(answer)
    else:
        columns = ("profile_id", "profile")
        ids = [getattr(each, name) for each in answer for name in columns if hasattr(each, name)]
    _expect(set(asked), ids)


def _expect(asked: Any, ids: Iterable[int]) -> None:
    for each in ids:
        if each not in asked:
            message = f"expected rows of the profiles that were asked for, got one of {each}"
            raise ValueError(message)

"""Limitations of stored profiles: see perfduck_model.limitation."""

from collections.abc import Iterable

from perfduck_model.limitation import said
from perfduck_store.protocol import Store
from perfduck_store.records import SharedLimitation


def limitations(
    store: Store, profiles: Iterable[int], *, of_whole: bool = False
) -> tuple[str, ...]:
    """Limitations of the profiles with these ids in words, those of most samples first. `of_whole`:
    say that they are of whole recordings, as where an answer is not. Missing names are left to the
    answer, which knows what it is about."""
    return tuple(
        f"{said(each.text, each.samples, each.total)} ({_profiles(each, of_whole=of_whole)})"
        for each in store.profiles.limitations(profiles)
    )


def _profiles(found: SharedLimitation, *, of_whole: bool) -> str:
    is_one = found.profiles == 1
    profiles = found.first_profile if is_one else f"{found.profiles} profiles"
    return f"{profiles}, whole recording{'' if is_one else 's'}" if of_whole else profiles

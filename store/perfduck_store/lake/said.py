"""What users say of recordings in a lake: a slot for the name, the work, the kernel release and
each label, so that two machines that change different things both have their way."""

from collections.abc import Iterator
from typing import Any

import msgspec

from perfduck_store.edit import Edit, ProfileFacts
from perfduck_store.lake.log import LakeState, Slot

_KINDS = ("name", "work", "kernel_release", "label")


def slots_of(profile_id: int, before: ProfileFacts, after: ProfileFacts) -> dict[Slot, Any]:
    """What an edit sets; None removes."""
    changed: dict[Slot, Any] = {}
    if after.name != before.name:
        changed["name", profile_id] = after.name
    if (after.work, after.work_unit) != (before.work, before.work_unit):
        changed["work", profile_id] = [after.work, after.work_unit]
    if after.kernel_release != before.kernel_release:
        changed["kernel_release", profile_id] = after.kernel_release
    for key in before.labels.keys() | after.labels.keys():
        if before.labels.get(key) != after.labels.get(key):
            changed["label", profile_id, key] = after.labels.get(key)
    return changed


def slots_of_new(profile_id: int, said: Edit) -> dict[Slot, Any]:
    """What is said of a recording that is stored: kept apart from its rows, since another machine
    may store it at the same time and say something else."""
    slots: dict[Slot, Any] = {("label", profile_id, key): said.labels[key] for key in said.labels}
    if said.name is not None:
        slots["name", profile_id] = said.name
    if said.kernel_release is not None:
        slots["kernel_release", profile_id] = said.kernel_release
    return slots


def edits_of(state: LakeState) -> dict[int, Edit]:
    """What is said of each profile beside its rows, label by label in the order of time. Raises
    msgspec.ValidationError for values of other types."""
    settings = [(slot, each) for slot, each in state.settings.items() if slot[0] in _KINDS]
    settings.sort(key=lambda each: (each[1].at, each[1].by))
    said: dict[int, dict[str, Any]] = {}
    for slot, setting in settings:
        kind, profile, *key = slot
        facts = said.setdefault(int(profile), {"labels": {}, "unlabel": []})
        for name, value in _fields(str(kind), setting.value):
            facts[name] = value
        if kind == "label":
            _add_label(facts, str(key[0]), setting.value)
    return {profile: msgspec.convert(facts, Edit) for profile, facts in said.items()}


def _fields(kind: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Fields of an Edit; None leaves what the recording says."""
    if kind == "work" and value is not None:
        yield from zip(("work", "work_unit"), value, strict=True)
    elif kind != "label":
        yield kind, value


def _add_label(facts: dict[str, Any], key: str, value: str | None) -> None:
    if value is None:
        facts["unlabel"].append(key)
    else:
        facts["labels"][key] = value

"""Which profiles a SELECTOR means.

native.udp64.1                     a name
native.*                           a glob over names
scenario=native,workload=udp64     labels, all of them; a value may be a glob
run1+run2                          the profiles of both
"""

from fnmatch import fnmatchcase

from perfduck_store.errors import PerfduckError
from perfduck_store.store import Store


def select(store: Store, selector: str) -> dict[int, str]:
    """profile_id -> name of the profiles that the selector means, by name."""
    profiles = store.rows("select profile_id, name, labels from profile order by name")
    chosen: dict[int, str] = {}
    for part in selector.split("+"):
        found = {key: name for key, name, labels in profiles if _means(part, name, labels)}
        if not found:
            raise PerfduckError(_nothing(part, profiles))
        chosen |= found
    return dict(sorted(chosen.items(), key=lambda entry: entry[1]))


def _means(part: str, name: str, labels: dict[str, str]) -> bool:
    if name == part:
        return True
    if "=" not in part:
        return fnmatchcase(name, part)
    wanted = [term.partition("=") for term in part.split(",")]
    return all(key in labels and fnmatchcase(labels[key], value) for key, _, value in wanted)


def _nothing(part: str, profiles: list[tuple[int, str, dict[str, str]]]) -> str:
    if not profiles:
        return f"{part}: expected a profile, but the store is empty"
    names = [name for _, name, _ in profiles]
    labels = sorted({f"{key}={value}" for _, _, said in profiles for key, value in said.items()})
    known = ", ".join([*names[:4], *labels[:4]])
    return f"{part}: expected a profile name, glob or label, got none that matches (has {known})"

"""Which lake is meant by lake:DIRECTORY."""

from pathlib import Path

from perfduck_model.errors import PerfduckError

SCHEME = "lake:"


def is_lake(url: object) -> bool:
    """Whether a store's address is that of a lake."""
    return str(url).startswith(SCHEME)


def directory_of(url: object) -> Path:
    """The directory of a lake. PerfduckError for an address without one."""
    place = str(url).removeprefix(SCHEME)
    if not place:
        raise PerfduckError.at(url, expected=f"{SCHEME}DIRECTORY", got="no directory")
    if "://" in place:
        kind = place.partition(":")[0]
        raise PerfduckError.at(url, expected=f"{SCHEME}DIRECTORY", got=f"a URL of {kind}")
    return Path(place)

"""The text of statements: each a whole one, or several, in a file of its own; and the version of
the tables: an older store is upgraded, a newer one refused.
"""

from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

SCHEMA_VERSION = 8


def creation() -> str:
    """The statement that makes the tables of an empty store."""
    return f"begin; {_files().joinpath('schema.sql').read_text()}; {_stamp()}; commit"


def hit_view() -> str:
    """The query of view hit."""
    text = _files().joinpath("schema.sql").read_text()
    return text.partition("create view hit as\n")[2].partition(";")[0]


def upgrade(version: int, to: int = SCHEMA_VERSION) -> str:
    """The statement that makes a store of a schema version one of a newer: all or nothing."""
    steps = [_migration(each) for each in range(version + 1, to + 1)]
    return f"begin; {' '.join(steps)} delete from meta; {_stamp(to)}; commit"


def mismatch(version: int) -> str | None:
    """Why a store of this schema version can be neither read nor upgraded; None where it can."""
    if version <= SCHEMA_VERSION:
        return None
    return (
        f"expected schema version {SCHEMA_VERSION} or older, got {version}: "
        "a newer perfduck made or upgraded this store, use that one"
    )


def _migration(version: int) -> str:
    """What changes a store of the version before."""
    return (_files() / "migrations" / f"{version:04}.sql").read_text()


def _stamp(version: int = SCHEMA_VERSION) -> str:
    return f"insert into meta by name select {version} as schema_version"


def _files() -> Traversable:
    return resources.files(__package__)


@cache
def named(query: str) -> str:
    """The text of queries/QUERY.sql."""
    return (_files() / "queries" / f"{query}.sql").read_text()

"""The text of queries: each a whole statement, or several, in a file of its own."""

from importlib import resources


def named(query: str) -> str:
    """The text of queries/QUERY.sql."""
    return (resources.files(__package__) / "queries" / f"{query}.sql").read_text()

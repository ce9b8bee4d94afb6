"""Queries that a team keeps on its server."""

import re
from pathlib import Path

from perfduck import NoProfileError, PerfduckError
from perfduck_server.spool import write_whole

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,79}")
_MOST = 1000


class SavedQueries:
    """A file for each query, in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def all(self) -> dict[str, str]:
        """name -> text, by name."""
        return {path.stem: path.read_text("utf-8") for path in self._files()}

    def keep(self, name: str, text: str) -> None:
        """Keep it, in place of the one of that name. PerfduckError for a name that is none."""
        path = self._path(name)
        if not path.exists() and len(self._files()) >= _MOST:
            raise PerfduckError.at(name, expected=f"fewer than {_MOST} queries", got="as many")
        self._folder.mkdir(mode=0o700, exist_ok=True)
        write_whole(path, text.encode())

    def remove(self, name: str) -> None:
        """Keep it no more. NoProfileError where there is none."""
        try:
            self._path(name).unlink()
        except FileNotFoundError as error:
            raise NoProfileError.at(
                name, expected="a saved query", got="none of that name"
            ) from error

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*.sql"))

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            expected = "a name of letters, digits, blanks, dots and dashes, up to 80"
            raise PerfduckError.at(name or "name", expected=expected, got="another")
        return self._folder / f"{name}.sql"

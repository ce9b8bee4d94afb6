"""Recordings as they were pushed, kept beside the store: a newer perfduck can read them again.

STORE.server/raw/ID.raw      packed as it came, or
STORE.server/raw/ID.raw.zst  packed by the server
STORE.server/raw/ID.json     {"file": "run1.txt.xz"}
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from perfduck_model.zstandard import zstd
from perfduck_server.spool import PACKED, write_whole

_PART_BYTES = 1 << 18


class RawName(msgspec.Struct, frozen=True):
    """What the pusher calls the file."""

    file: str


class RawFiles:
    """Files by profile id (16 hex digits)."""

    def __init__(self, state_folder: Path) -> None:
        """Make the folder."""
        self._folder = state_folder / "raw"
        self._folder.mkdir(mode=0o700, exist_ok=True)

    def keep(self, folder: Path, name: str, profile: str) -> None:
        """Take the body of a push, plain or packed by its worker; the first of a profile stays."""
        if self.name(profile) is not None:
            return
        for ending in ("", PACKED):
            path = self._folder / f"{profile}.raw{ending}"
            with suppress(FileNotFoundError, FileExistsError):  # a push that is done again
                path.hardlink_to(folder / f"{name}{ending}")
        write_whole(self._folder / f"{profile}.json", msgspec.json.encode(RawName(name)))

    def name(self, profile: str) -> str | None:
        """Of the file; None where none is kept."""
        try:
            content = (self._folder / f"{profile}.json").read_bytes()
        except FileNotFoundError:
            return None
        return msgspec.json.decode(content, type=RawName).file

    def parts(self, profile: str) -> Iterator[bytes]:
        """The file as it was sent, some kilobytes at a time."""
        with self._open(profile) as file:
            while part := file.read(_PART_BYTES):
                yield part

    def remove(self, profile: str) -> int:
        """Keep it no more; the bytes that it took."""
        removed = 0
        for ending in (".json", ".raw", f".raw{PACKED}"):
            path = self._folder / f"{profile}{ending}"
            if path.exists():
                removed += path.stat().st_size
                path.unlink()
        return removed

    def profiles(self) -> list[str]:
        """Ids of the profiles that have one."""
        return sorted(path.stem for path in self._folder.glob("[0-9a-f]*.json"))

    def _open(self, profile: str) -> BinaryIO:
        packed = self._folder / f"{profile}.raw{PACKED}"
        if packed.exists():
            return zstd.open(packed, "rb")  # type: ignore[return-value]  # a ZstdFile
        return (self._folder / f"{profile}.raw").open("rb")

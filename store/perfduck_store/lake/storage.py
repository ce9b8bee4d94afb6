"""What a lake needs of the place where its files are: a directory (directory.py), or a bucket of S3
(s3.py). Folders and names are those of files.py, all within the folder of the schema version."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, Self

from perfduck_model.errors import PerfduckError


class PartIsMissing(PerfduckError):
    """A part that a commit names, and that is not there."""

    where: str

    @classmethod
    def of(cls, where: str, got: object) -> Self:
        """The error of the part at this address."""
        error = cls.at(where, expected="a part of the lake", got=got)
        error.where = where
        return error


class LakeStorage(Protocol):
    """Files by folder and name; each is there as a whole or not at all. All methods raise
    PerfduckError where the place refuses or does not answer."""

    at_once: int  # how many files are best read at a time

    @property
    def local_folder(self) -> Path:
        """The folder that all paths of `local` are below."""

    def where(self, *names: str) -> str:
        """The address of a file or folder, as users know it."""

    def top(self) -> list[str]:
        """What is in the place of the lake: folders of schema versions. PerfduckError where that
        is none."""

    def names(self, folder: str) -> list[str]:
        """The names of the files in a folder, sorted; none where there is none."""

    def folders(self) -> list[str]:
        """The folders that have files."""

    def read(self, folder: str, name: str) -> bytes:
        """The content of a file. FileNotFoundError where there is none."""

    def read_named(self, folder: str, name: str) -> bytes:
        """The same, of a file that is named by its content."""

    def local(self, folder: str, name: str, size: int) -> Path:
        """A part of so many bytes, named by its content, as a file of this machine, if there is
        one. PartIsMissing for what cannot be fetched."""

    def forget(self, folder: str, name: str) -> bool:
        """A copy of a file, on this machine, is damaged; False where there are no copies."""

    def scratch(self) -> AbstractContextManager[Path]:
        """A directory for files that are being written."""

    def put(self, written: Path, folder: str, name: str) -> None:
        """Move a file of the scratch directory there, over one of this name; it is new from now
        on."""

    def create(self, written: Path, folder: str, name: str) -> bool:
        """The same, where there is no file of this name; False where there is one."""

    def written_at(self, folder: str) -> dict[str, float]:
        """When each file of a folder was written, in seconds since 1970."""

    def delete(self, folder: str, name: str, before: float) -> int:
        """Delete a file that was written before this time, and say how many bytes it had; 0 where
        it was written again since, or is not there."""

    def sweep(self, before: float) -> None:
        """Delete what processes have left that were killed before this time."""

"""What the user can fix: a rules file, a kallsyms file, an ELF file."""

from pathlib import Path


class SymbolError(Exception):
    """One line: FILE:LINE: expected ..., got ..."""

    @classmethod
    def at(cls, path: Path, line: int | None, reason: str) -> "SymbolError":
        """The error at a line of a file, or in the file as a whole."""
        where = str(path) if line is None else f"{path}:{line}"
        return cls(f"{where}: {reason}")

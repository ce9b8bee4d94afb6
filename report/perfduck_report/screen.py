"""Where a text answer is read."""

from dataclasses import dataclass

NARROWEST, WIDEST = 80, 250
PROSE = 100  # columns of sentences and call chains that are for no terminal


@dataclass(frozen=True, slots=True)
class Screen:
    """Columns of the terminal, or None for a pipe or a file, where no line of a table is broken or
    shortened: grep finds every name."""

    width: int | None = None
    colour: bool = False

    @property
    def prose(self) -> int:
        """Columns of sentences and call chains."""
        return self.width or PROSE


PIPE = Screen()


def terminal(width: int, *, colour: bool = False) -> Screen:
    """A terminal, taken as 80 to 250 columns wide."""
    return Screen(min(max(width, NARROWEST), WIDEST), colour)

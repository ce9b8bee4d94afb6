"""An amount of work, and amounts in lines of text."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from perfduck_model.limits import limits
from perfduck_model.words import counted

AN_AMOUNT = "a positive number, 1e-9 to 1e18"
_LONGEST_LINE = 512  # characters; the expressions take time by its square


@dataclass(frozen=True, slots=True)
class Work:
    """An amount, and what it is an amount of; None: of what the stored work is, else `unit`.

    `seconds` that a report covers, and the part of it that was sent and `lost` on the way; None
    where the report does not say.
    """

    amount: float
    unit: str | None
    seconds: float | None = field(default=None, compare=False)
    lost: float | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return counted(self.amount, self.unit or "unit")


class UnusableReport(ValueError):
    """A report, or several, from which no work can be taken: what it is, in words."""


class SeveralReports(UnusableReport):
    """Reports that cannot be added up."""


def of(
    amount: float | None, unit: str, seconds: float | None = None, lost: float | None = None
) -> Work | None:
    """The work; None for no amount, and for none that can be. `lost` is an amount as well."""
    if amount is None or not is_amount(amount):
        return None
    return Work(float(amount), unit, seconds, None if lost is None else lost / amount)


def is_amount(number: float) -> bool:
    """Whether so much work can be done."""
    return limits.least_work <= number <= limits.most_work


def amounts(match: Callable[[str], re.Match[str] | None], mark: str, text: str) -> Iterator[float]:
    """The amounts in the lines that match, which hold the mark."""
    return (float(hit["amount"]) for hit in matches(match, mark, text))


def matches(
    match: Callable[[str], re.Match[str] | None], mark: str, text: str
) -> Iterator[re.Match[str]]:
    """The lines that match, which hold the mark."""
    return (hit for line in lines_with(mark, text) if (hit := match(line.rstrip())))


def lines_with(mark: str, text: str) -> Iterator[str]:
    """The lines that hold the mark, but for long ones. The others, which may be millions, are
    skipped at once."""
    at = text.find(mark)
    while at >= 0:
        start = text.rfind("\n", max(at - _LONGEST_LINE, 0), at) + 1
        end = text.find("\n", at, start + _LONGEST_LINE + 1)
        end = len(text) if end < 0 else end
        if end - start <= _LONGEST_LINE:
            yield text[start:end]
            at = text.find(mark, end)
        else:
            at = text.find(mark, at + 1)

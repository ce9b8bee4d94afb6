"""What makes work that a report says another than that of the recording, as limitations.

A report of 10 s beside a recording of 1 s makes all costs a tenth of what they are. Where a report
covers a bit more or less than its recording, as is usual, nothing is said.
"""

from collections.abc import Iterator

from perfduck_ingest.load_reports.amount import Work
from perfduck_model.batch import WORK_LOST, WORK_TIME, Limitation
from perfduck_model.words import counted

_APART = 1.2  # times as long
_LOST = (0.5, 0.2, 0.1, 0.05, 0.01)  # few, so that runs alike say the same


def of_work(work: Work, duration_s: float | None) -> dict[str, Limitation]:
    """Limitations of a recording of so many seconds with this work, by code."""
    return {code: Limitation(text) for code, text in _texts(work, duration_s)}


def _texts(work: Work, duration_s: float | None) -> Iterator[tuple[str, str]]:
    if work.seconds and duration_s and not 1 / _APART <= work.seconds / duration_s <= _APART:
        text = (
            f"the work is of a report of {work.seconds:.2g} s, the recording lasted"
            f" {duration_s:.2g} s: is it of the same run?"
        )
        yield WORK_TIME, text
    least = next((part for part in _LOST if work.lost and work.lost > part), None)
    if least is not None:
        things = counted(2, work.unit or "unit").removeprefix("2 ")
        yield (
            WORK_LOST,
            f"more than {100 * least:g} % of the {things} that were sent were lost on their way:"
            " work counts all that were sent",
        )

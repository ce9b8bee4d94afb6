"""What is hot."""

from perfduck.opening import StorePlace
from perfduck.top_result import CallsResult, TopResult
from perfduck_diff import calls as call_ranking
from perfduck_diff import top as ranking
from perfduck_diff.filters import Filters
from perfduck_diff.keys import By, Side


def top(file: StorePlace, selector: str, by: By, limit: int, filters: Filters) -> TopResult:
    """The heaviest rows of the selected profiles, taken together."""
    with file.read() as store:
        return TopResult(ranking.top(store, selector, by, filters=filters, limit=limit))


def calls(
    file: StorePlace, selector: str, function: str, side: Side, limit: int, filters: Filters
) -> CallsResult:
    """The heaviest callers or callees of a function."""
    with file.read() as store:
        return CallsResult(
            call_ranking.calls(store, selector, function, side, filters=filters, limit=limit)
        )

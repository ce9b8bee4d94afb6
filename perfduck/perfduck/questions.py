"""What a store of profiles can be asked: a method for each command that changes nothing, and for
what is learned of the spread between runs. Light: what a method needs is loaded when it is called.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

from perfduck import parts, typed
from perfduck.opening import StorePlace
from perfduck.options import FilePath
from perfduck.typed import FilterOptions, filters_of
from perfduck_diff.keys import By, MatrixKey, SeriesKey, Side
from perfduck_model.errors import PerfduckError
from perfduck_report.formats import ExportFormat

if TYPE_CHECKING:
    from perfduck.diff_result import BudgetSuggestion, CompareResult, DiffResult
    from perfduck.drawings import SandwichResult
    from perfduck.exports import Export
    from perfduck.rankings import CallsResult, TopResult
    from perfduck.tables import Table
    from perfduck.trends import TrendResult
    from perfduck_diff.flame_input import Drawing
    from perfduck_diff.top import RankedRows


class StoreQuestions:
    """The questions of a ProfileStore."""

    def __init__(self, place: StorePlace) -> None:
        """To the store at a place."""
        self._file = place

    def top(
        self,
        selector: str,
        *,
        by: By = "function",
        limit: int = 30,
        **filters: Unpack[FilterOptions],
    ) -> "TopResult":
        """Rank what is hot: self, total and blamed, per unit of work where the work is known."""
        return parts.rankings.top(self._file, selector, by, limit, filters_of(filters))

    def calls(
        self,
        selector: str,
        function: str,
        *,
        side: Side = "callers",
        limit: int = 30,
        **filters: Unpack[FilterOptions],
    ) -> "CallsResult":
        """Rank who called a function, or (`side` "callees") what it called."""
        sample_filters = filters_of(filters)
        return parts.rankings.calls(self._file, selector, function, side, limit, sample_filters)

    def diff(
        self,
        base: str,
        new: str,
        *,
        budget: FilePath | None = None,
        tree: Literal["rerooted", "path", "subsystem"] = "rerooted",
        per: Literal["work", "cpu-second", "share"] | None = None,
        paired: bool = False,
        least_growth: float = 0.0,
        tolerance: str | float | None = None,
        allow_kernel_change: bool = False,
        last: int | None = None,
        **filters: Unpack[FilterOptions],
    ) -> "DiffResult":
        """What grew from the runs of `base` to those of `new`, and whether that is noise.

        `budget`: a TOML file of budgets to judge by. `per`: what to divide by; None: the best that
        all runs allow. `paired`: run i of base was recorded next to run i of new. `least_growth`:
        claim none below this, in the answer's unit. `tolerance`: growth of the total that does not
        matter, as a part of base or as "5%"; None: 5 %. Budgets judge in its place. `last`: of base
        only the newest so many runs that are like new (scenario, workload, unit, kernel).
        """
        if last is not None and last < 1:
            raise PerfduckError.at(where="--last", expected="1 or more", got=last)
        request = parts.answer.DiffRequest(
            base=base,
            new=new,
            filters=filters_of(filters),
            tree=tree,
            per=per,
            paired=paired,
            smallest=least_growth,
            **judged_by(budget, tolerance),
            allow_kernel_change=allow_kernel_change,
            last=last,
        )
        return parts.comparisons.diff(self._file, request)

    def compare(
        self,
        selector: str,
        over: str,
        *,
        order: Sequence[str] = (),
        by: MatrixKey = "subsystem",
        **filters: Unpack[FilterOptions],
    ) -> "CompareResult":
        """Compare the groups that label `over` makes of the profiles; `order`: its values, else by
        total cost. `by`: the rows, subsystems that are blamed, or what else a cost is split by."""
        sample_filters = filters_of(filters)
        return parts.comparisons.compare(self._file, selector, over, order, by, sample_filters)

    def trend(
        self,
        selector: str,
        over: str,
        *,
        by: SeriesKey = "subsystem",
        repo: FilePath | None = None,
        **filters: Unpack[FilterOptions],
    ) -> "TrendResult":
        """Where costs changed their level over `over`: "commit" (label `commit`, in the order of
        label `commit_time` or of the git repository `repo`), "time" (when recordings began) or a
        label. Runs of one commit, session or value are one point. `by`: what has a series of its
        own; paths are those with 1 % of the cost."""
        place = None if repo is None else Path(repo)
        return parts.trends.trend(self._file, selector, over, by, place, filters_of(filters))

    def export(
        self,
        selector: str,
        format: ExportFormat = "folded",
        *,
        base: str | None = None,
        per_work: bool = False,
        **filters: Unpack[FilterOptions],
    ) -> "Export":
        """The stacks for other tools: `folded`, a line for each (comm;root;...;leaf weight);
        `pprof`, `speedscope` and `firefox` (its Profiler), files of these; `html`, a page with a
        flame graph. With a `base` both sides, per unit of work where it is known. `per_work`:
        weights per unit of work, an error where it is not known."""
        request = parts.exports.ExportRequest(selector, base, filters_of(filters), per_work)
        return parts.exports.export(self._file, format, request)

    def flame(
        self,
        selector: str,
        *,
        tree: Literal["rerooted", "path", "subsystem"] = "rerooted",
        **filters: Unpack[FilterOptions],
    ) -> "Drawing":
        """The call tree of the profiles and their hottest functions, per unit of work."""
        return parts.drawings.flame(self._file, selector, tree, filters_of(filters))

    def ranking(
        self,
        selector: str,
        *,
        by: By = "function",
        limit: int = 30,
        **filters: Unpack[FilterOptions],
    ) -> "RankedRows":
        """The rows of `top` alone: for who asks about the same samples by several keys, and has
        what is said beside them already."""
        return parts.rankings.ranking(self._file, selector, by, limit, filters_of(filters))

    def sandwich(
        self,
        selector: str,
        function: str,
        *,
        base: str | None = None,
        per: Literal["work", "cpu-second", "share"] | None = None,
        **filters: Unpack[FilterOptions],
    ) -> "SandwichResult":
        """A function between the trees of its callers and of its callees; with `base` of both
        sides."""
        sides = (selector,) if base is None else (base, selector)
        return parts.drawings.sandwich(self._file, sides, function, per, filters_of(filters))

    def timeline(
        self, selector: str, *, bucket: str | float = 0.02, **filters: Unpack[FilterOptions]
    ) -> "Table":
        """Samples over the time of each recording, regardless of `skip` and `until`: profile,
        start_s, hits. `bucket`: seconds of a row, or "20ms"; a bucket without samples has none."""
        width = typed.seconds("--bucket", bucket)
        if not width or width < 1e-6:
            raise PerfduckError.at(where="--bucket", expected="1us or more", got=bucket)
        return parts.drawings.timeline(self._file, selector, width, filters_of(filters))

    def sql(
        self,
        query: str | os.PathLike[str],
        parameters: Mapping[str, Any] | None = None,
        *,
        timeout_s: float = 20.0,
        max_rows: int = 1_000_000,
    ) -> "Table":
        """The rows of one statement that reads, or of a file with it: table `hit` has it all.
        `parameters`: for $name in the query. It opens no file and changes nothing."""
        limits = parts.choice.SqlLimits(seconds=timeout_s, rows=max_rows)
        return parts.user_sql.sql(self._file, query, parameters or {}, limits)

    def suggest_budget(
        self,
        selector: str,
        *,
        keep: str | float = 0.95,
        runs: int = 5,
        **filters: Unpack[FilterOptions],
    ) -> "BudgetSuggestion":
        """Budgets that runs of one thing keep. `keep`: part of comparisons of like runs that keep
        all of them; `runs`: a side, that they are for."""
        part = typed.part("--keep", keep)
        if part >= 1:
            message = f"--keep {keep}: expected less than 100%"
            raise PerfduckError(message)
        return parts.comparisons.suggest_budget(
            self._file, selector, part, runs, filters_of(filters)
        )

    # The spread between runs

    def learn_noise(self, selector: str, *, event: str | None = None) -> "Table":
        """Learn from runs of the same thing (the same labels but `run`) how far they differ. A row
        for each subsystem: host_class, workload, unit, subsystem, cv, phi, freedom, runs. `notes`
        has a line for each run that is like no other and is not used."""
        return parts.comparisons.learn_noise(self._file, selector, event)

    def noise(self) -> "Table":
        """What was learned of the spread between runs."""
        return parts.comparisons.noise(self._file)

    def forget_noise(self, selector: str | None = None, *, all: bool = False) -> "Table":
        """Forget what was learned for the workloads of these profiles, or `all`; the rows that are
        gone."""
        if (selector is None) != all:
            got = "both" if all else "neither"
            raise PerfduckError.at(where="noise forget", expected="SELECTOR or --all", got=got)
        return parts.comparisons.forget_noise(self._file, selector)


def judged_by(budget: FilePath | None, tolerance: str | float | None) -> dict[str, Any]:
    """What a diff is judged by."""
    if tolerance is not None and budget is not None:
        message = f"--tolerance {tolerance}: expected no --budget beside it, which judges alone"
        raise PerfduckError(message)
    return {
        "tolerance": typed.part("--tolerance", 0.05 if tolerance is None else tolerance),
        "budget": None if budget is None else Path(budget),
    }

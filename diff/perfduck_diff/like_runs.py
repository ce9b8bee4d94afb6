"""How far whole runs differ, from other recordings in the store that are like those compared.

Two runs a side say little of the spread between runs: with what other runs of the same things vary
by, growth of 20 % is found in 85 instead of 66 % of what a test finds that knows the spread. A
group of like runs (same labels but `run`) counts by how alike it is to what is compared: earlier
runs of one of the sides most, another scenario of the workload less, anything else least.
"""

from collections import defaultdict

import numpy as np

from perfduck_diff.comparison_input import Question
from perfduck_diff.engine.noise import from_logs, log_mean, log_variance
from perfduck_diff.engine.rates import Per
from perfduck_diff.filters import Filters
from perfduck_diff.selection import Group
from perfduck_model.arrays import Float64
from perfduck_store.protocol import Store

RUN_LABEL = "run"  # tells runs of the same thing apart
AB_LABEL, SIDE_LABEL = "ab", "side"  # of runs that `ab` recorded: its name, and base or new
MOST_PROFILES = 200
MOST_FREEDOM = 12.0  # other runs never outvote a comparison of ten
LEAST_SPREAD = 0.01
# How far the spread of such runs may differ from that of the runs compared: variance of the log of
# its square. Of seven scenarios of one workload it is 0.2 (udp64) and 1.1 (crr).
SAME, SAME_WORKLOAD, OTHER = 0.1, 0.7, 1.5

Labels = dict[str, str]
Like = tuple[tuple[str, str], ...]


def spread_of_like_runs(question: Question, per: Per | None) -> tuple[float, float]:
    """Squared relative spread of their totals beyond sampling, and the freedom it is worth.

    (0, 0) if there are none, or if a filter other than by command makes them incomparable.
    """
    if per not in (None, "work") or _narrows(question.filters):
        return 0.0, 0.0
    groups: dict[Like, list[tuple[float, float]]] = defaultdict(list)
    for each in question.selection.samples.like_runs(MOST_PROFILES):
        groups[_like(each.labels)].append((each.weight / each.work, each.hits))
    sides = {_like(run.labels) for run in question.runs.runs}
    return pooled(
        [(np.array(runs), _weight(like, sides, question)) for like, runs in groups.items()]
    )


def like_runs(store: Store, profiles: Group) -> dict[Like, Group]:
    """Profiles by what they are runs of: their labels without `run`."""
    groups: dict[Like, dict[int, str]] = defaultdict(dict)
    for each in store.profiles.of(profiles):
        groups[_like(each.labels)][each.profile_id] = each.name
    return dict(groups)


def _narrows(filters: Filters) -> bool:
    """Whether samples are chosen otherwise than by command."""
    return filters != Filters(where=filters.where, event=filters.event, comm=filters.comm)


def _like(labels: Labels) -> Like:
    return tuple(sorted((key, value) for key, value in labels.items() if key != RUN_LABEL))


def _weight(like: Like, sides: set[Like], question: Question) -> float:
    if like in sides:
        return SAME
    return SAME_WORKLOAD if dict(like).get("workload", "") == question.workload else OTHER


def pooled(groups: list[tuple[Float64, float]]) -> tuple[float, float]:
    """Of groups of (total, hits) x run, each with how far it may differ (`SAME` and so on).

    On the scale of logarithms, so that one group of wild runs does not stand for all: a set with
    spreads of 14, 15 and 63 % says 28 %, not 45.
    """
    spreads = []
    for runs, differs in groups:
        if len(runs) < 2:
            continue
        total, hits = runs.T
        square_of_runs = float(total.var(ddof=1) / total.mean() ** 2 - 1 / hits.mean())
        freedom = float(len(runs) - 1)
        spreads.append(
            (
                log_mean(max(square_of_runs, LEAST_SPREAD**2), freedom),
                log_variance(freedom) + differs,
            )
        )
    if not spreads:
        return 0.0, 0.0
    square, freedom = from_logs(spreads)
    return square, min(freedom, MOST_FREEDOM)

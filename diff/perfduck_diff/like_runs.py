"""How far whole runs differ, from other recordings in the store that are like those compared.

Two runs a side say little of the spread between runs: with what other runs of the same things vary
by, growth of 20 % is found in 85 instead of 66 % of what a test finds that knows the spread. A
group of like runs (same labels but `run`) counts by how alike it is to what is compared: earlier
runs of one of the sides in full, another scenario of the workload by half, anything else less.
"""

from collections import defaultdict

import numpy as np

from perfduck_diff.filters import Filters
from perfduck_diff.question import Question
from perfduck_diff.rates import Per
from perfduck_diff.runs import Floats
from perfduck_diff.selection import Group
from perfduck_store.store import Store, named

RUN_LABEL = "run"  # tells runs of the same thing apart
MOST_PROFILES = 200
MOST_FREEDOM = 12.0  # other runs never outvote a comparison of ten
SAME, SAME_WORKLOAD, OTHER = 1.0, 0.5, 0.15

Labels = dict[str, str]
Like = tuple[tuple[str, str], ...]


def spread_of_like_runs(store: Store, question: Question, per: Per | None) -> tuple[float, float]:
    """Squared relative spread of their totals beyond sampling, and the freedom it is worth.

    (0, 0) if there are none, or if a filter other than by command makes them incomparable.
    """
    if per not in (None, "work") or _narrows(question.filters):
        return 0.0, 0.0
    asked = {"profiles": [key for side in question.profiles for key in side], "most": MOST_PROFILES}
    rows = store.rows(named("like_runs"), asked)
    groups: dict[Like, list[tuple[float, float]]] = defaultdict(list)
    for _, labels, work, total, hits in rows:
        groups[_like(labels)].append((total / work, hits))
    sides = {_like(run.labels) for run in question.runs.runs}
    return pooled(
        [(np.array(runs), _weight(like, sides, question)) for like, runs in groups.items()]
    )


def like_runs(store: Store, profiles: Group) -> dict[Like, Group]:
    """Profiles by what they are runs of: their labels without `run`."""
    groups: dict[Like, dict[int, str]] = defaultdict(dict)
    for key, labels in store.rows("select profile_id, labels from profile order by name"):
        if key in profiles:
            groups[_like(labels)][key] = profiles[key]
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


def pooled(groups: list[tuple[Floats, float]]) -> tuple[float, float]:
    """Of groups of (total, hits) x run with their weights."""
    square, freedom = 0.0, 0.0
    for runs, weight in groups:
        if len(runs) < 2:
            continue
        total, hits = runs.T
        found = float(total.var(ddof=1) / total.mean() ** 2 - 1 / hits.mean())
        worth = weight * (len(runs) - 1)
        square += worth * max(found, 0.0)
        freedom += worth
    return (square / freedom, min(freedom, MOST_FREEDOM)) if freedom else (0.0, 0.0)

"""What the store knows of the spread between runs: table `noise`."""

from collections import defaultdict
from dataclasses import replace

import numpy as np
import polars as pl

from perfduck_diff.comparison_input import Question, load_input
from perfduck_diff.engine import rates
from perfduck_diff.engine.noise import (
    ASSUMED_FREEDOM,
    RUN,
    RUN_FREEDOM,
    RUN_SPREAD,
    Noise,
    assumed,
    learn,
)
from perfduck_diff.engine.rates import NoiseClasses, StackRates
from perfduck_diff.engine.run_matrix import RunMatrix
from perfduck_diff.engine.shared import LEAST_SAMPLES, of_runs
from perfduck_diff.engine.tree import grow
from perfduck_diff.filters import Filters
from perfduck_diff.like_runs import RUN_LABEL, SAME, pooled
from perfduck_model.arrays import Float64, Int64
from perfduck_model.errors import PerfduckError
from perfduck_model.words import listed
from perfduck_store.protocol import Store
from perfduck_store.records import ClassNoise
from perfduck_store.selector import select


def recall(store: Store, question: Question, per: rates.Per | None) -> Noise | None:
    """What was learned for this workload and unit; on such a host, else on any."""
    rows = _recalled(store, question, per)
    if not rows:
        return None
    names = tuple(row.subsystem for row in rows)
    noise = Noise(
        names,
        max(row.phi for row in rows),
        np.array([row.cv for row in rows]),
        np.array([row.freedom for row in rows]),
    )
    if RUN not in names:
        return noise.with_runs(RUN_SPREAD**2, RUN_FREEDOM)
    whole = rows[names.index(RUN)]
    return noise.with_runs(whole.cv**2, whole.freedom)


def _recalled(store: Store, question: Question, per: rates.Per | None) -> list[ClassNoise]:
    unit = rates.rates(question.runs, per).unit
    return store.noise.recall(question.workload, unit, question.host_class)


def recalled_from(store: Store, question: Question, per: rates.Per | None) -> tuple[str, ...]:
    """What `recall` found, in a line: where it was learned, and how it is shown and forgotten."""
    rows = _recalled(store, question, per)
    if not rows:
        return ()
    unit = rates.rates(question.runs, per).unit
    host, runs = rows[0].host_class, max(row.runs for row in rows)
    other_host = "" if host == question.host_class else f", not on {question.host_class}"
    workload = f"workload {question.workload}" if question.workload else "no workload label"
    chosen = question.filters.words()
    whole = f", of all their samples, not only {chosen}" if chosen else ""
    return (
        f"spread between runs: learned from {runs} runs of {workload}, {unit}, on"
        f" {host}{other_host}{whole} (perfduck noise list, perfduck noise forget SELECTOR)",
    )


def learned(store: Store) -> pl.DataFrame:
    """All that was learned: table `noise`."""
    return store.noise.all()


def forget(store: Store, selector: str | None) -> pl.DataFrame:
    """Forget what was learned for the workloads of these profiles, or all; what that was."""
    before = learned(store)
    profiles = None if selector is None else list(select(store, selector))
    store.noise.forget(profiles)
    gone = before.join(learned(store), on=before.columns[:4], how="anti")
    if gone.is_empty():
        there = before.select("workload", "unit").unique(maintain_order=True).rows()
        text = "; ".join(f"workload {workload!r}, {unit}" for workload, unit in there)
        raise PerfduckError.at(
            selector or "--all",
            expected="a workload with learned noise",
            got=f"none: there is {text or 'nothing learned'}",
        )
    return gone


def learn_from(
    store: Store, selector: str, event: str | None
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Learn from all runs of the same thing, store it per workload, and return it; and a line for
    each run that is like no other and so says nothing."""
    groups, unused = _groups(store, selector)
    tables = [
        _learned(store, runs, event) for _, runs in sorted(groups.items(), key=lambda g: g[0])
    ]
    learned = pl.concat(tables).sort("workload", "unit", "cv", descending=[False, False, True])
    store.noise.replace(learned)
    return learned, unused


def _groups(
    store: Store, selector: str
) -> tuple[dict[tuple[str, str], list[dict[int, str]]], tuple[str, ...]]:
    """Per workload and unit of work, the groups of at least two like runs; and a line for each run
    that is in none."""
    like: dict[tuple[str, ...], dict[int, str]] = defaultdict(dict)
    for each in store.profiles.of(select(store, selector)):
        same = sorted(f"{key}={value}" for key, value in each.labels.items() if key != RUN_LABEL)
        kind = (each.labels.get("workload", ""), each.work_unit or "", *same)
        like[kind][each.profile_id] = each.name
    workloads: dict[tuple[str, str], list[dict[int, str]]] = defaultdict(list)
    unused = []
    for (workload, unit, *same), runs in sorted(like.items()):
        if len(runs) > 1:
            workloads[workload, unit].append(runs)
        else:
            unused += [_unlike(name, same, unit) for name in runs.values()]
    unused.sort()
    if not workloads:
        raise PerfduckError.at(
            selector,
            expected="several runs with the same labels but `run`",
            got=f"none: {listed(unused, most=3)}",
        )
    return workloads, tuple(unused)


def _unlike(name: str, labels: list[str], unit: str) -> str:
    text = f"labels ({', '.join(labels) or 'none'}) and unit of work ({unit or 'none'})"
    return f"{name} is not used: no other run has its {text}"


def _learned(store: Store, groups: list[dict[int, str]], event: str | None) -> pl.DataFrame:
    titled = {f"group {number}": group for number, group in enumerate(groups, 1)}
    question = load_input(store, titled, Filters(event=(event,) if event else ()))
    prior = noise_of(question)
    return pl.DataFrame(
        {
            "host_class": question.host_class,
            "workload": question.workload,
            "unit": rates.rates(question.runs).unit,
            "subsystem": [*prior.subsystems, RUN],
            "cv": [*prior.spread.tolist(), prior.run],
            "phi": prior.phi,
            "freedom": [*prior.freedom.tolist(), prior.run_freedom],
            "runs": len(question.runs.runs),
        }
    ).filter((pl.col("freedom") > ASSUMED_FREEDOM + 0.5) | (pl.col("subsystem") == RUN))


def noise_of(question: Question) -> Noise:
    """What groups of like runs say of the spread between runs: of whole runs, and of subsystems
    beyond what whole runs share."""
    runs, groups = question.runs, question.groups
    raw = StackRates.of(runs)
    classes = NoiseClasses.of_stacks(runs)
    parts = classes.groups(raw.without(factors(runs, raw, groups)), groups)
    noise = learn(assumed(classes.names), parts)
    whole = np.vstack([raw.totals, runs.hits.sum(axis=0)]).T
    informed = noise.informed(*pooled([(whole[group], SAME) for group in groups]))
    return replace(informed, phi=_dispersion(noise, parts))


def factors(runs: RunMatrix, raw: StackRates, groups: tuple[Int64, ...]) -> Float64:
    """What all paths of a run share, about the mean of its group."""
    rerooted = runs.stacks.rerooted(runs.entry()).collapsed()
    tree = grow(rerooted, runs.hits.sum(axis=1), LEAST_SAMPLES * len(runs.runs))
    factor = np.ones(len(runs.runs))
    own = tree.own(raw.rate)
    for group in groups:
        factor[group] = of_runs(own[:, group], raw.weight_per_sample[group])
    return factor


def _dispersion(noise: Noise, groups: list[tuple[Float64, Float64]]) -> float:
    """Variance found over variance expected where samples, not runs, make the most of it."""
    observed, expected = 0.0, 0.0
    for rates_of, grain in groups:
        mean = rates_of.mean(axis=1)
        sampling, between = mean * grain.mean(), (noise.spread * mean) ** 2
        mostly = (sampling > between) & (mean > 5 * grain.mean())
        weight = 1 / (sampling + between)[mostly]
        observed += float((rates_of[mostly].var(axis=1, ddof=1) * weight).sum())
        expected += float(mostly.sum())
    return max(observed / expected, 1.0) if expected else 1.0

"""Two commands, recorded in turns, and compared.

Each pair is a run of both, in an order drawn by chance: what drifts on the machine meets both sides
alike, and so does what only the second of a pair meets. With `until_sure` a pair is added until the
answer is a regression or a pass; each look at the answer has a level of its own, so that all of
them together keep 5 % (perfduck_diff.engine.sequential).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from random import SystemRandom
from subprocess import DEVNULL, PIPE, STDOUT
from subprocess import run as run_process
from typing import Literal

from perfduck.comparisons import diff
from perfduck.diff_result import DiffResult
from perfduck.opening import StorePlace
from perfduck.recorder import PlannedRun, Recorder, RecordOptions, Taken
from perfduck.recordings import IngestResult
from perfduck_diff.answer import DiffRequest
from perfduck_diff.engine.sequential import FIRST, Plan
from perfduck_model.errors import PerfduckError
from perfduck_store.selector import quoted

AbSide = Literal["base", "new"]
LEVEL = 0.05
PAIRS = 5
MOST = 20
LOOK_FROM = 3  # pairs: two say too little of how far runs differ


@dataclass(frozen=True, slots=True, kw_only=True)
class AbPlan:
    """What to compare. `pairs`: to record, with `until_sure` before the first look; `most`: pairs
    at most then; `setup`: a command for a side, that runs before each of its runs, unrecorded."""

    commands: Mapping[AbSide, str]
    setup: Mapping[AbSide, str | None]
    name: str
    pairs: int
    most: int
    until_sure: bool
    question: DiffRequest  # its sides are set for each look


@dataclass(frozen=True, slots=True)
class AbStep:
    """How far it is: pair `pair` of `most`, before the run of a side, or after both, where
    `estimate` is what all pairs so far say (from the second on)."""

    pair: int
    most: int
    side: AbSide | None = None
    estimate: DiffResult | None = None


@dataclass(frozen=True, slots=True, repr=False)
class AbResult:
    """The answer, from `pairs` runs a side, which are stored as label ab=`name`."""

    diff: DiffResult
    name: str
    pairs: int


def ab(
    place: StorePlace,
    plan: AbPlan,
    options: RecordOptions,
    on_step: Callable[[AbStep], object],
    on_stored: Callable[[IngestResult], object],
) -> AbResult:
    """Record and compare. PerfduckError for a command that is empty (a variable of a shell is
    not set) or fails; earlier pairs are stored."""
    _check_commands(plan)
    looks = Plan(max(plan.most, FIRST), LEVEL)
    with Recorder(place, options) as recorder:
        recorder.check_names([_run(plan, side, 1).name for side in plan.commands])
        before, estimate = 0, None
        for pair in range(1, plan.most + 1):
            for taken in _pair(recorder, plan, pair, on_step):
                on_stored(recorder.store(taken))
            if pair < FIRST or (plan.until_sure and pair < plan.pairs):
                continue
            level = looks.level_at(pair, before) if plan.until_sure else LEVEL
            estimate, before = _look(place, plan, pair, level), pair
            on_step(AbStep(pair, plan.most, estimate=estimate))
            if plan.until_sure and estimate.verdict != "inconclusive":
                break
    if estimate is None:  # one pair
        estimate = _look(place, plan, 1, LEVEL)
    return AbResult(estimate, plan.name, pair)


def _check_commands(plan: AbPlan) -> None:
    setup = [(f"setup-{side}", command) for side, command in plan.setup.items()]
    for option, command in (*plan.commands.items(), *setup):
        if command is not None and not command.strip():
            raise PerfduckError.at(where=f"--{option}", expected="a command", got="nothing")


def pairs(runs: int | None, most: int | None, *, until_sure: bool) -> dict[str, int]:
    """How many pairs are recorded before the first look, and at most. PerfduckError for a bound of
    what is not repeated, and one below the first look."""
    if not until_sure:
        if most is not None:
            raise PerfduckError.at(
                where=f"--most {most}", expected="--until-sure with it", got="none"
            )
        return {"pairs": runs or PAIRS, "most": runs or PAIRS}
    first, last = max(runs or LOOK_FROM, FIRST), most or MOST
    if last < first:
        raise PerfduckError.at(where=f"--most {last}", expected=f"{first} pairs or more", got=last)
    return {"pairs": first, "most": last}


def default_name() -> str:
    """What a comparison is called from now on."""
    return f"ab-{datetime.now():%Y%m%d-%H%M%S}"


def _pair(
    recorder: Recorder, plan: AbPlan, pair: int, on_step: Callable[[AbStep], object]
) -> list[Taken]:
    """Both sides, recorded before either is stored: a pair of which one fails is not half there."""
    order: list[AbSide] = ["base", "new"]
    SystemRandom().shuffle(order)
    taken = []
    for side in order:
        on_step(AbStep(pair, plan.most, side))
        _set_up(plan, side)
        taken.append(recorder.record(_run(plan, side, pair), show=None))
    return taken


def _run(plan: AbPlan, side: AbSide, pair: int) -> PlannedRun:
    labels = {"ab": plan.name, "side": side, "run": str(pair)}
    return PlannedRun(f"{plan.name}.{side}.{pair}", ("sh", "-c", plan.commands[side]), labels)


def _set_up(plan: AbPlan, side: AbSide) -> None:
    command = plan.setup[side]
    if command is None:
        return
    done = run_process(
        ["sh", "-c", command], stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, check=False
    )
    if done.returncode:
        last = done.stdout.decode(errors="replace").strip().splitlines()[-1:]
        said = f" ({last[0]})" if last else ""
        raise PerfduckError.at(
            where=f"--setup-{side} '{command}'",
            expected="exit status 0",
            got=f"{done.returncode}{said}",
        )


def _look(place: StorePlace, plan: AbPlan, pairs: int, level: float) -> DiffResult:
    """The answer of all pairs so far. One pair has no spread, and is compared without."""
    sides = [f"ab={quoted(plan.name)},side={side}" for side in ("base", "new")]
    is_paired = pairs >= FIRST
    question = replace(
        plan.question,
        base=sides[0],
        new=sides[1],
        paired=is_paired,
        level=level,
        steady=plan.until_sure,
    )
    answer = diff(place, question)
    if not plan.until_sure:
        return answer
    said = (
        f"{pairs} of at most {plan.most} pairs; looked at after each from {plan.pairs}"
        f" on, {LEVEL:.0%} for all looks together, {level:.2%} for this one (alpha spending, Lan"
        " and DeMets 1983); intervals are of 95 % for one look"
    )
    return replace(answer, data=replace(answer.data, context=(said, *answer.data.context)))

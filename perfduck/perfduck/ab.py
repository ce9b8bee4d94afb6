"""Two commands, recorded in turns, and compared.

Each pair is a run of both, in an order drawn by chance: what drifts on the machine meets both sides
alike, and so does what only the second of a pair meets. Since chance alone made a run base or new,
the verdict is by an exact test (perfduck_diff.engine.sign_flip). With `until_sure` a pair is added
until the answer is a regression or a pass; each look at the answer has a level of its own, so that
all of them together keep 5 % (perfduck_diff.engine.sequential).
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
from perfduck_diff.answer import LEAST_PAIRS, DiffRequest
from perfduck_diff.engine.budget import read as read_budgets
from perfduck_diff.engine.sequential import first_look, levels
from perfduck_diff.engine.sign_flip import least_pairs
from perfduck_diff.like_runs import AB_LABEL, RUN_LABEL, SIDE_LABEL
from perfduck_ingest.labels import checked_name
from perfduck_model.errors import PerfduckError
from perfduck_store.selector import quoted

AbSide = Literal["base", "new"]
LEVEL = 0.05
PAIRS = (
    6  # of five, only the one order of 32 that both total and paths find most extreme has p < 5 %
)
MOST = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class AbPlan:
    """What to compare. `levels`: the level of each look, by the number of pairs; the last look is
    after `most`. `setup`: a command for a side, that runs before each of its runs, unrecorded."""

    commands: Mapping[AbSide, str]
    setup: Mapping[AbSide, str | None]
    name: str
    levels: Mapping[int, float]
    until_sure: bool
    question: DiffRequest  # its sides are set for each look

    @property
    def most(self) -> int:
        """Pairs at most."""
        return max(self.levels)

    def next_look(self, pair: int) -> int:
        """After which pair, this one or a later one, there is a look."""
        return min(look for look in self.levels if look >= pair)


@dataclass(frozen=True, slots=True)
class AbStep:
    """How far it is: pair `pair` of `most`, before the run of a side, or after both, where
    `estimate` is what all pairs so far say (from the second on). It has a verdict at looks; the
    next one, if not this, is after pair `next_look`. `note`: what so many pairs can show, said with
    the first step."""

    pair: int
    most: int
    next_look: int
    side: AbSide | None = None
    estimate: DiffResult | None = None
    note: str = ""


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
    _check_labels(options)
    if plan.question.budget is not None:
        read_budgets(plan.question.budget)
    on_step(replace(_step(plan, 1), note=_can_show(plan)))
    with Recorder(place, options) as recorder:
        pairs = range(1, plan.most + 1)
        recorder.check_names([_run(plan, side, n).name for n in pairs for side in plan.commands])
        for pair in pairs:
            for result in recorder.store_pair(_pair(recorder, plan, pair, on_step)):
                on_stored(result)
            if pair < LEAST_PAIRS and pair < plan.most:
                continue
            estimate = _look(place, plan, pair)
            on_step(_step(plan, pair, estimate=estimate))
            if pair in plan.levels and estimate.verdict != "inconclusive":
                break
    return AbResult(estimate, plan.name, pair)


def _step(
    plan: AbPlan, pair: int, side: AbSide | None = None, estimate: DiffResult | None = None
) -> AbStep:
    return AbStep(pair, plan.most, plan.next_look(pair), side, estimate)


def _can_show(plan: AbPlan) -> str:
    """What so many pairs can show."""
    least = least_pairs(LEVEL)
    if plan.most < least:
        return f"{plan.most} of {least} pairs that a verdict takes: there will be an estimate alone"
    if not plan.until_sure:
        return ""
    looks = ", ".join(map(str, plan.levels))
    return f"a verdict is looked for after {looks} pairs: fewer cannot show anything at {LEVEL:.0%}"


def _check_commands(plan: AbPlan) -> None:
    setup = [(f"setup-{side}", command) for side, command in plan.setup.items()]
    for option, command in (*plan.commands.items(), *setup):
        if command is not None and not command.strip():
            raise PerfduckError.at(where=f"--{option}", expected="a command", got="nothing")


def _check_labels(options: RecordOptions) -> None:
    """PerfduckError for a label that tells sides and pairs apart."""
    for key in (AB_LABEL, SIDE_LABEL, RUN_LABEL):
        if key in options.labels:
            where = f"--label {key}={options.labels[key]}"
            raise PerfduckError.at(where, expected=f"another label: ab sets {key}", got=key)


def looks(runs: int | None, most: int | None, *, until_sure: bool) -> dict[int, float]:
    """After how many pairs the answer is looked at, and the level of each look. `runs`: pairs in
    all, with `until_sure` before the first look. PerfduckError for a bound of what is not repeated,
    and for looks that could not show anything."""
    if not until_sure:
        if most is not None:
            raise PerfduckError.at(
                where=f"--most {most}", expected="--until-sure with it", got="none"
            )
        return {runs or PAIRS: LEVEL}
    last = MOST if most is None else most
    least = first_look(last, LEVEL)
    if least is None:
        expected = f"{least_pairs(LEVEL)} pairs or more"
        raise PerfduckError.at(where=f"--most {last}", expected=expected, got=last)
    if runs is not None and last < runs:
        raise PerfduckError.at(
            where=f"--runs {runs}",
            expected=f"{last} pairs or fewer before the first look (--most {last})",
            got=runs,
        )
    if runs is not None and runs < least:
        raise PerfduckError.at(
            where=f"--runs {runs}",
            expected=f"{least} pairs or more before the first look of at most {last}",
            got=f"{runs}: so few cannot show anything",
        )
    return levels(runs or least, last, LEVEL)


def name_of(name: str | None) -> str:
    """What a comparison is called: as is given, or by the time. PerfduckError for no name."""
    if name is None:
        return f"ab-{datetime.now():%Y%m%d-%H%M%S}"
    return checked_name(name, "--name")


def _pair(
    recorder: Recorder, plan: AbPlan, pair: int, on_step: Callable[[AbStep], object]
) -> list[Taken]:
    """Both sides, recorded before either is stored: a pair of which one fails is not half there."""
    order: list[AbSide] = ["base", "new"]
    SystemRandom().shuffle(order)
    taken = []
    for side in order:
        on_step(_step(plan, pair, side))
        _set_up(plan, side)
        taken.append(recorder.record(_run(plan, side, pair), show=None))
    return taken


def _run(plan: AbPlan, side: AbSide, pair: int) -> PlannedRun:
    labels = {AB_LABEL: plan.name, SIDE_LABEL: side, RUN_LABEL: str(pair)}
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


def _look(place: StorePlace, plan: AbPlan, pairs: int) -> DiffResult:
    """The answer of all pairs so far. One pair has no spread, and is compared without."""
    level = plan.levels.get(pairs, 0.0)
    sides = [f"ab={quoted(plan.name)},side={side}" for side in ("base", "new")]
    question = replace(
        plan.question,
        base=sides[0],
        new=sides[1],
        paired=pairs >= LEAST_PAIRS,
        exact_level=level,
    )
    answer = diff(place, question)
    if not plan.until_sure:
        return answer
    said = (
        f"{pairs} of at most {plan.most} pairs; looks after {', '.join(map(str, plan.levels))}:"
        f" {LEVEL:.0%} for all looks together, {level:.2%} for this one (alpha spending, Lan and"
        " DeMets 1983); intervals are of 95 % for one look"
    )
    return replace(answer, data=replace(answer.data, context=(said, *answer.data.context)))

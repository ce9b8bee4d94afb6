"""Commands that compare."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

import perfduck
from perfduck import CompareFormat, DiffFormat, FilterOptions, MatrixKey, PerfduckError, View
from perfduck_cli.options import (
    DEFAULT_STORE,
    Engine,
    EventName,
    Format,
    Selector,
    StorePath,
    filtered,
    number,
    whole,
)
from perfduck_cli.standard_streams import has_color, width, write
from perfduck_cli.waiting import say

_INCONCLUSIVE = {"exit": 3, "pass": 0, "fail": 1}
_LAST = 5  # runs of --base-from
_SKIP = 125  # to `git bisect run`: this commit cannot be judged


@filtered
def diff(
    base: Annotated[
        str,
        typer.Argument(
            help="The runs of BASE, a selector as for `top`; those of NEW with --base-from."
        ),
    ],
    filters: FilterOptions,
    new: Annotated[
        str | None,
        typer.Argument(help="The runs of NEW."),
    ] = None,
    base_from: Annotated[
        str | None,
        typer.Option(
            metavar="SELECTOR",
            help="As BASE, use the newest runs like NEW that this selector matches.",
        ),
    ] = None,
    last: Annotated[
        int | None, typer.Option(parser=whole(1, 1000), help="How many; default: 5.")
    ] = None,
    budget: Annotated[Path | None, typer.Option(help="Budgets to judge by, a TOML file.")] = None,
    tree: Annotated[
        Literal["rerooted", "path", "subsystem"],
        typer.Option(help="rerooted: cut at the last softirq, irq, syscall or kthread entry."),
    ] = "rerooted",
    by: Annotated[
        View | None,
        typer.Option(help="Show only this view; json and junit always have all."),
    ] = None,
    per: Annotated[
        Literal["work", "cpu-second", "share"] | None,
        typer.Option(help="What to divide by; default: the best that all runs allow."),
    ] = None,
    paired: Annotated[
        bool, typer.Option("--paired", help="Run i of BASE was recorded next to run i of NEW.")
    ] = False,
    least_growth: Annotated[
        float,
        typer.Option(parser=number(0), help="Ignore growth below this, in the unit of the answer."),
    ] = 0.0,
    tolerance: Annotated[
        str | None,
        typer.Option(
            help="Growth of the total to ignore; a pass excludes more. Budgets judge without it.",
            show_default="5%",
        ),
    ] = None,
    allow_kernel_change: Annotated[
        bool, typer.Option("--allow-kernel-change", help="Compare different kernel releases.")
    ] = False,
    inconclusive: Annotated[
        Literal["exit", "pass", "fail"],
        typer.Option(help="Exit code of an inconclusive verdict: 3, 0 or 1."),
    ] = "exit",
    exit: Annotated[
        Literal["verdict", "bisect"],
        typer.Option(
            help="bisect: for `git bisect run`, 125 where the runs cannot tell, above 127 an error."
        ),
    ] = "verdict",
    explain: Annotated[
        bool, typer.Option("--explain", help="Explain the terms below the report.")
    ] = False,
    format: Annotated[DiffFormat, typer.Option(help="How to print.")] = "text",
    store: StorePath = DEFAULT_STORE,
    engine: Engine = None,
) -> None:
    """Report what grew from BASE to NEW per unit of work, and whether it is noise.

    Exits with 0 if growth above the tolerance is excluded, 1 on a regression, 3 if the runs cannot
    tell. `diff NEW --base-from 'branch=main'` compares with the newest runs of a branch.
    """
    base, new, last = _sides(base, new, base_from, last)
    _check_view(by, format)
    _check_explain(format, explain=explain)
    with perfduck.open(store, engine=engine) as opened:
        result = opened.diff(
            base,
            new,
            budget=budget,
            tree=tree,
            per=per,
            paired=paired,
            least_growth=least_growth,
            tolerance=tolerance,
            allow_kernel_change=allow_kernel_change,
            last=last,
            **filters,
        )
    sys.stdout.write(_shown(result, format, by, explain=explain))
    is_unsure = result.verdict == "inconclusive"
    code = _INCONCLUSIVE[inconclusive] if is_unsure else result.exit_code
    if exit == "bisect" and code == _INCONCLUSIVE["exit"]:
        say("git bisect skips this commit: perfduck ab --until-sure records until it is sure")
        code = _SKIP
    raise typer.Exit(code)


def _sides(
    base: str, new: str | None, base_from: str | None, last: int | None
) -> tuple[str, str, int | None]:
    """Base, new, and how many of base. PerfduckError for one side, or three."""
    if base_from is None:
        if new is None:
            message = "expected BASE and NEW, or NEW and --base-from SELECTOR, got one selector"
            raise PerfduckError(message)
        if last is not None:
            raise PerfduckError.at(where=f"--last {last}", expected="--base-from", got="none")
        return base, new, None
    if new is not None:
        message = f"--base-from {base_from}: expected NEW alone beside it, got {base} and {new}"
        raise PerfduckError(message)
    return base_from, base, last or _LAST


def _shown(
    result: "perfduck.DiffResult", format: DiffFormat, by: View | None, *, explain: bool
) -> str:
    if explain:
        return result.to_text(by, explain=True, width=width(), color=has_color())
    return result.render(format, by, width=width(), color=has_color())


def _check_explain(format: str, *, explain: bool) -> None:
    if explain and format != "text":
        raise PerfduckError.at(where="--explain", expected="--format text", got=format)


def _check_view(by: View | None, format: str) -> None:
    if by is not None and format in ("json", "junit"):
        message = f"--by {by}: expected text, markdown or html, {format} has every view"
        raise PerfduckError(message)


@filtered
def compare(
    selector: Selector,
    filters: FilterOptions,
    over: Annotated[str, typer.Option(help="The label whose values are the columns.")],
    order: Annotated[
        str | None, typer.Option(help="Its values in order: a,b,c; default: by total cost.")
    ] = None,
    by: Annotated[
        MatrixKey,
        typer.Option(help="The rows: what the cost is split by."),
    ] = "subsystem",
    format: Annotated[CompareFormat, typer.Option(help="How to print.")] = "text",
    store: StorePath = DEFAULT_STORE,
    engine: Engine = None,
) -> None:
    """Compare several groups, and report what each step adds to each subsystem."""
    with perfduck.open(store, engine=engine) as opened:
        result = opened.compare(
            selector, over, order=() if order is None else order.split(","), by=by, **filters
        )
    write(result, format)


def learn(
    selector: Selector,
    event: EventName = None,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Learn from runs of the same thing how far they differ.

    Profiles with the same labels but `run` are taken as runs of the same thing. `diff` uses what
    was learned for the same workload, and can judge one run against one.
    """
    with perfduck.open(store) as opened:
        write(opened.learn_noise(selector, event=event), "text")


def list_noise(format: Format = "text", store: StorePath = DEFAULT_STORE) -> None:
    """List what was learned of the spread between runs."""
    with perfduck.open(store) as opened:
        write(opened.noise(), format)


def forget_noise(
    selector: Annotated[
        str | None, typer.Argument(help="Profiles whose workloads to forget; a selector.")
    ] = None,
    all: Annotated[bool, typer.Option("--all", help="Forget all that was learned.")] = False,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Forget what was learned of the spread between runs."""
    with perfduck.open(store) as opened:
        write(opened.forget_noise(selector, all=all), "text")


@filtered
def suggest(
    selector: Selector,
    filters: FilterOptions,
    keep: Annotated[
        str, typer.Option(help="Share of comparisons of like runs that keep all budgets.")
    ] = "95%",
    runs: Annotated[
        int, typer.Option(parser=whole(2, 100), help="Runs per side that the budgets are for.")
    ] = 5,
    store: StorePath = DEFAULT_STORE,
    engine: Engine = None,
) -> None:
    """Print a budget file that like runs keep, and the growth that each budget finds.

    SELECTOR matches several like runs: profiles with the same labels except `run`.
    """
    with perfduck.open(store, engine=engine) as opened:
        suggestion = opened.suggest_budget(selector, keep=keep, runs=runs, **filters)
    sys.stdout.write(suggestion.to_toml())

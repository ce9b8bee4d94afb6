"""Commands that compare."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from perfduck import FilterOptions
from perfduck.filters import filters_of
from perfduck_cli.filter_options import filtered
from perfduck_cli.numbers import number, whole
from perfduck_cli.options import DEFAULT_STORE, EventName, Format, Selector, StorePath
from perfduck_cli.screen import screen
from perfduck_diff.keys import View

if TYPE_CHECKING:
    from perfduck_diff.engine.result import Verdict

Side = Annotated[str, typer.Argument(help="The runs of one side: a selector, as for `top`.")]
DiffFormat = Literal["text", "json", "markdown", "junit", "html"]


@filtered
def diff(
    base: Side,
    new: Side,
    filters: FilterOptions,
    budget: Annotated[Path | None, typer.Option(help="Budgets to judge by, a TOML file.")] = None,
    tree: Annotated[
        Literal["rerooted", "path", "subsystem"],
        typer.Option(help="rerooted: cut at the last softirq, irq, syscall or kthread entry."),
    ] = "rerooted",
    by: Annotated[
        View | None,
        typer.Option(help="Show only this view; json and junit have all, and take none."),
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
        typer.Option(
            parser=number(0), help="Claim no growth below this, in the unit of the answer."
        ),
    ] = 0.0,
    tolerance: Annotated[
        str, typer.Option(help="Growth of the total that does not matter; a pass excludes more.")
    ] = "5%",
    allow_kernel_change: Annotated[
        bool, typer.Option("--allow-kernel-change", help="Compare different kernel releases.")
    ] = False,
    inconclusive: Annotated[
        Literal["exit", "pass", "fail"],
        typer.Option(help="What an inconclusive verdict exits with: 3, 0 or 1."),
    ] = "exit",
    explain: Annotated[
        bool, typer.Option("--explain", help="Say below the text what its words mean.")
    ] = False,
    format: Annotated[DiffFormat, typer.Option(help="How to print.")] = "text",
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Report what grew from BASE to NEW per unit of work, and whether it is noise.

    Exits with 0 if growth above the tolerance is excluded, 1 on a regression, 3 if the runs cannot
    tell.
    """
    from perfduck_diff.answer import DiffRequest, compare_profiles, resolve_sides
    from perfduck_report import diff as reports
    from perfduck_store.store import Store

    _check_view(by, format)
    _check_explain(format, explain=explain)
    request = DiffRequest(
        base=base,
        new=new,
        filters=filters_of(filters),
        tree=tree,
        per=per,
        paired=paired,
        smallest=least_growth,
        tolerance=_part("--tolerance", tolerance),
        budget=budget,
        allow_kernel_change=allow_kernel_change,
    )
    with Store(store) as opened:
        question = resolve_sides(opened, request)
        found = compare_profiles(opened, request, question)
    if format == "html":
        from perfduck_diff.flame_input import compared
        from perfduck_report import html

        sys.stdout.write(html.render(found, compared(request, question), by))
    else:
        sys.stdout.write(reports.FORMATS[format](found, by, screen()))
    if explain:
        from perfduck_report import diff_explained

        sys.stdout.write(diff_explained.text(screen()))
    raise typer.Exit(_exit_code(found.verdict, inconclusive))


def _check_explain(format: str, *, explain: bool) -> None:
    from perfduck_model.errors import PerfduckError

    if explain and format != "text":
        message = f"--explain: expected --format text, got {format}"
        raise PerfduckError(message)


def _check_view(by: View | None, format: str) -> None:
    from perfduck_model.errors import PerfduckError

    if by is not None and format in ("json", "junit"):
        message = f"--by {by}: expected text, markdown or html, {format} has every view"
        raise PerfduckError(message)


def _exit_code(verdict: "Verdict", inconclusive: str) -> int:
    return {
        "pass": 0,
        "regression": 1,
        "inconclusive": {"pass": 0, "fail": 1}.get(inconclusive, 3),
    }[verdict]


def _part(option: str, text: str) -> float:
    from perfduck_model import typed_numbers
    from perfduck_model.errors import PerfduckError

    amount, sign, rest = text.partition("%")
    try:
        part = typed_numbers.number(amount.strip()) / 100 if sign and not rest.strip() else -1.0
    except ValueError:
        part = -1.0
    if part <= 0:
        message = f"{option} {text}: expected a percentage like 5%"
        raise PerfduckError(message)
    return part


@filtered
def compare(
    selector: Selector,
    filters: FilterOptions,
    over: Annotated[str, typer.Option(help="The label whose values are the columns.")],
    order: Annotated[
        str | None, typer.Option(help="Its values in order: a,b,c; default: by total cost.")
    ] = None,
    format: Annotated[
        Literal["text", "markdown", "json"], typer.Option(help="How to print.")
    ] = "text",
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Compare more than two groups, and report what each step adds to which subsystem."""
    from perfduck_diff.compare_groups import compare_groups as compared
    from perfduck_report.compare import FORMATS
    from perfduck_store.store import Store

    with Store(store) as opened:
        matrix = compared(
            opened,
            selector,
            over,
            order=tuple(order.split(",")) if order else (),
            filters=filters_of(filters),
        )
    sys.stdout.write(FORMATS[format](matrix, screen()))


def learn(
    selector: Selector,
    event: EventName = None,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Learn from runs of the same thing how far they differ.

    Profiles with the same labels but `run` are taken as runs of the same thing. `diff` uses what
    was learned for the same workload, and can judge one run against one.
    """
    from perfduck_diff.history import learn_from
    from perfduck_report import tables
    from perfduck_store.store import Store

    with Store(store, write=True) as opened:
        frame = learn_from(opened, selector, event)
    sys.stdout.write(f"{_NOISE_TERMS}\n{tables.text(frame, screen())}")


def list_noise(format: Format = "text", store: StorePath = DEFAULT_STORE) -> None:
    """List what was learned of the spread between runs."""
    from perfduck_diff.history import learned
    from perfduck_report import tables
    from perfduck_store.store import Store

    with Store(store) as opened:
        frame = learned(opened)
    terms = f"{_NOISE_TERMS}\n" if format == "text" else ""
    sys.stdout.write(f"{terms}{tables.FORMATS[format](frame, screen())}")


def forget_noise(
    selector: Annotated[
        str | None, typer.Argument(help="Profiles whose workloads to forget; a selector.")
    ] = None,
    all: Annotated[bool, typer.Option("--all", help="Forget all that was learned.")] = False,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Forget what was learned of the spread between runs."""
    from perfduck_diff.history import forget
    from perfduck_model.errors import PerfduckError
    from perfduck_report.names import visible
    from perfduck_report.numbers import many
    from perfduck_store.store import Store

    if (selector is None) != all:
        message = f"noise forget: expected SELECTOR or --all, got {'both' if all else 'neither'}"
        raise PerfduckError(message)
    with Store(store, write=True) as opened:
        gone = forget(opened, selector)
    for (workload, unit, host), rows in gone.group_by(
        "workload", "unit", "host_class", maintain_order=True
    ):
        what = f"workload {workload or '(no label)'}, {unit}, on {host}"
        sys.stdout.write(f"forgot {visible(what)}: {many(len(rows), 'subsystem')}\n")


_NOISE_TERMS = """\
host_class: architecture/CPUs of the recording; ? where it does not say
cv: standard deviation between runs over their mean, without what sampling adds
phi: variance within a run over that of independent samples; 1 where they are independent
freedom: degrees of freedom behind cv; the more, the surer it is"""


@filtered
def suggest(
    selector: Selector,
    filters: FilterOptions,
    keep: Annotated[
        str, typer.Option(help="Part of comparisons of like runs that keep all budgets.")
    ] = "95%",
    runs: Annotated[
        int, typer.Option(parser=whole(2, 100), help="Runs a side that they are for.")
    ] = 5,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Print a budget file that runs of this thing keep, and what growth each budget finds.

    SELECTOR means several runs of one thing: profiles with the same labels but `run`.
    """
    from perfduck_diff.budget_suggestion import suggest as suggested
    from perfduck_model.errors import PerfduckError
    from perfduck_report import budget_file
    from perfduck_store.store import Store

    part = _part("--keep", keep)
    if part >= 1:
        message = f"--keep {keep}: expected less than 100%"
        raise PerfduckError(message)
    with Store(store) as opened:
        found = suggested(opened, selector, part, runs, filters_of(filters))
    sys.stdout.write(budget_file.text(found))


budget = typer.Typer(no_args_is_help=True, help="Budgets for `diff --budget`.")
budget.command()(suggest)

noise = typer.Typer(no_args_is_help=True, help="What is known about the spread between runs.")
noise.command()(learn)
noise.command(name="list")(list_noise)
noise.command(name="forget")(forget_noise)

COMMANDS = (diff, compare)
GROUPS = {"noise": noise, "budget": budget}

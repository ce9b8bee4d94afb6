"""Commands that run others under perf."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

import perfduck
from perfduck import DiffFormat, RecordingOptions
from perfduck_cli import process
from perfduck_cli.ingest_commands import exit_if_unsent, say_stored
from perfduck_cli.options import (
    DEFAULT_STORE,
    LONGEST_S,
    SpoolDirectory,
    StorePath,
    number,
    sharing,
    whole,
)
from perfduck_cli.standard_streams import has_color, width
from perfduck_cli.waiting import StatusLine, say

_MOST_RUNS = 1000
_INCONCLUSIVE = {"exit": 3, "pass": 0, "fail": 1}


def _typed(
    label: Annotated[list[str] | None, typer.Option(help="key=value; may be repeated.")] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            parser=number(0.001, LONGEST_S), help="End each run after so long, by SIGINT."
        ),
    ] = None,
    event: Annotated[
        list[str] | None,
        typer.Option(help="Event of perf; may be repeated.", show_default="cpu-clock"),
    ] = None,
    freq: Annotated[
        int | None,
        typer.Option(
            parser=whole(1, 1_000_000), help="Samples a second on each CPU.", show_default="999"
        ),
    ] = None,
    perf_args: Annotated[
        str,
        typer.Option(help="More options for perf record, in one word: '--call-graph dwarf'."),
    ] = "",
    work: Annotated[
        float | None, typer.Option(parser=number(), help="How much each run gets done: 1437900.")
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(help="What --work counts: packet, request, ...", show_default="unit"),
    ] = None,
    work_from: Annotated[
        str | None,
        typer.Option(
            help="netdev:DEVICE:rx_packets, ethtool:DEVICE:COUNTER, or a report that the command"
            " writes.",
            show_default="what the command prints",
        ),
    ] = None,
    netns: Annotated[
        str | None,
        typer.Option(
            help="Network namespace whose rules, counters and links are kept.",
            show_default="that of `ip netns exec` in the command, else this one",
        ),
    ] = None,
    ignore_failure: Annotated[
        bool, typer.Option("--ignore-failure", help="Store runs whose command fails as well.")
    ] = False,
) -> RecordingOptions:
    """How commands are recorded."""
    return RecordingOptions(
        labels=label,
        seconds=seconds,
        event=event,
        freq=freq,
        perf_args=perf_args,
        work=work,
        unit=unit,
        work_from=work_from,
        netns=netns,
        ignore_failure=ignore_failure,
    )


_recorded = sharing("options", _typed)


@_recorded
def record(
    options: RecordingOptions,
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="-- CMD", help="The command to run, with its arguments."),
    ] = None,
    runs: Annotated[
        int, typer.Option(parser=whole(1, _MOST_RUNS), help="Number of runs, each a recording.")
    ] = 1,
    name: Annotated[
        str | None,
        typer.Option(
            help="What to call the recording; of several: NAME.1, NAME.2, ...",
            show_default="program and time",
        ),
    ] = None,
    spool: SpoolDirectory = None,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Run a command under perf, and store the recording with its work and the system's state.

    The whole system is recorded, with call graphs; without a command for --seconds. The work is
    taken from what the command prints: a report of iperf3, wrk, wrk2, sockperf, netperf, neper,
    fortio, k6 or ghz.
    """
    process.return_freed_memory()
    with perfduck.open(store) as opened:
        results = opened.record(
            *(command or ()),
            runs=runs,
            name=name,
            spool=spool,
            on_start=lambda name: say(f"recording {name}"),
            on_output=_pass_on,
            on_stored=say_stored,
            **options,
        )
    exit_if_unsent(results, spool, store)


def _pass_on(output: bytes) -> None:
    """What the command prints goes where it would have gone."""
    sys.stdout.buffer.write(output)
    sys.stdout.buffer.flush()


@_recorded
def ab(
    base: Annotated[str, typer.Option(help="The command of the base side, a shell command line.")],
    new: Annotated[str, typer.Option(help="The command of the other side.")],
    options: RecordingOptions,
    runs: Annotated[
        int | None,
        typer.Option(
            parser=whole(1, _MOST_RUNS),
            help="Pairs to record, 5 or more for a verdict; before the first look, where there"
            " are several.",
            show_default="6; with --until-sure 7",
        ),
    ] = None,
    setup_base: Annotated[
        str | None, typer.Option(help="Runs before each run of base, unrecorded.")
    ] = None,
    setup_new: Annotated[
        str | None, typer.Option(help="Runs before each run of new, unrecorded.")
    ] = None,
    until_sure: Annotated[
        bool,
        typer.Option(
            "--until-sure",
            help="Record more pairs while the answer is inconclusive; an exact test, 5 % for all"
            " looks together.",
        ),
    ] = False,
    most: Annotated[
        int | None,
        typer.Option(
            parser=whole(1, _MOST_RUNS), help="Pairs at most with --until-sure.", show_default="16"
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            help="Recordings are NAME.base.1, NAME.new.1, ... of label ab=NAME.",
            show_default="ab and time",
        ),
    ] = None,
    budget: Annotated[Path | None, typer.Option(help="Budgets to judge by, a TOML file.")] = None,
    tolerance: Annotated[
        str | None,
        typer.Option(
            help="Growth of the total to ignore; a pass excludes more.",
            show_default="5%",
        ),
    ] = None,
    comm: Annotated[
        list[str] | None, typer.Option(help="Compare only these programs; a glob.")
    ] = None,
    inconclusive: Annotated[
        Literal["exit", "pass", "fail"],
        typer.Option(help="Exit code of an inconclusive verdict: 3, 0 or 1."),
    ] = "exit",
    format: Annotated[DiffFormat, typer.Option(help="How to print the diff.")] = "text",
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Record two commands in turns, in random order, and report what grew from one to the other.

    Exits as `diff` does. The recordings stay in the store, those of pairs before a failure too.
    """
    process.return_freed_memory()
    with perfduck.open(store) as opened, _Turns() as turns:
        result = opened.ab(
            base,
            new,
            runs=runs,
            setup_base=setup_base,
            setup_new=setup_new,
            until_sure=until_sure,
            most=most,
            name=name,
            budget=budget,
            tolerance=tolerance,
            comm=comm or (),
            on_step=turns.step,
            on_stored=turns.stored,
            **options,
        )
    count = "1 pair is" if result.pairs == 1 else f"{result.pairs} pairs are"
    say(f"{count} stored as ab={result.name}")
    sys.stdout.write(result.diff.render(format, width=width(), color=has_color()))
    is_unsure = result.diff.verdict == "inconclusive"
    raise typer.Exit(_INCONCLUSIVE[inconclusive] if is_unsure else result.diff.exit_code)


class _Turns:
    """Says how far a comparison is: a line that changes on a terminal, else a line for each
    estimate."""

    def __init__(self) -> None:
        self._line = StatusLine()
        self._so_far = ""
        self._pair = 1

    def __enter__(self) -> "_Turns":
        return self

    def __exit__(self, *_: object) -> None:
        self._line.clear()

    def step(self, step: "perfduck.AbStep") -> None:
        """Before a run, and after a pair."""
        self._pair = step.pair
        pair = f"pair {step.pair} of {step.most}"
        if step.note:
            say(step.note)
        if step.estimate is not None:
            is_look = step.pair == step.next_look
            said = step.estimate.summary if is_look else step.estimate.estimate
            self._so_far = f"so far {said}"
            if not self._line.is_shown:
                say(f"{pair}: {said}")
        elif self._line.is_shown and step.side:
            self._line.show(f"{pair}: recording {step.side}; {self._so_far}".rstrip("; "))

    def stored(self, result: "perfduck.IngestResult") -> None:
        """What is missing of the first recordings is said; the answer says it of all."""
        for note in result.notes if self._pair == 1 else ():
            self._line.clear()
            say(note)

"""Commands that bring recordings into the store."""

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Self

import typer

import perfduck
from perfduck_cli import process
from perfduck_cli.options import (
    DEFAULT_STORE,
    Kallsyms,
    Rules,
    Selector,
    SpoolDirectory,
    StorePath,
    Symbols,
    Vmlinux,
    number,
)
from perfduck_cli.waiting import ProgressLine, say, typing

NOT_SENT = 75  # EX_TEMPFAIL of sysexits.h: to try again may help


def ingest(
    files: Annotated[
        list[str] | None, typer.Argument(help="Recordings; '-' reads standard input.")
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(
            help="CSV of recordings: file, name, work, unit, work_from, kernel, attach.KIND, any"
            " labels."
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What to call the profile; default: from the file name.")
    ] = None,
    label: Annotated[list[str] | None, typer.Option(help="key=value; may be repeated.")] = None,
    work: Annotated[
        float | None,
        typer.Option(parser=number(), help="How much got done while recording: 1437900."),
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(help="What --work counts: packet, ... [default: as stored, else unit]"),
    ] = None,
    work_from: Annotated[
        Path | None,
        typer.Option(
            help="Report of a load generator (iperf3, wrk, netperf, ...) to take it from, or"
            " netdev:eth0:rx_packets:BEFORE:AFTER."
        ),
    ] = None,
    kallsyms: Kallsyms = None,
    vmlinux: Vmlinux = None,
    symbols: Symbols = None,
    rules: Rules = None,
    kernel: Annotated[
        str | None,
        typer.Option(help="Release of the kernel that ran, where the recording does not say it."),
    ] = None,
    host_files: Annotated[
        bool,
        typer.Option(
            "--host-files/--no-host-files",
            help="Name addresses of perf.data by files of this machine too, where they are the"
            " recorded ones, and look for debug files in its /usr/lib/debug.",
        ),
    ] = True,
    inline: Annotated[
        bool | None,
        typer.Option(
            "--inline/--no-inline",
            help="Functions of perf.data that were inlined as frames of their own, as perf script"
            " shows them. [default: where there is debug information]",
        ),
    ] = None,
    attach: Annotated[
        list[str] | None,
        typer.Option(help="KIND=FILE to keep with it: iptables=F (iptables-save -c), conntrack=F."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the work of a stored recording.")
    ] = False,
    lenient: Annotated[
        bool, typer.Option("--lenient", help="Keep a file even if much of it cannot be parsed.")
    ] = False,
    event: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[=UNIT]",
            help="What folded stacks count: off-cpu=us, cpu-clock. [default: samples]",
        ),
    ] = None,
    spool: SpoolDirectory = None,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Import recordings: perf.data, perf script text, OProfile, pprof, folded stacks.

    They may be packed, or come from a pipe. The same content twice is stored once; a name, work or
    labels given later are applied, and the changes are listed.
    """
    process.return_freed_memory()
    with perfduck.open(store) as opened, Watch() as watch:
        results = opened.ingest(
            *(files or ()),
            manifest=manifest,
            on_start=watch.started,
            progress=watch.progress,
            on_stored=watch.stored,
            on_note=say,
            spool=spool,
            name=name,
            labels=label,
            work=work,
            unit=unit,
            work_from=work_from,
            kernel=kernel,
            host_files=host_files,
            inline=inline,
            attach=attach,
            force=force,
            lenient=lenient,
            event=event,
            rules=rules,
            kallsyms=kallsyms,
            vmlinux=vmlinux,
            symbols=symbols,
        )
    exit_if_unsent(results, spool, store)


def exit_if_unsent(
    results: Sequence["perfduck.IngestResult"], spool: Path | None, store: str
) -> None:
    """Exits with 75 where a server has not got all."""
    if unsent := sum(not each.is_sent for each in results):
        say(f"{unsent} not sent (perfduck push {spool} --store {store})")
        raise typer.Exit(NOT_SENT)


def say_stored(result: "perfduck.IngestResult") -> None:
    """Print what was stored, and what is said of it."""
    for note in result.notes:
        say(note)
    sys.stdout.write(result.to_text())
    sys.stdout.flush()


class Watch:
    """Says what happens to recordings on their way into the store."""

    def __init__(self) -> None:
        self._shown = ExitStack()  # of the recording that is read

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._shown.close()

    def started(self, source: str) -> None:
        """A recording is read from now on."""
        process.keep_what_is_loaded()
        self._line = self._shown.enter_context(ProgressLine(source))
        self._is_there = self._shown.enter_context(typing(source))

    def progress(self, source: "perfduck.Source", samples: int) -> None:
        """It has been read so far."""
        self._is_there()
        self._line.update(source, samples)

    def stored(self, result: "perfduck.IngestResult") -> None:
        """It is stored."""
        self._shown.close()
        say_stored(result)


def attach(
    selector: Selector,
    files: Annotated[list[str], typer.Argument(help="KIND=FILE: iptables=F, conntrack=F, ...")],
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Attach files to stored profiles: the rules their packets met, counters."""
    with perfduck.open(store) as opened:
        sys.stdout.write(opened.attach(selector, files).to_text())

"""Commands that bring recordings into the store."""

import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perfduck_cli.numbers import number
from perfduck_cli.options import (
    DEFAULT_STORE,
    Kallsyms,
    Rules,
    Selector,
    StorePath,
    Symbols,
    Vmlinux,
)
from perfduck_cli.waiting import say, typing
from perfduck_ingest.runtime.warm_up import warm_up

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from perfduck.attachments import Attachment
    from perfduck.ingestion import Ingestion, IngestRequest
    from perfduck_ingest.source import Source
    from perfduck_ingest.work import Work
    from perfduck_store.writer import Receipt


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
        str | None, typer.Option(help="What --work counts: packet, request, ... [default: unit]")
    ] = None,
    work_from: Annotated[
        Path | None, typer.Option(help="Report of iperf3 -J, wrk or sockperf to take it from.")
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
    attach: Annotated[
        list[str] | None,
        typer.Option(help="KIND=FILE to keep with it: iptables=F (iptables-save -c), conntrack=F."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Let other work replace that of a stored recording.")
    ] = False,
    lenient: Annotated[
        bool, typer.Option("--lenient", help="Keep a file even if much of it cannot be parsed.")
    ] = False,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Import recordings: perf.data, perf script text, OProfile; plain or packed, or a pipe.

    The same content twice is stored once; a name, work or labels given with it later are taken,
    and what that changes is said.
    """
    if files:
        warm_up(files[0])

    from perfduck.ingestion import IngestRequest
    from perfduck_ingest.importer import ImportOptions
    from perfduck_ingest.kernel_release import checked_release
    from perfduck_ingest.labels import checked_name, labels
    from perfduck_model.errors import PerfduckError
    from perfduck_symbols.host_files import HostFiles

    if not files and manifest is None:
        message = "expected a recording to ingest: FILE... or --manifest"
        raise PerfduckError(message)
    if name is not None and (manifest or len(files or []) > 1):
        message = f"--name {name}: expected one recording, got several"
        raise PerfduckError(message)
    template = IngestRequest(
        source="",
        name=None if name is None else checked_name(name, "--name"),
        work=_work(work, unit, work_from),
        labels=labels(label or []),
        options=ImportOptions(
            kallsyms,
            vmlinux,
            tuple(symbols or ()),
            host_files=HostFiles() if host_files else None,
            lenient=lenient,
        ),
        rules=rules,
        kernel=None if kernel is None else checked_release(kernel, "--kernel"),
        attachments=_attachments(attach or [], files or [], manifest),
        force=force,
    )
    store_all(store, _requests(files or [], manifest, template))


def _requests(
    files: list[str], manifest: Path | None, template: "IngestRequest"
) -> "list[IngestRequest]":
    from dataclasses import replace

    from perfduck.manifest import requests

    listed = requests(manifest, template, say) if manifest is not None else []
    return [*listed, *(replace(template, source=file) for file in files)]


def store_all(path: Path, requests: "Sequence[IngestRequest]") -> None:
    """Store each recording in a transaction of its own, and say so."""
    from dataclasses import replace

    from perfduck.ingestion import Ingestion

    # What is loaded stays: ingest looks for garbage after each recording, 0.03 s among all of it.
    gc.freeze()
    stored: frozenset[str] = frozenset()
    with Ingestion(path) as ingestion:
        ingestion.check(requests, say)
        for request in requests:
            receipt = _stored(ingestion, replace(request, just_stored=stored))
            stored |= {receipt.name}
            sys.stdout.write(_acknowledgement(receipt))
            sys.stdout.flush()


def attach(
    selector: Selector,
    files: Annotated[list[str], typer.Argument(help="KIND=FILE: iptables=F, conntrack=F, ...")],
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Keep files with a profile that is in the store: the rules its packets met, and counters."""
    from perfduck.attachments import keep, read_all
    from perfduck_report.names import visible
    from perfduck_store.selector import select
    from perfduck_store.store import Store

    attachments = read_all(files)
    with Store(store, write=True, create=False) as opened:
        for key, name in select(opened, selector).items():
            with opened.transaction():
                done = ", ".join(keep(opened, key, attachments))
            words = done or "attached already, nothing added"
            sys.stdout.write(f"{visible(name)}: {words}\n")
        opened.close_and_compact()  # what was replaced


def _attachments(
    pairs: list[str], files: list[str], manifest: Path | None
) -> "tuple[Attachment, ...]":
    from perfduck.attachments import read_all
    from perfduck_model.errors import PerfduckError

    if pairs and (manifest is not None or len(files) != 1):
        message = f"--attach {pairs[0]}: expected one recording to attach it to"
        raise PerfduckError(message)
    return tuple(read_all(pairs, "--attach"))


def _stored(ingestion: "Ingestion", request: "IngestRequest") -> "Receipt":
    from perfduck_cli.progress import Progress

    with Progress(request.source) as progress, typing(request.source) as is_there:

        def update(source: "Source", samples: int) -> None:
            is_there()
            progress.update(source, samples)

        return ingestion.ingest(request, update)


def _acknowledgement(receipt: "Receipt") -> str:
    from perfduck_report.names import visible

    name, changes = visible(receipt.name), visible(", ".join(receipt.changes))
    if not receipt.is_new:
        done = f"; {changes}" if changes else ", nothing added"
        for words in receipt.limitations if receipt.is_renamed else ():
            say(f"{name}: {visible(words)}")
        return f"{name}: already in the store{done}\n"
    for words in _left_out(receipt):
        say(f"{name}: {visible(words)}")
    layout = f"  read as: {visible(receipt.layout)}\n" if receipt.layout else ""
    return f"{name}: {_contents(receipt)}{f'; {changes}' if changes else ''}\n{layout}"


def _contents(receipt: "Receipt") -> str:
    from perfduck_report.numbers import plural

    counts = {"sample": receipt.samples, "stack": receipt.stacks, "symbol": receipt.symbols}
    return ", ".join(f"{count} {plural(count, noun)}" for noun, count in counts.items())


def _left_out(receipt: "Receipt") -> "Iterator[str]":
    from perfduck_report.numbers import plural

    if receipt.skipped:
        yield f"{receipt.skipped} {plural(receipt.skipped, 'line')} skipped (see table skipped)"
    if receipt.lost:
        yield f"{receipt.lost} {plural(receipt.lost, 'sample')} lost by the kernel"
    yield from receipt.limitations


def _work(amount: float | None, unit: str | None, report: Path | None) -> "Work | None":
    from perfduck_ingest.work import work_from
    from perfduck_model.errors import PerfduckError

    if report is not None:
        if amount is not None or unit is not None:
            message = f"--work-from {report}: expected no --work and --unit beside it"
            raise PerfduckError(message)
        return work_from(report)
    return work_of(amount, unit)


def work_of(amount: float | None, unit: str | None) -> "Work | None":
    """Work as --work and --unit say."""
    from perfduck.manifest import checked_work
    from perfduck_ingest.source import printable
    from perfduck_model.errors import PerfduckError

    if amount is None:
        if unit is not None:
            message = f"--unit {unit}: expected --work N with it"
            raise PerfduckError(message)
        return None
    try:
        return checked_work(amount, "unit" if unit is None else printable(unit))
    except ValueError as error:
        expected = "a positive number" if unit != "" else "a unit"
        message = f"--work {amount}: expected {expected}"
        raise PerfduckError(message) from error


COMMANDS = (ingest, attach)

"""Commands that bring recordings into the store."""

import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perfduck_cli.options import (
    DEFAULT_STORE,
    Kallsyms,
    Rules,
    Selector,
    StorePath,
    Symbols,
    Vmlinux,
)
from perfduck_ingest.early import prepare_to_read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from perfduck_ingest.attachment import Attachment
    from perfduck_ingest.ingest import Request
    from perfduck_ingest.work import Work
    from perfduck_store.store import Store
    from perfduck_store.writer import Receipt


def ingest(
    files: Annotated[
        list[str] | None, typer.Argument(help="Recordings; '-' reads standard input.")
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(help="CSV of recordings: file, name, work, unit, and any labels."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What to call the profile; default: from the file name.")
    ] = None,
    label: Annotated[list[str] | None, typer.Option(help="key=value, as often as wanted.")] = None,
    work: Annotated[
        float | None, typer.Option(help="How much got done while recording: 1437900.")
    ] = None,
    unit: Annotated[str, typer.Option(help="What --work counts: packet, request, ...")] = "unit",
    work_from: Annotated[
        Path | None, typer.Option(help="Report of iperf3 -J, wrk or sockperf to take it from.")
    ] = None,
    kallsyms: Kallsyms = None,
    vmlinux: Vmlinux = None,
    symbols: Symbols = None,
    rules: Rules = None,
    host_files: Annotated[
        bool,
        typer.Option(
            "--host-files/--no-host-files",
            help="Name addresses of perf.data by files of this machine too, where they are the"
            " recorded ones.",
        ),
    ] = True,
    attach: Annotated[
        list[str] | None,
        typer.Option(help="KIND=FILE to keep with it: iptables=F (iptables-save -c), conntrack=F."),
    ] = None,
    lenient: Annotated[
        bool, typer.Option("--lenient", help="Keep a file though much of it is not understood.")
    ] = False,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Import recordings: perf script text and more, plain, .gz, .xz, .zst, or from a pipe.

    The same content twice is stored once.
    """
    if files:
        prepare_to_read(files[0])

    from perfduck_ingest.importer import Options
    from perfduck_ingest.ingest import Request
    from perfduck_store.errors import PerfduckError

    if not files and manifest is None:
        message = "expected a recording to ingest: FILE... or --manifest"
        raise PerfduckError(message)
    if name and (manifest or len(files or []) > 1):
        message = f"--name {name}: expected one recording, got several"
        raise PerfduckError(message)
    template = Request(
        source="",
        name=name,
        work=_work(work, unit, work_from),
        labels=_labels(label or []),
        options=Options(
            kallsyms, vmlinux, tuple(symbols or ()), host_files=host_files, lenient=lenient
        ),
        rules=rules,
    )
    kept = _attachments(attach or [], files or [], manifest)
    store_all(store, _requests(files or [], manifest, template), kept)


def _requests(files: list[str], manifest: Path | None, template: "Request") -> "Iterator[Request]":
    from dataclasses import replace

    from perfduck_ingest.manifest import requests

    if manifest is not None:
        yield from requests(manifest, template)
    for file in files:
        yield replace(template, source=file)


def store_all(
    path: Path, requests: "Iterator[Request]", attachments: "Sequence[Attachment]" = ()
) -> None:
    """Store each recording in a transaction of its own, and say so."""
    from perfduck_store.store import Store

    # What is loaded stays: ingest looks for garbage after each recording, 0.03 s among all of it.
    gc.freeze()
    with Store(path, write=True) as store:
        for request in requests:
            receipt = _stored(store, request)
            if attachments:
                _attach(store, receipt.name, attachments)
            sys.stdout.write(_acknowledgement(receipt))
            sys.stdout.flush()


def attach(
    selector: Selector,
    files: Annotated[list[str], typer.Argument(help="KIND=FILE: iptables=F, conntrack=F, ...")],
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Keep files with a profile that is in the store: the rules its packets met, and counters."""
    from perfduck_ingest.attachment import read
    from perfduck_report.names import visible
    from perfduck_store.selector import select
    from perfduck_store.store import Store

    attachments = [read(pair) for pair in files]
    with Store(store, write=True) as opened:
        for name in select(opened, selector).values():
            _attach(opened, name, attachments)
            kinds = ", ".join(attachment.kind for attachment in attachments)
            sys.stdout.write(f"{visible(name)}: {kinds} attached\n")


def _attachments(
    pairs: list[str], files: list[str], manifest: Path | None
) -> "Sequence[Attachment]":
    from perfduck_ingest.attachment import read
    from perfduck_store.errors import PerfduckError

    if pairs and (manifest is not None or len(files) != 1):
        message = f"--attach {pairs[0]}: expected one recording to attach it to"
        raise PerfduckError(message)
    return [read(pair) for pair in pairs]


def _attach(store: "Store", name: str, attachments: "Sequence[Attachment]") -> None:
    from perfduck_ingest.attachment import attach as keep

    [(profile_id,)] = store.rows("select profile_id from profile where name = $n", {"n": name})
    keep(store, profile_id, list(attachments))


def _stored(store: "Store", request: "Request") -> "Receipt":
    from perfduck_cli.progress import Progress
    from perfduck_ingest.ingest import ingest as ingest_one

    with Progress(request.source) as progress:
        return ingest_one(store, request, progress.update)


def _acknowledgement(receipt: "Receipt") -> str:
    from perfduck_report.names import visible
    from perfduck_report.numbers import plural

    name = visible(receipt.name)
    if not receipt.is_new:
        return f"{name}: already in the store, nothing added\n"
    if receipt.skipped:
        words = f"{receipt.skipped} {plural(receipt.skipped, 'line')} skipped (see table skipped)"
        sys.stderr.write(f"perfduck: {name}: {words}\n")
    if receipt.lost:
        words = f"{receipt.lost} {plural(receipt.lost, 'sample')} lost by the kernel"
        sys.stderr.write(f"perfduck: {name}: {words}\n")
    for limitation in receipt.limitations:
        sys.stderr.write(f"perfduck: {name}: {visible(limitation)}\n")
    layout = f"  read as: {visible(receipt.layout)}\n" if receipt.layout else ""
    counts = {"sample": receipt.samples, "stack": receipt.stacks, "symbol": receipt.symbols}
    words = ", ".join(f"{count} {plural(count, noun)}" for noun, count in counts.items())
    return f"{name}: {words}\n{layout}"


def _labels(pairs: list[str]) -> dict[str, str]:
    from perfduck_ingest.source import printable
    from perfduck_store.errors import PerfduckError

    labels = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not (key and equals):
            message = f"--label {pair}: expected key=value"
            raise PerfduckError(message)
        labels[printable(key)] = printable(value)
    return labels


def _work(amount: float | None, unit: str, report: Path | None) -> "Work | None":
    from perfduck_ingest.manifest import checked_work
    from perfduck_ingest.source import printable
    from perfduck_ingest.work import work_from
    from perfduck_store.errors import PerfduckError

    if report is not None:
        return work_from(report)
    if amount is None:
        return None
    try:
        return checked_work(amount, printable(unit))
    except ValueError as error:
        message = f"--work {amount}: expected a positive number"
        raise PerfduckError(message) from error


COMMANDS = (ingest, attach)

"""Commands about names and tags."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from perfduck_cli.options import DEFAULT_STORE, Kallsyms, Rules, StorePath, Symbols, Vmlinux
from perfduck_cli.screen import screen

if TYPE_CHECKING:
    from perfduck.tagging import TaggingSources
    from perfduck_store.tag_inputs import Kind

symbols_group = typer.Typer(
    no_args_is_help=True, help="ELF files that name addresses and source files."
)


def tag(
    rules: Rules = None,
    kallsyms: Kallsyms = None,
    vmlinux: Vmlinux = None,
    symbols: Symbols = None,
    forget_rules: Annotated[
        bool, typer.Option("--forget-rules", help="Tag without the rules that were given before.")
    ] = False,
    forget_kallsyms: Annotated[
        bool, typer.Option("--forget-kallsyms", help="Tag without the kallsyms given before.")
    ] = False,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Tag all symbols and blame all stacks again, with your rules first.

    Rules and kallsyms that were given before, here or at ingest, are kept in the store and apply
    until others are given, or they are to be forgotten.
    """
    from perfduck.tagging import TaggingSources, tag_again
    from perfduck_report.names import visible
    from perfduck_report.numbers import many
    from perfduck_store.store import Store
    from perfduck_symbols.host_files import HostFiles

    given = TaggingSources(rules, kallsyms, _binaries(vmlinux, symbols), host_files=HostFiles())
    forgotten = _forgotten(given, rules=forget_rules, kallsyms=forget_kallsyms)
    with Store(store, write=True, create=False) as opened:
        done = tag_again(opened, given, forgotten)
    used = f" ({visible(', '.join(done.used))})" if done.used else ""
    sys.stdout.write(f"{many(done.changed, 'symbol')} got a different tag{used}\n")


def _forgotten(given: "TaggingSources", *, rules: bool, kallsyms: bool) -> "tuple[Kind, ...]":
    from perfduck_model.errors import PerfduckError

    if (rules and given.rules) or (kallsyms and given.kallsyms):
        name = "rules" if rules and given.rules else "kallsyms"
        message = f"--forget-{name}: expected no --{name} beside it, which replaces them"
        raise PerfduckError(message)
    kinds: dict[Kind, bool] = {"rules": rules, "kallsyms": kallsyms}
    return tuple(kind for kind, wanted in kinds.items() if wanted)


def explain(
    symbol: Annotated[str, typer.Argument(help="Name of a function, as a profile shows it.")],
    dso: Annotated[
        str, typer.Option(help="Its binary: [nf_conntrack], /usr/sbin/nginx, ...")
    ] = "[kernel.kallsyms]",
    release: Annotated[str | None, typer.Option(help="Kernel release: 6.18.44.")] = None,
    rules: Rules = None,
    kallsyms: Kallsyms = None,
    vmlinux: Vmlinux = None,
    symbols: Symbols = None,
    format: Annotated[Literal["text", "json"], typer.Option(help="How to print.")] = "text",
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Say why a function has its tag: source file, method, rule, and what else it might be.

    Rules that a store keeps apply, where there is a store and no --rules.
    """
    from contextlib import ExitStack

    from perfduck.tagging import TaggingSources, tagger_of, with_kept
    from perfduck_report.names import visible_lines
    from perfduck_store.store import Store
    from perfduck_symbols.host_files import HostFiles
    from perfduck_symbols.kernel_files import KernelFiles
    from perfduck_tags.explain import FORMATS
    from perfduck_tags.explain import explain as told

    known = TaggingSources(rules, kallsyms, _binaries(vmlinux, symbols), host_files=HostFiles())
    with ExitStack() as inputs:
        if store.exists() or store != DEFAULT_STORE:
            opened = inputs.enter_context(Store(store))
            known = inputs.enter_context(with_kept(opened, known, release))
        tagger = tagger_of(known, release, KernelFiles(known.kallsyms))
        text = FORMATS[format](told(tagger, symbol, dso))
    sys.stdout.write(visible_lines(text) if format == "text" else text)


def _binaries(vmlinux: Path | None, symbols: list[Path] | None) -> tuple[Path, ...]:
    return (*((vmlinux,) if vmlinux else ()), *(symbols or ()))


@symbols_group.command()
def add(
    places: Annotated[list[Path], typer.Argument(help="ELF files, or directories of them.")],
    dso: Annotated[
        str | None, typer.Option(help="The binary that the file is, where its name differs.")
    ] = None,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Keep the functions of ELF files in the store; `perfduck tag` then uses them."""
    from perfduck.tagging import add_files
    from perfduck_model.errors import PerfduckError
    from perfduck_report.names import visible
    from perfduck_report.numbers import many
    from perfduck_store.store import Store
    from perfduck_symbols.host_files import HostFiles

    if dso is not None and (len(places) > 1 or places[0].is_dir()):
        message = f"--dso {dso}: expected one file that is this binary, got several"
        raise PerfduckError(message)
    with Store(store, write=True) as opened:
        found = add_files(opened, places, dso, HostFiles())
    for name, build_id, count in found.iter_rows():
        sys.stdout.write(
            f"{visible(name)}: {many(count, 'function')}, build-id {build_id or 'none'}\n"
        )


@symbols_group.command(name="list")
def listed(store: StorePath = DEFAULT_STORE) -> None:
    """List the binaries whose functions are in the store."""
    from perfduck_report import tables
    from perfduck_store.functions import binaries
    from perfduck_store.store import Store

    with Store(store) as opened:
        sys.stdout.write(tables.text(binaries(opened), screen()))


COMMANDS = (tag, explain)
GROUPS = {"symbols": symbols_group}

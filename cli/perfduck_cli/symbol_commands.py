"""Commands about names and tags."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

import perfduck
from perfduck_cli.options import (
    DEFAULT_STORE,
    Format,
    Kallsyms,
    Rules,
    StorePath,
    Symbols,
    Vmlinux,
)
from perfduck_cli.standard_streams import write


def tag(
    rules: Rules = None,
    kallsyms: Kallsyms = None,
    vmlinux: Vmlinux = None,
    symbols: Symbols = None,
    forget_rules: Annotated[
        bool, typer.Option("--forget-rules", help="Drop the rules that were given before.")
    ] = False,
    forget_kallsyms: Annotated[
        bool, typer.Option("--forget-kallsyms", help="Drop the kallsyms that were given before.")
    ] = False,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Tag all symbols and blame all stacks again, with your rules first.

    Rules and kallsyms that were given before, here or at ingest, are kept in the store and apply
    until others are given, or --forget-rules or --forget-kallsyms drops them.
    """
    forgotten: dict[Literal["rules", "kallsyms"], bool]
    forgotten = {"rules": forget_rules, "kallsyms": forget_kallsyms}
    with perfduck.open(store) as opened:
        done = opened.tag(
            forget=[kind for kind, is_wanted in forgotten.items() if is_wanted],
            rules=rules,
            kallsyms=kallsyms,
            vmlinux=vmlinux,
            symbols=symbols,
        )
    sys.stdout.write(done.to_text())


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
    """Explain why a function has its tag: source file, method, rule, and the alternatives.

    Rules that a store keeps apply, where there is a store and no --rules.
    """
    # Without a store the shipped rules explain; one that is named must be there.
    has_store = Path(store).exists() or store != DEFAULT_STORE
    ask = perfduck.open(store).explain if has_store else perfduck.explain
    result = ask(
        symbol,
        dso=dso,
        release=release,
        rules=rules,
        kallsyms=kallsyms,
        vmlinux=vmlinux,
        symbols=symbols,
    )
    sys.stdout.write(result.to_text() if format == "text" else result.to_json())


def add(
    places: Annotated[list[Path], typer.Argument(help="ELF files, or directories of them.")],
    dso: Annotated[
        str | None, typer.Option(help="Name of the binary in recordings, where the file's differs.")
    ] = None,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Keep the functions of ELF files in the store; `perfduck tag` then uses them."""
    with perfduck.open(store) as opened:
        write(opened.add_symbols(*places, dso=dso), "text")


def listed(format: Format = "text", store: StorePath = DEFAULT_STORE) -> None:
    """List the binaries whose functions are in the store."""
    with perfduck.open(store) as opened:
        write(opened.symbols(), format)

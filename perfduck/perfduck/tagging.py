"""Tags in the store: all symbols again when more is known; annotator.py tags new ones at ingest."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from perfduck_model.errors import PerfduckError
from perfduck_store import functions, tag_inputs
from perfduck_store.store import Store
from perfduck_store.tag_inputs import Kind
from perfduck_symbols.host_files import HostFiles
from perfduck_symbols.kernel_files import KernelFiles
from perfduck_symbols.resolver import BinaryResolver
from perfduck_tags.blame import blame
from perfduck_tags.methods import OF_FILES, TAG_COLUMNS
from perfduck_tags.tagger import Tagger


@dataclass(frozen=True, slots=True)
class TaggingSources:
    """What the user gives to tag by."""

    rules: Path | None = None
    kallsyms: Path | None = None
    binaries: tuple[Path, ...] = ()  # vmlinux, modules, programs, or directories of them
    rules_name: str | None = None  # how explanations call them; None: by their path
    host_files: HostFiles | None = None  # where debug files of the binaries may be, too


@contextmanager
def with_kept(
    store: Store, known: TaggingSources, release: str | None = None
) -> Iterator[TaggingSources]:
    """What the user gives, and what the store keeps in place of what is not given: rules, and where
    `release` says of which kernel, kallsyms."""
    listed = nullcontext() if release is None else tag_inputs.kept(store, "kallsyms", release)
    with tag_inputs.kept(store, "rules") as rules, listed as own:
        if rules and known.rules is None:
            known = replace(known, rules=rules.path, rules_name=rules.source)
        if own and known.kallsyms is None:
            known = replace(known, kallsyms=own.path)
        yield known


def keep_inputs(store: Store, known: TaggingSources, release: str | None) -> tuple[str, ...]:
    """Keep the rules and kallsyms that are given, in a transaction of the caller; what that changed
    in words."""
    rules = known.rules and tag_inputs.keep(store, "rules", known.rules)
    done = [
        rules and f"{rules} (perfduck tag applies them to what is stored)",
        known.kallsyms and tag_inputs.keep(store, "kallsyms", known.kallsyms, release or ""),
    ]
    return tuple(change for change in done if change)


def tagger_of(
    known: TaggingSources,
    release: str | None,
    kernel_files: KernelFiles,
    earlier: pl.DataFrame | None = None,
) -> Tagger:
    """What tags symbols of a kernel by all that is known, its kallsyms read already or not yet."""
    return Tagger(
        kernel_release=release,
        rules=known.rules,
        rules_name=known.rules_name,
        kernel_files=kernel_files,
        binaries=known.binaries,
        earlier=earlier,
        host_files=known.host_files,
    )


def main_release(store: Store) -> str | None:
    """The kernel release of most profiles: all symbols are tagged by its kallsyms and catalogue."""
    return next(iter(functions.releases(store)), None)


@dataclass(frozen=True, slots=True)
class Tagged:
    """How many symbols got another tag, and by which rules and kallsyms, in words."""

    changed: int
    used: tuple[str, ...]


def tag_again(store: Store, given: TaggingSources, forgotten: Sequence[Kind] = ()) -> Tagged:
    """Tag every symbol and charge every stack again, by what is given and what the store keeps but
    for the kinds that are forgotten. What is given is kept."""
    release = main_release(store)
    with store.transaction(), ExitStack() as inputs:
        for kind in forgotten:
            tag_inputs.forget(store, kind)
        known = inputs.enter_context(with_kept(store, given, release or ""))
        old = functions.symbols(store)
        tagger = tagger_of(known, release, KernelFiles(known.kallsyms), old)
        new = _tagged(store, tagger, old.drop(TAG_COLUMNS))
        kept = _kept(old, new) if known.kallsyms is None else new
        functions.replace_tags(store, kept, blame(functions.stacks(store), kept))
        keep_inputs(store, given, release)
        changed = len(kept) - len(kept.join(old, on=kept.columns, how="semi", nulls_equal=True))
        return Tagged(changed, tuple(_used(given, known)))


def _used(given: TaggingSources, known: TaggingSources) -> Iterator[str]:
    if known.rules:
        yield f"rules {known.rules if given.rules else f'{known.rules_name}, as given before'}"
    if known.kallsyms:
        yield f"kallsyms {known.kallsyms if given.kallsyms else 'as given before'}"


def add_files(
    store: Store, places: Sequence[Path], dso: str | None = None, host: HostFiles | None = None
) -> pl.DataFrame:
    """Keep the functions of the ELF files that the store's binaries have there. [dso, build_id,
    functions] of what was found; with `dso` the one file is that binary's."""
    for place in places:
        if not place.exists():
            message = f"{place}: expected an ELF file or a directory, got no such file"
            raise PerfduckError(message)
    dsos = functions.symbols(store)["dso"].unique().to_list()
    resolver = BinaryResolver(places, host=host)
    found = resolver.functions(dsos) if dso is None else resolver.functions_of(dso, places[0])
    if found.is_empty():
        message = f"{places[0]}: expected a binary that a profile names, got none (give --dso)"
        raise PerfduckError(message)
    store.execute("begin")
    functions.keep(store, found)
    store.execute("commit")
    counted = found.group_by("dso").agg(pl.col("build_id").first(), pl.len().alias("functions"))
    return counted.sort("dso")


def _tagged(store: Store, tagger: Tagger, symbols: pl.DataFrame) -> pl.DataFrame:
    tagger.know(functions.known(store, symbols["dso"].unique()))
    tagged = tagger.tag(symbols)
    functions.keep(store, tagger.fresh)
    return tagged


def _kept(old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """The old tag where kallsyms or debug information gave it and nothing better is there now."""
    before = old.select("symbol_id", *(pl.col(name).alias(f"{name}_old") for name in TAG_COLUMNS))
    both = new.join(before, on="symbol_id", how="left", maintain_order="left")
    worse = pl.col("tagged_by_old").is_in(OF_FILES) & ~pl.col("tagged_by").is_in(
        ["user-rule", "rule", *OF_FILES]
    )
    return both.with_columns(
        pl.when(worse).then(f"{name}_old").otherwise(name).alias(name) for name in TAG_COLUMNS
    ).select(new.columns)

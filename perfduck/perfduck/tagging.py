"""Tags in the store: of new symbols at ingest, with what is worked out of them, and of all symbols
again when more is known.

What the user gives to tag by is read once for all recordings of a command; functions of ELF files
that were read for an earlier one come from the store.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from perfduck_model.errors import PerfduckError, SymbolError
from perfduck_model.small_file import UserFile
from perfduck_model.words import listed
from perfduck_store.protocol import Store
from perfduck_store.records import TagInput, TagInputKind
from perfduck_symbols import names
from perfduck_symbols.elf_header import MAGIC
from perfduck_symbols.files import HostFiles
from perfduck_symbols.kallsyms import Kallsyms
from perfduck_symbols.kernel_files import KernelFiles
from perfduck_symbols.resolver import FUNCTIONS, BinaryResolver
from perfduck_tags import rule_file
from perfduck_tags.blame import INTERRUPTS_OFF, blame, interrupts_off
from perfduck_tags.methods import OF_FILES, TAG_COLUMNS
from perfduck_tags.tagger import Tagger


@dataclass(frozen=True, slots=True)
class TaggingSources:
    """What the user gives to tag by."""

    rules: UserFile | None = None
    kallsyms: UserFile | None = None
    binaries: tuple[Path, ...] = ()  # vmlinux, modules, programs, or directories of them
    host_files: HostFiles | None = None  # where debug files of the binaries may be, too


def with_kept(store: Store, known: TaggingSources, release: str | None = None) -> TaggingSources:
    """What the user gives, and what the store keeps in place of what is not given: rules, and where
    `release` says of which kernel, kallsyms."""
    if known.rules is None:
        known = replace(known, rules=_kept_file(store, "rules"))
    if known.kallsyms is None and release is not None:
        known = replace(known, kallsyms=_kept_file(store, "kallsyms", release))
    return known


def _kept_file(store: Store, kind: TagInputKind, release: str = "") -> UserFile | None:
    return file_of_kept(store.tag_inputs.kept(kind, release))


def file_of_kept(kept: TagInput | None) -> UserFile | None:
    """What a store keeps, as the file that it was."""
    return None if kept is None else UserFile(Path(kept.source), len(kept.content), kept.content)


def keep_inputs(store: Store, known: TaggingSources, release: str | None) -> tuple[str, ...]:
    """Keep the rules and kallsyms that are given, in a transaction of the caller; what that changed
    in words."""
    rules = _keep(store, "rules", known.rules)
    done = [
        rules and f"{rules} (perfduck tag applies them to what is stored)",
        _keep(store, "kallsyms", known.kallsyms, release or ""),
    ]
    return tuple(change for change in done if change)


def _keep(store: Store, kind: TagInputKind, file: UserFile | None, release: str = "") -> str | None:
    if file is None:
        return None
    return store.tag_inputs.keep(kind, str(file.path), file.content, release)


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
        kernel_files=kernel_files,
        binaries=known.binaries,
        earlier=earlier,
        host_files=known.host_files,
    )


def check_kallsyms(kernel_files: KernelFiles, symbols: pl.DataFrame) -> None:
    """Raise SymbolError where the kallsyms that are given are of another kernel than the functions
    of a recording, or of another boot than its addresses without a name: [name, dso, address]."""
    if kernel_files.kallsyms is None:
        return
    kinds = names.binaries(symbols["dso"])
    of_vmlinux = kinds.filter(pl.col("kind") == "kernel", pl.col("module").is_null())
    recorded = symbols.join(of_vmlinux, on="dso", how="semi")
    functions = _check_names(kernel_files, recorded)
    nameless = _nameless(recorded)["address"].unique()
    listed = kernel_files.symbols if len(nameless) > len(functions) else None
    if listed is not None and not listed.has_most(nameless):
        reason = (
            "expected kallsyms of the recorded boot, got those of another one: most of"
            f" {len(nameless):,} kernel addresses of the recording are in none of its functions"
        )
        raise SymbolError.in_file(kernel_files.kallsyms.path, None, reason)


def _check_names(kernel_files: KernelFiles, of_kernel: pl.DataFrame) -> pl.Series:
    """The functions of vmlinux; raise SymbolError where the kallsyms are of another kernel."""
    functions = of_kernel.filter(pl.col("name") != names.UNKNOWN)["name"].unique()
    kernel_files.check(functions.filter(~functions.str.starts_with("bpf_")))
    return functions


def _nameless(symbols: pl.DataFrame) -> pl.DataFrame:
    return symbols.filter(pl.col("name") == names.UNKNOWN, pl.col("address").is_not_null())


def main_release(store: Store) -> str | None:
    """The kernel release of most profiles: all symbols are tagged by its kallsyms and catalogue."""
    counted = Counter(each.kernel_release for each in store.profiles.all() if each.kernel_release)
    return min(counted, key=lambda release: (-counted[release], release), default=None)


@dataclass(frozen=True, slots=True)
class Tagged:
    """How many symbols got another tag, and by which rules and kallsyms, in words."""

    changed: int
    used: tuple[str, ...]


def tag_again(
    store: Store, given: TaggingSources, forgotten: Sequence[TagInputKind] = ()
) -> Tagged:
    """Tag every symbol and charge every stack again, by what is given and what the store keeps but
    for the kinds that are forgotten. What is given is kept."""
    release = main_release(store)
    with store.transaction():
        for kind in forgotten:
            if not store.tag_inputs.forget(kind):
                expected = f"{kind} that the store keeps"
                raise PerfduckError.at(where=f"--forget-{kind}", expected=expected, got="none")
        known = with_kept(store, given, release or "")
        old = store.symbols.all()
        recorded = store.symbols.of_kernel(release or "")
        kernel_files = KernelFiles(known.kallsyms)
        if given.kallsyms is not None:
            _check_names(kernel_files, recorded)
        tagger = tagger_of(known, release, kernel_files, old)
        foreign = _of_other_boots(tagger.symbols, recorded)
        new = _tagged(
            store, tagger, _without_addresses(old, recorded, foreign).drop(TAG_COLUMNS)
        ).with_columns(old["address"])
        kept = _kept(old, new) if known.kallsyms is None else new
        store.symbols.replace_tags(kept, blame(store.symbols.stacks(), kept))
        keep_inputs(store, given, release)
        changed = len(kept) - len(kept.join(old, on=kept.columns, how="semi", nulls_equal=True))
        unused = unused_files(tagger, given.binaries, old["dso"].unique())
        return Tagged(changed, (*_used(given, known, len(foreign)), *unused))


def unused_files(tagger: Tagger, binaries: Sequence[Path], dsos: Iterable[str]) -> tuple[str, ...]:
    """In words, the ELF files that are given, where none is one of these binaries."""
    if not binaries or len(tagger.functions(dsos)):
        return ()
    return (f"{listed([str(each) for each in binaries], 3)}: no recorded binary is there",)


def _of_other_boots(listed: Kallsyms | None, recorded: pl.DataFrame) -> list[int]:
    """The profiles whose kernel was at another address, by addresses without a name."""
    if listed is None:
        return []
    profiles = _nameless(recorded).partition_by("profile_id", as_dict=True)
    return [int(key) for (key,), rows in profiles.items() if not listed.has_most(rows["address"])]


def _without_addresses(
    symbols: pl.DataFrame, recorded: pl.DataFrame, foreign: list[int]
) -> pl.DataFrame:
    """The symbols, without kernel addresses that only other releases and foreign profiles have."""
    own = recorded.filter(~pl.col("profile_id").is_in(foreign))["symbol_id"].unique()
    is_own = (pl.col("dso") != names.KERNEL) | pl.col("symbol_id").is_in(own.implode())
    return symbols.with_columns(pl.when(is_own).then("address"))


def _used(given: TaggingSources, known: TaggingSources, foreign: int) -> Iterator[str]:
    if known.rules:
        yield f"rules {known.rules.path}{'' if given.rules else ', as given before'}"
    if known.kallsyms:
        yield f"kallsyms {given.kallsyms.path if given.kallsyms else 'as given before'}"
    if foreign:
        yield f"not for kernel addresses of {foreign} profile{'s' * (foreign > 1)} of another boot"


def add_files(
    store: Store, places: Sequence[Path], dso: str | None = None, host: HostFiles | None = None
) -> pl.DataFrame:
    """Keep the functions of the ELF files that the store's binaries have there. [dso, build_id,
    functions] of what was found; with `dso` the one file is that binary's."""
    for place in places:
        if not place.exists():
            raise PerfduckError.at(place, expected="an ELF file or a directory", got="no such file")
    dsos = store.symbols.all()["dso"].unique().to_list()
    resolver = BinaryResolver(places, host=host)
    functions = resolver.functions(dsos) if dso is None else resolver.functions_of(dso, places[0])
    if functions.is_empty():
        got = "none (give --dso)" if dso is None else "none"
        if places[0].is_file():
            with places[0].open("rb") as file:
                got = got if file.read(len(MAGIC)) == MAGIC else "no ELF file"
        raise PerfduckError.at(places[0], expected="a binary that a profile names", got=got)
    with store.transaction():
        store.symbols.keep_functions(functions)
    counted = functions.group_by("dso").agg(pl.col("build_id").first(), pl.len().alias("functions"))
    return counted.sort("dso")


def _tagged(store: Store, tagger: Tagger, symbols: pl.DataFrame) -> pl.DataFrame:
    tagger.know(store.symbols.functions_of(symbols["dso"].unique()))
    tagged = tagger.tag(symbols)
    store.symbols.keep_functions(tagger.fresh)
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


@dataclass(frozen=True, slots=True)
class Annotation:
    """Tags some symbols; no store is needed any more."""

    tagger: Tagger
    symbols: pl.DataFrame  # SYMBOL
    stored: frozenset[str]  # dsos whose functions the store has
    functions: pl.DataFrame  # of ELF files that were read before

    def tags(self) -> pl.DataFrame:
        """The symbols as rows of table symbol."""
        return self.tagger.tag(self.symbols)

    def fresh_functions(self) -> pl.DataFrame:
        """Functions of the symbols' binaries that were read from files, for the store to keep."""
        dso = pl.col("dso")
        of_symbols = dso.is_in(self.symbols["dso"].unique().implode())
        read = pl.concat([self.functions, self.tagger.fresh])
        return read.filter(of_symbols, ~dso.is_in(list(self.stored)))


class Annotator:
    """Makes annotations for one recording after the other."""

    def __init__(
        self,
        given: TaggingSources,
        kernel_files: KernelFiles,
        functions: pl.DataFrame | None = None,
    ) -> None:
        """What the user gives; rules and kallsyms that a store keeps stand in for none.
        `functions`: of ELF files that another process has read, for the store to keep. SymbolError
        where a file is not what it should be: a stored recording asks for none of them."""
        if given.rules is not None:
            rule_file.read(given.rules)
        _ = kernel_files.symbols
        self.given = given
        self._functions = pl.DataFrame(schema=FUNCTIONS) if functions is None else functions
        self._kernel_files = kernel_files
        self._taggers: dict[tuple[str | None, str | None], Tagger] = {}

    def annotation(self, store: Store, symbols: pl.DataFrame, release: str | None) -> Annotation:
        """What tags these symbols of a kernel, with what the store knows."""
        tagger = self._tagger(store, release)
        stored = frozenset(store.symbols.known_binaries(symbols["dso"].unique()))
        if missing := tagger.unknown(stored):
            tagger.know(store.symbols.functions_of(missing))
        tagger.know(self._functions)
        return Annotation(tagger, symbols, stored, self._functions)

    def _tagger(self, store: Store, release: str | None) -> Tagger:
        given = self.given
        kept = None if given.rules else store.tag_inputs.content_hash("rules")
        if (release, kept) not in self._taggers:
            known = with_kept(store, given)
            self._taggers[release, kept] = tagger_of(known, release, self._kernel_files)
        return self._taggers[release, kept]


def note_artefacts(store: Store, profile_id: int) -> None:
    """Keep which functions of a new profile only look hot, in a transaction of the caller."""
    # Few functions are listed: to read them all, and all offsets, takes twice as long.
    leaves = store.symbols.called(INTERRUPTS_OFF)
    offsets = store.symbols.leaf_offsets(profile_id, leaves["symbol_id"])
    artefacts = interrupts_off(offsets, leaves)
    store.symbols.keep_artefacts(profile_id, artefacts)

"""Tags of new symbols at ingest, and what is worked out of them.

What the user gives to tag by is read once for all recordings of a command; functions of ELF files
that were read for an earlier one come from the store.
"""

from dataclasses import dataclass

import polars as pl

from perfduck.tagging import TaggingSources, tagger_of, with_kept
from perfduck_store.protocol import Store
from perfduck_symbols.kernel_files import KernelFiles
from perfduck_symbols.resolver import FUNCTIONS
from perfduck_tags import rule_file
from perfduck_tags.blame import INTERRUPTS_OFF, interrupts_off
from perfduck_tags.tagger import Tagger


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

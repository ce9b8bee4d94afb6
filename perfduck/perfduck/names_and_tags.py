"""Tags of symbols, why they are what they are, and the ELF files that name functions."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from perfduck.opening import StorePlace
from perfduck.options import TagSources, file_of, path_of, places_of, refuse_others
from perfduck.tables import Table
from perfduck.tagging import Tagged, TaggingSources, add_files, tag_again, tagger_of, with_kept
from perfduck_ingest.kernel_release import checked_release
from perfduck_model.errors import PerfduckError
from perfduck_model.words import listed
from perfduck_report import tables
from perfduck_report.names import visible, visible_lines
from perfduck_report.numbers import many
from perfduck_report.screen import PIPE, Screen
from perfduck_store.protocol import Store
from perfduck_store.records import TagInputKind
from perfduck_symbols import kallsyms
from perfduck_symbols.file_finder import check_places
from perfduck_symbols.files import HostFiles
from perfduck_symbols.kernel_files import KernelFiles
from perfduck_symbols.names import binary
from perfduck_tags import explain as explanations
from perfduck_tags import rule_file
from perfduck_tags.catalogue import versions
from perfduck_tags.explain import Explanation


@dataclass(frozen=True, slots=True)
class TagResult:
    """How many symbols got a different tag, and by which rules and kallsyms."""

    data: Tagged

    @property
    def changed(self) -> int:
        """Symbols that got a different tag."""
        return self.data.changed

    def to_text(self) -> str:
        """A line."""
        used = f" ({visible(', '.join(self.data.used))})" if self.data.used else ""
        return f"{many(self.data.changed, 'symbol')} got a different tag{used}\n"

    def __str__(self) -> str:
        return self.to_text()


@dataclass(frozen=True, slots=True)
class ExplainResult:
    """Why a function has its tag; `data`: source file, method, rule and alternatives."""

    data: Explanation

    def to_text(self) -> str:
        """As the command prints it."""
        return visible_lines(explanations.text(self.data))

    def to_json(self) -> str:
        """One object."""
        return explanations.as_json(self.data)

    def __str__(self) -> str:
        return self.to_text()


def tag(file: StorePlace, sources: TagSources, forget: Sequence[TagInputKind]) -> TagResult:
    """Tag all symbols and blame all stacks again."""
    given = _given(sources)
    for kind in forget:
        if getattr(given, kind):
            message = f"--forget-{kind}: expected no --{kind} beside it, which replaces them"
            raise PerfduckError(message)
    with file.write() as store:
        return TagResult(tag_again(store, given, forget))


def explain(
    file: StorePlace | None, symbol: str, dso: str, release: str | None, sources: TagSources
) -> ExplainResult:
    """Why a function has its tag; rules and kallsyms that the store keeps apply where there is a
    store and none are given."""
    for what, value in (("a function", symbol), ("--dso", dso)):
        _refuse_empty(what, value)
    if release is not None:
        _check_kernel(f"--release {checked_release(release, '--release')}", dso)
    inputs = _given(sources)
    for name in ("kallsyms", "vmlinux"):
        if sources.get(name) is not None:
            _check_kernel(f"--{name} {sources.get(name)}", dso)
    with nullcontext() if file is None else file.read() as store:
        if store is not None:
            inputs = with_kept(store, inputs, release)
        tagger = tagger_of(inputs, release, KernelFiles(inputs.kallsyms))
        if inputs.binaries and tagger.functions([dso]).is_empty():
            places = listed([str(each) for each in inputs.binaries], 3)
            raise PerfduckError.at(places, expected=f"the binary {dso}", got="others or none")
        explanation = explanations.explain(tagger, symbol, dso)
        if store is not None and not tagger.has_function(symbol, dso):
            _check_known(store, explanation)
        return ExplainResult(explanation)


def _check_known(store: Store, explanation: Explanation) -> None:
    """Refuse a function that neither the store, a rule nor a catalogued kernel knows; of a program,
    one of a binary that they do not know."""
    name, dso = explanation.name, explanation.dso
    if not explanation.is_of_anything or store.symbols.is_known(name):
        return
    is_of_kernel = binary(dso)[0] in ("kernel", "guest")
    if not is_of_kernel and dso in store.symbols.all()["dso"]:
        return
    near = explanation.nearest or store.symbols.similar(name)
    who = f", a rule or a kernel ({', '.join(versions())})" if is_of_kernel else " or a rule"
    expected = f"a function of {dso} that the store{who} knows"
    got = f"none{f' (did you mean {near}?)' if near else ''}"
    raise PerfduckError.at(where=f"explain {name}", expected=expected, got=got)


def _check_kernel(option: str, dso: str) -> None:
    if binary(dso)[0] not in ("kernel", "guest"):
        expected = "a function of the kernel"
        raise PerfduckError.at(where=option, expected=expected, got=f"one of {dso}")


def _refuse_empty(what: str, value: str | None) -> None:
    if value == "":
        raise PerfduckError.at(where=what, expected="a name", got="nothing")


def _given(sources: TagSources) -> TaggingSources:
    refuse_others(sources, TagSources)
    vmlinux, places = path_of(sources.get("vmlinux")), places_of(sources.get("symbols"))
    check_places(places)
    binaries = (*((vmlinux,) if vmlinux else ()), *places)
    return TaggingSources(
        file_of(sources.get("rules"), rule_file.file_of),
        file_of(sources.get("kallsyms"), kallsyms.file_of),
        binaries,
        host_files=HostFiles(),
    )


def add_symbols(file: StorePlace, places: Sequence[Path], dso: str | None) -> Table:
    """Keep the functions of ELF files."""
    _refuse_empty("--dso", dso)
    if dso is not None and (len(places) > 1 or places[0].is_dir()):
        raise PerfduckError.at(
            where=f"--dso {dso}", expected="one file that is this binary", got="several"
        )
    with file.write(create=True) as store:
        return Table(add_files(store, places, dso, HostFiles()), _added)


def _added(rows: tables.Answer, _: Screen = PIPE) -> str:
    return "".join(
        f"{visible(name)}: {many(count, 'function')}, build-id {build_id or 'none'}\n"
        for name, build_id, count in rows.rows()
    )


def symbols(file: StorePlace) -> Table:
    """The binaries whose functions are kept."""
    with file.read() as store:
        return Table(store.symbols.binaries(), _kept)


def _kept(rows: tables.Answer, screen: Screen = PIPE) -> str:
    if not rows.rows():
        return "no binaries yet: perfduck symbols add FILE keeps the functions of one\n"
    return tables.text(rows, screen)

"""Why a function has its tag.

__siphash_unaligned ([kernel.kallsyms])
  subsystem  siphash (crypto), helper: passes the blame up to its caller
  class      other
  source     lib/siphash.c
  method     catalogue: the source file in kernels that are catalogued
  rule       source lib/siphash.c (path_rules.csv:338)
  release    9.9 is not catalogued: as in 7.2, the nearest of 5.10, 6.1 and 7.2
"""

import json
import re
from dataclasses import asdict, dataclass
from difflib import get_close_matches

import polars as pl

from perfduck_symbols import names
from perfduck_tags import catalogue
from perfduck_tags.methods import INEXACT, METHODS
from perfduck_tags.tagger import Tagger

_ALTERNATIVE = ["method", "source", "area", "subsystem", "role", "rule"]


@dataclass(frozen=True, slots=True)
class Alternative:
    """A source file or module that might own the function, and what tag that would give."""

    method: str
    source_file: str | None
    area: str
    subsystem: str
    role: str
    rule: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A function's tag, what decided it, and what else might have; aliases are its other names."""

    name: str
    dso: str
    canonical: str
    source_file: str | None
    area: str
    subsystem: str
    role: str
    of_class: str
    method: str
    rule: str | None
    aliases: tuple[str, ...]
    alternatives: tuple[Alternative, ...]
    release: str | None = None  # that was asked for, and the nearest that is catalogued
    catalogued_as: str | None = None
    unknown: str | None = None  # where no catalogued kernel has it and no file named it
    nearest: str | None = None  # a name that may have been meant then

    @property
    def is_of_anything(self) -> bool:
        """Whether the tag is what any other name would get."""
        is_of_kernel = names.binary(self.dso)[0] in ("kernel", "guest")
        return self.unknown is not None if is_of_kernel else self.rule is None


def explain(
    tagger: Tagger, name: str, dso: str = "[kernel.kallsyms]", address: int | None = None
) -> Explanation:
    """Why a symbol has its tag."""
    schema = {"name": pl.String, "dso": pl.String, "address": pl.Int64}
    symbols = pl.DataFrame([(name, dso, address)], schema=schema, orient="row")
    work, decided = tagger.work(symbols), tagger.decide(symbols).row(0, named=True)
    kind, _ = names.binary(dso)
    rule = decided["rule"]
    is_guess = kind in ("kernel", "guest") and decided["tagged_by"] in INEXACT
    unknown, nearest = _unknown(decided["canonical"]) if is_guess else (None, None)
    return Explanation(
        name=name, dso=dso, canonical=decided["canonical"], source_file=decided["source_file"],
        area=decided["area"], subsystem=decided["subsystem"], role=decided["role"],
        of_class=decided["class"], method=decided["tagged_by"],
        rule=None if rule is None else tagger.rules_of(kind).all[rule].describe(),
        aliases=tuple(tagger.symbols.aliases(name)) if tagger.symbols else (),
        alternatives=_alternatives(tagger, work) if kind in ("kernel", "guest") else (),
        release=tagger.release,
        catalogued_as=tagger.release and catalogue.nearest(catalogue.versions(), tagger.release)[0],
        unknown=unknown, nearest=nearest,
    )  # fmt: skip


def _unknown(name: str) -> tuple[str | None, str | None]:
    """That no catalogued kernel has such a function, and the nearest name of those that begin
    like it and are about as long: to compare all 100,000 names takes seconds."""
    functions = catalogue.shipped().functions["name"].unique()
    if (functions == name).any():
        return None, None
    length = functions.str.len_chars().cast(pl.Int64) - len(name)
    near = (
        functions.filter(functions.str.starts_with(name[:2]) & (length.abs() <= 3)).sort().to_list()
    )
    nearest = next(iter(get_close_matches(name, near, n=1, cutoff=0.8)), None)
    return f"no such function is known{f'; did you mean {nearest}?' if nearest else ''}", nearest


def _alternatives(tagger: Tagger, work: pl.DataFrame) -> tuple[Alternative, ...]:
    """Every possibility, the most trusted first."""
    kernel = tagger.kernel_of(work["dso"])
    possible = kernel.possible(kernel.named(work)).filter(pl.col("rule").is_not_null()).sort("rank")
    rules = tagger.rules_of("kernel").all
    distinct = possible.select(_ALTERNATIVE).unique(maintain_order=True)
    return tuple(
        Alternative(method, source, area, subsystem, role, rules[rule].describe())
        for method, source, area, subsystem, role, rule in distinct.iter_rows()
    )


def text(tag: Explanation) -> str:
    """A tag as people read it."""
    lines = [f"{tag.name} ({tag.dso})"]
    if tag.unknown is not None:
        lines.append(f"  unknown    in {', '.join(catalogue.versions())}: {tag.unknown}")
    if tag.canonical != tag.name:
        lines.append(f"  canonical  {tag.canonical}")
    lines += [
        f"  subsystem  {tag.subsystem} ({tag.area}), {tag.role}: {_ROLES[tag.role]}",
        f"  class      {tag.of_class}",
        f"  source     {tag.source_file or 'not known'}",
        f"  method     {tag.method}: {METHODS[tag.method].says}",
        f"  rule       {tag.rule or 'none'}",
    ]
    lines += _release(tag)
    lines += [f"  alias      {alias}" for alias in tag.aliases]
    lines += [
        f"  possible   {other.subsystem}: {other.method}, {other.source_file or other.rule}"
        for other in tag.alternatives
    ]
    return "\n".join(lines) + "\n"


def _release(tag: Explanation) -> list[str]:
    """Which catalogued kernel is used in place of the one that was asked for."""
    if tag.release is None or tag.catalogued_as is None:
        return []
    releases = catalogue.versions()
    exact = re.match(rf"{re.escape(tag.catalogued_as)}(?![0-9])", tag.release)
    hint = "" if exact else f", the nearest of {', '.join(releases[:-1])} and {releases[-1]}"
    is_known = "is" if exact else "is not"
    return [f"  release    {tag.release} {is_known} catalogued: as in {tag.catalogued_as}{hint}"]


_ROLES = {
    "domain": "is blamed for what it calls",
    "helper": "passes the blame up to its caller",
    "context": "stops the blame of what runs on top of it",
}


def as_json(tag: Explanation) -> str:
    """A tag as a program reads it."""
    fields = {"class" if name == "of_class" else name: v for name, v in asdict(tag).items()}
    return json.dumps(fields, indent=2) + "\n"


FORMATS = {"text": text, "json": as_json}

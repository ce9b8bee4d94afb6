"""Compares the OProfile importers with what opreport printed, over a directory of recordings.

    DIR/kallsyms.gz (or .xz)             /proc/kallsyms of the boot, for all recordings
    DIR/pod-flat-q/session.tar.gz        oprofile_data as operf wrote it
    DIR/pod-flat-q/reports/l-w-f.out.gz  standard output of `opreport -l -w -f`

    python bench/oprofile_oracle.py DIR [--symbols SYSROOT] [--verbose]

Compared, row by row, all rows: counts per (image, application, symbol, start of the symbol) with
-l; counts per (application, image) with the summary; the sum of the sample files with operf.log;
the groups of -c with the {cg} files; text with XML with sample files. An image whose file is not
below SYSROOT has no names here: of it the sums are compared.
"""

import argparse
import io
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import polars as pl

from perfduck_ingest.importer import Importer, ImportOptions
from perfduck_ingest.oprofile import names, session_importer, text_importer, xml_importer
from perfduck_ingest.oprofile.report_columns import ReportRows, header_columns
from perfduck_ingest.oprofile.report_header import ReportHeader
from perfduck_ingest.source import Source
from perfduck_model.batch import Batch
from perfduck_symbols.names import UNKNOWN

Row = tuple[str, ...]


def opened(path: Path) -> Source:
    return Source(str(path), None if path.is_dir() else io.BytesIO(path.read_bytes()))


@dataclass
class Result:
    """How many rows were compared in one way, and which differ."""

    compared: int = 0
    differing: list[str] = field(default_factory=list)
    note: str = ""

    def __str__(self) -> str:
        if not self.compared:
            return "-"
        bad = f", {len(self.differing)} DIFFER" if self.differing else ""
        return f"{self.compared} equal{bad}{self.note}" if not bad else f"{self.compared}{bad}"


def compare(ours: Counter[Row], theirs: Counter[Row]) -> Result:
    """Multisets of rows."""
    differing = [f"only ours {row}" for row in (ours - theirs).elements()]
    differing += [f"only theirs {row}" for row in (theirs - ours).elements()]
    return Result(sum(theirs.values()), differing)


class Recording:
    """A recording, its reports, and what our readers make of it."""

    def __init__(self, folder: Path, kallsyms: Path, symbols: tuple[Path, ...]) -> None:
        self.folder = folder
        options = ImportOptions(kallsyms=kallsyms, symbol_dirs=symbols)
        session = folder / "session.tar.gz"
        source = opened(session if session.exists() else folder / "oprofile_data")
        self.read = session_importer.open_recording(source, options)
        self.read.namer.dynamic = False  # opreport takes no names from .dynsym
        # opreport shows {kern}/kdamond.0 as /kdamond.0, and JIT code as the file of its session
        rooted = (
            pl.when(pl.col("app").str.starts_with("/")).then("app").otherwise("/" + pl.col("app"))
        )
        jit = pl.col("image").str.replace(r"^\{.*/", "/")
        self.hits = self.read.hits().with_columns(app=rooted, image=jit)
        self.arcs = self.read.arcs()
        # Files of another build than the recorded ones name other functions
        self.changed = set(self.read.namer.changed)
        self.events = list(self.read.facts().events)
        unknown = pl.col("name") == UNKNOWN
        named = self.hits.filter(~unknown)
        self.with_names = (set(named["image"].unique()) | set(self._arc_images())) - self.changed

    def _arc_images(self) -> Iterable[str]:
        for side in ("caller", "callee"):
            named = self.arcs.filter(pl.col(f"{side}_name") != UNKNOWN)
            yield from named[f"{side}_image"].unique()

    def report(self, *shapes: str) -> Path | None:
        """The first of the shapes that opreport printed."""
        for shape in shapes:
            for ending in (".out", ".out.gz"):
                path = self.folder / "reports" / (shape + ending)
                if path.exists() and path.stat().st_size:
                    return path
        return None

    def lines(self, path: Path) -> list[str]:
        text = b"".join(opened(path).chunks(1 << 20)).decode("utf-8", "replace")
        return text.splitlines()


def column_names(lines: list[str]) -> list[str]:
    """The events of the columns of a report."""
    header = ReportHeader()
    for line in lines[:40]:
        header.take(line)
    return [counter.event for counter, _ in header.columns(max(len(header.counters), 1))]


def totals(recording: Recording) -> Result:
    """The sample files against operf.log."""
    said = recording.read.session.log().samples
    return compare(Counter([(str(recording.read.samples()),)]), Counter([(str(said),)]))


def summary(recording: Recording) -> Result:
    """Applications and images against `opreport -f`."""
    path = recording.report("opreport-f", "opreport", "opreport-merge-tgid,cpu")
    if path is None:
        return Result()
    base = not path.name.startswith("opreport-f")
    short = (
        (lambda name: PurePosixPath(name).name if name.startswith("/") else name) if base else str
    )
    lines = recording.lines(path)
    events = column_names(lines)
    theirs: Counter[Row] = Counter()
    app = ""
    apps: Counter[Row] = Counter()
    for line in lines:
        cells = line.split(maxsplit=2 * len(events))
        if len(cells) <= 2 * len(events) or not all(
            cell.isdecimal() for cell in cells[: 2 * len(events) : 2]
        ):
            continue
        counts = cells[: 2 * len(events) : 2]
        if line.startswith("\t"):
            theirs[(app, cells[-1], *counts)] += 1
        else:
            app = cells[-1]
            apps[(app, *counts)] += 1
    per_app = _table(recording.hits, ["app"], events, short)
    per_image = _table(recording.hits, ["app", "image"], events, short)
    several = {row[0] for row in theirs}
    shown = Counter({row: n for row, n in per_image.items() if row[0] in several})
    return compare(shown + per_app, theirs + apps)


def _table(hits: pl.DataFrame, keys: list[str], events: list[str], short=str) -> Counter[Row]:  # type: ignore[no-untyped-def]
    wide = hits.group_by(*keys, "event").agg(pl.col("count").sum())
    wide = wide.pivot("event", index=keys, values="count").fill_null(0)
    wide = wide.with_columns(
        pl.lit(0).alias(event) for event in events if event not in wide.columns
    )
    rows = wide.select(*keys, *events).iter_rows()
    return Counter(
        (*(short(key) for key in row[: len(keys)]), *(str(n) for n in row[len(keys) :]))
        for row in rows
    )


def listing(recording: Recording) -> tuple[Result, Result]:
    """Rows of -l with names, and sums of images without: of theirs, and dropped by them."""
    path = recording.report("l-w-f", "l-w", "l", "l-merge-tgid,cpu")
    if path is None:
        return Result(), Result()
    lines = recording.lines(path)
    events = column_names(lines)
    base = "-f." not in path.name
    hits = recording.hits
    if base:
        hits = hits.with_columns(_base("image"), _base("app"))
    named_images = _with_names(recording, base=base)
    theirs: Counter[Row] = Counter()
    sums: Counter[Row] = Counter()
    everything: dict[Row, list[int]] = {}
    only_app = hits["app"].unique().to_list()
    for row in _rows(lines):
        app = row.app or only_app[0]
        image = row.image or app
        name = names.unversioned(row.symbol)
        if image in named_images:
            theirs[(image, app, name, str(row.vma), *map(str, row.counts))] += 1
        else:
            total = everything.setdefault((image, app), [0] * len(events))
            everything[(image, app)] = [a + b for a, b in zip(total, row.counts, strict=True)]
    for key, counts in everything.items():
        sums[(*key, *map(str, counts))] += 1
    with_vma = path.name.startswith("l-w")
    ours = _named(
        recording, hits.filter(pl.col("image").is_in(list(named_images))), events, with_vma
    )
    rest = _table(hits.filter(~pl.col("image").is_in(list(named_images))), ["image", "app"], events)
    images = compare(rest, sums)
    lower = [row for row in images.differing if row.startswith("only theirs")]
    # opreport drops what is in no symbol of an image with symbols: not visible without it
    images.note = f" ({len(lower)} lower in -l)" if lower else ""
    images.differing = [row for row in _too_high(rest, sums, len(events))]
    return compare(ours, theirs), images


def _with_names(recording: Recording, *, base: bool) -> set[str]:
    """Images with names here; by base name only if all images of that name have them."""
    if not base:
        return recording.with_names
    without = set(recording.hits["image"].unique()) - recording.with_names
    return {_short(i) for i in recording.with_names} - {_short(i) for i in without}


def _short(image: str) -> str:
    return PurePosixPath(image).name if image.startswith("/") else image


def _too_high(ours: Counter[Row], theirs: Counter[Row], width: int) -> list[str]:
    """Images of which opreport lists more than the sample files hold."""
    held = {row[:2]: [int(n) for n in row[2:]] for row in ours}
    bad = []
    for row in theirs:
        mine = held.get(row[:2], [0] * width)
        if any(int(n) > m for n, m in zip(row[2:], mine, strict=True)):
            bad.append(f"theirs {row} ours {mine}")
    return bad


def _base(column: str) -> pl.Expr:
    return (
        pl.when(pl.col(column).str.starts_with("/"))
        .then(pl.col(column).str.split("/").list.last())
        .otherwise(column)
        .alias(column)
    )


def _rows(lines: list[str]):  # type: ignore[no-untyped-def]
    reader = None
    for line in lines:
        found = header_columns(line)
        if found:
            reader = ReportRows(found[0])
        elif reader is not None and (row := reader.parse(line)) is not None:
            yield row


def _named(
    recording: Recording, hits: pl.DataFrame, events: list[str], with_vma: bool
) -> Counter[Row]:
    """Rows as -l -w has them. The vma is the key of the symbol: for a file its address."""
    hits = hits.filter(pl.col("name") != UNKNOWN)
    keys = ["image", "app", "name"]
    start = (pl.col("key") - pl.col("offset")).cast(pl.String)
    table = _table(hits.with_columns(start=start), [*keys, "start"], events)
    if with_vma:
        return table
    return Counter((*row[:3], "None", *row[4:]) for row in table.elements())


def callgraph(recording: Recording) -> Result:
    """Arcs of -c, by the base names of images, and what of ours opreport leaves out."""
    path = recording.report("c")
    if path is None:
        return Result()
    (batch,) = text_importer.open(opened(path)).batches(ImportOptions())
    theirs = _edges(batch.edges, batch.symbols)
    arcs = recording.arcs.with_columns(_base("caller_dso"), _base("callee_dso"))
    # opreport calls every range of memory anon when it is called
    arcs = arcs.with_columns(pl.col("caller_dso", "callee_dso").replace("[vdso]", "anon"))
    ours: Counter[Row] = Counter()
    keys = ["caller_name", "caller_dso", "callee_name", "callee_dso"]
    for *arc, count in arcs.group_by(keys).agg(pl.col("count").sum()).iter_rows():
        ours[tuple(arc)] += count
    known = {PurePosixPath(names.dso_of_text(image)).name for image in recording.with_names}
    comparable = {arc: n for arc, n in theirs.items() if {arc[1], arc[3]} <= known}
    mine = {arc: n for arc, n in ours.items() if {arc[1], arc[3]} <= known and UNKNOWN not in arc}
    differing = [
        f"{arc}: ours {mine.get(arc)}, theirs {n}"
        for arc, n in comparable.items()
        if mine.get(arc) != n
    ]
    differing += [
        f"{arc}: ours {n}, theirs none" for arc, n in mine.items() if arc not in comparable
    ]
    sums = _by_image(theirs, known), _by_image(ours, known)
    higher = [
        f"{arc}: ours {sums[1][arc]}, theirs {n}" for arc, n in sums[0].items() if n > sums[1][arc]
    ]
    same = sum(n == sums[1][arc] for arc, n in sums[0].items())
    others = len(theirs) - len(comparable)
    note = (
        f" ({len(theirs)} arcs, of {others} without names here {same} of {len(sums[0])} sums equal)"
    )
    return Result(len(comparable), differing + higher, note if others else "")


def _by_image(arcs: Counter[Row], known: set[str]) -> Counter[Row]:
    """Sums of the arcs of which one side has no names here, that side by its image alone."""
    found: Counter[Row] = Counter()
    for (caller, caller_dso, callee, callee_dso), n in arcs.items():
        if not {caller_dso, callee_dso} <= known:
            left = caller if caller_dso in known else "*"
            right = callee if callee_dso in known else "*"
            found[(left, caller_dso, right, callee_dso)] += n
    return found


def _edges(edges: pl.DataFrame, symbols: pl.DataFrame) -> Counter[Row]:
    by_id = {row[0]: (row[1], PurePosixPath(row[2]).name) for row in symbols.iter_rows()}
    found: Counter[Row] = Counter()
    for row in edges.iter_rows(named=True):
        found[(*by_id[row["caller_id"]], *by_id[row["callee_id"]])] += row["count"]
    return found


def _functions(batch: Batch, *, comm: bool) -> Counter[Row]:
    by_id = {row[0]: row[1:3] for row in batch.symbols.iter_rows()}
    leaf = {stack: ids[0] for stack, ids in batch.stacks.iter_rows()}
    found: Counter[Row] = Counter()
    for row in batch.samples.iter_rows(named=True):
        name, dso = by_id[leaf[row["stack_id"]]]
        found[(row["event"], row["comm"] if comm else "", str(dso), str(name))] += row["count"]
    return found


def _batch(importer: Importer, path: Path) -> Batch:
    (batch,) = importer.open(opened(path)).batches(ImportOptions())
    return batch


def text_and_xml(recording: Recording) -> Result:
    """-l -f as text against -X."""
    text, xml = recording.report("l-f"), recording.report("X")
    if text is None or xml is None:
        return Result()
    of_text = _batch(text_importer, text)  # type: ignore[arg-type]
    comm = of_text.samples["comm"].null_count() == 0
    return compare(
        _functions(of_text, comm=comm),
        _functions(_batch(xml_importer, xml), comm=comm),  # type: ignore[arg-type]
    )


def xml_and_files(recording: Recording) -> Result:
    """-X against the sample files, per process, thread and CPU, for images with names here."""
    xml = recording.report("X")
    if xml is None:
        return Result()
    batch = _batch(xml_importer, xml)  # type: ignore[arg-type]
    by_id = {row[0]: row[1:3] for row in batch.symbols.iter_rows()}
    leaf = {stack: ids[0] for stack, ids in batch.stacks.iter_rows()}
    dsos = set(recording.hits.filter(pl.col("name") != UNKNOWN)["dso"].unique()) - recording.changed
    keys = ["event", "comm", "pid", "tid", "cpu"]
    listed: Counter[Row] = Counter()
    for row in batch.samples.iter_rows(named=True):
        name, dso = by_id[leaf[row["stack_id"]]]
        if dso in dsos:
            listed[(*(str(row[key]) for key in keys), str(dso), str(name))] += row["count"]
    ours: Counter[Row] = Counter()
    known = recording.hits.filter((pl.col("name") != UNKNOWN) & pl.col("dso").is_in(list(dsos)))
    for row in known.iter_rows(named=True):
        ours[(*(str(row[key]) for key in keys), row["dso"], row["name"])] += row["count"]
    # Lists that opreport cut short: their sums are compared
    cut = {row[:-1] for row in listed if row[-1] == UNKNOWN and row[-2] != names.ANON}
    theirs = _without_names(listed, cut)
    ours = _without_names(ours, cut)
    differing = [
        f"{row}: ours {ours[row]}, theirs {theirs[row]}"
        for row in {**ours, **theirs}
        if ours[row] != theirs[row]
    ]
    note = f" ({len(cut)} lists that opreport cut short by their sums)" if cut else ""
    return Result(len(theirs), sorted(differing), note)


def _without_names(rows: Counter[Row], lists: set[Row]) -> Counter[Row]:
    found: Counter[Row] = Counter()
    for row, n in rows.items():
        if row[:-1] in lists:
            found[(*row[:-1], "*")] += n
        elif row[-1] != UNKNOWN:
            found[row] += n
    return found


def compared(recording: Recording) -> dict[str, Result]:
    """All comparisons of a recording."""
    rows, images = listing(recording)
    return {
        "operf.log": totals(recording),
        "summary rows": summary(recording),
        "-l rows": rows,
        "-l images": images,
        "-c arcs": callgraph(recording),
        "text = xml": text_and_xml(recording),
        "xml = files": xml_and_files(recording),
    }


def recordings(directory: Path, symbols: tuple[Path, ...] = ()) -> Iterable[Recording]:
    """The recordings below a directory, with the kallsyms of their boot beside them."""
    (kallsyms,) = directory.glob("kallsyms*")
    for folder in sorted(path for path in directory.iterdir() if (path / "reports").is_dir()):
        yield Recording(folder, kallsyms, symbols)


def main() -> int:
    arguments = argparse.ArgumentParser(description="Compare the OProfile importers with opreport.")
    arguments.add_argument("directory", type=Path)
    arguments.add_argument("--symbols", type=Path, action="append", default=[])
    arguments.add_argument("--verbose", action="store_true")
    given = arguments.parse_args()
    failed = 0
    for recording in recordings(given.directory, tuple(given.symbols)):
        results = compared(recording)
        shown = "; ".join(f"{name}: {one}" for name, one in results.items())
        print(f"{recording.folder.name:20}{shown}")
        for name, one in results.items():
            failed += len(one.differing)
            for line in one.differing[: None if given.verbose else 4]:
                print(f"    {name}: {line}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

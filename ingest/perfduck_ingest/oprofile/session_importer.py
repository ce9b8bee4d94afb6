"""A session of operf or opcontrol: a directory, an archive of one, or what oparchive made.

    oprofile_data/samples/operf.log
    oprofile_data/samples/current/{root}/usr/bin/iperf3/{dep}/{root}/proc/kallsyms/CPU_CLK_UNHALTED.1000000.0.all.all.all
    oprofile_data/samples/current/{root}/srv/demo/{dep}/{root}/srv/demo/{cg}/{root}/usr/lib/libc.so.6/CPU_...

Sample files count hits by address; names are made when they are read. Those of the kernel need
/proc/kallsyms of the recorded boot. Files below {cg} count arcs; no stack can be made of them.
"""  # paths are that long

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NoReturn

import numpy as np
import polars as pl
from msgspec import structs

from perfduck_ingest.importer import ImportOptions, Recording
from perfduck_ingest.kernel_release import release_of
from perfduck_ingest.oprofile import names, sample_file, sample_path
from perfduck_ingest.oprofile.events import Counter, described
from perfduck_ingest.oprofile.files import is_archive
from perfduck_ingest.oprofile.image_symbolizer import ImageSymbolizer
from perfduck_ingest.oprofile.rows import ARC, HIT, to_batch
from perfduck_ingest.oprofile.sample_file import SampleFile
from perfduck_ingest.oprofile.sample_path import Image, SamplePath
from perfduck_ingest.oprofile.session import OprofileSession, open_session
from perfduck_ingest.source import Source
from perfduck_model.arrays import UInt64
from perfduck_model.batch import Batch, Facts, Limitation
from perfduck_model.errors import PerfduckError
from perfduck_symbols.names import UNKNOWN

NAME = "oprofile"

_MARKS = ("samples", "oprofile_data", "var/lib/oprofile", "{root}", "{kern}")
_WITHOUT_FILE = [names.ANON, "[vdso]", "[heap]", "[stack]", "[vsyscall]"]
# is_kernel -> code and text of a limitation
_NO_NAMES = {
    True: (
        "no-kernel-names",
        "kernel code has no names: give --kallsyms or --vmlinux of the recorded kernel",
    ),
    False: ("no-names", "code of files has no names: give --symbols DIR"),
}
_ODD_CLOCK = "counted in cycles, not in ns: the clock of a sample file is none of a CPU (inf MHz)"
_LOW_HALF = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


def open(source: Source) -> Recording | None:
    """The session, if it is a tar archive, or a directory that looks like a session's."""
    is_session = _is_session(source.path) if source.is_directory else is_archive(source.head)
    return Recording(NAME, partial(read, source)) if is_session else None


def _is_session(directory: Path) -> bool:
    return any((directory / mark).is_dir() for mark in _MARKS) or any(
        path.is_dir() for path in directory.glob("*/oprofile_data")
    )


def read(source: Source, options: ImportOptions) -> Iterator[Batch]:
    """The whole session in one batch: it is as long as the program has hot addresses."""
    recording = open_recording(source, options)
    hits = recording.hits()
    yield to_batch(
        source.name,
        hits.select(*HIT).cast(pl.Schema(HIT)),
        recording.arcs().select(*ARC).cast(pl.Schema(ARC)),
        skipped=recording.skipped(),
        facts=structs.replace(
            recording.facts(), limitations=_limitations(hits) | recording.without_clock()
        ),
    )


def open_recording(source: Source, options: ImportOptions) -> "OprofileRecording":
    """The sample files of a session, read and ready to be named."""
    session = open_session(source)
    source.follow(session.read_progress())
    recording = OprofileRecording(session, ImageSymbolizer(session, options))
    recording.read(source.name, lenient=options.lenient)
    return recording


@dataclass(slots=True)
class _Counted:
    """A sample file, what its path says, and its event."""

    path: SamplePath
    jit: str  # where code of a JIT would lie
    file: SampleFile
    counter: Counter

    @property
    def hits(self) -> int:
        """Its samples; arcs of a call graph count samples of other files again."""
        return int(self.file.counts.sum()) if self.path.callee is None else 0


@dataclass(slots=True)
class OprofileRecording:
    """The sample files of a session."""

    session: OprofileSession
    namer: ImageSymbolizer
    counted: list[_Counted] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)

    def read(self, name: str, *, lenient: bool) -> None:
        """Read all sample files. A damaged one is an error; with `lenient` it is left out."""
        abi = self.session.abi()
        for path in self.session.sample_paths:
            if path.endswith(".jo"):
                continue
            parsed = sample_path.parse(path)
            content = self.session.read(path)
            if parsed is None and not content.startswith(sample_file.MAGIC):
                self.left_out.append((path, "not the path of a sample file"))
                continue
            try:
                parsed = parsed or _refuse_path(name, path)
                file = sample_file.parse(f"{name}: {path}", content, abi)
            except PerfduckError as error:
                if not lenient:
                    raise
                self.left_out.append((path, str(error)))
                continue
            self._add(path, parsed, file)
        self._agree_on_clock()

    def _add(self, path: str, parsed: SamplePath, file: SampleFile) -> None:
        counter = Counter(parsed.event, parsed.count, parsed.unit_mask, file.header.mhz)
        before_range = path.split("/{anon:")[0]
        jit = f"{before_range}/{{anon:anon}}/{parsed.image.tgid}.jo"
        self.counted.append(_Counted(parsed, jit, file, counter))

    def _agree_on_clock(self) -> None:
        """Nanoseconds of an event only if every one of its files knows the clock."""
        without = {one.counter.event for one in self.counted if not one.counter.mhz}
        for one in self.counted:
            if one.counter.event in without:
                one.counter = structs.replace(one.counter, mhz=0.0)

    def without_clock(self) -> dict[str, Limitation]:
        """Samples of cycles that are no time, because a file of theirs has an odd clock."""
        events = {
            one.counter.event
            for one in self.counted
            if one.file.header.has_odd_clock and one.counter.unit == "cycles"
        }
        samples = sum(one.hits for one in self.counted if one.counter.event in events)
        return {"odd-clock": Limitation(_ODD_CLOCK, samples)} if samples else {}

    def samples(self) -> int:
        """Hits in all sample files that are not call graphs."""
        return sum(one.hits for one in self.counted)

    def hits(self) -> pl.DataFrame:
        """HIT, and image and app as opreport calls them, the keys, and whose code it is."""
        parts = [self._hits(one) for one in self.counted if one.path.callee is None]
        schema = {
            **HIT,
            "image": pl.String,
            "app": pl.String,
            "key": pl.Int64,
            "is_kernel": pl.Boolean,
        }
        return pl.concat(parts, how="vertical_relaxed") if parts else pl.DataFrame(schema=schema)

    def _hits(self, one: _Counted) -> pl.DataFrame:
        path, header = one.path, one.file.header
        functions = self._functions(
            one, path.image, one.file.keys, is_kernel=header.is_kernel, mtime=header.mtime
        )
        return functions.with_columns(
            *self._counts(one),
            event=pl.lit(one.counter.event),
            comm=pl.lit(_comm(path, header.is_kernel), pl.String),
            pid=pl.lit(path.tgid, pl.Int32),
            tid=pl.lit(path.tid, pl.Int32),
            cpu=pl.lit(path.cpu, pl.Int32),
            image=pl.lit(self._opreport_image(one)),
            app=pl.lit(path.app.path),
            is_kernel=pl.lit(header.is_kernel),
            key=pl.Series((one.file.keys + self._jit_start(one)).view(np.int64)),
        )

    def _has_jit(self, one: _Counted) -> bool:
        return one.path.image.is_range and self.session.holds(one.jit)

    def _opreport_image(self, one: _Counted) -> str:
        return one.jit if self._has_jit(one) else one.path.image.opreport_name

    def _jit_start(self, one: _Counted) -> np.uint64:
        """JIT code has the addresses that it ran at."""
        return np.uint64(one.path.image.start if self._has_jit(one) else 0)

    def _counts(self, one: _Counted) -> tuple[pl.Series, pl.Series]:
        count = pl.Series("count", one.file.counts)
        period = one.counter.period
        weight = count * period if period is not None else pl.Series([None] * len(count))
        return count, weight.cast(pl.Float64).alias("period")

    def _functions(
        self,
        one: _Counted,
        image: Image,
        keys: UInt64,
        *,
        is_kernel: bool,
        mtime: int = 0,
    ) -> pl.DataFrame:
        """[name, dso, address, offset] of each key."""
        table = self.namer.table(image, is_kernel=is_kernel, mtime=mtime, jit=one.jit)
        of_image = pl.lit(_dso(image, is_kernel=is_kernel))
        functions = table.resolve(keys).with_columns(dso=pl.col("dso").fill_null(of_image))
        if image.is_range:
            functions = functions.with_columns(address=pl.lit(None, pl.Int64))
        plain = {name: names.unversioned(name) for name in functions["name"].unique()}
        return functions.with_columns(pl.col("name").replace(plain))

    def arcs(self) -> pl.DataFrame:
        """ARC, and the images and app as opreport calls them."""
        labels = {_span(one.path.image): one.path.image for one in self.counted}
        parts = [self._arcs(one, labels) for one in self.counted if one.path.callee is not None]
        schema = {**ARC, "app": pl.String, "caller_image": pl.String, "callee_image": pl.String}
        return pl.concat(parts, how="vertical_relaxed") if parts else pl.DataFrame(schema=schema)

    def _arcs(
        self, one: _Counted, labels: dict[tuple[int | None, int, int], Image]
    ) -> pl.DataFrame:
        """A key holds the offset in the caller's image and, in its low half, in the callee's."""
        header, callee = one.file.header, one.path.callee or one.path.image
        if callee.is_range:  # its label is always `anon` here
            callee = labels.get(_span(callee), callee)
        keys = one.file.keys
        callers = self._functions(one, one.path.image, keys >> _HALF, is_kernel=header.is_kernel)
        callees = self._functions(one, callee, keys & _LOW_HALF, is_kernel=header.cg_to_is_kernel)
        sides = pl.concat([_side(callers, "caller"), _side(callees, "callee")], how="horizontal")
        return sides.with_columns(
            *self._counts(one),
            event=pl.lit(one.counter.event),
            app=pl.lit(one.path.app.path),
            caller_image=pl.lit(one.path.image.opreport_name),
            callee_image=pl.lit(callee.opreport_name),
        )

    def facts(self) -> Facts:
        """What the session says of itself."""
        log = self.session.log()
        lost = [
            number for text, number in log.numbers.items() if "lost" in text or "dropped" in text
        ]
        return Facts(
            tool="OProfile",
            kernel_release=self._kernel_release(),
            started_at=log.started_at,
            duration_s=log.duration_s,
            raw_samples=log.samples if (log.samples or 0) > self.samples() else None,
            lost=sum(lost) if lost else self.session.lost(),
            events=described([one.counter for one in self.counted]),
        )

    def _kernel_release(self) -> str | None:
        """Where vmlinux or a module was given to operf by its path, that says it."""
        return release_of(one.path.image.path for one in self.counted if one.file.header.is_kernel)

    def skipped(self) -> list[tuple[int, str, str]]:
        """Files that were left out, files whose names may be wrong, events that were throttled."""
        links = self.session.files.left_out.items()
        throttled = [
            (event, "throttled: samples are missing") for event in self.session.throttled()
        ]
        changed = sorted(self.namer.changed.items())
        every = [*self.left_out, *sorted(links), *changed, *throttled]
        return [(0, path[:1000], reason) for path, reason in every]


def _limitations(hits: pl.DataFrame) -> dict[str, Limitation]:
    """Samples without a function, of the kernel and of files. Memory without a file has none."""
    unnamed = hits.filter((pl.col("name") == UNKNOWN) & ~pl.col("dso").is_in(_WITHOUT_FILE))
    counts = dict(unnamed.group_by("is_kernel").agg(pl.col("count").sum()).iter_rows())
    return {
        code: Limitation(text, counts[is_kernel])
        for is_kernel, (code, text) in _NO_NAMES.items()
        if counts.get(is_kernel)
    }


def _refuse_path(name: str, path: str) -> NoReturn:
    raise PerfduckError.at(
        where=f"{name}: {path[:1000]}",
        expected="a sample file called EVENT.COUNT.MASK.TGID.TID.CPU below APPLICATION/{dep}/IMAGE",
        got="another path",
    )


def _comm(path: SamplePath, is_kernel: bool) -> str | None:
    """opcontrol did not separate by default: then every image is its own application."""
    if path.app == path.image and (is_kernel or names.LIBRARY.fullmatch(path.image.path)):
        return None
    return names.comm_of_app(path.app.path)


def _dso(image: Image, *, is_kernel: bool) -> str:
    if image.is_range:
        return names.dso_of_label(image.path)
    return names.dso_of_kernel(image.path) if is_kernel else image.path or UNKNOWN


def _span(image: Image) -> tuple[int | None, int, int]:
    return image.tgid, image.start, image.end


def _side(functions: pl.DataFrame, side: str) -> pl.DataFrame:
    return functions.select(pl.col("name", "dso", "address").name.prefix(f"{side}_"))

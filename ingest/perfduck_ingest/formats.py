"""The input formats, in the order in which they are tried.

To add one, write its importer (importer.py says what that is) and put the module here.
"""

from collections.abc import Callable
from contextlib import closing
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import cast

from perfduck_ingest import foreign, foreign_directories
from perfduck_ingest.importer import Importer, ImportOptions, Recording
from perfduck_ingest.runtime.subprocess_iter import PERF_DATA
from perfduck_ingest.source import Source, printable
from perfduck_model.errors import PerfduckError
from perfduck_model.words import listed

# The module, and what the head of such a file holds, one of these: to load all importers takes
# 0.07 s more than to load what text needs. A directory is shown to all.
# perf script last: its text has the most shapes, a call graph of opreport's among them.
FORMATS = {
    "perf_data.importer": PERF_DATA,
    # Before pprof: a message of one may begin with what looks like a sample type of the other.
    "otlp.importer": (b"\x12", b'"resourceProfiles"', b'"dictionary"', b"\x28\xb5\x2f\xfd"),
    "pprof": (b"\x10",),
    "firefox.importer": (b'"preprocessedProfileVersion"',),
    "oprofile.session_importer": (b"ustar",),
    "oprofile.xml_importer": (b"<profile",),
    "oprofile.text_importer": (b"",),
    "folded": (b"",),
    "perf_script.importer": (b"",),
}


_TEXT = (b"",)
MOST_TRIED = 50  # files of a directory, to say which are recordings


def opened(source: Source) -> Recording:
    """The recording, by the importer that knows it. What is known to be something else is refused
    first: some of it looks like samples."""
    _refuse(source, foreign.binary)
    for module, marks in FORMATS.items():
        if marks == _TEXT:
            _refuse(source, foreign.text)
        if source.is_directory or any(mark in source.head for mark in marks):
            recording = _importer(module).open(source)
            if recording is not None:
                return recording
    _refuse(source, foreign.loose)
    names = ", ".join(_importer(module).NAME for module in FORMATS)
    where = source.name if source.is_directory else f"{source.name}:1"
    raise PerfduckError.at(where, expected=f"a recording ({names})", got=_appearance(source))


def _refuse(source: Source, recognise: Callable[[Source], foreign.Foreign | None]) -> None:
    if not source.is_directory and (kind := recognise(source)):
        raise PerfduckError.at(where=f"{source.name}:1", expected="a recording", got=kind)


def _importer(module: str) -> Importer:
    return cast(Importer, import_module(f"perfduck_ingest.{module}"))


def _appearance(source: Source) -> str:
    if source.is_directory:
        return _directory(source.path)
    if b"\0" in source.head:
        return "binary data"
    return repr(source.head.splitlines()[0][:60].decode("utf-8", "backslashreplace"))


def _directory(path: Path) -> str:
    """What a directory is: by its manifest, its files' names, or what they begin with."""
    if manifest := foreign_directories.manifest(path):
        return f"a directory with a manifest: give it with --manifest {printable(str(manifest))}"
    if what := foreign_directories.directory(path):
        return what
    files = [each for each in sorted(path.iterdir()) if each.is_file()]
    names = [printable(str(each)) for each in files[:MOST_TRIED] if _is_recording(each)]
    if names:
        return f"a directory with recordings: ingest the files in it: {listed(names, most=3)}"
    some = f" among its first {MOST_TRIED} files" if len(files) > MOST_TRIED else ""
    return f"a directory without a recording{some}"


def _is_recording(path: Path) -> bool:
    try:
        with Source(str(path)) as source:
            recording = opened(source)
            if recording.format == "perf-script":  # any text may be, until its end
                with closing(recording.batches(ImportOptions())) as batches:
                    return sum(len(batch.samples) for batch in islice(batches, 4)) > 0
    except PerfduckError:
        return False
    return True

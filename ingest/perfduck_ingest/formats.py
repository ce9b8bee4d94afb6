"""The input formats, in the order in which they are tried.

To add one, write its importer (importer.py says what that is) and put the module here.
"""

from collections.abc import Callable
from importlib import import_module
from typing import cast

from perfduck_ingest import foreign
from perfduck_ingest.importer import Importer, Recording
from perfduck_ingest.runtime.warm_up import PERF_DATA
from perfduck_ingest.source import Source
from perfduck_model.errors import PerfduckError

# The module, and what the head of such a file holds, one of these: to load all importers takes
# 0.07 s more than to load what text needs. A directory is shown to all.
# perf script last: its text has the most shapes, a call graph of opreport's among them.
FORMATS = {
    "perf_data.importer": PERF_DATA,
    "oprofile.session_importer": (b"ustar",),
    "oprofile.xml_importer": (b"<profile",),
    "oprofile.text_importer": (b"",),
    "perf_script.importer": (b"",),
}


_TEXT = (b"",)


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
    raise PerfduckError.at(
        where=f"{source.name}:1", expected=f"a recording ({names})", got=_appearance(source)
    )


def _refuse(source: Source, recognise: Callable[[Source], foreign.Foreign | None]) -> None:
    if not source.is_directory and (found := recognise(source)):
        raise PerfduckError.at(where=f"{source.name}:1", expected="a recording", got=found)


def _importer(module: str) -> Importer:
    return cast(Importer, import_module(f"perfduck_ingest.{module}"))


def _appearance(source: Source) -> str:
    if source.is_directory:
        return foreign.directory(source.path) or "a directory without a recording"
    if b"\0" in source.head:
        return "binary data"
    return repr(source.head.splitlines()[0][:60].decode("utf-8", "backslashreplace"))

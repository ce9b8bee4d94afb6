"""The input formats, in the order in which they are tried.

To add one, write its importer (importer.py says what that is) and put the module here.
"""

from typing import cast

from perfduck_ingest import oprofile_session, oprofile_text, oprofile_xml, perf_data, perf_script
from perfduck_ingest.importer import Importer
from perfduck_ingest.source import Source
from perfduck_store.errors import PerfduckError

# perf script last: its text has the most shapes, a call graph of opreport's among them.
FORMATS = cast(
    tuple[Importer, ...],
    (perf_data, oprofile_session, oprofile_xml, oprofile_text, perf_script),
)


def importer_of(source: Source) -> Importer:
    """The importer that knows the source."""
    for importer in FORMATS:
        if importer.sniff(source):
            return importer
    names = ", ".join(importer.NAME for importer in FORMATS)
    message = f"{source.name}:1: expected a recording ({names}), got {_appearance(source)}"
    raise PerfduckError(message)


def _appearance(source: Source) -> str:
    if source.is_directory:
        return "a directory"
    if not source.head:
        return "an empty file"
    if b"\0" in source.head:
        return "binary data"
    return repr(source.head.splitlines()[0][:60].decode("utf-8", "backslashreplace"))

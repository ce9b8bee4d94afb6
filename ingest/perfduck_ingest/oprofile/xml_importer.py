"""What `opreport -X` prints, with -c, -d and -g.

    <profile  schemaversion="3.1" cputype="i386" processor="arch_perfmon" mhz="2300.00">
    <setup><eventsetup id="0" eventname="LLC_REFS" unitmask="79" setupcount="1500000"/></setup>
    <classes><class name="c0" event="0" mask="79" cpu="1"/></classes>
    <process pid="15" name="/rcu_preempt"><thread tid="15">
      <module name="/proc/kallsyms"><count class="c0">3</count>
        <symbol idref="4"><callees>...</callees><count class="c0">3</count></symbol>
      </module></thread></process>
    <symboltable><symboldata id="4" name="rcu_gp_kthread" startingaddr="003a2380"/></symboltable>

A symbol is known by its number; which image it is in, only its place says. opreport 1.x drops
symbols of threads: a module whose symbols do not add up to its count gets the rest as [unknown].
"""

import re
from collections.abc import Iterator
from functools import partial
from xml.parsers import expat

from perfduck_ingest.importer import ImportOptions, Recording
from perfduck_ingest.oprofile.xml_report import XmlReport
from perfduck_ingest.source import Source
from perfduck_model.batch import Batch
from perfduck_model.errors import PerfduckError
from perfduck_model.limits import limits

NAME = "opreport-xml"

_CHUNK = 1 << 20
_PROFILE = re.compile(
    rb"\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*<profile\s[^>]*schemaversion=",
    re.DOTALL,
)
_TALK = re.compile(rb"(?!\s*<).*\n")  # what opreport said on stderr, before the document


def open(source: Source) -> Recording | None:
    """The report, if the document is a <profile> with a schema version."""
    if source.is_directory or not _PROFILE.match(_document(source.head)):
        return None
    return Recording(NAME, partial(read, source))


def _document(head: bytes) -> bytes:
    lines = head[: head.find(b"<")].count(b"\n") if b"<" in head else 0
    return head if lines > 1000 else head[max(head.find(b"<"), 0) :]


def read(source: Source, options: ImportOptions) -> Iterator[Batch]:
    """The whole report in one batch: names follow the counts, at the end of the document."""
    report = XmlReport(source.name)
    parser = expat.ParserCreate()
    parser.StartElementHandler = report.start
    parser.EndElementHandler = report.end
    parser.CharacterDataHandler = report.text
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.buffer_text = True
    report.line = lambda: parser.CurrentLineNumber
    try:
        fed = 0
        for number, chunk in enumerate(source.chunks(_CHUNK)):
            part = _document(chunk) if number == 0 else chunk
            parser.Parse(part, False)
            fed += len(part)
            if fed - parser.CurrentByteIndex > limits.most_xml_token + _CHUNK:
                most_mb = limits.most_xml_token >> 20
                report.refuse(f"tags and comments of at most {most_mb} MB", "more")
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise PerfduckError.at(
            where=f"{source.name}:{error.lineno}", expected="a whole XML report", got=error
        ) from error
    yield report.batch()


def _refuse_doctype(name: str, *_: object) -> None:
    """opreport writes none; an entity of one could expand to gigabytes."""
    message = f"expected an XML report of opreport, got a document type {name[:60]!r}"
    raise PerfduckError(message)

"""opreport -X: its bugs, its older versions, and documents that are no report."""

import io
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oprofile_files import RECORDINGS, batch_of, functions

from perfduck_ingest.importer import ImportOptions
from perfduck_ingest.oprofile import xml_importer
from perfduck_ingest.source import Source
from perfduck_model.batch import Batch
from perfduck_model.errors import PerfduckError

HEAD = """<?xml version="1.0" ?>
<profile  schemaversion="3.1" cputype="i386" processor="x" mhz="1000.00" title="opreport -X ">
<options />
<setup>
<eventsetup  id="0" eventname="CPU_CLK_UNHALTED" unitmask="0" setupcount="1000"/>
</setup>
"""
TAIL = """<symboltable>
<symboldata  id="0"  name="main" startingaddr="00001000"/>
<symboldata  id="1"  name="helper" startingaddr="00002000"/>
</symboltable>
</profile>
"""


def read(body: str, head: str = HEAD, tail: str = TAIL) -> Batch:
    source = Source("report.xml", io.BytesIO((head + body + tail).encode()))
    assert xml_importer.open(source)
    (batch,) = xml_importer.open(source).batches(ImportOptions())
    return batch


def symbol(number: int, count: int) -> str:
    return f'<symbol idref="{number}"><count>\n{count}</count></symbol>'


def test_symbols_that_a_list_lacks_are_counted_as_unknown() -> None:
    body = (
        f'<binary name="/bin/x"><count>10</count>{symbol(0, 10)}'
        f'<module name="/lib/y.so"><count>33</count>{symbol(1, 3)}</module></binary>'
    )
    assert functions(read(body)) == {
        ("CPU_CLK_UNHALTED", "main", "/bin/x"): 10,
        ("CPU_CLK_UNHALTED", "helper", "/lib/y.so"): 3,
        ("CPU_CLK_UNHALTED", "[unknown]", "/lib/y.so"): 30,
    }


def test_counts_of_binaries_with_their_modules_are_not_counted_twice() -> None:
    """opreport until 0.9.7."""
    body = (
        f'<binary name="/bin/x"><count>13</count>{symbol(0, 10)}'
        f'<module name="/lib/y.so"><count>3</count>{symbol(1, 3)}</module></binary>'
    )
    assert sum(functions(read(body)).values()) == 13


def test_two_functions_of_one_number_are_added() -> None:
    body = f'<binary name="/bin/x"><count>5</count>{symbol(0, 2)}{symbol(0, 3)}</binary>'
    assert functions(read(body)) == {("CPU_CLK_UNHALTED", "main", "/bin/x"): 5}


def test_a_callee_is_of_the_image_where_it_is_a_function() -> None:
    body = (
        '<binary name="/bin/x"><count>1</count><symbol idref="0"><callers></callers><callees>'
        '<symbol idref="0" self="true"><count>1</count></symbol>'
        '<symbol idref="1"><count>4</count></symbol></callees><count>1</count></symbol>'
        f'<module name="/proc/kallsyms"><count>4</count>{symbol(1, 4)}</module></binary>'
    )
    batch = read(body)
    symbols = {row[0]: row[1:3] for row in batch.symbols.iter_rows()}
    (edge,) = batch.edges.iter_rows(named=True)
    assert symbols[edge["caller_id"]] == ("main", "/bin/x")
    assert symbols[edge["callee_id"]] == ("helper", "[kernel.kallsyms]")
    assert (edge["count"], edge["period"]) == (4, 4000)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('<process pid="" name="/first"><thread tid=""></thread></process>',
         "expected the pid of a process"),
        ('<process pid="all" name="/first"></process>', "got 'all'"),
        ('<binary name="/bin/x"><count>many</count></binary>', ":7: expected a count, got 'many'"),
        ('<binary name="/bin/x"><count class="c7">1</count></binary>', "got 'c7'"),
        ('<binary name="/bin/x"><symbol idref="x"></symbol></binary>', "a number as idref"),
        (f'<binary name="/bin/x">{symbol(99, 1)}</binary>', "a name of symbol 99"),
        ("<binary", "expected a whole XML report, got not well-formed"),
    ],
)  # fmt: skip
def test_damaged_reports_are_refused(body: str, message: str) -> None:
    with pytest.raises(PerfduckError, match=message):
        read(body)


def test_a_report_that_breaks_off_is_refused() -> None:
    (path,) = (RECORDINGS / "pod-thread-cpu" / "reports").glob("X-merge-tid.out")
    with pytest.raises(PerfduckError, match="expected a whole XML report, got no element found"):
        batch_of(xml_importer, path)


def test_entities_are_refused() -> None:
    head = HEAD.replace("<profile", '<!DOCTYPE p [<!ENTITY a "aaaa">]>\n<profile', 1)
    source = Source("x", io.BytesIO((head + TAIL).encode()))
    with pytest.raises(PerfduckError, match="got a document type 'p'"):
        list(xml_importer.read(source, ImportOptions()))


@pytest.mark.parametrize("text", [b"", b"<profile>", b"<?xml version='1.0'?><svg/>", b"CPU: x\n"])
def test_other_documents_are_not_taken_for_reports(text: bytes) -> None:
    assert not xml_importer.open(Source("x", io.BytesIO(text)))


def test_talk_before_the_document_is_passed_over() -> None:
    body = f'<binary name="/bin/x"><count>2</count>{symbol(0, 2)}</binary>'
    talk = "Using /x/samples/ for samples directory.\nwarning: /y could not be found.\n"
    assert sum(functions(read(body, head=talk + HEAD)).values()) == 2


CONTENTS = [
    b"".join(Source("x", io.BytesIO(path.read_bytes())).chunks(1 << 20))
    for path in [
        *(RECORDINGS / "app-callgraph" / "reports").glob("X-c.out*"),
        *(RECORDINGS / "app-jit" / "reports").glob("X-d.out*"),
    ]
]


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(st.data())
def test_a_changed_report_is_refused_or_read_but_never_a_traceback(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(CONTENTS)))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        length = data.draw(st.integers(0, 40))
        content[place : place + length] = data.draw(
            st.text('<>/"=0159ac \n', max_size=6).map(str.encode)
            | st.sampled_from([b"</symbol>", b"<count>1</count>", b"<module name='q'>", b"9" * 30])
        )
    source = Source("report.xml", io.BytesIO(bytes(content)))
    with suppress(PerfduckError):
        list(xml_importer.read(source, ImportOptions()))

"""The elements of `opreport -X`, taken in one by one.

    <binary name="/usr/bin/iperf3"><count>12</count>
      <symbol idref="3">
        <callers><symbol idref="7"><count>9</count></symbol></callers>
        <callees>
          <symbol idref="3" self="true"><count>12</count></symbol>
          <module name="/proc/kallsyms"><symbol idref="9"><count>4</count></symbol></module>
        </callees>
        <count>12</count>
      </symbol>
      <module name="/usr/lib/libc.so.6"><count>2</count><symbol idref="5"><count>2</count></symbol></module>
    </binary>

An arc is twice, with its caller and with its callee: the callees are taken. A callee without a
<module> around it may be of any image: the place where it is a function of its own says which.
"""  # noqa: E501  # real XML is one element a line

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

from perfduck_ingest.oprofile.events import Counter, clock_of
from perfduck_ingest.oprofile.report_counts import Columns, ReportCounts, facts_of
from perfduck_model.batch import Batch
from perfduck_model.errors import PerfduckError
from perfduck_model.limits import limits

_MOST_DIGITS = 18  # of a number of 63 bits
_LARGEST = 1 << 62
_LARGEST_ID = (1 << 31) - 1  # of a process, thread or CPU
_NO_CLOCK = ("0", "0.00")
_MOST_TEXT = 1000


@dataclass(slots=True)
class _Element:
    """An open element. `counts` are those directly in it, `inside` those of what it holds."""

    tag: str
    attributes: dict[str, str]
    counts: dict[str, int] = field(default_factory=dict)
    inside: dict[str, int] = field(default_factory=dict)
    modules: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Symbol:
    name: str
    start: int


class XmlReport:
    """Takes the elements of a report; `line` says where the parser is."""

    def __init__(self, name: str) -> None:
        """`name` is what messages call the report."""
        self.line: Callable[[], int] = lambda: 0
        self._name = name
        self._open: list[_Element] = []
        self._text: list[str] = []
        self._elements = 0
        self._mhz = 0.0
        self._events: dict[str, Counter] = {}
        self._classes: dict[str, tuple[Counter, int | None]] = {}
        self._symbols: dict[int, _Symbol] = {}
        self._images: dict[int, str] = {}  # of each symbol that is a function of its own
        self._near: dict[int, str] = {}  # of the others: the <module> around a call of them
        # app, pid, tid, image, number of the symbol, class, count
        self._hits: list[tuple[str, str, int | None, str, int | None, str, int]] = []
        self._arcs: list[tuple[str, int, int, int]] = []
        self._details: list[tuple[str, int, int, int]] = []

    def refuse(self, expected: str, got: str) -> NoReturn:
        """Raise PerfduckError with the line that the parser is at."""
        raise PerfduckError.at(
            where=f"{self._name}:{self.line()}", expected=expected, got=f"{got[:80]!r}"
        )

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element opens."""
        if not self._open and tag != "profile":
            self.refuse("<profile>", f"<{tag}>")
        self._text = []
        self._elements += 1
        if self._elements > limits.most_rows:
            self.refuse(f"at most {limits.most_rows:,} elements", "more")
        if len(self._open) >= limits.most_xml_depth:
            self.refuse(f"elements nested at most {limits.most_xml_depth} deep", f"<{tag}> in more")
        self._open.append(_Element(tag, attributes))
        opening = _OPENING.get(tag)
        if opening is not None:
            opening(self, attributes)

    def text(self, text: str) -> None:
        """Characters in an element."""
        if len(self._text) < _MOST_TEXT:
            self._text.append(text[:_MOST_TEXT])

    def end(self, tag: str) -> None:
        """An element closes."""
        element = self._open.pop()
        closing = _CLOSING.get(tag)
        if closing is not None:
            closing(self, element)

    def _number(self, attributes: dict[str, str], name: str, largest: int = _LARGEST) -> int:
        value = attributes.get(name, "")
        if not (value.isascii() and value.isdecimal() and len(value) <= _MOST_DIGITS):
            self.refuse(f"a number as {name}", value)
        if int(value) > largest:
            self.refuse(f"a number of at most {largest} as {name}", value)
        return int(value)

    def _open_profile(self, attributes: dict[str, str]) -> None:
        text = attributes.get("mhz", "0")
        mhz = 0.0 if text in _NO_CLOCK else clock_of(text)
        if mhz is None:
            self.refuse("the clock of a CPU as mhz", text)
        self._mhz = mhz

    def _open_eventsetup(self, attributes: dict[str, str]) -> None:
        self._events[attributes.get("id", "0")] = Counter(
            attributes.get("eventname", "unknown"),
            self._number(attributes, "setupcount"),
            self._number(attributes, "unitmask"),
            self._mhz,
        )

    def _open_timersetup(self, attributes: dict[str, str]) -> None:
        self._events["0"] = Counter("TIMER", 0)

    def _open_class(self, attributes: dict[str, str]) -> None:
        event = self._events.get(attributes.get("event", "0"))
        if event is None or "name" not in attributes:
            self.refuse("a class of an event in <setup>", str(attributes))
        if "mask" in attributes:
            event = Counter(event.name, event.count, self._number(attributes, "mask"), event.mhz)
        cpu = self._number(attributes, "cpu", _LARGEST_ID) if "cpu" in attributes else None
        self._classes[attributes["name"]] = (event, cpu)

    def _open_process(self, attributes: dict[str, str]) -> None:
        """--merge=tid and the like leave no pid and put all applications under the first one."""
        if not attributes.get("pid", "").isdecimal():
            expected = "the pid of a process (opreport loses applications with --merge)"
            self.refuse(expected, attributes.get("pid", ""))
        self._number(attributes, "pid", _LARGEST_ID)

    def _open_symboldata(self, attributes: dict[str, str]) -> None:
        start = attributes.get("startingaddr", "0")
        self._symbols[self._number(attributes, "id")] = _Symbol(
            attributes.get("name", ""), int(start, 16) if _is_hex(start) else 0
        )

    def _close_count(self, element: _Element) -> None:
        text = "".join(self._text).strip()
        if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
            self.refuse("a count", text)
        name = element.attributes.get("class", "")
        if name and name not in self._classes:
            self.refuse("a count of a class in <classes>", name)
        if self._open[-1].tag not in _COUNTED:
            self.refuse(f"<count> in one of {', '.join(_COUNTED)}", f"<{self._open[-1].tag}>")
        counts = self._open[-1].counts
        counts[name] = counts.get(name, 0) + int(text)

    def _enclosing(self, *tags: str) -> _Element | None:
        return next((element for element in reversed(self._open) if element.tag in tags), None)

    def _close_symbol(self, element: _Element) -> None:
        number = self._number(element.attributes, "idref")
        if self._enclosing("callers") is not None:
            return
        if (callees := self._enclosing("callees")) is not None:
            self._call(callees, number, element)
        else:
            self._function(number, element)

    def _call(self, callees: _Element, number: int, element: _Element) -> None:
        caller = self._open[self._open.index(callees) - 1]
        wrapper = self._open[-1]
        if wrapper.tag == "module":
            self._near[number] = wrapper.attributes.get("name", "")
        if element.attributes.get("self") != "true":
            idref = self._number(caller.attributes, "idref")
            self._arcs += [(name, idref, number, count) for name, count in element.counts.items()]

    def _function(self, number: int, element: _Element) -> None:
        place = self._open[-1]
        if place.tag not in ("module", "binary"):
            self.refuse("a symbol in a binary or module", f"idref {number} in <{place.tag}>")
        self._images[number] = place.attributes.get("name", "")
        for name, count in element.counts.items():
            place.inside[name] = place.inside.get(name, 0) + count
            self._hits.append(
                (*self._runner(), place.attributes.get("name", ""), number, name, count)
            )

    def _runner(self) -> tuple[str, str, int | None]:
        """Application, its pid and tid, of where the parser is."""
        process = self._enclosing("process", "binary")
        thread = self._enclosing("thread")
        attributes = process.attributes if process else {}
        tid = self._number(thread.attributes, "tid", _LARGEST_ID) if thread else None
        return attributes.get("name", ""), attributes.get("pid", ""), tid

    def _close_module(self, element: _Element) -> None:
        if self._enclosing("symbol") is not None:
            return
        self._rest(element, element.attributes.get("name", ""), element.inside)
        self._add_to_outer(element)

    def _add_to_outer(self, element: _Element) -> None:
        modules = self._open[-1].modules
        for name, count in (element.counts or _sum(element.inside, element.modules)).items():
            modules[name] = modules.get(name, 0) + count

    def _close_binary(self, element: _Element) -> None:
        """The count is of its own symbols; until 2014 it was of its modules', too."""
        self._open.append(element)
        both = _sum(element.inside, element.modules)
        with_modules = both == element.counts
        self._rest(
            element, element.attributes.get("name", ""), both if with_modules else element.inside
        )
        self._open.pop()

    def _close_thread(self, element: _Element) -> None:
        """A thread's count is of its modules, a process's of its threads."""
        self._open.append(element)
        self._rest(element, "", _sum(element.inside, element.modules))
        self._open.pop()
        self._add_to_outer(element)

    def _rest(self, element: _Element, image: str, listed: dict[str, int]) -> None:
        """What opreport counted and did not list. An element without a count has only its parts."""
        for name in element.counts and element.counts | listed:
            rest = element.counts.get(name, 0) - listed.get(name, 0)
            if rest < 0:
                whole = f"{element.counts.get(name, 0)} samples of <{element.tag}>"
                self.refuse(f"parts of the {whole}", f"{listed[name]} in them")
            if rest > 0:
                self._hits.append((*self._runner(), image, None, name, rest))

    def _close_detaildata(self, element: _Element) -> None:
        details = self._enclosing("symboldetails")
        vma = element.attributes.get("vmaoffset", "")
        if details is None or not _is_hex(vma):
            self.refuse("the details of a symbol", vma)
        number = self._number(details.attributes, "id")
        for name, count in element.counts.items():
            self._details.append((name, number, int(vma, 16), count))

    def batch(self) -> Batch:
        """What was taken in."""
        columns, numbers = self._columns()
        tally = ReportCounts()
        for app, pid, tid, image, number, name, count in self._hits:
            symbol = "" if number is None else self._symbol(number).name
            tally.hits.append(
                (numbers[name], image, app, symbol, int(pid) if pid else None, tid, None, count)
            )
        for name, caller, callee, count in self._arcs:
            image, symbol = self._place(caller)
            tally.arcs.append((numbers[name], image, "", symbol, *self._place(callee), count))
        for name, number_, vma, count in self._details:
            self._detail(tally, numbers[name], number_, vma, count)
        axis = "cpu" if any(value is not None for _, value in columns) else None
        return tally.batch(self._name, columns, axis, facts_of(columns))

    def _detail(self, tally: ReportCounts, column: int, number: int, vma: int, count: int) -> None:
        symbol = self._symbol(number)
        image = self._place(number)[0]
        if vma >= symbol.start:
            tally.details.append(
                (column, image, "", symbol.name, None, None, vma - symbol.start, count)
            )

    def _symbol(self, number: int) -> _Symbol:
        if number not in self._symbols:
            self.refuse(f"a name of symbol {number} in <symboltable>", "none")
        return self._symbols[number]

    def _place(self, number: int) -> tuple[str, str]:
        """Image and name of a symbol."""
        image = self._images.get(number) or self._near.get(number, "")
        return image, self._symbol(number).name

    def _columns(self) -> tuple[Columns, dict[str, int]]:
        """The columns, and the number of each class; counts without class are of the only one."""
        if not self._events:
            self.refuse("an event in <setup>", "none")
        columns: Columns = list(self._classes.values()) or [
            (next(iter(self._events.values())), None)
        ]
        return columns, {name: number for number, name in enumerate(self._classes)} | (
            {} if "" in self._classes else {"": 0}
        )


def _sum(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in one | other}


def _is_hex(text: str) -> bool:
    return 0 < len(text) <= 16 and all(digit in "0123456789abcdefABCDEF" for digit in text)


_COUNTED = ("binary", "module", "symbol", "process", "thread", "detaildata")
_OPENING: dict[str, Callable[[XmlReport, dict[str, str]], None]] = {
    "profile": XmlReport._open_profile,
    "eventsetup": XmlReport._open_eventsetup,
    "timersetup": XmlReport._open_timersetup,
    "class": XmlReport._open_class,
    "process": XmlReport._open_process,
    "symboldata": XmlReport._open_symboldata,
}
_CLOSING: dict[str, Callable[[XmlReport, _Element], None]] = {
    "count": XmlReport._close_count,
    "symbol": XmlReport._close_symbol,
    "module": XmlReport._close_module,
    "binary": XmlReport._close_binary,
    "thread": XmlReport._close_thread,
    "process": XmlReport._close_thread,
    "detaildata": XmlReport._close_detaildata,
}

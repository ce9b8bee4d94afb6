"""The columns of an opreport table: which there are, and the cells of a row.

    vma      samples  %        image name               app name                 symbol name
    00163940 93        7.3927  libc.so.6                demo                     __memcmp_evex_movbe
    896       3.9221  kallsyms                 iperf3                   _raw_spin_unlock_irqrestore
    422       3.5429  57        0.4756  anon (tgid:18727 range:0x7f3a-0x7f3b) java        anon (...
      00000b46 189      74.1176

The header line is no ruler: longer values push the rest to the right. Numbers are separated by
blanks; a name that is shorter than its column ends where the column ends, a longer one at the next
blank, `anon (...)` at its parenthesis; the symbol is the rest.
"""

import re
from dataclasses import dataclass

_LINENR_WIDTH = 28
_NAME_WIDTH = 25
_HEADER = re.compile(
    r"""
    (?P<vma>vma\ +)?                        # -w, -d
    (?P<numbers>(?:samples\ +
        (?P<cumulative>cum\.\ samples\ +)?  # -a
        %\ +
        (?:cum\.\ %\ +)?
        (?P<difference>diff\ %\ +)?)+)      # two profiles
    (?P<linenr>linenr\ info\ +)?            # -g
    (?P<image>image\ name\ +)?
    (?P<app>app\ name\ +)?
    symbol\ name\s*
""",
    re.VERBOSE,
)
PERCENT = r"(?:-?\d{1,4}\.\d{1,4}|-?\d(?:\.\d)?e[-+]\d\d|0|-?nan|-?inf)"
_RANGE = re.compile(r"(?:anon|\[[^\]]+\]) \([^)]*\)")
_LINENR = re.compile(r".*:\d+|\(no location information\)")
_DELETED = "(deleted)"
_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class ReportColumns:
    """Which columns a table has. `names` are those before the symbol, in order."""

    vma: bool
    classes: int
    cumulative: bool
    names: tuple[str, ...]

    @property
    def numbers(self) -> re.Pattern[str]:
        """The numeric part of a row."""
        one = rf"(\d{{1,{_MOST_DIGITS}}})\s+"
        one += rf"\d+\s+({PERCENT})\s+{PERCENT}" if self.cumulative else rf"({PERCENT})"
        vma = r"([0-9a-f]{8}(?:[0-9a-f]{8})?)\s+" if self.vma else "()"
        return re.compile(vma + r"\s+".join([one] * self.classes) + r"(?:\s+|$)")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table: a count and a percentage a class. `symbol` is empty in detail rows."""

    vma: int | None
    counts: tuple[int, ...]
    percents: tuple[float, ...]
    image: str
    app: str
    symbol: str


def header_columns(line: str) -> tuple[ReportColumns, bool] | None:
    """The columns that a header line names, and whether it is that of a differential report."""
    match = _HEADER.fullmatch(line)
    if match is None:
        return None
    names = tuple(name for name in ("linenr", "image", "app") if match[name])
    classes = match["numbers"].count("samples") // (2 if match["cumulative"] else 1)
    columns = ReportColumns(bool(match["vma"]), classes, bool(match["cumulative"]), names)
    return columns, bool(match["difference"])


class ReportRows:
    """Reads the rows of a table with these columns."""

    def __init__(self, columns: ReportColumns) -> None:
        """`columns` as the header line names them."""
        self.columns = columns
        self._numbers = columns.numbers

    def parse(self, line: str) -> Row | None:
        """The cells of a function's row. None where it is no row."""
        match = self._numbers.match(line)
        if match is None:
            return None
        rest = line[match.end() :]
        cells = {"linenr": "", "image": "", "app": ""}
        for name in self.columns.names:
            cells[name], rest = _cell(rest, _LINENR_WIDTH if name == "linenr" else _NAME_WIDTH)
        if not rest.strip():
            return None
        return _row(match, cells["image"], cells["app"], rest.rstrip())

    def parse_detail(self, line: str) -> Row | None:
        """The cells of a place in a function: numbers and at most a line number, no names."""
        match = self._numbers.match(line)
        if match is None or not self.columns.vma:
            return None
        rest = line[match.end() :].strip()
        is_place = "linenr" in self.columns.names and _LINENR.fullmatch(rest) is not None
        return _row(match, "", "", "") if is_place or not rest else None


def _row(match: re.Match[str], image: str, app: str, symbol: str) -> Row:
    vma, *numbers = match.groups()
    return Row(
        int(vma, 16) if vma else None,
        tuple(int(count) for count in numbers[::2]),
        tuple(float(percent) for percent in numbers[1::2]),
        image,
        app,
        symbol,
    )


def _cell(text: str, width: int) -> tuple[str, str]:
    """The value of a padded column and the text after it."""
    if ranged := _RANGE.match(text):
        return ranged[0], text[max(ranged.end(), min(width, len(text))) :].lstrip(" ")
    if text[width - 1 : width] == " ":
        return text[:width].rstrip(), text[width:]
    value, _, rest = text.partition(" ")
    if rest.startswith(_DELETED + " "):  # a path may end so: 'memfd:sealed-91173221a7ea (deleted)'
        return f"{value} {_DELETED}", rest[len(_DELETED) :].lstrip(" ")
    return value, rest


def guessed_columns(lines: list[str]) -> ReportColumns | None:
    """The columns of a table without header line, from its first rows."""
    first = next((line for line in lines if line and not line.startswith((" ", "-"))), "")
    tokens = first.split()
    vma = bool(tokens) and re.fullmatch(r"[0-9a-f]{8}(?:[0-9a-f]{8})?", tokens[0]) is not None
    numbers = _leading_numbers(tokens[1:] if vma else tokens)
    cumulative = numbers.startswith("nnpp")
    classes = len(numbers) // (4 if cumulative else 2)
    if classes == 0:
        return None
    bare = ReportColumns(vma, classes, cumulative, ())
    return ReportColumns(vma, classes, cumulative, _guessed_names(bare, lines))


def _leading_numbers(tokens: list[str]) -> str:
    """`n` for a count and `p` for a percentage, as long as rows of opreport go on with them."""
    kinds = ""
    for token in tokens:
        if re.fullmatch(r"\d+\.\d{3,4}|\d\.\de-\d\d", token) or (
            token == "0" and kinds.endswith("n")
        ):
            kinds += "p"
        elif re.fullmatch(r"\d+", token):
            kinds += "n"
        else:
            break
    while kinds and not kinds.endswith("p"):
        kinds = kinds[:-1]
    return kinds


def _guessed_names(bare: ReportColumns, lines: list[str]) -> tuple[str, ...]:
    """The name columns, by the places where the text of most rows goes on after blanks."""
    numbers = bare.numbers
    texts = [line[match.end() :] for line in lines if (match := numbers.match(line))]
    names: tuple[str, ...] = ()
    if _most(texts, _LINENR_WIDTH, r"\S*:\d+|\(no location information\)"):
        texts = [_cell(text, _LINENR_WIDTH)[1] for text in texts]
        names = ("linenr",)
    for name in ("image", "app"):
        if not _most(texts, _NAME_WIDTH, r"\S.*"):
            break
        texts = [_cell(text, _NAME_WIDTH)[1] for text in texts]
        names = (*names, name)
    return names


def _most(texts: list[str], width: int, value: str) -> bool:
    """Whether most texts that are long enough have a value of this form padded to this width."""
    pattern = re.compile(value)
    fitting = [
        text[width - 1] == " "
        and text[width] != " "
        and pattern.fullmatch(text[:width].rstrip()) is not None
        for text in texts
        if len(text) > width and not _RANGE.match(text)
    ]
    return bool(fitting) and sum(fitting) > len(fitting) / 2

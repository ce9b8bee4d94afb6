"""opreport without options: applications, and below them the images that were hit.

    CPU_CLK_UNHALT...|INST_RETIRED:2...|
      samples|      %|  samples|      %|
    ------------------------------------
         7378 31.6517      3715 31.0723 python3.11
    <TAB>CPU_CLK_UNHALT...|INST_RETIRED:2...|
    <TAB>     5741 77.8124      2876 77.4159 libpython3.11.so.1.0

An application with a single image has no second block: the image is not known then.
"""

import re
from dataclasses import dataclass, field

from perfduck_ingest.oprofile import names
from perfduck_ingest.oprofile.report_columns import PERCENT
from perfduck_ingest.oprofile.tally import Tally

HEADING = re.compile(r"\t?(?:(?:[^|\t]{17}\|)+|(?: *samples\| *%\|)+)\s*")
_RULE = re.compile(r"\t?-{18,}\s*")
_ROW = re.compile(rf"(?P<tab>\t?)(?P<numbers>(?:\ *\d{{1,18}}\ +{PERCENT}\ )+)(?P<name>.*\S)\s*")
# ld-linux-x86-64.so.2 is run as a program: `ld-linux-x86-64.so.2 ./demo`
_LIBRARY = re.compile(r"(?!(?:.*/)?ld[-.]).*\.so(?:\.[\d.]+)?")


@dataclass(slots=True)
class _Application:
    name: str
    counts: tuple[int, ...]
    images: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)


@dataclass(slots=True)
class Summary:
    """The rows of an image summary."""

    classes: int = 0
    _applications: list[_Application] = field(default_factory=list)

    def take(self, line: str, tally: Tally) -> bool:
        """Whether `line` belongs to the summary; it is then taken in."""
        if HEADING.fullmatch(line):
            self.classes = line.count("|") // (2 if "samples|" in line else 1)
            return True
        if _RULE.fullmatch(line):
            return True
        return self._take_row(line, tally)

    def _take_row(self, line: str, tally: Tally) -> bool:
        match = _ROW.fullmatch(line)
        if match is None:
            return False
        cells = match["numbers"].split()
        counts = tuple(int(count) for count in cells[::2])
        self.classes = self.classes or len(counts)
        if len(counts) != self.classes or (match["tab"] and not self._applications):
            return False
        if match["tab"]:
            self._applications[-1].images.append((match["name"], counts))
        else:
            self._applications.append(_Application(match["name"], counts))
            tally.share([float(percent) for percent in cells[1::2]])
        return True

    def finish(self, tally: Tally) -> None:
        """Count what was taken in."""
        merged = is_merged([app.name for app in self._applications])
        for app in self._applications:
            if merged and not app.images:
                tally.hit(app.counts, image=app.name, app="", symbol="")
                continue
            for image, counts in app.images:
                tally.hit(counts, image=image, app=app.name, symbol="")
            listed = [sum(counts) for counts in zip(*(c for _, c in app.images), strict=True)]
            listed = listed or [0] * self.classes
            rest = [max(total - part, 0) for total, part in zip(app.counts, listed, strict=True)]
            tally.hit(rest, image="", app=app.name, symbol="")


def is_merged(column: list[str]) -> bool:
    """Whether a column that opreport calls `app name` holds images, as with --merge=lib: the
    kernel, memory ranges and libraries are no applications."""
    dsos = {name: names.dso_of_text(name) for name in set(column)}
    return any(
        dso.startswith(("[", names.ANON)) or _LIBRARY.fullmatch(name)
        for name, dso in dsos.items()
        if name
    )

"""opreport without options: applications, and below them the images that were hit.

    CPU_CLK_UNHALT...|INST_RETIRED:2...|
      samples|      %|  samples|      %|
    ------------------------------------
         7378 31.6517      3715 31.0723 python3.11
    <TAB>CPU_CLK_UNHALT...|INST_RETIRED:2...|
    <TAB>     5741 77.8124      2876 77.4159 libpython3.11.so.1.0

An application with a single image has no second block: the image is not known then. Copied from a
terminal, the tab is blanks: the numbers of an image then end to the right of an application's.
"""

import re
from dataclasses import dataclass, field

from perfduck_ingest.oprofile import names
from perfduck_ingest.oprofile.report_columns import PERCENT
from perfduck_ingest.oprofile.report_counts import ReportCounts

_INDENT = r"(?:\t| {0,16})"  # a tab is at most 16 columns on any terminal
HEADING = re.compile(rf"{_INDENT}(?:(?:[^|\t]{{17}}\|)+|(?: *samples\| *%\|)+)\s*")
_RULE = re.compile(rf"{_INDENT}-{{18,}}\s*")
_ROW = re.compile(
    rf"(?P<numbers>(?P<indent>\s*)(?P<count>\d{{1,18}})\ +{PERCENT}\ "
    rf"(?:\ *\d{{1,18}}\ +{PERCENT}\ )*)(?P<name>.*\S)\s*"
)
_COUNT_WIDTH = 9  # of an application; an image's count ends further to the right


@dataclass(frozen=True, slots=True)
class _Image:
    name: str
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Application(_Image):
    images: list[_Image] = field(default_factory=list)


@dataclass(slots=True)
class Summary:
    """The rows of an image summary."""

    classes: int = 0
    _applications: list[_Application] = field(default_factory=list)
    _is_lost: bool = True  # the application of the images below was not understood

    def take(self, line: str, tally: ReportCounts) -> bool:
        """Whether `line` belongs to the summary; it is then taken in."""
        if HEADING.fullmatch(line):
            classes = line.count("|") // (2 if "samples|" in line else 1)
            self.classes = self.classes or classes
            return classes == self.classes
        if _RULE.fullmatch(line):
            return True
        return self._take_row(line, tally)

    def _take_row(self, line: str, tally: ReportCounts) -> bool:
        match = _ROW.fullmatch(line)
        if match is None:
            self._is_lost |= not line.startswith(("\t", " "))
            return False
        cells = match["numbers"].split()
        counts = tuple(int(count) for count in cells[::2])
        self.classes = self.classes or len(counts)
        beyond = match.end("count") - _COUNT_WIDTH if match["indent"] else 0
        if "\t" in match["indent"] or beyond > 0:
            return self._take_image(_Image(match["name"], counts))
        self._is_lost = beyond < 0 or len(counts) != self.classes
        if not self._is_lost:
            self._applications.append(_Application(match["name"], counts))
            tally.share([float(percent) for percent in cells[1::2]])
        return not self._is_lost

    def _take_image(self, image: _Image) -> bool:
        if self._is_lost or len(image.counts) != self.classes:
            return False
        self._applications[-1].images.append(image)
        return True

    def finish(self, tally: ReportCounts) -> None:
        """Count what was taken in."""
        has_images = any(app.images for app in self._applications)
        merged = not has_images and is_merged([app.name for app in self._applications])
        for app in self._applications:
            if merged:
                tally.hit(app.counts, image=app.name, app="", symbol="")
                continue
            for image in app.images:
                tally.hit(image.counts, image=image.name, app=app.name, symbol="")
            every = (image.counts for image in app.images)
            listed = [sum(counts) for counts in zip(*every, strict=True)]
            listed = listed or [0] * self.classes
            rest = [max(total - part, 0) for total, part in zip(app.counts, listed, strict=True)]
            tally.hit(rest, image="", app=app.name, symbol="")


def is_merged(column: list[str]) -> bool:
    """Whether the only column of names, which opreport calls `app name`, holds images, as with
    --merge=lib: the kernel, memory ranges and libraries are no applications."""
    dsos = {name: names.dso_of_text(name) for name in set(column)}
    return any(
        dso.startswith(("[", names.ANON)) or names.LIBRARY.fullmatch(name)
        for name, dso in dsos.items()
        if name
    )

"""What `perfduck trend` prints, in any of the formats; the page is in trend_html.py.

CSV is a row for each point and a column for each series, as Apache Otava reads it: `time_column:
time`, `metrics` any of the series. Amounts in it and in JSON are in the unit of the answer.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict

from perfduck_diff.trend_result import ChangePoint, LevelStep, Trend, TrendGroup
from perfduck_report import names, readable, tables, trend_words
from perfduck_report.diff_words import interval, percent, reason, signed
from perfduck_report.formats import TrendFormat
from perfduck_report.numbers import amount
from perfduck_report.screen import PIPE, Screen, sentence
from perfduck_report.tables import PlainRows, aligned, left_out, markdown_rows
from perfduck_report.trend_html import page

ROWS = 15  # series
STEPS = 8  # of a change
_ALL = "--format json has all"


def text(trend: Trend, screen: Screen = PIPE) -> str:
    """The changes, then the series as sparklines, of each group."""
    parts = [_lines([trend_words.verdict(trend), *trend.notes], screen)]
    for raw in trend.groups:
        group = readable.trend_group(raw)
        parts += [
            _lines(
                [trend_words.heading(trend, group), *(f"  {reason(r)}" for r in group.reasons)],
                screen,
            ),
            *(_change(trend, group, change, screen) for change in group.changes),
            _series(group, screen),
        ]
    return "\n".join(part for part in parts if part)


def _lines(lines: Iterable[str], screen: Screen, indent: str = "  ") -> str:
    shown = (part for line in lines for part in sentence(names.visible(line), screen.prose, indent))
    return "".join(f"{line}\n" for line in shown)


def _change(trend: Trend, group: TrendGroup, change: ChangePoint, screen: Screen) -> str:
    rows = [_row(one) for one in change.steps[:STEPS]]
    heads = ["", "before", "after", "delta", "", "95 % interval", ""]
    table = aligned(heads, rows, [False, *[True] * 5, False], screen) if rows else ""
    more = left_out(len(rows), len(change.steps), _ALL)
    lines = [
        *(f"  {trend_words.shift(one)}" for one in change.shifts),
        *(f"  {line}" for line in _said(change)),
    ]
    command = f"  {names.visible(trend_words.diff_command(trend, change))}\n"
    head = f"Changed at {trend_words.title(change, trend.over)}"
    return _lines([head], screen) + table + more + _lines(lines, screen, "    ") + command


def _said(change: ChangePoint) -> list[str]:
    """What the steps share, and what else changed there; that nothing did."""
    facts = [f"changed there: {line}" for line in trend_words.facts(change)]
    shared = trend_words.shared(change)
    return [*([shared] if shared else []), *(facts or [trend_words.nothing_else()])]


def _row(one: LevelStep) -> list[str]:
    return [
        one.series, amount(one.base), amount(one.new), signed(one.delta), percent(one),
        interval(one), trend_words.state(one),
    ]  # fmt: skip


def _series(group: TrendGroup, screen: Screen) -> str:
    shown = trend_words.shown_series(group, ROWS)
    rows = [
        [each.name, amount(each.costs[0]), amount(each.costs[-1]),
         amount(trend_words.level(group, each)), "" if each.is_tested else "not tested",
         trend_words.sparkline(each.costs)]
        for each in shown
    ]  # fmt: skip
    ends = " to ".join(trend_words.value(group.points[place].value) for place in (0, -1))
    heads = ["series", "first", "last", "level", "", ends]
    kinds = [False, True, True, True, False, False]
    return aligned(heads, rows, kinds, screen) + left_out(len(shown), len(group.series), _ALL)


def markdown(trend: Trend, _: Screen = PIPE) -> str:
    """The changes and the series as GitHub's markdown."""
    lines = [f"**{names.markdown_text(trend_words.verdict(trend))}**", ""]
    lines += [f"- {names.markdown_text(note)}" for note in trend.notes]
    for raw in trend.groups:
        group = readable.trend_group(raw)
        lines += ["", names.markdown_text(trend_words.heading(trend, group)), ""]
        lines += [f"- {names.markdown_text(reason(entry))}" for entry in group.reasons]
        for change in group.changes:
            lines += _markdown_change(trend, change)
        lines += ["", _markdown_series(group)]
    return "\n".join(lines).strip() + "\n"


def _markdown_change(trend: Trend, change: ChangePoint) -> list[str]:
    command = names.visible(trend_words.diff_command(trend, change))
    lines = [
        *(trend_words.step(one) for one in change.steps),
        *(trend_words.shift(one) for one in change.shifts),
        *_said(change),
    ]
    title = names.markdown_text(trend_words.title(change, trend.over))
    items = [f"- {names.markdown_text(line)}" for line in lines]
    return ["", f"Changed at {title}", "", *items, f"- {names.markdown_code(command)}"]


def _markdown_series(group: TrendGroup) -> str:
    shown = trend_words.shown_series(group, ROWS)
    heads = ["series", f"level, {names.markdown_text(group.unit)}", "first to last"]
    rows = [
        [names.markdown(each.name), amount(trend_words.level(group, each)),
         trend_words.sparkline(each.costs)]
        for each in shown
    ]  # fmt: skip
    more = left_out(len(shown), len(group.series), _ALL)
    table = markdown_rows([heads, ["---", "---:", "---"], *rows])
    return f"{table}\n{more}" if more else table


def csv(trend: Trend, screen: Screen = PIPE) -> str:
    """A row for each point: its time, its value, the labels of its group, its runs, and its cost in
    each series; empty where a group has no such series."""
    keys = list(dict.fromkeys(key for group in trend.groups for key in group.labels))
    series = list(dict.fromkeys(each.name for group in trend.groups for each in group.series))
    own = ["time", trend.over if trend.over != "time" else "point", *keys, "runs", "unit"]
    rows = [row for group in trend.groups for row in _csv_rows(group, keys, series)]
    return tables.csv(PlainRows([*own, *_apart(series, own)], rows), screen)


def _csv_rows(
    group: TrendGroup, keys: Sequence[str], series: Sequence[str]
) -> Iterable[tuple[object, ...]]:
    costs = {each.name: each.costs for each in group.series}
    labels = [group.labels.get(key) for key in keys]
    for number, point in enumerate(group.points):
        values = [costs[name][number] if name in costs else None for name in series]
        yield (point.at, point.value, *labels, len(point.runs), group.unit, *values)


def _apart(series: Sequence[str], others: Sequence[str]) -> list[str]:
    """Names of columns: a subsystem may be called as a label is."""
    return [f"{name} (series)" if name in others else name for name in series]


def as_json(trend: Trend, _: Screen = PIPE) -> str:
    """One object with every number, and the command of each diff."""
    answer = asdict(trend)
    for group, shown in zip(trend.groups, answer["groups"], strict=True):
        for change, row in zip(group.changes, shown["changes"], strict=True):
            row["diff"] = trend_words.diff_command(trend, change)
    return names.as_json(answer)


FORMATS: dict[TrendFormat, Callable[[Trend, Screen], str]] = {
    "text": text,
    "markdown": markdown,
    "csv": csv,
    "json": as_json,
    "html": page,
}

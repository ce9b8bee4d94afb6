"""What `diff`, `compare` and `suggest_budget` answer."""

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from perfduck import diff_frames
from perfduck.diff_frames import CHANGE
from perfduck.tables import screen_of
from perfduck_diff.budget_suggestion import Suggestion
from perfduck_diff.compare_groups import Matrix
from perfduck_diff.engine.flame import Flame
from perfduck_diff.engine.rates import SubsystemRuns
from perfduck_diff.engine.result import Change, Claim, Diff, Reason, Verdict
from perfduck_diff.keys import View
from perfduck_report import (
    budget_file,
    compare,
    diff,
    diff_explained,
    diff_text,
    diff_words,
    html,
    html_table,
)
from perfduck_report.formats import CompareFormat, DiffFormat
from perfduck_report.numbers import amount

EXIT_CODES: dict[Verdict, int] = {"pass": 0, "regression": 1, "inconclusive": 3}


@dataclass(frozen=True, slots=True, repr=False)
class DiffResult:
    """Base against new. Amounts are in `unit` (ns/packet); `data` is the whole answer, typed;
    `flame`: makes the flame graph's data of the same samples, `runs` the cost of each subsystem in
    each run."""

    data: Diff
    flame: Callable[[], Flame]
    runs: Callable[[], tuple[SubsystemRuns, ...]]

    @property
    def verdict(self) -> Verdict:
        """pass, regression or inconclusive."""
        return self.data.verdict

    @property
    def exit_code(self) -> int:
        """What the command exits with: 0 pass, 1 regression, 3 inconclusive."""
        return EXIT_CODES[self.data.verdict]

    @property
    def unit(self) -> str:
        """Of all amounts: ns/packet, ms/cpu-s, %."""
        return self.data.unit

    @property
    def total(self) -> Change:
        """All weight but idle: base, new, delta, and low and high, the 95 % interval of delta."""
        return self.data.total

    @property
    def estimate(self) -> str:
        """The change of the total with its interval, in a line."""
        return diff_words.estimate(self.data)

    @property
    def summary(self) -> str:
        """The change of the total with its interval, and the verdict, in a line."""
        return diff_words.in_a_line(self.data)

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why the comparison is worth less than it looks; no verdict where one `blocks`."""
        return self.data.reasons

    @property
    def claims(self) -> tuple[Claim, ...]:
        """Growth that is significant, largest first, each counted once."""
        return self.data.claims

    @property
    def subsystems(self) -> pl.DataFrame:
        """A row for each: subsystem, area, base, new, delta, low, high, p, q, detectable (the
        smallest growth that is found in 80 % of such comparisons)."""
        columns = ["subsystem", "area", *CHANGE, "q", "detectable"]
        return diff_frames.of_rows(self.data.subsystems, columns)

    @property
    def classes(self) -> pl.DataFrame:
        """A row for each class of functions that cost anything, self weight: class, base, new,
        delta, low, high, p, q, detectable."""
        return diff_frames.of_split(self.data, "class")

    @property
    def directions(self) -> pl.DataFrame:
        """The same for each direction of kernel stacks: egress, ingress, forward, none."""
        return diff_frames.of_split(self.data, "direction")

    @property
    def traversals(self) -> pl.DataFrame:
        """The same for the innermost station of a packet's way: `ip_rcv #2` is the second time that
        it is in the stack."""
        return diff_frames.of_split(self.data, "traversal")

    @property
    def programs(self) -> pl.DataFrame:
        """The same for each program of eBPF that is blamed for anything, and for what no program
        is."""
        return diff_frames.of_split(self.data, "program")

    @property
    def pods(self) -> pl.DataFrame:
        """The same for each pod that is blamed for anything, for softirqs, interrupts and slices
        of the host; [no cgroup] alone where no control groups were recorded."""
        return diff_frames.of_split(self.data, "pod")

    @property
    def namespaces(self) -> pl.DataFrame:
        """The same for each network namespace, by its inode; [no netns] alone where none was
        recorded."""
        return diff_frames.of_split(self.data, "netns")

    @property
    def functions(self) -> pl.DataFrame:
        """A row for each, self weight: function, dso, subsystem, base, new, delta."""
        columns = ["function", "dso", "subsystem", *CHANGE[:3]]
        return diff_frames.of_rows(self.data.functions, columns)

    def render(
        self,
        format: DiffFormat,
        by: View | None = None,
        *,
        width: int | None = None,
        color: bool = False,
    ) -> str:
        """The diff in a format; all, or one view of it."""
        if format == "html":
            return self.to_html(by)
        return diff.FORMATS[format](self.data, by, screen_of(width, color=color))

    def to_text(
        self,
        by: View | None = None,
        *,
        explain: bool = False,
        width: int | None = None,
        color: bool = False,
    ) -> str:
        """As the command prints it: all, or one view; `explain`: what its words mean, below it."""
        screen = screen_of(width, color=color)
        meaning = diff_explained.text(screen) if explain else ""
        return diff_text.report(self.data, by, screen) + meaning

    def to_markdown(self, by: View | None = None) -> str:
        """For a comment on a pull request."""
        return self.render("markdown", by)

    def to_html(self, by: View | None = None) -> str:
        """A page with a flame graph: one file that asks no network for anything."""
        return html.render(self.data, self.flame(), by, self.runs())

    def to_json(self) -> str:
        """One object with every number."""
        return self.render("json")

    def to_junit(self) -> str:
        """A test case for each budget, or one for the diff."""
        return self.render("junit")

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        return f"DiffResult({diff_words.verdict(self.data)})"

    def _repr_html_(self) -> str:
        total, words = self.data.total, diff_words
        growth = f"{words.signed(total.delta)} ({words.percent(total)}, {words.interval(total)})"
        lines = [
            words.verdict(self.data),
            words.heading(self.data),
            f"total {amount(total.base)} -> {amount(total.new)}: {growth}",
        ]
        lines += [diff_words.reason(entry) for entry in self.data.reasons]
        claims = diff_frames.claims(self.data)
        shown = html_table.paragraphs(lines)
        if len(claims):
            shown += html_table.note("What grew, and what shrank:") + html_table.table(claims)
        subsystems = html_table.table(diff_frames.shown_subsystems(self.data))
        return shown + html_table.note("What is blamed:") + subsystems


@dataclass(frozen=True, slots=True, repr=False)
class CompareResult:
    """Several groups side by side; `data` is the whole answer, typed."""

    data: Matrix

    @property
    def unit(self) -> str:
        """Of all amounts."""
        return self.data.unit

    @property
    def groups(self) -> tuple[str, ...]:
        """The values of the label, in their order."""
        return self.data.groups

    @property
    def frame(self) -> pl.DataFrame:
        """A row for each subsystem (or class) and group, the total first: subsystem and area, or
        class; group, value, half_width (value - half_width .. value + half_width is 95 %)."""
        return diff_frames.of_matrix(self.data)

    def render(
        self, format: CompareFormat, *, width: int | None = None, color: bool = False
    ) -> str:
        """The groups as text, markdown or json."""
        return compare.FORMATS[format](self.data, screen_of(width, color=color))

    def to_text(self, *, width: int | None = None, color: bool = False) -> str:
        """The groups as columns, and what each step adds."""
        return self.render("text", width=width, color=color)

    def to_markdown(self) -> str:
        """The same as GitHub's markdown."""
        return self.render("markdown")

    def to_json(self) -> str:
        """One object with every number."""
        return self.render("json")

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        return f"CompareResult({', '.join(self.data.groups)}; {self.data.unit})"

    def _repr_html_(self) -> str:
        return html_table.paragraphs([compare.heading(self.data)]) + html_table.table(
            diff_frames.wide(self.data)
        )


@dataclass(frozen=True, slots=True, repr=False)
class BudgetSuggestion:
    """Budgets that like runs keep; `data` has their limits and what growth each finds."""

    data: Suggestion

    def to_toml(self) -> str:
        """The file that `diff(budget=...)` reads."""
        return budget_file.text(self.data)

    def __str__(self) -> str:
        return self.to_toml()

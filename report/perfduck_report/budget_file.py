"""Suggested budgets as the file that `perfduck diff --budget` reads.

# from 10 runs of scenario=native workload=udp64; of comparisons of 5 like runs a side 95 % keep
# all of it, of 3 and 10 runs 71 and 99 %
[budget]
total = "14 %"     # growth found in 8 of 10: 35 % (3 runs a side), 29 % (5), 24 % (10)
"""

import math

from perfduck_diff.budget_suggestion import (
    LEAST_SHARE,
    MOST_SUBSYSTEMS,
    SuggestedBudget,
    Suggestion,
)
from perfduck_report.names import toml_key, visible
from perfduck_report.numbers import many
from perfduck_report.screen import sentence

_WIDTH = 98  # of a comment


def text(suggestion: Suggestion) -> str:
    """The file."""
    total, *subsystems = suggestion.budgets
    unit = suggestion.unit.partition("/")[0]
    lines = [
        *(f"# {line}" for line in sentence(_head(suggestion), _WIDTH)),
        *(f"# {line}" for line in sentence(_kept(suggestion), _WIDTH)),
        *(f"# {line}" for note in suggestion.notes for line in sentence(f"Note: {note}.", _WIDTH)),
        "",
        "[budget]",
        _line("total", f"{_above(100 * total.limit)} %", total, suggestion),
    ]
    if subsystems:
        lines += ["", "[budget.subsystem]  # what a stack is blamed on"]
        lines += [
            _line(each.name, f"{_above(each.limit)} {unit}", each, suggestion)
            for each in subsystems
        ]
    if suggestion.left_out:
        lines += [f"# {line}" for line in sentence(_rest(suggestion), _WIDTH)]
    return "".join(f"{visible(line)}\n" for line in lines)


def _rest(suggestion: Suggestion) -> str:
    what = f"{many(suggestion.left_out, 'subsystem')} more"
    return (
        f"{what} {'has' if suggestion.left_out == 1 else 'have'} no budget: of programs, below"
        f" {_percent(LEAST_SHARE)} of the total, or behind the first {MOST_SUBSYSTEMS}."
    )


def _head(suggestion: Suggestion) -> str:
    return (
        f"Budgets that {_percent(suggestion.keep)} of comparisons of {suggestion.runs} like runs"
        f" a side keep, all at once; from {len(suggestion.profiles)} runs of {suggestion.kind}."
    )


def _kept(suggestion: Suggestion) -> str:
    each = ", ".join(
        f"{_percent(kept)} with {size}"
        for kept, size in zip(suggestion.kept, suggestion.sizes, strict=True)
    )
    sizes = ", ".join(map(str, suggestion.sizes))
    finds = f"Behind each: the growth that 8 of 10 comparisons find, with {sizes} runs."
    return f"They keep {each} runs a side. {finds}"


def _line(name: str, limit: str, budget: SuggestedBudget, suggestion: Suggestion) -> str:
    finds = ", ".join(f"{100 * growth:.0f}" for growth in budget.finds)
    key = toml_key(name)
    base = f"{budget.base:,.4g} {suggestion.unit}"
    return f'{key} = "{limit}"'.ljust(34) + f"# of {base}; finds {finds} %"


def _percent(part: float) -> str:
    return f"{100 * part:.3g} %"


def _above(value: float) -> str:
    """Two digits, not below the value."""
    if value <= 0:
        return "0"
    scale = 10.0 ** (math.floor(math.log10(value)) - 1)
    return f"{math.ceil(value / scale - 1e-9) * scale:.10g}"

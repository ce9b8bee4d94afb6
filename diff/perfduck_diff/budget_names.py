"""A budget for what does not exist would be kept forever, so names are checked before they count.

A subsystem is known if the store has it or a rule of perfduck's leads to it; a function of a path
if the store has it or a catalogued kernel does: neither need be in the runs that are compared.
"""

from fnmatch import fnmatchcase, translate

from perfduck_diff.engine.budget import Budget, Budgets
from perfduck_diff.engine.run_matrix import RunMatrix
from perfduck_model.errors import PerfduckError
from perfduck_model.suggestion import did_you_mean
from perfduck_tags import catalogue, rule_file


def check_names(budgets: Budgets, runs: RunMatrix) -> None:
    """Raise PerfduckError for a subsystem or a function of a budget that there is not."""
    for budget in budgets.budgets:
        if budget.kind == "subsystem":
            known = {*runs.area, *(rule.subsystem for rule in rule_file.shipped())}
            if budget.name not in known:
                raise _unknown(budget, budget.name, known)
        if budget.kind == "path":
            names = {frame.name for frame in runs.frames}
            for part in budget.name.split(";"):
                if not _is_function(part, names):
                    raise _unknown(budget, part, names)


def _is_function(pattern: str, names: set[str]) -> bool:
    if any(fnmatchcase(name, pattern) for name in names):
        return True
    known = catalogue.shipped().functions["name"]
    return bool(known.str.contains(f"^(?:{_regex(pattern)})$").any())


def _regex(pattern: str) -> str:
    """fnmatch's, without what polars' regular expressions do not have."""
    return translate(pattern).removeprefix("(?s:").removesuffix(")\\Z").replace("(?>", "(?:")


def _unknown(budget: Budget, name: str, known: set[str]) -> PerfduckError:
    meant = did_you_mean(name, sorted(known)).strip()
    got = name or "an empty one"
    message = f"{budget.where}: [budget.{budget.kind}]: expected a name that there is, got {got}"
    return PerfduckError(f"{message}: {meant}" if meant else message)

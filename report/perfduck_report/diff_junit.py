"""A diff as JUnit XML: one test case per budget, or one for the diff without budgets.

A regression is a failure, an inconclusive budget an error: what reads JUnit knows no third state.
"""

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from perfduck_diff.engine.result import Diff, Verdict
from perfduck_diff.keys import View
from perfduck_report import readable
from perfduck_report.diff_words import budget, heading, reason, runs, verdict
from perfduck_report.screen import PIPE, Screen

_ELEMENT = {"regression": "failure", "inconclusive": "error"}


def report(diff: Diff, _: View | None = None, __: Screen = PIPE) -> str:
    """The XML text: a suite, or of a hybrid CPU one for each of its core PMUs."""
    suites = [_suite(each) for each in (diff, *diff.other_pmus)]
    root = suites[0]
    if len(suites) > 1:
        root = Element("testsuites")
        root.extend(suites)
    indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(root, encoding="unicode")}\n'


def _suite(diff: Diff) -> Element:
    diff = readable.diff(diff)  # XML has no form for control characters: they are visible there
    cases = [(row.name, row.verdict, budget(row, diff.unit)) for row in diff.budgets]
    blocked = [entry for entry in diff.reasons if entry.blocks]
    if not cases or blocked:
        cases.append(("comparison", diff.verdict, verdict(diff)))
    suite = Element(
        "testsuite",
        name=f"perfduck diff: {heading(diff)}",
        tests=str(len(cases)),
        failures=str(sum(kind == "regression" for _, kind, _ in cases)),
        errors=str(sum(kind == "inconclusive" for _, kind, _ in cases)),
    )
    for name, kind, text in cases:
        _case(suite, name, kind, text)
    output = SubElement(suite, "system-out")
    facts = [f"{name}: {base} -> {new}" for name, base, new in runs(diff)]
    output.text = "\n".join([*(reason(entry) for entry in diff.reasons), *facts])
    return suite


def _case(suite: Element, name: str, kind: Verdict, text: str) -> None:
    case = SubElement(suite, "testcase", classname="perfduck.budget", name=name)
    if kind in _ELEMENT:
        SubElement(case, _ELEMENT[kind], message=text, type=kind).text = text

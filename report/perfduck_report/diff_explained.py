"""What the words of a diff mean: printed below it by --explain."""

from perfduck_report.screen import PIPE, Screen, sentence

TERMS = (
    (
        "pass",
        "growth of the total above the tolerance is excluded (one-sided 95 %), and of every path "
        "that grew significantly; with budgets, all of them are kept.",
    ),
    (
        "regression",
        "the total grew (one-sided p <= .025) or a claim of growth is significant, and the "
        "tolerance does not allow it; with budgets, one is exceeded.",
    ),
    (
        "inconclusive",
        "neither is shown. The line says what the runs do exclude and how many it takes to "
        "exclude the tolerance in 8 of 10 comparisons in which nothing grew.",
    ),
    (
        "exact sign-flip test",
        "of pairs that `ab` recorded in random order. Where nothing differs, each run of a pair "
        "could as well be the other: p is the part of all ways to assign them in which the total "
        "or any path shows as much. It holds for any noise. Claims, budgets and the verdict need "
        "it; intervals, p and q of single rows are without it.",
    ),
    (
        "total",
        "all weight but idle, per unit of work. Its confidence interval is computed from the "
        "run-to-run variation of both sides and of like runs in the store.",
    ),
    (
        "everything, common to all",
        "what most paths did alike, such as a slower clock or a loaded machine: each run is "
        "divided by its factor before paths are compared.",
    ),
    (
        "claim",
        "growth or shrinkage of a path beyond that, at the speed of base, counted nowhere "
        "else. Claims and unattributed add up to the change of the total.",
    ),
    (
        "q",
        "p after Benjamini-Hochberg over all paths that were tested; claims have q <= .05.",
    ),
    (
        "found in 8 of 10",
        "the minimum detectable growth: with this many runs and this run-to-run variation, 80 % "
        "of comparisons detect it. Smaller growth can go undetected.",
    ),
    (
        "runs",
        "the smallest and the largest total of each side, and the part of their variance that "
        "goes when each run is divided by what its paths share.",
    ),
    (
        "self, blamed",
        "self is time in the function; blamed is what a subsystem is charged with, the locks, "
        "copies and allocations done for it included.",
    ),
)


def text(screen: Screen = PIPE) -> str:
    """A paragraph per term."""
    lines = [
        line
        for term, meaning in TERMS
        for line in sentence(f"{term}: {meaning}", screen.prose, "  ")
    ]
    return "\n" + "".join(f"{line}\n" for line in lines)

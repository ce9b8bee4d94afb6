"""More pairs until it is sure, without looking too often.

Whoever records one more pair until a test says yes gets a yes sooner or later: of ten looks at 5 %
each, one in seven is a false alarm. So each look has a level of its own, and together they keep
that of a single test (group-sequential alpha spending: Lan and DeMets 1983,
doi:10.1093/biomet/70.3.659). With every pair the spent part of the level rises:

spent(part) = level x part ** 1.5: between Pocock's (level x part, early stops) and O'Brien and
Fleming's (nearly all at the end); Jennison and Turnbull 2000, section 7.2.

The level of a look is what is spent at it: Bonferroni over the looks, which holds however they
depend on each other. They do, so few looks with a good part of the level each find more: each is
after a third more pairs than the last. Of growth as large as the standard deviation of a difference
95 % is found with looks after 7, 9, 12 and 16 pairs, 87 % with one after each pair.

The exact test (sign_flip.py) has p in steps of 1 / flips, so a look gets as many whole steps as
there are to spend, and what is left goes to the next. The first look is where there is one step.
"""

from perfduck_diff.engine.sign_flip import flips

POWER = 1.5
_ROUNDING = 1e-9  # of steps


def levels(first: int, most: int, level: float) -> dict[int, float]:
    """After how many pairs there is a look, and its level; together they spend `level`."""
    if not 1 <= first <= most or not 0 < level < 1:
        message = f"expected 1 <= first <= most and a level in 0..1, got {first}, {most}, {level}"
        raise ValueError(message)
    looks, used, pairs = {}, 0.0, first
    while True:
        looks[pairs] = _steps(pairs, most, level, used) / flips(pairs)
        used += looks[pairs]
        if pairs == most:
            return looks
        pairs = _next(pairs, most)


def first_look(most: int, level: float) -> int | None:
    """The pairs of the first look that can show anything; None: no look can."""
    pairs = range(1, most + 1)
    return next((count for count in pairs if _steps(count, most, level, 0.0)), None)


def _next(pairs: int, most: int) -> int:
    """A third more; the last if that is less than half of such a step away."""
    after = max(pairs * 4 // 3, pairs + 1)
    return most if after + after // 6 >= most else after


def _steps(pairs: int, most: int, level: float, used: float) -> int:
    spent = level * (pairs / most) ** POWER
    return int((spent - used) * flips(pairs) + _ROUNDING)

"""A diff, or one side, as a page: one file that opens anywhere and asks no network for anything.

<header>  verdict, reasons, total         templates/diff.html (one side: side.html)
<main>    claims, flame graph, tables     templates/macros.html, flame.html
<script>  d3-flame-graph and ours         templates/vendor, common.js, flame.js, tables.js

Everything that is not ours to write (names of functions, labels, texts) goes through jinja's
escaping or, in JSON, through `payload`. The page's own policy then lets no script run whose hash
is not in it, and no request leave it.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from markupsafe import Markup

from perfduck_diff.engine.dimensions import DIMENSIONS
from perfduck_diff.engine.flame import Flame, Heat
from perfduck_diff.engine.rates import SubsystemRuns
from perfduck_diff.engine.result import Diff
from perfduck_diff.keys import View
from perfduck_report import diff_words, readable, trend_words
from perfduck_report.html_flame import payload
from perfduck_report.html_view import (
    claim_bars,
    palette,
    sentence,
    shared_labels,
    sides,
    subsystems,
)  # fmt: skip
from perfduck_report.names import visible
from perfduck_report.numbers import amount

if TYPE_CHECKING:
    from jinja2 import BaseLoader, Environment
# In the order they are run: each needs the ones before.
_LIBRARIES = (
    "d3-array", "d3-color", "d3-dispatch", "d3-ease", "d3-format", "d3-hierarchy",
    "d3-interpolate", "d3-time", "d3-time-format", "d3-timer", "d3-scale", "d3-selection",
    "d3-transition", "d3-flame-graph",
)  # fmt: skip
_OURS = ("common.js", "state.js", "tables.js", "flame.js")
_FILTERS = {
    "amount": amount,
    "signed": diff_words.signed,
    "percent": diff_words.percent,
    "interval": diff_words.interval,
    "chance": diff_words.chance,
    "label": diff_words.label,
    "budget": diff_words.budget,
    "moved": diff_words.moved,
    "state": trend_words.state,
    "shift": trend_words.shift,
    "option_words": str,  # options of notes as the command line has them; a server has forms
}


def render(
    diff: Diff, flame: Flame, by: View | None = None, runs: Sequence[SubsystemRuns] = ()
) -> str:
    """The page of a diff, or one view of it beside the flame, which is of the same runs."""
    return render_page("diff.html", diff_values(diff, flame, by, runs), _scripts())


def diff_values(
    diff: Diff, flame: Flame, by: View | None = None, runs: Sequence[SubsystemRuns] = ()
) -> dict[str, object]:
    """What diff.html shows."""
    by_run = readable.runs(runs, readable.diff_scale(diff))
    diff, flame = readable.diff(diff), readable.flame(flame, readable.diff_scale(diff))
    return _drawn(flame) | {
        "diff": diff,
        "by": by,
        "names": sides(diff),
        "runs": diff_words.runs(diff),
        "shared": shared_labels(diff),
        "sentence": sentence(diff),
        "verdict": diff_words.verdict(diff).partition(": ")[2],
        "summary": diff_words.summary(diff),
        "other_pmus": [_of_other_pmu(each) for each in diff.other_pmus],
        "bars": claim_bars(diff, flame),
        "subsystems": subsystems(diff, flame, by_run),
        "functions": sorted(
            diff.functions, key=lambda row: (-abs(row.delta), row.function, row.dso)
        ),
    }


def _of_other_pmu(diff: Diff) -> str:
    """Another core PMU of a hybrid CPU in a line."""
    diff = readable.diff(diff)
    return f"{diff.event}: {diff_words.in_a_line(diff)}"


def render_side(
    name: str,
    profiles: Sequence[str],
    flame: Flame,
    heat: Sequence[Heat],
    notes: Sequence[str] = (),
) -> str:
    """The page of one side: what is hot, without a comparison. `notes`: what is merged, left out
    or narrowed."""
    return render_page("side.html", side_values(name, profiles, flame, heat, notes), _scripts())


def side_values(
    name: str,
    profiles: Sequence[str],
    flame: Flame,
    heat: Sequence[Heat],
    notes: Sequence[str] = (),
    narrowed: str | None = None,
) -> dict[str, object]:
    """What side.html shows. `narrowed`: the address of a page that takes filters, up to them."""
    return _drawn(readable.flame(flame)) | {
        "name": visible(name),
        "profiles": [visible(profile) for profile in profiles],
        "heat": readable.heat(tuple(heat), readable.flame_scale(flame)),
        "notes": [visible(note) for note in notes],
        "narrowed": narrowed,
    }


def _drawn(flame: Flame) -> dict[str, object]:
    return {"flame": flame, "payload": payload(flame), "colour": palette(flame)}


def render_page(template: str, values: Mapping[str, object], scripts: Sequence[str]) -> str:
    """A page as one file, with the style and the scripts in it."""
    page = _environment().get_template(template)
    return page.render(
        layout="page.html",
        style=_text("page.css"),
        scripts=scripts,
        policy=" ".join(_hash(script) for script in scripts),
        **values,
    )


def assets() -> dict[str, str]:
    """The style sheet and the scripts of a page as files, for a server whose policy allows no
    others: name -> text, scripts in the order in which they are run."""
    names = ("d3.js", *_OURS)
    return {"page.css": _text("page.css"), **dict(zip(names, _scripts(), strict=True))}


def injected_style_hash() -> str:
    """Of the style that d3-flame-graph puts into a page, as a policy has it."""
    style = re.search(r"\.textContent=`(.*?)`", _text("vendor/d3-flame-graph.min.js"), re.S)
    return _hash(style[1]) if style else ""


def _text(name: str) -> str:
    return (resources.files(__package__) / "templates" / name).read_text()


@cache
def _scripts() -> tuple[str, ...]:
    libraries = [_text(f"vendor/{name}.min.js") for name in _LIBRARIES]
    return _notice() + "\n".join(libraries), *(_text(name) for name in _OURS)


def _notice() -> str:
    """What the licences ask every copy to carry."""
    texts = [_text(f"vendor/{name}.LICENSE") for name in ("d3", "d3-ease", "internmap")]
    flame = "d3-flame-graph: https://github.com/spiermar/d3-flame-graph, Apache License 2.0,\n"
    where = "http://www.apache.org/licenses/LICENSE-2.0\n"
    return "/*\n" + "\n".join([flame + where, *texts]) + "*/\n"


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


@cache
def _environment() -> "Environment":
    return environment(_style)


def _style(declarations: str) -> "Markup":
    """Where a bar is, as an attribute of its element."""
    return Markup('style="{}"').format(declarations)


def environment(place: "Callable[[str], Markup]", *more: "BaseLoader") -> "Environment":
    """Where templates are found: in `more`, then here. `place` makes an attribute of declarations
    of CSS that only this element has: the policy of a server allows no style in a page."""
    # jinja2 is a tenth of a second: only who asks for a page waits for it
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=ChoiceLoader([*more, PackageLoader("perfduck_report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(_FILTERS)
    templates.globals.update(place=place, dimensions=DIMENSIONS)
    return templates

"""A diff, or one side, as a page: one file that opens anywhere and asks no network for anything.

<header>  verdict, reasons, total         templates/diff.html (one side: side.html)
<main>    claims, flame graph, tables     templates/macros.html, flame.html
<script>  d3-flame-graph and ours         templates/vendor, flame.js, tables.js

Everything that is not ours to write (names of functions, labels, texts) goes through jinja's
escaping or, in JSON, through `payload`. The page's own policy then lets no script run whose hash
is not in it, and no request leave it.
"""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from perfduck_diff.engine.flame import Flame, Heat
from perfduck_diff.engine.result import Diff
from perfduck_diff.keys import View
from perfduck_report import diff_words, readable
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
    from jinja2 import Environment

# In the order they are run: each needs the ones before.
_LIBRARIES = (
    "d3-array", "d3-color", "d3-dispatch", "d3-ease", "d3-format", "d3-hierarchy",
    "d3-interpolate", "d3-time", "d3-time-format", "d3-timer", "d3-scale", "d3-selection",
    "d3-transition", "d3-flame-graph",
)  # fmt: skip
_OURS = ("tables.js", "flame.js")
_FILTERS = {
    "amount": amount,
    "signed": diff_words.signed,
    "percent": diff_words.percent,
    "interval": diff_words.interval,
    "chance": diff_words.chance,
    "label": diff_words.label,
    "budget": diff_words.budget,
    "moved": diff_words.moved,
}


def render(diff: Diff, flame: Flame, by: View | None = None) -> str:
    """The page of a diff, or one view of it beside the flame, which is of the same runs."""
    diff, flame = readable.diff(diff), readable.flame(flame, readable.diff_scale(diff))
    return _page(
        "diff.html",
        flame,
        diff=diff,
        by=by,
        names=sides(diff),
        runs=diff_words.runs(diff),
        shared=shared_labels(diff),
        sentence=sentence(diff),
        verdict=diff_words.verdict(diff).partition(": ")[2],
        summary=diff_words.summary(diff),
        bars=claim_bars(diff, flame),
        subsystems=subsystems(diff, flame),
        functions=sorted(diff.functions, key=lambda row: (-abs(row.delta), row.function, row.dso)),
    )


def render_side(
    name: str,
    profiles: Sequence[str],
    flame: Flame,
    heat: Sequence[Heat],
    notes: Sequence[str] = (),
) -> str:
    """The page of one side: what is hot, without a comparison. `notes`: what is merged, left out
    or narrowed."""
    shown = readable.flame(flame)
    rows = readable.heat(tuple(heat), readable.flame_scale(flame))
    runs = [visible(profile) for profile in profiles]
    said = [visible(note) for note in notes]
    return _page("side.html", shown, name=visible(name), profiles=runs, heat=rows, notes=said)


def _page(template: str, flame: Flame, **values: object) -> str:
    scripts = _scripts()
    page = _environment().get_template(template)
    return page.render(
        style=_text("page.css"),
        scripts=scripts,
        policy=" ".join(_hash(script) for script in scripts),
        flame=flame,
        payload=payload(flame),
        colour=palette(flame),
        **values,
    )


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
    # jinja2 is a tenth of a second: only who asks for a page waits for it
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("perfduck_report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(_FILTERS)
    return environment

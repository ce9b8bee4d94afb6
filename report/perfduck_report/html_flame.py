"""The flame graph's data, as JSON that a page may hold.

    {"unit": "ns/packet", "subsystems": ["socket", "udp"], "frames": [["br_handle_frame",
     "[bridge]", 4]], "parent": [0, 0, 1], "frame": [-1, 0, 7], "base": [...], "new": [...]}

Own weights, not sums: rounded sums would not add up.
"""

import json
from typing import Any

from perfduck_diff.engine.flame import ROOT, Flame


def payload(flame: Flame) -> str:
    """JSON without a character that means anything to HTML."""
    text = json.dumps(shape(flame), separators=(",", ":"), sort_keys=True)
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def shape(flame: Flame) -> dict[str, Any]:
    """The data as above."""
    used = dict.fromkeys(code for code in flame.frame.tolist() if code >= 0)
    number = {code: position for position, code in enumerate(used)}
    names = _subsystems(flame)
    position = {name: place for place, name in enumerate(names)}
    frames = [flame.frames[code] for code in used]
    return {
        "unit": flame.unit,
        "subsystems": names,
        "frames": [[frame.name, frame.dso, position[frame.subsystem]] for frame in frames],
        "parent": flame.parent.tolist(),
        "frame": [number.get(code, -1) for code in flame.frame.tolist()],
        "base": [_short(value) for value in flame.own[:, 0].tolist()],
        "new": [_short(value) for value in flame.own[:, 1].tolist()],
    }


def _subsystems(flame: Flame) -> list[str]:
    """Every subsystem of a frame, most blamed first."""
    blamed = [part.subsystem for part in flame.parts]
    rest = {flame.frames[code].subsystem for code in flame.frame[ROOT + 1 :].tolist()}
    return [*blamed, *sorted(rest - set(blamed))]


def _short(value: float) -> float | int:
    """Five digits that matter."""
    rounded = float(f"{value:.5g}")
    return int(rounded) if rounded.is_integer() else rounded

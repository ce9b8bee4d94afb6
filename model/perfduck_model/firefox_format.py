"""Profiles of the Firefox Profiler: what the exporter and the importer agree on beyond the format
(https://github.com/firefox-devtools/profiler, src/types/profile.ts).

    meta.extra: {"label": "perfduck", "entries": [{"label": "event", "value": "cpu-clock"}, ...]}
"""

SECTION = "perfduck"  # of "More info": has the entries below
EVENT, UNIT = "event", "unit"
UNTIMED = (
    "without times"  # names of recordings whose samples have none: those of the file are made up
)

NS_OF = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
NS_OF_MS = 1e6


def weight_type(unit: str) -> str:
    """What weights of a unit are there: tracing-ms, bytes, or else samples."""
    if unit in NS_OF:
        return "tracing-ms"
    return "bytes" if unit in ("byte", "bytes") else "samples"

"""perfduck: which kernel code paths got more expensive, by how much per unit of work, and whether
that is noise.

    import perfduck

    with perfduck.open("perfduck.duckdb") as store:
        result = store.diff("scenario=native", "scenario=docker0-nat", where="workload=udp64")
        print(result.verdict, result.total.delta, result.unit)
        result.subsystems  # a polars frame

docs/library.md has more. `python -m perfduck` is the command line. Names are loaded when they are
first used: the import itself takes a millisecond.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from perfduck.ab import AbResult, AbStep
    from perfduck.diff_result import BudgetSuggestion, CompareResult, DiffResult
    from perfduck.exports import Export
    from perfduck.names_and_tags import ExplainResult, TagResult
    from perfduck.options import IngestOptions, RecordingOptions, TagSources
    from perfduck.profile_store import ProfileStore, explain, open
    from perfduck.push_client import NotSent
    from perfduck.rankings import CallsResult, TopResult
    from perfduck.recordings import IngestResult
    from perfduck.store_results import EditResult, MergeResult, RemoveResult
    from perfduck.tables import Table
    from perfduck.trends import TrendResult
    from perfduck.typed import FilterOptions
    from perfduck_diff.engine.result import Change, Claim, Diff
    from perfduck_diff.keys import By, Key, MatrixKey, SeriesKey, Side, View
    from perfduck_diff.selection import Note
    from perfduck_ingest.source import Source
    from perfduck_model.errors import NoProfileError, PerfduckError
    from perfduck_report.formats import (
        CompareFormat,
        DiffFormat,
        ExportFormat,
        TableFormat,
        TrendFormat,
    )
    from perfduck_report.names import visible

    __version__: str
    native_version: str | None
    kernels_in_use: Literal["native", "numpy"]

__all__ = [
    "AbResult", "AbStep", "BudgetSuggestion", "By", "CallsResult", "Change", "Claim",
    "CompareFormat", "CompareResult", "Diff", "DiffFormat", "DiffResult", "EditResult",
    "ExplainResult", "Export", "ExportFormat", "FilterOptions", "IngestOptions", "IngestResult",
    "Key", "MatrixKey", "MergeResult", "NoProfileError", "NotSent", "Note", "PerfduckError",
    "ProfileStore", "RecordingOptions", "RemoveResult", "SeriesKey", "Side", "Source", "Table",
    "TableFormat", "TagResult", "TagSources", "TopResult", "TrendFormat", "TrendResult", "View",
    "__version__", "explain", "kernels_in_use", "native_version", "open", "visible",
]  # fmt: skip

_MODULES = {
    "perfduck.ab": ("AbResult", "AbStep"),
    "perfduck.diff_result": ("BudgetSuggestion", "CompareResult", "DiffResult"),
    "perfduck.exports": ("Export",),
    "perfduck.typed": ("FilterOptions",),
    "perfduck.names_and_tags": ("ExplainResult", "TagResult"),
    "perfduck.options": ("IngestOptions", "RecordingOptions", "TagSources"),
    "perfduck.profile_store": ("ProfileStore", "explain", "open"),
    "perfduck.push_client": ("NotSent",),
    "perfduck.recordings": ("IngestResult",),
    "perfduck.store_results": ("EditResult", "MergeResult", "RemoveResult"),
    "perfduck.tables": ("Table",),
    "perfduck.trends": ("TrendResult",),
    "perfduck.rankings": ("CallsResult", "TopResult"),
    "perfduck_diff.engine.result": ("Change", "Claim", "Diff"),
    "perfduck_diff.keys": ("By", "Key", "MatrixKey", "SeriesKey", "Side", "View"),
    "perfduck_diff.selection": ("Note",),
    "perfduck_ingest.source": ("Source",),
    "perfduck_model.errors": ("NoProfileError", "PerfduckError"),
    "perfduck_report.formats": (
        "CompareFormat",
        "DiffFormat",
        "ExportFormat",
        "TableFormat",
        "TrendFormat",
    ),
    "perfduck_report.names": ("visible",),
}


def __getattr__(name: str) -> Any:
    if name == "__version__":  # to look it up takes 20 ms of every start of the command
        return import_module("importlib.metadata").version("perfduck")
    if name == "native_version":  # of perfduck_native; None where it is not installed
        return import_module("perfduck_kernels.native").version()
    if name == "kernels_in_use":  # whose hot loops run: $PERFDUCK_KERNELS
        return import_module("perfduck_kernels.selection").name()
    module = next((module for module, names in _MODULES.items() if name in names), None)
    if module is None:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(module), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

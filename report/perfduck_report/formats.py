"""The names of all formats, in one place: the command line, the library and the server take their
choices from here, and the functions are in dicts that have exactly these. Light: the help needs it.
"""

from typing import Literal

DiffFormat = Literal["text", "json", "markdown", "junit", "html"]  # diff.FORMATS, and html.render
CompareFormat = Literal["text", "markdown", "json"]  # compare.FORMATS
TrendFormat = Literal["text", "markdown", "csv", "json", "html"]  # trend.FORMATS
TableFormat = Literal["text", "markdown", "csv", "json"]  # tables.FORMATS
ExportFormat = Literal[
    "folded", "pprof", "speedscope", "firefox", "html"
]  # perfduck/exports.py EXPORTS

"""The tables of a Firefox profile that its threads share: stacks, frames, functions, binaries.

stackTable     frame, prefix             a row for each distinct beginning of a call chain
frameTable     func, category, address   one for each function, and one for it in idle chains
funcTable      name, resource, source    functions of one name, binary and source file are one
"""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import numpy as np
import polars as pl

from perfduck_diff.engine.tree import Trie
from perfduck_model.arrays import Int64
from perfduck_report.export_frames import ChainTable
from perfduck_report.names import visible

_FIRST = [  # every profile has a grey one; "Idle" is what the Profiler leaves out as idle
    {"name": "Other", "color": "grey", "subcategories": ["Other"]},
    {"name": "Idle", "color": "transparent", "subcategories": ["Other"]},
]
_IDLE = 1
_UNKNOWN = "[unknown]"
_NO_AREA = ("unknown", "kernel/unknown")
_COLORS = {  # of an area, by the longest beginning that is here
    "user": "yellow", "kernel": "orange", "net": "blue", "net/netfilter": "red",
    "net/bridge": "magenta", "net/virtual": "magenta", "net/tunnel": "purple",
    "net/xfrm": "purple", "net/l3": "lightblue", "net/transport": "green", "net/sched": "lightred",
    "net/bpf_xdp": "lightred", "drivers": "brown", "mm": "brown", "fs": "darkgrey",
}  # fmt: skip
_ELSE = "darkgrey"
_LIBRARY = 1  # type of a resource
_MOST_ADDRESS = (1 << 32) - 1  # the Profiler has 32 bits
_NATIVE_SYMBOL = {each: pl.Int64 for each in ("libIndex", "address", "name", "functionSize")}
_FUNCTION = ("shown", "dso", "source_file")


def column(name: str, values: pl.Series) -> Iterator[bytes]:
    """A member of an object, behind others: its numbers, or nulls."""
    yield f',"{name}":['.encode()
    texts = values.cast(pl.String).fill_null("null")
    for start in range(0, len(texts), 1 << 16):
        part = texts.slice(start, 1 << 16).str.join(",").item()
        yield b"," * (start > 0) + part.encode()
    yield b"]"


def breakpad_id(build_id: str | None) -> str:
    """What symbol servers call a binary: the first 16 bytes of its build id as a GUID, and an age
    of 0; "" without one."""
    if not build_id:
        return ""
    content = bytes.fromhex(build_id)[:16].ljust(16, b"\0")
    return f"{UUID(bytes_le=content).hex.upper()}0"


class SharedTables:
    """The tables of the functions and chains of an export. `lost`: a text that is needed beside
    their names."""

    def __init__(self, table: ChainTable, trie: Trie, lost: str) -> None:
        self._rows = table.functions.with_columns(pl.Series("shown", table.names()))
        self._functions = self._rows.select(_FUNCTION).unique(maintain_order=True)
        has_binary = pl.col("dso") != _UNKNOWN
        self._binaries = self._rows.filter(has_binary).unique("dso", maintain_order=True)
        areas = self._rows.filter(~pl.col("area").is_in(_NO_AREA)).group_by("area")
        self._areas = areas.agg(pl.col("subsystem").unique().sort()).sort("area")
        self._trie = trie
        self._texts: dict[str, int] = {}
        self.lost = self._text(lost)

    def _text(self, text: str) -> int:
        return self._texts.setdefault(visible(text), len(self._texts))

    def categories(self) -> list[dict[str, Any]]:
        """The areas; the first subcategory of each is for the area itself."""
        return _FIRST + [
            {
                "name": visible(area),
                "color": _color(area),
                "subcategories": ["Other", *map(visible, subsystems)],
            }
            for area, subsystems in self._areas.iter_rows()
        ]

    def libs(self, arch: str) -> list[dict[str, Any]]:
        """The binaries."""
        return [
            {
                "arch": arch,
                "name": _file_name(dso),
                "path": visible(dso),
                "debugName": _file_name(dso),
                "debugPath": visible(dso),
                "breakpadId": breakpad_id(build_id),
                "codeId": build_id,
            }
            for dso, build_id in self._binaries.select("dso", "build_id").iter_rows()
        ]

    def parts(self) -> Iterator[bytes]:
        """The members of the object "shared"."""
        codes = np.unique(self._trie.code[1:])
        yield from _table("stackTable", self._stacks(codes))
        yield from _table("frameTable", self._frames(codes), inlineDepth=0, nativeSymbol=None,
                          innerWindowID=0, line=None, column=None)  # fmt: skip
        yield from _table("funcTable", self._func_table(), isJS=False, relevantForJS=False,
                          lineNumber=None, columnNumber=None)  # fmt: skip
        names = [self._text(_file_name(dso)) for dso in self._binaries["dso"]]
        resources = pl.DataFrame({"lib": range(len(names)), "name": names})
        yield from _table("resourceTable", resources, host=None, type=_LIBRARY)
        yield from _table("nativeSymbols", pl.DataFrame(schema=_NATIVE_SYMBOL))  # none is known
        files = pl.DataFrame({"filename": list(map(self._text, self._sources()))})
        yield from _table("sources", files, uuid=None)
        yield b'"stringArray":' + json.dumps(list(self._texts), separators=(",", ":")).encode()

    def _sources(self) -> list[str]:
        files = self._functions["source_file"].drop_nulls()
        return files.unique(maintain_order=True).to_list()

    def _stacks(self, codes: Int64) -> pl.DataFrame:
        """[frame, prefix] of each node but the root."""
        frame = np.searchsorted(codes, self._trie.code[1:])
        prefix = pl.Series(self._trie.parent[1:] - 1).replace(-1, None)
        return pl.DataFrame({"frame": frame, "prefix": prefix})

    def _frames(self, codes: Int64) -> pl.DataFrame:
        """[func, category, subcategory, address] of each code of the trie."""
        places = self._areas.with_row_index("category", offset=len(_FIRST)).explode("subsystem")
        places = places.with_columns(
            subcategory=pl.int_range(1, pl.len() + 1).over(
                "category", mapping_strategy="group_to_rows"
            )
        )
        functions = self._functions.with_row_index("func")
        rows = self._rows.join(
            functions, on=_FUNCTION, how="left", nulls_equal=True, maintain_order="left"
        ).join(places, on=("area", "subsystem"), how="left", maintain_order="left")
        is_idle = pl.Series(codes >= rows.height)
        has_address = pl.col("address").is_between(0, _MOST_ADDRESS)
        return rows[codes % rows.height].select(
            "func",
            category=pl.when(is_idle).then(_IDLE).otherwise(pl.col("category").fill_null(0)),
            subcategory=pl.when(is_idle).then(0).otherwise(pl.col("subcategory").fill_null(0)),
            address=pl.when(has_address).then("address").otherwise(-1),
        )

    def _func_table(self) -> pl.DataFrame:
        """[name, resource, source] of each function."""
        binaries = {dso: place for place, dso in enumerate(self._binaries["dso"])}
        sources = {file: place for place, file in enumerate(self._sources())}
        rows = [
            (self._text(name), binaries.get(dso, -1), sources.get(file))
            for name, dso, file in self._functions.iter_rows()
        ]
        return pl.DataFrame(rows, {each: pl.Int64 for each in ("name", "resource", "source")},
                            orient="row")  # fmt: skip


def _table(name: str, rows: pl.DataFrame, **constants: Any) -> Iterator[bytes]:
    """A member that is a table, and a comma; `constants` are columns that are the same in all
    rows."""
    yield f'"{name}":{{"length":{rows.height}'.encode()
    for each in rows:
        yield from column(each.name, each)
    for key, value in constants.items():
        yield f',"{key}":{json.dumps([value] * rows.height, separators=(",", ":"))}'.encode()
    yield b"},"


def _color(area: str) -> str:
    parts = area.split("/")
    beginnings = ("/".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((_COLORS[each] for each in beginnings if each in _COLORS), _ELSE)


def _file_name(dso: str) -> str:
    return visible(dso.rsplit("/", 1)[-1])

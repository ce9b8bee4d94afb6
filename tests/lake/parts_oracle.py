"""What a lake answers, worked out from its files in plain Python: no SQL, no code of the store.

    oracle = Oracle(lake)                 json for commits and manifests, pyarrow for parts
    oracle.rank(choice, "function")       what `top` prints
    oracle.runs, rollup, stacks           what `diff` and `compare` compute with
    oracle.hits()                         the rows of view `hit`, for `perfduck sql`
    check(store, oracle, choice)          any store that reads this lake answers the same

Weights are sums of integers below 2^53, so they are equal whatever the order of summation.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from perfduck_store.choice import By, Choice
from perfduck_store.protocol import Store

Row = dict[str, Any]
_BY_STACK = {"stack": "stack_id", "stack_blame": "stack_id", "symbol": "symbol_id"}
_PLACES: dict[By, tuple[str, ...]] = {
    "function": ("function", "dso", "subsystem"), "subsystem": ("subsystem",), "class": ("class",),
    "dso": ("dso",),
}  # fmt: skip
_TOP = 1_000_000  # rows: all


class Oracle:
    """The rows of a lake that are valid now."""

    def __init__(self, lake: Path) -> None:
        [self._folder] = lake.glob("v*")
        self._slots = dict(self._settled())
        self.profiles = {row["profile_id"]: row for row in map(self._said, self._rows("profile"))}
        self.samples = list(self._rows("sample"))
        self.events = list(self._rows("event"))
        self.stacks_of_id, self.blame, self.symbols = map(self._names, _BY_STACK)

    def _settled(self) -> Iterator[tuple[tuple[Any, ...], Row]]:
        """The last setting of each slot: of the highest time, then of the highest hash."""
        pointers = sorted((self._folder / "generations").glob("*"))
        logs = []
        folded: set[str] = set()
        if pointers:
            name = pointers[-1].read_text().strip()
            manifest = json.loads((self._folder / "manifests" / f"{name}.json").read_bytes())
            folded = set(manifest.get("folded", ()))
            logs.append((name, manifest))
        commits = sorted((self._folder / "commits").glob("*.json"))
        logs += [
            (path.stem, json.loads(path.read_bytes()))
            for path in commits
            if path.stem not in folded
        ]
        settings = defaultdict(list)
        for name, log in logs:
            for entry in log["entries"]:
                group = entry.get("group")
                settings[tuple(entry["slot"])].append({
                    "order": (entry.get("at") or log["at"], entry.get("by") or name),
                    "value": entry.get("value"),
                    "parts": None if group is None else log["groups"][group]["parts"],
                })  # fmt: skip
        for slot, each in settings.items():
            yield slot, max(each, key=lambda setting: setting["order"])

    def _part(self, table: str, parts: dict[str, Any]) -> list[Row]:
        if table not in parts:
            return []
        rows: list[Row] = pq.read_table(
            self._folder / table / f"{parts[table][0]}.parquet"
        ).to_pylist()
        return rows

    def _rows(self, table: str) -> Iterator[Row]:
        """Rows of recordings: where a part has several, their ids distinguish them."""
        for slot, setting in self._slots.items():
            if slot[0] == "recording" and setting["parts"]:
                for row in self._part(table, setting["parts"]):
                    if row["profile_id"] == slot[1]:
                        yield row

    def _names(self, table: str) -> dict[int, Row]:
        """Rows by id, each once: what `perfduck tag` said, or of several the least."""
        key = _BY_STACK[table]
        arrived: dict[int, list[Row]] = defaultdict(list)
        for slot, setting in self._slots.items():
            if slot[0] == "recording" and setting["parts"]:
                for row in self._part(table, setting["parts"]):
                    arrived[row[key]].append(row)
        rows = {key: min(same, key=_in_order) for key, same in arrived.items()}
        tags = self._slots.get(("tags",), {"parts": None})["parts"]
        tagged = {row[key]: row for row in self._part(table, tags or {})}
        return rows | {key: row for key, row in tagged.items() if key in rows}

    def _said(self, row: Row) -> Row:
        """With what users say of the recording."""
        row["labels"] = dict(row["labels"])
        slots = [slot for slot in self._slots if slot[1:2] == (row["profile_id"],)]
        for slot in sorted(slots, key=lambda slot: self._slots[slot]["order"]):
            value = self._slots[slot]["value"]
            if slot[0] == "label":
                row["labels"].pop(slot[2], None)
                row["labels"] |= {} if value is None else {slot[2]: value}
            elif slot[0] == "work" and value:
                row["work"], row["work_unit"] = value
            elif slot[0] in ("name", "kernel_release"):
                row[slot[0]] = value
        return row

    def function(self, symbol_id: int) -> str:
        """How a function is called in an answer."""
        symbol = self.symbols[symbol_id]
        binary = symbol["dso"].rpartition("/")[2].strip("[]")
        is_named = symbol["name"] != "[unknown]" or binary == "unknown"
        return str(symbol["name"] if is_named else f"{symbol['name']} in {binary}")

    def picked(self, choice: Choice) -> dict[tuple[int, int, str], tuple[int, int]]:
        """Weight and hits by run, stack and command, idle included."""
        sums = defaultdict(lambda: (0, 0))
        for run, row in self._samples(choice):
            place = run, row["stack_id"], row["comm"] or "[none]"
            weight, hits = sums[place]
            sums[place] = weight + _weight(row), hits + row["count"]
        return dict(sums)

    def _samples(self, choice: Choice) -> Iterator[tuple[int, Row]]:
        """The samples of a choice, with the place of their profile."""
        for row in self.samples:
            if row["profile_id"] in choice.profiles:
                run = list(choice.profiles).index(row["profile_id"])
                begin, end = choice.spans[run] if choice.spans else (None, None)
                is_early = begin is not None and row["time_ns"] < begin
                is_late = end is not None and row["time_ns"] >= end
                has_values = all(
                    self._value(key, row) in values for key, values in choice.values.items()
                )
                if row["event"] in choice.events[run] and has_values and not (is_early or is_late):
                    yield run, row

    def _value(self, key: str, row: Row) -> str:
        leaf = self.symbols[self.stacks_of_id[row["stack_id"]]["symbol_ids"][0]]
        values = {
            "comm": row["comm"] or "[none]",
            "pid": str(row["tid"] if row["pid"] is None else row["pid"]),
            "cpu": str(row["cpu"]),
            "dso": leaf["dso"],
            "subsystem": self.blame[row["stack_id"]]["subsystem"],
        }
        return str(values[key])

    def rollup(self, choice: Choice) -> dict[tuple[int, int], tuple[float, float]]:
        """Weight and hits by run and stack, idle included."""
        return _added((run, stack, each) for (run, stack, _), each in self.picked(choice).items())

    def stacks(self, choice: Choice) -> dict[int, tuple[list[int], str, str]]:
        """The chain of each stack without idle, whom it is blamed on, and its direction."""
        return {
            stack: (self.stacks_of_id[stack]["symbol_ids"], blame["subsystem"], blame["direction"])
            for stack in {stack for _, stack in self.rollup(choice)}
            if (blame := self.blame[stack])["context"] != "idle"
        }

    def runs(self, choice: Choice) -> list[tuple[Any, ...]]:
        """Of each profile, by name: name, work, its unit, labels, and the weight of a sample."""
        rows = []
        for key, events in zip(choice.profiles, choice.events, strict=True):
            of = [each for each in self.samples if each["profile_id"] == key]
            weighed = [(_weight(row), row["count"]) for row in of if row["event"] in events]
            grain = sum(weight**2 / count for weight, count in weighed)
            total = sum(weight for weight, _ in weighed)
            profile = self.profiles[key]
            said = (profile["name"], profile["work"], profile["work_unit"], profile["labels"])
            rows.append((*said, grain / total if total else 1))
        return sorted(rows)

    def rank(self, choice: Choice, by: By) -> list[tuple[Any, ...]]:
        """Place, self, total and blamed: rows in no order."""
        selfs, totals, blamed = Counter[Any](), Counter[Any](), Counter[Any]()
        place = self._place_of(by)
        for (_, stack, comm), (weight, _) in self.picked(choice).items():
            blame = self.blame[stack]
            if blame["context"] == "idle":
                continue
            chain = self.stacks_of_id[stack]["symbol_ids"]
            if by in ("comm", "path"):
                one = (comm,) if by == "comm" else (self._path(chain), blame["subsystem"])
                for sums in (selfs, totals, blamed):
                    sums[one] += weight
                continue
            selfs[place(chain[0])] += weight
            for each in set(map(place, chain)):
                totals[each] += weight
            is_whole = by == "subsystem"
            blamed[(blame["subsystem"],) if is_whole else place(blame["symbol_id"])] += weight
        return [(*each, selfs[each], totals[each], blamed[each]) for each in totals]

    def _path(self, chain: list[int]) -> str:
        return ";".join(self.function(symbol).replace(";", ":") for symbol in reversed(chain))

    def _place_of(self, by: By) -> Callable[[int], tuple[Any, ...]]:
        columns = _PLACES.get(by, ())

        def place(symbol_id: int) -> tuple[Any, ...]:
            row = self.symbols[symbol_id] | {"function": self.function(symbol_id)}
            return tuple(row[column] for column in columns)

        return place

    def hits(self) -> Iterator[Row]:
        """The rows of view `hit`: a sample each, with names."""
        for row in self.samples:
            profile, blame = self.profiles[row["profile_id"]], self.blame[row["stack_id"]]
            leaf = self.symbols[self.stacks_of_id[row["stack_id"]]["symbol_ids"][0]]
            of_leaf = {key: leaf[key] for key in ("dso", "area", "subsystem", "class")}
            yield row | of_leaf | {
                "profile": profile["name"], "labels": profile["labels"], "function": leaf["name"],
                "blamed": blame["subsystem"], "context": blame["context"], "weight": _weight(row),
            }  # fmt: skip


def _weight(row: Row) -> int:
    return int(row["count"] if row["period"] is None else row["period"])


def _in_order(row: Row) -> list[tuple[bool, Any]]:
    """Nulls last."""
    return [(value is None, value) for value in row.values()]


def _added(rows: Iterable[tuple[int, int, tuple[float, float]]]) -> dict[Any, Any]:
    """Weight and hits by run and stack, of rows that repeat."""
    sums: dict[tuple[int, int], tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))
    for run, stack, (weight, hits) in rows:
        before = sums[run, stack]
        sums[run, stack] = (before[0] + weight, before[1] + hits)
    return dict(sums)


def check(store: Store, oracle: Oracle, choice: Choice) -> None:
    """The store answers what the files of the lake say: what `top` prints, and what `diff` and
    `compare` compute with."""
    samples = store.samples(choice)
    for by in (*_PLACES, "comm", "path"):
        _check_rank(oracle.rank(choice, by), samples.rank(by, _TOP).rows(named=True), by)
    rows = samples.rollup().rows()
    assert _added((run, stack, each) for run, stack, *each in rows) == oracle.rollup(choice)
    stacks = {stack: tuple(of_stack) for stack, *of_stack in samples.stacks().rows()}
    assert stacks == oracle.stacks(choice)
    runs = [
        (each.name, each.work, each.work_unit, each.labels, each.grain) for each in samples.runs()
    ]
    for run, expected in zip(runs, oracle.runs(choice), strict=True):
        assert run[:-1] == expected[:-1]
        assert abs(run[-1] / expected[-1] - 1) < 1e-12  # a sum of fractions


def _check_rank(expected: list[tuple[Any, ...]], rows: list[Row], by: By) -> None:
    columns = _PLACES.get(by, ("path", "subsystem") if by == "path" else ("comm",))
    column = "place" if by in ("class", "dso") and rows and "place" in rows[0] else None
    answer = [
        (*(row[column or each] for each in columns), row["self"], row["total"], row["blamed"])
        for row in rows
    ]
    assert sorted(answer) == sorted(expected)
    assert all(row["row_count"] == len(expected) for row in rows)
    first, second = ("blamed", "self") if by == "subsystem" else ("self", "total")
    assert rows == sorted(rows, key=lambda row: (-row[first], -row[second]))

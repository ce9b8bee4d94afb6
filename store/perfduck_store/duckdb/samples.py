"""The samples that an answer is about, in the temporary view `picked` of a DuckDB connection.

Every query of an answer reads `picked`, so that its rows, totals and footers are about the same
samples. Columns: run (the place of the profile), event, stack_id, comm, cgroup, netns, weight,
exact_weight, hits, and of a choice with pods those of pod_sample.sql; rows may repeat. A connection
has one such view: where two choices take turns, each is picked again.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from msgspec.structs import replace

from perfduck_store.choice import OF_SAMPLES, OF_STACKS, By, Choice, Key, PodOfCgroup
from perfduck_store.duckdb.schema import named
from perfduck_store.records import (
    FunctionWeight,
    KeyValue,
    LikeRun,
    MissedTicks,
    PickedRun,
    StackWeight,
    TagShare,
    UnnamedCode,
    Weight,
)

if TYPE_CHECKING:
    import polars as pl

_EXACT = 1 << 53  # of the doubles that the rollup has
_QUERIES_OF_KEYS = {  # that are asked for several
    "comm": "top_of_sample", "cgroup": "top_of_sample", "netns": "top_of_sample",
    "direction": "top_of_sample",
    "dso": "top_place", "source": "top_place", "class": "top_place",
}  # fmt: skip


_QUERIES_OF_VALUES = {
    "cgroup": "picked_cgroups",
    "netns": "picked_netns_values",
    "pod": "picked_pod_values",
}


class SampleQueries(Protocol):
    """What runs the queries: a DuckDbStore, or Spark."""

    picked: Choice | None

    def choose(self, choice: Choice) -> None:
        """Have queries be about a choice: what dialect.sql says of it."""

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run a statement for its effect."""

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """The answer as tuples."""

    def frame(self, sql: str, parameters: Mapping[str, Any] | None = None) -> "pl.DataFrame":
        """The answer as columns."""

    def keep_rows(self, name: str, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Let a query be a temporary table."""

    def keep_frame(self, name: str, frame: "pl.DataFrame") -> None:
        """Let a frame be a temporary table."""


class DuckDbSamples:
    """See protocol.PickedSamples."""

    def __init__(self, store: SampleQueries, choice: Choice) -> None:
        # The rollup has all columns: answers that differ in `keep` alone have one view of it.
        self._store = store
        self._asked = choice
        self._choice = choice if choice.of_samples else replace(choice, keep=())

    def weights(self) -> dict[int, Weight]:
        """Of each run that has any picked sample."""
        return {run: Weight(*row) for run, *row in self._rows("picked_weights")}

    def values(self, key: Key) -> list[KeyValue]:
        """What there is of a key, heaviest first."""
        if query := _QUERIES_OF_VALUES.get(key):
            return [KeyValue(*row) for row in self._rows(query)]
        query = "picked_sample_values" if key in OF_SAMPLES else "picked_values"
        return [KeyValue(*row) for row in self._rows(query, {"key": key})]

    def runs(self) -> list[PickedRun]:
        """The profiles, by name."""
        return [PickedRun(*row) for row in self._rows("diff_profiles")]

    def rollup(self) -> "pl.DataFrame":
        """[run, stack_id, weight, hits], idle included; rows may repeat."""
        return self._frame("diff_weights")

    def by_pod(self) -> "pl.DataFrame":
        """[run, stack_id, pod, weight, hits], idle included."""
        return self._frame("picked_pods")

    def by_netns(self) -> "pl.DataFrame":
        """[run, stack_id, netns, weight, hits], idle included."""
        return self._frame("picked_netns")

    def beside_pods(self) -> float:
        """What took CPU time of the chosen pods and is not blamed on them."""
        return float(self._rows("beside_pods")[0][0])

    def missed_ticks(self) -> list[MissedTicks]:
        """Of whole recordings, by pod, those of most weight first."""
        return [MissedTicks(*row) for row in self._rows("missed_ticks")]

    def stacks(self) -> "pl.DataFrame":
        """[stack_id, symbol_ids, subsystem, direction] without idle, by stack_id: leaf first, who
        is blamed, and which way the packet goes."""
        return self._frame("diff_stacks")

    def programs(self) -> "pl.DataFrame":
        """[stack_id, program] of stacks that a program of eBPF is blamed for."""
        return self._of_programs("blamed_programs")

    def rank(self, by: By, limit: int) -> "pl.DataFrame":
        """The key's columns, self, total, blamed and row_count, the heaviest first: see
        top_*.sql."""
        keys: dict[str, Any] = {"limit": limit}
        if query := _QUERIES_OF_KEYS.get(by):
            return self._frame(query, keys | {"by": by}).rename({"place": by})
        if by == "program":
            return self._of_programs("top_program", keys)
        return self._frame(f"top_{by}", keys)

    def calls(self, function: str, limit: int, *, callees: bool) -> "pl.DataFrame":
        """[function, dso, subsystem, total, share, once, row_count] of the callers or callees,
        heaviest first; `share` in %, `once` what all rows weigh together."""
        keys = {"function": function, "limit": limit, "callees": callees}
        return self._frame("top_calls", keys)

    def timeline(self, bucket_ns: int) -> "pl.DataFrame":
        """[run, bucket, hits] of samples with a time, by run and bucket."""
        return self._frame("timeline", {"bucket_ns": bucket_ns})

    def with_arcs(self) -> list[str]:
        """Names of the profiles that have arcs of OProfile in place of stacks."""
        return [name for (name,) in self._rows("with_arcs")]

    def without_callers(self) -> list[str]:
        """Names of the profiles none of whose samples has a caller."""
        return [name for (name,) in self._rows("without_callers")]

    def comms(self, runs: Sequence[int]) -> dict[str, float]:
        """The weight without idle of each command in some runs, heaviest first."""
        return dict(self._rows("picked_comms", {"runs": list(runs)}))

    def tag_methods(self, runs: Sequence[int]) -> list[TagShare]:
        """What decided the tags of leaves in some runs, heaviest first."""
        return [TagShare(*row) for row in self._rows("tagged_by", {"runs": list(runs)})]

    def unnamed(self, runs: Sequence[int]) -> list[UnnamedCode]:
        """Code without a name in some runs, where the import said that names are missing."""
        return [UnnamedCode(*row) for row in self._rows("unnamed", {"runs": list(runs)})]

    def artefacts(self, runs: Sequence[int]) -> list[FunctionWeight]:
        """Functions of some runs and the self weight that was spent before them."""
        return [FunctionWeight(*row) for row in self._rows("artefacts", {"runs": list(runs)})]

    def like_runs(self, most: int) -> list[LikeRun]:
        """Up to so many other profiles with the same event, unit of work, CPUs and architecture."""
        keys = {"profiles": list(self._choice.profiles), "most": most}
        return [LikeRun(*row) for row in self._rows("like_runs", keys)]

    def stack_weights(self, runs: Sequence[int]) -> list[StackWeight]:
        """The exact weights in some runs, by stack and command; idle included."""
        rows = self._rows("export_weights", {"runs": list(runs)})
        weights = [StackWeight(stack, comm, int(weight)) for stack, comm, weight in rows]
        if self._choice.is_exact or all(each.weight < _EXACT for each in weights):
            return weights
        exact = replace(self._asked, is_exact=True)
        return DuckDbSamples(self._store, exact).stack_weights(runs)

    def chains(self) -> "pl.DataFrame":
        """[stack_id, symbol_ids, blamed, context, direction], idle included, by stack_id."""
        return self._frame("export_chains")

    def functions(self) -> "pl.DataFrame":
        """[symbol_id, name, dso, address, source_file, area, subsystem, class, build_id] of the
        chains, by symbol_id."""
        return self._frame("export_functions")

    def samples(self, run: int, *, with_times: bool) -> "pl.DataFrame":
        """[stack_id, comm, pid, tid, cpu, cgroup, netns, time_ns, weight, hits] of a run, idle
        included."""
        begin, end = self._choice.spans[run] if self._choice.spans else (None, None)
        keys = {
            "profile": self._choice.profiles[run], "events": list(self._choice.events[run]),
            "from_ns": begin, "to_ns": end, "with_times": with_times,
        }  # fmt: skip
        return self._frame("export_samples", keys)

    def _rows(self, query: str, keys: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        self._pick()
        return self._store.rows(named(query), keys)

    def _frame(self, query: str, keys: Mapping[str, Any] | None = None) -> "pl.DataFrame":
        self._pick()
        return self._store.frame(named(query), keys)

    def _of_programs(self, query: str, keys: Mapping[str, Any] | None = None) -> "pl.DataFrame":
        self._pick()
        # Made here: to bind this macro takes 3 ms, and few questions read it.
        self._store.execute(named("run_programs"))
        return self._frame(query, keys)

    def _pick(self) -> None:
        """Make `picked` the samples of the choice."""
        if self._store.picked == self._choice:
            return
        self._store.picked = None  # should this fail half-way
        self._store.choose(self._choice)
        self._store.execute(named("filtered_sample"))
        self._store.execute(named("pick_rollup"))
        if self._choice.of_samples:
            self._pick_samples()
        if any(key in self._choice.values for key in OF_STACKS):
            self._store.keep_rows("picked_stack", named("pick_stacks"))
            self._store.execute(named("passed_of_stacks"))
        else:
            self._store.execute(named("passed_all"))
        if self._choice.pods is None:
            self._store.execute(named("picked_all"))
        else:
            self._pick_pods(self._choice.pods)
        self._store.execute(named("stack_weights"))
        self._store.picked = self._choice

    def _pick_pods(self, pods: Sequence[PodOfCgroup]) -> None:
        rows = [(number, each.cgroup, each.pod, each.container) for number, each in enumerate(pods)]
        schema = {"group_id": int, "cgroup": str, "pod": str, "container": str}
        self._store.keep_frame("pod_of", _frame_of(rows, schema))
        self._store.keep_rows("pod_sample", named("pod_sample"))
        self._store.execute(named("picked_of_pods"))

    def _pick_samples(self) -> None:
        choice = self._choice
        keep = [*choice.keep, *([] if choice.pods is None else ["cgroup"])]
        rows = [
            (run, profile, event, *(choice.spans[run] if choice.spans else (None, None)))
            for run, profile in enumerate(choice.profiles)
            for event in choice.events[run]
        ]
        schema = {"run": int, "profile_id": int, "event": str, "from_ns": int, "to_ns": int}
        self._store.keep_frame("asked_run", _frame_of(rows, schema))
        self._store.keep_rows("picked_sample", named("pick_samples"), {"keep": keep})
        self._store.execute(named("sampled_of_samples"))


def _frame_of(rows: Sequence[tuple[Any, ...]], schema: Mapping[str, type]) -> "pl.DataFrame":
    import polars as pl

    return pl.DataFrame(rows, schema, orient="row")

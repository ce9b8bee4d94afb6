"""What a store can be asked about the samples of a choice: a part of protocol.py."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from perfduck_store.choice import By, Key
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


class PickedSamples(Protocol):
    """The samples of a choice. Run i is the profile `choice.profiles[i]`; weights are in the unit
    of the chosen events, and without idle unless a docstring says otherwise."""

    def weights(self) -> dict[int, Weight]:
        """Of each run that has any sample."""

    def values(self, key: Key) -> list[KeyValue]:
        """What there is of a key, heaviest first."""

    def runs(self) -> list[PickedRun]:
        """What is said of the profiles, by name."""

    def rollup(self) -> "pl.DataFrame":
        """[run, stack_id, weight, hits], idle included; rows may repeat."""

    def by_pod(self) -> "pl.DataFrame":
        """[run, stack_id, pod, weight, hits], idle included; for a choice with `pods`. What runs in
        a softirq or an interrupt is of the pods SOFTIRQ and HARDIRQ."""

    def by_netns(self) -> "pl.DataFrame":
        """[run, stack_id, netns, weight, hits], idle included; netns: the inode as text, or
        '[no netns]'."""

    def beside_pods(self) -> float:
        """The weight of softirqs and interrupts that took CPU time of the pods that are chosen,
        and are not blamed on them; for a choice with values of "pod"."""

    def missed_ticks(self) -> list[MissedTicks]:
        """Ticks of the chosen clock that left no sample in whole recordings, by pod that was on the
        CPU, those of most weight first; for a choice with `pods`."""

    def stacks(self) -> "pl.DataFrame":
        """[stack_id, symbol_ids, subsystem, direction], by stack_id: symbols from the leaf to the
        root, the subsystem that is blamed, and which way the packet goes."""

    def programs(self) -> "pl.DataFrame":
        """[stack_id, program] of stacks that a program of eBPF is blamed for, by stack_id."""

    def rank(self, by: By, limit: int) -> "pl.DataFrame":
        """A row for each value of a key (choice.By), the heaviest first: the key, what
        goes with it (dso, subsystem or area), self, total, blamed, and how many rows there are
        without the limit (row_count)."""

    def calls(self, function: str, limit: int, *, callees: bool) -> "pl.DataFrame":
        """[function, dso, subsystem, total, share, once, row_count] of the callers or callees of a
        function, the heaviest first; `share` in % of all, `row_count` as in `rank`."""

    def timeline(self, bucket_ns: int) -> "pl.DataFrame":
        """[run, bucket, hits] by time from the first sample of each run, in buckets of so many ns;
        of samples with a time, by run and bucket. For a choice without `spans`."""

    def with_arcs(self) -> list[str]:
        """Names of the profiles that have arcs of OProfile in place of stacks."""

    def without_callers(self) -> list[str]:
        """Names of the profiles none of whose samples has a caller."""

    def comms(self, runs: Sequence[int]) -> dict[str, float]:
        """The weight of each command in some runs, heaviest first."""

    def tag_methods(self, runs: Sequence[int]) -> list[TagShare]:
        """What decided the tags of leaves in some runs, heaviest first."""

    def unnamed(self, runs: Sequence[int]) -> list[UnnamedCode]:
        """Code without a name in some runs, of recordings whose import said that names are missing,
        heaviest first."""

    def artefacts(self, runs: Sequence[int]) -> list[FunctionWeight]:
        """Functions of some runs and the self weight that was spent before them, heaviest first."""

    def like_runs(self, most: int) -> list[LikeRun]:
        """Up to so many other profiles with the same event, unit of work, CPUs and architecture,
        of the same commands."""

    def stack_weights(self, runs: Sequence[int]) -> list[StackWeight]:
        """The exact weights in some runs, by stack and command; idle included."""

    def chains(self) -> "pl.DataFrame":
        """[stack_id, symbol_ids, blamed, context, direction] of the call chains, by stack_id,
        idle included: symbols from the leaf to the root, the subsystem that is blamed, and which
        way the packet goes (null: none)."""

    def functions(self) -> "pl.DataFrame":
        """[symbol_id, name, dso, address, source_file, area, subsystem, class, build_id] of the
        functions in these chains, by symbol_id; build_id in hexadecimal, null where the profiles
        note none, or several, and no ELF file of the dso was read."""

    def samples(self, run: int, *, with_times: bool) -> "pl.DataFrame":
        """[stack_id, comm, pid, tid, cpu, cgroup, netns, time_ns, weight, hits] of a run, idle
        included: each sample, or without times (null then) the sums of those that only differ in
        it. A weight of 2^63-1 may have been more."""

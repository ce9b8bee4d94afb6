"""Callers in user space that were not recorded in the chain of their sample.

    --call-graph lbr        in its branch stack: what called what, as the processor noted
    --call-graph fp,defer   in a CALLCHAIN_DEFERRED, written when the thread returns to user space

Both are put into the chain in place of what it says of user space, as perf does
(resolve_lbr_callchain_sample in machine.c, sample__merge_deferred_callchain in callchain.c).
"""

from collections import Counter
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

import numpy as np

from perfduck_ingest import limitations
from perfduck_ingest.perf_data import records
from perfduck_ingest.perf_data.mappings import Mappings, rows_of_version
from perfduck_ingest.perf_data.sample_columns import Samples
from perfduck_ingest.perf_data.stream import Block
from perfduck_kernels import kernels
from perfduck_model.arrays import Bool, Int64, UInt64
from perfduck_model.limits import limits

_USER = np.uint64(records.CONTEXT_USER)
_DEFERRED = np.uint64(records.CONTEXT_USER_DEFERRED)
_BRANCH = 3  # words: from, to, flags
_NOTHING = np.zeros(0, np.uint64)
_NO_PLACES = np.zeros(0, np.int64)


def with_branch_callers(samples: Samples, branches: Int64, counts: Int64) -> Samples:
    """Samples whose chains have the callers that `counts` branches say, the first of which are at
    `branches`. The function that was hit is that where the last branch led to."""
    user = _user_markers(samples)
    has_callers = (user >= 0) & (counts > 0)
    depth = np.where(has_callers, user + 1, np.maximum(samples.depth, 0))
    return rebuilt(
        samples,
        samples.block.words,
        [
            (samples.chain, depth, 1),
            (branches + 1, has_callers.astype(np.int64), 1),
            (branches, np.where(has_callers, counts, 0), _BRANCH),
        ],
    )


def _user_markers(samples: Samples) -> Int64:
    """Where in each chain the user's part begins; -1 where it has none."""
    depth = np.maximum(samples.depth, 0)
    indices = kernels.ranges(samples.chain, depth)
    hits = np.flatnonzero(samples.block.words[indices] == _USER)[::-1]  # the first counts
    owners = np.repeat(np.arange(len(samples)), depth)[hits]
    markers = np.full(len(samples), -1, np.int64)
    markers[owners] = indices[hits] - samples.chain[owners]
    return markers


class Placed(NamedTuple):
    """Samples, and what they met in the order of time."""

    samples: Samples
    comm: Int64
    maps_version: Int64

    def where(self, chosen: Bool) -> "Placed":
        """Those that are chosen."""
        return Placed(self.samples.where(chosen), self.comm[chosen], self.maps_version[chosen])


class DeferredCallers:
    """Keeps samples until their callers are known; of too many the oldest count as those whose
    callers never came."""

    def __init__(self, counted: Counter[str]) -> None:
        """`counted` counts samples whose callers never came."""
        self._counted = counted
        self._chains: dict[int, tuple[int, UInt64]] = {}  # by cookie: time and entries
        self._waiting: list[Placed] = []
        self._maps: dict[int, Mappings] = {}  # of the versions of those that wait
        self._entries = 0  # of all chains
        self._has_learned = False  # since those that wait were looked at

    def learn(self, time: int, cookie: int, entries: UInt64) -> None:
        """The callers of all samples with this cookie: all of them are older."""
        self._forget(cookie)
        self._chains[cookie] = (time, np.append(_USER, entries))
        self._entries += len(entries)
        self._has_learned = True
        if len(self._chains) > limits.most_callers or self._entries > limits.most_caller_entries:
            # Half at once: to find the first of a dict takes long where many were taken out.
            for one in list(islice(self._chains, (len(self._chains) + 1) // 2)):
                self._forget(one)

    def _forget(self, cookie: int) -> None:
        if cookie in self._chains:
            self._entries -= len(self._chains.pop(cookie)[1]) - 1

    def merged(self, parts: list[Placed], maps: dict[int, Mappings], limit: int) -> list[Placed]:
        """Samples, of earlier calls too, with their callers; all those up to the time `limit` are
        in the recording. Adds the maps of earlier samples to those of the versions."""
        maps |= self._maps
        done: list[Placed] = []
        if self._has_learned:
            waiting, self._waiting = self._waiting, []
            done += map(self._merged, waiting)
        done += map(self._merged, parts)
        done += self._given_up(maps)
        if self._has_learned:
            for cookie in [key for key, one in self._chains.items() if 0 <= one[0] <= limit]:
                self._forget(cookie)
        self._has_learned = False
        return [part for part in done if len(part.samples)]

    def _given_up(self, maps: dict[int, Mappings]) -> list[Placed]:
        """The oldest, where more wait than may; notes the maps of the others."""
        self._maps, samples, rows = {}, 0, 0
        for index in reversed(range(len(self._waiting))):
            part = self._waiting[index]
            versions = set(np.unique(part.maps_version).tolist()) - self._maps.keys()
            samples += len(part.samples)
            rows += sum(rows_of_version(len(maps[one])) for one in versions)
            if samples > limits.most_waiting_samples or rows > 2 * limits.most_maps_at_once:
                oldest, self._waiting = self._waiting[: index + 1], self._waiting[index + 1 :]
                return self._without_callers(oldest)
            self._maps |= {one: maps[one] for one in versions}
        return []

    def _without_callers(self, parts: list[Placed]) -> list[Placed]:
        self._counted[limitations.DEFERRED] += sum(len(part.samples) for part in parts)
        return parts

    def rest(self, maps: dict[int, Mappings]) -> list[Placed]:
        """The samples that still wait, when all callers have come that were recorded."""
        maps |= self._maps
        waiting, self._waiting = self._waiting, []
        done = [part for part in map(self._merged, waiting) if len(part.samples)]
        return done + self._without_callers(self._waiting)

    def _merged(self, part: Placed) -> Placed:
        samples = part.samples
        cookies = _cookies(samples)
        wanted = {one for one in np.unique(cookies).tolist() if one}
        known = np.isin(
            cookies, np.array([one for one in wanted if one in self._chains], np.uint64)
        )
        unknown = (cookies > 0) & ~known
        if unknown.any():
            self._waiting.append(_compact(part.where(unknown)))
            part, cookies = part.where(~unknown), cookies[~unknown]
        return part._replace(samples=self._with_callers(part.samples, cookies))

    def _with_callers(self, samples: Samples, cookies: UInt64) -> Samples:
        distinct, which = np.unique(cookies, return_inverse=True)
        chains = [self._chains[one][1] if one else _NOTHING for one in distinct.tolist()]
        lengths = np.array([len(one) for one in chains], np.int64)
        words = samples.block.words
        starts = len(words) + np.cumsum(lengths) - lengths
        # The marker and the cookie at the end of the chain give way.
        kept = np.maximum(samples.depth, 0) - 2 * (cookies > 0)
        return rebuilt(
            samples,
            np.concatenate([words, *chains]),
            [(samples.chain, kept, 1), (starts[which], lengths[which], 1)],
        )


def _cookies(samples: Samples) -> UInt64:
    """The cookie at the end of each chain, 0 where there is none."""
    cookies = np.zeros(len(samples), np.uint64)
    indices = np.flatnonzero(samples.depth >= 2)
    ends = (samples.chain + samples.depth)[indices]
    indices, ends = (each[samples.block.words[ends - 2] == _DEFERRED] for each in (indices, ends))
    cookies[indices] = samples.block.words[ends - 1]
    return cookies


def _compact(part: Placed) -> Placed:
    """The same without the rest of their block."""
    samples = part.samples
    chain = (samples.chain, np.maximum(samples.depth, 0), 1)
    return part._replace(samples=rebuilt(samples, samples.block.words, [chain]))


def rebuilt(samples: Samples, words: UInt64, segments: list[tuple[Int64, Int64, int]]) -> Samples:
    """The samples with chains put together of `words`: of each segment that many of every stride-th
    from a start on. As in a block, the word in front of a chain is none of a chain. Stacks
    are left behind."""
    starts = np.stack([samples.chain - 1, *(start for start, _, _ in segments)], axis=1)
    lengths = np.stack([np.ones_like(samples.chain), *(size for _, size, _ in segments)], axis=1)
    strides = np.tile([1, *(stride for _, _, stride in segments)], len(samples))
    made = words[kernels.ranges(starts.ravel(), lengths.ravel(), strides)]
    depth = lengths[:, 1:].sum(axis=1)
    return replace(
        samples,
        block=Block(memoryview(b""), made, _NO_PLACES, made[:0], _NO_PLACES),
        chain=np.cumsum(depth + 1) - depth,
        depth=np.where(samples.depth < 0, -1, depth),
        user_stacks=None,
    )

"""What each process has mapped now, as much as the limits allow.

Processes that ended are forgotten when there are too many, not before: their last samples may come
behind their EXIT, and other threads of theirs may live on.
"""

import struct

from perfduck_ingest.perf_data.mappings import Mappings, rows_of_version
from perfduck_model.limits import limits


class ProcessMaps:
    """The maps of processes, by place."""

    def __init__(self) -> None:
        """No process has a map."""
        self._maps: dict[int, Mappings] = {}
        self._ended: set[int] = set()
        self._rows = 0  # at most so many: what shared ones replaced is not counted off

    def of(self, pid: int) -> Mappings:
        """To be read."""
        return self._maps.get(pid) or Mappings()

    def to_change(self, pid: int) -> Mappings:
        """To get one mapping more. Raises struct.error where there are too many."""
        maps = self._maps.get(pid)
        if maps is None or maps.shared:
            maps = maps.copy() if maps else Mappings()
            self._rows += rows_of_version(len(maps))
            self._put(pid, maps)
        self._rows += 1
        if len(maps) > limits.most_maps_of_process:
            message = f"more than {limits.most_maps_of_process:,} mappings of a process"
            raise struct.error(message)
        if self._rows > limits.most_maps:
            self._forget_ended()
        return maps

    def inherit(self, pid: int, parent: int) -> None:
        """A new process has the maps of its parent."""
        maps = self._maps.get(parent)
        if maps is None:
            self.clear(pid)
        else:
            maps.shared = True
            self._put(pid, maps)

    def clear(self, pid: int) -> None:
        """A new process has none yet."""
        self._maps.pop(pid, None)

    def end(self, pid: int) -> None:
        """The process is no more."""
        if pid in self._maps:
            self._ended.add(pid)

    def _put(self, pid: int, maps: Mappings) -> None:
        self._maps[pid] = maps
        self._ended.discard(pid)
        if len(self._maps) > limits.most_processes:
            self._forget_ended()

    def _forget_ended(self) -> None:
        for pid in self._ended:
            self._maps.pop(pid, None)
        self._ended.clear()
        distinct = {id(maps): maps for maps in self._maps.values()}.values()
        blocks = {id(block): len(block.starts) for maps in distinct for block in maps.blocks}
        more = sum(len(maps.blocks) - 1 for maps in distinct)  # 16 bytes each, a map has 32
        self._rows = sum(blocks.values()) + more // 2
        # Half: or all would be counted again at each mapping.
        if len(self._maps) > limits.most_processes // 2 or self._rows > limits.most_maps // 2:
            message = (
                f"more than {limits.most_processes // 2:,} processes, or"
                f" {limits.most_maps // 2:,} mappings, at a time"
            )
            raise struct.error(message)

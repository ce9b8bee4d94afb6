"""Samples as a session hands them over, resolved: what their addresses are called, which stacks
their chains are."""

from collections.abc import Iterator

from perfduck_ingest.importer import ImportOptions
from perfduck_ingest.perf_data.batch_builder import BatchBuilder, Resolved
from perfduck_ingest.perf_data.binaries import Binaries
from perfduck_ingest.perf_data.dsos import Dso, DsoSymbols
from perfduck_ingest.perf_data.features import PerfRecording
from perfduck_ingest.perf_data.frames import Frames
from perfduck_ingest.perf_data.kernel import RecordedKernel
from perfduck_ingest.perf_data.mappings import KERNEL_SPACE, MapsAt, laid_out
from perfduck_ingest.perf_data.record_reader import Item
from perfduck_ingest.perf_data.session import RecordingMetadata, ResolvableSamples
from perfduck_ingest.perf_data.stacks import ChainInterner
from perfduck_ingest.runtime.prefetch import background
from perfduck_model.batch import Batch
from perfduck_symbols.addresses import FileOffsets
from perfduck_symbols.names import KERNEL


class SampleResolver:
    """What has been found out of the addresses of one recording."""

    def __init__(self, recording: PerfRecording, options: ImportOptions) -> None:
        """`recording` says what is known before the first record."""
        self._kernel = RecordedKernel(recording, options)
        self._binaries = Binaries(recording, options)
        self._binary_names: list[str] = []
        self._is_due = False
        self._symbols = DsoSymbols()
        self._frames = Frames(self._user, self._kernel.open, self._symbols)
        self._stacks = ChainInterner(self._frames, self._symbols)
        self._kernel_maps = laid_out({})
        self._builder = BatchBuilder(RecordingMetadata(recording), self._symbols)

    def batches(self, items: Iterator[Item]) -> Iterator[Batch]:
        """A batch of each item, the facts in the last one."""
        prepared = background(self._prepare)
        try:
            for ready, said in items:
                self._is_due = True
                prepared.result()
                yield self._batch(ready, said)
        finally:
            self._is_due = True

    def _prepare(self) -> None:
        """Read the symbols that will be asked for, as far as there is time before the first samples
        come: perf notes the build ids of the binaries that were hit."""
        build_ids = self._binaries.recording.build_ids
        if KERNEL in build_ids:
            self._kernel.prepare()
        for name in build_ids:
            if self._is_due:
                break
            self._binaries.open(name)

    def _batch(self, ready: ResolvableSamples | None, said: RecordingMetadata) -> Batch:
        self._builder.said = said
        self._kernel.recording = said.recording
        self._binaries.recording = said.recording
        if ready is None:
            missing = self._binaries.missing | self._kernel.missing
            return self._builder.finish(missing, self._kernel.doubt)
        return self._builder.batch(self._resolved(ready))

    def _user(self, number: int) -> Dso[FileOffsets]:
        return self._binaries.open(self._binary_names[number])

    def _resolved(self, ready: ResolvableSamples) -> Resolved:
        self._binary_names += ready.dsos
        for task_event in ready.kernel:
            self._kernel.add(task_event)
        if self._kernel.changed:
            self._frames.forget_kernel()
            self._kernel_maps = laid_out({KERNEL_SPACE: self._kernel.maps()})
        stack, leaf = self._stacks.of(ready.chains, MapsAt(self._kernel_maps, ready.maps))
        return Resolved(ready, stack, leaf, self._symbols.take_new(), self._stacks.take_new())

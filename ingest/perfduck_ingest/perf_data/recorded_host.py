"""Which files of a machine may name the addresses of a recording that did not note their build
ids: those that were there when it was made, if it was made there."""

import platform
from dataclasses import dataclass

from perfduck_ingest.perf_data import features
from perfduck_ingest.perf_data.features import PerfRecording
from perfduck_symbols.files import HostFiles
from perfduck_symbols.names import KERNEL


@dataclass(frozen=True, slots=True)
class RecordedHost:
    """The files of this machine, in view of a recording."""

    files: HostFiles
    recording: PerfRecording

    @property
    def is_recorded(self) -> bool:
        """Whether the recording was made here: by the name of the host."""
        return self.recording.strings.get(features.HOSTNAME) == platform.node()

    @property
    def runs_the_kernel(self) -> bool:
        """Whether the recorded kernel runs here: by its build id, or the host and the release."""
        build_id = self.recording.build_ids.get(KERNEL)
        if build_id is not None:
            return build_id == self.files.kernel_build_id
        release = self.recording.strings.get(features.OSRELEASE)
        return self.is_recorded and release == platform.release()

    @property
    def refusal(self) -> str:
        """Why a file without a recorded build id is not used."""
        if not self.is_recorded:
            return "no build id recorded, and the recording is of another host"
        return "no build id recorded, and the file here is newer than the recording, or missing"

    def allows(self, name: str) -> bool:
        """Whether the file is the one that was recorded, as far as host and date tell: it has not
        been changed or put there since. A package's files are as old as the package was built, so
        the time of the last change of the inode counts too."""
        if not self.is_recorded:
            return False
        try:
            status = self.files.path(name).stat()
        except OSError:
            return False
        written = self.recording.written_at
        return written is None or max(status.st_mtime, status.st_ctime) <= written

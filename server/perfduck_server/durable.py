"""Files of a server beside its store: whole, or not there."""

import os
from pathlib import Path
from tempfile import NamedTemporaryFile


def write(path: Path, content: bytes) -> None:
    """Put a file in place of the one before; after a crash it is one or the other."""
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise

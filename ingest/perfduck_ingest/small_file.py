"""Files that are read whole: reports, rules, lists; never recordings."""

from pathlib import Path

_MOST = 64 << 20  # bytes; iperf3 -J of an hour with 100 streams has 60 MB


def text_of(path: Path, encoding: str = "utf-8", errors: str = "strict") -> str:
    """The text of the file. OSError and UnicodeDecodeError as Path.read_text raises them; OSError
    for a file that is larger than such files are, as /dev/zero is."""
    with path.open("rb") as file:
        content = file.read(_MOST + 1)
    if len(content) > _MOST:
        raise OSError(None, f"more than {_MOST >> 20} MB")
    return content.decode(encoding, errors)

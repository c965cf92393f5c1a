"""Writing a file so that a reader sees the old one or the whole new one; knows nothing else."""

import os
from pathlib import Path
from uuid import uuid4


def write_atomically(path: Path, content: bytes | str) -> None:
    """Writes beside `path`, syncs to disk, then replaces; text is UTF-8 with no newline changes.

    Raises:
        OSError: The folder is missing or cannot be written; `path` is then as it was.
    """
    data = content.encode() if isinstance(content, str) else content
    partial = path.with_name(f".{uuid4().hex}.part")
    try:
        with partial.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)

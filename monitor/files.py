"""Writing a file so that a reader sees the old one or the whole new one; its folder, its digest."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from errno import EISDIR
from pathlib import Path
from uuid import uuid4

from monitor.errors import StoreError

SAMPLE = 2**16  # bytes; of a video they differ everywhere


def write_atomically(path: Path, content: bytes | str) -> None:
    """Writes beside `path`, syncs to disk, then replaces; text is UTF-8 with no newline changes.

    A byte of a file's name that is no UTF-8 becomes an escape, as JSON writes it.

    Raises:
        OSError: The folder is missing or cannot be written; `path` is then as it was.
    """
    write_together(path.parent, {path.name: content})


def write_together(folder: Path, files: Mapping[str, bytes | str]) -> None:
    """Writes files that belong to each other, by name: all of them, or none; as `write_atomically`.

    Raises:
        OSError: The folder is missing or cannot be written; all files are then as they were.
    """
    partials = {name: folder / f".{uuid4().hex}.part" for name in files}
    try:
        for name, content in files.items():
            if (folder / name).is_dir():
                raise IsADirectoryError(EISDIR, f"expected a file {name}, found a folder")
            _write_synced(partials[name], content)
        for name, partial in partials.items():
            partial.replace(folder / name)
    finally:
        for partial in partials.values():
            partial.unlink(missing_ok=True)


def _write_synced(path: Path, content: bytes | str) -> None:
    with path.open("xb") as file:
        data = content.encode(errors="backslashreplace") if isinstance(content, str) else content
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def digest_of(path: Path) -> str:
    """The first half of a file's SHA-256, in hexadecimal.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]


def digest_by_samples(paths: Sequence[Path]) -> str:
    """As `digest_of`, of what is too long to be read whole: one file, whatever its name, or many.

    By how long each is, of many by their names too, and by the bytes at the beginning, in the
    middle and at the end of the first, the middle and the last.

    Raises:
        OSError: One cannot be read.
    """
    found = hashlib.sha256()
    lengths = [path.stat().st_size for path in paths]
    names = [path.name for path in paths] if len(paths) > 1 else []
    found.update(repr((names, lengths)).encode(errors="surrogateescape"))
    for index in sorted({0, len(paths) // 2, len(paths) - 1}):
        with paths[index].open("rb") as file:
            for place in (0, lengths[index] // 2, max(0, lengths[index] - SAMPLE)):
                file.seek(place)
                found.update(file.read(SAMPLE))
    return found.hexdigest()[:32]


def check_folder(out: Path, what: str = "results") -> None:
    """Make a folder; find out before the work, not after it, that `what` cannot be written to it.

    Raises:
        StoreError: If it cannot be made or written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe_folder(out)
    except (FileExistsError, NotADirectoryError) as error:
        raise StoreError(
            f"cannot write {what} to {out}: expected a folder, found a file"
        ) from error
    except OSError as error:
        raise StoreError(f"cannot write {what} to {out}: {error.strerror or error}") from error


def probe_folder(folder: Path) -> None:
    """Write an empty file and remove it, under a name that no other process has.

    Raises:
        OSError: The folder is missing or cannot be written.
    """
    probe = folder / f".{uuid4().hex}.probe"
    probe.write_bytes(b"")
    probe.unlink(missing_ok=True)


def no_file(path: Path) -> str:
    """In words what stands there that would be waited for or never ends; empty: nothing like it."""
    if not path.exists() or path.is_file() or path.is_dir():
        return ""
    return "a pipe" if path.is_fifo() else "a socket" if path.is_socket() else "a device"


def plain_path(path: Path | str) -> Path:
    """Absolute, without `..`; links are kept, as their names are what people know things by."""
    return Path(os.path.abspath(path))  # noqa: PTH100  the other way follows links


def same_place(noted: object, path: Path | str) -> bool:
    """Whether what a model notes of its origin is this file or folder, by whatever name."""
    return noted is not None and Path(str(noted)).resolve() == Path(path).resolve()

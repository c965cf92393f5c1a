"""Moving a file so that it is never half there and never overwrites another."""

import errno
import os
import shutil
from contextlib import suppress
from itertools import count
from pathlib import Path
from uuid import uuid4


def move_below(path: Path, folder: Path, root: Path) -> Path:
    """Move a file to the same place below `folder` as it has below `root`; where it is then.

    A file that is already there under its name is kept: the newcomer gets a number. Across disks
    it is copied, and appears under its name when it is whole.

    Raises:
        OSError: It cannot be moved; it is then where it was.
    """
    wanted = folder.absolute() / path.relative_to(root)
    wanted.parent.mkdir(parents=True, exist_ok=True)
    place = _free(wanted)
    try:
        path.rename(place)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy_over(path, place)
    return place


def _free(wanted: Path) -> Path:
    """The path itself, or the first of name-2, name-3 ... that is not taken."""
    if not wanted.exists():
        return wanted
    numbered = (wanted.with_name(f"{wanted.stem}-{n}{wanted.suffix}") for n in count(2))
    return next(path for path in numbered if not path.exists())


def _copy_over(path: Path, place: Path) -> None:
    partial = place.with_name(f".{uuid4().hex}.part")
    try:
        shutil.copy2(path, partial)
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.rename(place)
    except OSError:
        with suppress(OSError):
            partial.unlink()
        raise
    path.unlink()

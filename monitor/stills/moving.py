"""Moving a file so that it is never half there, overwrites no other, and is what was judged."""

import errno
import os
import shutil
from contextlib import suppress
from itertools import count
from pathlib import Path
from uuid import uuid4

from monitor.stills.arrivals import Stamp, stamp_of


def move_below(path: Path, folder: Path, root: Path, stamp: Stamp) -> Path | None:
    """Move a file to the same place below `folder` as it has below `root`; where it is then.

    A file that is already there under its name is kept: the newcomer gets a number. Across disks
    it is copied, and appears under its name when it is whole. None: its stamp is another by now, so
    that someone writes to it; it is then where it was.

    Raises:
        FileNotFoundError: It is gone.
        OSError: It cannot be moved; it is then where it was.
    """
    if _changed(path, stamp):
        return None
    wanted = folder.absolute() / path.relative_to(root)
    wanted.parent.mkdir(parents=True, exist_ok=True)
    place = _free(wanted)
    try:
        path.rename(place)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        return place if _copied_over(path, place, stamp) else None
    return place


def _changed(path: Path, stamp: Stamp) -> bool:
    """Whether it is there and no longer what it was."""
    return stamp_of(path) not in (stamp, None)


def _free(wanted: Path) -> Path:
    """The path itself, or the first of name-2, name-3 ... that is not taken."""
    if not wanted.exists():
        return wanted
    numbered = (wanted.with_name(f"{wanted.stem}-{n}{wanted.suffix}") for n in count(2))
    return next(path for path in numbered if not path.exists())


def _copied_over(path: Path, place: Path, stamp: Stamp) -> bool:
    """Whether it is at `place` now and no more at `path`; False: it changed while it was copied."""
    partial = place.with_name(f".{uuid4().hex}.part")
    try:
        shutil.copy2(path, partial)
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        if _changed(path, stamp):
            return False
        partial.rename(place)
    finally:
        with suppress(OSError):
            partial.unlink()
    try:
        path.unlink(missing_ok=True)
    except OSError:
        place.unlink()  # or every further try would leave one more copy
        raise
    return True

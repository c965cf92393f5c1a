"""Which files of a folder are new and whole, found by looking again and again.

Polling works where notifications do not: on network shares, in containers, on every system. What
is taken for whole: a file whose size and time have not changed between two looks, and that can be
read as a picture; writers that give a file its size first and its content later are waited for.
What is not written yet reads as zeros: that breaks a .png, .jpg or .gif, but is black in a .bmp, a
plain .tif or a .webp, so one of these that ends in zeros or has holes is waited for as well, and
taken as it is when patience is over. Knows nothing of detectors; time is the caller's, so that
tests need not wait.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from monitor.drawn import is_drawn
from monitor.errors import SourceError
from monitor.records import Image
from monitor.sources.listing import natural_key
from monitor.stills.reading import PICTURE_SUFFIXES, read_picture

Stamp = tuple[int, int]  # size in bytes, time of change in ns: another stamp is another picture

PATIENCE_S = 30.0  # for a file that stands still and is no picture; a slow copy stalls so long
STILL_WRITING = 10  # times that patience, for one that never stands still
TAIL = 1024  # bytes at a file's end, of which one at least is not 0 where it is written
PROVEN = (b"\x89PNG", b"\xff\xd8", b"GIF8")  # beginnings of formats that cannot be read half there


@dataclass(frozen=True, slots=True, eq=False)
class Arrival:
    """A file that has come; `image` is None where it cannot be read and is given up."""

    path: Path
    stamp: Stamp
    image: Image | None
    why: str = ""  # it is given up, one line


@dataclass(slots=True)
class _Waiting:
    stamp: Stamp
    first_s: float  # when it was first seen
    since_s: float  # when it was first seen with this stamp


class Arrivals:
    """The pictures that come into a folder and those below it; each is given once.

    A file that is overwritten comes anew. Names that begin with a dot, folders in `beside` and what
    oddwatch drew are not looked at; a file that is renamed into place is found under its new name.
    """

    def __init__(
        self,
        folder: Path,
        *,
        patience_s: float = PATIENCE_S,
        beside: tuple[Path, ...] = (),
        known: Callable[[Path, Stamp], bool] = lambda _path, _stamp: False,
    ) -> None:
        """`known` is asked once for each file: whether an earlier run has dealt with it."""
        self._folder = folder
        self._patience_s = patience_s
        self._beside = {os.path.realpath(path) for path in beside}
        self._known = known
        self._done: dict[Path, Stamp] = {}
        self._waiting: dict[Path, _Waiting] = {}
        self.problems: list[str] = []  # of the last look: folders below that cannot be listed

    @property
    def waiting(self) -> int:
        """How many files are there that are not whole yet."""
        return len(self._waiting)

    def poll(self, now_s: float) -> Iterator[Arrival]:
        """Look once; gives what is whole by now, the oldest first, each read when it is asked for.

        Args:
            now_s: Of a clock that never runs backwards.

        Raises:
            SourceError: The folder cannot be listed; what was known of it stays so.
        """
        there = self._list()
        self._done = {path: stamp for path, stamp in self._done.items() if path in there}
        self._waiting = {path: seen for path, seen in self._waiting.items() if path in there}
        ready = [path for path, stamp in there.items() if self._is_ready(path, stamp, now_s)]
        for path in sorted(ready, key=lambda path: (there[path][1], natural_key(path.name))):
            if (arrival := self._take(path, now_s)) is not None:
                yield arrival

    def _is_ready(self, path: Path, stamp: Stamp, now_s: float) -> bool:
        """Whether it is new, and as it was when it was last looked at."""
        if self._done.get(path) == stamp:
            return False
        waiting = self._waiting.get(path)
        if waiting is None and (self._known(path, stamp) or is_drawn(path)):
            self._done[path] = stamp
            return False
        if waiting is None:
            self._waiting[path] = _Waiting(stamp, now_s, now_s)
            return False
        if waiting.stamp != stamp:
            self._waiting[path] = waiting = _Waiting(stamp, waiting.first_s, now_s)
            return self._restless(waiting, now_s)
        return True

    def _restless(self, waiting: _Waiting, now_s: float) -> bool:
        return now_s - waiting.first_s >= STILL_WRITING * self._patience_s

    def _take(self, path: Path, now_s: float) -> Arrival | None:
        """Read it; None: it is not whole yet, has changed meanwhile, or is gone."""
        waiting = self._waiting[path]
        patient = now_s - waiting.since_s < self._patience_s and not self._restless(waiting, now_s)
        if patient and _may_lack_its_end(path):
            return None
        image, why = None, ""
        try:
            image = read_picture(path)
        except SourceError as error:
            if patient:
                return None
            why = f"{error} (waited {now_s - waiting.first_s:.0f} s for it)"
        if stamp_of(path) != waiting.stamp:
            return None
        self._done[path] = waiting.stamp
        del self._waiting[path]
        return Arrival(path, waiting.stamp, image, why)

    def _list(self) -> dict[Path, Stamp]:
        """All pictures there, with their stamps."""
        found: dict[Path, Stamp] = {}
        folders = [str(self._folder)]
        self.problems = []
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        self._look_at(entry, folders, found)
            except OSError as error:
                problem = f"{folder}: cannot be listed: {error.strerror}"
                if folder == str(self._folder):
                    raise SourceError(problem) from error
                if not isinstance(error, FileNotFoundError):  # gone since it was listed
                    self.problems.append(problem)
        return found

    def _look_at(
        self, entry: "os.DirEntry[str]", folders: list[str], found: dict[Path, Stamp]
    ) -> None:
        if entry.name.startswith("."):
            return
        if entry.is_dir(follow_symlinks=False):
            if os.path.realpath(entry.path) not in self._beside:
                folders.append(entry.path)
        elif os.path.splitext(entry.name)[1].lower() in PICTURE_SUFFIXES:  # noqa: PTH122
            path = Path(entry.path)
            stamp = stamp_of(path)
            if stamp is not None:
                found[path] = stamp


def _may_lack_its_end(path: Path) -> bool:
    """Whether it may have been given its size, and be read, with a part of it still to come."""
    with suppress(OSError), path.open("rb") as file:
        if file.read(4).startswith(PROVEN):
            return False
        size = file.seek(0, os.SEEK_END)
        if size and _has_hole(file.fileno(), size):
            return True
        file.seek(max(0, size - TAIL))
        return not any(file.read(TAIL))
    return False  # reading says what is wrong


def _has_hole(descriptor: int, size: int) -> bool:
    """Whether a part was never written, where the file system tells."""
    try:
        return os.lseek(descriptor, 0, os.SEEK_HOLE) < size
    except (AttributeError, OSError):  # a system, or a file system, that knows of none
        return False


def stamp_of(path: Path) -> Stamp | None:
    """None: it is gone. Asked of the file, since listings of some systems are behind."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_size, facts.st_mtime_ns

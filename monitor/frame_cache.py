"""Frames as a detector takes them, kept on disk from epoch to epoch and from training to training.

One file for a stretch of a source or a picture: a line that says what it is, then the bytes of the
frames, which are mapped and never copied. A file is trusted only if its line, its length and its
checksum are right; else it is as if there were none. It is found by what would give other frames:
the files that it was made of by path, size and time of change, the stretch, the rate, the size and
channels, and the versions of what decodes. Nothing here is needed: what fails is decoded anew.
"""

import json
import logging
import os
import shutil
import time
import zlib
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

Frames = NDArray[np.uint8]  # (N, C, H, W)

log = logging.getLogger(__name__)

FORMAT, VERSION = "oddwatch frames", 6  # of the layout, and of how frames are made
SUFFIX, PART = ".frames", ".part"
MOST_BYTES = 10 * 10**9  # eleven hours of one camera at the size and rate of `lite`
LEFT_S = 3600.0  # since a partial file was written to; then whoever wrote it was killed
LEAST_FREE = 2 * 2**30  # bytes of the disk that are left to others
CHUNK = 2**20


class FrameCache:
    """A folder of at most `most_bytes`; what was used longest ago goes first.

    What this object stored or used is not put out by what it stores later: footage that does not
    fit would else be written anew in every epoch and never read.
    """

    def __init__(self, folder: Path | None = None, most_bytes: int = MOST_BYTES) -> None:
        self.folder = folder or user_cache_path("oddwatch", appauthor=False) / "frames"
        self._most_bytes = most_bytes
        self._own: dict[str, int] = {}  # keys of this run that are whole, and their bytes
        self._closed = most_bytes <= 0  # nothing more is stored
        self._lock = Lock()

    @property
    def closed(self) -> bool:
        """Whether it takes nothing more: it is full, or cannot be written."""
        return self._closed

    def found(self, key: str) -> list[Frames] | None:
        """The unbroken runs of frames that were kept so, mapped from disk; None: there are none."""
        with self._lock:
            return self._mapped(key)

    def kept(self, key: str, runs: list[Frames]) -> list[Frames]:
        """The same runs, kept and mapped where they can be."""
        with self._lock:
            stored = bool(runs) and not self._closed and self._store(key, runs)
            return (self._mapped(key) if stored else None) or runs

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{SUFFIX}"

    def _mapped(self, key: str) -> list[Frames] | None:
        path = self._path(key)
        try:
            with path.open("rb") as file:
                head = _read_head(file.readline(CHUNK), key)
                begin = file.tell()
                if key not in self._own:
                    _check(file, head)
            bytes_ = os.stat(path).st_size  # noqa: PTH116
            whole = np.memmap(path, np.uint8, "r", begin, (sum(head["runs"]), *head["shape"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            log.info("%s is no kept footage (%s): decoded anew", path, error)
            return None
        with suppress(OSError):
            os.utime(path)  # used now
        self._own[key] = bytes_
        return np.split(np.asarray(whole), np.cumsum(head["runs"])[:-1])

    def _store(self, key: str, runs: Sequence[Frames]) -> bool:
        """Whether it is there now."""
        head, size = _head(key, runs), sum(run.nbytes for run in runs)
        partial = self.folder / f".{uuid4().hex}{SUFFIX}{PART}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not self._room(size + len(head)):
                return False
            try:
                with partial.open("xb") as file:
                    file.write(head)
                    for run in runs:
                        file.write(np.ascontiguousarray(run).data)
                partial.replace(self._path(key))  # not synced: the checksum tells a torn one
            finally:
                partial.unlink(missing_ok=True)
        except OSError as error:
            self._close(f"cannot be written ({error.strerror or error})")
            return False
        self._own[key] = size + len(head)
        return True

    def _room(self, wanted: int) -> bool:
        """Put out what others left longest ago, until there is room within the bound."""
        if shutil.disk_usage(self.folder).free < wanted + LEAST_FREE:
            self._close(f"is left alone, as its disk has under {LEAST_FREE / 1e9:.1f} GB free")
            return False
        mine = sum(self._own.values())
        if mine + wanted > self._most_bytes:
            self._close(f"is full ({self._most_bytes / 1e9:.3g} GB; --cache-gb sets it)")
            return False
        others = sorted(self._others(), key=lambda found: found[0])
        now_s = time.time()
        over = mine + wanted + sum(size for _, size, _ in others) - self._most_bytes
        for used_s, size, path in others:
            if over <= 0:
                break
            if path.suffix == PART and now_s - used_s < LEFT_S:
                continue  # another run is writing it
            path.unlink(missing_ok=True)
            over -= size
        return over <= 0

    def _others(self) -> list[tuple[float, int, Path]]:
        """What other runs left or are writing: when it was used, its bytes, its place."""
        found = []
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.name.endswith((SUFFIX, f"{SUFFIX}{PART}")) and (
                    entry.name.removesuffix(SUFFIX) not in self._own
                ):
                    with suppress(FileNotFoundError):
                        facts = entry.stat()
                        found.append((facts.st_mtime, facts.st_size, Path(entry.path)))
        return found

    def _close(self, why: str) -> None:
        self._closed = True
        log.warning("the cache of frames in %s %s: decoding goes on without it", self.folder, why)


def key_of(files: Sequence[Path], *facts: object) -> str | None:
    """What frames of these files are found by; None where they cannot be told from others.

    `facts` are all that matters beside the files, of values whose `repr` tells them apart.
    """
    try:
        stats = [(str(path.resolve()), path.stat()) for path in files]
    except OSError:
        return None
    if not stats:
        return None
    named = [(name, found.st_size, found.st_mtime_ns) for name, found in stats]
    return sha256(repr((VERSION, _decoders(), named, facts)).encode()).hexdigest()[:40]


def _decoders() -> list[str]:
    found = []
    for name in ("av", "opencv-python", "opencv-python-headless", "pillow"):
        with suppress(ModuleNotFoundError):
            found.append(f"{name} {version(name)}")
    return found


def _head(key: str, runs: Sequence[Frames]) -> bytes:
    crc = 0
    for run in runs:
        crc = zlib.crc32(np.ascontiguousarray(run).data, crc)
    plain = {
        "format": FORMAT,
        "version": VERSION,
        "key": key,
        "runs": [len(run) for run in runs],
        "shape": list(runs[0].shape[1:]),
        "crc32": crc,
    }
    return json.dumps(plain).encode() + b"\n"


def _read_head(line: bytes, key: str) -> dict[str, Any]:
    head: dict[str, Any] = json.loads(line)
    if (head["format"], head["version"], head["key"]) != (FORMAT, VERSION, key):
        raise ValueError("it is another's")
    return head


def _check(file: Any, head: dict[str, Any]) -> None:
    """Refuse what is cut short or changed; read in pieces, so that it takes no memory."""
    crc, size = 0, 0
    while piece := file.read(CHUNK):
        crc, size = zlib.crc32(piece, crc), size + len(piece)
    if size != sum(head["runs"]) * int(np.prod(head["shape"])) or crc != head["crc32"]:
        raise ValueError("it is damaged")

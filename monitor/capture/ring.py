"""The newest analysed frames of one camera, between the process that reads it and those that look.

A seqlock: the one writer never waits, readers copy and look afterwards whether what they copied was
overwritten meanwhile. Knows nothing of cameras.
"""

import itertools
import math
import threading
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.shared_memory import SharedMemory
from struct import Struct
from typing import Self
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from monitor.capture.records import NO_PLANES, Captured, PictureStats, Shape
from monitor.capture.shared import SharedMemoryError, attach_block, create_block
from monitor.errors import MonitorError
from monitor.records import Image

STATS = ("mean", "std", "sharpness", "motion", "change", "saturation", "edges")
VERSION = 2
TOP = np.dtype(
    {
        "names": ["version", "slots", "capacity", "written", "taken"],
        "formats": ["u8", "u8", "u8", "u8", "u8"],
        "itemsize": 64,
    }
)
SLOT = np.dtype(
    {
        "names": ["guard", "index", "epoch", "time_s", "received_s", "h", "w", "stats", "shape"],
        "formats": ["u8", "u8", "u8", "f8", "f8", "u8", "u8", ("f8", len(STATS)), ("u4", 3)],
        "itemsize": 128,
    }
)
UNPACK = Struct(f"=3Q2d2Q{len(STATS)}d3I").unpack_from  # as SLOT; a tenth of numpy's time
PAGE = 4096  # slots begin on pages of their own, so that only pages that are written take memory
MOST_PLANES = 3 * 512 * 512  # bytes; a detector that takes more makes them of the picture
LOCAL = "local-"  # begins the names of rings that only this process can attach to
TRIES = 8  # a reader that was overtaken so often looks again later


_count = itertools.count(1)
_local: WeakValueDictionary[str, NDArray[np.uint8]] = WeakValueDictionary()


class RingError(MonitorError, ValueError):
    """A picture does not fit, or a block is no ring."""


@dataclass(frozen=True, slots=True)
class Head:
    """What is known of a frame in the ring, without its picture."""

    sequence: int
    index: int
    epoch: int
    time_s: float
    received_s: float
    size: tuple[int, int]
    stats: PictureStats
    shape: Shape = NO_PLANES  # of what a detector takes of it, which lies beside it then


class Ring:
    """`slots` pictures of up to `capacity` bytes each, in shared or in this process's own memory.

    Sequences count from 1 over the ring's whole life, whoever writes. Exactly one process or
    thread may write at a time.
    """

    def __init__(
        self, memory: memoryview, name: str, *, block: SharedMemory | None, owner: bool
    ) -> None:
        self.name = name  # to attach to
        self._block = block
        self._owner = owner
        self._fence = threading.Lock()
        self._memory: memoryview | None = memory
        self._top: NDArray[np.void] = np.frombuffer(memory, TOP, 1)
        if int(self._top["version"][0]) != VERSION:
            raise RingError("expected a ring of pictures of this version, found something else")
        self.slots = int(self._top["slots"][0])
        self.capacity = int(self._top["capacity"][0])
        step = _slot_bytes(self.capacity)
        starts = self._starts = [PAGE + slot * step for slot in range(self.slots)]
        self._heads: list[NDArray[np.void]] = [
            np.frombuffer(memory, SLOT, 1, offset=s) for s in starts
        ]
        self._pixels: list[NDArray[np.uint8]] = [
            np.frombuffer(memory, np.uint8, self.capacity, offset=s + SLOT.itemsize) for s in starts
        ]

    @classmethod
    def create(cls, slots: int, capacity: int) -> Self:
        """In shared memory; this process owns it and `close` removes it."""
        block = create_block(_total_bytes(slots, capacity))
        memory = _memory(block)
        _found(memory, slots, capacity)
        return cls(memory, block.name, block=block, owner=True)

    @classmethod
    def attach(cls, name: str) -> Self:
        """One that another process made, or another thread.

        Raises:
            SharedMemoryError: If it is gone.
        """
        if name.startswith(LOCAL):
            memory = _local.get(name)
            if memory is None:
                raise SharedMemoryError(f"ring {name}: it is gone, or of another process")
            return cls(memory.data, name, block=None, owner=False)
        block = attach_block(name)
        return cls(_memory(block), name, block=block, owner=False)

    @classmethod
    def private(cls, slots: int, capacity: int, *, written: int = 0) -> Self:
        """In this process's own memory, for threads; sequences go on after `written`."""
        pages = np.zeros(_total_bytes(slots, capacity), np.uint8)
        name = f"{LOCAL}{next(_count)}"
        _local[name] = pages
        _found(pages.data, slots, capacity, written)
        return cls(pages.data, name, block=None, owner=True)

    def successor(self) -> Self:
        """An empty private ring whose sequences go on, for when an old writer may write yet."""
        return type(self).private(self.slots, self.capacity, written=self.written)

    @property
    def written(self) -> int:
        """The newest sequence; 0: nothing yet."""
        return int(self._top["written"][0])

    @property
    def waiting(self) -> int:
        """Frames that no reader has released; more than `slots` where some were overwritten."""
        return self.written - int(self._top["taken"][0])

    def release(self, sequence: int) -> None:
        """Say that frames up to here are done with: a lossless writer waits for this."""
        self._top["taken"][0] = max(sequence, int(self._top["taken"][0]))

    def write(self, image: Image, head: Head, planes: NDArray[np.uint8] | None = None) -> int:
        """Add a picture, and what a detector takes of it where there is room for it.

        `head.sequence` and `head.shape` are ignored, the new sequence is returned.

        Raises:
            RingError: If the picture is too large.
        """
        if image.nbytes > self.capacity:
            raise RingError(
                f"a picture of {image.shape[1]}x{image.shape[0]} does not fit into a slot of "
                f"{self.capacity} bytes"
            )
        if planes is not None and image.nbytes + planes.nbytes > self.capacity:
            planes = None
        sequence = self.written + 1
        slot = self._heads[sequence % self.slots]
        slot["guard"] = 2 * sequence - 1  # odd: being written
        self._barrier()
        slot["index"], slot["epoch"] = head.index, head.epoch
        slot["time_s"], slot["received_s"] = head.time_s, head.received_s
        slot["h"], slot["w"] = image.shape[:2]
        slot["stats"] = [getattr(head.stats, name) for name in STATS]
        slot["shape"] = NO_PLANES if planes is None else planes.shape
        pixels = self._pixels[sequence % self.slots]
        np.copyto(pixels[: image.nbytes].reshape(image.shape), image)
        if planes is not None:
            end = image.nbytes + planes.nbytes
            np.copyto(pixels[image.nbytes : end].reshape(planes.shape), planes)
        self._barrier()
        slot["guard"] = 2 * sequence
        self._barrier()
        self._top["written"][0] = sequence
        return sequence

    def read(self, sequence: int) -> Captured | None:
        """A copy of one frame; None where it is not there (any more)."""
        head = self.head(sequence)
        if head is None:
            return None
        n = math.prod(head.size) * 3
        end = n + math.prod(head.shape)
        if end > self.capacity:
            return None
        pixels = self._pixels[sequence % self.slots]
        image = pixels[:n].reshape(*head.size, 3).copy()
        planes = pixels[n:end].reshape(head.shape).copy() if end > n else None
        if not self._holds(sequence):
            return None
        return Captured(
            image,
            sequence,
            head.index,
            head.epoch,
            head.time_s,
            head.received_s,
            head.stats,
            planes,
        )

    def head(self, sequence: int) -> Head | None:
        """What is known of one frame; None where it is not there (any more)."""
        memory = self._memory
        if memory is None or not self._holds(sequence):
            return None
        values = UNPACK(memory, self._starts[sequence % self.slots])
        if not self._holds(sequence):
            return None
        _, index, epoch, time_s, received_s, height, width, *others = values
        stats, shape = others[: len(STATS)], others[len(STATS) :]
        return Head(
            sequence=sequence,
            index=index,
            epoch=epoch,
            time_s=time_s,
            received_s=received_s,
            size=(height, width),
            stats=PictureStats(*stats),
            shape=(shape[0], shape[1], shape[2]),
        )

    def latest(self, after_sequence: int = 0) -> Captured | None:
        """A copy of the newest frame; None where there is none after `after_sequence`."""
        for _ in range(TRIES):
            newest = self.written
            if newest <= after_sequence:
                return None
            captured = self.read(newest)
            if captured is not None:
                return captured
        return None

    def since(self, after_sequence: int) -> tuple[list[Captured], int]:
        """Copies of all newer frames in order, and how many before the last of them were lost."""
        found = [self.read(sequence) for sequence in self._newer(after_sequence)]
        frames = [frame for frame in found if frame is not None]
        missed = frames[-1].sequence - after_sequence - len(frames) if frames else 0
        return frames, missed

    def heads_since(self, after_sequence: int) -> tuple[list[Head], int]:
        """Like `since`, without the pictures."""
        found = [self.head(sequence) for sequence in self._newer(after_sequence)]
        heads = [head for head in found if head is not None]
        missed = heads[-1].sequence - after_sequence - len(heads) if heads else 0
        return heads, missed

    def close(self) -> None:
        """Let go; the owner removes it for everybody who has not attached yet."""
        if self._memory is None:
            return
        self._memory = None
        self._heads, self._pixels = [], []
        self._top = np.zeros(1, TOP)
        if self._block is None:
            return
        with suppress(BufferError):  # a reader in another thread is just copying
            self._block.close()
        if self._owner:
            with suppress(FileNotFoundError):
                self._block.unlink()

    def __del__(self) -> None:
        if hasattr(self, "_heads"):  # else it was never whole
            self.close()  # before its views outlive the block, of which Python would complain

    def _newer(self, after_sequence: int) -> range:
        newest = self.written
        return range(max(after_sequence + 1, newest - self.slots + 1), newest + 1)

    def _holds(self, sequence: int) -> bool:
        if not self._heads:
            return False
        self._barrier()
        return sequence > 0 and int(self._heads[sequence % self.slots]["guard"][0]) == 2 * sequence

    def _barrier(self) -> None:
        """Taking and giving a lock keeps a processor from moving reads and writes across it."""
        with self._fence:
            pass


def capacity_for(width: int) -> int:
    """Bytes of the largest analysed picture, neither side longer than `width`, and its planes."""
    return width * width * 3 + MOST_PLANES


def _memory(block: SharedMemory) -> memoryview:
    assert block.buf is not None  # only a closed block has none
    return block.buf


def _slot_bytes(capacity: int) -> int:
    return -(-(SLOT.itemsize + capacity) // PAGE) * PAGE


def _total_bytes(slots: int, capacity: int) -> int:
    return PAGE + slots * _slot_bytes(capacity)


def _found(memory: memoryview, slots: int, capacity: int, written: int = 0) -> None:
    """Write the first page of a new ring."""
    top: NDArray[np.void] = np.frombuffer(memory, TOP, 1)
    top["slots"], top["capacity"] = slots, capacity
    top["written"] = top["taken"] = written
    top["version"] = VERSION


__all__ = ["Head", "Ring", "RingError", "SharedMemoryError", "capacity_for"]

"""What comes before a graph: flow and shrunk frames, each computed once however many clips hold it.

Part of exported detectors that begin with what is no tensor's work. Imports no torch. Knows nothing
of runtimes or files.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from models.local_motion import LocalMotion, MotionConfig, MotionFound, MotionTables
from models.remembered import Array, Digests, Memory, Picture
from models.spec import ClipSpec

Frames = Sequence[Picture]  # of one clip, T of (1, H, W)
SHRUNK = 1024  # frames remembered; 100 kB each at the default size


class Prelude:
    """Clips of bytes in, inputs of a graph out; or, where there is no graph, all that is found.

    Pure but for what it remembers. Lets in one thread at a time.
    """

    def __init__(self, motion: LocalMotion, network: ClipSpec | None = None) -> None:
        """`network`: what the graph takes beside motion's maps; None: there is no graph."""
        self.motion, self.network = motion, network
        self._lock = threading.Lock()
        size = (1, 1) if network is None else network.size
        self._shrunk = Memory(partial(shrunk, size=size), SHRUNK)

    @classmethod
    def of(cls, config: Mapping[str, Any], tables: bytes) -> Self:
        """What `plain` and `packed` say.

        Raises:
            OptionError, TypeError, ValueError, KeyError: If they are none of this version.
            OSError, zipfile.BadZipFile: If the tables are none.
        """
        motion = MotionConfig(**_sized(config["motion"]))
        network = config["network"]
        return cls(
            LocalMotion(motion, MotionTables.unpacked(tables)),
            None if network is None else ClipSpec(**_sized(network)),
        )

    def plain(self) -> dict[str, Any]:
        """What it is made with, in plain values; what was learned is in `packed`."""
        network = None if self.network is None else _listed(asdict(self.network))
        return {"motion": _listed(asdict(self.motion.config)), "network": network}

    def packed(self) -> bytes:
        """What was learned, as numpy's own archive (npz); no code, nothing pickled."""
        return self.motion.tables.packed()

    def examine(self, clips: Sequence[Frames]) -> MotionFound:
        """All that is found, where there is no graph."""
        with self._lock:
            return self._moved(clips, Digests())

    def inputs(self, clips: Sequence[Frames]) -> tuple[Array, Array]:
        """The network's frames, (B, T, 1, h, w) in [0, 1]; motion's maps, (B, H, W)."""
        network = self.network
        assert network is not None
        with self._lock:
            digests = Digests()
            maps = self._moved(clips, digests).maps
            frames = [
                self._shrunk.of(digests.of(frame), frame)
                for clip in clips
                for frame in clip[-network.span :: network.stride]
            ]
        return np.stack(frames).reshape(len(clips), -1, 1, *network.size), maps

    def _moved(self, clips: Sequence[Frames], digests: Digests) -> MotionFound:
        return self.motion.examine([clip[-self.motion.length :] for clip in clips], digests)


def shrunk(picture: Picture, size: tuple[int, int]) -> Array:
    """A picture (1, H, W) at another size, (h, w) in [0, 1]: mean of the area, bilinear going up.

    As torch's `interpolate(mode="area")`: each pixel is the mean of all that it touches. The sums
    are of whole numbers, so they are exact.
    """
    height, width = picture.shape[-2:]
    plane = picture.reshape(height, width)
    if width > size[1]:
        return _mean_areas(plane, size)
    levels = plane.astype(np.float32) / np.float32(255)
    if (height, width) == size:
        return levels
    return np.asarray(cv2.resize(levels, size[::-1], interpolation=cv2.INTER_LINEAR))


def _mean_areas(plane: Picture, size: tuple[int, int]) -> Array:
    (top, bottom), (left, right) = (_bounds(plane.shape[i], size[i]) for i in (0, 1))
    sums = cv2.integral(plane, sdepth=cv2.CV_32S)
    rows = sums[bottom] - sums[top]
    found = rows[:, right] - rows[:, left]
    areas = (bottom - top)[:, None] * (right - left)
    shares: Array = (found / (255.0 * areas)).astype(np.float32)
    return shares


def _bounds(there: int, wanted: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First pixel of each, and the one after its last, along a side."""
    places = np.arange(wanted)
    return places * there // wanted, -(-(places + 1) * there // wanted)


def _sized(plain: Mapping[str, Any]) -> dict[str, Any]:
    """The way back from `_listed`."""
    return dict(plain) | {"size": tuple(plain["size"])}


def _listed(plain: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON gives it back, which knows no tuples."""
    return dict(plain) | {"size": list(plain["size"])}

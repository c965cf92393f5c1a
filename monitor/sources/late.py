"""Frames of a decoder that become pictures when somebody looks at them.

To RGB costs a frame as much as decoding it. Where a source is faster than a model learned, most
frames are passed by (see `monitor.clips.at_rate`), and those are never converted.
"""

from collections.abc import Callable

import numpy as np
from av.video.frame import VideoFrame

from monitor.records import Frame, Image


class LateFrame(Frame):
    """A decoded frame, converted at the first look."""

    __slots__ = ("_image",)
    _image: Image | Callable[[], Image]

    def __init__(self, picture: VideoFrame, index: int, time_s: float) -> None:
        for name, value in (("index", index), ("time_s", time_s), ("epoch", 0)):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_image", lambda: to_image(picture))

    @property
    def image(self) -> Image:
        """(H, W, 3) uint8, RGB."""
        image = self._image
        if callable(image):  # two threads at once would both convert it, to the same
            image = image()
            object.__setattr__(self, "_image", image)
        return image


def to_image(picture: VideoFrame) -> Image:
    """RGB and upright: the turn that the file asks for is made."""
    image = np.asarray(picture.to_ndarray(format="rgb24"), np.uint8)
    turns = quarter_turns(picture)
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


def quarter_turns(picture: VideoFrame) -> int:
    """Counter-clockwise turns by 90 degrees that put it upright; FFmpeg counts them so, too."""
    return round(picture.rotation / 90) % 4


def upright_size(picture: VideoFrame) -> tuple[int, int]:
    """Height and width as people see it."""
    size = picture.height, picture.width
    return size[::-1] if quarter_turns(picture) % 2 else size

"""Frames of a decoder that become pictures when somebody looks at them.

To RGB costs a frame as much as decoding it. Where a source is faster than a model learned, most
frames are passed by (see `monitor.clips.at_rate`), and those are never converted; and a detector
needs a small picture only, which swscale makes in one step, for gray from the luma alone. So it is
with pictures of one channel, of which three would be made and one again.
"""

from threading import Lock

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from monitor.records import Frame, Image
from monitor.sources.opencv import load_cv2

MOST_SIZES = 4  # whose tables a converter keeps
AREA = Interpolation.AREA | Interpolation.FULL_CHR_H_INT  # else half the colours are left across
BT_601 = (2, 5, 6)  # of FFmpeg's colour spaces; 2: not said, which swscale takes for it


class Converter:
    """Decoded frames of one source to upright pictures; swscale's tables are kept for the next.

    Pictures are valid as long as they are held. It may be called from several threads.
    """

    def __init__(self) -> None:
        self._reformatters: dict[tuple[tuple[int, int], str], VideoReformatter] = {}
        self._lock = Lock()

    def rgb(self, frame: VideoFrame, size: tuple[int, int] | None = None) -> Image:
        """(H, W, 3), at its own size or, by area averaging, at that height and width."""
        return self._converted(frame, size or upright_size(frame), "rgb24")

    def gray(self, frame: VideoFrame, size: tuple[int, int]) -> NDArray[np.uint8]:
        """(H, W), by BT.601 as OpenCV turns RGB to gray; what was encoded so is its luma."""
        luma = frame.format.name.startswith("yuv") and frame.colorspace in BT_601
        if luma or frame.format.name == "gray":
            return self._converted(frame, size, "gray")
        cv2 = load_cv2()
        return np.asarray(cv2.cvtColor(self.rgb(frame, size), cv2.COLOR_RGB2GRAY), np.uint8)

    def _converted(
        self, frame: VideoFrame, size: tuple[int, int], pixels: str
    ) -> NDArray[np.uint8]:
        turns = quarter_turns(frame)
        height, width = size[::-1] if turns % 2 else size
        same = (frame.height, frame.width) == (height, width)
        how = Interpolation.BILINEAR if same else AREA
        with self._lock:
            if (size, pixels) not in self._reformatters and len(self._reformatters) >= MOST_SIZES:
                self._reformatters.clear()
            reformatter = self._reformatters.setdefault((size, pixels), VideoReformatter())
            made = reformatter.reformat(
                frame, width, height, pixels, interpolation=how, threads=1
            )  # two wait for each other: twice the processor time
        plane = made.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        bytes_ = rows[:height, : width * len(made.format.components)]
        image = bytes_.reshape(height, width, 3) if pixels == "rgb24" else bytes_
        return np.rot90(image, turns) if turns else image


class LateFrame(Frame):
    """A decoded frame, converted at the first look."""

    __slots__ = ("_converter", "_image", "_picture")
    _converter: Converter
    _image: Image | None
    _picture: VideoFrame

    def __init__(
        self, picture: VideoFrame, index: int, time_s: float, converter: Converter
    ) -> None:
        fields = ("index", "time_s", "epoch", "_picture", "_converter", "_image")
        for name, value in zip(fields, (index, time_s, 0, picture, converter, None), strict=True):
            object.__setattr__(self, name, value)

    @property
    def image(self) -> Image:
        """(H, W, 3) uint8, RGB."""
        image = self._image
        if image is None:  # two threads at once would both convert it, to the same
            image = np.ascontiguousarray(self._converter.rgb(self._picture))
            object.__setattr__(self, "_image", image)
        return image

    @property
    def size(self) -> tuple[int, int]:
        """Height and width as people see it; nothing is converted."""
        return upright_size(self._picture)

    def shrunk(self, size: tuple[int, int], channels: int) -> NDArray[np.uint8]:
        """(H, W, 3) RGB, or (H, W) for one channel, at that height and width by area averaging."""
        convert = self._converter.gray if channels == 1 else self._converter.rgb
        return convert(self._picture, size)


class GrayFrame(Frame):
    """A picture of one channel: three are made of it when somebody looks at it."""

    __slots__ = ("_converter", "plane")
    plane: NDArray[np.uint8]  # (H, W)
    _converter: Converter

    def __init__(
        self, plane: NDArray[np.uint8], index: int, time_s: float, converter: Converter
    ) -> None:
        fields = ("index", "time_s", "epoch", "plane", "_converter")
        for name, value in zip(fields, (index, time_s, 0, plane, converter), strict=True):
            object.__setattr__(self, name, value)

    @property
    def image(self) -> Image:
        """(H, W, 3) uint8, RGB."""
        return three_channels(self.plane)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.plane.shape[0], self.plane.shape[1]

    def shrunk(self, size: tuple[int, int], channels: int) -> NDArray[np.uint8]:
        """(H, W, 3) RGB, or (H, W) for one channel, at that height and width by area averaging."""
        picture = VideoFrame.from_numpy_buffer(np.ascontiguousarray(self.plane), "gray")
        small = self._converter.gray(picture, size)
        return small if channels == 1 else three_channels(small)


def three_channels(plane: NDArray[np.uint8]) -> Image:
    """(H, W) as (H, W, 3)."""
    cv2 = load_cv2()
    return np.asarray(cv2.cvtColor(plane, cv2.COLOR_GRAY2RGB), np.uint8)


def quarter_turns(picture: VideoFrame) -> int:
    """Counter-clockwise turns by 90 degrees that put it upright; FFmpeg counts them so, too."""
    return round(picture.rotation / 90) % 4


def upright_size(picture: VideoFrame) -> tuple[int, int]:
    """Height and width as people see it."""
    size = picture.height, picture.width
    return size[::-1] if quarter_turns(picture) % 2 else size

"""A decoded picture to the analysed one: its size, its colours, what must not be seen.

Scaling is FFmpeg's swscale, in one step with the conversion to RGB. Knows nothing of sources.
"""

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from monitor.records import Image
from monitor.sources.late import quarter_turns

Polygons = tuple[tuple[tuple[float, float], ...], ...]


def analysed_size(size: tuple[int, int], width: int) -> tuple[int, int]:
    """Height and width, even, with the sides' ratio kept and neither longer than `width`."""
    scale = min(1.0, width / max(size))
    height, across = (max(2, round(side * scale / 2) * 2) for side in size)
    longest = width // 2 * 2
    return min(height, longest), min(across, longest)


class Shrinker:
    """Makes RGB pictures of one size; keeps swscale's tables from frame to frame."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size
        self._reformatter = VideoReformatter()

    def shrink(self, frame: VideoFrame) -> Image:
        """(H, W, 3) RGB, upright; valid as long as it is held."""
        turns = quarter_turns(frame)
        height, width = self.size[::-1] if turns % 2 else self.size
        rgb = self._reformatter.reformat(
            frame, width, height, "rgb24", interpolation=Interpolation.AREA
        )
        plane = rgb.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        image = rows[:height, : width * 3].reshape(height, width, 3)
        return np.asarray(np.rot90(image, turns)) if turns else image


def blacken(image: Image, polygons: Polygons) -> Image:
    """A copy with the polygons, in shares of the picture, filled with black."""
    if not polygons:
        return image
    hidden = np.ascontiguousarray(image).copy()
    height, width = image.shape[:2]
    for polygon in polygons:
        corners = np.array([(x * width, y * height) for x, y in polygon])
        cv2.fillPoly(hidden, [np.round(corners).astype(np.int32)], (0, 0, 0))
    return hidden

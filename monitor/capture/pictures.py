"""The analysed picture: its size, and what in it must not be seen.

Knows nothing of sources.
"""

import cv2
import numpy as np

from monitor.records import Image

Polygons = tuple[tuple[tuple[float, float], ...], ...]


def analysed_size(size: tuple[int, int], width: int) -> tuple[int, int]:
    """Height and width, even, with the sides' ratio kept and neither longer than `width`."""
    scale = min(1.0, width / max(size))
    height, across = (max(2, round(side * scale / 2) * 2) for side in size)
    longest = width // 2 * 2
    return min(height, longest), min(across, longest)


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

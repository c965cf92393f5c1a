"""Cars cut out of the clip's own frames, and one thing that is no car, to be put elsewhere."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.records import Image

Floats = NDArray[np.float32]

OTHER = 22  # grey levels from the background: more than noise and leaves' flicker on the road
FEATHER_PX = 1.0  # about the blur of the camera's own edges


@dataclass(frozen=True, slots=True, eq=False)
class Sprite:
    """Something with soft edges that stands on the ground."""

    pixels: Floats  # (h, w, 4): RGB, 0 to 255, multiplied by the opacity, 0 to 1, that follows
    foot: tuple[float, float]  # x, y in the sprite of the middle of its lower edge
    ground_y: float  # the y of the picture at which it has this size
    rolls: float = 0.0  # its radius in pixels if it rolls about its middle; else 0


def cut_car(image: Image, background: Image, inside: tuple[int, int]) -> Sprite:
    """The moving thing, its shadow included, that covers the pixel `inside` (x, y)."""
    mask = _whole(_moving(image, background), inside)
    left, top, width, height = cv2.boundingRect(mask)
    margin = 4
    rows = slice(max(top - margin, 0), top + height + margin)
    columns = slice(max(left - margin, 0), left + width + margin)
    alpha = _feathered(mask)[rows, columns]
    foot = (left + width / 2 - columns.start, float(top + height - rows.start))
    return Sprite(_cut(image[rows, columns], alpha), foot, float(top + height))


def cut_bush(background: Image, middle: tuple[int, int], radius: int, ground_y: float) -> Sprite:
    """A ragged round piece of the hedge's leaves around `middle` (x, y)."""
    size = 2 * radius + 9
    y, x = np.mgrid[:size, :size].astype(np.float32) - size // 2
    angle, away = np.arctan2(y, x), np.hypot(x, y)
    edge = radius * (0.86 + 0.07 * np.sin(3 * angle + 1) + 0.07 * np.sin(23 * angle + 9 * angle**2))
    mask = (away < edge).astype(np.uint8)
    alpha = _feathered(mask)
    top, left = middle[1] - size // 2, middle[0] - size // 2
    patch = background[top : top + size, left : left + size]
    foot = (size / 2, size / 2 + 0.86 * radius)
    return Sprite(_cut(patch, alpha), foot, ground_y, rolls=0.86 * radius)


def _cut(image: Image, alpha: Floats) -> Floats:
    return np.dstack([image.astype(np.float32) * alpha[..., None], alpha])


def _moving(image: Image, background: Image) -> NDArray[np.uint8]:
    apart = np.abs(image.astype(np.int16) - background).max(axis=2)
    mask = (apart > OTHER).astype(np.uint8)
    opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    return np.asarray(cv2.morphologyEx(opened, cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8)))


def _whole(mask: NDArray[np.uint8], inside: tuple[int, int]) -> NDArray[np.uint8]:
    """The part with that pixel, its holes filled."""
    labels = cv2.connectedComponents(mask)[1]
    label = labels[inside[1], inside[0]]
    assert label > 0, "the place of the sprite is wrong: nothing moves there"
    part = (labels == label).astype(np.uint8)
    outlines = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    filled = cv2.drawContours(np.zeros_like(part), outlines, -1, 1, cv2.FILLED)
    return np.asarray(cv2.erode(filled, np.ones((3, 3), np.uint8)))  # off the rim of bare road


def _feathered(mask: NDArray[np.uint8]) -> Floats:
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), FEATHER_PX))

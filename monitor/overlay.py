"""A heat map laid over a picture: clear where all is usual, coloured where it is not.

Knows nothing of detectors or alerts; `to_heat` brings a map to the scale on which 1 is the most
that is normal.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.records import Image, MapScale

Heat = NDArray[np.floating]  # (h, w), 0 = usual, 1 = what normal maps hardly ever reach

CLEAR_BELOW = 0.5  # half-way there: nothing to show
FULL_FROM = 2.0  # as far again: the strongest colour
MOST_OPAQUE = 0.65  # what is there must still be recognisable

# yellow, orange, red, magenta: rare in streets and on asphalt, told apart by lightness alone too
RAMP = np.array([[255, 230, 60], [255, 150, 20], [230, 30, 30], [190, 0, 120]], np.float32)


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of pixels; right and bottom are outside."""

    left: int
    top: int
    right: int
    bottom: int


def to_heat(anomaly_map: NDArray[np.floating], scale: MapScale | None) -> Heat:
    """A map as `overlay` takes it; without a scale half of its own highest value counts as high."""
    wide = np.asarray(anomaly_map, np.float64)
    usual, high = scale or (0.0, float(np.nan_to_num(wide).max()) / 2)
    return (wide - usual) / max(high - usual, 1e-9)


def overlay(image: Image, heat: Heat, *, box: Box | None = None) -> Image:
    """Colour the unusual parts, outline what is over 1 and box the hottest of it.

    Args:
        image: (H, W, 3) RGB.
        heat: (h, w) of any size; resized to the image's. What is not finite counts as 0.
        box: To be drawn instead of that around the hottest region; all regions are then outlined.
    """
    warm = _resize(heat, image)
    drawn = np.ascontiguousarray(_blend(image, warm))
    if box is not None:
        _draw_outline(drawn, (warm >= 1).astype(np.uint8))
        _draw_box(drawn, box)
        return drawn
    region = _hottest_region(warm)
    if region is not None:
        _draw_outline(drawn, region)
        _draw_box(drawn, _bounds(region))
    return drawn


def hottest_box(heat: Heat, image: Image) -> Box | None:
    """Where in the image the region over 1 with the hottest pixel lies, if any is."""
    region = _hottest_region(_resize(heat, image))
    return None if region is None else _bounds(region)


def _resize(heat: Heat, image: Image) -> NDArray[np.float32]:
    clean = np.nan_to_num(np.asarray(heat, np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    height, width = image.shape[:2]
    return np.asarray(cv2.resize(clean, (width, height), interpolation=cv2.INTER_LINEAR))


def _blend(image: Image, warm: NDArray[np.float32]) -> Image:
    strength = np.clip((warm - CLEAR_BELOW) / (FULL_FROM - CLEAR_BELOW), 0.0, 1.0)
    place = strength * (len(RAMP) - 1)
    lower = np.minimum(place.astype(np.intp), len(RAMP) - 2)
    share = (place - lower)[..., None]
    colour = RAMP[lower] * (1 - share) + RAMP[lower + 1] * share
    opacity = (MOST_OPAQUE * np.sqrt(strength))[..., None]
    mixed: Image = (image * (1 - opacity) + colour * opacity + 0.5).astype(np.uint8)
    return mixed


def _hottest_region(warm: NDArray[np.float32]) -> NDArray[np.uint8] | None:
    if warm.max() < 1:
        return None
    labels = cv2.connectedComponents((warm >= 1).astype(np.uint8), connectivity=8)[1]
    hottest = labels[np.unravel_index(int(warm.argmax()), warm.shape)]
    region: NDArray[np.uint8] = (labels == hottest).astype(np.uint8)
    return region


def _bounds(region: NDArray[np.uint8]) -> Box:
    left, top, width, height = cv2.boundingRect(region)
    return Box(left, top, left + width, top + height)


def _draw_outline(drawn: Image, region: NDArray[np.uint8]) -> None:
    outlines = cv2.findContours(region, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    cv2.drawContours(drawn, outlines, -1, (255, 255, 255), 1, cv2.LINE_AA)


def _draw_box(drawn: Image, box: Box) -> None:
    """White on black, so that it shows on any ground; some pixels off what it surrounds."""
    height, width = drawn.shape[:2]
    line = max(1, round(max(height, width) / 400))
    margin = 3 * line
    start = (max(box.left - margin, 0), max(box.top - margin, 0))
    stop = (min(box.right + margin, width) - 1, min(box.bottom + margin, height) - 1)
    cv2.rectangle(drawn, start, stop, (0, 0, 0), 3 * line)
    cv2.rectangle(drawn, start, stop, (255, 255, 255), line)

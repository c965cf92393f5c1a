"""A few numbers about a picture by which blindness, motion and light are told.

Knows nothing of cameras. Costs about a millisecond of a picture of 640x360.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.capture.records import PictureStats
from monitor.records import Image

HEIGHT_PX = 96
COLOURED = 0.98  # of the places are less coloured than what is measured
TOGETHER = np.ones((2, 2), np.uint8)
CHANGED_LEVELS = 12.0  # above sensor noise after averaging, below a person's contrast
EDGE_LEVELS = 12.0  # of gradient per pixel: an edge that shows in the reference picture
KEPT = 0.25  # an edge with this share of its strength is still there: dusk takes half and more
TURNED = 0.7  # cosine: one that points over 45 degrees elsewhere is another edge
LEARN_S = 10.0  # of frames at first that make the reference picture
FORGET_S = 600.0  # in which the reference follows shadows; a turned camera is believed after it

Gray = NDArray[np.float32]


class PictureMeter:
    """Measures pictures of one camera, each against the one before and the reference picture."""

    def __init__(self) -> None:
        self._last: Gray | None = None
        self._reference: Gray | None = None
        self._began_s = self._last_s = 0.0

    def measure(self, image: Image, received_s: float) -> PictureStats:
        """What is seen in a picture, (H, W, 3) RGB, that came at `received_s`."""
        small = _small(image)
        gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
        if self._last is not None and self._last.shape != gray.shape:
            self._last = self._reference = None
        difference = np.zeros_like(gray) if self._last is None else np.abs(gray - self._last)
        edges = self._edges(gray, received_s)
        self._last = gray
        return PictureStats(
            mean=float(gray.mean()),
            std=float(gray.std()),
            sharpness=float(cv2.Laplacian(gray, cv2.CV_32F).var()),
            motion=_motion(difference),
            change=float(difference.mean()),
            saturation=_saturation(small),
            edges=edges,
        )

    def _edges(self, gray: Gray, now_s: float) -> float:
        """The share of the reference picture's edges that are still where they were."""
        if self._reference is None:
            self._reference, self._began_s, self._last_s = gray.copy(), now_s, now_s
            return 1.0
        passed_s, self._last_s = now_s - self._last_s, now_s
        share = _still_there(gray, self._reference)
        settle_s = FORGET_S if now_s - self._began_s > LEARN_S else LEARN_S / 2
        weight = min(1.0, passed_s / settle_s)
        self._reference += np.float32(weight) * (gray - self._reference)
        return share


def _small(image: Image) -> Image:
    height, width = image.shape[:2]
    if height <= HEIGHT_PX:
        return image
    size = max(1, round(width * HEIGHT_PX / height)), HEIGHT_PX
    while image.shape[0] >= 2 * HEIGHT_PX:  # means of 2x2 take a tenth of what other ratios take
        half = image.shape[1] // 2, image.shape[0] // 2
        image = np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def _motion(difference: Gray) -> float:
    """Places that changed together with three neighbours: noise does so one by one."""
    changed = (difference > CHANGED_LEVELS).astype(np.uint8)
    whole = cv2.erode(changed, TOGETHER, anchor=(0, 0))
    return float(cv2.dilate(whole, TOGETHER, anchor=(1, 1)).mean())


def _saturation(image: Image) -> float:
    """Of what is most coloured, but for a caption: gray asphalt alone is no infrared picture."""
    red, green, blue = cv2.split(image)
    highest = cv2.max(cv2.max(red, green), blue)
    spread = highest - cv2.min(cv2.min(red, green), blue)
    place = int(COLOURED * (spread.size - 1))
    return float(np.partition(spread, place, axis=None)[place])


def _still_there(gray: Gray, reference: Gray) -> float:
    """The share of the reference's edges that have their place, direction and polarity still."""
    (x, y), (was_x, was_y) = _gradient(gray), _gradient(reference)
    here, usual = cv2.magnitude(x, y), cv2.magnitude(was_x, was_y)
    alike = (x * was_x + y * was_y) > TURNED * here * usual
    strong = usual > EDGE_LEVELS
    if not strong.any():
        return 1.0
    return float((alike & (here > KEPT * usual))[strong].mean())


def _gradient(gray: Gray) -> tuple[Gray, Gray]:
    """Levels per pixel across and down, of a picture blurred so far that a shake matters little."""
    blurred = cv2.GaussianBlur(gray, (5, 5), 0)
    across = cv2.Sobel(blurred, cv2.CV_32F, 1, 0, scale=1 / 8)  # its kernel weighs 8
    down = cv2.Sobel(blurred, cv2.CV_32F, 0, 1, scale=1 / 8)
    return np.asarray(across, np.float32), np.asarray(down, np.float32)

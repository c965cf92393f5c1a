"""A few numbers about a picture by which blindness, motion and light are told.

Knows nothing of cameras. Costs about half a millisecond of a picture of 640x360, ten a second:
every frame of every camera passes here.
"""

from math import inf
from typing import Any

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
LOOK_S = 0.25  # between looks at colour and edges, of which nothing is concluded in under seconds
LEARN_S = 10.0  # of frames at first that make the reference picture
FORGET_S = 600.0  # in which the reference follows shadows; a turned camera is believed after it

Gray = NDArray[np.uint8]
Slopes = tuple[NDArray[np.float32], NDArray[np.float32]]  # levels per pixel across and down


class PictureMeter:
    """Measures pictures of one camera, each against the one before and the reference picture."""

    def __init__(self) -> None:
        self._last: Gray | None = None
        self._reference: Slopes | None = None
        self._began_s = self._looked_s = -inf
        self._saturation, self._edges = 0.0, 1.0

    def measure(self, image: Image, received_s: float) -> PictureStats:
        """What is seen in a picture, (H, W, 3) RGB, that came at `received_s`."""
        halved = _halved(image)
        gray = _small(np.asarray(cv2.cvtColor(halved, cv2.COLOR_RGB2GRAY), np.uint8))
        if self._last is not None and self._last.shape != gray.shape:
            self._last = self._reference = None
        difference = cv2.absdiff(gray, gray if self._last is None else self._last)
        self._last = gray
        if self._reference is None or received_s - self._looked_s >= LOOK_S:
            self._saturation = _saturation(_small(halved))
            self._edges = self._look_at_edges(_slopes(gray), received_s)
        mean, std = _mean_std(gray)
        return PictureStats(
            mean=mean,
            std=std,
            sharpness=_mean_std(np.asarray(cv2.Laplacian(gray, cv2.CV_16S), np.int16))[1] ** 2,
            motion=_motion(np.asarray(difference, np.uint8)),
            change=cv2.mean(difference)[0],
            saturation=self._saturation,
            edges=self._edges,
        )

    def _look_at_edges(self, slopes: Slopes, now_s: float) -> float:
        """The share of the reference picture's edges that are still where they were."""
        passed_s, self._looked_s = now_s - self._looked_s, now_s
        if self._reference is None:
            self._reference, self._began_s = slopes, now_s
            return 1.0
        share = _still_there(slopes, self._reference)
        settle_s = FORGET_S if now_s - self._began_s > LEARN_S else LEARN_S / 2
        for new, kept in zip(slopes, self._reference, strict=True):  # as of the mean of pictures
            cv2.accumulateWeighted(new, kept, min(1.0, passed_s / settle_s))
        return share


def _halved(image: Image) -> Image:
    """Means of 2x2 as long as the height allows: they take a tenth of what other ratios take."""
    while image.shape[0] >= 2 * HEIGHT_PX:
        half = image.shape[1] // 2, image.shape[0] // 2
        image = np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA), np.uint8)
    return image


def _small(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W) or (H, W, C), `HEIGHT_PX` high where it was higher."""
    height, width = image.shape[:2]
    if height <= HEIGHT_PX:
        return image
    size = max(1, round(width * HEIGHT_PX / height)), HEIGHT_PX
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def _mean_std(levels: NDArray[np.integer[Any]]) -> tuple[float, float]:
    mean, std = cv2.meanStdDev(levels)
    return float(mean[0, 0]), float(std[0, 0])


def _motion(difference: Gray) -> float:
    """Places that changed together with three neighbours: noise does so one by one."""
    _, changed = cv2.threshold(difference, CHANGED_LEVELS, 1, cv2.THRESH_BINARY)
    whole = cv2.erode(changed, TOGETHER, anchor=(0, 0))
    return cv2.mean(cv2.dilate(whole, TOGETHER, anchor=(1, 1)))[0]


def _saturation(image: Image) -> float:
    """Of what is most coloured, but for a caption: gray asphalt alone is no infrared picture."""
    red, green, blue = cv2.split(image)
    highest = cv2.max(cv2.max(red, green), blue)
    spread = highest - cv2.min(cv2.min(red, green), blue)
    place = int(COLOURED * (spread.size - 1))
    return float(np.partition(spread, place, axis=None)[place])


def _still_there(slopes: Slopes, reference: Slopes) -> float:
    """The share of the reference's edges that have their place, direction and polarity still."""
    here, usual = cv2.magnitude(*slopes), cv2.magnitude(*reference)
    strong = usual > EDGE_LEVELS
    edges = int(np.count_nonzero(strong))
    if not edges:
        return 1.0
    (x, y), (was_x, was_y) = slopes, reference
    alike = x * was_x + y * was_y > TURNED * here * usual
    return int(np.count_nonzero(strong & alike & (here > KEPT * usual))) / edges


def _slopes(gray: Gray) -> Slopes:
    """Of a picture blurred so far that a shake matters little."""
    blurred = cv2.GaussianBlur(gray.astype(np.float32), (5, 5), 0)
    across = cv2.Sobel(blurred, cv2.CV_32F, 1, 0, scale=1 / 8)  # its kernel weighs 8
    down = cv2.Sobel(blurred, cv2.CV_32F, 0, 1, scale=1 / 8)
    return np.asarray(across, np.float32), np.asarray(down, np.float32)

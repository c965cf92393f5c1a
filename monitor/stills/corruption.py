"""Pictures spoiled on purpose, in five grades: the families of ImageNet-C, and small local defects.

Strengths of the global ones are those of Hendrycks and Dietterich, "Benchmarking Neural Network
Robustness", ICLR 2019, for pictures of 224 pixels; lengths grow with the picture. Left out are
glass blur (slow), frost (needs photographs) and snow (noise and motion blur, both there). All take
and give (H, W, 3) float32 in [0, 1]; generators of the same seed give the same picture.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.records import Image
from monitor.sources.opencv import load_cv2
from monitor.stills.still import Mask

Values = NDArray[np.float32]  # (H, W, 3) in [0, 1]
Dice = np.random.Generator

SEVERITIES = range(1, 6)
NATIVE = 224  # pixels a side of ImageNet-C


@dataclass(frozen=True)
class Corruption:
    """One way to spoil a picture, and its strength at severity 1 to 5."""

    family: str
    levels: tuple[float, ...]
    spoil: Callable[[Values, float, Dice], Values]
    local: bool = False  # only where it is put; the rest of the picture is not touched


def corrupt(image: Image, kind: str, severity: int, seed: int) -> Image:
    """A spoiled copy.

    Args:
        image: (H, W, 3) uint8.
        kind: A key of `CORRUPTIONS`.
        severity: 1 to 5.
        seed: The same seed, the same copy.
    """
    corruption = CORRUPTIONS[kind]
    values = _values(image / 255)
    dice = np.random.default_rng(seed)
    spoiled = corruption.spoil(values, corruption.levels[severity - 1], dice)
    return np.rint(np.clip(spoiled, 0, 1) * 255).astype(np.uint8)


def changed(image: Image, spoiled: Image) -> Mask:
    """Where two pictures differ: the truth of a local defect. (H, W)."""
    return np.asarray((image != spoiled).any(axis=2))


def _gaussian(values: Values, sigma: float, dice: Dice) -> Values:
    return values + sigma * dice.standard_normal(values.shape, np.float32)


def _shot(values: Values, photons: float, dice: Dice) -> Values:
    return (dice.poisson(values * photons) / photons).astype(np.float32)


def _impulse(values: Values, share: float, dice: Dice) -> Values:
    hit = dice.random(values.shape) < share
    return np.where(hit, dice.integers(0, 2, values.shape), values).astype(np.float32)


def _defocus(values: Values, radius: float, _: Dice) -> Values:
    radius = max(1, round(radius * _scale(values)))
    ys, xs = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disk = (xs**2 + ys**2 <= radius**2).astype(np.float32)
    return _filter(values, disk)


def _motion(values: Values, length: float, dice: Dice) -> Values:
    cv2 = load_cv2()
    half = max(1, round(length * _scale(values) / 2))
    angle = dice.uniform(-np.pi / 4, np.pi / 4)
    away = (round(half * np.cos(angle)), round(half * np.sin(angle)))
    line = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    cv2.line(line, (half - away[0], half - away[1]), (half + away[0], half + away[1]), 1.0)
    return _filter(values, line)


def _zoom(values: Values, most: float, _: Dice) -> Values:
    """The mean of the picture and its enlargements about the centre."""
    cv2 = load_cv2()
    height, width = values.shape[:2]
    scales = np.linspace(1, most, 8)
    turns = [cv2.getRotationMatrix2D((width / 2, height / 2), 0, float(scale)) for scale in scales]
    zoomed = [
        cv2.warpAffine(values, turn, (width, height), borderMode=cv2.BORDER_REFLECT)
        for turn in turns
    ]
    return _values(np.mean(zoomed, axis=0))


def _fog(values: Values, density: float, dice: Dice) -> Values:
    """Clouds laid over it, then brought back to the range it had, as in ImageNet-C."""
    top = max(float(values.max()), 1 / 255)
    return _values((values + density * _clouds(values, dice)[..., None]) * top / (top + density))


def _brightness(values: Values, more: float, _: Dice) -> Values:
    return values + np.float32(more)


def _contrast(values: Values, share: float, _: Dice) -> Values:
    mean = values.mean(axis=(0, 1), keepdims=True)
    return _values((values - mean) * share + mean)


def _pixelate(values: Values, share: float, _: Dice) -> Values:
    cv2 = load_cv2()
    height, width = values.shape[:2]
    small = (max(1, round(width * share)), max(1, round(height * share)))
    shrunk = cv2.resize(values, small, interpolation=cv2.INTER_AREA)
    return _values(cv2.resize(shrunk, (width, height), interpolation=cv2.INTER_NEAREST))


def _jpeg(values: Values, quality: float, _: Dice) -> Values:
    cv2 = load_cv2()
    pixels = np.rint(values * 255).astype(np.uint8)
    _done, coded = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    return _values(cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1] / 255)


def _elastic(values: Values, share: float, dice: Dice) -> Values:
    """Every place is moved by a smooth field of at most about `share` of the side."""
    cv2 = load_cv2()
    height, width = values.shape[:2]
    ys, xs = np.mgrid[:height, :width].astype(np.float32)
    reach = share * min(height, width)
    moved = [2 * reach * (_clouds(values, dice) - 0.5) for _ in range(2)]
    return _values(
        cv2.remap(values, xs + moved[0], ys + moved[1], cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT)
    )


def _stain(values: Values, share: float, dice: Dice) -> Values:
    """A blot with a ragged edge, covering about `share` of the picture, in one colour."""
    height, width = values.shape[:2]
    radius = np.sqrt(share * height * width / np.pi)
    y, x = dice.uniform(0.2, 0.8) * height, dice.uniform(0.2, 0.8) * width
    ys, xs = np.mgrid[:height, :width]
    ragged = radius * (0.7 + 0.6 * _clouds(values, dice))
    inside = np.hypot(ys - y, xs - x) < np.maximum(ragged, 1.5)
    return np.where(inside[..., None], _other_colour(values[inside], dice), values)


def _scratch(values: Values, share: float, dice: Dice) -> Values:
    """A thin crooked line; `share` of the picture's diagonal is its length."""
    cv2 = load_cv2()
    height, width = values.shape[:2]
    points, angle = [dice.uniform(0.25, 0.75, 2) * (width, height)], dice.uniform(0, 2 * np.pi)
    for _ in range(4):
        angle += dice.normal(0, 0.4)
        step = share * np.hypot(height, width) / 4
        points.append(points[-1] + step * np.array([np.cos(angle), np.sin(angle)]))
    line = np.zeros((height, width), np.uint8)
    thick = max(1, round(2 * _scale(values)))
    cv2.polylines(
        line, [np.rint(points).astype(np.int32)], isClosed=False, color=1, thickness=thick
    )
    inside = line.astype(bool)
    return np.where(inside[..., None], _other_colour(values[inside], dice), values)


def _cut_paste(values: Values, share: float, dice: Dice) -> Values:
    """A rectangle of the picture put down elsewhere in it (Li et al., "CutPaste", CVPR 2021)."""
    height, width = values.shape[:2]
    aspect = np.exp(dice.uniform(-1, 1))  # about 0.3 to 3, as in the paper
    tall = int(np.clip(np.sqrt(share * height * width * aspect), 2, height // 2))
    wide = int(np.clip(share * height * width / tall, 2, width // 2))
    y, x = dice.integers(0, height - tall), dice.integers(0, width - wide)
    to_y, to_x = dice.integers(0, height - tall), dice.integers(0, width - wide)
    spoiled = values.copy()
    spoiled[to_y : to_y + tall, to_x : to_x + wide] = values[y : y + tall, x : x + wide]
    return spoiled


def _other_colour(under: Values, dice: Dice) -> Values:
    """A colour at least a quarter of the range from what lies under it, in some channel."""
    mean = under.mean(axis=0) if len(under) else np.full(3, 0.5, np.float32)
    colour = dice.random(3, np.float32)
    if np.abs(colour - mean).max() < 0.25:
        colour = np.where(mean < 0.5, mean + 0.4, mean - 0.4).astype(np.float32)
    return colour


def _clouds(values: Values, dice: Dice) -> Values:
    """(H, W) in [0, 1], smooth: noise on ever finer grids, each half as strong as the last."""
    cv2 = load_cv2()
    height, width = values.shape[:2]
    total = np.zeros((height, width), np.float32)
    for octave in range(2, 5):
        grid = dice.random((2**octave, 2**octave), np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) / 2**octave
    low, high = total.min(), total.max()
    return _values((total - low) / max(high - low, 1e-6))


def _filter(values: Values, kernel: Values) -> Values:
    cv2 = load_cv2()
    return _values(cv2.filter2D(values, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT))


def _values(array: Any) -> Values:
    return np.asarray(array, np.float32)


def _scale(values: Values) -> float:
    return float(min(values.shape[:2])) / NATIVE


CORRUPTIONS = {
    "gaussian_noise": Corruption("noise", (0.08, 0.12, 0.18, 0.26, 0.38), _gaussian),
    "shot_noise": Corruption("noise", (60, 25, 12, 5, 3), _shot),
    "impulse_noise": Corruption("noise", (0.03, 0.06, 0.09, 0.17, 0.27), _impulse),
    "defocus_blur": Corruption("blur", (3, 4, 6, 8, 10), _defocus),
    "motion_blur": Corruption("blur", (10, 15, 20, 25, 30), _motion),
    "zoom_blur": Corruption("blur", (1.11, 1.16, 1.21, 1.26, 1.31), _zoom),
    "fog": Corruption("weather", (1.5, 2.0, 2.5, 2.75, 3.0), _fog),
    "brightness": Corruption("weather", (0.1, 0.2, 0.3, 0.4, 0.5), _brightness),
    "contrast": Corruption("digital", (0.4, 0.3, 0.2, 0.1, 0.05), _contrast),
    "pixelate": Corruption("digital", (0.6, 0.5, 0.4, 0.3, 0.25), _pixelate),
    "jpeg": Corruption("digital", (25, 18, 15, 10, 7), _jpeg),
    "elastic": Corruption("digital", (0.02, 0.035, 0.05, 0.075, 0.1), _elastic),
    # ours: shares of the area, and for the scratch of the diagonal
    "stain": Corruption("local", (0.0025, 0.005, 0.01, 0.02, 0.04), _stain, local=True),
    "scratch": Corruption("local", (0.05, 0.1, 0.15, 0.25, 0.4), _scratch, local=True),
    "cut_paste": Corruption("local", (0.0025, 0.005, 0.01, 0.02, 0.04), _cut_paste, local=True),
}

"""Natural synthetic anomalies: patches of other normal pictures, blended in without a seam.

Schlueter, Tan, Hou and Kainz, "Natural Synthetic Anomalies for Self-Supervised Anomaly Detection
and Localization", ECCV 2022, arXiv:2109.15222, section 3. Blending: Perez, Gangnet and Blake,
"Poisson Image Editing", SIGGRAPH 2003, by OpenCV's `seamlessClone`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]  # (H, W, 3)
Mask = NDArray[np.bool_]  # (H, W)
LEAST_PX = 8  # of a patch's side; OpenCV fails with masks under 5, and an ellipse has less
TRIES = 4  # for a patch that changes anything, before the picture stays as it is


@dataclass(frozen=True)
class PatchRule:
    """How patches are drawn; sides are shares of the picture's."""

    least: float = 0.06  # of a side (the paper's bounds are chosen per class, about these)
    most: float = 0.5
    shape: float = 2.0  # of the gamma distribution of what is over `least`
    scale: float = 0.1
    resize: tuple[float, float] = (0.7, 1.3)  # a normal around 1, deviation 0.5, cut off here
    most_patches: int = 3  # another one follows with probability 1/2
    shift: float = 1.0  # how far from its source a patch may land; 1: anywhere
    mixed: float = 0.5  # share blended with the stronger of both gradients
    rounded: float = 0.5  # share of ellipses among rectangles
    least_change: int = 8  # grey levels, or the patch is none


def corrupt(
    picture: Picture,
    sources: Sequence[Picture],
    rule: PatchRule,
    rng: np.random.Generator,
    foreground: Mask | None = None,
) -> tuple[Picture, Mask]:
    """The picture with patches of the sources in it, and where they are.

    `foreground`: patches lie at least half on it. Outside the mask nothing is changed.
    """
    place: Mask = np.zeros(picture.shape[:2], dtype=bool)
    for _ in range(_count(rule, rng)):
        source = sources[int(rng.integers(len(sources)))]
        picture, patch = _patched(picture, source, rule, rng, foreground)
        place |= patch
    return picture, place


def _count(rule: PatchRule, rng: np.random.Generator) -> int:
    """At least one, each further one with probability 1/2."""
    return min(rule.most_patches, int(rng.geometric(0.5)))


def _patched(
    picture: Picture,
    source: Picture,
    rule: PatchRule,
    rng: np.random.Generator,
    foreground: Mask | None,
) -> tuple[Picture, Mask]:
    """One patch blended in; the picture as it is where no try changes it by enough."""
    for _ in range(TRIES):
        cut, mask, (top, left) = _cut(source, rule, rng)
        h, w = mask.shape
        within = (slice(top, top + h), slice(left, left + w))
        if foreground is not None and foreground[within][mask > 0].mean() < 0.5:
            continue
        mode = cv2.MIXED_CLONE if rng.random() < rule.mixed else cv2.NORMAL_CLONE
        blended = blend(picture, cut, mask, (top, left), mode)
        change = cv2.absdiff(blended[within], picture[within]).max(axis=2)
        if np.mean(change[mask > 0] >= rule.least_change) > 0.05:
            place: Mask = np.zeros(picture.shape[:2], dtype=bool)
            place[within] = mask > 0
            return blended, place
    return picture, np.zeros(picture.shape[:2], dtype=bool)


def _cut(
    source: Picture, rule: PatchRule, rng: np.random.Generator
) -> tuple[Picture, Picture, tuple[int, int]]:
    """A patch of the source, its mask (h, w) and the corner where it shall go."""
    H, W = source.shape[:2]
    factor = _truncated_normal(rng, 1.0, 0.5, rule.resize)
    h, w = _side(H, rule, rng), _side(W, rule, rng)
    from_h, from_w = (min(max(2, round(n / factor)), N) for n, N in ((h, H), (w, W)))
    top, left = rng.integers(0, H - from_h + 1), rng.integers(0, W - from_w + 1)
    cut = cv2.resize(source[top : top + from_h, left : left + from_w], (w, h))
    corner = (_shifted(top, h, H, rule, rng), _shifted(left, w, W, rule, rng))
    return np.asarray(cut, np.uint8), _mask(h, w, rule, rng), corner


def _side(whole: int, rule: PatchRule, rng: np.random.Generator) -> int:
    """Pixels: a share of the side that is gamma-distributed and cut off at `most`."""
    share = min(rule.least + rng.gamma(rule.shape, rule.scale), rule.most)
    return min(max(LEAST_PX, round(share * whole)), whole - 2)


def _shifted(start: int, length: int, whole: int, rule: PatchRule, rng: np.random.Generator) -> int:
    """Where a patch goes, a pixel off the border at least."""
    reach = max(1, round(rule.shift * whole))
    low = min(max(1, start - reach), whole - length - 1)
    high = max(min(whole - length - 1, start + reach), low)
    return int(rng.integers(low, high + 1))


def _mask(h: int, w: int, rule: PatchRule, rng: np.random.Generator) -> Picture:
    mask: Picture = np.full((h, w), 255, np.uint8)
    if rng.random() < rule.rounded:
        mask[:] = 0
        centre, axes = ((w - 1) / 2, (h - 1) / 2), (float(w - 1), float(h - 1))
        cv2.ellipse(mask, (centre, axes, 0.0), (255,), -1)
    return mask


def _truncated_normal(
    rng: np.random.Generator, mean: float, deviation: float, bounds: tuple[float, float]
) -> float:
    while True:
        value = float(rng.normal(mean, deviation))
        if bounds[0] <= value <= bounds[1]:
            return value


def blend(
    picture: Picture, patch: Picture, mask: Picture, corner: tuple[int, int], mode: int
) -> Picture:
    """The picture with the patch's gradients at `corner` (row, column), where `mask` is not 0.

    Only the patch's surroundings are handed to OpenCV, which would copy the whole picture.
    Patches keep a pixel's distance from the border.
    """
    (top, left), (h, w) = corner, mask.shape
    near = (slice(top - 1, top + h + 1), slice(left - 1, left + w + 1))
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    inner = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    ih, iw = mask[inner].shape
    centre = (1 + int(columns[0]) + iw // 2, 1 + int(rows[0]) + ih // 2)
    cloned = cv2.seamlessClone(
        np.ascontiguousarray(patch[inner]),
        np.ascontiguousarray(picture[near]),
        mask[inner].copy(),  # OpenCV writes into it
        centre,
        mode,
    )
    blended = picture.copy()
    into = blended[top : top + h, left : left + w]
    into[mask > 0] = cloned[1:-1, 1:-1][mask > 0]
    return blended

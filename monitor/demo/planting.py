"""Known anomalies put into normal footage, with the truth of where and when.

A generator stage over frames: what is planted is composited from the clip's own pixels, all else
is passed on as it came. Knows nothing of files, detectors or alerts.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.demo.road import NEAREST_Y, RATE_HZ, Path, depth, travelled, y_at
from monitor.demo.sprites import Floats, Sprite
from monitor.overlay import Box
from monitor.records import Frame, Image

Kind = Literal["too fast", "wrong way", "stopped", "wrong thing", "wrong place", "nothing wrong"]

SHUTTER = 0.4  # share of a frame's time that the shutter is open, by the blur of passing cars
EXPOSURES = 4  # in that time at most, averaged: a pixel apart, two at the fastest
VISIBLE = 1 / 64  # opacity from which a pixel counts as planted: under two grey levels
SHADE = 0.55  # opacity of the shadow under what was cut without one


@dataclass(frozen=True, slots=True, eq=False)
class Plant:
    """One thing that moves through the picture, and which part of that is anomalous."""

    kind: Kind
    what: str  # in words
    sprite: Sprite
    path: Path
    enters_s: float  # of the footage that it is put into
    lasts_s: float
    start_y: float
    speeds: tuple[tuple[float, float], ...]  # (second since it enters, times the usual speed)
    odd_s: tuple[float, float] | None  # the anomalous part, since it enters; None: all is usual
    fade_s: tuple[float, float] = (0.4, 0.0)  # far away, where it is small; 0: by the edge
    brightness: float = 1.0

    def y_at(self, time_s: float) -> float:
        """Where its foot is; NEAREST_Y once it is out of the picture."""
        since_s = time_s - self.enters_s
        return y_at(depth(self.start_y) - self.path.usual * travelled(self.speeds, since_s))

    def opacity(self, time_s: float) -> float:
        """Fades in and out, 0 before it enters and after it has left."""
        since_s, left_s = time_s - self.enters_s, self.enters_s + self.lasts_s - time_s
        if since_s < 0 or left_s <= 0 or self.y_at(time_s) >= NEAREST_Y:
            return 0.0
        ramps = zip((since_s, left_s), self.fade_s, strict=True)
        return min(1.0, *(span / fade if fade else 1.0 for span, fade in ramps))


@dataclass(frozen=True, slots=True)
class PlantedEvent:
    """What was planted, when, and where in each frame; seconds of the footage watched.

    `start_s` to `end_s` is anomalous; `shown_from_s` to `shown_until_s` are pixels planted, for
    a car is seen before it brakes.
    """

    kind: Kind
    what: str
    start_s: float
    end_s: float
    shown_from_s: float
    shown_until_s: float
    boxes: tuple[tuple[int, Box], ...]  # (index of the frame, what is planted there)

    @property
    def anomalous(self) -> bool:
        """Whether a detector should notice: a planted thing that behaves as usual is no anomaly."""
        return self.kind != "nothing wrong"

    def box(self, index: int) -> Box | None:
        """What it covers in a frame of the footage."""
        return dict(self.boxes).get(index)


def plant(frames: Iterable[Frame], plants: Sequence[Plant]) -> Iterator[Frame]:
    """The same frames, with what is planted in them."""
    for frame in frames:
        image = frame.image
        for each in plants:
            image = _paste(image, each, frame.time_s)
        same = image is frame.image
        yield frame if same else Frame(image, frame.index, frame.time_s, frame.epoch)


def event_of(
    each: Plant, clock: Sequence[tuple[int, float]], size: tuple[int, int]
) -> PlantedEvent:
    """The truth of one plant over frames given by (index, time).

    Raises:
        ValueError: If it is never to be seen.
    """
    layers = ((i, time_s, _layer(each, time_s, size)) for i, time_s in clock)
    seen = [(i, time_s, layer.seen()) for i, time_s, layer in layers if layer is not None]
    boxes = [(i, time_s, box) for i, time_s, box in seen if box is not None]
    if not boxes:
        raise ValueError(f"{each.kind}: never in the picture")
    first_s, last_s = boxes[0][1], boxes[-1][1]
    odd = each.odd_s or (0.0, each.lasts_s)
    return PlantedEvent(
        each.kind,
        each.what,
        max(first_s, each.enters_s + odd[0]),
        min(last_s, each.enters_s + odd[1]),
        first_s,
        last_s,
        tuple((i, box) for i, _, box in boxes),
    )


def mask_at(each: Plant, time_s: float, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Which pixels are planted at that time, (H, W)."""
    mask = np.zeros(size, np.bool_)
    layer = _layer(each, time_s, size)
    if layer is not None:
        mask[_part(layer.at)] = layer.alpha > VISIBLE
    return mask


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """What is put over a part of the picture."""

    at: Box
    colour: Floats  # (h, w, 3), multiplied by alpha
    alpha: Floats  # (h, w)

    def seen(self) -> Box | None:
        """Where in the picture it shows; None for nowhere."""
        shows = (self.alpha > VISIBLE).astype(np.uint8)
        left, top, width, height = cv2.boundingRect(shows)
        if not width:
            return None
        left, top = left + self.at.left, top + self.at.top
        return Box(left, top, left + width, top + height)


def _paste(image: Image, each: Plant, time_s: float) -> Image:
    layer = _layer(each, time_s, (image.shape[0], image.shape[1]))
    if layer is None or layer.seen() is None:
        return image
    alpha = np.where(layer.alpha > VISIBLE, layer.alpha, 0)[..., None]
    pasted, part = image.copy(), _part(layer.at)
    mixed = image[part] * (1 - alpha) + np.where(alpha > 0, layer.colour, 0)
    pasted[part] = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    return pasted


def _part(box: Box) -> tuple[slice, slice]:
    return slice(box.top, box.bottom), slice(box.left, box.right)


def _layer(each: Plant, time_s: float, size: tuple[int, int]) -> _Layer | None:
    """What is put over the picture at that time, blurred as far as it moves; None for nothing."""
    opacity = each.opacity(time_s)
    at = _room(each, time_s, size) if opacity > 0 else None
    if at is None:
        return None
    open_s = SHUTTER / RATE_HZ
    moved_px = abs(each.y_at(time_s + open_s) - each.y_at(time_s))
    count = min(1 + int(moved_px), EXPOSURES)
    moments = time_s + ((np.arange(count) + 0.5) / count - 0.5) * open_s
    seen = np.mean([_exposure(each, float(moment), at) for moment in moments], axis=0) * opacity
    return _Layer(at, seen[..., :3] * each.brightness, seen[..., 3])


def _room(each: Plant, time_s: float, size: tuple[int, int]) -> Box | None:
    """The part of the picture that may be covered; None for none."""
    y = each.y_at(time_s)
    scale = depth(each.sprite.ground_y) / depth(y)
    reach = scale * max(each.sprite.pixels.shape) * 1.1 + 8  # a tenth: it moves while exposed
    x = each.path.x_at(y)
    left, right = max(0, round(x - reach)), min(size[1], round(x + reach))
    top, bottom = max(0, round(y - reach)), min(size[0], round(y + reach / 4))
    return Box(left, top, right, bottom) if left < right and top < bottom else None


def _exposure(each: Plant, time_s: float, at: Box) -> Floats:
    """Colour and opacity of a part of the picture at one moment, (h, w, 4)."""
    y = each.y_at(time_s)
    sprite = each.sprite
    scale = depth(sprite.ground_y) / depth(y)
    foot = (each.path.x_at(y) - at.left, y - at.top)
    layer = _drawn(sprite, foot, scale, at)
    return _with_shadow(layer, sprite, foot, scale) if sprite.rolls else layer


def _drawn(sprite: Sprite, foot: tuple[float, float], scale: float, at: Box) -> Floats:
    whole = sprite.pixels
    if scale < 0.9:  # or pixels would be skipped
        sigma = 0.35 * (scale**-2 - 1) ** 0.5
        whole = np.asarray(cv2.GaussianBlur(whole, (0, 0), sigma), np.float32)
    pivot = (sprite.foot[0], sprite.foot[1] - sprite.rolls)
    turn = _rolled(sprite, foot[0] + at.left, scale)
    place = np.asarray(cv2.getRotationMatrix2D(pivot, turn, scale), float)
    place[:, 2] += (foot[0] - pivot[0], foot[1] - sprite.rolls * scale - pivot[1])
    size = (at.right - at.left, at.bottom - at.top)
    return np.asarray(cv2.warpAffine(whole, place, size, flags=cv2.INTER_LINEAR))


def _rolled(sprite: Sprite, x: float, scale: float) -> float:
    """Degrees that it has turned on its way across the picture."""
    return float(np.degrees(x / (sprite.rolls * scale))) if sprite.rolls else 0.0


def _with_shadow(layer: Floats, sprite: Sprite, foot: tuple[float, float], scale: float) -> Floats:
    """A soft dark patch on the ground, to the left like those of the cars."""
    radius = sprite.rolls * scale
    patch = np.zeros(layer.shape[:2], np.float32)
    middle = (round(foot[0] - radius / 3), round(foot[1] - radius / 8))
    axes = (max(1, round(1.1 * radius)), max(1, round(0.3 * radius)))
    cv2.ellipse(patch, middle, axes, 0, 0, 360, SHADE, cv2.FILLED)
    patch = np.asarray(cv2.GaussianBlur(patch, (0, 0), max(0.5, radius / 8)))
    over = layer.copy()
    over[..., 3] += patch * (1 - layer[..., 3])
    return over

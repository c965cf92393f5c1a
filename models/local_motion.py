"""What moves and stands at each place of a clip, held against tables of what is usual there.

The whole of the detector `motion` but its learning: OpenCV's DIS flow (Kroeger et al., ECCV 2016)
and arithmetic on arrays. Imports no torch, so that the exported detector runs this very code.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property, partial
from itertools import pairwise
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import OptionError
from models.remembered import Array, Digests, Memory, Picture

Frames = Sequence[Picture]  # of one clip, T of (H, W) or (1, H, W)

MOVING = 0.15  # usual speeds: under a seventh of walking pace it is flow noise and swaying
SLOW, FAST = 0.5, 1.5  # of the usual speed; bounds of the speeds that states tell apart
DIRECTIONS = 8
STATES = 2 + 3 * DIRECTIONS  # still, standing, then slow, usual and fast in each direction
STANDING = 4.0  # times the usual difference from the background
STANDING_WEIGHT = 6.0  # deviations for each time what ever stood there, from the second time on
VENTURED_WEIGHT = 4.0  # deviations for each time the highest speed there, beyond the first
AS_BRIGHT = (0.8, 1.25)  # times the background's contrasts: no other light, traffic does as much
DIMMEST = 0.2  # under it there is more noise than picture
RICH = 0.1  # share of a picture that tells its brightness
LEAST_CONTRAST = 4.0  # grey levels; less is noise
REMEMBERED = 4096  # flows of pairs of pictures; 16 kB each at the default size


@dataclass(frozen=True)
class MotionConfig:
    """Everything that may be chosen; pixels are those of the detector's own size."""

    size: tuple[int, int] = (240, 360)
    flows: int = 5  # averaged: half a second at ten frames per second
    cell_px: int = 8  # places are this far apart
    window_px: int = 24  # side of the window that speaks for a place, about a person's width
    top: int = 5  # places whose mean evidence is the score
    spread_cells: float = 2.0  # what was seen at a place counts for its neighbours too
    batch: int = 8

    def __post_init__(self) -> None:
        if min(self.flows, self.top) < 1 or self.window_px < self.cell_px:
            raise OptionError("motion needs flows and top of at least 1, window_px >= cell_px")
        if any(side % self.cell_px for side in self.size):
            raise OptionError(
                f"motion needs sides that are multiples of cell_px ({self.cell_px}), "
                f"got {self.size[0]} x {self.size[1]}"
            )

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of places."""
        height, width = self.size
        return height // self.cell_px, width // self.cell_px


@dataclass(frozen=True, eq=False)
class MotionTables:
    """What `motion` learns, for (h, w) places of pictures (H, W)."""

    background: Array  # (H, W), high-passed grey levels
    restlessness: Array  # (h, w), usual difference from it
    pace: Array  # (h,), usual speed by row, pixels per frame
    speed: Array  # (2,), mean and deviation of moving places' speeds, in paces
    stood: Array  # (h, w), the most that ever differed there without moving, in usual differences
    ventured: Array  # (h, w), the highest speed that was ever seen there, in paces
    surprise: Array  # (STATES, h, w), -log10 of the share of frames
    surprise_scale: Array  # (2,), what held-out frames reach; the spread over their median

    def packed(self) -> bytes:
        """As numpy's own archive (npz); no code, nothing pickled."""
        content = io.BytesIO()
        np.savez(content, **vars(self))
        return content.getvalue()

    @classmethod
    def unpacked(cls, content: bytes) -> Self:
        """The way back from `packed`.

        Raises:
            ValueError, KeyError, OSError, zipfile.BadZipFile: If it is something else.
        """
        with np.load(io.BytesIO(content), allow_pickle=False) as found:
            return cls(**{field.name: found[field.name] for field in fields(cls)})


@dataclass(frozen=True, eq=False)
class MotionFound:
    """As `models.detector.Findings`, in arrays."""

    scores: Array  # (B,)
    maps: Array  # (B, H, W)
    terms: dict[str, Array]  # of each kind of evidence, each (B,)


class LocalMotion:
    """The motion of clips, and what is unusual in it; pure but for the flows it remembers."""

    def __init__(
        self, config: MotionConfig, tables: MotionTables, flows: Memory | None = None
    ) -> None:
        """`flows`: those that a judge of the same config remembers; see `flow_memory`."""
        self.config, self.tables = config, tables
        self.flows = flows or flow_memory(config)

    @property
    def length(self) -> int:
        """Frames of a clip."""
        return self.config.flows + 1

    def examine(self, clips: Sequence[Frames], digests: Digests | None = None) -> MotionFound:
        """Scores, maps and terms of clips; `digests` may know some of their frames."""
        named = digests or Digests()
        seen = self.evidence(np.stack([self.motion(clip, named) for clip in clips]))
        evidence: Array = np.sum(list(seen.values()), axis=0)
        terms = {name: self.highest(places) for name, places in seen.items()}
        return MotionFound(self.highest(evidence), self.enlarged(evidence), terms)

    def motion(self, frames: Frames, digests: Digests | None = None) -> Array:
        """What each place does, (h, w, 4): mean u, v, |flow| in its window; change of background.

        Flow is in pixels per frame, averaged over the clip.
        """
        named = digests or Digests()
        pairs = pairwise([(named.of(frame), frame) for frame in frames])
        flow = np.mean([self.flows.of(a + b, one, two) for (a, one), (b, two) in pairs], axis=0)
        passed = high_pass(_plane(frames[-1]), self.config.window_px)
        change = np.abs(passed / self._brightness(passed) - self.tables.background)
        return np.dstack([flow, pooled(change[..., None], self.config)])

    def evidence(self, motion: Array) -> dict[str, Array]:
        """Each kind of evidence by name, (N, h, w), in deviations of the usual speed."""
        limit, spread = self.tables.surprise_scale.tolist()
        mean, deviation = self.tables.speed.tolist()
        paces = self.paces(motion)
        kinds = {
            "speed": (paces - mean) / deviation,
            "surprise": np.maximum(self.surprise(motion) - limit, 0) / spread,
            "ventured": VENTURED_WEIGHT * np.maximum(paces / self.tables.ventured - 1, 0),
            "standing": STANDING_WEIGHT * np.maximum(self._still(motion) - 2, 0),
        }
        return {name: places.astype(np.float32) for name, places in kinds.items()}

    def surprise(self, motion: Array) -> Array:
        """-log10 of how often each place was in the state it is in, (N, h, w)."""
        states = self.states(motion)
        rows, columns = np.indices(states.shape[1:])
        found: Array = self.tables.surprise[states, rows, columns]
        return found

    def paces(self, motion: Array) -> Array:
        """Speed in units of what is usual at its distance, (N, h, w)."""
        found: Array = motion[..., 2] / self.tables.pace[:, None]
        return found

    def states(self, motion: Array) -> NDArray[np.int64]:
        """The state of each place, (N, h, w), in 0 to `STATES` - 1."""
        speed = self.paces(motion)
        angle = np.arctan2(motion[..., 1], motion[..., 0])
        direction = np.round(angle * DIRECTIONS / (2 * np.pi)).astype(np.int64) % DIRECTIONS
        moving = 2 + direction + DIRECTIONS * np.digitize(speed, [SLOW, FAST])
        standing = motion[..., 3] > STANDING * self.tables.restlessness
        return np.where(speed > MOVING, moving, standing.astype(np.int64))

    def highest(self, places: Array) -> Array:
        """Mean of the highest `top` places of each picture, (N,)."""
        flat = np.sort(places.reshape(len(places), -1), axis=1)
        found: Array = flat[:, -self.config.top :].mean(axis=1).astype(np.float32)
        return found

    def enlarged(self, places: Array) -> Array:
        """Places (N, h, w) as maps (N, H, W), bilinear."""
        height, width = self.config.size
        maps = [cv2.resize(one, (width, height), interpolation=cv2.INTER_LINEAR) for one in places]
        return np.stack(maps)

    def _brightness(self, passed: Array) -> float:
        """By how much all contrasts differ from the background's: a lamp was switched, dusk falls.

        The median where the background is rich in contrast, so that half of it may be hidden; 1
        where they are nearly as they were, and where nothing is known yet.
        """
        places, contrasts = self._rich
        if not len(places):
            return 1.0
        found = float(np.median(passed.ravel()[places] / contrasts))
        least, most = AS_BRIGHT
        return 1.0 if least <= found <= most else min(max(found, DIMMEST), 1 / DIMMEST)

    @cached_property
    def _rich(self) -> tuple[NDArray[np.int64], Array]:
        """Where the background has the most contrast, and how much."""
        contrasts = self.tables.background.ravel()
        strength = np.abs(contrasts)
        bound = max(float(np.quantile(strength, 1 - RICH)), LEAST_CONTRAST)
        places = np.flatnonzero(strength >= bound)
        return places, contrasts[places]

    def _still(self, motion: Array) -> Array:
        """What stands at each place, over the most that ever stood there; 0 where it moves."""
        still = motion[..., 3] / self.tables.restlessness
        return np.where(self.paces(motion) > MOVING, 0, still / self.tables.stood)


def flow_memory(config: MotionConfig) -> Memory:
    """Of `pooled_flow`: neighbouring clips share most of their pairs."""
    return Memory(partial(pooled_flow, config=config), REMEMBERED)


def pooled_flow(before: Picture, after: Picture, config: MotionConfig) -> Array:
    """Mean u, v, |flow| in the window of each place, (h, w, 3), from two frames."""
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = dis.calc(_plane(before), _plane(after), None)  # type: ignore[call-overload]
    u, v = cv2.split(flow)
    moved: Array = cv2.merge([u, v, cv2.magnitude(u, v)])  # type: ignore[assignment]
    return pooled(moved, config)


def pooled(picture: Array, config: MotionConfig) -> Array:
    """Mean of (H, W, K) over the window around each place, (h, w, K)."""
    cell, window = config.cell_px, (config.window_px, config.window_px)
    blurred = cv2.blur(picture, window, borderType=cv2.BORDER_REFLECT)
    places = blurred[cell // 2 :: cell, cell // 2 :: cell]
    return np.ascontiguousarray(places.reshape(*config.grid, -1))


def high_pass(frame: Picture, window_px: int) -> Array:
    """Grey levels less their surroundings': a change of light changes little of it."""
    levels = frame.astype(np.float32)
    return levels - cv2.GaussianBlur(levels, (0, 0), window_px)


def _plane(frame: Picture) -> Picture:
    """(H, W) of that or (1, H, W)."""
    return frame.reshape(frame.shape[-2:])

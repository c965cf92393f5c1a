"""A learned density of local motion and change: how fast, which way, standing where nothing stands.

No paper of its own. The parts are old: dense optical flow pooled over windows (Adam et al., "Robust
Real-Time Unusual Event Detection using Multiple Fixed-Location Monitors", TPAMI 2008), densities
of it by place (Mahadevan et al., CVPR 2010). Flow is OpenCV's DIS (Kroeger et al., ECCV 2016).

Four pieces of evidence are added at every place:
- speed, in deviations over what is usual in the whole picture once perspective is taken out (a
  straight line of usual speed over rows). It grades all frames, usual ones too.
- surprise, -log10 of how often the place was seen in its present state: still, standing (differs
  from the background, does not move), or moving in one of eight directions at one of three
  speeds. It says the slow, the stopped, the wrong way and the wrong place, which speed cannot. It
  counts only beyond what held-out normal frames reach, because rare states are many and common.
- ventured: speed beyond the highest ever seen at that place. A share of frames cannot get rarer
  than one in all that were seen; a car on the verge is further out than that.
- standing: difference from the background without motion, from twice what ever stood still at that
  place. A car on a carriageway is surprising at once, and stays so for as long as it stands.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise
from time import monotonic
from typing import Any, Self

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from models.detector import Budget, Clips, ClipSpec, Detector, Findings, Log, Step, silent
from models.errors import OptionError, TrainingError

Array = NDArray[np.float32]
Picture = NDArray[np.uint8]

MOVING = 0.15  # usual speeds: under a seventh of walking pace it is flow noise and swaying
SLOW, FAST = 0.5, 1.5  # of the usual speed; bounds of the speeds that states tell apart
DIRECTIONS = 8
STATES = 2 + 3 * DIRECTIONS  # still, standing, then slow, usual and fast in each direction
STANDING = 4.0  # times the usual difference from the background
STANDING_WEIGHT = 6.0  # deviations for each time what ever stood there, from the second time on
VENTURED_WEIGHT = 4.0  # deviations for each time the highest speed there, beyond the first
LEAST_VENTURE = 0.5  # usual speeds; under half of one nothing ventures anywhere
MOST_CLIPS = 4000  # remembered in learning; 8 kB each
BACKGROUND_FRAMES = 200  # the median of more is the same picture


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


class Motion(Detector):
    """Scores how far the motion and the standing things of a clip are from what is usual there."""

    name = "motion"
    kind = "video"
    paper = (
        "local motion density after Adam et al., TPAMI 2008; DIS flow, Kroeger et al., ECCV 2016"
    )
    Config = MotionConfig
    presets = {"lite": {}}  # noqa: RUF012

    config: MotionConfig
    background: Tensor  # (H, W), high-passed grey levels
    restlessness: Tensor  # (h, w), usual difference from it
    pace: Tensor  # (h,), usual speed by row, pixels per frame
    speed: Tensor  # (2,), mean and deviation of moving places' speeds, in paces
    stood: Tensor  # (h, w), the most that ever differed there without moving, in usual differences
    ventured: Tensor  # (h, w), the highest speed that was ever seen there, in paces
    surprise: Tensor  # (STATES, h, w), -log10 of the share of frames
    surprise_scale: Tensor  # (2,), what held-out frames reach; the spread over their median

    def __init__(self, config: MotionConfig) -> None:
        super().__init__(config)
        h, w = self._grid
        self.register_buffer("background", torch.zeros(config.size))
        self.register_buffer("restlessness", torch.ones(h, w))
        self.register_buffer("pace", torch.full((h,), 1e6))  # nothing is fast until it has learned
        self.register_buffer("speed", torch.tensor([0.0, 1.0]))
        self.register_buffer("stood", torch.full((h, w), 1e6))
        self.register_buffer("ventured", torch.full((h, w), 1e6))
        self.register_buffer("surprise", torch.zeros(STATES, h, w))
        self.register_buffer("surprise_scale", torch.tensor([0.0, 1.0]))
        self._flows = PairMemory(self._pooled_flow)

    @property
    def spec(self) -> ClipSpec:
        """Luma, as many frames as give `flows` flows."""
        return ClipSpec(self.config.flows + 1, 1, self.config.size, 1)

    def fit(self, clips: Clips, held_out: Clips, *, budget: Budget, log: Log = silent) -> Self:
        """Learn background, pace and densities; then how surprising normal frames get.

        It looks at `MOST_CLIPS` clips at most, once; called again, it starts anew. After Ctrl-C it
        learns from what it has seen, if it has seen anything.
        """
        started = monotonic()
        self._learn_background(clips)
        motion = np.stack(self._seen(clips, budget, started, log))  # (N, h, w, 4)
        self._learn_restlessness(motion[..., 3])
        self._learn_pace(motion[..., 2])
        self._learn_speed(motion)
        self._learn_states(motion)
        self._learn_extremes(motion)
        self._learn_scale(held_out)
        self.fitted = True
        return self

    @torch.inference_mode()
    def examine(self, clips: Tensor) -> Findings:
        """Score: mean evidence of the `top` places. Terms: each kind of evidence alone."""
        self.check(clips)
        motion = np.stack([self._motion(clip) for clip in _grey(clips)])
        seen = self._evidence(motion)
        evidence = np.sum(list(seen.values()), axis=0)
        device = clips.device
        maps = torch.from_numpy(evidence)[:, None].to(device)
        maps = F.interpolate(maps, self.config.size, mode="bilinear", align_corners=False)[:, 0]
        terms = {name: self._top(places).to(device) for name, places in seen.items()}
        return Findings(self._top(evidence).to(device), maps, terms)

    @property
    def _grid(self) -> tuple[int, int]:
        height, width = self.config.size
        return height // self.config.cell_px, width // self.config.cell_px

    def _motion(self, frames: NDArray[np.uint8]) -> Array:
        """What each place does, (h, w, 4): mean u, v, |flow| in its window; change of background.

        `frames` (T, H, W). Flow is in pixels per frame, averaged over the clip.
        """
        flow = np.mean([self._flows(a, b) for a, b in pairwise(frames)], axis=0)
        passed = _high_pass(frames[-1], self.config.window_px)
        change = np.abs(passed - self.background.numpy(force=True))
        return np.dstack([flow, self._pool(change[..., None])])

    def _pooled_flow(self, before: NDArray[np.uint8], after: NDArray[np.uint8]) -> Array:
        """Mean u, v, |flow| in the window of each place, (h, w, 3), from two frames (H, W)."""
        dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        flow = dis.calc(before, after, None)  # type: ignore[call-overload]
        return self._pool(np.dstack([flow, np.linalg.norm(flow, axis=2)]))

    def _pool(self, picture: Array) -> Array:
        """Mean of (H, W, K) over the window around each place, (h, w, K)."""
        cell = self.config.cell_px
        window = (self.config.window_px, self.config.window_px)
        blurred = cv2.blur(picture, window, borderType=cv2.BORDER_REFLECT)
        places = blurred[cell // 2 :: cell, cell // 2 :: cell]
        return np.ascontiguousarray(places.reshape(*self._grid, -1))

    def _evidence(self, motion: Array) -> dict[str, Array]:
        """Each kind of evidence by name, (N, h, w), in deviations of the usual speed."""
        limit, spread = self.surprise_scale.tolist()
        venture = self._paces(motion) / self.ventured.numpy(force=True) - 1
        kinds = {
            "speed": self._speed(motion),
            "surprise": np.maximum(self._surprise(motion) - limit, 0) / spread,
            "ventured": VENTURED_WEIGHT * np.maximum(venture, 0),
            "standing": STANDING_WEIGHT * np.maximum(self._still(motion) - 2, 0),
        }
        return {name: places.astype(np.float32) for name, places in kinds.items()}

    def _speed(self, motion: Array) -> Array:
        """Deviations over the usual speed, (N, h, w)."""
        mean, deviation = self.speed.tolist()
        return ((self._paces(motion) - mean) / deviation).astype(np.float32)

    def _surprise(self, motion: Array) -> Array:
        """-log10 of how often each place was in the state it is in, (N, h, w)."""
        states = self._states(motion)
        rows, columns = np.indices(states.shape[1:])
        return self.surprise.numpy(force=True)[states, rows, columns]

    def _still(self, motion: Array) -> Array:
        """What stands at each place, over the most that ever stood there; 0 where it moves."""
        still = motion[..., 3] / self.restlessness.numpy(force=True)
        ever = self.stood.numpy(force=True)
        return np.where(self._paces(motion) > MOVING, 0, still / ever).astype(np.float32)

    def _paces(self, motion: Array) -> Array:
        """Speed in units of what is usual at its distance, (N, h, w)."""
        return motion[..., 2] / self.pace.numpy(force=True)[:, None]

    def _states(self, motion: Array) -> NDArray[np.int64]:
        """The state of each place, (N, h, w), in 0 to `STATES` - 1."""
        speed = self._paces(motion)
        angle = np.arctan2(motion[..., 1], motion[..., 0])
        direction = np.round(angle * DIRECTIONS / (2 * np.pi)).astype(np.int64) % DIRECTIONS
        moving = 2 + direction + DIRECTIONS * np.digitize(speed, [SLOW, FAST])
        standing = motion[..., 3] > STANDING * self.restlessness.numpy(force=True)
        return np.where(speed > MOVING, moving, standing.astype(np.int64))

    def _top(self, places: NDArray[np.floating[Any]]) -> Tensor:
        """Mean of the highest places of each picture, (N,)."""
        flat = np.sort(places.reshape(len(places), -1), axis=1)
        return torch.from_numpy(flat[:, -self.config.top :].mean(axis=1).astype(np.float32))

    def _learn_background(self, clips: Clips) -> None:
        """The median of newest frames, high-passed: light comes and goes, edges stay."""
        frames: list[NDArray[np.uint8]] = []
        for batch in clips:
            self.shaped(batch)
            frames += list(_grey(batch)[:, -1].copy())  # a view would keep the whole clips
            if len(frames) >= BACKGROUND_FRAMES:
                break
        if not frames:
            raise TrainingError("there is no clip to learn from")
        passed = [_high_pass(frame, self.config.window_px) for frame in frames]
        self.background.copy_(torch.from_numpy(np.median(passed, axis=0).astype(np.float32)))

    def _seen(self, clips: Clips, budget: Budget, started: float, log: Log) -> list[Array]:
        """The motion of the clips, up to an interrupt."""
        self.training_state["interrupted"] = False
        seen: list[Array] = []
        try:
            seen.extend(self._watch(clips, budget, started, log))
        except KeyboardInterrupt:
            if not seen:
                raise
            self.training_state["interrupted"] = True
        return seen

    def _watch(self, clips: Clips, budget: Budget, started: float, log: Log) -> Iterator[Array]:
        """The motion of clip after clip, until enough are seen or the budget is spent."""
        seen = 0
        for batch in clips:
            for clip in _grey(batch):
                yield self._motion(clip)
            seen += len(batch)
            seconds = monotonic() - started
            spent = max(budget.spent(seconds, seen), min(1.0, seen / MOST_CLIPS))
            log(Step(self.name, seen, seconds, spent, {}))
            if spent >= 1:
                return

    def _learn_restlessness(self, change: Array) -> None:
        """Median difference from the background by place; leaves move, pavements do not."""
        usual = np.median(change, axis=0)
        floor = max(float(np.median(usual)), 1.0)  # a grey level: noise of a good camera
        self.restlessness.copy_(torch.from_numpy(np.maximum(usual, floor)))

    def _learn_pace(self, speed: Array) -> None:
        """A straight line through each row's high speeds: far things seem slow."""
        high = np.quantile(speed.max(axis=2), 0.9, axis=0)
        rows = np.flatnonzero(high > 0.25 * high.max())  # in the others nothing moves
        y = np.arange(len(high))
        line = np.polyval(np.polyfit(y[rows], high[rows], 1), y) if len(rows) > 4 else 0 * y
        line = np.maximum(line, 0.25 * max(float(line.max()), float(high.max()), 1e-3))
        self.pace.copy_(torch.from_numpy(line.astype(np.float32)))

    def _learn_speed(self, motion: Array) -> None:
        paces = self._paces(motion)
        moving = paces[paces > MOVING]
        if moving.size:
            self.speed.copy_(torch.tensor([float(np.median(moving)), float(moving.std()) + 0.01]))

    def _learn_states(self, motion: Array) -> None:
        """How often each place was in each state; what its neighbours did counts as well."""
        states = self._states(motion)
        counts = np.stack([(states == s).sum(axis=0) for s in range(STATES)]).astype(np.float32)
        everywhere = (counts.sum(axis=(1, 2)) + 1) / (counts.sum() + STATES)
        near = np.stack([cv2.GaussianBlur(c, (0, 0), self.config.spread_cells) for c in counts])
        # one frame's worth of the whole picture's habits, so that nothing is impossible
        share = (near + everywhere[:, None, None]) / (len(states) + 1)
        self.surprise.copy_(torch.from_numpy(-np.log10(share)))

    def _learn_extremes(self, motion: Array) -> None:
        """The fastest that ever moved, and the most that stood, at each place or beside it."""
        paces = self._paces(motion)
        still = np.where(paces > MOVING, 0, motion[..., 3])
        stood = still / self.restlessness.numpy(force=True)
        for extreme, values, least in (
            (self.ventured, paces, LEAST_VENTURE),
            (self.stood, stood, STANDING),
        ):
            near = cv2.dilate(values.max(axis=0).astype(np.float32), np.ones((3, 3), np.uint8))
            extreme.copy_(torch.from_numpy(np.maximum(near, least)))

    def _learn_scale(self, held_out: Clips) -> None:
        heights = []
        for batch in held_out:
            motion = np.stack([self._motion(clip) for clip in _grey(batch)])
            heights.append(self._top(self._surprise(motion)))
        if not heights:
            raise TrainingError("there is no held-out clip to learn from what is usual")
        reached = torch.cat(heights)
        limit, typical = float(reached.quantile(0.99)), float(reached.median())
        self.surprise_scale.copy_(torch.tensor([limit, max(limit - typical, 0.25)]))


class PairMemory:
    """A pure function of two pictures, remembered: neighbouring clips share most of their pairs.

    What is remembered is what would be computed, so nothing depends on it but the time it takes.
    """

    def __init__(self, function: Callable[[Picture, Picture], Array], most: int = 4096) -> None:
        """`most` pairs are kept, the oldest go first; 16 kB each at the default size."""
        self._function, self._most = function, most
        self._known: OrderedDict[bytes, Array] = OrderedDict()

    def __call__(self, before: Picture, after: Picture) -> Array:
        """The function of `before` and `after`, each (H, W)."""
        key = blake2b(before.tobytes() + after.tobytes(), digest_size=16).digest()
        if key not in self._known:
            self._known[key] = self._function(before, after)
            if len(self._known) > self._most:
                self._known.popitem(last=False)
        return self._known[key]


def _grey(clips: Tensor) -> NDArray[np.uint8]:
    """(B, T, 1, H, W) in [0, 1] as the bytes that they were, (B, T, H, W)."""
    levels: NDArray[np.uint8] = (clips[:, :, 0] * 255).round().byte().numpy(force=True)
    return levels


def _high_pass(frame: NDArray[np.uint8], window_px: int) -> Array:
    """Grey levels less their surroundings': a change of light changes little of it."""
    levels = frame.astype(np.float32)
    return levels - cv2.GaussianBlur(levels, (0, 0), window_px)

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

The evidence itself is in `models/local_motion.py`, which knows no torch; here is what learns it.
"""

from collections.abc import Iterator
from dataclasses import fields
from time import monotonic
from typing import Self

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models import ranks
from models.detector import Budget, Clips, ClipSpec, Detector, Findings, Log, Step, silent
from models.errors import TrainingError
from models.local_motion import (
    MOVING,
    STANDING,
    STATES,
    LocalMotion,
    MotionConfig,
    MotionTables,
    flow_memory,
    high_pass,
)
from models.remembered import Array

LEAST_VENTURE = 0.5  # usual speeds; under half of one nothing ventures anywhere
MOST_CLIPS = 4000  # remembered in learning; 8 kB each
BACKGROUND_FRAMES = 200  # the median of more is the same picture
TABLES = [field.name for field in fields(MotionTables)]


class Motion(Detector):
    """Scores how far the motion and the standing things of a clip are from what is usual there."""

    name = "motion"
    kind = "video"
    paper = (
        "local motion density after Adam et al., TPAMI 2008; DIS flow, Kroeger et al., ECCV 2016"
    )
    Config = MotionConfig
    presets = {"lite": {}}  # noqa: RUF012
    shared = False

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
        h, w = config.grid
        self.register_buffer("background", torch.zeros(config.size))
        self.register_buffer("restlessness", torch.ones(h, w))
        self.register_buffer("pace", torch.full((h,), 1e6))  # nothing is fast until it has learned
        self.register_buffer("speed", torch.tensor([0.0, 1.0]))
        self.register_buffer("stood", torch.full((h, w), 1e6))
        self.register_buffer("ventured", torch.full((h, w), 1e6))
        self.register_buffer("surprise", torch.zeros(STATES, h, w))
        self.register_buffer("surprise_scale", torch.tensor([0.0, 1.0]))
        self._flows = flow_memory(config)

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
        found = self.judge.examine(list(map(list, _grey(clips))))

        def there(values: Array) -> Tensor:
            return torch.from_numpy(values).to(clips.device)

        terms = {name: there(values) for name, values in found.terms.items()}
        return Findings(there(found.scores), there(found.maps), terms)

    @property
    def judge(self) -> LocalMotion:
        """What examines, with what has been learned so far; flows stay remembered."""
        learned = {name: getattr(self, name).numpy(force=True) for name in TABLES}
        return LocalMotion(self.config, MotionTables(**learned), self._flows)

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
        passed = [high_pass(frame, self.config.window_px) for frame in frames]
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
        seen, judge = 0, self.judge
        for batch in clips:
            for clip in _grey(batch):
                yield judge.motion(list(clip))
            seen += len(batch)
            seconds = monotonic() - started
            spent = max(budget.spent(seconds, seen), min(1.0, seen / MOST_CLIPS))
            log(Step(self.name, seen, seconds, spent, {}))
            if ranks.agreed(spent) >= 1:
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
        paces = self.judge.paces(motion)
        moving = paces[paces > MOVING]
        if moving.size:
            self.speed.copy_(torch.tensor([float(np.median(moving)), float(moving.std()) + 0.01]))

    def _learn_states(self, motion: Array) -> None:
        """How often each place was in each state; what its neighbours did counts as well."""
        states = self.judge.states(motion)
        counts = np.stack([(states == s).sum(axis=0) for s in range(STATES)]).astype(np.float32)
        everywhere = (counts.sum(axis=(1, 2)) + 1) / (counts.sum() + STATES)
        near = np.stack([cv2.GaussianBlur(c, (0, 0), self.config.spread_cells) for c in counts])
        # one frame's worth of the whole picture's habits, so that nothing is impossible
        share = (near + everywhere[:, None, None]) / (len(states) + 1)
        self.surprise.copy_(torch.from_numpy(-np.log10(share)))

    def _learn_extremes(self, motion: Array) -> None:
        """The fastest that ever moved, and the most that stood, at each place or beside it."""
        paces = self.judge.paces(motion)
        still = np.where(paces > MOVING, 0, motion[..., 3])
        stood = still / self.restlessness.numpy(force=True)
        for extreme, values, least in (
            (self.ventured, paces, LEAST_VENTURE),
            (self.stood, stood, STANDING),
        ):
            near = cv2.dilate(values.max(axis=0).astype(np.float32), np.ones((3, 3), np.uint8))
            extreme.copy_(torch.from_numpy(np.maximum(near, least)))

    def _learn_scale(self, held_out: Clips) -> None:
        heights: list[Array] = []
        judge = self.judge
        for batch in held_out:
            motion = np.stack([judge.motion(list(clip)) for clip in _grey(batch)])
            heights.append(judge.highest(judge.surprise(motion)))
        if not heights:
            raise TrainingError("there is no held-out clip to learn from what is usual")
        reached = torch.from_numpy(np.concatenate(heights))
        limit, typical = float(reached.quantile(0.99)), float(reached.median())
        self.surprise_scale.copy_(torch.tensor([limit, max(limit - typical, 0.25)]))


def _grey(clips: Tensor) -> NDArray[np.uint8]:
    """(B, T, 1, H, W) in [0, 1] as the bytes that they were, (B, T, H, W)."""
    levels: NDArray[np.uint8] = (clips[:, :, 0] * 255).round().byte().numpy(force=True)
    return levels

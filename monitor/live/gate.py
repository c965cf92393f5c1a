"""Whether a due frame is worth scoring: something moves, something is open, or it is time anyway.

A gate can hide what is slow, so every camera is scored at a floor rate whatever happens.
Counts its refusals; knows no pictures and no detectors.
"""

from collections import deque
from math import inf

SAMPLE_S = 1.0  # the noise is learned from the highest motion of every second
SAMPLES = 120  # two minutes of them
QUIET_QUANTILE = 0.2  # a scene is still for a fifth of the time, or else it is no noise
NOISE_TIMES = 2.0
LEAST_MOTION = 0.0005  # 8 places of a 96 x 170 picture: a person far away
MOST_NOISE = 0.001  # of single places less is left; people who never stop walking are not noise
AFTER_MOTION_S = 2.0  # somebody who stops is looked at for a moment
HIGH_STRENGTH = 0.7  # times the threshold
AFTER_HIGH_S = 10.0


class MotionGate:
    """The gate of one camera.

    Args:
        floor_s: At most so long without a score.
        enabled: By the configuration; otherwise it refuses only when `forced` to.
    """

    def __init__(self, floor_s: float = 5.0, *, enabled: bool = True) -> None:
        self._floor_s = floor_s
        self._enabled = enabled
        self._samples: deque[float] = deque(maxlen=SAMPLES)
        self._sample_s = -inf  # when the sample in progress began
        self._highest = 0.0  # of the sample in progress
        self._moved_s = -inf
        self._high_s = -inf
        self._scored_s = -inf
        self.threshold = LEAST_MOTION  # share of places that is motion
        self.gated = 0

    def feed(self, motion: float, now_s: float, *, lighting: bool = False) -> None:
        """Take every frame's share of places that changed, due or not; light is not motion."""
        if lighting:
            return
        if motion > self.threshold:
            self._moved_s = now_s
        if now_s - self._sample_s >= SAMPLE_S:
            self._learn_noise(now_s)
        self._highest = max(self._highest, motion)

    def moving(self, now_s: float) -> bool:
        """Whether something moves, or did a moment ago."""
        return now_s - self._moved_s <= AFTER_MOTION_S

    def wants(self, now_s: float, *, alert_open: bool = False, forced: bool = False) -> bool:
        """Whether the frame that is due now is to be scored; a refusal is counted.

        Args:
            now_s: Now.
            alert_open: An alert of this camera is open: everything is scored.
            forced: Gate although the configuration does not ask for it (overload).
        """
        wanted = (
            not (self._enabled or forced)
            or alert_open
            or self.moving(now_s)
            or now_s - self._high_s <= AFTER_HIGH_S
            or now_s - self._scored_s >= self._floor_s
        )
        self.gated += not wanted
        return wanted

    def scored(self, strength: float, now_s: float) -> None:
        """A frame was scored; `strength` is in times the threshold."""
        self._scored_s = now_s
        if strength >= HIGH_STRENGTH:
            self._high_s = now_s

    def _learn_noise(self, now_s: float) -> None:
        if self._sample_s > -inf:
            self._samples.append(self._highest)
            quiet = sorted(self._samples)[int(QUIET_QUANTILE * len(self._samples))]
            noise = min(quiet, MOST_NOISE)
            self.threshold = max(LEAST_MOTION, NOISE_TIMES * noise)
        self._sample_s, self._highest = now_s, 0.0

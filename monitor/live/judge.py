"""One camera's readings on their way to alerts, on one clock that outlives reconnections.

Time is `time.monotonic()` of the machine: within an epoch it advances by the camera's own stamps,
so that a burst after a stall is not fast motion; at a new epoch it is set by arrival. Knows
nothing of stores, notices or pictures.
"""

from collections import deque
from dataclasses import dataclass, replace

import numpy as np

from monitor.alerts import AlertStage
from monitor.calibration import SPARSE_HZ, Calibration
from monitor.live.messages import LiveReading, ModelLoaded
from monitor.records import Alert, EndedBy, Frame, Reading

NOTHING = np.zeros((0, 0, 3), np.uint8)
SLOW_READINGS = 3.0  # periods that may pass without one before it is a gap


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What came of one reading."""

    alerts: tuple[Alert, ...]
    strength: float  # times the threshold
    peak: LiveReading | None  # with the picture of the newest phase's peak, where it is known


class Judge:
    """The alert rule at work on one camera of the live engine."""

    def __init__(self, calibration: Calibration, camera: str, score_fps: float) -> None:
        rule = calibration.rule
        self._rule = replace(rule, max_gap_s=max(rule.max_gap_s, SLOW_READINGS / score_fps))
        self._calibration = calibration
        self._stage = AlertStage(self._rule, source=camera)
        self._recent: deque[tuple[float, LiveReading]] = deque()
        self._highest: tuple[float, LiveReading] | None = None
        self._epoch = -1
        self._offset_s = 0.0  # machine's clock minus the epoch's
        self._last: Reading | None = None
        self.open_id = ""
        self.peak_level = -np.inf  # the highest of the newest alert; what recalibration needs

    @property
    def max_gap_s(self) -> float:
        """The longest time between two readings that was watched."""
        return self._rule.max_gap_s

    def feed(self, reading: LiveReading) -> Step:
        """Take a reading; `alerts` are the phases that follow from it."""
        if reading.epoch != self._epoch:
            self._epoch = reading.epoch
            self._offset_s = reading.received_s - reading.time_s
        now_s = reading.time_s + self._offset_s
        self._remember(now_s, reading)
        frame = Frame(NOTHING, reading.index, now_s, reading.epoch)
        return self._step(Reading(frame, reading.score, reading.p_value, reading.terms))

    def hold(self, epoch: int, time_s: float) -> Step:
        """Nothing moved up to the frame of that time: the last reading stands for it too."""
        last, now_s = self._last, time_s + self._offset_s
        if last is None or epoch != self._epoch or now_s <= last.frame.time_s:
            return Step((), 0.0, None)
        return self._step(replace(last, frame=replace(last.frame, time_s=now_s)))

    def interrupt(self, why: EndedBy) -> tuple[Alert, ...]:
        """End what is open; the next reading begins with a warm-up."""
        self._last = None
        self._recent.clear()
        return self._noted(self._stage.close(why))

    def strength(self, score: float) -> float:
        """Of a raw score, times the threshold."""
        return float(self._calibration.display(score))

    def _step(self, reading: Reading) -> Step:
        self._last = reading
        told = self._noted(self._stage.feed(reading))
        if self.open_id:
            self.peak_level = max(self.peak_level, self._stage.level)
        peak = self._peak_of(told[-1]) if told else None
        return Step(told, self.strength(reading.score), peak)

    def _noted(self, told: list[Alert]) -> tuple[Alert, ...]:
        for alert in told:
            if alert.phase == "new":
                self.peak_level = self._stage.level
            self.open_id = "" if alert.phase == "end" else alert.id
            if alert.phase == "end":
                self._highest = None
        return tuple(told)

    def _remember(self, now_s: float, reading: LiveReading) -> None:
        self._recent.append((now_s, reading))
        while self._recent[0][0] < now_s - self._rule.window_s:
            self._recent.popleft()
        if self.open_id and (self._highest is None or reading.score > self._highest[1].score):
            self._highest = (now_s, reading)

    def _peak_of(self, alert: Alert) -> LiveReading | None:
        known = [*self._recent, *([self._highest] if self._highest else [])]
        return next((reading for at_s, reading in known if at_s == alert.peak_s), None)


def calibration_for(model: ModelLoaded, score_fps: float, per_day: float = 0.0) -> Calibration:
    """A model's calibration for so many readings a second and alerts per day; 0: as it was set."""
    calibration = Calibration.from_dict(model.calibration)
    if per_day:
        calibration = calibration.at_rate(per_day)
    often = model.rate_hz is None or score_fps > (model.rate_hz + SPARSE_HZ) / 2
    return calibration if often else calibration.for_sparse_readings()

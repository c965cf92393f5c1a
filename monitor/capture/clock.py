"""When a frame was shown: the source's own clock where it can be believed, else when it came.

Knows nothing of what is timed.
"""

AHEAD_S = 2.0  # by which a clock may run ahead of arrivals: jitter buffers hold under a second
LEAST_STEP_S = (
    1e-3  # between frames whose clock stands still, so that time always rises; a tenth is rounding
)
EARLY = 0.25  # of a period: arrival on a busy machine jitters by 25 ms at 10 frames per second


class StreamClock:
    """Turns presentation times into seconds since the first frame, rising without leaps.

    A clock that goes back, or ahead faster than time passes (an RTSP stream whose first report
    of the sender's time comes late; a camera set to summer time), is set anew to when frames
    arrive. Frames that pile up during a stall and then come at once keep their own times.
    """

    def __init__(self, *, live: bool) -> None:
        self._live = live
        self._offset_s: float | None = None
        self._last_s = 0.0
        self._arrived_s = 0.0
        self._behind_s = 0.0  # by which frames lag what has passed since the first one
        self._started = False

    def time_s(self, presented_s: float | None, received_s: float) -> float:
        """Seconds since the first frame, which is at 0."""
        if not self._started:
            self._started = True
            self._offset_s = None if presented_s is None else -presented_s
            self._arrived_s = received_s
            return 0.0
        passed_s = received_s - self._arrived_s
        self._arrived_s = received_s
        step_s = self._step_s(presented_s, passed_s)
        self._behind_s = max(0.0, self._behind_s + passed_s - step_s)
        self._last_s += step_s
        if presented_s is not None:
            self._offset_s = self._last_s - presented_s
        return self._last_s

    def _step_s(self, presented_s: float | None, passed_s: float) -> float:
        if presented_s is not None and self._offset_s is not None:
            step_s = presented_s + self._offset_s - self._last_s
            most_s = passed_s + self._behind_s + AHEAD_S
            if step_s > LEAST_STEP_S / 10 and (step_s <= most_s or not self._live):
                return step_s
        return max(passed_s, LEAST_STEP_S)


class Thinner:
    """Says which frames to keep for at most `rate_hz` per second; by the same rule as `resample`.

    Due times are multiples of the period from the first frame, so they do not drift. Live frames
    arrive with jitter: a stream of exactly this rate would lose every fifth one, were those that
    come a little early not taken as well.

    Args:
        rate_hz: Frames per second to keep at most; 0: all.
        early: By which share of a period a frame may come before it is due.
    """

    def __init__(self, rate_hz: float, *, early: float = 0.0) -> None:
        self.rate_hz = rate_hz
        self._early = early
        self._begin_s: float | None = None
        self._slot = 0

    def keeps(self, time_s: float) -> bool:
        """Whether the frame of this time is the first of its due time."""
        if self.rate_hz <= 0:
            return True
        if self._begin_s is None:
            self._begin_s = time_s
        passed = (time_s - self._begin_s) * self.rate_hz + 1e-3 + self._early
        if passed < self._slot:
            return False
        self._slot = int(passed) + 1
        return True

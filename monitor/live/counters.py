"""What a camera's status counts: rates over the last seconds, ages, drops by cause, the curve."""

from collections import Counter, deque
from statistics import median

RATE_S = 10.0
AGE_S = 60.0
HOUR_S = 3600
DAY_HOURS = 24
CURVE = 3600  # readings kept for the curve: half an hour at 2 per second


class Counters:
    """One camera's figures, in bounded memory. Times are `time.monotonic()`."""

    def __init__(self) -> None:
        self.drops: Counter[str] = Counter()
        self.curve: deque[tuple[float, float, float | None]] = deque(maxlen=CURVE)
        self.scored = 0
        self.watched_s = 0.0
        self.watched_from_s = float("inf")
        self._hours: dict[int, float] = {}  # of the last day, seconds watched in each
        self._frames: deque[float] = deque()
        self._scored: deque[tuple[float, float]] = deque()  # when, how old the frame was
        self._last_s: float | None = None

    def frame(self, received_s: float) -> None:
        """A frame was read."""
        self._frames.append(received_s)
        while self._frames[0] < received_s - RATE_S:
            self._frames.popleft()

    def score(self, now_s: float, age_s: float, strength: float, p_value: float | None) -> None:
        """A frame was scored."""
        self.scored += 1
        self.curve.append((now_s - age_s, strength, p_value))  # of the frame, as alerts are
        self._scored.append((now_s, age_s))
        while self._scored[0][0] < now_s - AGE_S:
            self._scored.popleft()

    def watched(self, now_s: float, longest_s: float) -> None:
        """Judged up to now; a longer pause since the last time was not watched."""
        if self._last_s is not None and 0 < now_s - self._last_s <= longest_s:
            self._watch(now_s, now_s - self._last_s)
        self.watched_from_s = min(self.watched_from_s, now_s)
        self._last_s = now_s

    def watched_lately(self, now_s: float) -> tuple[float, float]:
        """Since when, a day and an hour ago at most, and for how many seconds of that time."""
        first = _lately(now_s)
        watched_s = sum(spent_s for hour, spent_s in self._hours.items() if hour >= first)
        return max(float(first * HOUR_S), self.watched_from_s), watched_s

    def _watch(self, now_s: float, spent_s: float) -> None:
        self.watched_s += spent_s
        hour, first = int(now_s // HOUR_S), _lately(now_s)
        self._hours[hour] = self._hours.get(hour, 0.0) + spent_s
        for old in [known for known in self._hours if known < first]:
            del self._hours[old]

    def fps_in(self, now_s: float) -> float:
        """Frames read per second, lately."""
        return sum(at > now_s - RATE_S for at in tuple(self._frames)) / RATE_S

    def fps_scored(self, now_s: float) -> float:
        """Frames scored per second, lately."""
        return sum(at > now_s - RATE_S for at, _ in tuple(self._scored)) / RATE_S

    def age_at_score_s(self) -> float | None:
        """The median of the last minute."""
        return median(age for _, age in tuple(self._scored)) if self._scored else None


def _lately(now_s: float) -> int:
    """The hour in which the last day began."""
    return int(now_s // HOUR_S) - DAY_HOURS

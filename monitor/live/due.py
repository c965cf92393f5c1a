"""Which cameras are scored next: each at its own rate, fairly where there is too much to do.

Every camera is due once a period. Of those that are due and have a frame, the one that waited
longest since it was served comes first: a round, so that where time suffices everyone has its
rate, and where not, all that want more than an equal share get the same. Knows no pictures.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True)
class Pick:
    """What goes to the scorer as one batch."""

    bucket: Hashable  # model and input size; None: nothing is due
    cameras: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()  # whose frame is too old: to be dropped and counted


@dataclass(slots=True)
class _Turn:
    """One camera's place in the order."""

    period_s: float
    bucket: Hashable
    due_s: float
    served_s: float = -inf
    served: int = 0  # how often; a tie is won by who had less


class DueTimes:
    """The order of all cameras.

    Args:
        stale_s: An older frame is not scored any more; a newer one will come.
    """

    def __init__(self, *, stale_s: float = 0.5) -> None:
        self._stale_s = stale_s
        self._turns: dict[str, _Turn] = {}
        self._start = 0  # of the rotation, among cameras that waited equally long

    def put(self, name: str, fps: float, bucket: Hashable, now_s: float) -> None:
        """Add a camera, due at once, or change its rate or bucket in place.

        Args:
            name: Of the camera.
            fps: Frames to score per second, over 0.
            bucket: Only cameras of equal buckets share a batch.
            now_s: Now.
        """
        turn = self._turns.get(name)
        if turn is None:
            self._turns[name] = _Turn(1 / fps, bucket, now_s)
            return
        turn.due_s += 1 / fps - turn.period_s if turn.served else 0.0
        turn.period_s, turn.bucket = 1 / fps, bucket

    def remove(self, name: str) -> None:
        """Forget a camera; one that is not there is no error."""
        self._turns.pop(name, None)

    def due(self, now_s: float, frames: Mapping[str, float], limit: int) -> Pick:
        """The next batch; its cameras count as served.

        Args:
            now_s: Now.
            frames: When the newest frame that was not judged yet was received, of each camera
                that runs. One that is missing here is not waited for.
            limit: Cameras in a batch at most.
        """
        ready = [name for name in self._rotated() if name in frames and self._when(name) <= now_s]
        stale = tuple(name for name in ready if now_s - frames[name] > self._stale_s)
        fresh = [name for name in ready if name not in stale]
        if not fresh:
            return Pick(None, stale=stale)
        fresh.sort(key=lambda name: self._turns[name].served_s)  # stable: ties stay rotated
        bucket = self._turns[fresh[0]].bucket
        chosen = [name for name in fresh if self._turns[name].bucket == bucket][:limit]
        for name in chosen:
            self._serve(self._turns[name], now_s)
        self._start += 1
        return Pick(bucket, tuple(chosen), stale)

    def next_s(self, now_s: float, names: Mapping[str, float] | None = None) -> float:
        """Seconds until the first of these cameras (None: of all) is due; 0: now, inf: never."""
        chosen = self._turns if names is None else [name for name in names if name in self._turns]
        return max(0.0, min((self._when(name) for name in chosen), default=inf) - now_s)

    def _rotated(self) -> list[str]:
        names = list(self._turns)
        start = self._start % len(names) if names else 0
        return names[start:] + names[:start]

    def _when(self, name: str) -> float:
        """Due, but never sooner than a quarter of a period after the last time: no bursts.

        A longer pause would leave the scorer idle while a camera is behind its share.
        """
        turn = self._turns[name]
        return max(turn.due_s, turn.served_s + turn.period_s / 4)

    def _serve(self, turn: _Turn, now_s: float) -> None:
        """The next time is a period after this one was due; at most one period is made up for."""
        turn.due_s = max(turn.due_s + turn.period_s, now_s - turn.period_s)
        turn.served_s = now_s
        turn.served += 1

"""What concerns all cameras at once: everything stopped together, and starting without a rush.

When most streams stop within seconds it is the machine or the network: then nobody is hung up on
and reconnected but one camera at a time, and people hear of it once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from random import Random

from monitor.live.health import Closed, HealthNews, Opened

LATE_INTERVALS = 2.0  # a tick later than that has measured its own lateness, not the cameras'
GRACE_S = 5.0  # for what was queued meanwhile to be read
TELL_LATE_S = 5.0  # shorter hold-ups are no news
REST_S = 90.0  # after the first is back: the longest back-off and a slow connection
FEWEST = 2  # one camera alone is that camera
START_CPU_S = 0.8  # of a capture worker: it imports, connects and decodes a first picture


@dataclass(frozen=True, slots=True)
class Supply:
    """Whether a camera delivers, and since when not."""

    delivering: bool
    lost_s: float | None  # None: delivers, never did, or is not meant to


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the supervisors' ticks are to be told."""

    held: frozenset[str]  # neither hang up nor connect these
    quiet: frozenset[str]  # of these no stall or loss is told: one event is open for all of them
    news: tuple[HealthNews, ...] = ()


@dataclass(slots=True)
class _Outage:
    """What began when most cameras stopped at once."""

    since_s: float
    cameras: set[str]
    probe: str = ""
    probe_s: float = -inf  # since when it may try
    released: int = 0  # how many may connect again, once one did
    released_s: float | None = None  # when the first one did, or patience ended
    back_s: float | None = None  # since when at least one delivers again


class FleetGuard:
    """Judges all cameras together, once a tick, before each is judged alone.

    Args:
        interval_s: Between two calls of `judge`.
        window_s: Cameras that stop within it stop together.
        share: Of the cameras that delivered, more than this stopped: an outage.
        probe_s: How long one camera may try before it is the next one's turn.
        release_s: Between two cameras that may connect again.
        most_s: After it everyone is on his own: most cameras may be gone for good.
    """

    def __init__(
        self,
        *,
        interval_s: float = 0.5,
        window_s: float = 10.0,
        share: float = 0.5,
        probe_s: float = 15.0,
        release_s: float = 0.25,
        most_s: float = 300.0,
    ) -> None:
        self._interval_s = interval_s
        self._window_s = window_s
        self._share = share
        self._probe_s = probe_s
        self._release_s = release_s
        self._most_s = most_s
        self._last_s: float | None = None
        self._grace_s = -inf  # until then nobody is blamed
        self._late_told = False
        self._outage: _Outage | None = None

    def judge(self, now_s: float, cameras: Mapping[str, Supply]) -> Verdict:
        """Whom to hold back now, given how every camera that is meant to deliver does."""
        news = self._judge_lateness(now_s)
        if self._outage is None and now_s >= self._grace_s:
            news += self._judge_losses(now_s, cameras)
        if self._outage is not None:
            news += self._carry_on(self._outage, now_s, cameras)
        held: frozenset[str] = frozenset()
        quiet: frozenset[str] = frozenset()
        if self._outage is not None:
            held, quiet = self._held(self._outage, cameras), frozenset(self._outage.cameras)
        if now_s < self._grace_s:
            held = quiet = frozenset(cameras)
        return Verdict(held, quiet, tuple(news))

    def _judge_lateness(self, now_s: float) -> list[HealthNews]:
        late_s = 0.0 if self._last_s is None else now_s - self._last_s - self._interval_s
        self._last_s = now_s
        if late_s > LATE_INTERVALS * self._interval_s:
            self._grace_s = now_s + GRACE_S
            if late_s > TELL_LATE_S and not self._late_told and self._outage is None:
                self._late_told = True
                return [Opened("host", "warning", f"the machine stood still for {late_s:.0f} s")]
        if self._late_told and now_s >= self._grace_s:
            self._late_told = False
            return [Closed("host")]
        return []

    def _judge_losses(self, now_s: float, cameras: Mapping[str, Supply]) -> list[HealthNews]:
        since_s = now_s - self._window_s
        lost = {
            name for name, it in cameras.items() if it.lost_s is not None and it.lost_s > since_s
        }
        delivering = sum(it.delivering for it in cameras.values())
        if len(lost) < FEWEST or len(lost) <= self._share * (len(lost) + delivering):
            return []
        self._outage = _Outage(now_s, lost)
        text = (
            f"{len(lost)} of {len(lost) + delivering} cameras stopped within"
            f" {self._window_s:g} s: the machine or the network"
        )
        return [Opened("host", "error", text)]

    def _carry_on(
        self, outage: _Outage, now_s: float, cameras: Mapping[str, Supply]
    ) -> list[HealthNews]:
        """Release one after the other once one is back; the outage ends when all had the time."""
        outage.cameras &= cameras.keys()
        outage.cameras |= self._lost_with(outage, cameras)
        lost = [name for name in sorted(outage.cameras) if not cameras[name].delivering]
        back = len(outage.cameras) - len(lost)
        outage.back_s = None if not back else outage.back_s or now_s
        if outage.released_s is None and (back or now_s - outage.since_s >= self._most_s):
            outage.released_s = now_s
        if outage.released_s is None:
            self._choose_probe(outage, now_s, lost)
            return []
        outage.released = 1 + int((now_s - outage.released_s) / self._release_s)
        late = outage.back_s is not None and now_s - outage.back_s >= REST_S
        return self._end() if late or not lost else []

    def _lost_with(self, outage: _Outage, cameras: Mapping[str, Supply]) -> set[str]:
        until_s = outage.since_s + self._window_s
        return {
            name
            for name, it in cameras.items()
            if it.lost_s is not None and outage.since_s <= it.lost_s <= until_s
        }

    def _choose_probe(self, outage: _Outage, now_s: float, lost: list[str]) -> None:
        if not lost or (outage.probe in lost and now_s - outage.probe_s < self._probe_s):
            return
        later = [name for name in lost if name > outage.probe]
        outage.probe, outage.probe_s = (later or lost)[0], now_s

    def _held(self, outage: _Outage, cameras: Mapping[str, Supply]) -> frozenset[str]:
        lost = [name for name in sorted(outage.cameras) if not cameras[name].delivering]
        if outage.released_s is None:
            return frozenset(lost) - {outage.probe}
        return frozenset(sorted(outage.cameras)[outage.released :]) & frozenset(lost)

    def _end(self) -> list[HealthNews]:
        self._outage = None
        return [Closed("host")]


def stagger(count: int, rng: Random, cores: int, *, longest_s: float = 60.0) -> list[float]:
    """When each of so many cameras starts, in seconds from now, rising: never all in one instant.

    The first one starts at once.

    Args:
        count: Of cameras.
        rng: For a jitter of half a gap, so that two engines do not keep step.
        cores: Of the machine; a start less than `START_CPU_S` of one apart they do not keep up.
        longest_s: The last one starts no later; with many cameras the gaps get smaller.
    """
    step_s = min(START_CPU_S / cores, longest_s / max(1, count))
    return [step_s * (i + rng.uniform(0, 0.5)) if i else 0.0 for i in range(count)]

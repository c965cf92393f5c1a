"""What is given up when scoring cannot follow: in stages, visibly, and taken back one by one.

1 the fastest cameras are scored less often; 2 the decoders of the still ones of the rest hand out
keyframes only; 3 all cameras are scored at their floor rate while nothing moves; 4 nothing is left
to give up, and people are told. A camera with an open alert is spared. Measures nothing itself.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from monitor.live.health import Closed, HealthNews, Opened

HIGH_BUSY = 0.95  # of the time; over it waiting times grow without bound
HIGH_STALE = 0.10  # of the due frames came too late
LOW_BUSY = 0.70  # a stage taken back adds about a third of the load
LOW_STALE = 0.01
UP_S = 5.0  # overloaded for so long, and so long since the last stage: the next one
CALM_S = 30.0  # well for so long: one stage back
MOST_CALM_S = 960.0  # where taking back failed, twice the wait each time
RELAPSE_S = 60.0  # an overload so soon after a stage was taken back was caused by that
KEPT = 0.7  # of the rate of those that are lowered
LEAST_FPS = 0.5  # lower is what the floor rate is for
STAGES = 4


@dataclass(frozen=True, slots=True)
class Load:
    """How the scorer fared over the last second."""

    busy: float  # share of the time that it worked, 0 to 1
    stale_share: float  # frames dropped as stale, of those that were due


@dataclass(frozen=True, slots=True)
class CameraLoad:
    """What one running camera asks for."""

    name: str
    fps: float  # scored, by configuration
    priority: int = 0  # higher is shed later
    moving: bool = True
    alert_open: bool = False
    keyframes_ok: bool = True  # False: its detector needs frames that follow one another


@dataclass(frozen=True, slots=True)
class Plan:
    """What is given up now."""

    stage: int = 0
    text: str = ""  # one line; empty: nothing
    fps: dict[str, float] = field(default_factory=dict)  # scored per second, of those lowered
    keyframes: frozenset[str] = frozenset()  # decode keyframes only
    floor: frozenset[str] = frozenset()  # gate these, whatever the configuration says
    news: tuple[HealthNews, ...] = ()


class OverloadControl:
    """Goes up and down the stages, with the load and a memory for what did not work."""

    def __init__(self) -> None:
        self.stage = 0
        self._changed_s: float | None = None
        self._went_down = False
        self._high_s: float | None = None  # since when
        self._calm_s: float | None = None
        self._wait_s = CALM_S
        self._keyframes: frozenset[str] = frozenset()  # only ever fewer within a stage

    def judge(self, now_s: float, load: Load, cameras: Sequence[CameraLoad]) -> Plan:
        """Once a second: what is to be given up from now on, of all cameras that run."""
        was = self.stage
        self._move(now_s, load)
        fps = lower_fastest(self._shed(cameras)) if self.stage >= 1 else {}
        self._choose_keyframes(was, cameras, fps)
        floor = frozenset(it.name for it in cameras if self.stage >= 3)
        plan = Plan(self.stage, "", fps, self._keyframes, floor)
        text = _tell(plan)
        return Plan(self.stage, text, fps, self._keyframes, floor, _news(was, self.stage, text))

    def _move(self, now_s: float, load: Load) -> None:
        high = load.busy > HIGH_BUSY or load.stale_share > HIGH_STALE
        calm = load.busy < LOW_BUSY and load.stale_share < LOW_STALE
        self._high_s = (self._high_s if self._high_s is not None else now_s) if high else None
        self._calm_s = (self._calm_s if self._calm_s is not None else now_s) if calm else None
        if self._high_s is not None and self.stage < STAGES:
            if now_s - self._latest(self._high_s) >= UP_S:
                self._climb(now_s)
        elif self._calm_s is not None and self.stage > 0:
            if now_s - self._latest(self._calm_s) >= self._wait_s:
                self._change(now_s, self.stage - 1)
        elif self._calm_s is not None and now_s - self._latest(self._calm_s) >= MOST_CALM_S:
            self._wait_s = CALM_S

    def _latest(self, moment_s: float) -> float:
        return moment_s if self._changed_s is None else max(moment_s, self._changed_s)

    def _climb(self, now_s: float) -> None:
        soon = self._changed_s is not None and now_s - self._changed_s < RELAPSE_S
        if self._went_down and soon:
            self._wait_s = min(2 * self._wait_s, MOST_CALM_S)
        self._change(now_s, self.stage + 1)

    def _change(self, now_s: float, stage: int) -> None:
        self._went_down = stage < self.stage
        self.stage, self._changed_s = stage, now_s

    def _shed(self, cameras: Iterable[CameraLoad]) -> list[CameraLoad]:
        """The highest priority is spared for two stages, where there are several."""
        cameras = list(cameras)
        top = max((it.priority for it in cameras), default=0)
        several = any(it.priority < top for it in cameras)
        spare_top = several and self.stage <= 2
        return [it for it in cameras if not it.alert_open and (it.priority < top or not spare_top)]

    def _choose_keyframes(
        self, was: int, cameras: Sequence[CameraLoad], lowered: Iterable[str]
    ) -> None:
        able = {it.name for it in self._shed(cameras) if it.keyframes_ok and not it.moving}
        if self.stage < 2:
            self._keyframes = frozenset()
        elif was < self.stage:
            chosen = able - set(lowered) if self.stage == 2 else able
            self._keyframes = (self._keyframes | chosen) & able
        else:
            self._keyframes &= able


def lower_fastest(cameras: Iterable[CameraLoad], *, kept: float = KEPT) -> dict[str, float]:
    """One cap on all rates, so that `kept` of their sum stays; the slow ones are not touched.

    Returns:
        The rate of each camera that is faster than the cap.
    """
    cameras = list(cameras)
    rates = sorted(it.fps for it in cameras)
    left, cap = kept * sum(rates), 0.0
    for i, rate in enumerate(rates):
        cap = left / (len(rates) - i)  # if all that are left had the same
        if rate > cap:
            break
        left -= rate
    cap = max(cap, LEAST_FPS)
    return {it.name: cap for it in cameras if it.fps > cap}


def _tell(plan: Plan) -> str:
    parts = []
    if plan.fps:
        parts.append(f"{_some(plan.fps)} at most {max(plan.fps.values()):.2g} times per second")
    if plan.keyframes:
        parts.append(f"{_some(plan.keyframes)} keyframes only")
    if plan.floor:
        parts.append("cameras without motion at their floor rate")
    what = "; ".join(parts) or "nothing more to shed"
    end = "; scoring still cannot follow" if plan.stage == STAGES else ""
    return f"overload stage {plan.stage} of {STAGES}: {what}{end}" if plan.stage else ""


def _some(names: Iterable[str]) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - 3} more" if len(listed) > 3 else ""
    return ", ".join(listed[:3]) + more


def _news(was: int, stage: int, text: str) -> tuple[HealthNews, ...]:
    """One event while anything is shed, another one while that does not suffice."""
    news: list[HealthNews] = []
    if was == 0 < stage:
        news.append(Opened("overload", "warning", text))
    if was < STAGES == stage:
        news.append(Opened("degraded", "error", text))
    if stage < STAGES == was:
        news.append(Closed("degraded"))
    if stage == 0 < was:
        news.append(Closed("overload"))
    return tuple(news)

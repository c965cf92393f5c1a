"""The connection of one camera: when to connect, to give up waiting, to hang up, to kill.

A state machine fed with what the worker says, with frames and with time; it answers with what is
to be done. It starts, kills and sends nothing itself and never looks at a clock.

The way of a camera: connecting -> warmup -> running <-> degraded -> stalled -> backoff ->
connecting; failed where only a person helps; ended, paused and disabled wait to be started.
"""

from dataclasses import dataclass
from math import inf
from random import Random
from typing import Literal

from monitor.api.schema import CameraState
from monitor.capture.records import (
    Connect,
    Connected,
    Counted,
    Disconnected,
    Fault,
    Finished,
    Notice,
)
from monitor.live.backoff import BackOff, Recently
from monitor.live.connection_health import ConnectionHealth
from monitor.live.delivery import Delivery
from monitor.live.fleet import Supply
from monitor.live.health import Closed, HealthNews, Opened

__all__ = [
    "Connect",
    "Decision",
    "Decisions",
    "HangUp",
    "KillWorker",
    "RestartWorker",
    "StateChanged",
    "Supervisor",
    "SupervisorSettings",
]

KEYFRAME_STALL_S = 30.0  # cameras that save bits send a keyframe every 10 s and more
FILE_STALL_S = 60.0  # a file's worker waits for whoever judges; it says so once a second
LEAST_STALL_S = 10.0
STALL_FRAMES = 5.0  # slow cameras need more than a fixed time (blinkbridge, its 4th report)
START_S = 5.0  # of the time for a first frame, for a worker to start and a camera to answer at all
MOST_LATE = 2  # doublings of the time for a first frame: a crowded machine starts workers slowly
RETURNING_S = 300.0  # a stream that was there a moment ago and is now missing may come back


@dataclass(frozen=True, slots=True)
class SupervisorSettings:
    """What a camera's connection is held to; all in seconds, `fps` in frames per second."""

    fps: float = 0.0  # analysed; 0: as announced
    first_frame_s: float = 15.0
    stall_s: float = 0.0  # 0: max(10, 5 / fps)
    settle_s: float = 2.0  # from a stall to hanging up, so that all stalls of one cause are seen
    warmup_s: float = 2.0  # as `AlertRule.warmup_s`
    answer_s: float = 5.0  # a worker that has not hung up by then is killed (clean TEARDOWN: 2 s)
    healthy_s: float = 300.0  # as Home Assistant: then all earlier failures are forgotten
    slow_s: float = 600.0  # many cameras lock an account after five refused log-ins
    deaths: int = 5  # of the worker, within `deaths_s`; then slowly (Frigate: 5 in 60 s)
    deaths_s: float = 60.0


@dataclass(frozen=True, slots=True)
class HangUp:
    """Send `Stop`: the worker closes the connection, as cameras want it, and ends."""


@dataclass(frozen=True, slots=True)
class KillWorker:
    """It did not answer: end it from outside. Its death need not be reported."""


@dataclass(frozen=True, slots=True)
class RestartWorker:
    """Start a worker process, the first or another one."""


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The camera is now in this state."""

    state: CameraState
    reason: str  # one line; empty where the state says it all


Decision = Connect | HangUp | KillWorker | RestartWorker | StateChanged | Opened | Closed
Decisions = list[Decision]

_Stage = Literal["idle", "waiting", "trying", "flowing", "silent", "over"]


class Supervisor:
    """Decides for one camera. Decisions are to be carried out in the order they come in.

    Times are `time.monotonic()`; an earlier one than before is taken as the latest known.
    """

    def __init__(self, settings: SupervisorSettings, rng: Random) -> None:
        self._settings = settings
        self._rng = rng
        self._back_off = BackOff(rng)
        self._deaths = Recently(settings.deaths_s)
        self._delivery = Delivery()
        self._health = ConnectionHealth()
        self._stage: _Stage = "idle"
        self._worker: Literal["none", "up", "closing"] = "none"
        self._now_s = -inf
        self._closing_s = inf  # when the worker was asked to hang up
        self._next_s = inf  # of the next try
        self._tried_s = inf
        self._late = 0  # tries in a row that brought no frame in time
        self._flowing_s = inf  # since when frames come without a stall
        self._alive_s = -inf  # newest sign of life of the stream
        self._frames = 0  # since then
        self._connected: Connected | None = None
        self._keyframes_only = False
        self._tuned_fps = 0.0
        self.state: CameraState = "connecting"
        self.reason = "not started yet"
        self.since_s = -inf
        self.epoch = 0  # of the last try
        self.connects = 0
        self.stalls = 0
        self.lost_s: float | None = None  # when it stopped delivering, having delivered

    @property
    def delivering(self) -> bool:
        """Whether frames come."""
        return self._stage == "flowing"

    @property
    def supply(self) -> Supply:
        """For the guard of the whole fleet."""
        return Supply(self.delivering, self.lost_s)

    @property
    def reconnects(self) -> int:
        """Connections after the first."""
        return max(0, self.connects - 1)

    @property
    def rate_hz(self) -> float:
        """Frames read per second."""
        return self._delivery.rate_hz

    @property
    def stall_s(self) -> float:
        """After how many seconds without a frame this is a stall."""
        if self._connected is not None and not self._connected.live:
            return max(self._settings.stall_s, FILE_STALL_S)
        rates = (self._settings.fps, self._tuned_fps, self._announced_hz or 0.0)
        fps = min((rate for rate in rates if rate > 0), default=inf)
        asked_s = self._settings.stall_s or max(LEAST_STALL_S, STALL_FRAMES / fps)
        return max(asked_s, KEYFRAME_STALL_S) if self._keyframes_only else asked_s

    def tuned(self, *, keyframes_only: bool, fps: float) -> None:
        """The worker was told to send fewer frames: silence means less."""
        self._keyframes_only, self._tuned_fps = keyframes_only, fps

    def start(self, now_s: float) -> Decisions:
        """Connect now, or as soon as the last connection is closed. Nothing if already at it."""
        now_s = self._clock(now_s)
        if self._stage not in ("idle", "over"):
            return []
        self._stage, self._next_s = "waiting", now_s
        if self._worker == "closing":
            return self._become("connecting", "waits until the last connection is closed")
        return self._try(now_s)

    def stop(
        self, now_s: float, state: Literal["paused", "disabled", "failed"], reason: str = ""
    ) -> Decisions:
        """Hang up and stay so until `start`; all health events of the connection are over."""
        now_s = self._clock(now_s)
        self._stage, self.lost_s = "idle", None
        self._back_off.reset()
        told = self._become(state, reason)
        return [*self._hang_up(now_s), *told, *self._health.end(), *self._delivery_over()]

    def heard(self, notice: Notice, now_s: float) -> Decisions:
        """Take what the worker says; what is not about the connection is passed over."""
        now_s = self._clock(now_s)
        match notice:
            case Connected():
                return self._connect(notice, now_s)
            case Disconnected() if self._stage in ("trying", "flowing", "silent"):
                return self._disconnect(notice, now_s)
            case Finished() if self._stage in ("trying", "flowing", "silent"):
                self._stage, self.lost_s = "over", None
                return [*self._become("ended"), *self._health.end(), *self._delivery_over()]
            case Counted():
                return self._count(notice, now_s)
        return []

    def frame(self, epoch: int, received_s: float, now_s: float) -> Decisions:
        """A frame has come; one of an earlier connection is no sign of life."""
        now_s = self._clock(now_s)
        if epoch != self.epoch or self._stage not in ("trying", "flowing", "silent"):
            return []
        self._alive_s = max(self._alive_s, min(received_s, now_s))
        self._frames += 1
        if self._stage == "flowing":
            return self._settle_in(now_s)
        if now_s - received_s > self.stall_s:  # lay in the ring since before the stall
            return []
        return self._flow(now_s)

    def worker_died(self, now_s: float, how: str = "") -> Decisions:
        """The worker of now has ended, asked for or not; `how` is told to people."""
        now_s = self._clock(now_s)
        was, self._worker = self._worker, "none"
        if was != "up" or self._stage in ("idle", "over"):
            return []
        text = "the capture process ended" + (f" ({how})" if how else "")
        if self._deaths.add(now_s) > self._settings.deaths:
            span = f"{self._deaths.count(now_s)} times within {self._settings.deaths_s:g} s"
            return self._lose(now_s, "failed", f"{text} {span}", slow=True)
        return self._lose(now_s, "crashed", text)

    def tick(self, now_s: float, *, held: bool = False, quiet: bool = False) -> Decisions:
        """Let time pass.

        Args:
            now_s: Now.
            held: The whole fleet is in trouble: neither hang up nor connect on its account.
            quiet: That is told already: no stalls or losses of single cameras beside it.
        """
        now_s = self._clock(now_s)
        told = [*self._kill_unanswering(now_s), *self._pass_time(now_s, held=held)]
        if self.delivering and now_s - self._flowing_s >= self._settings.healthy_s:
            self._back_off.reset()
        trouble = None if self.delivering else self.reason
        if self._stage not in ("idle", "over"):
            told += self._health.tick(now_s, trouble, quiet=quiet)
        return told

    def _pass_time(self, now_s: float, *, held: bool) -> Decisions:
        match self._stage:
            case "waiting" if now_s >= self._next_s and self._worker != "closing" and not held:
                return self._try(now_s)
            case "trying":
                asked_s = self._settings.first_frame_s * 2**self._late
                limit_s = max(asked_s, self._settings.stall_s and self._settings.stall_s + START_S)
                if now_s - self._tried_s > limit_s:
                    self._late = min(self._late + 1, MOST_LATE)
                    text = f"no first frame within {limit_s:g} s"
                    return self._lose(now_s, "offline", text, hang_up=True)
            case "flowing" if now_s - self._alive_s > self.stall_s:
                return self._stall(now_s)
            case "silent" if now_s - self.since_s >= self._settings.settle_s and not held:
                return self._lose(now_s, "stalled", self.reason, hang_up=True)
        return []

    def _try(self, now_s: float) -> Decisions:
        self._stage, self._tried_s = "trying", now_s
        self.epoch += 1
        self._connected = None
        self._delivery.restart()
        told: Decisions = [] if self._worker == "up" else [RestartWorker()]
        self._worker = "up"
        return [*told, Connect(self.epoch), *self._become("connecting")]

    def _connect(self, notice: Connected, now_s: float) -> Decisions:
        if notice.epoch != self.epoch or self._stage not in ("trying", "flowing"):
            return []
        self._connected = notice
        return self._flow(now_s) if self._stage == "trying" else []

    def _flow(self, now_s: float) -> Decisions:
        """Frames come: for the first time, or again after a silence."""
        if self._stage == "trying":
            self.connects += 1
            self._alive_s = now_s
            self._health.connected(now_s)
        self._stage, self._flowing_s, self.lost_s, self._late = "flowing", now_s, None, 0
        self._frames = 0
        return self._become("warmup")

    def _settle_in(self, now_s: float) -> Decisions:
        if self.state == "warmup" and now_s - self._flowing_s < self._settings.warmup_s:
            return []
        reason = self._degraded_by()
        told = self._become("degraded" if reason else "running", reason)
        return [*told, *self._health.running(now_s - self._flowing_s)]

    def _degraded_by(self) -> str:
        if self._delivery.corrupt:
            return "frames come corrupt"
        return "the connection is unstable" if self._health.unstable else ""

    def _stall(self, now_s: float) -> Decisions:
        self._stage, self.lost_s = "silent", now_s
        self.stalls += 1
        slow = self._frames <= self._alive_s - self._flowing_s + 1  # under one frame per second
        hint = "; a slow camera needs a longer stall_s" if slow else ""
        text = f"no frame for {now_s - self._alive_s:.0f} s{hint}"
        self._health.lost("stalled", now_s, text)
        return self._become("stalled", text)

    def _disconnect(self, notice: Disconnected, now_s: float) -> Decisions:
        lost_s = now_s if self.delivering else self.lost_s
        returning = lost_s is not None and now_s - lost_s < RETURNING_S
        if _needs_a_person(notice.fault, returning=returning):
            return self._lose(now_s, "failed", notice.text, slow=True)
        return self._lose(now_s, "offline", notice.text)

    def _lose(
        self,
        now_s: float,
        kind: Literal["offline", "stalled", "crashed", "failed"],
        text: str,
        *,
        hang_up: bool = False,
        slow: bool = False,
    ) -> Decisions:
        """There is no connection any more: wait, and say for how long and why."""
        if self._stage == "flowing":
            self.lost_s = now_s
        wait_s = self._back_off.slow_s(self._settings.slow_s) if slow else self._back_off.next_s()
        self._stage, self._next_s = "waiting", now_s + wait_s
        self._health.lost(kind, now_s, text)
        reason = f"{text}; next try {_span(wait_s)} after the last"  # it stands until then
        told = self._become("failed" if kind == "failed" else "backoff", reason)
        return [*(self._hang_up(now_s) if hang_up else []), *told]

    def _hang_up(self, now_s: float) -> Decisions:
        if self._worker != "up":
            return []
        self._worker, self._closing_s = "closing", now_s
        return [HangUp()]

    def _kill_unanswering(self, now_s: float) -> Decisions:
        if self._worker != "closing" or now_s - self._closing_s <= self._settings.answer_s:
            return []
        self._worker = "none"
        return [KillWorker()]

    def _count(self, counted: Counted, now_s: float) -> Decisions:
        if self._connected is None or self._stage not in ("flowing", "silent"):
            return []
        if not self._connected.live:
            self._alive_s = now_s
            return []
        return list(self._delivery.count(counted, self._announced_hz))

    def _delivery_over(self) -> list[HealthNews]:
        over = self._delivery
        self._delivery = Delivery()
        kinds = {"corrupt": over.corrupt, "too_fast": over.too_fast}
        return [Closed(kind) for kind, is_open in kinds.items() if is_open]

    @property
    def _announced_hz(self) -> float | None:
        return self._connected.rate_hz if self._connected is not None else None

    def _become(self, state: CameraState, reason: str = "") -> Decisions:
        if (state, reason) == (self.state, self.reason):
            return []
        if state != self.state:
            self.since_s = self._now_s
        self.state, self.reason = state, reason
        return [StateChanged(state, reason)]

    def _clock(self, now_s: float) -> float:
        self._now_s = max(self._now_s, now_s)
        return self._now_s


def _needs_a_person(fault: Fault, *, returning: bool) -> bool:
    """A server that restarts says "missing" for a while; a refused password stays refused."""
    return fault == "login" or (fault in ("missing", "format") and not returning)


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"

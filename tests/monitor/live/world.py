"""A clock, scripted cameras and workers around real supervisors: hours in milliseconds."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from monitor.capture.records import Connect, Connected, Counted, Disconnected, Fault, Notice
from monitor.live.fleet import FleetGuard
from monitor.live.health import Closed, HealthNews, Opened
from monitor.live.supervision import (
    Decision,
    HangUp,
    KillWorker,
    RestartWorker,
    StateChanged,
    Supervisor,
    SupervisorSettings,
)

STEP_S = 0.1
TICK_STEPS = 5
FRAME_STEPS = 2  # 5 frames per second
COUNT_STEPS = 10
BURST = 4  # frames per step, of those that were held up: 40 per second

Condition = Literal["up", "silent", "down"]  # silent: connected, but no frame comes


@dataclass
class Script:
    """What a camera does at each moment."""

    at: Callable[[float], Condition] = lambda now_s: "up"
    fault: Fault = "refused"  # of a try while it is down
    hangs: bool = False  # its worker does not answer once it is silent
    dies_at: Callable[[float], bool] = lambda now_s: False  # kill -9


@dataclass
class Played:
    """One camera, its worker and all that was decided for it."""

    script: Script
    supervisor: Supervisor
    worker: bool = False
    connected: bool = False
    trying: int | None = None
    stopping: bool = False
    held_up: int = 0  # frames that an open connection owes
    frames: int = 0  # since the worker's last count
    counted: int = 0  # the step of it
    decided: list[tuple[float, Decision]] = field(default_factory=list)

    def take(self, decisions: list[Decision], now_s: float) -> None:
        for decision in decisions:
            self.decided.append((now_s, decision))
            match decision:
                case Connect():
                    assert self.worker, "a connect without a worker"
                    self.trying = decision.epoch
                case RestartWorker():
                    assert not self.worker, "two workers at once"
                    self.worker = True
                case HangUp():
                    assert self.worker, "nobody to hang up"
                    self.stopping = True
                case KillWorker():
                    self.worker = self.connected = self.stopping = False
                    self.trying = None

    def step(self, now_s: float, step: int) -> None:
        condition = self.script.at(now_s)
        if self.worker and self.script.dies_at(now_s):
            self._end(now_s, "signal 9")
        if self.stopping and not (self.script.hangs and condition == "silent"):
            self._end(now_s, "")
        if self.trying is not None and condition != "silent":
            self._answer(condition, now_s)
        if self.connected and condition == "down":
            self.connected = False
            self._say(Disconnected("ended", "the camera hung up"), now_s)
        if self.connected:
            self._deliver(condition, now_s, step)

    def _deliver(self, condition: Condition, now_s: float, step: int) -> None:
        """A worker whose read does not return counts nothing; what was held up comes as a burst."""
        self.held_up += step % FRAME_STEPS == 0
        if condition == "silent":
            return
        coming = min(self.held_up, BURST)
        for _ in range(coming):
            self.take(self.supervisor.frame(self.supervisor.epoch, now_s, now_s), now_s)
        self.held_up, self.frames = self.held_up - coming, self.frames + coming
        if step - self.counted >= COUNT_STEPS:
            span_s = (step - self.counted) * STEP_S
            self._say(Counted(self.frames, span_s=span_s), now_s)
            self.frames, self.counted = 0, step

    def _answer(self, condition: Condition, now_s: float) -> None:
        epoch, self.trying = self.trying, None
        assert epoch is not None
        if condition == "down":
            self._say(Disconnected(self.script.fault, "nobody there"), now_s)
            return
        self.connected, self.held_up = True, 0
        size = (360, 640)
        self._say(Connected(epoch, size, size, 5.0, "h264", "software", live=True), now_s)

    def _end(self, now_s: float, how: str) -> None:
        self.worker = self.connected = self.stopping = False
        self.trying = None
        self.take(self.supervisor.worker_died(now_s, how), now_s)

    def _say(self, notice: Notice, now_s: float) -> None:
        self.take(self.supervisor.heard(notice, now_s), now_s)

    def moments(self, kind: type) -> list[float]:
        return [now_s for now_s, it in self.decided if isinstance(it, kind)]

    def states(self) -> list[str]:
        return [it.state for _, it in self.decided if isinstance(it, StateChanged)]

    def opened(self) -> list[str]:
        return [it.kind for _, it in self.decided if isinstance(it, Opened)]

    def open_now(self) -> set[str]:
        kinds: set[str] = set()
        for _, it in self.decided:
            if isinstance(it, Opened):
                assert it.kind not in kinds, "opened twice"
                kinds.add(it.kind)
            elif isinstance(it, Closed):
                kinds.remove(it.kind)
        return kinds


class World:
    """Cameras on one clock, with the guard of the fleet over them."""

    def __init__(
        self, *scripts: Script, seed: int = 1, settings: SupervisorSettings | None = None
    ) -> None:
        self.now_s = 1000.0
        self.step = 0
        self.guard = FleetGuard()
        self.news: list[HealthNews] = []
        settings = settings or SupervisorSettings()
        self.cameras = [
            Played(script, Supervisor(settings, Random(seed + i)))
            for i, script in enumerate(scripts)
        ]
        for camera in self.cameras:
            camera.take(camera.supervisor.start(self.now_s), self.now_s)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / STEP_S)):
            self.now_s += STEP_S
            self.step += 1
            for camera in self.cameras:
                camera.step(self.now_s, self.step)
            if self.step % TICK_STEPS == 0:
                self.tick()

    def tick(self) -> None:
        supplies = {str(i): it.supervisor.supply for i, it in enumerate(self.cameras)}
        verdict = self.guard.judge(self.now_s, supplies)
        self.news += verdict.news
        for i, camera in enumerate(self.cameras):
            held, quiet = str(i) in verdict.held, str(i) in verdict.quiet
            decided = camera.supervisor.tick(self.now_s, held=held, quiet=quiet)
            camera.take(decided, self.now_s)


def down_between(begin_s: float, end_s: float, how: Condition = "down") -> Script:
    """A camera that is away from `begin_s` to `end_s` after the world's start."""
    return Script(lambda now_s: how if begin_s <= now_s - 1000.0 < end_s else "up")

"""One camera of the engine: its worker, its connection, what is seen, when it is scored.

Asked by the engine in its loop and never waits: what follows is given back as news, to be carried
out and told. Knows nothing of stores, notices or other cameras.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from random import Random
from typing import Literal

from monitor.api.schema import CameraState
from monitor.calibration import Calibration
from monitor.capture.feed import Feed
from monitor.capture.records import (
    CaptureSettings,
    ClipFailed,
    ClipWritten,
    Command,
    Connected,
    Counted,
    Notice,
    Stop,
    Tune,
)
from monitor.config.settings import CameraSettings
from monitor.live.calendar import Calendar
from monitor.live.counters import Counters
from monitor.live.eyes import Eyes
from monitor.live.fleet import Supply
from monitor.live.gate import MotionGate
from monitor.live.health import Closed, Opened
from monitor.live.judge import Judge, Step, calibration_for
from monitor.live.judged import Judged
from monitor.live.last_words import last_words
from monitor.live.learner import Learner
from monitor.live.messages import Attach, Detach, LiveReading, ModelLoaded
from monitor.live.news import AlertNews, StationNews
from monitor.live.supervision import (
    Connect,
    Decision,
    HangUp,
    KillWorker,
    RestartWorker,
    StateChanged,
    Supervisor,
    SupervisorSettings,
)
from monitor.records import Alert, EndedBy

OpenFeed = Callable[[CaptureSettings], Feed]

FLOWING: tuple[CameraState, ...] = ("warmup", "running", "degraded")


class Station:
    """One camera at work."""

    def __init__(
        self,
        settings: CameraSettings,
        capture: CaptureSettings,
        open_feed: OpenFeed,
        rng: Random,
        learner: Learner | None = None,
    ) -> None:
        self.settings = settings
        self.capture = capture
        self.counters = Counters()
        self.learner = learner
        self.model: ModelLoaded | None = None
        self.calibration: Calibration | None = None
        self.connected: Connected | None = None
        self.counted = Counted(0)
        self.paused_by = ""  # a person, or the schedule
        self.latest: LiveReading | None = None
        self.strength: float | None = None
        self.judged = Judged()
        self._judge: Judge | None = None
        self._open_feed = open_feed
        self._feed: Feed | None = None
        self._calendar = Calendar.parse(settings.schedule)
        self.eyes = Eyes(MotionGate(settings.floor_s, enabled=settings.gate))
        self._supervisor = Supervisor(
            SupervisorSettings(
                fps=settings.fps, first_frame_s=settings.first_frame_s, stall_s=settings.stall_s
            ),
            rng,
        )

    # -- what it is

    @property
    def name(self) -> str:
        """As configured."""
        return self.settings.name

    @property
    def state(self) -> CameraState:
        """Of its connection; what is seen, learned or cannot be judged lies over `running`."""
        state = self._supervisor.state
        if state not in FLOWING:
            return state
        if self.eyes.blind:
            return "blind"
        if self.judged.fault:
            return "failed"
        if self.model is None and self.wants_model:
            return "learning"
        if self.judged.waits:
            return "warmup"
        return "degraded" if self.judged.late else state

    @property
    def reason(self) -> str:
        """One line on the state, where it needs one."""
        if self.state == "blind":
            return self.eyes.why
        of_connection = self._supervisor.reason or self.paused_by
        if self._supervisor.state in FLOWING:
            return self.judged.why or of_connection
        return of_connection or self.judged.why

    @property
    def since_s(self) -> float:
        """Since when it is in its state (time.monotonic())."""
        sight = self.eyes.sight
        return sight.since_s if self.state == "blind" and sight else self._supervisor.since_s

    @property
    def supply(self) -> Supply:
        """For the guard of the fleet."""
        return self._supervisor.supply

    @property
    def epoch(self) -> int:
        """Of its connection."""
        return self._supervisor.epoch

    @property
    def reconnects(self) -> int:
        """Since the engine began."""
        return self._supervisor.reconnects

    @property
    def open_alert(self) -> str:
        """The id of the alert in progress; empty: none."""
        return self._judge.open_id if self._judge else ""

    @property
    def peak_level(self) -> float | None:
        """The highest smoothed level of the newest alert."""
        return self._judge.peak_level if self._judge else None

    @property
    def feed(self) -> Feed | None:
        """Its worker, where it has one."""
        return self._feed

    # -- its worker and its connection

    def start(self, now_s: float) -> list[StationNews]:
        """Begin to read."""
        self.paused_by = ""
        return self._carry_out(self._supervisor.start(now_s), now_s)

    def pause(
        self, now_s: float, why: str, state: Literal["paused", "disabled"] = "paused"
    ) -> list[StationNews]:
        """Stop reading until `start`."""
        self.paused_by = why
        news = self._end_alert("paused")
        decided = self._supervisor.stop(now_s, state, why)
        return [*news, *self._carry_out(decided, now_s)]

    def poll(self, now_s: float) -> list[StationNews]:
        """Take what has come from the worker and through the ring."""
        if self._feed is None:
            return []
        news: list[StationNews] = []
        for notice in self._feed.notices():
            news += self._hear(notice, now_s)
        return [*news, *self._follow_feed(now_s)]

    def tick(self, now_s: float, *, held: bool, quiet: bool) -> list[StationNews]:
        """Twice a second; `held` and `quiet` come from the guard of the fleet."""
        news = self._carry_out(self._supervisor.tick(now_s, held=held, quiet=quiet), now_s)
        if self.model is not None:
            turn_s = 2 * max(self.settings.floor_s, 1 / self.settings.score_fps)
            self.judged.look(self.model.rate_hz, turn_s)
        if self.wants_model and self.state in (*FLOWING, "learning"):
            self._learn(now_s)
        return news

    def close(self) -> list[StationNews]:
        """The engine ends: what is open ends, the worker is told to stop."""
        news = self._end_alert("shutdown")
        if self._feed is not None:
            self._feed.send(Stop())
        return news

    def bury(self, timeout_s: float) -> list[ClipWritten | ClipFailed]:
        """After `close`: wait for the worker, kill it where it does not end; its last clips."""
        feed, self._feed = self._feed, None
        told = [] if feed is None else last_words(feed, timeout_s)
        return [clip for clip in told if not (self.learner and self.learner.written(clip))]

    def send(self, command: Command) -> None:
        """To the worker, where there is one."""
        if self._feed is not None:
            self._feed.send(command)

    def _hear(self, notice: Notice, now_s: float) -> Iterator[StationNews]:
        if isinstance(notice, ClipWritten | ClipFailed):
            if self.learner is None or not self.learner.written(notice):
                yield notice
            return
        if isinstance(notice, Connected):
            self.connected = notice
            self.eyes.reconnected(now_s)
            self.judged.begin()
            yield from self._attach()
        if isinstance(notice, Counted):
            self.counted = notice
            self.counters.drops.update(notice.dropped)
        yield from self._carry_out(self._supervisor.heard(notice, now_s), now_s)

    def _follow_feed(self, now_s: float) -> Iterator[StationNews]:
        """After the notices, which may have ended the worker."""
        if self._feed is not None:
            step = self._look(self._feed, now_s) if self._feed.alive else self._bury(now_s)
            yield from step

    def _look(self, feed: Feed, now_s: float) -> Iterator[StationNews]:
        heads, _ = feed.heads_since(self.eyes.seen)
        blind = self.eyes.blind
        for head in heads:
            self.counters.frame(head.received_s)
            decided = self._supervisor.frame(head.epoch, head.received_s, now_s)
            yield from self._carry_out(decided, now_s)
        yield from self.eyes.look(heads)
        if not self._judgeable or self.eyes.suspended:
            self.judged.begin()
        for head in heads if self._judgeable else ():
            self.judged.frame(head.received_s)
        if self.eyes.blind and not blind:
            yield from self._end_alert("blind")

    def _carry_out(self, decisions: list[Decision], now_s: float) -> list[StationNews]:
        news: list[StationNews] = []
        for decision in decisions:
            news += self._carry_out_one(decision, now_s)
        return news

    def _carry_out_one(self, decision: Decision, now_s: float) -> Iterator[StationNews]:
        match decision:
            case RestartWorker():
                yield from self._open()
            case KillWorker():
                yield from self._drop(kill=True)
            case HangUp():
                self.send(Stop())
            case Connect():
                self.send(decision)
            case StateChanged():
                if decision.state not in FLOWING:
                    yield from self._end_alert("reconnect")
                    self._break_off_learning(now_s)
                yield decision
            case Opened() | Closed():
                yield decision

    def _open(self) -> Iterator[StationNews]:
        yield from self._drop(kill=True)
        self._feed = self._open_feed(self.capture)
        self._feed.start()
        self.eyes.new_ring()
        self._tune()
        yield from self._attach()

    def _bury(self, now_s: float) -> Iterator[StationNews]:
        yield from self._drop(kill=False)
        yield from self._carry_out(self._supervisor.worker_died(now_s), now_s)

    def _drop(self, *, kill: bool) -> Iterator[StationNews]:
        if self._feed is None:
            return
        if kill:
            self._feed.kill()
        yield Detach(self.name)
        self._feed.stop(0)
        self._feed = None
        if self.learner is not None:
            self.learner.lost()

    # -- its model and its scores

    def take_model(self, model: ModelLoaded, score_fps: float) -> list[StationNews]:
        """From now on it is judged by this one."""
        self.model, self.judged = model, Judged()
        news = self._end_alert("reconnect")
        self.calibration = calibration_for(model, score_fps, self.settings.false_alarms_per_day)
        self._judge = Judge(self.calibration, self.name, score_fps)
        self._tune()
        return [*news, *self._attach()]

    def _tune(self) -> None:
        """Analyse as many frames per second as the model learned at, and make what it takes."""
        if self.model is None:
            return
        fps = self.settings.fps or self.model.rate_hz or 0.0
        held = self.settings.include or self.settings.exclude  # then it takes what is made of that
        self.send(Tune(fps=fps, takes=None if held else self.model.spec))
        self._supervisor.tuned(keyframes_only=False, fps=fps)

    def _attach(self) -> Iterator[StationNews]:
        """Let the scoring process read the ring, where there is a ring and a model."""
        if self._feed is None or self.model is None or self.connected is None:
            return
        if not self.judged.fits(self.connected.size, self.model):
            return
        include = tuple(tuple(polygon) for polygon in self.settings.include)
        exclude = tuple(tuple(polygon) for polygon in self.settings.exclude)
        yield Attach(self.name, self._feed.ring_name, self.model.path, include, exclude)

    def waiting_s(self) -> float | None:
        """When the newest frame that is to be judged came; None: there is none."""
        return self.eyes.waiting_s() if self._judgeable else None

    @property
    def _judgeable(self) -> bool:
        """Whether there is who could judge it, and frames come; if seldom, a score may yet come."""
        flows = self._supervisor.state in FLOWING
        return flows and self._judge is not None and not self.judged.refused

    def pass_over(self, cause: str) -> None:
        """Its newest frame will not be scored."""
        self.eyes.judged()
        self.counters.drops[cause] += 1

    def hold(self) -> list[StationNews]:
        """Nothing moves: the last score stands for the newest frame too."""
        self.pass_over("gate")
        head = self.eyes.head
        if self._judge is None or head is None:
            return []
        self._watched(self._judge, head.received_s)
        return self._told(self._judge.hold(head.epoch, head.time_s))

    def scored(self, reading: LiveReading) -> list[StationNews]:
        """A reading has come."""
        if self._judge is None or reading.epoch != self.epoch or self.eyes.suspended:
            return []
        step = self._judge.feed(reading)
        age_s = reading.scored_s - reading.newest_s
        self.latest, self.strength = reading, step.strength
        self.judged.scored()
        self.counters.score(reading.scored_s, age_s, step.strength, reading.p_value)
        self._watched(self._judge, reading.received_s)
        self.eyes.scored(step.strength, reading.received_s)
        return self._told(step)

    def _watched(self, judge: Judge, received_s: float) -> None:
        self.counters.watched(received_s, max(2 * self.settings.floor_s, judge.max_gap_s))

    def _told(self, step: Step) -> list[StationNews]:
        return [self._alert_news(alert, step.peak) for alert in step.alerts]

    def _alert_news(self, alert: Alert, peak: LiveReading | None) -> AlertNews:
        assert self._judge is not None  # it raised the alert
        return AlertNews(alert, self._judge.strength(alert.peak_score), peak)

    def _end_alert(self, why: EndedBy) -> list[StationNews]:
        if self._judge is None:
            return []
        return [self._alert_news(alert, None) for alert in self._judge.interrupt(why)]

    # -- its schedule and its learning

    def open_at(self, local: datetime) -> bool:
        """Whether its schedule has it watched at this local time."""
        return self._calendar.open_at(local)

    @property
    def wants_model(self) -> bool:
        """Whether it is to learn a model of its own."""
        return self.learner is not None and self.learner.wanting

    def _learn(self, now_s: float) -> None:
        assert self.learner is not None
        for command in (self.learner.due(now_s), self.learner.collect(now_s)):
            if command is not None:
                self.send(command)

    def _break_off_learning(self, now_s: float) -> None:
        command = self.learner.break_off(now_s) if self.learner else None
        if command is not None:
            self.send(command)

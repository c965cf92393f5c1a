"""All cameras of an engine and the one who scores them, moved on step by step.

Asked in the engine's loop, never waits, and reads no clock but the one it is given: scripted
workers and a scripted scorer drive the same code. Knows nothing of stores or clients.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf
from random import Random
from typing import Protocol

from monitor.api.metrics import Metrics
from monitor.capture.records import ClipFailed, ClipWritten
from monitor.cpu import cores
from monitor.live.due import DueTimes
from monitor.live.fleet import FleetGuard, stagger
from monitor.live.health import Closed, HealthNews, Opened
from monitor.live.messages import (
    Attach,
    Detach,
    LoadModel,
    ModelFailed,
    ModelLoaded,
    Order,
    Round,
    Scored,
    ScorerEnds,
    ScorerFault,
)
from monitor.live.news import AlertNews, StationNews
from monitor.live.overload import CameraLoad, Load, OverloadControl, Plan
from monitor.live.pace import Pace
from monitor.live.scorer_life import ScorerLife, ScorerLink
from monitor.live.station import FLOWING, Station
from monitor.live.supervision import StateChanged

log = logging.getLogger(__name__)

LOAD_S = 5.0  # over which the scorer's load is taken


class Outlet(Protocol):
    """Where what happened goes; see `Desk`."""

    def take_alert(self, station: Station, news: AlertNews) -> None:
        """A phase of an alert."""

    def take_clip(self, notice: ClipWritten | ClipFailed) -> None:
        """A clip lies there, or there is none."""

    def take_health(self, camera: str | None, news: HealthNews, now_s: float) -> None:
        """A health event begins or is over."""

    def forget(self, camera: str, now_s: float) -> None:
        """A camera is no more."""


@dataclass(slots=True)
class _Work:
    """What the scorer is at."""

    asked_s: float = inf  # when the open round was given; inf: idle
    busy_s: float = 0.0  # of the span under `since_s`
    stale: int = 0
    due: int = 0
    since_s: float = -inf


class Crew:
    """The stations, in the order of the configuration, and their scorer."""

    def __init__(  # noqa: PLR0913
        self,
        new_scorer: Callable[[], ScorerLink],
        desk: Outlet,
        metrics: Metrics,
        rng: Random,
        *,
        load: Callable[[str], LoadModel] = LoadModel,
        stale_s: float = 0.5,
        overload: bool = True,
    ) -> None:
        self.stations: dict[str, Station] = {}
        self.plan: Plan | None = None
        self.runtime = ""
        self._scorer = ScorerLife(new_scorer, load)
        self._desk = desk
        self._metrics = metrics
        self._rng = rng
        self._due = DueTimes(stale_s=stale_s)
        self._guard = FleetGuard()
        self._overload = OverloadControl() if overload else None
        self._models: dict[str, str] = {}  # camera -> path
        self._loaded: dict[str, ModelLoaded] = {}
        self._starts: dict[str, float] = {}  # cameras that wait for their turn to start
        self._work = _Work()
        self._pace = Pace()
        self.scored = 0

    # -- who is there

    def open(self, stations: Iterable[Station], now_s: float) -> None:
        """Start the scorer; the cameras a little apart."""
        self._scorer.open()
        joining = list(stations)
        delays = stagger(len(joining), self._rng, cores())
        for station, delay_s in zip(joining, delays, strict=True):
            self.add(station, now_s + delay_s)
        self._begin(now_s)

    def add(self, station: Station, start_s: float, paused_by: str = "") -> None:
        """A camera more, to be started then; or by `resume`, where somebody has paused it."""
        self.stations[station.name] = station
        if not station.settings.enabled:
            self._take(station, station.pause(start_s, "disabled", "disabled"), start_s)
        elif paused_by:
            self.pause(station.name, paused_by, start_s)
        else:
            self._starts[station.name] = start_s

    def remove(self, name: str, now_s: float) -> Station:
        """A camera less; its alerts end, its worker is told to stop."""
        station = self.stations.pop(name)
        self._starts.pop(name, None)
        self._take(station, station.close(), now_s)
        self._send(Detach(name))
        self._due.remove(name)
        self._models.pop(name, None)
        self._desk.forget(name, now_s)
        self._metrics.forget(name)
        return station

    def judge_by(self, name: str, path: str, now_s: float) -> None:
        """From now on, or when it is loaded, this camera is judged by the model there."""
        self._models[name] = path
        loaded = self._loaded.get(path)
        if loaded is None:
            if self.stations[name].model is None:
                self.stations[name].judged.waits = f"its model is being loaded: {path}"
            self._scorer.load(path)
        else:
            self._give(loaded, [name], now_s)

    def forget_model(self, path: str) -> None:
        """The file at that path is another now."""
        self._loaded.pop(path, None)

    def resume(self, name: str, now_s: float) -> None:
        """Read it: after a pause, or when its turn has come."""
        self._starts.pop(name, None)
        station = self.stations[name]
        self._take(station, station.start(now_s), now_s)

    def pause(self, name: str, why: str, now_s: float) -> None:
        """Do not read it until `resume`."""
        self._starts.pop(name, None)
        station = self.stations[name]
        self._take(station, station.pause(now_s, why), now_s)

    def close(self, now_s: float) -> None:
        """End all alerts, stop all workers, then the scorer."""
        for station in self.stations.values():
            self._take(station, station.close(), now_s)
        self._scorer.close()

    # -- what happens all the time

    def pump(self, now_s: float) -> None:
        """Twenty times a second: starts, what has come, what is due."""
        self._begin(now_s)
        for station in list(self.stations.values()):
            self._take(station, station.poll(now_s), now_s)
        self._hear(now_s)
        if self._work.asked_s == inf:
            self._ask(now_s)

    def supervise(self, now_s: float) -> None:
        """Twice a second: connections, the scorer's health."""
        verdict = self._guard.judge(now_s, {n: s.supply for n, s in self.stations.items()})
        for news in verdict.news:
            self._desk.take_health(None, news, now_s)
        for name, station in self.stations.items():
            held, quiet = name in verdict.held, name in verdict.quiet
            self._take(station, station.tick(now_s, held=held, quiet=quiet), now_s)
            self._metrics.state(name, station.state)
        self._watch_scorer(now_s)

    def control(self, now_s: float) -> None:
        """Once a second: shed load in stages where the scorer cannot follow, and take it up."""
        work = self._work
        span_s = now_s - work.since_s
        if span_s < LOAD_S:
            return
        running_s = now_s - work.asked_s if work.asked_s < inf else 0.0
        load = Load(
            min((work.busy_s + min(running_s, span_s)) / span_s, 1.0),
            work.stale / max(work.due, 1),
        )
        work.busy_s, work.stale, work.due, work.since_s = 0.0, 0, 0, now_s
        if self._overload is None:
            return
        cameras = [self._load_of(station) for station in self._judged()]
        plan = self._overload.judge(now_s, load, cameras)
        for news in plan.news:
            self._desk.take_health(None, news, now_s)
        self._shed(plan, now_s)

    # -- scoring

    def _ask(self, now_s: float) -> None:
        """Give the scorer the cameras whose turn it is."""
        waiting = {
            name: received_s
            for name, station in self.stations.items()
            if (received_s := station.waiting_s()) is not None
        }
        pick = self._due.due(now_s, waiting, self._pace.limit)
        for name in pick.stale:
            self.stations[name].pass_over("stale")
            self._metrics.dropped(name, "stale", 1)
        self._work.due += len(pick.cameras) + len(pick.stale)
        self._work.stale += len(pick.stale)
        asked = tuple(name for name in pick.cameras if self._worth(name, now_s))
        if asked and self._send(Round(asked)):
            self._work.asked_s = now_s

    def _worth(self, name: str, now_s: float) -> bool:
        station = self.stations[name]
        forced = self.plan is not None and name in self.plan.floor
        if station.eyes.wants(alert_open=bool(station.open_alert), forced=forced):
            station.eyes.judged()
            return True
        self._metrics.dropped(name, "gate", 1)
        self._take(station, station.hold(), now_s)
        return False

    def _begin(self, now_s: float) -> None:
        """Start those whose turn has come."""
        for name in [name for name, at_s in self._starts.items() if at_s <= now_s]:
            self.resume(name, now_s)

    def _hear(self, now_s: float) -> None:
        for answer in self._scorer.answers():
            match answer:
                case Scored():
                    self._take_scores(answer, now_s)
                case ModelLoaded():
                    self._loaded[answer.path] = answer
                    self._back(now_s)
                    self.runtime = answer.runtime
                    names = [n for n, path in self._models.items() if path == answer.path]
                    self._give(answer, names, now_s)
                case ModelFailed():
                    self._refuse(answer)
                    self._back(now_s)
                case ScorerEnds():
                    self._scorer.ends(answer)
                case ScorerFault():
                    if answer.camera in self.stations:
                        self.stations[answer.camera].judged.refused = answer.text
                    log.error("%s: %s", answer.camera, answer.text)

    def _take_scores(self, answer: Scored, now_s: float) -> None:
        self._work.asked_s = inf
        self._work.busy_s += answer.seconds
        self._pace.took(answer.seconds, len(answer.readings))
        for camera, causes in answer.dropped.items():
            for cause, count in causes.items():
                if camera in self.stations:
                    self.stations[camera].counters.drops[cause] += count
                    self._metrics.dropped(camera, cause, count)  # type: ignore[arg-type]
        for size in answer.batches:
            self._metrics.batch(size, answer.seconds / len(answer.batches))
        for reading in answer.readings:
            station = self.stations.get(reading.camera)
            if station is not None:
                self.scored += 1
                self._metrics.scored(station.name, reading.scored_s - reading.newest_s)
                self._take(station, station.scored(reading), now_s)

    def _give(self, loaded: ModelLoaded, names: Iterable[str], now_s: float) -> None:
        for name in names:
            station = self.stations.get(name)
            if station is not None:
                fps = station.settings.score_fps
                self._take(station, station.take_model(loaded, fps), now_s)
                self._due.put(name, fps, loaded.path, now_s)

    def _back(self, now_s: float) -> None:
        """The scoring process answers, if it had ended."""
        self._desk.take_health(None, Closed("scoring"), now_s)

    def _refuse(self, answer: ModelFailed) -> None:
        named = answer.path in answer.text
        log.error("%s", answer.text if named else f"{answer.path}: {answer.text}")
        for name, path in self._models.items():
            station = self.stations[name]
            if path == answer.path and station.model is None:
                station.judged.refused = answer.text
            elif path == answer.path:
                station.judged.unread = f"{answer.text}; the model read before judges on"

    def _send(self, order: Order) -> bool:
        return self._scorer.send(order)

    def _watch_scorer(self, now_s: float) -> None:
        if self._scorer.runs(now_s - self._work.asked_s):
            return
        self._hear(now_s)  # its last words
        said = self._scorer.mourn(now_s)
        for news in said:
            self._desk.take_health(None, news, now_s)
        for name in self._models if said else ():
            self.stations[name].judged.waits = said[0].text
        if self._scorer.again(now_s):
            self._work.asked_s = inf
            self._loaded.clear()
            for path in dict.fromkeys(self._models.values()):
                self._scorer.load(path)

    # -- overload

    def _judged(self) -> list[Station]:
        return [s for s in self.stations.values() if s.model is not None and s.state in FLOWING]

    def _load_of(self, station: Station) -> CameraLoad:
        return CameraLoad(
            station.name,
            station.settings.score_fps,
            station.settings.priority,
            station.eyes.moving,
            bool(station.open_alert),
            keyframes_ok=False,  # clips need neighbouring frames
        )

    def _shed(self, plan: Plan, now_s: float) -> None:
        self.plan = plan
        self._metrics.overload(plan.stage)
        for station in self._judged():
            fps = plan.fps.get(station.name, station.settings.score_fps)
            assert station.model is not None
            self._due.put(station.name, fps, station.model.path, now_s)

    # -- what follows

    def _take(self, station: Station, news: Iterable[StationNews], now_s: float) -> None:
        for item in news:
            self._take_one(station, item, now_s)

    def _take_one(self, station: Station, item: StationNews, now_s: float) -> None:
        match item:
            case AlertNews():
                self._desk.take_alert(station, item)
            case Opened() | Closed():
                self._desk.take_health(station.name, item, now_s)
            case ClipWritten() | ClipFailed():
                self._desk.take_clip(item)
            case Attach() | Detach():
                self._send(item)
            case StateChanged():
                self._note_state(station, item)

    def _note_state(self, station: Station, item: StateChanged) -> None:
        log.info("%s: %s%s", station.name, item.state, f": {item.reason}" if item.reason else "")
        if item.state == "stalled":
            self._metrics.stalled(station.name)

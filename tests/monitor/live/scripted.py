"""Scripted workers, a scripted scorer and a fake clock around a real crew, desk and store."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from random import Random

import numpy as np

from models.spec import ClipSpec
from monitor.alert_rule import AlertRule
from monitor.api.metrics import Metrics
from monitor.calibration import Recording, calibrate
from monitor.capture.records import (
    Captured,
    CaptureSettings,
    ClipFailed,
    ClipWritten,
    Command,
    Connect,
    Connected,
    Counted,
    Disconnected,
    EndClip,
    Notice,
    PictureStats,
    StartClip,
    Stop,
)
from monitor.capture.ring import Head, Ring
from monitor.config.settings import CameraSettings
from monitor.live.clock import Clock
from monitor.live.crew import Crew
from monitor.live.health import HealthNews, Opened
from monitor.live.messages import (
    Answer,
    Attach,
    LiveReading,
    LoadModel,
    ModelFailed,
    ModelLoaded,
    Order,
    Round,
    Scored,
    ScorerEnds,
)
from monitor.live.news import AlertNews
from monitor.live.station import Station
from monitor.records import MapScale

SIZE = (36, 64)
SPEC = ClipSpec(length=4, size=(18, 32), channels=1)
FPS = 10.0
BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class FakeTime:
    """Both clocks; the wall can be set apart from the other."""

    now_s: float = 1000.0
    set_by_s: float = 0.0

    def clock(self) -> Clock:
        return Clock(
            lambda: self.now_s, lambda: BEGAN + timedelta(seconds=self.now_s + self.set_by_s)
        )


def usual(motion: float = 0.02) -> PictureStats:
    return PictureStats(
        mean=100, std=40, sharpness=300, motion=motion, change=1.5, saturation=30, edges=0.95
    )


@dataclass
class ScriptedFeed:
    """A worker whose camera does what `up` and `stats` say of each moment."""

    settings: CaptureSettings
    time: FakeTime
    up: Callable[[float], bool]
    stats: Callable[[float], PictureStats]
    alive: bool = False
    pid: int | None = None
    ring_name: str = "scripted"
    clips: list[str] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    _notices: deque[Notice] = field(default_factory=deque)
    _epoch: int | None = None
    _index: int = 0
    _last_s: float = 0.0
    _paths: dict[str, StartClip] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ring = Ring.private(8, SIZE[0] * SIZE[1] * 3)

    def start(self) -> None:
        self.alive = True

    def send(self, command: Command) -> bool:
        self.commands.append(command)
        match command:
            case Connect():
                self._connect(command.epoch)
            case StartClip():
                self._paths[command.alert_id] = command
            case EndClip():
                begun = self._paths.pop(command.alert_id)
                seconds = command.until_s - begun.from_s
                self._notices.append(ClipWritten(command.alert_id, begun.path, seconds))
                self.clips.append(command.alert_id)
            case Stop():
                self.alive = False
        return self.alive

    def step(self) -> None:
        """One frame, if the camera gives one."""
        now_s = self.time.now_s
        if not self.alive or self._epoch is None:
            return
        if not self.up(now_s):
            return
        image = np.full((*SIZE, 3), self._index % 200, np.uint8)
        head = Head(0, self._index, self._epoch, self._index / FPS, now_s, SIZE, self.stats(now_s))
        self.ring.write(image, head)
        self._index += 1
        if now_s - self._last_s >= 1:
            self._last_s = now_s
            self._notices.append(Counted(int(FPS)))

    def hang_up(self) -> None:
        """The camera ends the connection."""
        if self._epoch is not None:
            self._notices.append(Disconnected("ended", "the camera hung up"))
            self._epoch = None

    def notices(self) -> list[Notice]:
        found = list(self._notices)
        self._notices.clear()
        return found

    def heads_since(self, after_sequence: int) -> tuple[list[Head], int]:
        return self.ring.heads_since(after_sequence)

    @property
    def written(self) -> int:
        return self.ring.written

    def latest(self, after_sequence: int = 0) -> Captured | None:
        return self.ring.latest(after_sequence)

    def since(self, after_sequence: int) -> tuple[list[Captured], int]:
        return self.ring.since(after_sequence)

    def read(self, sequence: int) -> Captured | None:
        return self.ring.read(sequence)

    def release(self, sequence: int) -> None:
        self.ring.release(sequence)

    def kill(self) -> None:
        self.alive = False

    def stop(self, timeout_s: float) -> None:
        self.alive = False

    def _connect(self, epoch: int) -> None:
        if not self.up(self.time.now_s):
            self._notices.append(Disconnected("refused", "nobody listens"))
            return
        self._epoch, self._index = epoch, 0
        self._notices.append(Connected(epoch, SIZE, SIZE, FPS, "h264", "software", live=True))


@lru_cache
@lru_cache
def loaded(path: str) -> ModelLoaded:
    """A model whose normal scores are about 1 and whose threshold is about 2."""
    scores = 1 + 0.2 * np.abs(np.sin(np.arange(4000) * 0.7)) * np.linspace(0.1, 1, 4000)
    times = np.arange(4000) / 2
    calibration = calibrate([Recording(scores, times)], AlertRule(), false_alarms_per_day=24)
    return ModelLoaded(
        path,
        "0" * 32,
        "scripted",
        "scripted",
        FPS,
        SPEC,
        0.3,
        SIZE,
        calibration.to_dict(),
        MapScale(0.0, 1.0),
        "",
        1,
    )


@dataclass
class ScriptedScorer:
    """Scores the newest frame of each camera as `score` says of its moment."""

    feeds: dict[str, ScriptedFeed]
    time: FakeTime
    score: Callable[[str, float], float]
    alive: bool = True
    silent: bool = False
    loads: bool = True
    fails: bool = False  # to read model files
    finds: bool = True  # clips in what came
    each_s: float = 0.0  # that it says a reading took
    rounds: list[tuple[str, ...]] = field(default_factory=list)
    attached: list[str] = field(default_factory=list)
    asked: list[LoadModel] = field(default_factory=list)
    _answers: deque[Answer] = field(default_factory=deque)

    def send(self, order: Order) -> bool:
        if not self.alive:
            return False
        if isinstance(order, LoadModel):
            self.asked.append(order)
        match order:
            case LoadModel() if self.fails:
                self._answers.append(ModelFailed(order.path, f"{order.path} is no model"))
            case LoadModel() if self.loads:
                self._answers.append(loaded(order.path))
            case Attach():
                self.attached.append(order.camera)
            case Round() if not self.silent:
                self.rounds.append(order.cameras)
                found = tuple(self._read(c) for c in order.cameras if self.finds)
                self._answers.append(Scored(found, {}, self.each_s * len(found)))
        return True

    def answers(self) -> Iterable[Answer]:
        found = list(self._answers)
        self._answers.clear()
        return found

    def end(self, words: ScorerEnds) -> None:
        self._answers.append(words)
        self.alive = False

    def kill(self) -> None:
        self.alive = False

    def stop(self) -> None:
        self.alive = False

    def _read(self, camera: str) -> LiveReading:
        ring = self.feeds[camera].ring
        head = ring.head(ring.written)
        assert head is not None
        now_s = self.time.now_s
        score = self.score(camera, now_s)
        jpeg = b"jpeg" if score > 1.5 else None
        return LiveReading(
            camera, head.epoch, head.index, head.time_s, head.received_s, head.received_s,
            now_s, score, 0.5, {}, jpeg, None,
        )  # fmt: skip


@dataclass
class RecordingDesk:
    """Notes what it is given, and has clips begun and ended as the real one does."""

    time: FakeTime
    alerts: list[tuple[float, AlertNews]] = field(default_factory=list)
    clips: list[ClipWritten | ClipFailed] = field(default_factory=list)
    health: list[tuple[float, str | None, HealthNews]] = field(default_factory=list)

    def take_alert(self, station: Station, news: AlertNews) -> None:
        self.alerts.append((self.time.now_s, news))
        alert = news.alert
        if alert.phase == "new":
            station.send(StartClip(alert.id, Path("x.mp4"), alert.start_s - 5, 120))
        if alert.phase == "end":
            station.send(EndClip(alert.id, alert.end_s + 5))

    def take_clip(self, notice: ClipWritten | ClipFailed) -> None:
        self.clips.append(notice)

    def take_health(self, camera: str | None, news: HealthNews, now_s: float) -> None:
        self.health.append((now_s, camera, news))

    def forget(self, camera: str, now_s: float) -> None:
        self.health = [item for item in self.health if item[1] != camera]

    def phases(self, camera: str | None = None) -> list[str]:
        of = (n.alert for _, n in self.alerts)
        return [alert.phase for alert in of if camera in (None, alert.source)]

    def kinds(self) -> list[tuple[str | None, str]]:
        return [(camera, n.kind) for _, camera, n in self.health if isinstance(n, Opened)]


@dataclass
class World:
    """A crew of scripted cameras; `run` lets time pass."""

    names: tuple[str, ...] = ("gate", "yard")
    up: Callable[[str, float], bool] = lambda _camera, _now_s: True
    stats: Callable[[str, float], PictureStats] = lambda _camera, _now_s: usual()
    score: Callable[[str, float], float] = lambda _camera, _now_s: 1.0
    settings: dict[str, object] = field(default_factory=dict)
    loads: bool = True  # scorers find the model file
    load: Callable[[str], LoadModel] = LoadModel

    def __post_init__(self) -> None:
        self.time = FakeTime()
        self.began_s = self.time.now_s
        self.feeds: dict[str, ScriptedFeed] = {}
        self.opened: list[str] = []
        self.scorers: list[ScriptedScorer] = []
        self.desk = RecordingDesk(self.time)
        self.crew = Crew(self._new_scorer, self.desk, Metrics(), Random(1), load=self.load)
        stations = [self.station(name) for name in self.names]
        self.crew.open(stations, self.time.now_s)
        for name in self.names:
            self.crew.judge_by(name, "model.pt", self.time.now_s)

    def station(self, name: str) -> Station:
        camera = CameraSettings(name=name, url="rtsp://camera/1", **self.settings)  # type: ignore[arg-type]
        return Station(camera, CaptureSettings(name, "rtsp://camera/1"), self._open, Random(2))

    def run(self, seconds: float, *, each: Callable[[float], None] = lambda _: None) -> None:
        """20 pumps, 10 frames, 2 supervisions a second."""
        for step in range(round(seconds * 20)):
            self.time.now_s += 0.05
            each(self.time.now_s - self.began_s)
            if step % 2 == 0:
                for feed in self.feeds.values():
                    feed.step()
            self.crew.pump(self.time.now_s)
            if step % 10 == 0:
                self.crew.supervise(self.time.now_s)
            if step % 20 == 0:
                self.crew.control(self.time.now_s)

    def states(self) -> dict[str, str]:
        return {name: station.state for name, station in self.crew.stations.items()}

    def at(self, now_s: float) -> float:
        """Seconds since the beginning."""
        return now_s - self.began_s

    def _open(self, settings: CaptureSettings) -> ScriptedFeed:
        name = settings.name
        self.opened.append(name)
        feed = ScriptedFeed(
            settings,
            self.time,
            lambda now_s: self.up(name, self.at(now_s)),
            lambda now_s: self.stats(name, self.at(now_s)),
        )
        self.feeds[name] = feed
        return feed

    def _new_scorer(self) -> ScriptedScorer:
        scorer = ScriptedScorer(
            self.feeds, self.time, lambda camera, now_s: self.score(camera, self.at(now_s))
        )
        scorer.loads = self.loads
        self.scorers.append(scorer)
        return scorer

"""The demo's run: the product's own train, calibrate and watch, and what came of them."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from models.detector import Budget, Log, silent
from monitor.alert_rule import AlertRule, levels_of
from monitor.datasets import open_data
from monitor.demo.scene import Scene
from monitor.evaluation.results import VideoScores
from monitor.model import Model, save_model
from monitor.pipeline import Progress, calibrate_model, new_detector, quiet, train_model
from monitor.records import Alert, Reading
from monitor.sources import open_source
from monitor.store import Store
from monitor.watching import Event, News, Summary, WatchSettings, watch

DETECTOR = "fusion"  # the default for live use
SOURCE = "demo"  # what its alerts are called by
FALSE_ALARMS_PER_DAY = 24.0  # the product's default
CUTOFF_S, MERGE_S = 1.0, 1.5  # anomalies are planted seconds apart, and shall be told apart


@dataclass(frozen=True, slots=True)
class Learning:
    """What a run may be told of how it learns."""

    minutes: float
    seed: int = 0
    device: str = "cpu"


@dataclass(frozen=True, slots=True)
class Watched:
    """What was seen and told of the footage that was watched."""

    scores: VideoScores
    alerts: tuple[Alert, ...]  # the last phase of each
    snapshots: dict[str, Path] = field(default_factory=dict)  # by the alert's id
    summary: Summary | None = None


def learn(
    scene: Scene, path: Path, how: Learning, *, log: Log = silent, progress: Progress = quiet
) -> Model:
    """Learn from the normal footage, calibrate on the other, save at `path`."""
    data = open_data(scene.learn)
    detector = new_detector(DETECTOR, "lite", {}, data, seed=how.seed).to(how.device)
    budget = Budget(seconds=60 * how.minutes)
    model = train_model(detector, data, budget=budget, seed=how.seed, path=path, log=log)
    return calibrate(model, scene, path, progress=progress)


def calibrate(model: Model, scene: Scene, path: Path, *, progress: Progress = quiet) -> Model:
    """Set the thresholds, for alerts that end soon, and save."""
    data = open_data(scene.calibrate)
    if model.calibration is None:
        model = calibrate_model(model, data, false_alarms_per_day=FALSE_ALARMS_PER_DAY)
    rule = replace(AlertRule(), cutoff_s=CUTOFF_S, merge_s=MERGE_S)
    model = replace(model, calibration=replace(model.calibrated(), rule=rule))
    model = calibrate_model(
        model, data, false_alarms_per_day=FALSE_ALARMS_PER_DAY, progress=progress
    )
    save_model(model, path)
    return model


def watch_rest(
    scene: Scene, model: Model, folder: Path, store: Store, *, tell: Callable[[Event], None]
) -> Watched:
    """Watch the rest as `oddwatch watch` does; alerts go to the store, evidence to the folder."""
    log = _Log()
    settings = WatchSettings(name=SOURCE, model=DETECTOR)
    with open_source(scene.watch) as source:
        for event in watch(source, model, store=store, folder=folder, settings=settings):
            tell(event)
            log.note(event)
    return log.watched(scene, model.calibrated().rule)


@dataclass(slots=True)
class _Log:
    """What is kept of a watch: numbers and paths, no pictures."""

    index: list[int] = field(default_factory=list)
    time_s: list[float] = field(default_factory=list)
    score: list[float] = field(default_factory=list)
    p_value: list[float] = field(default_factory=list)
    alerts: dict[str, Alert] = field(default_factory=dict)
    shots: dict[str, Path] = field(default_factory=dict)
    summary: Summary | None = None

    def note(self, event: Event) -> None:
        match event:
            case Reading():
                self.index.append(event.frame.index)
                self.time_s.append(event.frame.time_s)
                self.score.append(event.score)
                self.p_value.append(np.nan if event.p_value is None else event.p_value)
            case News():
                self.alerts[event.alert.id] = event.alert
                if event.snapshot is not None:
                    self.shots[event.alert.id] = event.snapshot
            case Summary():
                self.summary = event

    def watched(self, scene: Scene, rule: AlertRule) -> Watched:
        times = np.array(self.time_s)
        scores = VideoScores(
            scene.watch.name,
            np.array(self.index),
            times,
            np.array(self.score),
            np.array(self.p_value),
            scene.labels(times),
            level=levels_of(self.score, times, rule),
        )
        return Watched(scores, tuple(self.alerts.values()), self.shots, self.summary)

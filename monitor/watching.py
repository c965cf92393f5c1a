"""One source under watch: frames in; alerts, stored and with their evidence, out.

A file and a camera go the same way. Knows nothing of terminals: what happens is yielded, and
whoever asked decides what to show of it.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil, inf
from pathlib import Path

from monitor.ahead import AHEAD
from monitor.alerts import AlertStage
from monitor.calibration import DAY_S, Calibration
from monitor.errors import SourceError, StoreError
from monitor.ledger import Ledger
from monitor.model import Model
from monitor.promise import RULE_OF_THREE
from monitor.readings import readings_of
from monitor.recorder import Evidence, EvidenceSettings, Recorder
from monitor.records import Alert, Frame, Reading
from monitor.scoring import BATCH
from monitor.sources import Source
from monitor.sources.video import VideoFile
from monitor.store import Store

FASTEST_HZ = 60.0  # of which a model takes a share, where a slower source comes to such a pace
FRAME_BYTES = 256 * 2**20  # of frames on their way through; 95 of 720p, 10 of 4K
MISSING_END_S = 1.0  # of a file: less is a last frame that was not flushed, more a broken file
SLOWER = 0.8  # of the model's rate; the same step takes a fifth longer, as at resampling


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """What a watch may be told; all of it can be left alone."""

    name: str = ""  # of the source, in alerts; empty: its own
    model: str = ""  # what the store says raised the alerts
    origin: datetime | None = None  # aware wall clock at second 0 of the source; None: the start
    until_s: float = inf  # of the source's clock
    evidence: EvidenceSettings = field(default_factory=EvidenceSettings)


@dataclass(frozen=True, slots=True)
class News:
    """A phase of an alert."""

    alert: Alert
    strength: float  # of its peak: 0 is typical, 1 the threshold
    started_at: datetime  # aware
    snapshot: Path | None = None  # the newest there is


@dataclass(frozen=True, slots=True)
class Trouble:
    """One line on what went wrong; watching goes on."""

    text: str


@dataclass(frozen=True, slots=True)
class Summary:
    """What came of watching one source; always the last that is yielded."""

    source: str
    frames: int
    readings: int
    footage_s: float  # by the source's clock, gaps left out
    seconds: float  # that watching took
    alerts: int
    lost: int  # frames or stretches that could not be decoded
    unstored: int  # alerts whose last state the store did not take
    promised_per_day: float  # false alarms
    calibration_founded: bool  # the calibration's own footage could check that promise
    fault: str  # one line on why it ended before its time; empty: it did not

    @property
    def judgeable(self) -> bool:
        """Whether three false alarms would be expected, so that their rate can be judged."""
        return self.promised_per_day * self.footage_s / DAY_S >= RULE_OF_THREE

    @property
    def alerts_per_day(self) -> float:
        """The rate that was seen; means little where it is not judgeable."""
        return self.alerts / self.footage_s * DAY_S if self.footage_s else 0.0


# a Reading holds its frame: look at it and let it go. Evidence comes when a clip is complete
Event = Reading | News | Evidence | Trouble | Summary

DEFAULTS = WatchSettings()


def watch(
    source: Source,
    model: Model,
    *,
    store: Store | None = None,
    folder: Path | None = None,
    settings: WatchSettings = DEFAULTS,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Event]:
    """Watch one source to its end, until `settings.until_s`, or until `stop` says so.

    An alert that is open then, is ended; the same holds when the caller closes the generator.
    A store or a disk that fails is `Trouble`, not an end; what the store missed is offered again.

    Args:
        source: Open; left open.
        model: Calibrated.
        store: Where alerts go; None: nowhere.
        folder: Where snapshots and clips go; None: nowhere.
        settings: See there.
        stop: Asked at every frame.

    Raises:
        CalibrationError: The model is not calibrated.
        UsageError: The source's pictures have another shape than those that the model learned on.
    """
    calibration = model.calibrated()
    model.check_picture(source.size, source.name)
    began = time.monotonic()
    origin = settings.origin or datetime.now(UTC)
    name = settings.name or source.name
    ledger = Ledger(store, origin, settings.model)
    desk = _Desk(calibration, ledger, _recorder(folder, name, model, settings), name)
    flow = _Flow(source, model)
    readings = 0
    yield from _warn_of_rate(source, model)
    try:
        frames = flow.frames(settings.until_s, stop, calibration.rule.max_gap_s)
        for reading in readings_of(frames, model, maps=True, batch=flow.batch, most=flow.ahead):
            yield reading
            readings += 1
            desk.keep(flow.passed(reading))
            desk.take(reading)
            yield from desk.drain()
        desk.keep(flow.passed(None))
    finally:
        desk.finish()
    yield from desk.drain()
    yield Summary(
        name,
        flow.count,
        readings,
        flow.footage_s,
        time.monotonic() - began,
        desk.alerts,
        len(source.corrupt),
        ledger.unstored,
        calibration.promised_per_day,
        calibration.promise_kept_by_data,
        flow.fault() or ("" if readings or flow.stopped else _too_short(flow, model, name)),
    )


def _recorder(
    folder: Path | None, name: str, model: Model, settings: WatchSettings
) -> Recorder | None:
    if folder is None:
        return None
    return Recorder(folder, name, settings=settings.evidence, map_scale=model.map_scale)


def _warn_of_rate(source: Source, model: Model) -> Iterator[Trouble]:
    if source.rate_hz and model.rate_hz and source.rate_hz < SLOWER * model.rate_hz:
        yield Trouble(
            f"{source.name} gives {source.rate_hz:.3g} frames per second, the model learned at "
            f"{model.rate_hz:.3g}: everything will look too fast to it; train it at this rate"
        )


def _too_short(flow: "_Flow", model: Model, name: str) -> str:
    rate = f" at {model.rate_hz:.3g} per second" if model.rate_hz else ""
    return (
        f"{name}: {flow.count} frames, {flow.footage_s:.1f} s, held no clip to judge; the model "
        f"takes {model.detector.spec.span} unbroken frames{rate}"
    )


class _Flow:
    """A source's frames on their way to the detector, kept once more for the evidence.

    Frames may be drawn in another thread than the one that asks which have passed.
    """

    def __init__(self, source: Source, model: Model) -> None:
        self._source = source
        rate, learned = source.rate_hz or 0.0, model.rate_hz or 0.0
        per_clip = max(1, ceil(rate / learned)) if learned else 1
        height, width = source.size
        held = max(4, FRAME_BYTES // (3 * height * width * per_clip))  # clips
        self.batch = 1 if source.live else min(BATCH, held // 2)
        self.ahead = 0 if source.live else min(AHEAD, held - self.batch)
        clips = self.ahead + self.batch + model.detector.spec.span + 2
        fastest = max(per_clip, ceil(FASTEST_HZ / learned)) if learned else 1  # its pace may change
        self._kept: deque[Frame] = deque(maxlen=clips * (fastest + 1))
        self._error = ""
        self._last: Frame | None = None
        self.count = 0
        self.footage_s = 0.0
        self.stopped = False  # because it was asked to

    def frames(self, until_s: float, stop: Callable[[], bool], max_gap_s: float) -> Iterator[Frame]:
        """All frames; a source that fails ends them, and `fault` tells."""
        try:
            with closing(self._source.frames()) as frames:
                for frame in frames:
                    self.stopped = stop() or frame.time_s > until_s
                    if self.stopped:
                        return
                    step_s = frame.time_s - self._last.time_s if self._last else 0.0
                    self.footage_s += step_s if 0 <= step_s <= max_gap_s else 0.0
                    self.count += 1
                    self._last = frame
                    self._kept.append(frame)
                    yield frame
        except SourceError as error:
            self._error = str(error)

    def passed(self, reading: Reading | None) -> Iterator[Frame]:
        """The frames since the last call, up to the reading's; None: all that are left."""
        last = (inf, inf) if reading is None else (reading.frame.epoch, reading.frame.index)
        while self._kept and (self._kept[0].epoch, self._kept[0].index) <= last:
            yield self._kept.popleft()

    def fault(self) -> str:
        """Why the frames ended before their time, in one line; empty: they did not."""
        source = self._source
        if self._error or self.stopped:
            return self._error
        if isinstance(source, VideoFile) and source.index.cut_off:
            return source.corrupt[-1]  # noted by the source, where the file ends
        seen = self._last.index + 1 if self._last else 0
        if source.live or source.n_frames is None:
            return ""
        if source.n_frames - seen <= MISSING_END_S * (source.rate_hz or 0):
            return ""
        return (
            f"{source.name}: stopped after frame {seen} of {source.n_frames}: the rest is damaged"
        )


class _Desk:
    """Where readings become alerts, and alerts rows and files; tells all of it."""

    def __init__(
        self,
        calibration: Calibration,
        ledger: Ledger,
        recorder: Recorder | None,
        name: str,
    ) -> None:
        self._calibration = calibration
        self.ledger = ledger
        self._recorder = recorder
        self._stage = AlertStage(calibration.rule, source=name)
        self._recent: deque[Reading] = deque()  # of the rule's window: a new alert's peak is there
        self._highest: Reading | None = None  # since the alert opened
        self._events: list[Event] = []
        self.alerts = 0

    def drain(self) -> Iterator[Event]:
        """What has happened since the last call."""
        events, self._events = self._events, []
        yield from events

    def keep(self, frames: Iterator[Frame]) -> None:
        """Frames for clips, before the reading that speaks of the last of them."""
        for frame in frames:
            self._keep_one(frame)

    def _keep_one(self, frame: Frame) -> None:
        self._gather(lambda recorder: recorder.keep(frame))

    def take(self, reading: Reading) -> None:
        """The next reading, and what follows from it."""
        self._remember(reading)
        for alert in self._stage.feed(reading):
            self._tell(alert)

    def finish(self) -> None:
        """End what is open, complete its clip, offer the store what it has missed."""
        for alert in self._stage.close():
            self._tell(alert)
        self._gather(Recorder.close)
        self._save(self.ledger.flush)

    def _remember(self, reading: Reading) -> None:
        self._recent.append(reading)
        since_s = reading.frame.time_s - self._calibration.rule.window_s
        while not since_s <= self._recent[0].frame.time_s <= reading.frame.time_s:
            self._recent.popleft()
        if self._highest is not None and reading.score > self._highest.score:
            self._highest = reading

    def _tell(self, alert: Alert) -> None:
        peak = self._peak_of(alert)
        self._highest = None if alert.phase == "end" else peak or self._highest
        self.alerts += alert.phase == "new"
        self._save(lambda: self.ledger.note(alert))
        before = len(self._events)
        self._gather(lambda recorder: recorder.follow(alert, peak))
        news = News(
            alert,
            float(self._calibration.display(alert.peak_score)),
            self.ledger.origin + timedelta(seconds=alert.start_s),
            self.ledger.snapshot_of(alert.id),
        )
        self._events.insert(before, news)  # what came on the disk of it is told after it

    def _peak_of(self, alert: Alert) -> Reading | None:
        """The reading with the peak's picture, where it is still there."""
        known = [self._highest, *self._recent]
        return next((r for r in known if r and r.frame.time_s == alert.peak_s), None)

    def _gather(self, act: Callable[[Recorder], list[Evidence]]) -> None:
        if self._recorder is None:
            return
        try:
            found = act(self._recorder)
        except StoreError as error:
            self._events.append(Trouble(f"{error}; watching goes on without"))
            return
        for evidence in found:
            self._attach(evidence)

    def _attach(self, evidence: Evidence) -> None:
        self._save(lambda: self.ledger.attach(evidence))
        if evidence.clip is not None:
            self._events.append(evidence)

    def _save(self, act: Callable[[], None]) -> None:
        failing = self.ledger.failing
        try:
            act()
        except StoreError as error:
            if not failing:
                text = f"{error}; watching goes on, alerts are not stored until that is mended"
                self._events.append(Trouble(text))
            return
        if failing:
            self._events.append(Trouble("the store works again; what it missed is in it now"))

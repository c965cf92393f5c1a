"""Scoring a data set: every test video through the live stages, then figures, tables, pictures.

Holds the scores of all videos, but frames and maps of a few moments only.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from monitor.ahead import ahead
from monitor.alert_rule import levels_of
from monitor.alerts import AlertStage
from monitor.apart import has_learned_from
from monitor.clips import at_rate
from monitor.computed import Computed
from monitor.datasets import DataSet, Video
from monitor.errors import (
    ClusterError,
    DataSetError,
    DeviceError,
    LabelError,
    MonitorError,
    UsageError,
)
from monitor.evaluation.baselines import FlowMagnitude
from monitor.evaluation.metrics import FloatArray
from monitor.evaluation.page import Picture, drawable, write_report
from monitor.evaluation.pictures import worst_misses
from monitor.evaluation.pixels import PixelFigures
from monitor.evaluation.report import Report, RunFacts, video_report
from monitor.evaluation.results import Alerts, VideoScores, alert_tables, score_tables
from monitor.files import check_folder, same_place
from monitor.model import Model, versions
from monitor.paces import pace_notes, too_slow
from monitor.progress import Progress, quiet
from monitor.readings import readings_of
from monitor.records import Alert, Reading
from monitor.runtimes import computed_by
from monitor.runtimes.graphs import GraphError
from monitor.sights import highest, highest_picture, misses_of, scale_of, sights_of
from monitor.tally import Clock, Count, MapComparison, Table

log = logging.getLogger(__name__)

NOTED = 5  # lines on unreadable frames in the report; the count has them all


@dataclass(frozen=True, eq=False)
class ScoredVideo:
    """What came of one video."""

    scores: VideoScores
    alerts: tuple[Alert, ...] | None  # each in its last phase; None: the model is not calibrated
    seconds: float  # of decoding and scoring
    unreadable: int  # frames that were left out
    computed: frozenset[Computed] = frozenset()


@dataclass(eq=False)
class _Run:
    """What has been gathered so far."""

    videos: list[Video] = field(default_factory=list)  # those that were scored
    scored: list[ScoredVideo] = field(default_factory=list)
    pixels: PixelFigures | None = None  # of those
    notes: list[str] = field(default_factory=list)
    stopped: DeviceError | GraphError | None = None  # what no later video would be scored without


class Look(Protocol):
    """Where the readings of a video come from."""

    def __call__(self, video: Video, model: Model, seen: Count, *, maps: bool) -> Iterator[Reading]:
        """In order; at the end `seen` knows the frames that could be read and what computed."""
        ...


def look(video: Video, model: Model, seen: Count, *, maps: bool) -> Iterator[Reading]:
    """They are made here."""
    yield from readings_of(seen.count(video.frames()), model, maps=maps)
    seen.computed |= computed_by(model.detector)


def score_data(  # noqa: PLR0913
    model: Model,
    data: DataSet,
    out: Path,
    *,
    command: str = "",
    pictures: bool = True,
    progress: Progress = quiet,
    look: Look = look,
) -> Report:
    """Score a data set's test videos, all videos where it has none, and write the results.

    Writes `scores.csv`, `terms.csv`, `alerts.csv`, `report.json`, `report.html` and its pictures
    into `out`.
    A video that cannot be scored is noted in the report and does not lose the others. Where what
    computes fails, the videos before are written, and that is raised.

    Args:
        model: Fitted; without calibration there are no alerts and no p-values.
        data: Opened as strict, the first problem of a video is raised.
        out: A folder; made where it is missing.
        command: That does it again, for the report.
        pictures: Draw plots and take second looks.
        progress: Called as frames are scored.
        look: Where readings come from.

    Raises:
        DataSetError: If nothing could be scored: the first problem, whatever its kind.
        UsageError: If a source is live.
        StoreError: If the results cannot be written.
        DeviceError: If an accelerator fails.
        GraphError: If the runtime of an export does.
    """
    new = not out.exists()
    check_folder(out)
    try:
        run = _score_all(model, data, progress, look)
    except BaseException:
        if new:
            with suppress(OSError):
                out.rmdir()
        raise
    scores = [scored.scores for scored in run.scored]
    flow = _flow_baseline(model, run, progress)
    alerts = None
    if model.calibration is not None:
        alerts = {scored.scores.name: scored.alerts or () for scored in run.scored}
    facts = _facts(model, data, run, command)
    report = video_report(facts, scores, flow=flow, alerts=alerts, pixels=run.pixels)
    unreadable = sum(scored.unreadable for scored in run.scored)
    looks = pictures and run.stopped is None  # second ones need what failed
    said = list[str]()
    drawn = list(_pictures(model, run, facts, alerts, flow, said)) if looks else []
    notes = [*report.texts("notes"), *said]
    report = Report({**report.figures, "frames_unreadable": unreadable, "notes": notes})
    write_report(out, report, drawn, tables=score_tables(scores) | alert_tables(alerts))
    if run.stopped is not None:
        done = (
            f"{len(scores)} of {len(data.test or data.train)} videos were scored before: see {out}"
        )
        raise type(run.stopped)(f"{run.stopped}; {done}") from run.stopped
    return report


def _score_all(model: Model, data: DataSet, progress: Progress, look: Look) -> _Run:
    run = _Run(notes=_opening_notes(model, data))
    problems: list[MonitorError] = []
    videos = data.test or data.train
    overall = _Overall("scoring", videos, progress)
    for video in videos:
        try:
            _add(run, video, model, overall.of(video), look)
        except (DeviceError, GraphError) as error:
            run.notes.append(f"{video.name} and all after it are not scored: {error}")
            run.stopped = error
            break
        except MonitorError as error:
            if video.strict or isinstance(error, LabelError | ClusterError):
                raise
            run.notes.append(f"{video.name} is not scored: {error}")
            problems.append(error)
    if not run.scored:
        nothing = DataSetError(f"{data.root}: there is no video to score")
        raise run.stopped or next(iter(problems), nothing)
    for problem in problems:
        log.warning("not scored: %s", problem)
    return run


def _add(run: _Run, video: Video, model: Model, progress: Progress, look: Look) -> None:
    pixels = None if video.masks is None else PixelFigures()  # its own until it is whole
    scored = score_video(video, model, pixels, progress, look)
    if run.pixels is None:
        run.pixels = pixels
    elif pixels is not None:
        run.pixels.merge(pixels)
    run.videos.append(video)
    run.scored.append(scored)
    run.notes += _video_notes(video, scored, model)


def score_video(
    video: Video,
    model: Model,
    pixels: PixelFigures | None = None,
    progress: Progress = quiet,
    look: Look = look,
) -> ScoredVideo:
    """Score one video; its maps go to `pixels` where the video has masks.

    Raises:
        UsageError: If it is live, or of another shape than the model learned on.
        DataSetError: If it is shorter than a clip.
        SourceError: If it cannot be read.
    """
    if video.n_frames is None:
        raise UsageError(f"{video.name}: a live source has no end; see: oddwatch watch --help")
    model.check_picture(video.size, str(video.path))
    table, clock, seen = Table(), Clock(), Count()
    masks = video.masks if pixels is not None else None
    maps = MapComparison(pixels, masks)
    calibration = model.calibration
    stage = None if calibration is None else AlertStage(calibration.rule, source=video.name)
    alerts: list[Alert] = []
    readings = look(video, model, seen, maps=masks is not None)
    for reading in clock.time(readings):
        table.add(reading)
        maps.add(reading)
        alerts += [] if stage is None else stage.feed(reading)
        progress("scoring", reading.frame.index + 1, video.n_frames)
    maps.flush()
    alerts += [] if stage is None else stage.close()
    ended = tuple(alert for alert in alerts if alert.phase == "end")
    unreadable = video.n_frames - seen.frames
    if not table.index:
        raise _nothing_scored(video, seen.frames, model)
    scores = table.scores(video)
    if calibration is not None:
        scores = replace(scores, level=levels_of(scores.score, scores.time_s, calibration.rule))
    computed = frozenset(seen.computed)
    return ScoredVideo(
        scores, None if stage is None else ended, clock.seconds, unreadable, computed
    )


def _nothing_scored(video: Video, frames: int, model: Model) -> DataSetError:
    span, rate = model.detector.spec.span, model.rate_hz
    pace = f" at {rate:.3g} per second" if rate else ""
    short = (
        f"{video.path}: {frames} of {video.n_frames} frames could be read, and one clip of "
        f"{model.detector.name} takes {span} unbroken ones{pace}; expected a longer video"
    )
    return DataSetError(too_slow(video, model) or short)


class _Overall:
    """Progress over all videos instead of each of them."""

    def __init__(self, what: str, videos: Sequence[Video], progress: Progress) -> None:
        self._what, self._progress = what, progress
        self._before: dict[str, int] = {}
        self._total = 0
        for video in videos:
            self._before[video.name] = self._total
            with suppress(MonitorError):  # it will be said when its turn comes
                self._total += video.n_frames or 0

    def of(self, video: Video) -> Progress:
        """A progress for one of the videos."""
        before = self._before[video.name]
        return lambda _what, done, _total: self._progress(self._what, before + done, self._total)


def _opening_notes(model: Model, data: DataSet) -> list[str]:
    notes = list(data.notes)
    if not data.test:
        notes.append("there is no test split: all videos are scored")
    same = same_place(model.provenance.get("data"), data.root)
    whole = same and (not data.test or data.test == data.train)
    if whole or has_learned_from(model.provenance, data.test or data.train):
        notes.append(
            "the model learned from this very footage: where it did, scores are lower than they "
            "would be on new footage"
        )
    if model.calibration is None:
        notes.append(
            "the model is not calibrated: no p-values, no alerts; run: oddwatch calibrate MODEL "
            "NORMAL_DATA"
        )
    return notes


def _video_notes(video: Video, scored: ScoredVideo, model: Model) -> Iterator[str]:
    if scored.unreadable:
        yield f"{video.name}: {scored.unreadable} of {video.n_frames} frames are unreadable"
    yield from video.source.corrupt[:NOTED]
    if len(video.source.corrupt) > NOTED:
        yield f"{video.name}: and {len(video.source.corrupt) - NOTED} more such lines"
    yield from pace_notes(scored.scores, model.rate_hz)


def _flow_baseline(model: Model, run: _Run, progress: Progress) -> list[FloatArray] | None:
    """The unlearned flow magnitude of the scored frames, where there are labels to judge it by."""
    if all(video.labels is None for video in run.videos):
        return None
    overall = _Overall("flow baseline", run.videos, progress)
    return [
        np.zeros(len(scored.scores.index))
        if video.labels is None
        else _flow_of(video, scored.scores.index, model, overall.of(video))
        for video, scored in zip(run.videos, run.scored, strict=True)
    ]


def _flow_of(
    video: Video, index: NDArray[np.integer], model: Model, progress: Progress
) -> FloatArray:
    magnitude = FlowMagnitude()
    found: dict[int, float] = {}
    for frame in ahead(at_rate(video.frames(), model.rate_hz)):
        found[frame.index] = magnitude.score(frame.image)
        progress("flow baseline", frame.index + 1, video.n_frames)
    return np.array([found[place] for place in index.tolist()])


def _facts(model: Model, data: DataSet, run: _Run, command: str) -> RunFacts:
    seconds = sum(scored.seconds for scored in run.scored)
    frames = sum(len(scored.scores.index) for scored in run.scored)
    calibration = model.calibration
    if calibration is not None:
        run.notes += [f"calibration: {text}" for text in calibration.notes]
    return RunFacts(
        detector=model.detector.name,
        preset=model.preset,
        computed=frozenset[Computed]().union(*(scored.computed for scored in run.scored)),
        seed=model.provenance.get("seed"),
        seconds=seconds,
        fps=frames / seconds if seconds > 0 else None,
        versions=versions(),
        data=data.name,
        command=command,
        threshold=None if calibration is None else calibration.rule.enter,
        false_alarms_per_day=None if calibration is None else calibration.promised_per_day,
        label_source=data.label_source,
        notes=tuple(run.notes),
    )


def _pictures(
    model: Model,
    run: _Run,
    facts: RunFacts,
    alerts: Alerts | None,
    flow: Sequence[FloatArray] | None,
    said: list[str],
) -> Iterator[Picture]:
    """The overview, second looks, then the other plots; why some are missing goes to `said`."""

    def plots() -> Iterator[Picture]:
        from monitor.evaluation.gallery import video_pictures

        yield from video_pictures(scores, threshold=facts.threshold, alerts=alerts, flow=flow)

    scores = [scored.scores for scored in run.scored]
    drawn = drawable(plots(), said)
    yield from islice(drawn, 1)
    yield from drawable(_looks(model, run, scores), said)
    yield from drawn


def _looks(model: Model, run: _Run, scores: Sequence[VideoScores]) -> Iterator[Picture]:
    """A second look that fails loses only itself."""
    from monitor.evaluation.gallery import misses_picture

    try:
        peaks = sights_of(highest(scores), run.videos, model)
        misses = sights_of(worst_misses(scores), run.videos, model)
    except (MonitorError, ModelError) as error:
        log.warning("no pictures of single frames: %s", error)
        peaks, misses = [], []
    if peaks:
        scale = scale_of(model, [sight for _, sight in peaks])
        yield highest_picture(peaks, scale)
        if misses:
            yield misses_picture(misses_of(misses), scale)

"""Alarms as people live them: how soon an event is noticed, how often nothing was there.

An event is a run of frames labelled anomalous, scored or not: a detector that is still blind when
it begins is late. An alarm is a run of scored frames that are alarmed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from monitor.alert_rule import AlertRule
from monitor.evaluation.metrics import BoolArray, EvaluationError, FloatArray
from monitor.evaluation.results import Event, VideoScores
from monitor.records import Alert

GAP_S = AlertRule().max_gap_s  # a longer silence is no footage: nobody watched


@dataclass(frozen=True, slots=True)
class Delays:
    """How soon each event was noticed, and how many never were."""

    found_s: tuple[float, ...]  # from an event's first frame to the first alarmed frame in it
    missed: int

    @property
    def events(self) -> int:
        """How many events there were."""
        return len(self.found_s) + self.missed

    @property
    def median_s(self) -> float | None:
        """Of the events that were found; None where none was."""
        return median(self.found_s) if self.found_s else None


@dataclass(frozen=True, slots=True)
class FalseAlarms:
    """Alarms that touch no anomalous frame, and the normal footage they fell in."""

    count: int
    normal_s: float

    @property
    def per_hour(self) -> float | None:
        """None where there is no normal footage."""
        return 3600 * self.count / self.normal_s if self.normal_s else None


def over_threshold(videos: Sequence[VideoScores], threshold: float) -> list[BoolArray]:
    """Which frames score `threshold` or more; (N,) per video."""
    return [np.asarray(video.score >= threshold) for video in videos]


def within_alerts(video: VideoScores, alerts: Sequence[Alert]) -> BoolArray:
    """Which frames lie inside one of the alerts, both ends included; (N,)."""
    inside = np.zeros(len(video.index), np.bool_)
    for alert in alerts:
        inside |= (video.time_s >= alert.start_s) & (video.time_s <= alert.end_s)
    return inside


def detection_delay_s(videos: Sequence[VideoScores], alarms: Sequence[BoolArray]) -> Delays:
    """Delays of all labelled events; an alarm that was already on finds an event at once.

    Raises:
        EvaluationError: A video has no labels.
    """
    delays = [
        _delay(event, video.time_s, alarm)
        for video, alarm in zip(videos, alarms, strict=True)
        for event in events_of(video)
    ]
    found = tuple(delay for delay in delays if delay is not None)
    return Delays(found, len(delays) - len(found))


def false_alarms(videos: Sequence[VideoScores], alarms: Sequence[BoolArray]) -> FalseAlarms:
    """Runs of alarm that touch no anomalous frame, over the seconds of normal frames.

    Raises:
        EvaluationError: A video has no labels.
    """
    count, normal_s = 0, 0.0
    for video, alarm in zip(videos, alarms, strict=True):
        label = _labels(video)
        count += sum(not label[run].any() for run in runs(alarm))
        normal_s += float(frame_steps(video.time_s)[~label].sum())
    return FalseAlarms(count, normal_s)


def false_alarms_per_hour(videos: Sequence[VideoScores], threshold: float) -> float | None:
    """`false_alarms` for the bare threshold, without smoothing or merging.

    Raises:
        EvaluationError: A video has no labels.
    """
    return false_alarms(videos, over_threshold(videos, threshold)).per_hour


def runs(flags: BoolArray) -> Iterator[slice]:
    """The stretches of True, in order."""
    edges = np.flatnonzero(np.diff(flags, prepend=False, append=False))
    return (slice(int(start), int(end)) for start, end in edges.reshape(-1, 2))


def events_of(video: VideoScores) -> Sequence[Event]:
    """The labelled events of a video; where only scored frames have labels, those they show.

    Raises:
        EvaluationError: It has no labels.
    """
    label, time_s = _labels(video), video.time_s
    if video.events is not None:
        return video.events
    return [Event(float(time_s[run][0]), float(time_s[run][-1])) for run in runs(label)]


def frame_steps(time_s: FloatArray) -> FloatArray:
    """Seconds that each frame stands for, at even rates and uneven ones; (N,).

    That is until the next one, `GAP_S` at most; the last one stands as long as that before it.
    """
    steps = np.clip(np.diff(time_s), 0.0, GAP_S)
    return np.append(steps, steps[-1:] if len(steps) else 0.0)


def _delay(event: Event, time_s: FloatArray, alarm: BoolArray) -> float | None:
    """None: never; an alarm that spans the event's first frame found it at once."""
    first, last = np.searchsorted(time_s, [event.start_s, event.end_s + 1e-9]).tolist()
    around = alarm[max(first - 1, 0) : first + 1]
    if len(around) == 2 and around.all() and time_s[first] - time_s[first - 1] <= GAP_S:
        return 0.0
    found = np.flatnonzero(alarm[first:last])
    return float(time_s[first + found[0]] - event.start_s) if len(found) else None


def _labels(video: VideoScores) -> BoolArray:
    if video.label is None:
        raise EvaluationError(f"{video.name} has no labels")
    return video.label

"""A result of `oddwatch score` as something that can be played: videos as cameras, side by side.

Scores become times the threshold as everywhere: 0 is the median of what
is under the threshold, 1 the threshold.
Imports no Textual.
"""

import csv
import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite
from pathlib import Path
from statistics import median

from monitor.api.schema import AlertView, CameraStatus, EngineStatus, Message, ScorePoint
from monitor.errors import DataSetError
from monitor.tui.state.words import TIMES

MIDNIGHT = datetime(2000, 1, 1)  # noqa: DTZ001  local: a recording knows only its own seconds
ORIGIN = MIDNIGHT.astimezone(UTC)
MERGE_S = 10.0  # as the alert rule has it
LEAST_S = 0.5
Row = tuple[float, float | None]  # seconds, times the threshold


@dataclass(frozen=True, slots=True)
class Track:
    """One video."""

    name: str
    times: Sequence[float]  # seconds, rising
    scores: Sequence[float | None]  # times the threshold
    labels: Sequence[bool]  # truth, empty where there is none
    alerts: Sequence[AlertView]

    @property
    def end_s(self) -> float:
        """Of its last reading."""
        return self.times[-1] if self.times else 0.0

    def points(self, since_s: float, second: float) -> list[ScorePoint]:
        """Readings after one second and until another."""
        first, last = bisect_right(self.times, since_s), bisect_right(self.times, second)
        return [
            ScorePoint(camera=self.name, at=ORIGIN + timedelta(seconds=at), score=score)
            for at, score in zip(self.times[first:last], self.scores[first:last], strict=True)
        ]

    def newest(self, second: float) -> float | None:
        """The reading at a second."""
        place = bisect_right(self.times, second)
        return self.scores[place - 1] if place else None


@dataclass(frozen=True, slots=True)
class Recording:
    """A whole result."""

    folder: Path
    tracks: Sequence[Track]
    detector: str
    version: str
    promised_per_day: float | None
    measured_per_day: float | None
    notes: Sequence[str]

    @property
    def end_s(self) -> float:
        """Of the longest video."""
        return max((track.end_s for track in self.tracks), default=0.0)

    def at(self, second: float, since_s: float, *, speed: float) -> Message:
        """Everything as it is at a second; readings since another."""
        now = ORIGIN + timedelta(seconds=second)
        return Message(
            engine=self._engine(now, speed),
            cameras=[self._camera(track, second, now) for track in self.tracks],
            scores=[point for track in self.tracks for point in track.points(since_s, second)],
            alerts=self.alerts_until(second),
        )

    def alerts_until(self, second: float) -> list[AlertView]:
        """Those that have begun; open ones as they are then."""
        now = ORIGIN + timedelta(seconds=second)
        return [
            alert
            if alert.ended_at <= now
            else alert.model_copy(update={"phase": "update", "ended_at": now, "revision": 1})
            for track in self.tracks
            for alert in track.alerts
            if alert.started_at <= now
        ]

    def _engine(self, now: datetime, speed: float) -> EngineStatus:
        return EngineStatus(
            version=self.version,
            state="running",
            started_at=ORIGIN,
            now=now,
            cameras=len(self.tracks),
            store=str(self.folder),
            runtime=f"a replay at {speed:g}{TIMES}",
        )

    def _camera(self, track: Track, second: float, now: datetime) -> CameraStatus:
        begun = [alert for alert in track.alerts if alert.started_at <= now]
        is_open = [alert for alert in begun if alert.ended_at > now]
        return CameraStatus(
            name=track.name,
            state="ended" if second >= track.end_s else "running",
            since=ORIGIN,
            reason="" if second < track.end_s else "the video is at its end",
            score=track.newest(second),
            open_alert=is_open[0].id if is_open else None,
            last_alert_at=begun[-1].started_at if begun else None,
            alerts_today=len(begun),
            detector=self.detector,
            promised_per_day=self.promised_per_day,
            measured_per_day=self.measured_per_day,
            notes=list(self.notes),
        )


def read_recording(folder: Path) -> Recording:
    """A folder that `oddwatch score` wrote for videos.

    Raises:
        DataSetError: It is none; the message says what is missing.
    """
    report = _report(folder / "report.json")
    threshold = report.get("threshold")
    if not isinstance(threshold, int | float):
        raise DataSetError(
            f"{folder}: its model was not calibrated, so there is no threshold to show"
        )
    groups = _read(folder / "scores.csv")
    finite = [score for rows in groups.values() for _, score, _ in rows if isfinite(score)]
    if not finite:
        raise DataSetError(f"{folder / 'scores.csv'}: it has no scores")
    calm = [score for score in finite if score < threshold]
    if not calm:
        raise DataSetError(f"{folder}: every score is over the threshold {threshold:g}")
    typical = median(calm)
    scale = float(threshold) - typical
    notes = report.get("notes")
    return Recording(
        folder=folder,
        tracks=[_track(name, rows, typical, scale) for name, rows in groups.items()],
        detector=str(report.get("detector", "")),
        version=str(_dict(report.get("versions")).get("oddwatch", "")),
        promised_per_day=_number(report.get("false_alarm_rate_promised")),
        measured_per_day=_number(report.get("false_alarm_rate_measured")),
        notes=[str(note) for note in notes] if isinstance(notes, list) else [],
    )


def _report(path: Path) -> dict[str, object]:
    try:
        return _dict(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise DataSetError(
            f"{path.parent} is no result of oddwatch score: {path.name} cannot be read"
        ) from error
    except ValueError as error:
        raise DataSetError(f"{path}: it is no JSON ({error})") from error


def _read(path: Path) -> dict[str, list[tuple[float, float, str]]]:
    groups: dict[str, list[tuple[float, float, str]]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                group = groups.setdefault(row["video"], [])
                group.append((float(row["time_s"]), float(row["score"]), row["label"]))
    except OSError as error:
        raise DataSetError(f"{path} cannot be read: {error.strerror or error}") from error
    except KeyError as error:
        raise DataSetError(f"{path} has no column {error}: a replay is of scored videos") from error
    except (ValueError, TypeError) as error:
        raise DataSetError(f"{path}: a cell is no number: {error}") from error
    return groups


def _track(
    name: str, raw: Sequence[tuple[float, float, str]], typical: float, scale: float
) -> Track:
    rows = [(at, (score - typical) / scale if isfinite(score) else None) for at, score, _ in raw]
    labels = [label == "1" for _, _, label in raw] if all(label for _, _, label in raw) else []
    rows.sort(key=lambda row: row[0])
    times, scores = [row[0] for row in rows], [row[1] for row in rows]
    return Track(name, times, scores, labels, _alerts(name, rows))


def _alerts(name: str, rows: Sequence[Row]) -> list[AlertView]:
    """Stretches over the threshold, short gaps merged; an outline of what the engine would do."""
    found: list[list[Row]] = []
    for at, score in rows:
        if score is None or score < 1:
            continue
        if found and at - found[-1][-1][0] <= MERGE_S:
            found[-1].append((at, score))
        else:
            found.append([(at, score)])
    kept = [stretch for stretch in found if stretch[-1][0] - stretch[0][0] >= LEAST_S]
    return [_alert(name, number, stretch) for number, stretch in enumerate(kept)]


def _alert(name: str, number: int, stretch: Sequence[Row]) -> AlertView:
    peak = max(stretch, key=lambda row: row[1] or 0.0)
    return AlertView(
        id=f"{name}-{number}",
        camera=name,
        phase="end",
        revision=2,
        started_at=ORIGIN + timedelta(seconds=stretch[0][0]),
        ended_at=ORIGIN + timedelta(seconds=stretch[-1][0]),
        peak_at=ORIGIN + timedelta(seconds=peak[0]),
        strength=peak[1],
        reason="over the threshold in the replay",
    )


def _dict(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None

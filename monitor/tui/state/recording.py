"""What can be played again: the scores of cameras over a stretch of time, with their alerts.

A result of `oddwatch score` is one (see `result`), a stretch of an engine's store another (see
`stretch`). Imports no Textual.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import isnan
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monitor.api.schema import (
    AlertView,
    CameraState,
    CameraStatus,
    EngineStatus,
    HealthView,
    Message,
    ScorePoint,
)
from monitor.tui.state.words import TIMES

MIDNIGHT = datetime(2000, 1, 1)  # noqa: DTZ001  local: a result knows only its own seconds
ORIGIN = MIDNIGHT.astimezone(UTC)
OPEN = {"phase": "update", "revision": 0, "ended_by": ""}  # an alert that goes on
BEFORE = 50  # alerts that are told of whenever they were
UNSCORED_S = 30.0  # a camera is scored every five seconds at least, whatever it sees
ILL: Mapping[str, CameraState] = {
    "stalled": "stalled",
    "offline": "backoff",
    "failed": "failed",
    **dict.fromkeys(("dark", "bright", "covered", "frozen", "moved", "blurred"), "blind"),
}  # what a health event makes of a camera; others leave it running


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One camera, or one video. Seconds count from the recording's origin."""

    name: str
    times: NDArray[np.float64]  # (n,) seconds, rising
    levels: NDArray[np.float32]  # (n,) times the threshold, NaN: no number
    alerts: Sequence[AlertView] = ()
    ills: Sequence[HealthView] = ()

    @property
    def end_s(self) -> float:
        """Of its last reading."""
        return float(self.times[-1]) if len(self.times) else 0.0

    def points(self, origin: datetime, since_s: float, second: float) -> list[ScorePoint]:
        """Readings after one second and until another."""
        first, last = np.searchsorted(self.times, (since_s, second), side="right").tolist()
        read = zip(self.times[first:last].tolist(), self.levels[first:last].tolist(), strict=True)
        return [
            ScorePoint(
                camera=self.name,
                at=origin + timedelta(seconds=at),
                score=None if isnan(level) else level,
            )
            for at, level in read
        ]

    def newest(self, second: float) -> tuple[float, float | None]:
        """How long ago it was scored at a second, and at what; infinite: never."""
        place = int(np.searchsorted(self.times, second, side="right"))
        if not place:
            return float("inf"), None
        level = float(self.levels[place - 1])
        return second - float(self.times[place - 1]), None if isnan(level) else level

    def ill(self, now: datetime) -> HealthView | None:
        """What was wrong with it, and kept it from being judged."""
        return next((ill for ill in self.ills if ill.kind in ILL and _goes_on(ill, now)), None)


@dataclass(frozen=True, slots=True)
class Facts:
    """What does not change in it."""

    version: str = ""
    detector: str = ""
    promised_per_day: float | None = None
    measured_per_day: float | None = None
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Recording:
    """All tracks, from second 0 to `end_s`."""

    place: str  # what it was read from
    origin: datetime  # of second 0
    end_s: float
    tracks: Sequence[Track]
    facts: Facts = Facts()
    engine_ills: Sequence[HealthView] = ()  # of no one camera
    snapshots: Mapping[str, Path] = field(default_factory=dict)  # by alert
    videos: bool = False  # each ends by itself, and no wall clock was there

    def moment(self, second: float) -> datetime:
        """On the clock."""
        return self.origin + timedelta(seconds=second)

    def second(self, moment: datetime) -> float:
        """Since its beginning."""
        return (moment - self.origin).total_seconds()

    def at(self, second: float, since_s: float, *, speed: float) -> Message:
        """Everything as it is at a second; readings since another."""
        now = self.moment(second)
        return Message(
            engine=self._engine(now, speed),
            cameras=[self._camera(track, second, now) for track in self.tracks],
            scores=[
                point
                for track in self.tracks
                for point in track.points(self.origin, since_s, second)
            ],
            alerts=self._told(second, self.moment(since_s)),
            health=self._health(now),
        )

    def _told(self, second: float, since: datetime) -> list[AlertView]:
        """As an engine tells: what changed since, and the newest of before."""
        begun = sorted(self.alerts_until(second), key=lambda alert: alert.started_at)
        return [*(one for one in begun[:-BEFORE] if one.ended_at >= since), *begun[-BEFORE:]]

    def alerts_until(self, second: float) -> list[AlertView]:
        """Those that have begun; open ones as they are then."""
        now = self.moment(second)
        return [
            alert if alert.ended_at <= now else alert.model_copy(update=OPEN | {"ended_at": now})
            for track in self.tracks
            for alert in track.alerts
            if alert.started_at <= now
        ]

    def _health(self, now: datetime) -> list[HealthView]:
        ills = [*self.engine_ills, *(ill for track in self.tracks for ill in track.ills)]
        return [
            ill if _over(ill, now) else ill.model_copy(update={"ended_at": None})
            for ill in ills
            if ill.started_at <= now
        ]

    def _engine(self, now: datetime, speed: float) -> EngineStatus:
        return EngineStatus(
            version=self.facts.version,
            state="running",
            started_at=self.origin,
            now=now,
            cameras=len(self.tracks),
            store=self.place,
            runtime=f"a replay at {speed:g}{TIMES}",
        )

    def _camera(self, track: Track, second: float, now: datetime) -> CameraStatus:
        begun = [alert for alert in track.alerts if alert.started_at <= now]
        is_open = [alert for alert in begun if alert.ended_at > now]
        state, since, reason = self._state(track, second, now)
        return CameraStatus(
            name=track.name,
            state=state,
            since=since,
            reason=reason,
            score=track.newest(second)[1] if state == "running" else None,
            open_alert=is_open[-1].id if is_open else None,
            last_alert_at=begun[-1].started_at if begun else None,
            alerts_today=len(begun),
            detector=self.facts.detector,
            promised_per_day=self.facts.promised_per_day,
            measured_per_day=self.facts.measured_per_day,
            notes=list(self.facts.notes),
        )

    def _state(
        self, track: Track, second: float, now: datetime
    ) -> tuple[CameraState, datetime, str]:
        if self.videos:
            over = second >= track.end_s
            return "ended" if over else "running", self.origin, _ENDED if over else ""
        ill = track.ill(now)
        if ill is not None:
            return ILL[ill.kind], ill.started_at, ill.text
        age_s = track.newest(second)[0]
        if age_s > UNSCORED_S:
            since = self.moment(max(0.0, second - age_s))
            return "paused", since, "no scores were kept of this time"
        return "running", self.origin, ""


_ENDED = "the video is at its end"


def _over(ill: HealthView, now: datetime) -> bool:
    return ill.ended_at is not None and ill.ended_at <= now


def _goes_on(ill: HealthView, now: datetime) -> bool:
    return ill.started_at <= now and not _over(ill, now)

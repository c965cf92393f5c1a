"""What the store keeps, in the words of the API."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from monitor.api.schema import AlertView, AlertWanted, CameraStatus, ScorePoint
from monitor.errors import MonitorError
from monitor.store import AlertQuery, Store, StoredAlert
from monitor.store_query import Condition

CONTENT_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".mp4": "video/mp4",
    ".mkv": "video/x-matroska",
    ".ts": "video/mp2t",
    ".webm": "video/webm",
}  # of evidence; nothing else is handed out
NOBODY = ""  # no camera is named so


class NoEvidenceError(MonitorError):
    """An alert has no such picture or clip."""


def alert_view(stored: StoredAlert) -> AlertView:
    """An alert as the API gives it out; whether its files still lie there is not looked up."""
    alert = stored.alert
    length_s = alert.peak_s - alert.start_s
    return AlertView(
        id=alert.id,
        camera=alert.source,
        phase=alert.phase,
        revision=alert.revision,
        started_at=stored.started_at,
        ended_at=stored.ended_at,
        peak_at=stored.started_at + timedelta(seconds=length_s),
        strength=stored.strength,
        p_value=alert.peak_p_value,
        reason=alert.reason,
        region=stored.region,
        ended_by=alert.ended_by,
        continues=alert.continues,
        model=stored.model,
        acknowledged_at=stored.acknowledged_at,
        label=stored.label,
        note=stored.note,
        pinned=stored.pinned,
        has_snapshot=bool(stored.snapshot),
        has_clip=bool(stored.clip),
        clip_path=stored.clip,
    )


def store_query(
    wanted: AlertWanted,
    cameras: Iterable[CameraStatus],
    *,
    also: Condition | None = None,
) -> AlertQuery:
    """What the store is asked; words of the text that are tags of cameras choose by these."""
    tags_of = {camera.name: set(camera.tags) for camera in cameras}
    words = wanted.text.split()
    known = set().union(*tags_of.values())
    tags = {word for word in words if word in known} | ({wanted.tag} if wanted.tag else set())
    tagged = tuple(name for name, own in tags_of.items() if tags <= own)
    return AlertQuery(
        sources=(tagged or (NOBODY,)) if tags else (),
        also=also,
        source=wanted.camera,
        since=wanted.since,
        until=wanted.until,
        is_open=wanted.open,
        acknowledged=wanted.acknowledged,
        label=wanted.label,
        labelled=wanted.labelled,
        pinned=wanted.pinned,
        text=" ".join(word for word in words if word not in tags),
        sort=wanted.sort,
    )


def kept_scores(store: Store, camera: str, since: datetime, until: datetime) -> list[ScorePoint]:
    """What the store has of a camera's scores in [since, until), one a second, oldest first."""
    return [
        ScorePoint(camera=camera, at=at, score=float(minute.levels[second]))
        for minute in store.curves.find(since, until, camera)
        for second in minute.scored.tolist()
        if since <= (at := minute.at + timedelta(seconds=second)) < until
    ]


def evidence_path(path: str, folder: Path, what: str) -> Path:
    """Where the evidence that a row names lies, if that is under the engine's folder.

    Raises:
        NoEvidenceError: The row names none, it is gone, or it is nothing to hand out.
    """
    if not path:
        raise NoEvidenceError(f"this alert has no {what}, or not yet")
    place = (folder / path).resolve()
    inside = place.is_relative_to(folder.resolve()) and place.suffix.lower() in CONTENT_TYPES
    if not inside:
        raise NoEvidenceError(f"the {what} of this alert lies outside the engine's folder")
    if not place.is_file():
        raise NoEvidenceError(f"the {what} of this alert is no longer there")
    return place

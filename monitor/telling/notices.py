"""Which notices a phase of an alert gives, and what they say. Pure: no clock, no store, no sink."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from monitor.config.settings import NoticeSettings
from monitor.names import counted
from monitor.records import Alert
from monitor.store_health import HealthEvent
from monitor.store_outbox import Outgoing, Told

PAYLOAD_VERSION = 1  # receivers may rely on the keys of one; more keys may come


@dataclass(frozen=True, slots=True)
class News:
    """A phase of an alert, as it is told."""

    alert: Alert
    origin: datetime  # aware; wall clock at second 0 of the source's clock
    strength: float | None  # of the peak, times the threshold
    at: datetime  # aware; now


@dataclass(frozen=True, slots=True)
class Situation:
    """What decides on who is told."""

    targets: Mapping[str, NoticeSettings]  # by name
    cooldown_s: float = 0.0
    muted_until: datetime | None = None
    last_told: Mapping[tuple[str, str], Told] | None = None  # by sink and camera


def named(settings: Iterable[NoticeSettings]) -> dict[str, NoticeSettings]:
    """Each sink under its name; those without one, or with one that is taken, get a number."""
    targets: dict[str, NoticeSettings] = {}
    for number, target in enumerate(settings, 1):
        name = target.name or f"{target.kind}-{number}"
        targets[f"{name}-{number}" if name in targets else name] = target
    return targets


def notices_for(news: News, situation: Situation) -> list[Outgoing]:
    """What is to be told of this phase; also where it is only counted, for a later summary.

    An alert is told from its first phase that a sink wants. One that begins while the camera
    cools down is told with others in one summary at the end of the cool-down, and its later
    phases are not. While a camera is muted nothing is told.
    """
    if situation.muted_until is not None and news.at < situation.muted_until:
        return []
    told = situation.last_told or {}
    camera = news.alert.source
    found = [
        _notice(news, name, target, told.get((name, camera)), situation.cooldown_s)
        for name, target in situation.targets.items()
        if not target.cameras or camera in target.cameras
    ]
    return [notice for notice in found if notice is not None]


def _notice(
    news: News, name: str, target: NoticeSettings, last: Told | None, cooldown_s: float
) -> Outgoing | None:
    alert = news.alert
    if alert.phase not in target.phases and not (alert.revision == 1 and "new" in target.phases):
        return None
    if last is not None and last.alert_id == alert.id:
        return _alert_notice(news, name)
    if not _may_begin(alert, target):
        return None
    free_at = news.at if last is None else last.at + timedelta(seconds=cooldown_s)
    return _alert_notice(news, name) if free_at <= news.at else _summary(news, name, last, free_at)


def _may_begin(alert: Alert, target: NoticeSettings) -> bool:
    """An alert that was passed over at its beginning is not told at its end."""
    return alert.revision == 1 or alert.phase == "new" or "new" not in target.phases


def _alert_notice(news: News, sink: str) -> Outgoing:
    alert = news.alert
    payload = alert_payload(news)
    return Outgoing(sink, "alert", alert.id, alert.revision, alert.source, payload, news.at)


def _summary(news: News, sink: str, last: Told | None, due_at: datetime) -> Outgoing | None:
    if last is None:
        return None
    camera = news.alert.source
    payload = {
        "version": PAYLOAD_VERSION,
        "event": "summary",
        "camera": camera,
        "after": last.alert_id,
        "alerts": [news.alert.id],
    }
    return Outgoing(sink, "summary", last.alert_id, 1, camera, payload, news.at, due_at)


def alert_payload(news: News) -> dict[str, Any]:
    """Plain values for JSON; moments as ISO 8601 in UTC. Evidence is added when it is told."""
    alert = news.alert
    return {
        "version": PAYLOAD_VERSION,
        "event": "alert",
        "id": alert.id,
        "revision": alert.revision,
        "phase": alert.phase,
        "camera": alert.source,
        "started_at": _moment(news, alert.start_s),
        "ended_at": _moment(news, alert.end_s),
        "peak_at": _moment(news, alert.peak_s),
        "length_s": round(alert.end_s - alert.start_s, 3),
        "strength": None if news.strength is None else round(news.strength, 3),
        "p_value": alert.peak_p_value,
        "reason": alert.reason,
        "ended_by": alert.ended_by,
        "continues": alert.continues,
    }


def _moment(news: News, second: float) -> str:
    return (news.origin + timedelta(seconds=second)).isoformat(timespec="milliseconds")


def health_notices(
    event: HealthEvent, targets: Mapping[str, NoticeSettings], muted_until: datetime | None
) -> list[Outgoing]:
    """Of its beginning, revision 1, or of its end, revision 2."""
    at = event.ended_at or event.started_at
    if muted_until is not None and at < muted_until:
        return []
    payload = {
        "version": PAYLOAD_VERSION,
        "event": "health",
        "id": event.id,
        "revision": 1 if event.ended_at is None else 2,
        "phase": "new" if event.ended_at is None else "end",
        "camera": event.camera,
        "kind": event.kind,
        "severity": event.severity,
        "text": event.text,
        "started_at": event.started_at.isoformat(timespec="milliseconds"),
        "ended_at": None if event.ended_at is None else at.isoformat(timespec="milliseconds"),
    }
    camera = event.camera or ""
    return [
        Outgoing(name, "health", event.id, 1 if event.ended_at is None else 2, camera, payload, at)
        for name, target in targets.items()
        if target.health and (not target.cameras or event.camera in (None, *target.cameras))
    ]


def headline(payload: Mapping[str, Any]) -> str:
    """One line for people, in plain words."""
    where = payload.get("camera") or "oddwatch"
    if payload["event"] == "summary":
        count = len(payload["alerts"])
        return f"{where}: {counted(count, 'more alert')}"
    if payload["event"] == "health":
        over = payload["ended_at"] is not None
        return f"{where}: {payload['text']}{' (over)' if over else ''}"
    strength = payload["strength"]
    said = "anomaly" if strength is None else f"anomaly, {strength:.1f} times the threshold"
    if payload["phase"] == "end":
        return f"{where}: {said}, over after {payload['length_s']:.0f} s"
    return f"{where}: {said}{' goes on' if payload['phase'] == 'update' else ''}"

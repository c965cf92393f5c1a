"""A stretch of an engine's store as a recording: what its cameras were scored at, its alerts.

Read whole, from a store that an engine may be writing to. Imports no Textual.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

import monitor
from monitor.api.schema import AlertView, HealthView
from monitor.api.stored import alert_view, evidence_path
from monitor.errors import DataSetError, MonitorError
from monitor.store import AlertQuery, HealthEvent, Store, StoredAlert
from monitor.store_curves import MINUTE_S, Minute
from monitor.tui.state.recording import Facts, Recording, Track

DEFAULT = timedelta(hours=1)  # before the end, at most, where nobody says which
MOST_MINUTES = 100_000  # of all cameras together: a day of 64, and 70 MB here


def read_stretch(
    store: Store, home: Path, since: datetime | None, until: datetime | None
) -> Recording:
    """What a store has between two moments; `home` is the folder that evidence lies in.

    Without an end until the newest score; without a beginning from the first score of the hour
    before that.

    Raises:
        DataSetError: There is nothing in that span, or more than can be played.
    """
    place = store.database.place
    newest = store.curves.newest()
    if newest is None:
        raise DataSetError(f"{place}: it has no scores yet; older engines kept none")
    end = min(until or newest, newest)
    begin = since or end - DEFAULT
    if begin >= end:
        raise DataSetError(
            f"{place}: nothing between {_say(begin)} and {_say(until or end)};"
            f" its newest score is of {_say(newest)}"
        )
    minutes = store.curves.find(begin, end, most=MOST_MINUTES + 1)
    if len(minutes) > MOST_MINUTES:
        raise DataSetError(
            f"{place}: from {_say(begin)} to {_say(end)} there are more than {MOST_MINUTES:,}"
            " minutes of all cameras together: choose a shorter stretch"
        )
    if since is None:
        begin = _first_score(minutes, begin, end)
    found = store.find(AlertQuery(since=begin, until=end, sort="oldest"), limit=None)
    ills = [_health_view(one) for one in store.health.between(begin, end)]
    tracks = _tracks(begin, minutes, [alert_view(one) for one in found], ills)
    if not minutes and not found:
        raise DataSetError(f"{place}: no scores from {_say(begin)} to {_say(end)}")
    end_s = (end - begin).total_seconds()
    facts = Facts(version=monitor.__version__)
    engine_ills = [ill for ill in ills if ill.camera is None]
    return Recording(place, begin, end_s, tracks, facts, engine_ills, _snapshots(found, home))


def _first_score(minutes: Iterable[Minute], begin: datetime, end: datetime) -> datetime:
    """Of a span; where it has none, its beginning."""
    own = [(minute.at - begin).total_seconds() + minute.scored for minute in minutes]
    seconds = np.concatenate([np.empty(0), *own])
    inside = seconds[(seconds >= 0) & (seconds < (end - begin).total_seconds())]
    return begin + timedelta(seconds=float(inside.min())) if len(inside) else begin


def _tracks(
    begin: datetime,
    minutes: Sequence[Minute],
    alerts: Iterable[AlertView],
    ills: Iterable[HealthView],
) -> list[Track]:
    own: defaultdict[str, list[Minute]] = defaultdict(list)
    for minute in minutes:
        own[minute.camera].append(minute)
    raised: defaultdict[str, list[AlertView]] = defaultdict(list)
    for alert in alerts:
        raised[alert.camera].append(alert)
    sick: defaultdict[str, list[HealthView]] = defaultdict(list)
    for ill in ills:
        if ill.camera is not None:
            sick[ill.camera].append(ill)
    names = sorted({*own, *raised, *sick})
    return [_track(name, begin, own[name], raised[name], sick[name]) for name in names]


def _track(
    name: str,
    begin: datetime,
    minutes: Sequence[Minute],
    alerts: Sequence[AlertView],
    ills: Sequence[HealthView],
) -> Track:
    levels = np.concatenate([np.empty(0), *(minute.levels for minute in minutes)])
    starts = [(minute.at - begin).total_seconds() for minute in minutes]
    times = (np.array(starts)[:, None] + np.arange(MINUTE_S)).ravel()
    kept = ~np.isnan(levels) & (times >= 0)
    return Track(name, times[kept], levels[kept].astype(np.float32), alerts, ills)


def _snapshots(found: Iterable[StoredAlert], home: Path) -> Mapping[str, Path]:
    paths = {}
    for one in found:
        try:
            paths[one.alert.id] = evidence_path(one.snapshot, home, "snapshot")
        except MonitorError:  # it has none, or no longer
            continue
    return paths


def _health_view(event: HealthEvent) -> HealthView:
    return HealthView(
        id=event.id,
        camera=event.camera,
        kind=event.kind,
        severity=event.severity,
        text=event.text,
        started_at=event.started_at,
        ended_at=event.ended_at,
    )


def _say(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")

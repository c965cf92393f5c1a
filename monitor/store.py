"""Alerts kept in a database: one row each, in its latest revision, with what people said of it.

SQLite by default, any database SQLAlchemy reaches by URL. Wall-clock times are aware UTC. Knows
nothing of frames or of how an alert comes about.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Self

import sqlalchemy as sa

from monitor.errors import StoreError
from monitor.records import Alert
from monitor.store_curves import Curves
from monitor.store_database import Database
from monitor.store_garbage import Garbage
from monitor.store_health import HealthEvent, HealthEvents
from monitor.store_outbox import Outbox, Outgoing, insert_notices
from monitor.store_query import EVERYTHING, LABELS, AlertQuery, Label, Sort, conditions, order
from monitor.store_schema import StoreUnavailableError
from monitor.store_tables import LABELLED, NO_END, alerts, pictures

__all__ = [
    "EVERYTHING",
    "LABELS",
    "NO_FACTS",
    "AlertQuery",
    "Facts",
    "HealthEvent",
    "Label",
    "Labelled",
    "Outgoing",
    "SeenPicture",
    "Sort",
    "Store",
    "StoreUnavailableError",
    "StoredAlert",
]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a live engine knows of an alert beside the alert; what recalibration needs."""

    strength: float | None = None  # of the peak, times the threshold
    peak_level: float | None = None  # highest level (see `alert_rule.Level`) so far, a raw score
    threshold: float | None = None  # the rule's `enter` at the time
    model_digest: str = ""  # of the model file; a level means nothing under another one
    region: str = ""  # where in the picture, in words


NO_FACTS = Facts()


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """An alert as the database has it."""

    alert: Alert
    started_at: datetime  # aware UTC, as are all below
    ended_at: datetime
    updated_at: datetime
    model: str
    snapshot: str  # path, empty: none
    clip: str
    acknowledged_at: datetime | None
    label: Label | None
    note: str
    picture: str  # path of the single picture that it is about, empty: a video
    strength: float | None = None  # of the peak, times the threshold; None: recorded without
    peak_level: float | None = None
    threshold: float | None = None
    model_digest: str = ""
    region: str = ""
    pinned: bool = False  # its evidence is never removed


@dataclass(frozen=True, slots=True)
class SeenPicture:
    """A file that was judged; one of another size or time at the same path is another picture."""

    path: str
    size_bytes: int
    mtime_ns: int
    verdict: str
    score: float | None
    p_value: float | None
    judged_at: datetime  # aware
    model: str
    alert_id: str = ""  # of what was raised, empty: nothing


@dataclass(frozen=True, slots=True)
class Labelled:
    """An alert that a person judged, as recalibration takes it."""

    alert_id: str
    source: str
    label: Label
    peak_score: float
    peak_level: float | None
    threshold: float | None
    model_digest: str
    started_at: datetime


class Store:
    """The table of alerts; `health`, `outbox`, `curves`, `garbage` are others. Threads may share.

    Writing is one at a time.

    Raises:
        StoreError: From every method, in one line. Where the database is locked, read-only,
            damaged, full or gone, it is a StoreUnavailableError.
    """

    def __init__(self, place: str | Path, *, read_only: bool = False) -> None:
        """Open or create; `place` is a file or a database URL. Read-only never creates one."""
        self.database = Database(str(place), read_only=read_only)
        self.health = HealthEvents(self.database)
        self.outbox = Outbox(self.database)
        self.garbage = Garbage(self.database)
        self.curves = Curves(self.database)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database; the write-ahead log is folded in."""
        self.database.close()

    def record(
        self,
        alert: Alert,
        *,
        origin: datetime,
        model: str = "",
        facts: Facts = NO_FACTS,
        notices: Iterable[Outgoing] = (),
    ) -> bool:
        """Keep this phase of the alert; False if it, or a later one, is already there.

        Args:
            alert: Any phase. Ones that come late or twice change nothing.
            origin: Aware wall-clock time at second 0 of the source's clock.
            model: What raised it.
            facts: What is None or empty in it leaves the row as it was.
            notices: What is to be told of this phase, in the same transaction; nothing is where
                the phase is not kept.
        """
        known = {name: value for name, value in asdict(facts).items() if value not in (None, "")}
        values = _to_row(alert, origin) | {"model": model} | known
        older = sa.update(alerts).where(alerts.c.id == alert.id, alerts.c.revision < alert.revision)
        with self.database.write() as connection:
            if not connection.execute(older.values(**values)).rowcount:
                if connection.scalar(sa.select(alerts.c.id).where(alerts.c.id == alert.id)):
                    return False
                connection.execute(sa.insert(alerts).values(**values))
            insert_notices(connection, notices)
            return True

    def record_picture(
        self,
        seen: SeenPicture,
        alert: Alert | None = None,
        *,
        snapshot: str = "",
        notices: Iterable[Outgoing] = (),
    ) -> None:
        """Keep in one transaction that a picture was judged, the alert, and what is to be told.

        Another picture that was seen at the same path before is forgotten, its alert is not.
        """
        evidence = {"model": seen.model, "picture": seen.path, "snapshot": snapshot}
        with self.database.write() as connection:
            connection.execute(sa.delete(pictures).where(pictures.c.path == seen.path))
            connection.execute(sa.insert(pictures).values(**asdict(seen)))
            if alert is not None:
                row = _to_row(alert, seen.judged_at) | evidence
                connection.execute(sa.insert(alerts).values(**row))
                insert_notices(connection, notices)

    def picture_moved(self, seen: SeenPicture, place: str) -> None:
        """Note where the picture of its alert lies now; the path is free for another one."""
        with self.database.write() as connection:
            connection.execute(sa.delete(pictures).where(pictures.c.path == seen.path))
            own = alerts.c.id == seen.alert_id
            connection.execute(sa.update(alerts).where(own).values(picture=place))

    def seen_picture(self, path: str) -> SeenPicture | None:
        """What is known of the picture last judged at this path."""
        with self.database.read() as connection:
            row = connection.execute(sa.select(pictures).where(pictures.c.path == path)).first()
        return None if row is None else SeenPicture(*row)

    def attach(self, alert_id: str, *, snapshot: str = "", clip: str = "") -> None:
        """Note where the evidence lies, once it does; what is empty stays as it was."""
        paths = {"snapshot": snapshot, "clip": clip}
        self._change(alert_id, {name: path for name, path in paths.items() if path})

    def say(
        self,
        alert_id: str,
        *,
        acknowledged: bool | None = None,
        label: Label | Literal["none"] | None = None,
        note: str | None = None,
        pinned: bool | None = None,
    ) -> StoredAlert:
        """Keep, at once, what a person says of an alert; None leaves a value as it is.

        "none" takes the label back; what was acknowledged before keeps its moment.
        """
        found = self.get(alert_id)
        values: dict[str, Any] = {} if note is None else {"note": note}
        if acknowledged is not None and acknowledged != (found.acknowledged_at is not None):
            values["acknowledged_at"] = _now() if acknowledged else None
        if label is not None:
            values["label"] = None if label == "none" else _known(label)
        if pinned is not None:
            values["pinned"] = pinned
        self._change(found.alert.id, values)
        return self.get(found.alert.id)

    def acknowledge(self, alert_id: str, *, undo: bool = False) -> StoredAlert:
        """Mark as seen by a person; a second time keeps the first time's moment."""
        return self.say(alert_id, acknowledged=not undo)

    def label(self, alert_id: str, label: Label | None, note: str | None = None) -> StoredAlert:
        """Say what it was; "normal_here" asks to learn it as usual, None takes the label back."""
        return self.say(alert_id, label=label or "none", note=note)

    def pin(self, alert_id: str, *, pinned: bool = True) -> StoredAlert:
        """Keep its evidence for good."""
        return self.say(alert_id, pinned=pinned)

    def labelled(
        self, source: str | None = None, model_digest: str | None = None
    ) -> list[Labelled]:
        """What people judged, oldest first: what recalibration learns from."""
        own = [] if source is None else [alerts.c.source == source]
        own += [] if model_digest is None else [alerts.c.model_digest == model_digest]
        names = ("id", "source", "label", "peak_score", "peak_level", "threshold")
        columns = [alerts.c[name] for name in (*names, "model_digest", "started_at")]
        with self.database.read() as connection:
            chosen = sa.select(*columns).where(LABELLED, *own).order_by(*order("oldest"))
            return [Labelled(*row) for row in connection.execute(chosen).all()]

    def get(self, alert_id: str) -> StoredAlert:
        """The alert whose id is this or, alone among all, begins with it; case does not matter.

        Raises:
            StoreError: None does, or several do.
        """
        like = sa.func.upper(alerts.c.id).startswith(alert_id.upper(), autoescape=True)
        exact_first = sa.case((alerts.c.id == alert_id, 0), else_=1)
        with self.database.read() as connection:
            rows = connection.execute(
                sa.select(alerts).where(like).order_by(exact_first, alerts.c.id).limit(3)
            ).all()
        if not rows or not alert_id:
            raise StoreError(f"no alert begins with {alert_id!r}: see `oddwatch events list`")
        if len(rows) > 1 and rows[0].id != alert_id:
            raise StoreError(f"several alerts begin with {alert_id!r}: give more of the id")
        return _from_row(rows[0])

    def those(self, ids: Iterable[str]) -> list[StoredAlert]:
        """The alerts of these very ids, as far as they are there, in any order."""
        with self.database.read() as connection:
            rows = connection.execute(sa.select(alerts).where(alerts.c.id.in_(list(ids)))).all()
        return [_from_row(row) for row in rows]

    def find(
        self, query: AlertQuery = EVERYTHING, *, limit: int | None = 100, offset: int = 0
    ) -> list[StoredAlert]:
        """Newest first, where the query does not say otherwise."""
        chosen = sa.select(alerts).where(*conditions(query)).order_by(*order(query.sort))
        with self.database.read() as connection:
            rows = connection.execute(chosen.limit(limit).offset(offset)).all()
        return [_from_row(row) for row in rows]

    def count(self, query: AlertQuery = EVERYTHING) -> int:
        """How many there are."""
        chosen = sa.select(sa.func.count()).select_from(alerts).where(*conditions(query))
        with self.database.read() as connection:
            return int(connection.scalar(chosen) or 0)

    def counts(self, since: datetime) -> dict[str, int]:
        """How many alerts of each source began then or later."""
        chosen = sa.select(alerts.c.source, sa.func.count()).group_by(alerts.c.source)
        with self.database.read() as connection:
            rows = connection.execute(chosen.where(alerts.c.started_at >= since)).all()
        return {row[0]: row[1] for row in rows}

    def beginnings(self, label: Label, since: datetime) -> list[tuple[str, datetime]]:
        """Source and beginning of those so labelled that began then or later."""
        chosen = sa.select(alerts.c.source, alerts.c.started_at).where(
            LABELLED, alerts.c.label == label, alerts.c.started_at >= since
        )
        with self.database.read() as connection:
            return [(row[0], row[1]) for row in connection.execute(chosen).all()]

    def last_of(self, sources: Iterable[str]) -> dict[str, datetime]:
        """When the newest alert of each of them began, of those that have one."""
        newest = sa.select(sa.func.max(alerts.c.started_at))  # one by one: a seek in the index each
        with self.database.read() as connection:
            found = {
                source: connection.scalar(newest.where(alerts.c.source == source))
                for source in sources
            }
        return {source: at for source, at in found.items() if at is not None}

    def close_orphans(
        self, notices_of: Callable[[StoredAlert], Iterable[Outgoing]] = lambda _: ()
    ) -> int:
        """End what a dead run left open, with `engine_restart`; how many there were.

        For the engine that starts, before it raises alerts of its own; never for a reader.
        `notices_of` gives what is to be told of the end.
        """
        ended = {"phase": "end", "ended_by": "engine_restart", "updated_at": _now()}
        with self.database.write() as connection:
            rows = connection.execute(sa.select(alerts).where(NO_END).with_for_update()).all()
            for row in rows:
                values = ended | {"revision": row.revision + 1}
                connection.execute(sa.update(alerts).where(alerts.c.id == row.id).values(**values))
                orphan = _from_values({**row._mapping, **values})  # noqa: SLF001
                insert_notices(connection, notices_of(orphan))
        return len(rows)

    def _change(self, alert_id: str, values: dict[str, Any]) -> None:
        if not values:
            return
        chosen = sa.update(alerts).where(alerts.c.id == alert_id)
        with self.database.write() as connection:
            if not connection.execute(chosen.values(**values, updated_at=_now())).rowcount:
                raise StoreError(f"no alert {alert_id!r} in {self.database.place}")


ALERT_COLUMNS = tuple(Alert.__dataclass_fields__)


def _to_row(alert: Alert, origin: datetime) -> dict[str, Any]:
    if origin.tzinfo is None:
        raise ValueError("origin has no time zone: expected an aware datetime")
    return {name: getattr(alert, name) for name in ALERT_COLUMNS} | {
        "started_at": origin + timedelta(seconds=alert.start_s),
        "ended_at": origin + timedelta(seconds=alert.end_s),
        "updated_at": _now(),
    }


def _from_row(row: sa.Row[Any]) -> StoredAlert:
    return _from_values(dict(row._mapping))  # noqa: SLF001 - SQLAlchemy's public name for it


def _from_values(values: dict[str, Any]) -> StoredAlert:
    alert = Alert(**{name: values.pop(name) for name in ALERT_COLUMNS})
    return StoredAlert(alert=alert, **values)


def _known(label: str) -> str:
    if label not in LABELS:
        raise StoreError(f"label {label!r}: expected one of {', '.join(LABELS)}")
    return label


def _now() -> datetime:
    return datetime.now(UTC)

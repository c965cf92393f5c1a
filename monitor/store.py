"""Alerts kept in a database: one row each, in its latest revision, with what people said of it.

SQLite by default, any database SQLAlchemy reaches by URL. Wall-clock times are aware UTC. Knows
nothing of frames or of how an alert comes about.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Self

import sqlalchemy as sa

from monitor.errors import StoreError
from monitor.records import Alert
from monitor.store_schema import alerts, connect, one_line, pictures

Label = Literal["true", "normal_here", "unsure"]
LABELS: tuple[Label, ...] = ("true", "normal_here", "unsure")


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
class AlertQuery:
    """Which alerts; what is None does not narrow."""

    source: str | None = None
    since: datetime | None = None  # aware; alerts that ended then or later
    until: datetime | None = None  # aware; alerts that started before
    is_open: bool | None = None
    acknowledged: bool | None = None
    label: Label | None = None


EVERYTHING = AlertQuery()


class Store:
    """The table of alerts. Threads may share it; writing is one at a time.

    Raises:
        StoreError: From every method, in one line, where the database is locked, read-only,
            damaged, full or gone.
    """

    def __init__(self, place: str | Path) -> None:
        """Open or create; `place` is a file or a database URL."""
        self._place = str(place)
        self._writing = threading.Lock()
        self._engine = connect(self._place)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database; the write-ahead log is folded in."""
        self._engine.dispose()

    def record(self, alert: Alert, *, origin: datetime, model: str = "") -> bool:
        """Keep this phase of the alert; False if it, or a later one, is already there.

        Args:
            alert: Any phase. Ones that come late or twice change nothing.
            origin: Aware wall-clock time at second 0 of the source's clock.
            model: What raised it.
        """
        values = _to_row(alert, origin) | {"model": model}
        older = sa.update(alerts).where(alerts.c.id == alert.id, alerts.c.revision < alert.revision)
        with self._write() as connection:
            if connection.execute(older.values(**values)).rowcount:
                return True
            if connection.scalar(sa.select(alerts.c.id).where(alerts.c.id == alert.id)):
                return False
            connection.execute(sa.insert(alerts).values(**values))
            return True

    def record_picture(
        self, seen: SeenPicture, alert: Alert | None = None, *, snapshot: str = ""
    ) -> None:
        """Keep in one transaction that a picture was judged, and the alert that came of it.

        Another picture that was seen at the same path before is forgotten, its alert is not.
        """
        evidence = {"model": seen.model, "picture": seen.path, "snapshot": snapshot}
        with self._write() as connection:
            connection.execute(sa.delete(pictures).where(pictures.c.path == seen.path))
            connection.execute(sa.insert(pictures).values(**asdict(seen)))
            if alert is not None:
                row = _to_row(alert, seen.judged_at) | evidence
                connection.execute(sa.insert(alerts).values(**row))

    def picture_moved(self, seen: SeenPicture, place: str) -> None:
        """Note where the picture of its alert lies now; the path is free for another one."""
        with self._write() as connection:
            connection.execute(sa.delete(pictures).where(pictures.c.path == seen.path))
            own = alerts.c.id == seen.alert_id
            connection.execute(sa.update(alerts).where(own).values(picture=place))

    def seen_picture(self, path: str) -> SeenPicture | None:
        """What is known of the picture last judged at this path."""
        with self._read() as connection:
            row = connection.execute(sa.select(pictures).where(pictures.c.path == path)).first()
        return None if row is None else SeenPicture(*row)

    def attach(self, alert_id: str, *, snapshot: str = "", clip: str = "") -> None:
        """Note where the evidence lies, once it does; what is empty stays as it was."""
        paths = {"snapshot": snapshot, "clip": clip}
        self._change(alert_id, {name: path for name, path in paths.items() if path})

    def acknowledge(self, alert_id: str) -> StoredAlert:
        """Mark as seen by a person; a second time keeps the first time's moment."""
        found = self.get(alert_id)
        if found.acknowledged_at is None:
            self._change(found.alert.id, {"acknowledged_at": _now()})
        return self.get(found.alert.id)

    def label(self, alert_id: str, label: Label, note: str | None = None) -> StoredAlert:
        """Say what it was; "normal_here" asks to learn it as usual. None keeps the note."""
        if label not in LABELS:
            raise StoreError(f"label {label!r}: expected one of {', '.join(LABELS)}")
        found = self.get(alert_id)
        values: dict[str, Any] = {"label": label}
        self._change(found.alert.id, values if note is None else values | {"note": note})
        return self.get(found.alert.id)

    def get(self, alert_id: str) -> StoredAlert:
        """The alert whose id is this or, alone among all, begins with it; case does not matter.

        Raises:
            StoreError: None does, or several do.
        """
        like = sa.func.upper(alerts.c.id).startswith(alert_id.upper(), autoescape=True)
        exact_first = sa.case((alerts.c.id == alert_id, 0), else_=1)
        with self._read() as connection:
            rows = connection.execute(
                sa.select(alerts).where(like).order_by(exact_first, alerts.c.id).limit(3)
            ).all()
        if not rows or not alert_id:
            raise StoreError(f"no alert begins with {alert_id!r}: see `oddwatch events list`")
        if len(rows) > 1 and rows[0].id != alert_id:
            raise StoreError(f"several alerts begin with {alert_id!r}: give more of the id")
        return _from_row(rows[0])

    def find(
        self, query: AlertQuery = EVERYTHING, *, limit: int | None = 100, offset: int = 0
    ) -> list[StoredAlert]:
        """Newest first."""
        newest_first = (alerts.c.started_at.desc(), alerts.c.id.desc())
        chosen = sa.select(alerts).where(*_conditions(query)).order_by(*newest_first)
        with self._read() as connection:
            rows = connection.execute(chosen.limit(limit).offset(offset)).all()
        return [_from_row(row) for row in rows]

    def count(self, query: AlertQuery = EVERYTHING) -> int:
        """How many there are."""
        chosen = sa.select(sa.func.count()).select_from(alerts).where(*_conditions(query))
        with self._read() as connection:
            return int(connection.scalar(chosen) or 0)

    def close_orphans(self) -> int:
        """End what a dead run left open, with `engine_restart`; how many there were.

        For the engine that starts, before it raises alerts of its own; never for a reader.
        """
        ended = {
            "phase": "end",
            "ended_by": "engine_restart",
            "revision": alerts.c.revision + 1,
            "updated_at": _now(),
        }
        orphans = sa.update(alerts).where(alerts.c.phase != "end").values(**ended)
        with self._write() as connection:
            return connection.execute(orphans).rowcount

    def _change(self, alert_id: str, values: dict[str, Any]) -> None:
        if not values:
            return
        chosen = sa.update(alerts).where(alerts.c.id == alert_id)
        with self._write() as connection:
            if not connection.execute(chosen.values(**values, updated_at=_now())).rowcount:
                raise StoreError(f"no alert {alert_id!r} in {self._place}")

    @contextmanager
    def _write(self) -> Iterator[sa.Connection]:
        with self._writing, one_line(self._place), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _read(self) -> Iterator[sa.Connection]:
        with one_line(self._place), self._engine.connect() as connection:
            yield connection


def _conditions(query: AlertQuery) -> list[sa.ColumnElement[bool]]:
    wanted: list[sa.ColumnElement[bool]] = []
    if query.source is not None:
        wanted.append(alerts.c.source == query.source)
    if query.since is not None:
        wanted.append(alerts.c.ended_at >= query.since)
    if query.until is not None:
        wanted.append(alerts.c.started_at < query.until)
    if query.is_open is not None:
        wanted.append((alerts.c.phase != "end") == query.is_open)
    if query.acknowledged is not None:
        wanted.append(alerts.c.acknowledged_at.is_not(None) == query.acknowledged)
    if query.label is not None:
        wanted.append(alerts.c.label == query.label)
    return wanted


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
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
    alert = Alert(**{name: values.pop(name) for name in ALERT_COLUMNS})
    return StoredAlert(alert=alert, **values)


def _now() -> datetime:
    return datetime.now(UTC)

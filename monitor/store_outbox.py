"""What is to be told, kept in the database until it was: written with the event that it tells.

Knows nothing of how a notice reaches anybody.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import sqlalchemy as sa

from monitor.store_database import Database
from monitor.store_tables import WAITING, mutes, outbox

Kind = Literal["alert", "summary", "health"]
SAME = ("sink", "kind", "event_id", "revision")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One notice for one sink. Sink, kind, event and revision are its key: it is told once.

    A summary tells `payload["alerts"]`, a list of ids; while it waits for its time, a further one
    of its event is merged into it.
    """

    sink: str
    kind: Kind
    event_id: str
    revision: int
    camera: str  # empty: the engine or the machine
    payload: Mapping[str, Any]  # plain JSON values, no secrets
    at: datetime  # aware; when it was decided
    due_at: datetime | None = None  # aware; None: at once


@dataclass(frozen=True, slots=True)
class Waiting:
    """A row of the outbox."""

    id: int  # in the order of telling
    sink: str
    kind: Kind
    event_id: str
    revision: int
    camera: str
    payload: dict[str, Any]
    created_at: datetime
    due_at: datetime
    attempts: int
    last_error: str
    done_at: datetime | None
    state: Literal["waiting", "done", "given_up"]


@dataclass(frozen=True, slots=True)
class Told:
    """The last alert of a camera that a sink was, or will be, told of."""

    alert_id: str
    at: datetime


def insert_notices(connection: sa.Connection, notices: Iterable[Outgoing]) -> None:
    """Within the transaction of what they tell; one that is there already is not doubled."""
    for notice in notices:
        if not (notice.kind == "summary" and _merge(connection, notice)):
            _insert(connection, notice)


def _insert(connection: sa.Connection, notice: Outgoing) -> None:
    values = {name: getattr(notice, name) for name in (*SAME, "camera")}
    if notice.kind == "summary":
        values["revision"] = _next_revision(connection, notice)
    key = [outbox.c[name] == values[name] for name in SAME]
    if connection.scalar(sa.select(outbox.c.id).where(*key)) is None:
        values |= {"payload": dict(notice.payload), "created_at": notice.at, "attempts": 0}
        values |= {"due_at": notice.due_at or notice.at, "last_error": "", "state": "waiting"}
        connection.execute(sa.insert(outbox).values(**values))


def _of_event(notice: Outgoing) -> list[sa.ColumnElement[bool]]:
    names = ("sink", "kind", "event_id")
    return [outbox.c[name] == getattr(notice, name) for name in names]


def _next_revision(connection: sa.Connection, notice: Outgoing) -> int:
    last = connection.scalar(sa.select(sa.func.max(outbox.c.revision)).where(*_of_event(notice)))
    return int(last or 0) + 1


def _merge(connection: sa.Connection, notice: Outgoing) -> bool:
    """Into the one whose time has not come; once it has, it may be on its way."""
    resting = [*_of_event(notice), WAITING, outbox.c.due_at > datetime.now(UTC)]
    row = connection.execute(sa.select(outbox.c.id, outbox.c.payload).where(*resting)).first()
    if row is None:
        return False
    alerts = list(dict.fromkeys([*row.payload["alerts"], *notice.payload["alerts"]]))
    payload = {**notice.payload, "alerts": alerts}
    connection.execute(sa.update(outbox).where(outbox.c.id == row.id).values(payload=payload))
    return True


class Outbox:
    """The table of notices, and who is not to be disturbed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, notices: Iterable[Outgoing]) -> None:
        """Notices that belong to no event, such as a test of the sinks."""
        with self._database.write() as connection:
            insert_notices(connection, notices)

    def due(self, sink: str, now: datetime, limit: int = 20) -> list[Waiting]:
        """What may be told now: of each camera and kind the first that waits, if its time came."""
        first = (
            sa.select(sa.func.min(outbox.c.id))
            .where(WAITING, outbox.c.sink == sink)
            .group_by(outbox.c.camera, outbox.c.kind)
        )
        chosen = sa.select(outbox).where(outbox.c.id.in_(first), outbox.c.due_at <= now)
        with self._database.read() as connection:
            rows = connection.execute(chosen.order_by(outbox.c.id).limit(limit)).all()
        return [Waiting(*row) for row in rows]

    def done(self, row_id: int, at: datetime) -> None:
        """It was told."""
        self._change(row_id, state="done", done_at=at, last_error="")

    def failed(self, row_id: int, error: str, again_at: datetime | None) -> None:
        """It was not; None gives it up."""
        values: dict[str, Any] = {"last_error": error, "attempts": outbox.c.attempts + 1}
        later = {"state": "given_up"} if again_at is None else {"due_at": again_at}
        self._change(row_id, **values, **later)

    def waiting(self, sink: str | None = None) -> int:
        """How many wait."""
        own = [] if sink is None else [outbox.c.sink == sink]
        with self._database.read() as connection:
            chosen = sa.select(sa.func.count()).select_from(outbox).where(WAITING, *own)
            return int(connection.scalar(chosen) or 0)

    def find(self, *, state: str | None = None, limit: int | None = 100) -> list[Waiting]:
        """Newest first."""
        chosen = sa.select(outbox).order_by(outbox.c.id.desc()).limit(limit)
        chosen = chosen if state is None else chosen.where(outbox.c.state == state)
        with self._database.read() as connection:
            return [Waiting(*row) for row in connection.execute(chosen).all()]

    def last_told(self) -> dict[tuple[str, str], Told]:
        """By sink and camera; what an engine needs that starts, to keep the cool-down."""
        last = (
            sa.select(sa.func.max(outbox.c.id))
            .where(outbox.c.kind == "alert")
            .group_by(outbox.c.sink, outbox.c.camera)
        )
        with self._database.read() as connection:
            rows = connection.execute(sa.select(outbox).where(outbox.c.id.in_(last))).all()
        return {(row.sink, row.camera): Told(row.event_id, row.created_at) for row in rows}

    def prune(self, before: datetime) -> int:
        """Forget what was told or given up and is older; how many. The last of a camera stays."""
        newest = sa.select(sa.func.max(outbox.c.id)).group_by(
            outbox.c.sink, outbox.c.camera, outbox.c.kind
        )
        old = [outbox.c.state != "waiting", outbox.c.created_at < before]
        with self._database.write() as connection:
            chosen = sa.delete(outbox).where(*old, outbox.c.id.not_in(newest))
            return connection.execute(chosen).rowcount

    def mute(self, camera: str, until: datetime | None) -> None:
        """No notices of this camera until then; None: from now on again."""
        with self._database.write() as connection:
            connection.execute(sa.delete(mutes).where(mutes.c.camera == camera))
            if until is not None:
                connection.execute(sa.insert(mutes).values(camera=camera, until=until))

    def mutes(self) -> dict[str, datetime]:
        """Until when, by camera; those that are over are among them."""
        with self._database.read() as connection:
            return {row.camera: row.until for row in connection.execute(sa.select(mutes)).all()}

    def _change(self, row_id: int, **values: Any) -> None:
        with self._database.write() as connection:
            connection.execute(sa.update(outbox).where(outbox.c.id == row_id).values(**values))

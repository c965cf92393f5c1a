"""Health events kept in the database: what was wrong with a camera, the machine or the engine."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa

from monitor.store_database import Database
from monitor.store_outbox import Outgoing, insert_notices
from monitor.store_tables import STILL_ILL, health

Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class HealthEvent:
    """Something a person should know; open until `ended_at`."""

    id: str  # a ULID
    camera: str | None  # None: the engine or the machine
    kind: str  # stalled, frozen, dark, ...
    severity: Severity
    text: str  # one line, no secrets
    started_at: datetime  # aware
    ended_at: datetime | None = None


class HealthEvents:
    """The table of health events; at most one of a kind is open per camera."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, event: HealthEvent, notices: Iterable[Outgoing] = ()) -> HealthEvent:
        """Keep it; where one of this camera and kind is open, that one gets the newer text.

        Its notices go out only where it is new. Gives the event that stands.
        """
        same = [STILL_ILL, health.c.kind == event.kind, health.c.camera == event.camera]
        if event.camera is None:
            same[2] = health.c.camera.is_(None)
        with self._database.write() as connection:
            row = connection.execute(sa.select(health).where(*same)).first()
            if row is None:
                connection.execute(sa.insert(health).values(**asdict(event)))
                insert_notices(connection, notices)
                return event
            newer = {"text": event.text, "severity": event.severity}
            connection.execute(sa.update(health).where(health.c.id == row.id).values(**newer))
            return HealthEvent(**{**row._mapping, **newer})  # noqa: SLF001 - its public name

    def close(self, event_id: str, at: datetime, notices: Iterable[Outgoing] = ()) -> bool:
        """It is over; False if it was already, or never was."""
        chosen = sa.update(health).where(health.c.id == event_id, STILL_ILL).values(ended_at=at)
        with self._database.write() as connection:
            if not connection.execute(chosen).rowcount:
                return False
            insert_notices(connection, notices)
            return True

    def close_orphans(self, at: datetime) -> int:
        """End what a dead run left open; how many there were."""
        with self._database.write() as connection:
            ended = sa.update(health).where(STILL_ILL).values(ended_at=at)
            return connection.execute(ended).rowcount

    def find(
        self,
        *,
        open_only: bool = False,
        camera: str | None = None,
        limit: int | None = 100,
        offset: int = 0,
    ) -> list[HealthEvent]:
        """Newest first."""
        chosen = sa.select(health).order_by(health.c.started_at.desc(), health.c.id.desc())
        chosen = chosen.where(STILL_ILL) if open_only else chosen
        chosen = chosen if camera is None else chosen.where(health.c.camera == camera)
        with self._database.read() as connection:
            rows = connection.execute(chosen.limit(limit).offset(offset)).all()
        return [HealthEvent(*row) for row in rows]

    def between(self, since: datetime, until: datetime) -> list[HealthEvent]:
        """Those that went on in that span, oldest first."""
        over = health.c.ended_at < since
        wanted = (health.c.started_at < until, sa.or_(STILL_ILL, sa.not_(over)))
        chosen = sa.select(health).where(*wanted).order_by(health.c.started_at, health.c.id)
        with self._database.read() as connection:
            return [HealthEvent(*row) for row in connection.execute(chosen).all()]

    def prune(self, before: datetime) -> int:
        """Forget those that ended before; how many."""
        with self._database.write() as connection:
            old = sa.delete(health).where(health.c.ended_at < before)
            return connection.execute(old).rowcount

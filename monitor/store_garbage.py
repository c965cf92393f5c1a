"""Files that are to be removed: the row that says so is written before the file goes.

So no crash leaves a file that nobody owns, nor an alert that names a file that is gone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from monitor.store_database import Database
from monitor.store_tables import HAS_EVIDENCE, NO_END, PINNED, alerts, garbage


@dataclass(frozen=True, slots=True)
class Held:
    """An alert's evidence, by what the database knows; empty paths: none."""

    alert_id: str
    ended_at: datetime
    snapshot: str
    clip: str


class Garbage:
    """The table of files to remove, and the evidence they come from."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def removable(self, *, before: datetime | None = None, limit: int | None = 100) -> list[Held]:
        """Evidence of alerts that ended and are not pinned, oldest first."""
        wanted = [HAS_EVIDENCE, sa.not_(NO_END), sa.not_(PINNED)]
        wanted += [] if before is None else [alerts.c.ended_at < before]
        return self._held(wanted, limit)

    def all_evidence(self) -> list[Held]:
        """Of every alert that has some."""
        return self._held([HAS_EVIDENCE], None)

    def disown(self, held: Held, files: Iterable[Path]) -> bool:
        """The alert has no evidence any more; its files are to be removed. First step of two.

        False, and nothing happened, where the alert was pinned or got other evidence meanwhile.
        """
        same = [alerts.c.id == held.alert_id, sa.not_(PINNED)]
        same += [alerts.c.snapshot == held.snapshot, alerts.c.clip == held.clip]
        with self._database.write() as connection:
            emptied = sa.update(alerts).where(*same).values(snapshot="", clip="")
            if not connection.execute(emptied).rowcount:
                return False
            _add(connection, files)
            return True

    def forget_paths(self, alert_id: str, *, snapshot: bool, clip: bool) -> None:
        """The alert names files that are not there: it names them no more."""
        values = ({"snapshot": ""} if snapshot else {}) | ({"clip": ""} if clip else {})
        with self._database.write() as connection:
            connection.execute(sa.update(alerts).where(alerts.c.id == alert_id).values(**values))

    def add(self, files: Iterable[Path]) -> None:
        """Files that no alert names."""
        with self._database.write() as connection:
            _add(connection, files)

    def paths(self) -> list[Path]:
        """What is still to be removed."""
        with self._database.read() as connection:
            return [Path(path) for path in connection.scalars(sa.select(garbage.c.path)).all()]

    def empty(self) -> int:
        """Remove the files, then their rows; how many. One that cannot be removed stays."""
        gone = [path for path in self.paths() if _remove(path)]
        with self._database.write() as connection:
            for path in gone:
                connection.execute(sa.delete(garbage).where(garbage.c.path == str(path)))
        return len(gone)

    def _held(self, wanted: list[sa.ColumnElement[bool]], limit: int | None) -> list[Held]:
        columns = (alerts.c.id, alerts.c.ended_at, alerts.c.snapshot, alerts.c.clip)
        chosen = sa.select(*columns).where(*wanted).order_by(alerts.c.ended_at, alerts.c.id)
        with self._database.read() as connection:
            return [Held(*row) for row in connection.execute(chosen.limit(limit)).all()]


def _add(connection: sa.Connection, files: Iterable[Path]) -> None:
    for path in files:
        connection.execute(sa.delete(garbage).where(garbage.c.path == str(path)))
        connection.execute(sa.insert(garbage).values(path=str(path), added_at=datetime.now(UTC)))


def _remove(path: Path) -> bool:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True

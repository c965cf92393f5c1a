"""Scores kept beside the alerts: of each camera and minute, the highest of each second.

What a curve of last week is drawn from. 120 bytes a minute, so a camera takes 7 MB in a month.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from monitor.store_database import Database
from monitor.store_tables import curves

MINUTE_S = 60
HIGHEST = float(np.finfo(np.float16).max)
STORED = np.dtype("<f2")


@dataclass(frozen=True, slots=True, eq=False)
class Minute:
    """`levels` (60,) float16: times the threshold, NaN where nothing was scored."""

    camera: str
    at: datetime  # aware, its first second
    levels: NDArray[np.float16]

    @property
    def scored(self) -> NDArray[np.intp]:
        """Its seconds, from 0 on, that have a score."""
        return np.flatnonzero(~np.isnan(self.levels))


def minutes_of(camera: str, readings: Iterable[tuple[datetime, float]]) -> list[Minute]:
    """Readings as whole minutes; what is no number is left out, the infinite is very high."""
    found: dict[int, NDArray[np.float16]] = {}
    for at, score in readings:
        if np.isnan(score):
            continue
        minute, second = divmod(int(at.timestamp()), MINUTE_S)
        levels = found.setdefault(minute, np.full(MINUTE_S, np.nan, STORED))
        levels[second] = np.fmax(levels[second], np.clip(score, -HIGHEST, HIGHEST))
    return [Minute(camera, _moment(minute), levels) for minute, levels in found.items()]


class Curves:
    """The table of minutes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, minutes: Iterable[Minute]) -> None:
        """Add them; what is known of a minute already stays, the higher level of each second."""
        with self._database.write() as connection:
            for minute in minutes:
                own = _own(minute)
                known = connection.scalar(sa.select(curves.c.levels).where(*own))
                levels = minute.levels if known is None else np.fmax(_levels(known), minute.levels)
                connection.execute(sa.delete(curves).where(*own))
                values = {"camera": minute.camera, "minute": _number(minute.at)}
                stored = levels.astype(STORED).tobytes()
                connection.execute(sa.insert(curves).values(**values, levels=stored))

    def find(
        self, since: datetime, until: datetime, camera: str | None = None, most: int | None = None
    ) -> list[Minute]:
        """Those that have a second in that span, oldest first."""
        wanted = [curves.c.minute >= _number(since), curves.c.minute <= _number(until)]
        wanted += [] if camera is None else [curves.c.camera == camera]
        chosen = sa.select(curves.c.camera, curves.c.minute, curves.c.levels).where(*wanted)
        with self._database.read() as connection:
            rows = connection.execute(chosen.order_by(curves.c.minute).limit(most)).all()
        return [Minute(row.camera, _moment(row.minute), _levels(row.levels)) for row in rows]

    def newest(self) -> datetime | None:
        """The end of the newest second that was scored."""
        with self._database.read() as connection:
            number = connection.scalar(sa.select(sa.func.max(curves.c.minute)))
        if number is None:
            return None
        at = _moment(number)
        ends = [int(second) + 1 for minute in self.find(at, at) for second in minute.scored[-1:]]
        return at + timedelta(seconds=max(ends, default=0))

    def prune(self, before: datetime) -> int:
        """Forget whole minutes before; how many."""
        with self._database.write() as connection:
            old = sa.delete(curves).where(curves.c.minute < _number(before))
            return connection.execute(old).rowcount


def _own(minute: Minute) -> tuple[sa.ColumnElement[bool], ...]:
    return curves.c.minute == _number(minute.at), curves.c.camera == minute.camera


def _levels(stored: bytes) -> NDArray[np.float16]:
    return np.frombuffer(stored, STORED)


def _number(at: datetime) -> int:
    return int(at.timestamp()) // MINUTE_S


def _moment(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * MINUTE_S, UTC)

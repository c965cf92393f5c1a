"""A node's own events, sent to the shared database at least once; there each is stored once.

Remembers nothing on disk: what the shared database lacks is found by asking it, at the start and
every ten minutes; in between, what changed since the last look is sent.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from monitor.cluster.shared import Batch, Row, SharedStore
from monitor.errors import StoreError
from monitor.store import Store
from monitor.store_tables import alerts, health

PAGE = 200  # rows in a transaction
SWEEP_S = 600.0
OVERLAP = timedelta(seconds=30)  # a row may be committed so long after its time of change
HEALTH = 500  # the newest; more than a node has open


class Forwarder:
    """Call `step` every few seconds. `text` says what is wrong, `unsent` how many alerts wait."""

    def __init__(
        self, events: Path, shared_url: str, node: str, tags: tuple[str, ...] = ()
    ) -> None:
        self._events, self._url, self._node, self._tags = events, shared_url, node, tags
        self._shared: SharedStore | None = None
        self._since: datetime | None = None  # None: everything is to be compared
        self._swept_s = float("-inf")
        self._health: dict[str, tuple[Any, ...]] = {}
        self.text = ""
        self.unsent = 0

    def step(self, now_s: float, url: str = "") -> int:
        """Send what is new; how many rows. A failure is kept in `text`, and tried again next time.

        Args:
            now_s: Of any steady clock.
            url: Of the engine's API, for those who want pictures.
        """
        if not self._events.exists():
            return 0
        try:
            with Store(self._events, read_only=True) as own:
                return self._send(own, now_s, url)
        except StoreError as error:
            self.text = f"events wait to be forwarded: {error}"
            self._count()
            self.close()
            return 0

    def close(self) -> None:
        """Let go of the shared database."""
        if self._shared is not None:
            with suppress(StoreError):
                self._shared.close()
        self._shared = None

    def _send(self, own: Store, now_s: float, url: str) -> int:
        self._shared = self._shared or SharedStore(self._url)
        self._shared.see(self._node, self._tags, url)
        sweep = self._since is None or now_s - self._swept_s >= SWEEP_S
        began = datetime.now(UTC)
        sent = 0
        newest = self._since
        for rows in _pages(own, None if sweep else self._since):
            there = self._shared.marks(row["id"] for row in rows)
            missing = [r for r in rows if there.get(r["id"]) != (r["revision"], r["updated_at"])]
            fresh = [r for r in missing if _is_newer(r, there.get(r["id"]))]
            self._shared.keep(self._node, Batch(alerts=fresh))
            sent += len(fresh)
            newest = max([row["updated_at"] for row in rows] + ([newest] if newest else []))
        sent += self._send_health(own)
        if sweep:
            self._swept_s = now_s
        self._since = min(newest, began) if newest else None
        self.text, self.unsent = "", 0
        return sent

    def _send_health(self, own: Store) -> int:
        chosen = sa.select(health).order_by(health.c.started_at.desc()).limit(HEALTH)
        with own.database.read() as connection:
            rows = [dict(row._mapping) for row in connection.execute(chosen).all()]  # noqa: SLF001
        marks = {row["id"]: (row["text"], row["severity"], row["ended_at"]) for row in rows}
        new = [row for row in rows if self._health.get(row["id"]) != marks[row["id"]]]
        assert self._shared is not None
        if new:
            self._shared.keep(self._node, Batch(health=new))
        self._health = marks
        return len(new)

    def _count(self) -> None:
        """How many alerts changed since the last that was sent."""
        try:
            with Store(self._events, read_only=True) as own, own.database.read() as connection:
                chosen = sa.select(sa.func.count()).select_from(alerts)
                if self._since is not None:
                    chosen = chosen.where(alerts.c.updated_at > self._since)
                self.unsent = int(connection.scalar(chosen) or 0)
        except StoreError:
            return


def _is_newer(row: Row, there: tuple[int, datetime] | None) -> bool:
    return there is None or (row["revision"], row["updated_at"]) > there


def _pages(own: Store, since: datetime | None) -> Iterator[list[Row]]:
    """Alerts that changed, in the order of change."""
    last: tuple[datetime, str] | None = None
    while True:
        chosen = sa.select(alerts).order_by(alerts.c.updated_at, alerts.c.id).limit(PAGE)
        if since is not None:
            chosen = chosen.where(alerts.c.updated_at >= since - OVERLAP)
        if last is not None:
            chosen = chosen.where(sa.tuple_(alerts.c.updated_at, alerts.c.id) > sa.tuple_(*last))
        with own.database.read() as connection:
            rows = [dict(row._mapping) for row in connection.execute(chosen).all()]  # noqa: SLF001
        if not rows:
            return
        yield rows
        last = rows[-1]["updated_at"], rows[-1]["id"]

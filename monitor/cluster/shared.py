"""The events of all nodes in one database: each stored once, in its newest revision.

The tables of `monitor.store`, so that whatever reads a store reads this one, and beside them which
node has what. PostgreSQL, or SQLite for trials.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from monitor.errors import StoreError
from monitor.store import Store
from monitor.store_tables import Utc, alerts, health

metadata = sa.MetaData()

events = sa.Table(  # each revision that came, once
    "cluster_events",
    metadata,
    sa.Column("kind", sa.String(8), primary_key=True),  # alert, health
    sa.Column("event_id", sa.String(64), primary_key=True),
    sa.Column("revision", sa.Integer, primary_key=True),  # of health events 1, ended 2
    sa.Column("node", sa.String(200), nullable=False),
    sa.Column("received_at", Utc, nullable=False),
    sa.Index("cluster_events_of_node", "node", "kind", "event_id"),
)
nodes = sa.Table(  # where pictures and clips are
    "cluster_nodes",
    metadata,
    sa.Column("node", sa.String(200), primary_key=True),
    sa.Column("tags", sa.String, nullable=False),
    sa.Column("url", sa.String, nullable=False),
    sa.Column("seen_at", Utc, nullable=False),
)

words = sa.Table(  # what the coordinator last told of the fleet
    "cluster_words",
    metadata,
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("generation", sa.BigInteger, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("told_at", Utc, nullable=False),
)

owed = sa.Table(  # what people said of an alert whose node has not heard it
    "cluster_owed",
    metadata,
    sa.Column("event_id", sa.String(64), primary_key=True),
    sa.Column("node", sa.String(200), nullable=False),
)

SAID = ("acknowledged_at", "label", "note", "pinned")  # by people: never taken back by a node
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows as the node's tables have them."""

    alerts: Sequence[Row] = ()
    health: Sequence[Row] = ()

    def __len__(self) -> int:
        return len(self.alerts) + len(self.health)


@dataclass(frozen=True, slots=True)
class NodePlace:
    """A node that forwarded events at some time."""

    node: str
    tags: tuple[str, ...]
    url: str  # as told; see `whereabouts`
    seen_at: datetime  # by its own clock


class SharedStore:
    """Open it, `keep` batches, close it.

    Raises:
        StoreError: From every method, in one line.
    """

    def __init__(self, url: str) -> None:
        self._store = Store(url)
        self._database = self._store.database
        backend = self._database.engine.dialect.name
        if backend not in ("postgresql", "sqlite"):
            self.close()
            raise StoreError(f"a fleet's events go to PostgreSQL or SQLite, not to {backend}")
        self._insert: Any = postgresql.insert if backend == "postgresql" else sqlite.insert
        with self._database.write() as connection:
            metadata.create_all(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def store(self) -> Store:
        """The alerts of all nodes, as of one engine."""
        return self._store

    def close(self) -> None:
        """Let go."""
        self._store.close()

    def keep(self, node: str, batch: Batch) -> None:
        """All of it or nothing; what is there already, or is newer there, stays as it is."""
        now = datetime.now(UTC)
        with self._database.write() as connection:
            for row in batch.alerts:
                connection.execute(self._alert(row))
                self._note(connection, "alert", row["id"], row["revision"], (node, now))
            for row in batch.health:
                connection.execute(self._health(row))
                revision = 1 if row["ended_at"] is None else 2
                self._note(connection, "health", row["id"], revision, (node, now))

    def marks(self, ids: Iterable[str]) -> dict[str, tuple[int, datetime]]:
        """Revision and time of change of those alerts that are there."""
        chosen = sa.select(alerts.c.id, alerts.c.revision, alerts.c.updated_at)
        with self._database.read() as connection:
            rows = connection.execute(chosen.where(alerts.c.id.in_(list(ids)))).all()
        return {row.id: (row.revision, row.updated_at) for row in rows}

    def see(self, node: str, tags: Iterable[str], url: str) -> None:
        """Note where the node's API is."""
        values = {"tags": ",".join(sorted(tags)), "url": url, "seen_at": datetime.now(UTC)}
        insert = self._insert(nodes).values(node=node, **values)
        with self._database.write() as connection:
            connection.execute(insert.on_conflict_do_update(index_elements=["node"], set_=values))

    def places(self) -> list[NodePlace]:
        """All nodes that ever forwarded anything, by name."""
        chosen = sa.select(nodes).order_by(nodes.c.node)
        with self._database.read() as connection:
            rows = connection.execute(chosen).all()
        return [
            NodePlace(r.node, tuple(t for t in r.tags.split(",") if t), r.url, r.seen_at)
            for r in rows
        ]

    def tell(self, kind: str, generation: int, text: str) -> None:
        """Keep what a coordinator says, unless a later one has said something."""
        values = {"generation": generation, "text": text, "told_at": datetime.now(UTC)}
        insert = self._insert(words).values(kind=kind, **values)
        latest = insert.on_conflict_do_update(
            index_elements=["kind"], set_=values, where=words.c.generation <= generation
        )
        with self._database.write() as connection:
            connection.execute(latest)

    def told(self, kind: str) -> tuple[str, datetime] | None:
        """What was told last, and when by the teller's clock."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(words).where(words.c.kind == kind)).first()
        return None if row is None else (row.text, row.told_at)

    def raised_by(self, node: str) -> sa.ColumnElement[bool]:
        """The condition that an alert is that node's."""
        own = sa.select(events.c.event_id).where(events.c.kind == "alert", events.c.node == node)
        return alerts.c.id.in_(own)

    def node_of(self, alert_id: str) -> tuple[str, str] | None:
        """The node that has an alert's picture and clip, and its address."""
        chosen = (
            sa.select(events.c.node, nodes.c.url)
            .outerjoin(nodes, nodes.c.node == events.c.node)
            .where(events.c.kind == "alert", events.c.event_id == alert_id)
        )
        with self._database.read() as connection:
            row = connection.execute(chosen.order_by(events.c.revision.desc())).first()
        return None if row is None else (row.node, row.url or "")

    def owe(self, node: str, alert_id: str) -> None:
        """Note that the node has not heard what was said of an alert."""
        insert = self._insert(owed).values(event_id=alert_id, node=node)
        with self._database.write() as connection:
            connection.execute(insert.on_conflict_do_nothing())

    def owed(self) -> list[tuple[str, str]]:
        """Nodes, and the alerts of which each has not heard."""
        there = sa.join(owed, alerts, owed.c.event_id == alerts.c.id)
        chosen = sa.select(owed.c.node, alerts.c.id).select_from(there).order_by(alerts.c.id)
        with self._database.read() as connection:
            return [(row.node, row.id) for row in connection.execute(chosen).all()]

    def pay(self, alert_id: str) -> None:
        """The node has heard, or will not; nor of alerts that are there no more."""
        gone = owed.c.event_id.not_in(sa.select(alerts.c.id))
        with self._database.write() as connection:
            connection.execute(sa.delete(owed).where(sa.or_(owed.c.event_id == alert_id, gone)))

    def counts(self) -> dict[str, int]:
        """Revisions kept, by node."""
        chosen = sa.select(events.c.node, sa.func.count()).group_by(events.c.node)
        with self._database.read() as connection:
            return {row[0]: row[1] for row in connection.execute(chosen).all()}

    def _alert(self, row: Row) -> Any:
        insert = self._insert(alerts).values(**row)
        new = insert.excluded
        own = {name: new[name] for name in row if name not in ("id", *SAID)}
        kept = {
            "acknowledged_at": sa.func.coalesce(alerts.c.acknowledged_at, new.acknowledged_at),
            "label": sa.func.coalesce(new.label, alerts.c.label),
            "note": sa.case((new.note != "", new.note), else_=alerts.c.note),
            "pinned": sa.or_(alerts.c.pinned, new.pinned),
        }
        newer = sa.or_(
            new.revision > alerts.c.revision,
            sa.and_(new.revision == alerts.c.revision, new.updated_at > alerts.c.updated_at),
        )
        return insert.on_conflict_do_update(
            index_elements=["id"], set_={**own, **kept}, where=newer
        )

    def _health(self, row: Row) -> Any:
        insert = self._insert(health).values(**row)
        new = {name: insert.excluded[name] for name in ("severity", "text")}
        ended = sa.func.coalesce(health.c.ended_at, insert.excluded.ended_at)
        return insert.on_conflict_do_update(index_elements=["id"], set_={**new, "ended_at": ended})

    def _note(
        self, connection: sa.Connection, kind: str, event_id: str, revision: int,
        whence: tuple[str, datetime],
    ) -> None:  # fmt: skip
        values = {"kind": kind, "event_id": event_id, "revision": revision}
        values |= {"node": whence[0], "received_at": whence[1]}
        connection.execute(self._insert(events).values(**values).on_conflict_do_nothing())

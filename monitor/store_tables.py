"""The event database's tables. Knows nothing of how it is opened or of what the rows mean."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa


class Utc(sa.TypeDecorator[datetime]):
    """Aware datetimes in and out, also where the database forgets the zone, as SQLite does."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """To UTC; what has no zone is refused."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value} has no time zone: expected an aware datetime")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """Aware again."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = sa.MetaData()

schema_version = sa.Table("schema_version", metadata, sa.Column("version", sa.Integer))

alerts = sa.Table(
    "alerts",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("source", sa.String, nullable=False),
    sa.Column("phase", sa.String(8), nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("start_s", sa.Float, nullable=False),  # the source's clock
    sa.Column("end_s", sa.Float, nullable=False),
    sa.Column("peak_s", sa.Float, nullable=False),
    sa.Column("peak_score", sa.Float, nullable=False),
    sa.Column("peak_p_value", sa.Float),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("ended_by", sa.String(32), nullable=False),
    sa.Column("continues", sa.String(64), nullable=False),
    sa.Column("started_at", Utc, nullable=False),  # wall clock
    sa.Column("ended_at", Utc, nullable=False),
    sa.Column("updated_at", Utc, nullable=False),
    sa.Column("model", sa.String, nullable=False, default=""),
    sa.Column("snapshot", sa.String, nullable=False, default=""),
    sa.Column("clip", sa.String, nullable=False, default=""),
    sa.Column("acknowledged_at", Utc),
    sa.Column("label", sa.String(16)),
    sa.Column("note", sa.String, nullable=False, default=""),
    sa.Column("picture", sa.String, nullable=False, default="", server_default=""),
    sa.Column("strength", sa.Float),  # from here on: schema 3
    sa.Column("peak_level", sa.Float),
    sa.Column("threshold", sa.Float),
    sa.Column("model_digest", sa.String(64), nullable=False, default="", server_default=""),
    sa.Column("region", sa.String, nullable=False, default="", server_default=""),
    sa.Column("pinned", sa.Boolean, nullable=False, default=False, server_default=sa.false()),
)

# literals, not parameters: SQLite takes a partial index only where it can see that it fits
NO_END = alerts.c.phase != sa.literal_column("'end'")
UNSEEN = alerts.c.acknowledged_at.is_(None)
LABELLED = alerts.c.label.is_not(None)
PINNED = alerts.c.pinned.is_(sa.true())
NOTHING: sa.ColumnElement[str] = sa.literal_column("''")
HAS_EVIDENCE = sa.or_(alerts.c.snapshot != NOTHING, alerts.c.clip != NOTHING)


def _only(condition: sa.ColumnElement[bool]) -> dict[str, Any]:
    return {"sqlite_where": condition, "postgresql_where": condition}


# pages are newest first, so every index ends in that order; the rare ones are partial
sa.Index("alerts_newest", alerts.c.started_at, alerts.c.id)
sa.Index("alerts_of_source", alerts.c.source, alerts.c.started_at, alerts.c.id)
sa.Index("alerts_ended", alerts.c.ended_at)
sa.Index("alerts_changed", alerts.c.updated_at)
sa.Index("alerts_strongest", alerts.c.strength, alerts.c.started_at)
sa.Index("alerts_open", alerts.c.started_at, alerts.c.id, **_only(NO_END))
sa.Index("alerts_unseen", alerts.c.started_at, alerts.c.id, **_only(UNSEEN))
sa.Index("alerts_labelled", alerts.c.label, alerts.c.started_at, alerts.c.id, **_only(LABELLED))
sa.Index("alerts_pinned", alerts.c.started_at, alerts.c.id, **_only(PINNED))
sa.Index("alerts_evidence", alerts.c.ended_at, **_only(HAS_EVIDENCE))

pictures = sa.Table(  # every file of a drop folder that was judged, so that it is judged once
    "pictures",
    metadata,
    sa.Column("path", sa.String, primary_key=True),  # where it was found
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("mtime_ns", sa.BigInteger, nullable=False),
    sa.Column("verdict", sa.String(16), nullable=False),
    sa.Column("score", sa.Float),
    sa.Column("p_value", sa.Float),
    sa.Column("judged_at", Utc, nullable=False),
    sa.Column("model", sa.String, nullable=False),
    sa.Column("alert_id", sa.String(64), nullable=False),
)

health = sa.Table(
    "health",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),  # a ULID
    sa.Column("camera", sa.String),  # null: the engine or the machine
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("severity", sa.String(8), nullable=False),
    sa.Column("text", sa.String, nullable=False),
    sa.Column("started_at", Utc, nullable=False),
    sa.Column("ended_at", Utc),
    sa.Index("health_newest", "started_at", "id"),
    sa.Index("health_of_camera", "camera", "started_at", "id"),
)
STILL_ILL = health.c.ended_at.is_(None)
sa.Index("health_open", health.c.started_at, health.c.id, **_only(STILL_ILL))

ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # SQLite counts INTEGER keys only

outbox = sa.Table(  # what is to be told, and whether it was
    "outbox",
    metadata,
    sa.Column("id", ROW_NUMBER, primary_key=True, autoincrement=True),  # the order of telling
    sa.Column("sink", sa.String(200), nullable=False),
    sa.Column("kind", sa.String(8), nullable=False),  # alert, summary, health
    sa.Column("event_id", sa.String(64), nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("camera", sa.String, nullable=False),  # empty: the engine or the machine
    sa.Column("payload", sa.JSON, nullable=False),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("due_at", Utc, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("last_error", sa.String, nullable=False),
    sa.Column("done_at", Utc),
    sa.Column("state", sa.String(8), nullable=False),  # waiting, done, given_up
    sa.UniqueConstraint("sink", "kind", "event_id", "revision", name="outbox_once"),
)
WAITING = outbox.c.state == sa.literal_column("'waiting'")
sa.Index("outbox_waiting", outbox.c.sink, outbox.c.camera, outbox.c.id, **_only(WAITING))
sa.Index("outbox_newest", outbox.c.sink, outbox.c.camera, outbox.c.kind, outbox.c.id)

mutes = sa.Table(
    "mutes",
    metadata,
    sa.Column("camera", sa.String, primary_key=True),
    sa.Column("until", Utc, nullable=False),
)

curves = sa.Table(  # of each camera and minute, the highest score of each second; schema 4
    "curves",
    metadata,
    sa.Column("minute", sa.Integer, primary_key=True, autoincrement=False),  # since 1970
    sa.Column("camera", sa.String, primary_key=True),
    sa.Column("levels", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

garbage = sa.Table(  # files that no alert owns any more and that still have to be removed
    "garbage",
    metadata,
    sa.Column("path", sa.String, primary_key=True),
    sa.Column("added_at", Utc, nullable=False),
)

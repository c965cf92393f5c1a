"""The event database's tables, how it is opened, and its failures said in one line."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from monitor.errors import StoreError

SCHEMA_VERSION = 2  # 2: pictures, judged one by one
BUSY_MS = 5_000  # a reader's or a checkpoint's lock is gone long before


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
    sa.Column("source", sa.String, nullable=False, index=True),
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
    sa.Column("started_at", Utc, nullable=False, index=True),  # wall clock
    sa.Column("ended_at", Utc, nullable=False),
    sa.Column("updated_at", Utc, nullable=False),
    sa.Column("model", sa.String, nullable=False, default=""),
    sa.Column("snapshot", sa.String, nullable=False, default=""),
    sa.Column("clip", sa.String, nullable=False, default=""),
    sa.Column("acknowledged_at", Utc),
    sa.Column("label", sa.String(16)),
    sa.Column("note", sa.String, nullable=False, default=""),
    sa.Column("picture", sa.String, nullable=False, default="", server_default=""),
)

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


def connect(place: str) -> sa.Engine:
    """Open, check and if need be create the database at a path or URL.

    Raises:
        StoreError: It cannot be opened, is damaged, or was made by a newer version.
    """
    url = place if "://" in place else f"sqlite:///{place}"
    with one_line(place):
        engine = sa.create_engine(url)
        if engine.dialect.name == "sqlite":
            sa.event.listen(engine, "connect", _prepare)
        try:
            _check(engine, place)
        except BaseException:
            engine.dispose()
            raise
    return engine


def _check(engine: sa.Engine, place: str) -> None:
    unclean = engine.dialect.name == "sqlite" and Path(f"{engine.url.database}-wal").exists()
    with engine.begin() as connection:
        if (
            unclean
            and (fault := connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()) != "ok"
        ):
            raise StoreError(f"{place} is damaged ({fault}): restore a copy or move it away")
        found = _version(connection)
        if found > SCHEMA_VERSION:
            raise StoreError(
                f"{place} has schema {found}, this version knows {SCHEMA_VERSION}: update oddwatch"
            )
        if found == 0:
            metadata.create_all(connection)
            connection.execute(sa.insert(schema_version).values(version=SCHEMA_VERSION))
        elif found == 1:
            _to_second(connection)


def _to_second(connection: sa.Connection) -> None:
    """From a schema that knew videos only; goes on where a crash ended an earlier attempt."""
    pictures.create(connection, checkfirst=True)
    if "picture" not in {column["name"] for column in sa.inspect(connection).get_columns("alerts")}:
        column = "picture VARCHAR NOT NULL DEFAULT ''"
        connection.exec_driver_sql(f"ALTER TABLE alerts ADD COLUMN {column}")
    connection.execute(sa.update(schema_version).values(version=2))


def _version(connection: sa.Connection) -> int:
    """0: an empty database."""
    if not sa.inspect(connection).has_table("schema_version"):
        return 0
    return int(connection.scalar(sa.select(sa.func.max(schema_version.c.version))) or 0)


def _prepare(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    try:
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = NORMAL")  # WAL: safe but for the last commits
    finally:
        cursor.close()


# what SQLite says (sqlite.org/rescode.html), what it means here
MEANINGS = {
    "locked": "is in use by another program that does not let go: close it and try again",
    "readonly": "may only be read: check the rights of the file and its folder",
    "unable to open": "cannot be opened: check that its folder exists and may be written",
    "not a database": "is not an event database, or damaged: restore a copy or move it away",
    "malformed": "is damaged: restore a copy or move it away",
    "is full": "cannot grow, the disk is full: free some space",
    "disk i/o": "cannot be read or written: check the disk",
}


@contextmanager
def one_line(place: str) -> Iterator[None]:
    """Turn the database's failures into one line that names the place and what to do.

    Raises:
        StoreError: In place of any database error.
    """
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        said = str(getattr(error, "orig", None) or error).splitlines()[0]
        meaning = next((text for key, text in MEANINGS.items() if key in said.lower()), None)
        raise StoreError(f"{_without_password(place)} {meaning or f'failed: {said}'}") from error


def _without_password(place: str) -> str:
    return sa.make_url(place).render_as_string() if "://" in place else place

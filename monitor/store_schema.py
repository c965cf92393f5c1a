"""How the event database is opened, brought up to date, and its failures said in one line."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.schema import CreateColumn

from monitor.addresses import LAST_PORT
from monitor.errors import StoreError
from monitor.missing import to_have
from monitor.store_place import engine_of, refuse_network
from monitor.store_tables import alerts, metadata, schema_version

SCHEMA_VERSION = 4
# 2: pictures, judged one by one; 3: strength, health, outbox, garbage; 4: curves
POSTGRES = ("postgresql", "postgres")
KNOWN = ("sqlite", "postgresql")
EXPECTED = (
    "expected a path, or a URL such as postgresql://HOST/NAME, with user and password before the "
    "host and what is no letter or digit in them percent-encoded"
)
BUSY_MS = 5_000  # a reader's or a checkpoint's lock is gone long before


class StoreUnavailableError(StoreError):
    """The database cannot be used now; the same may well work later, so nothing need be lost."""


def connect(place: str, *, read_only: bool = False) -> sa.Engine:
    """Open, check and if need be create the database at a path or URL.

    Read-only, nothing is created, and an older one is brought up to date first all the same.

    Raises:
        StoreError: It cannot be opened, is damaged, lies on a network file system, or was made
            by a newer version.
    """
    with one_line(place):
        url = _url(place)
        if path := database_file(url):
            return _open_file(url, path, place, read_only=read_only)
        engine = _open_server(url)
        _closing_on_failure(engine, lambda: _check(engine, place))
        return engine


def chores(place: str) -> str:
    """What opening the database does first that may take minutes, in words; empty: nothing."""
    path = file_of(place)
    if path is None or not path.is_file():
        return ""
    with one_line(place):
        if _is_unclean(path):
            return f"{path.name} is checked first, its last engine ended without closing it"
        engine = sa.create_engine(_reading(path))
        found = _closing_on_failure(engine, lambda: _known_version(engine, place))
        engine.dispose()
    if found in (0, SCHEMA_VERSION):
        return ""
    return f"{path.name} is copied and brought from schema {found} to {SCHEMA_VERSION}"


def database_file(url: sa.URL) -> Path | None:
    """The file of a SQLite database; None: a server, or memory."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database))


def file_of(place: str) -> Path | None:
    """The file that a path or URL stands for; None: a server, or memory.

    Raises:
        StoreError: It is neither a path nor the URL of a database.
    """
    return database_file(_url(place))


def _url(place: str) -> sa.URL:
    if "://" not in place:
        return sa.URL.create("sqlite", database=place)
    try:
        url = sa.make_url(place)
    except (SQLAlchemyError, ValueError):  # of a port or brackets; it would repeat the password
        url = None
    if url is None or not 0 <= (url.port or 0) <= LAST_PORT:
        raise StoreError(f"the store's database URL cannot be read: {EXPECTED}")
    if url.drivername in POSTGRES:
        return url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() not in KNOWN:
        raise StoreError(f"the store cannot be {url.get_backend_name()}://: {EXPECTED}")
    return url


def check_place(place: str) -> None:
    """Refuse what cannot be the path or URL of a database, whether there is one or not.

    Raises:
        StoreError: It cannot.
    """
    _url(place)


def _open_server(url: sa.URL) -> sa.Engine:
    try:
        return sa.create_engine(url, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise StoreError(
            f"{url.render_as_string()} needs {error.name}, not installed here: "
            f"{to_have(error.name or 'psycopg')}"
        ) from error


def _open_file(url: sa.URL, path: Path, place: str, *, read_only: bool) -> sa.Engine:
    if read_only:
        engine = sa.create_engine(_reading(path))
        if _closing_on_failure(engine, lambda: _known_version(engine, place)) == SCHEMA_VERSION:
            return engine
        engine.dispose()
        _open_file(url, path, place, read_only=False).dispose()
        return sa.create_engine(_reading(path))
    refuse_network(path)
    unclean = _is_unclean(path)
    engine = sa.create_engine(url)
    sa.event.listen(engine, "connect", _prepare)
    _closing_on_failure(engine, lambda: _check(engine, place, path, unclean=unclean))
    return engine


def _is_unclean(path: Path) -> bool:
    log = Path(f"{path}-wal")  # a reader leaves an empty one behind
    return log.exists() and log.stat().st_size > 0 and engine_of(path) is None


def _reading(path: Path) -> sa.URL:
    query = {"mode": "ro", "uri": "true"}
    return sa.URL.create(
        "sqlite", database=f"file:{quote(os.fsencode(path.absolute()))}", query=query
    )


def _closing_on_failure(engine: sa.Engine, check: Any) -> Any:
    try:
        return check()
    except BaseException:
        engine.dispose()
        raise


def _check(
    engine: sa.Engine, place: str, path: Path | None = None, *, unclean: bool = False
) -> None:
    if unclean and (fault := integrity(engine)):
        raise StoreError(f"{place} is damaged ({fault}): restore a copy or move it away")
    found = _known_version(engine, place)
    if found in (0, SCHEMA_VERSION):
        with engine.begin() as connection:
            _create(connection, found)
        return
    if path is not None:
        _refuse_under_engine(path, found)
        _back_up(path, found)
    with engine.begin() as connection:
        _migrate(connection)


def _refuse_under_engine(path: Path, found: int) -> None:
    if (running := engine_of(path)) is not None:
        raise StoreError(
            f"{path} has schema {found} and an engine of an older version (process {running})"
            f" writes to it: stop that one first, then it is brought to {SCHEMA_VERSION}"
        )


def _create(connection: sa.Connection, found: int) -> None:
    if found == 0:
        metadata.create_all(connection)
        connection.execute(sa.insert(schema_version).values(version=SCHEMA_VERSION))


def integrity(engine: sa.Engine) -> str:
    """What SQLite finds wrong in its file; empty: nothing, or another database."""
    if engine.dialect.name != "sqlite":
        return ""
    with engine.connect() as connection:
        said = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar())
    return "" if said == "ok" else said


def _known_version(engine: sa.Engine, place: str) -> int:
    """0: an empty database."""
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("schema_version"):
            return 0
        found = int(connection.scalar(sa.select(sa.func.max(schema_version.c.version))) or 0)
    if found > SCHEMA_VERSION:
        raise StoreError(
            f"{place} has schema {found}, this version knows {SCHEMA_VERSION}: update oddwatch"
        )
    return found


def _migrate(connection: sa.Connection) -> None:
    """From an earlier schema; goes on where a crash ended an earlier attempt."""
    present = {column["name"] for column in sa.inspect(connection).get_columns("alerts")}
    for column in alerts.columns:
        if column.name not in present:
            definition = CreateColumn(column).compile(dialect=connection.dialect)
            connection.exec_driver_sql(f"ALTER TABLE alerts ADD COLUMN {definition}")
    for superseded in ("ix_alerts_source", "ix_alerts_started_at"):
        connection.exec_driver_sql(f"DROP INDEX IF EXISTS {superseded}")
    metadata.create_all(connection)
    for index in alerts.indexes:
        index.create(connection, checkfirst=True)
    connection.execute(sa.update(schema_version).values(version=SCHEMA_VERSION))


def _back_up(path: Path, found: int) -> None:
    """A copy beside the file, as it was; one of an earlier attempt is the better one and stays."""
    copy = path.with_name(f"{path.name}.schema-{found}.backup")
    if copy.exists():
        return
    partial = copy.with_name(f".{copy.name}.part")
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(partial)) as target:
            source.backup(target)
        partial.replace(copy)
    finally:
        partial.unlink(missing_ok=True)


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
        StoreUnavailableError: In place of a database error that lies with the database.
        StoreError: In place of one that lies with the values, and will come again.
    """
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        said = str(getattr(error, "orig", None) or error).splitlines()[0]
        meaning = next((text for key, text in MEANINGS.items() if key in said.lower()), None)
        kind = StoreUnavailableError if _lies_with_it(error) else StoreError
        raise kind(f"{without_password(place)} {meaning or f'failed: {said}'}") from error


def _lies_with_it(error: Exception) -> bool:
    own = isinstance(error, IntegrityError | DataError | ProgrammingError)
    return isinstance(error, DBAPIError | sqlite3.Error | PoolTimeoutError) and not own


def without_password(place: str) -> str:
    """The place as it may be shown."""
    try:
        return sa.make_url(place).render_as_string() if "://" in place else place
    except (SQLAlchemyError, ValueError):
        return "the database URL"

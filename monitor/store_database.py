"""One open event database: transactions, one writer at a time, and its log kept short.

Knows nothing of what the tables mean.
"""

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from monitor.errors import StoreError
from monitor.store_place import Claim, claim_file, claim_server
from monitor.store_schema import connect, database_file, integrity, one_line, without_password


class Database:
    """Threads may share it.

    Raises:
        StoreError: From every method, in one line, where the database is locked, read-only,
            damaged, full or gone.
    """

    def __init__(self, place: str, *, read_only: bool = False) -> None:
        self.place = without_password(place)
        self.engine = connect(place, read_only=read_only)
        self._file = None if read_only else database_file(self.engine.url)
        self._read_only = read_only
        self._writing = threading.RLock()
        self._batch: sa.Connection | None = (
            None  # only its own thread, which holds the lock, sees it
        )
        self._claim: Claim | None = None

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction; within `batch` part of that one."""
        if self._read_only:
            raise StoreError(f"{self.place} was opened for reading only")
        with self._writing, one_line(self.place):
            if self._batch is not None:
                yield self._batch
                return
            with self.engine.begin() as connection:
                yield connection

    @contextmanager
    def batch(self) -> Iterator[None]:
        """All that this thread writes within is one transaction: everything or nothing."""
        with self.write() as connection:
            outer, self._batch = self._batch, connection
            try:
                yield
            finally:
                self._batch = outer

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection to read on; never waits for the writer where the database is SQLite."""
        with one_line(self.place), self.engine.connect() as connection:
            yield connection

    def claim(self) -> None:
        """Become the one engine of this database, until `close`.

        Raises:
            StoreError: Another engine is it; told with its process id.
        """
        with one_line(self.place):
            if self._claim is None and self._file is not None:
                self._claim = claim_file(self._file)
            elif self._claim is None and self.engine.dialect.name == "postgresql":
                self._claim = claim_server(self.engine, self.place)

    def log_bytes(self) -> int:
        """Size of the write-ahead log; 0 where there is none."""
        try:
            return Path(f"{self._file}-wal").stat().st_size if self._file else 0
        except FileNotFoundError:
            return 0

    def checkpoint(self) -> bool:
        """Fold the write-ahead log into the file and empty it; False: a reader stood in the way."""
        if self._file is None:
            return True
        with self._writing, one_line(self.place), self.engine.connect() as connection:
            row = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").first()
        return row is not None and row[0] == 0

    def fault(self) -> str:
        """What is wrong in the file; empty: nothing."""
        with one_line(self.place):
            return integrity(self.engine)

    def close(self) -> None:
        """Let go of the database and of the claim; the write-ahead log is folded in."""
        self.engine.dispose()
        if self._claim is not None:
            with contextlib.suppress(OSError):
                self._claim.release()
            self._claim = None

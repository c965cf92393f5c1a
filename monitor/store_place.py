"""Where a store lies: whether a database may lie there, and that one engine at a time writes to it.

Knows nothing of what is in it.
"""

import contextlib
import fcntl
import os
import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from monitor.errors import StoreError

MOUNTS = Path("/proc/mounts")
# file systems without the locks and shared memory that SQLite's log needs (sqlite.org/wal.html)
NETWORK = re.compile(
    r"nfs4?|cifs|smb(fs|2|3)?|9p|afs|ceph|lustre|gpfs|glusterfs|beegfs|davfs|ncpfs"
    r"|fuse\.(sshfs|s3fs|rclone|glusterfs|ceph|davfs2?|gcsfuse|smbnetfs)"
)
ENGINE_KEY = 0x6F646477  # "oddw": PostgreSQL's advisory lock of the engine
ESCAPED = re.compile(r"\\([0-7]{3})")  # a space in /proc/mounts is \040


def refuse_network(path: Path, mounts: Path = MOUNTS) -> None:
    """SQLite over a network loses data: several peers' databases broke so (Frigate's, for one).

    Raises:
        StoreError: The path lies on a network file system. Where mounts cannot be read, none does.
    """
    kind = _file_system(path, mounts)
    if NETWORK.fullmatch(kind):
        raise StoreError(
            f"{path} lies on a network file system ({kind}), where SQLite loses data:"
            " keep it on a local disk, or give a PostgreSQL URL"
        )


def _file_system(path: Path, mounts: Path) -> str:
    try:
        lines = mounts.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    place, best, kind = path.resolve(), -1, ""
    for line in lines:
        words = line.split()
        if len(words) < 3:
            continue
        point = Path(ESCAPED.sub(lambda found: chr(int(found[1], 8)), words[1]))
        if len(point.parts) >= best and place.is_relative_to(point):  # a later mount lies on top
            best, kind = len(point.parts), words[2]
    return kind


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to be the engine of a store; ends with `release` or with the process."""

    release: Callable[[], None]


def lock_path(database: Path) -> Path:
    """The file whose lock an engine holds; it stays, and holds the process id."""
    return database.with_name(f"{database.name}.lock")


def claim_file(database: Path) -> Claim:
    """Become the one engine of a database file.

    Raises:
        StoreError: Another process is it, or the lock file cannot be written.
    """
    place = lock_path(database)
    try:
        file = os.open(place, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StoreError(f"{place} cannot be written: {error.strerror}") from error
    if not _lock(file):
        holder = os.pread(file, 32, 0).decode(errors="replace").strip() or "unknown"
        os.close(file)
        raise _taken(str(database), f"process {holder}")
    with contextlib.suppress(OSError):  # a full disk: the lock holds without the number
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
    return Claim(lambda: os.close(file))


def _lock(file: int) -> bool:
    """Tries for a moment: whoever looks with `engine_of` holds it for about a microsecond."""
    for wait_s in (0.01, 0.05, 0.0):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(wait_s)
        else:
            return True
    return False


def engine_of(database: Path) -> int | None:
    """Process id of the engine that runs on this file; None: none does. 0: one does, unnamed."""
    try:
        file = os.open(lock_path(database), os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        said = os.pread(file, 32, 0).decode(errors="replace").strip()
        return int(said) if said.isdigit() else 0
    else:
        return None
    finally:
        os.close(file)


def claim_server(engine: sa.Engine, place: str) -> Claim:
    """Become the one engine of a PostgreSQL database; the lock lives as long as its connection.

    Raises:
        StoreError: Another engine is it; told with its host and process id.
    """
    connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    name = f"oddwatch {os.getpid()} on {socket.gethostname()}"[:63]
    connection.execute(
        sa.text("SELECT set_config('application_name', :name, false)"), {"name": name}
    )
    if connection.scalar(sa.select(sa.func.pg_try_advisory_lock(ENGINE_KEY))):
        return Claim(connection.invalidate)  # closes it for good, and with it goes the lock
    holder = connection.scalar(
        sa.text(
            "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
            " WHERE l.locktype = 'advisory' AND l.objid = :key AND l.granted"
        ),
        {"key": ENGINE_KEY},
    )
    connection.invalidate()
    connection.close()
    raise _taken(place, str(holder or "unknown").removeprefix("oddwatch "))


def _taken(place: str, holder: str) -> StoreError:
    return StoreError(
        f"{place} is in use by another engine ({holder}): stop that one first,"
        " or give this one a folder of its own"
    )

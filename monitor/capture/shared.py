"""Blocks of shared memory that carry their maker's process id in their name.

Knows nothing of pictures. Only the maker unlinks: when its process dies without doing so, Python's
resource tracker does, and where that died too, `sweep_stale` at the next start.
"""

import os
import re
import threading
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from uuid import uuid4

from monitor.errors import MonitorError

PREFIX = "oddwatch"
FOLDER = Path("/dev/shm")  # where Linux shows them; elsewhere nothing is swept  # noqa: S108

_attaching = threading.Lock()


class SharedMemoryError(MonitorError, OSError):
    """A block of shared memory cannot be made or found."""


def create_block(size: int) -> SharedMemory:
    """A new block, named `oddwatch-PID-...`; its memory is taken page by page when written.

    Raises:
        SharedMemoryError: If there is no room: writing to it would kill the process (SIGBUS).
    """
    free = _free_bytes()
    if free is not None and free < size:
        raise SharedMemoryError(
            f"{FOLDER}: a camera needs {size >> 20} MiB of shared memory, {free >> 20} MiB are "
            "free; give it more (in a container: --shm-size), or analyse smaller pictures"
        )
    with _attaching:
        return SharedMemory(f"{PREFIX}-{os.getpid()}-{uuid4().hex[:8]}", create=True, size=size)


def attach_block(name: str) -> SharedMemory:
    """Another process's block, which this process will never unlink.

    Up to Python 3.12 attaching registers the block with the resource tracker, which then unlinks
    it under its maker or warns of a leak (bugs.python.org/issue38119); `track` came with 3.13.

    Raises:
        SharedMemoryError: If there is none of that name.
    """
    register = resource_tracker.register
    with _attaching:
        resource_tracker.register = lambda *_: None
        try:
            return SharedMemory(name)
        except FileNotFoundError as error:
            raise SharedMemoryError(f"shared memory {name}: it is gone; has its engine?") from error
        finally:
            resource_tracker.register = register


def sweep_stale(folder: Path = FOLDER) -> list[str]:
    """Remove the blocks of processes that are dead; gives their names."""
    swept = []
    for path in folder.glob(f"{PREFIX}-*"):
        maker = re.match(rf"{PREFIX}-(\d+)-", path.name)
        if maker and not _is_alive(int(maker[1])):
            path.unlink(missing_ok=True)
            swept.append(path.name)
    return sorted(swept)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def _free_bytes() -> int | None:
    """Room in the file system that holds shared memory; None: nobody can tell."""
    try:
        stat = os.statvfs(FOLDER)
    except OSError:
        return None
    return stat.f_bavail * stat.f_frsize

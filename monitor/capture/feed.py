"""The engine's end of a capture worker: start it, tell it, hear it, look at its frames, kill it.

Knows nothing of when to do so. A process can be killed whatever hangs in it; a thread cannot, and
is abandoned instead.
"""

import os
import subprocess
import sys
import threading
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal, Protocol

import monitor
from monitor.capture.records import Captured, CaptureSettings, Command, Notice, Stop
from monitor.capture.ring import Head, Ring, capacity_for
from monitor.priorities import CAPTURE

MODULE = "monitor.capture.worker"
BEHIND = ("nice", "-n", str(CAPTURE))  # from its imports on, which take half a second each
QUIET = {  # a worker needs no thread pools, and few heaps
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
    "OPENCV_FFMPEG_LOGLEVEL": "-8",
}


class Feed(Protocol):
    """One camera's worker, which may be started again after it died or was killed."""

    @property
    def ring_name(self) -> str:
        """To attach to; one of a thread mode only from within this process."""

    @property
    def alive(self) -> bool:
        """Whether the worker runs, be it stuck or not."""

    @property
    def pid(self) -> int | None:
        """Of the worker's process; None: it has none of its own."""

    @property
    def written(self) -> int:
        """The newest sequence in the ring."""

    def start(self) -> None:
        """Start a worker, which waits for `Connect`; sequences go on."""

    def send(self, command: Command) -> bool:
        """Whether the worker could be told."""

    def notices(self) -> list[Notice]:
        """What it said since the last call; never waits."""

    def latest(self, after_sequence: int = 0) -> Captured | None:
        """See `Ring.latest`."""

    def since(self, after_sequence: int) -> tuple[list[Captured], int]:
        """See `Ring.since`."""

    def heads_since(self, after_sequence: int) -> tuple[list[Head], int]:
        """See `Ring.heads_since`."""

    def read(self, sequence: int) -> Captured | None:
        """See `Ring.read`."""

    def release(self, sequence: int) -> None:
        """See `Ring.release`: a file that is read fast waits for this."""

    def kill(self) -> None:
        """End the worker at once; the ring stays, for the next one."""

    def stop(self, timeout_s: float) -> None:
        """End the worker, politely and then not, and remove the ring; for good."""


class _Linked:
    """What both kinds of feed share: a ring to look at and a link to talk over."""

    _ring: Ring
    _link: Connection | None = None

    @property
    def ring_name(self) -> str:
        return self._ring.name

    @property
    def written(self) -> int:
        return self._ring.written

    def send(self, command: Command) -> bool:
        if self._link is None:
            return False
        try:
            self._link.send(command)
        except OSError:
            return False
        return True

    def notices(self) -> list[Notice]:
        heard: list[Notice] = []
        with suppress(EOFError, OSError):
            while self._link is not None and self._link.poll(0):
                heard.append(self._link.recv())
        return heard

    def latest(self, after_sequence: int = 0) -> Captured | None:
        return self._ring.latest(after_sequence)

    def since(self, after_sequence: int) -> tuple[list[Captured], int]:
        return self._ring.since(after_sequence)

    def heads_since(self, after_sequence: int) -> tuple[list[Head], int]:
        return self._ring.heads_since(after_sequence)

    def read(self, sequence: int) -> Captured | None:
        return self._ring.read(sequence)

    def release(self, sequence: int) -> None:
        self._ring.release(sequence)

    def _hang_up(self) -> None:
        link, self._link = self._link, None
        if link:
            link.close()


class ProcessFeed(_Linked):
    """A worker in a process of its own, with a ring in shared memory."""

    def __init__(self, settings: CaptureSettings) -> None:
        self._settings = settings
        self._ring = Ring.create(settings.slots, capacity_for(settings.width))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Its number; None before `start`."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Python starts anew: nothing of the engine, its threads or its imports is in it."""
        if self._process:
            self.kill()
        ours, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  our own interpreter and module
                [*BEHIND, sys.executable, "-P", "-m", MODULE, str(theirs.fileno())],
                env={**os.environ, **QUIET, "PYTHONPATH": _path()},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        self._link = ours
        for given in (self._settings, self._ring.name):  # not by argument: `ps` shows those
            ours.send(given)

    def kill(self) -> None:
        """SIGKILL, which even a process that is stopped or stuck in a read obeys."""
        self._hang_up()
        if self._process:
            self._process.kill()
            self._process.wait()

    def stop(self, timeout_s: float) -> None:
        """Clips in the making are finished if that takes no longer than `timeout_s`."""
        if self.alive and self.send(Stop()) and self._process:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout_s)
        self.kill()
        self._ring.close()


class ThreadFeed(_Linked):
    """A worker in a thread of this process, for tests and one or two cameras."""

    pid: int | None = None

    def __init__(self, settings: CaptureSettings) -> None:
        self._settings = settings
        self._ring = Ring.private(settings.slots, capacity_for(settings.width))
        self._thread: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        """Whether the thread runs and was not abandoned."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """The thread of a killed feed keeps its old ring, so that two never write to one."""
        from monitor.capture.worker import run_worker  # PyAV and OpenCV: only where threads read

        if self._thread:
            self.kill()
            self._ring = self._ring.successor()
        ours, theirs = Pipe()

        def run(ring: Ring) -> None:
            with theirs:
                run_worker(self._settings, ring, theirs)

        self._link = ours
        self._thread = threading.Thread(
            target=run, args=(self._ring,), name=f"capture {self._settings.name}", daemon=True
        )
        self._thread.start()

    def kill(self) -> None:
        """Abandon the thread: it ends after its next read, which may be never."""
        self._hang_up()
        self._thread = None

    def stop(self, timeout_s: float) -> None:
        """Wait for the thread, and abandon it after `timeout_s`."""
        thread = self._thread
        if thread and self.send(Stop()):
            thread.join(timeout_s)
        self.kill()


def open_feed(settings: CaptureSettings, kind: Literal["process", "thread"] = "process") -> Feed:
    """A feed that is not started yet.

    Raises:
        SharedMemoryError: If there is no room for its ring.
    """
    return ProcessFeed(settings) if kind == "process" else ThreadFeed(settings)


def _path() -> str:
    """Where the worker finds this very package, whatever its working directory."""
    root = str(Path(monitor.__file__ or "").parents[1])
    return os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))

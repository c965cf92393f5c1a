"""The process or thread that reads one camera. Imports neither torch nor a database.

It does what it is told (`connect`, clips, `stop`) and tells what happens; when to connect again,
and whether it hangs, is for the engine to judge. Run by `feed`:
`python -m monitor.capture.worker FD`, with its settings coming over that socket.
"""

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from select import select

import cv2

from monitor.capture.faults import CaptureError
from monitor.capture.opening import open_reader
from monitor.capture.reader import Reader
from monitor.capture.recording import Recording, recording_of
from monitor.capture.records import (
    CaptureSettings,
    ClipFailed,
    Command,
    Connect,
    Disconnected,
    EndClip,
    Finished,
    Notice,
    StartClip,
    Stop,
    Tune,
)
from monitor.capture.ring import Ring
from monitor.capture.session import Session, Tally
from monitor.capture.stats import PictureMeter
from monitor.orphans import end_with_parent
from monitor.sources.stream import without_secrets


class _LeaveError(Exception):
    """The connection is to be left for the next command."""

    def __init__(self, command: Command) -> None:
        super().__init__(type(command).__name__)
        self.command = command


class _Worker:
    def __init__(
        self, settings: CaptureSettings, ring: Ring, link: Connection, *, own_process: bool
    ) -> None:
        self._settings = settings
        self._ring = ring
        self._link = link
        self._sending = threading.Lock()
        self._meter = PictureMeter()
        self._tally = Tally(own_process)
        self._tuned = Tune()
        self._reader: Reader | None = None
        self._recording: Recording | None = None
        self._session: Session | None = None

    def run(self) -> None:
        command = self._next()
        while not isinstance(command, Stop):
            if isinstance(command, Connect):
                command = self._attempt(command.epoch)
                continue
            self._obey(command)
            command = self._next()

    def _attempt(self, epoch: int) -> Command:
        """Connect and read; gives the command that comes next."""
        try:
            with self._connection(epoch) as (reader, session):
                for step in reader.steps():
                    session.take(step)
                    self._attend(0.0)
            self._tell(Finished(session.frames))
        except CaptureError as fault:
            source = without_secrets(self._settings.analysis_url or self._settings.url)
            self._tell(Disconnected(fault.fault, f"{source}: {fault.text}"))
        except _LeaveError as leave:
            return leave.command
        return self._next()

    @contextmanager
    def _connection(self, epoch: int) -> Iterator[tuple[Reader, Session]]:
        reader = open_reader(self._settings)
        try:
            reader.tune(keyframes_only=self._tuned.keyframes_only)
            self._reader = reader
            self._recording = recording_of(self._settings, reader, self._tell, time.monotonic)
            session = Session(
                self._settings,
                epoch,
                reader=reader,
                recording=self._recording,
                ring=self._ring,
                meter=self._meter,
                tally=self._tally,
                tell=self._tell,
                attend=self._attend,
            )
            session.tune(self._tuned)
            self._session = session
            yield reader, session
        finally:
            if self._recording is not None:
                self._recording.close()
            self._reader = self._recording = self._session = None
            reader.close()

    def _attend(self, timeout_s: float) -> None:
        """Obey what has come, or comes in this time; tell what was counted."""
        now_s = time.monotonic()
        if self._recording:
            self._recording.tick(now_s)
        self._count(now_s)
        while self._link.poll(timeout_s):
            self._obey(self._next())
            timeout_s = 0.0

    def _obey(self, command: Command) -> None:
        match command:
            case Connect() | Stop():
                raise _LeaveError(command)
            case StartClip():
                if self._recording:
                    self._recording.start(command)
                else:
                    self._tell(ClipFailed(command.alert_id, "the camera is not connected"))
            case EndClip():
                if self._recording:
                    self._recording.end(command)
            case Tune():
                self._tuned = command
                if self._reader and self._session:
                    self._reader.tune(keyframes_only=command.keyframes_only)
                    self._session.tune(command)

    def _next(self) -> Command:
        try:
            command: Command = self._link.recv()
        except (EOFError, OSError):  # nobody is there any more
            return Stop()
        return command

    def _tell(self, notice: Notice) -> None:
        with self._sending, suppress(OSError):  # the next command will say that nobody listens
            self._link.send(notice)

    def _count(self, now_s: float) -> None:
        """Tell what was counted, unless the engine is too busy to listen: counting goes on then."""
        if now_s - self._tally.told_s >= 1.0 and select([], [self._link], [], 0)[1]:
            counted = self._tally.due(now_s)
            if counted:
                self._tell(counted)


def run_worker(
    settings: CaptureSettings, ring: Ring, link: Connection, *, own_process: bool = False
) -> None:
    """Read one camera as commands from `link` say, and tell on it; ends on `Stop` or a hang-up."""
    _Worker(settings, ring, link, own_process=own_process).run()


def main(descriptor: int) -> None:
    """A worker of its own process: settings, then the ring's name, then commands."""
    for stopping in (signal.SIGINT, signal.SIGTERM):  # meant for the engine, which says `Stop`
        signal.signal(stopping, signal.SIG_IGN)
    cv2.setNumThreads(1)
    end_with_parent()
    link = Connection(descriptor)
    settings: CaptureSettings = link.recv()
    ring = Ring.attach(link.recv())
    try:
        run_worker(settings, ring, link, own_process=True)
    finally:
        ring.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))

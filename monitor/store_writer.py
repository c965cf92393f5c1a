"""The one who writes to the store: a thread that takes what happened and keeps it, in order.

Nobody who hands something over waits for the disk. While the database is locked or the disk is
full, what came is held in memory and tried again; of an alert that goes on only the newest update.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from monitor.errors import StoreError
from monitor.records import Alert
from monitor.store import (
    NO_FACTS,
    Facts,
    HealthEvent,
    Outgoing,
    SeenPicture,
    Store,
    StoreUnavailableError,
)
from monitor.store_curves import Minute

BATCH = 200  # jobs per transaction; a commit costs the same for one
GATHER_S = 0.1  # what comes within it goes into one transaction
AGAIN_S = 1.0  # between attempts while the database cannot be used; its own wait comes on top
IDLE_S = 30.0  # without anything to write: time to fold in the log
LOG_BYTES = 64 * 2**20  # fold it in at once: passive checkpoints alone let peers' logs pass 850 MB

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A phase of an alert; see `Store.record`."""

    alert: Alert
    origin: datetime
    model: str = ""
    facts: Facts = NO_FACTS
    notices: tuple[Outgoing, ...] = ()

    def write(self, store: Store) -> None:
        """Keep it."""
        store.record(
            self.alert,
            origin=self.origin,
            model=self.model,
            facts=self.facts,
            notices=self.notices,
        )


@dataclass(frozen=True, slots=True)
class Attached:
    """Evidence lies on the disk; see `Store.attach`."""

    alert_id: str
    snapshot: str = ""
    clip: str = ""

    def write(self, store: Store) -> None:
        """Keep it."""
        store.attach(self.alert_id, snapshot=self.snapshot, clip=self.clip)


@dataclass(frozen=True, slots=True)
class FellIll:
    """A health event begins; see `HealthEvents.open`."""

    event: HealthEvent
    notices: tuple[Outgoing, ...] = ()

    def write(self, store: Store) -> None:
        """Keep it."""
        store.health.open(self.event, self.notices)


@dataclass(frozen=True, slots=True)
class Recovered:
    """A health event is over; see `HealthEvents.close`."""

    event_id: str
    at: datetime
    notices: tuple[Outgoing, ...] = ()

    def write(self, store: Store) -> None:
        """Keep it."""
        store.health.close(self.event_id, self.at, self.notices)


@dataclass(frozen=True, slots=True)
class Pictured:
    """A single picture was judged; see `Store.record_picture`."""

    seen: SeenPicture
    alert: Alert | None = None
    snapshot: str = ""
    notices: tuple[Outgoing, ...] = ()

    def write(self, store: Store) -> None:
        """Keep it."""
        store.record_picture(self.seen, self.alert, snapshot=self.snapshot, notices=self.notices)


@dataclass(frozen=True, slots=True)
class Measured:
    """What cameras were scored at; see `Curves.keep`."""

    minutes: tuple[Minute, ...]

    def write(self, store: Store) -> None:
        """Keep it."""
        store.curves.keep(self.minutes)


Job = Recorded | Attached | FellIll | Recovered | Pictured | Measured


class StoreWriter:
    """Give it jobs with `put`; it writes them in that order and loses none of up to `most`.

    Updates of an alert take no room beyond one each. What comes when `most` wait is refused,
    counted in `lost`, and said in `failing`.
    """

    def __init__(
        self,
        store: Store,
        *,
        most: int = 10_000,  # 10 MB; an hour of alerts of sixty cameras in a storm
        on_written: Callable[[], None] | None = None,
        again_s: float = AGAIN_S,
    ) -> None:
        """`on_written` is called in the writer's thread after each transaction."""
        self.lost = 0
        self.failing = ""  # one line while nothing can be written; empty: all is well
        self._store = store
        self._most = most
        self._on_written = on_written
        self._again_s = again_s
        self._jobs: deque[Job] = deque()
        self._busy = 0  # of the jobs, from the left: those that are being written
        self._changed = threading.Condition()
        self._ending = False
        self._hurry = False
        self._folded = True
        self._thread = threading.Thread(target=self._work, name="store-writer", daemon=True)

    @property
    def waiting(self) -> int:
        """How many jobs are not written yet."""
        return len(self._jobs)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def put(self, job: Job) -> bool:
        """Hand over; never waits for the disk. False: too many wait, it is lost."""
        with self._changed:
            if self._coalesce(job):
                return True
            if len(self._jobs) >= self._most:
                self.lost += 1
                self.failing = f"{self._most:,} events wait to be written, {self.lost:,} were lost"
                return False
            self._jobs.append(job)
            self._changed.notify_all()
            return True

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was put is written; False: it is not, in that time."""
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: not self._jobs, timeout_s)

    def close(self, timeout_s: float = 5.0) -> bool:
        """Write what there is and end; False: something is left unwritten."""
        written = self.flush(timeout_s) if self._thread.is_alive() else not self._jobs
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return written

    def _coalesce(self, job: Job) -> bool:
        """A newer update takes the place of one that still waits; what was to be told, stays."""
        if not isinstance(job, Recorded) or job.alert.phase != "update":
            return False
        for place in range(len(self._jobs) - 1, self._busy - 1, -1):
            older = self._jobs[place]
            if isinstance(older, Recorded) and older.alert.id == job.alert.id:
                if older.alert.phase != "update":
                    return False
                self._jobs[place] = replace(job, notices=older.notices + job.notices)
                return True
        return False

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._jobs or self._ending, IDLE_S)
                if not self._jobs and self._ending:
                    return
                if not self._jobs:
                    self._fold_in()
                    continue
                self._changed.wait_for(lambda: self._hurry or self._ending, GATHER_S)
                self._busy = min(BATCH, len(self._jobs))
                batch = list(islice(self._jobs, self._busy))
            if not self._try(batch) and self._pause():
                return

    def _try(self, batch: list[Job]) -> bool:
        try:
            self._write(batch)
        except StoreUnavailableError as error:
            self._fail(str(error))
            return False
        self._finish(len(batch))
        return True

    def _write(self, batch: list[Job]) -> None:
        try:
            with self._store.database.batch():
                for job in batch:
                    job.write(self._store)
        except StoreUnavailableError:
            raise
        except (StoreError, ValueError):  # one of them cannot be kept: which?
            for job in batch:
                self._write_alone(job)

    def _write_alone(self, job: Job) -> None:
        """Written twice is written once: every job is the same the second time."""
        try:
            job.write(self._store)
        except StoreUnavailableError:
            raise
        except (StoreError, ValueError) as error:
            logger.error("not kept: %s", error)

    def _finish(self, count: int) -> None:
        with self._changed:
            for _ in range(count):
                self._jobs.popleft()
            self._busy = 0
            self._hurry = self._hurry and bool(self._jobs)
            self._folded = False
            self.failing = ""
            self._changed.notify_all()
        if self._on_written is not None:
            self._on_written()
        if self._store.database.log_bytes() > LOG_BYTES:
            self._fold_in()

    def _fail(self, said: str) -> None:
        with self._changed:
            if not self.failing:
                logger.error("%s; what happens meanwhile is held and tried again", said)
            self.failing = said
            self._busy = 0

    def _pause(self) -> bool:
        """Wait before the next attempt; True: it is the end instead."""
        until_s = time.monotonic() + self._again_s
        with self._changed:
            self._changed.wait_for(lambda: self._ending, max(0.0, until_s - time.monotonic()))
            return self._ending

    def _fold_in(self) -> None:
        if self._folded:
            return
        try:
            self._folded = self._store.database.checkpoint()
        except StoreError as error:
            logger.debug("the log was not folded in: %s", error)

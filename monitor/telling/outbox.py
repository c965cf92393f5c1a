"""From the outbox to a sink: in order, at least once, and again while it fails.

One thread per sink, so that a webhook that hangs delays no other.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from monitor.errors import StoreError
from monitor.evidence_files import place_of
from monitor.store import Store
from monitor.store_outbox import Waiting
from monitor.telling.sink import Sink, TellError

GIVE_UP_AFTER = timedelta(days=1)  # older news is no news
LONGEST_PAUSE_S = 300.0
TROUBLE_S = 30.0  # a receiver that is back within it was no news, as a camera
LOOK_EVERY_S = 2.0  # whether a summary has come due, or the engine's writer has written

logger = logging.getLogger(__name__)


def pause_s(failures: int, random: Random) -> float:
    """Before the next attempt after so many in a row: doubles to five minutes, full jitter."""
    return max(1.0, random.uniform(0.0, min(LONGEST_PAUSE_S, 2.0**failures)))


@dataclass
class Counts:
    """What became of a sink's notices, in this run."""

    delivered: int = 0
    failed: int = 0  # attempts
    given_up: int = 0


class Courier:
    """Takes one sink's notices from the outbox, in order for each camera."""

    def __init__(
        self,
        store: Store,
        name: str,
        sink: Sink,
        *,
        folder: Path | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        random: Random | None = None,
    ) -> None:
        """`folder` is what evidence paths in the store are relative to."""
        self.name = name
        self.counts = Counts()
        self.failing = ""  # one line while the sink takes nothing
        self._failing_since: datetime | None = None
        self._store = store
        self._sink = sink
        self._folder = folder
        self._clock = clock
        self._random = random or Random()  # noqa: S311 - jitter
        self._failures = 0
        self._not_before = datetime.min.replace(tzinfo=UTC)
        self._delivered: dict[int, datetime] = {}  # told, and not yet noted as such
        self._woken = threading.Event()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"telling-{name}", daemon=True)

    def start(self) -> None:
        """Begin to deliver, with what an earlier run left."""
        self._thread.start()

    def wake(self) -> None:
        """There may be something new."""
        self._woken.set()

    def stop(self) -> None:
        """Begin no further delivery."""
        self._ending.set()
        self._woken.set()

    def join(self, until_s: float) -> None:
        """Wait for the one under way, until time.monotonic() is there; then hang up."""
        if self._thread.is_alive():
            self._thread.join(max(0.0, until_s - time.monotonic()))
        if not self._thread.is_alive():
            self._sink.close()

    @property
    def trouble(self) -> str:
        """What people should know of it: notices are given up, or have waited for a while."""
        since = self._failing_since
        told = since is not None and self._clock() - since >= timedelta(seconds=TROUBLE_S)
        return self.failing if told else ""

    def deliver_due(self) -> int:
        """Tell what may be told now; how many were. Stops at the first that is not taken."""
        told = 0
        try:
            self._note_delivered()
            while not self._ending.is_set() and self._clock() >= self._not_before:
                rows = self._store.outbox.due(self.name, self._clock())
                if not rows:
                    break
                for row in rows:
                    if self._ending.is_set() or not self._deliver(row):
                        return told
                    told += 1
        except StoreError as error:
            logger.warning("%s: notices wait: %s", self.name, error)
        return told

    def _deliver(self, row: Waiting) -> bool:
        """False: the sink takes nothing at present."""
        try:
            self._sink.tell(self._completed(row))
        except TellError as error:
            return self._failed(row, error)
        except Exception as error:  # noqa: BLE001 - a sink's library fails in its own ways
            return self._failed(row, TellError(f"failed with {type(error).__name__}"))
        self._delivered[row.id] = self._clock()
        self._failures, self.failing, self._failing_since = 0, "", None
        self.counts.delivered += 1
        self._note_delivered()
        return True

    def _note_delivered(self) -> None:
        """Kept in memory while the store fails, so that nothing is told twice for it."""
        for row_id, at in list(self._delivered.items()):
            self._store.outbox.done(row_id, at)
            del self._delivered[row_id]

    def _failed(self, row: Waiting, error: TellError) -> bool:
        now = self._clock()
        self.counts.failed += 1
        if error.final or now - row.created_at > GIVE_UP_AFTER:
            self._note_failing(
                f"{error}; its notices are given up", datetime.min.replace(tzinfo=UTC)
            )
            self.counts.given_up += 1
            self._store.outbox.failed(row.id, str(error), None)
            return True
        self._failures += 1
        self._note_failing(f"{error}; its notices wait and are tried again", now)
        self._not_before = now + timedelta(seconds=pause_s(self._failures, self._random))
        self._store.outbox.failed(row.id, str(error), self._not_before)
        return False

    def _note_failing(self, text: str, since: datetime) -> None:
        """Said once for all notices that fail in the same way."""
        if text != self.failing:
            logger.warning("%s: %s", self.name, text)
        self.failing = text
        self._failing_since = min(since, self._failing_since or since)

    def _completed(self, row: Waiting) -> Waiting:
        """With the evidence there is by now."""
        if row.kind != "alert":
            return row
        try:
            found = self._store.get(row.event_id)
        except StoreError:
            return row
        own = {"region": found.region, "snapshot": self._path(found.snapshot)}
        return replace(row, payload=row.payload | own | {"clip": self._path(found.clip)})

    def _path(self, kept: str) -> str:
        return str(place_of(self._folder, kept)) if kept and self._folder is not None else kept

    def _work(self) -> None:
        while not self._ending.is_set():
            self.deliver_due()
            self._woken.wait(LOOK_EVERY_S)
            self._woken.clear()

"""Hands what happens to every reader of the stream, each at its own speed and in bounded memory.

Of a reader that is slow, states are overwritten by newer ones, the oldest scores and log lines
are dropped, alerts and health events never: where too many of these wait, it is cut off and has
to connect again, which gives it the whole state. Knows nothing of HTTP.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from monitor.api.schema import (
    AlertView,
    CameraStatus,
    EngineStatus,
    HealthView,
    LogLine,
    Message,
    ScorePoint,
)
from monitor.errors import MonitorError

PACE_S = 0.25  # between messages of states and scores only: what an eye can follow
MOST_SCORES = 4096  # waiting per reader: 64 cameras at 2 per second for half a minute
MOST_LINES = 500
MOST_KEPT = 1000  # alerts and health events waiting per reader: 1 MB
MOST_READERS = 64


class CutOffError(MonitorError):
    """A reader was let go; it may connect again."""


class Hub:
    """The fan-out. All methods are called in one event loop, and none waits for a reader."""

    def __init__(self, *, pace_s: float = PACE_S, most_kept: int = MOST_KEPT) -> None:
        """`most_kept` alerts and, apart from them, health events may wait per reader."""
        self._pace_s = pace_s
        self._most_kept = most_kept
        self._readers: set[_Reader] = set()

    @property
    def readers(self) -> int:
        """How many there are."""
        return len(self._readers)

    def publish(self, message: Message) -> None:
        """Give it to all readers."""
        for reader in self._readers:
            reader.put(message)

    def close(self, reason: str = "the engine stops") -> None:
        """Let all readers go, after what waits for them."""
        for reader in self._readers:
            reader.cut(reason)

    @asynccontextmanager
    async def subscribe(self, first: Message) -> AsyncIterator[AsyncIterator[Message]]:
        """Messages from now on, `first` before them.

        Raises:
            CutOffError: There are too many readers; or, from the iterator, this one was too slow
                or the hub was closed.
        """
        if len(self._readers) >= MOST_READERS:
            raise CutOffError(f"{MOST_READERS} readers follow the stream already: close one")
        reader = _Reader(first, self._pace_s, self._most_kept)
        self._readers.add(reader)
        try:
            yield reader
        finally:
            self._readers.discard(reader)


class _Reader:
    """What waits for one reader."""

    def __init__(self, first: Message, pace_s: float, most_kept: int) -> None:
        self._pace_s = pace_s
        self._most_kept = most_kept
        self._first: Message | None = first
        self._reason = ""
        self._next_at = 0.0
        self._some = asyncio.Event()
        self._urgent = asyncio.Event()
        self._some.set()
        self._urgent.set()
        self._empty()

    def _empty(self) -> None:
        self._engine: EngineStatus | None = None
        self._cameras: dict[str, CameraStatus] = {}
        self._removed: dict[str, None] = {}  # in order
        self._scores: deque[ScorePoint] = deque(maxlen=MOST_SCORES)
        self._alerts: list[AlertView] = []
        self._health: list[HealthView] = []
        self._log: deque[LogLine] = deque(maxlen=MOST_LINES)

    def put(self, message: Message) -> None:
        """Join it with what waits."""
        if self._reason:
            return
        self._engine = message.engine or self._engine
        self._put_cameras(message.cameras, message.removed)
        self._scores.extend(message.scores)
        self._alerts.extend(message.alerts)
        self._health.extend(message.health)
        self._log.extend(message.log)
        self._some.set()
        if message.alerts or message.health or message.removed:
            self._urgent.set()
        if max(len(self._alerts), len(self._health)) > self._most_kept:
            self._empty()
            self.cut(f"cut off: over {self._most_kept} events waited for this reader")

    def _put_cameras(self, cameras: Iterable[CameraStatus], removed: Iterable[str]) -> None:
        for name in removed:
            self._cameras.pop(name, None)
            self._removed[name] = None
        for camera in cameras:
            self._removed.pop(camera.name, None)
            self._cameras[camera.name] = camera

    def cut(self, reason: str) -> None:
        """No more after what waits."""
        self._reason = self._reason or reason
        self._some.set()
        self._urgent.set()

    def __aiter__(self) -> AsyncIterator[Message]:
        return self

    async def __anext__(self) -> Message:
        """May be cancelled at any time without loss."""
        await self._some.wait()
        await self._wait_a_little()
        waiting = self._take()
        if waiting is None:
            raise CutOffError(self._reason)
        self._next_at = asyncio.get_running_loop().time() + self._pace_s
        return waiting

    async def _wait_a_little(self) -> None:
        rest_s = self._next_at - asyncio.get_running_loop().time()
        if rest_s > 0 and not self._urgent.is_set():
            try:
                await asyncio.wait_for(self._urgent.wait(), rest_s)
            except TimeoutError:
                return

    def _take(self) -> Message | None:
        """What waits, as one message; None: nothing, as the reader was cut off."""
        taken = self._first
        if taken is not None:
            self._first = None
        elif self._waiting():
            taken = self._joined()
            self._empty()
        if not self._reason:
            self._urgent.clear()
            if not self._waiting():
                self._some.clear()
        return taken

    def _waiting(self) -> bool:
        states = self._engine is not None or self._cameras or self._removed
        return bool(states or self._scores or self._alerts or self._health or self._log)

    def _joined(self) -> Message:
        return Message(
            engine=self._engine,
            cameras=list(self._cameras.values()),
            removed=list(self._removed),
            scores=list(self._scores),
            alerts=self._alerts,
            health=self._health,
            log=list(self._log),
        )

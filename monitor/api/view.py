"""What the API needs of an engine. The live engine is one; tests bring their own."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Literal, Protocol

from starlette.responses import Response

from monitor.api.schema import (
    Action,
    AlertWanted,
    CameraStatus,
    EngineStatus,
    HealthView,
    LogLine,
    Message,
    ScorePoint,
)
from monitor.store import AlertQuery, Store, StoredAlert

__all__ = ["Action", "EngineView", "Evidence"]

Evidence = Callable[[StoredAlert, Literal["snapshot", "clip"], str], Awaitable[Response]]
"""An alert's picture or clip, given the header Range; raises NoEvidenceError: there is none."""


class EngineView(Protocol):
    """A running engine. All methods are called in its event loop and hold it up for nothing."""

    store: Store

    def status(self) -> EngineStatus:
        """The engine and its machine."""

    def cameras(self) -> Sequence[CameraStatus]:
        """All cameras, in the order of the configuration."""

    async def scores(
        self, camera: str, since: datetime, until: datetime | None = None
    ) -> Sequence[ScorePoint]:
        """The readings kept in memory, oldest first; older ones are in `store.curves`.

        What is after `until` need not be given.
        """

    def query(self, wanted: AlertWanted) -> AlertQuery:
        """What the store is to be asked."""

    def health(self, *, open_only: bool = False, limit: int = 100) -> Sequence[HealthView]:
        """Health events, newest first."""

    def log_lines(self, limit: int = 200) -> Sequence[LogLine]:
        """The newest lines of the log, oldest first."""

    async def picture(self, camera: str, *, heat: bool = False) -> bytes | None:
        """The newest picture as JPEG; None: there is none."""

    async def act(self, camera: str, action: Action) -> str:
        """Do it; one line on what was done. Raises MonitorError where it cannot be done."""

    async def mute(self, camera: str, until: datetime | None) -> None:
        """No notices of this camera until then."""

    def alert_changed(self, alert_id: str) -> None:
        """A client has changed an alert in the store: tell the others."""

    def subscribe(self) -> AbstractAsyncContextManager[AsyncIterator[Message]]:
        """Messages from now on; the first holds the whole state. A slow reader loses the oldest."""

    def metrics(self) -> bytes:
        """Prometheus' text format."""

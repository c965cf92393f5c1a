"""What the dashboard needs of an engine; `monitor.api.client.Client` is one, a replay another."""

from collections.abc import AsyncGenerator
from datetime import datetime
from pathlib import Path
from typing import Protocol

from monitor.api.schema import (
    Action,
    AlertPage,
    AlertView,
    AlertWanted,
    Message,
    Said,
    ScorePoint,
)


class Engine(Protocol):
    """One engine. Every call raises a MonitorError with one line for people where it fails."""

    url: str

    def stream(self) -> AsyncGenerator[Message, None]:
        """Everything that changes; the first message is the whole state. Never ends by itself."""

    async def scores(
        self, camera: str, since: datetime | None = None, until: datetime | None = None
    ) -> list[ScorePoint]:
        """Readings of that span, else of the last hour, oldest first."""

    async def picture(self, camera: str, *, heat: bool = False) -> bytes | None:
        """The newest picture; None: there is none yet."""

    async def snapshot(self, alert_id: str) -> bytes | None:
        """The picture of an alert; None: it has none."""

    async def alerts(self, wanted: AlertWanted = ...) -> AlertPage:
        """A page of the alerts that match."""

    async def alert(self, alert_id: str) -> AlertView:
        """One alert as it is now."""

    async def say(self, alert_id: str, said: Said) -> AlertView:
        """Acknowledge, label, note or pin; the alert as it is then."""

    async def save_clip(self, alert_id: str, path: Path) -> int:
        """Write its clip to a file; bytes."""

    async def act(self, camera: str, action: Action) -> str:
        """One line on what was done."""

    async def mute(self, camera: str, until: datetime | None) -> str:
        """One line on what was done."""

    async def close(self) -> None:
        """Let go of connections."""

"""A recording that answers as an engine does, with a place in time that can be moved."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from datetime import datetime
from math import inf
from pathlib import Path
from typing import NoReturn

from monitor.api.schema import (
    Action,
    AlertPage,
    AlertView,
    AlertWanted,
    Message,
    Said,
    ScorePoint,
    Sort,
)
from monitor.errors import UsageError
from monitor.tui.state.recording import Recording

BEAT_S = 0.25
HOUR_S = 3600.0
SPEEDS = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
MOST_POINTS = 60_000  # of the past that are told after a move; an hour of eight cameras
EVERY = AlertWanted()


class Replay:
    """Plays; `seek`, `pause` and `speed` may be called at any time."""

    def __init__(self, recording: Recording, *, mono: Callable[[], float] = time.monotonic) -> None:
        self.url = f"replay of {Path(recording.place).name}"
        self.recording = recording
        self.playing = True
        self.speed = 1.0
        self.position_s = 0.0
        self._back_s = min(HOUR_S, MOST_POINTS / max(1, len(recording.tracks)))
        self._said_s = -self._back_s
        self._mono = mono
        self._moved = asyncio.Event()

    def seek(self, second: float) -> None:
        """Go to this second; what came after it has then not happened."""
        self.position_s = min(max(0.0, second), self.recording.end_s)
        self._said_s = self.position_s - self._back_s
        self._moved.set()

    def faster(self, steps: int) -> None:
        """One speed up, or with -1 down."""
        place = SPEEDS.index(self.speed) + steps
        self.speed = SPEEDS[min(max(0, place), len(SPEEDS) - 1)]

    async def stream(self) -> AsyncGenerator[Message, None]:
        """Four messages a second, and one at once after a move."""
        self._said_s = self.position_s - self._back_s
        before = self._mono()
        while True:
            yield self.recording.at(self.position_s, self._said_s, speed=self.speed)
            self._said_s = self.position_s
            try:
                await asyncio.wait_for(self._moved.wait(), BEAT_S)
                self._moved.clear()
            except TimeoutError:
                pass
            now = self._mono()
            if self.playing:
                self.position_s += (now - before) * self.speed
                if self.position_s >= self.recording.end_s:
                    self.position_s, self.playing = self.recording.end_s, False
            before = now

    async def scores(
        self, camera: str, since: datetime | None = None, until: datetime | None = None
    ) -> list[ScorePoint]:
        """At the latest until the place in time that is shown."""
        recording = self.recording
        track = next(track for track in recording.tracks if track.name == camera)
        begin = recording.second(since) if since else 0.0
        end = min(self.position_s, recording.second(until) if until else self.position_s)
        return track.points(recording.origin, begin, end)

    async def alerts(self, wanted: AlertWanted = EVERY) -> AlertPage:
        """Those that have begun."""
        begun = self.recording.alerts_until(self.position_s)
        found = in_order((alert for alert in begun if matches(alert, wanted)), wanted.sort)
        part = found[wanted.offset : wanted.offset + wanted.limit]
        return AlertPage(total=len(found), offset=wanted.offset, alerts=part)

    async def alert(self, alert_id: str) -> AlertView:
        """As it was at the place in time that is shown."""
        for alert in self.recording.alerts_until(self.position_s):
            if alert.id == alert_id:
                return alert
        raise UsageError("at this place in time there is no such alert")

    async def picture(self, camera: str, *, heat: bool = False) -> bytes | None:  # noqa: ARG002
        """None: of what was, there are scores, no frames."""
        return None

    async def snapshot(self, alert_id: str) -> bytes | None:
        """Where the store still has it."""
        path = self.recording.snapshots.get(alert_id)
        try:
            return await asyncio.to_thread(path.read_bytes) if path else None
        except OSError:
            return None  # retention has removed it meanwhile

    async def say(self, alert_id: str, said: Said) -> AlertView:  # noqa: ARG002
        """Refused."""
        _refuse()

    async def save_clip(self, alert_id: str, path: Path) -> int:  # noqa: ARG002
        """Refused."""
        _refuse()

    async def act(self, camera: str, action: Action) -> str:  # noqa: ARG002
        """Refused."""
        _refuse()

    async def mute(self, camera: str, until: datetime | None) -> str:  # noqa: ARG002
        """Refused."""
        _refuse()

    async def close(self) -> None:
        """There is nothing to let go of."""


def _refuse() -> NoReturn:
    raise UsageError("this is a replay: nothing can be changed in it")


def matches(alert: AlertView, wanted: AlertWanted) -> bool:
    """Whether a store would find it (`store_query`): cameras of what was have no tags."""
    said = "\n".join((alert.id, alert.camera, alert.reason, alert.region, alert.note)).lower()
    narrowing = (
        (wanted.camera, alert.camera),
        (wanted.open, alert.phase != "end"),
        (wanted.acknowledged, alert.acknowledged_at is not None),
        (wanted.label, alert.label),
        (wanted.labelled, alert.label is not None),
        (wanted.pinned, alert.pinned),
    )
    return (
        all(asked is None or asked == own for asked, own in narrowing)
        and not wanted.tag
        and (wanted.since is None or alert.ended_at >= wanted.since)
        and (wanted.until is None or alert.started_at < wanted.until)
        and all(word in said for word in wanted.text.lower().split())
    )


def in_order(found: Iterable[AlertView], sort: Sort) -> list[AlertView]:
    """As a store sorts; when one was last changed is not known here, so `changed` is newest."""
    oldest = sorted(found, key=lambda alert: (alert.started_at, alert.id))
    if sort == "oldest":
        return oldest
    newest = oldest[::-1]
    if sort == "strongest":
        newest.sort(
            key=lambda alert: -inf if alert.strength is None else alert.strength, reverse=True
        )
    return newest

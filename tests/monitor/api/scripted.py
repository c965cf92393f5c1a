"""An engine by script: one to 64 cameras, a real store, and whatever a test lets happen."""

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from ulid import ULID

from monitor.api.auth import Tokens
from monitor.api.hub import Hub
from monitor.api.metrics import Metrics
from monitor.api.schema import (
    Action,
    AlertView,
    AlertWanted,
    CameraStatus,
    EngineStatus,
    HealthView,
    LogLine,
    Message,
    ScorePoint,
)
from monitor.api.server import serving
from monitor.api.stored import alert_view, store_query
from monitor.config.settings import ApiSettings
from monitor.errors import MonitorError
from monitor.records import Alert
from monitor.store import AlertQuery, Facts, Store

START = datetime(2026, 3, 1, 18, 0, tzinfo=UTC)


def _gray_jpeg() -> bytes:
    content = BytesIO()
    Image.new("RGB", (64, 36), (90, 90, 90)).save(content, "JPEG")
    return content.getvalue()


JPEG = _gray_jpeg()


@asynccontextmanager
async def serving_script(
    engine: "ScriptedEngine", tokens: Tokens | None = None, *, port: int = 0
) -> AsyncIterator[str]:
    """A real server on loopback; gives its URL."""
    settings = ApiSettings(port=port)
    async with serving(engine, settings, tokens or Tokens(), engine.folder) as url:
        yield url


class ScriptedEngine:
    """Nothing happens in it but what is called; `now` moves with `pass_time` only."""

    def __init__(self, folder: Path, cameras: int | Sequence[str] = 4) -> None:
        """Cameras that run, by number (named camera-1 and so on) or by name."""
        names = cameras if not isinstance(cameras, int) else _names(cameras)
        self.folder = folder
        self.store = Store(folder / "events.db")
        self.hub = Hub(pace_s=0.01)
        self.collected = Metrics()
        self.now = START
        self.state: dict[str, CameraStatus] = {name: _camera(name) for name in names}
        self.engine = EngineStatus(
            version="0.1.0", state="running", started_at=START, now=START, cameras=len(names)
        )
        self.readings: defaultdict[str, list[ScorePoint]] = defaultdict(list)
        self.events: list[HealthView] = []
        self.lines: list[LogLine] = []
        self.acts: list[tuple[str, str]] = []  # camera and action
        self.picture_bytes: bytes | None = JPEG
        self.refusal = ""  # of every action, if it is set

    # What tests let happen

    def pass_time(self, seconds: float) -> None:
        """Let the clock go on."""
        self.now += timedelta(seconds=seconds)

    def push(self, message: Message) -> None:
        """Tell all readers, whatever it is."""
        self.hub.publish(message)

    def set_engine(self, **changes: Any) -> None:
        """Change the engine's own status."""
        self.engine = self.engine.model_copy(update=changes)
        self.push(Message(engine=self.status()))

    def set_camera(self, name: str, **changes: Any) -> CameraStatus:
        """Change a camera, or add one."""
        before = self.state.get(name) or _camera(name)
        if changes.get("state", before.state) != before.state:
            changes = {"since": self.now} | changes
        self.state[name] = before.model_copy(update=changes)
        self.push(Message(cameras=[self.state[name]]))
        return self.state[name]

    def remove_camera(self, name: str) -> None:
        """Take it away."""
        del self.state[name]
        self.push(Message(removed=[name]))

    def add_score(self, name: str, score: float | None, p_value: float | None = None) -> None:
        """A reading of now."""
        point = ScorePoint(camera=name, at=self.now, score=score, p_value=p_value)
        self.readings[name].append(point)
        changes = {"score": score, "p_value": p_value, "scored_at": self.now}
        self.state[name] = self.state[name].model_copy(update=changes)
        self.push(Message(scores=[point], cameras=[self.state[name]]))

    def raise_alert(
        self, name: str, *, strength: float = 1.5, open_s: float = 0.0, **changes: Any
    ) -> AlertView:
        """A new alert of now; `changes` to its record. `end_alert` ends it."""
        alert = Alert(
            id=str(ULID.from_datetime(self.now)),
            source=name,
            phase="new",
            revision=0,
            start_s=0.0,
            end_s=open_s,
            peak_s=open_s / 2,
            peak_score=12.5,
            peak_p_value=1e-5,
            reason="motion",
        )
        return self._record(replace(alert, **changes), self.now, strength)

    def end_alert(self, alert_id: str, *, after_s: float = 10.0) -> AlertView:
        """The last phase of an alert."""
        found = self.store.get(alert_id)
        alert = replace(
            found.alert,
            phase="end",
            revision=found.alert.revision + 1,
            end_s=found.alert.start_s + after_s,
        )
        return self._record(alert, found.started_at)

    def give_evidence(self, alert_id: str, clip: bytes = b"0123456789") -> None:
        """A snapshot and a clip for it."""
        snapshot, video = self.folder / f"{alert_id}.jpg", self.folder / f"{alert_id}.mp4"
        snapshot.write_bytes(JPEG)
        video.write_bytes(clip)
        self.store.attach(alert_id, snapshot=str(snapshot), clip=str(video))
        self.alert_changed(alert_id)

    def add_health(self, camera: str | None, kind: str, text: str, **changes: Any) -> HealthView:
        """A health event of now; again with the same `id` and `ended_at` to end it."""
        values: dict[str, Any] = {"id": str(ULID.from_datetime(self.now)), "severity": "warning"}
        values |= {"camera": camera, "kind": kind, "text": text, "started_at": self.now} | changes
        event = HealthView(**values)
        self.events = [event, *(known for known in self.events if known.id != event.id)]
        self.push(Message(health=[event]))
        return event

    def add_line(self, text: str, camera: str | None = None, **changes: Any) -> None:
        """A line of the log."""
        values: dict[str, Any] = {"at": self.now, "level": "info", "camera": camera, "text": text}
        self.lines.append(LogLine(**(values | changes)))
        self.push(Message(log=[self.lines[-1]]))

    # What the API asks of an engine

    def status(self) -> EngineStatus:
        return self.engine.model_copy(
            update={
                "now": self.now,
                "cameras": len(self.state),
                "open_alerts": sum(camera.open_alert is not None for camera in self.cameras()),
            }
        )

    def cameras(self) -> Sequence[CameraStatus]:
        return list(self.state.values())

    def query(self, wanted: AlertWanted) -> AlertQuery:
        return store_query(wanted, self.cameras())

    async def scores(
        self, camera: str, since: datetime, until: datetime | None = None
    ) -> Sequence[ScorePoint]:
        return [point for point in self.readings[camera] if point.at >= since]

    def health(self, *, open_only: bool = False, limit: int = 100) -> Sequence[HealthView]:
        return [event for event in self.events if not (open_only and event.ended_at)][:limit]

    def log_lines(self, limit: int = 200) -> Sequence[LogLine]:
        return self.lines[-limit:]

    async def picture(self, camera: str, *, heat: bool = False) -> bytes | None:
        return self.picture_bytes

    async def act(self, camera: str, action: Action) -> str:
        if self.refusal:
            raise MonitorError(self.refusal)
        self.acts.append((camera, action))
        states = {"pause": "paused", "resume": "running", "relearn": "learning"}
        if action in states:
            self.set_camera(camera, state=states[action])
        return f"{camera}: {action} done"

    async def mute(self, camera: str, until: datetime | None) -> None:
        self.set_camera(camera, muted_until=until)

    def alert_changed(self, alert_id: str) -> None:
        self.push(Message(alerts=[alert_view(self.store.get(alert_id))]))

    def subscribe(self) -> AbstractAsyncContextManager[AsyncIterator[Message]]:
        return self.hub.subscribe(
            Message(
                engine=self.status(),
                cameras=list(self.cameras()),
                health=list(self.health(open_only=True)),
                log=list(self.log_lines()),
            )
        )

    def metrics(self) -> bytes:
        return self.collected.render()

    def _record(self, alert: Alert, origin: datetime, strength: float | None = None) -> AlertView:
        facts = Facts(strength=strength)
        self.store.record(alert, origin=origin, model="fusion", facts=facts)
        self.set_camera(
            alert.source,
            open_alert=None if alert.phase == "end" else alert.id,
            last_alert_at=origin,
        )
        self.alert_changed(alert.id)
        return alert_view(self.store.get(alert.id))


def _names(count: int) -> list[str]:
    return [f"camera-{number}" for number in range(1, count + 1)]


def _camera(name: str) -> CameraStatus:
    return CameraStatus(
        name=name,
        state="running",
        since=START,
        address="rtsp://192.0.2.7/stream",
        score=0.2,
        p_value=0.4,
        scored_at=START,
        fps_in=10.0,
        fps_scored=2.0,
        frame_age_s=0.08,
        age_at_score_s=0.12,
        size=(360, 640),
        detector="fusion",
    )

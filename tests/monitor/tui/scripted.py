"""An engine that does what a test says, in memory."""

import asyncio
import io
import math
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from PIL import Image, ImageDraw

from monitor.api.schema import (
    Action,
    AlertPage,
    AlertView,
    AlertWanted,
    CameraStatus,
    EngineStatus,
    HealthView,
    Learning,
    LogLine,
    Message,
    Said,
    ScorePoint,
)
from monitor.errors import MonitorError

EVERY = AlertWanted()
NOW = datetime(2026, 3, 4, 14, 2, 31, tzinfo=UTC)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def engine_status(**changes: object) -> EngineStatus:
    values = {
        "version": "0.1.0",
        "state": "running",
        "started_at": ago(93_000),
        "now": NOW,
        "cameras": 1,
        "disk_free_bytes": 412_000_000_000,
        "evidence_bytes": 18_400_000_000,
        "store": "sqlite:////srv/oddwatch/events.db",
        "scored_per_s": 12.4,
        "loop_lag_s": 0.003,
        "rss_bytes": 734_000_000,
        "runtime": "torch 2.15 cpu",
        "versions": {"oddwatch": "0.1.0", "torch": "2.15.0", "av": "15.0.0"},
        "unacknowledged": 2,
    }
    return EngineStatus.model_validate({**values, **changes})


def camera(name: str, **changes: object) -> CameraStatus:
    values = {
        "name": name,
        "state": "running",
        "since": ago(7_300),
        "score": 0.31,
        "p_value": 0.21,
        "fps_in": 12.5,
        "fps_scored": 2.0,
        "frame_age_s": 0.2,
        "age_at_score_s": 0.34,
        "size": (360, 640),
        "detector": "fusion",
        "model": "models/door.pt",
        "promised_per_day": 1.0,
        "measured_per_day": 0.8,
        "watched_s": 432_000.0,
        "address": "rtsp://192.168.1.20/stream",
        "drops": {"rate": 1204, "stale": 3},
        "epoch": 1,
    }
    return CameraStatus.model_validate({**values, **changes})


def alert(number: int, camera_name: str, seconds_ago: float, **changes: object) -> AlertView:
    values = {
        "id": f"01J{number:023d}",
        "camera": camera_name,
        "phase": "end",
        "revision": 3,
        "started_at": ago(seconds_ago),
        "ended_at": ago(seconds_ago - 14),
        "peak_at": ago(seconds_ago - 6),
        "strength": 2.41,
        "p_value": 0.0004,
        "reason": "appearance, right of the middle",
        "model": "door.pt",
        "has_snapshot": True,
        "has_clip": True,
        "clip_path": f"/srv/oddwatch/clips/{number}.mp4",
    }
    return AlertView.model_validate({**values, **changes})


def wave(
    name: str, seconds: int = 300, *, peak_at: float = 40, height: float = 0.0
) -> list[ScorePoint]:
    """Calm waves, with one hump of a height so many seconds ago."""
    points = []
    for back in range(seconds, 0, -1):
        level = 0.3 + 0.15 * math.sin(back / 7 + len(name)) + 0.1 * math.sin(back / 2.3)
        level += height * math.exp(-(((back - peak_at) / 9) ** 2))
        points.append(ScorePoint(camera=name, at=ago(back), score=level))
    return points


def picture(*, heat: bool = False, size: tuple[int, int] = (320, 180)) -> bytes:
    """A street of sorts."""
    image = Image.new("RGB", size, (96, 116, 138))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 90, size[0], size[1]), fill=(70, 74, 78))
    draw.polygon([(120, 180), (150, 90), (170, 90), (230, 180)], fill=(110, 112, 110))
    draw.rectangle((20, 40, 100, 100), fill=(138, 98, 80))
    draw.rectangle((205, 95, 222, 140), fill=(220, 190, 60))
    if heat:
        draw.ellipse((190, 80, 240, 150), fill=(230, 70, 50))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=85)
    return file.getvalue()


class Scripted:
    """Sends `first`, then what is put into `later`; `said` and `done` keep what it was told."""

    def __init__(self, first: Message, *, url: str = "http://127.0.0.1:8737") -> None:
        self.url = url
        self.first = first
        self.later: asyncio.Queue[Message | MonitorError] = asyncio.Queue()
        self.known: dict[str, AlertView] = {one.id: one for one in first.alerts}
        self.history: list[ScorePoint] = []
        self.said: list[tuple[str, Said]] = []
        self.done: list[tuple[str, ...]] = []
        self.asked: list[AlertWanted] = []
        self.refusal: MonitorError | None = None
        self.silent = False  # the stream never begins

    async def stream(self) -> AsyncGenerator[Message, None]:
        if self.silent:
            await asyncio.Event().wait()
        if self.refusal is not None:
            raise self.refusal
        yield self.first
        while True:
            item = await self.later.get()
            if isinstance(item, MonitorError):
                raise item
            yield item

    async def scores(
        self, camera: str, since: datetime | None = None, until: datetime | None = None
    ) -> list[ScorePoint]:
        return [p for p in self.history if p.camera == camera and (since is None or p.at >= since)]

    async def picture(self, camera: str, *, heat: bool = False) -> bytes | None:
        return picture(heat=heat)

    async def snapshot(self, alert_id: str) -> bytes | None:
        return picture(heat=True)

    async def alerts(self, wanted: AlertWanted = EVERY) -> AlertPage:
        self.asked.append(wanted)
        text = wanted.text.lower()
        found = [
            one
            for one in self.known.values()
            if (wanted.camera is None or one.camera == wanted.camera)
            and (wanted.open is None or (one.phase != "end") == wanted.open)
            and (wanted.acknowledged is None or bool(one.acknowledged_at) == wanted.acknowledged)
            and (wanted.label is None or one.label == wanted.label)
            and (wanted.since is None or one.ended_at >= wanted.since)
            and (wanted.until is None or one.started_at < wanted.until)
            and text in f"{one.camera} {one.reason} {one.note}".lower()
        ]
        found.sort(key=lambda one: one.started_at, reverse=wanted.sort != "oldest")
        part = found[wanted.offset : wanted.offset + wanted.limit]
        return AlertPage(total=len(found), offset=wanted.offset, alerts=part)

    async def alert(self, alert_id: str) -> AlertView:
        if self.refusal is not None:
            raise self.refusal
        await asyncio.sleep(0)
        return self.known[alert_id]

    async def say(self, alert_id: str, said: Said) -> AlertView:
        if self.refusal is not None:
            raise self.refusal
        self.said.append((alert_id, said))
        one = self.known[alert_id]
        changes: dict[str, object] = {"revision": one.revision + 1}
        if said.acknowledged is not None:
            changes["acknowledged_at"] = NOW if said.acknowledged else None
        if said.label is not None:
            changes["label"] = None if said.label == "none" else said.label
        if said.note is not None:
            changes["note"] = said.note
        if said.pinned is not None:
            changes["pinned"] = said.pinned
        self.known[alert_id] = one.model_copy(update=changes)
        return self.known[alert_id]

    async def save_clip(self, alert_id: str, path: Path) -> int:
        return path.write_bytes(b"clip")

    async def act(self, camera: str, action: Action) -> str:
        if self.refusal is not None:
            raise self.refusal
        self.done.append((camera, action))
        return f"{action} done"

    async def mute(self, camera: str, until: datetime | None) -> str:
        self.done.append((camera, "mute", until.isoformat() if until else "off"))
        return "muted" if until else "no longer muted"

    async def close(self) -> None:
        self.done.append(("closed",))


STREETS = (
    "north door",
    "yard",
    "loading bay 2",
    "car park east",
    "reception",
    "corridor B",
    "gate",
    "roof",
)


def many(count: int) -> list[CameraStatus]:
    """Cameras in all sorts of states."""
    found = []
    for number in range(count):
        name = f"{STREETS[number % len(STREETS)]} {number + 1:02d}"
        changes: dict[str, object] = {"score": round(0.1 + number * 0.37 % 0.7, 2)}
        if number in {9, 30}:
            changes = {
                "open_alert": f"01J{number:023d}",
                "score": 2.41,
                "last_alert_at": ago(42),
                "alerts_today": 3,
            }
        elif number == 17:
            changes = {"state": "blind", "reason": "the picture is dark", "since": ago(190)}
        elif number == 22:
            changes = {"state": "failed", "reason": "401: wrong user or password", "score": None}
        elif number == 41:
            changes = {
                "state": "backoff",
                "reason": "nobody listens at 192.168.1.77:554",
                "score": None,
            }
        elif number == 50:
            learning = Learning(step="collecting", share=0.43, text="6 of 15 min")
            changes = {"state": "learning", "learning": learning, "score": None}
        found.append(camera(name, **changes))
    return found


def busy(count: int = 64) -> tuple[Message, list[ScorePoint]]:
    """A full engine: alerts, health, log, and the curves of before."""
    cameras = many(count)
    alerts = [
        alert(9, "yard 10", 42, phase="update", strength=2.41),
        alert(30, "gate 31", 12, phase="new", strength=1.2, reason="motion, upper left"),
        *(alert(100 + n, cameras[n % count].name, 900 + 700 * n) for n in range(8)),
    ]
    if count < 31:
        alerts = [one for one in alerts if one.camera in {c.name for c in cameras}]
    health = [
        HealthView(
            id="h1",
            camera="yard 18",
            kind="dark",
            severity="warning",
            text="the picture is dark",
            started_at=ago(190),
        ),
        HealthView(
            id="h2",
            camera="gate 23",
            kind="failed",
            severity="error",
            text="401: wrong user or password",
            started_at=ago(4000),
        ),
        HealthView(
            id="h3",
            camera=None,
            kind="overload",
            severity="info",
            text="scored less often for 12 s",
            started_at=ago(8000),
            ended_at=ago(7988),
        ),
    ]
    log = [
        LogLine(
            at=ago(600 - n * 20),
            level=("info", "warning", "info", "error")[n % 4],
            camera=cameras[n % count].name if n % 3 else None,
            text=f"line {n}: connection stands, epoch {n}",
        )
        for n in range(20)
    ]
    history = [
        p
        for n, c in enumerate(cameras)
        for p in wave(c.name, height=2.6 if c.open_alert else 0.9 if n % 7 == 0 else 0.0)
    ]
    first = Message(
        engine=engine_status(cameras=count, open_alerts=2),
        cameras=cameras,
        alerts=alerts,
        health=health,
        log=log,
    )
    return first, history


def scripted(cameras: Sequence[CameraStatus] = (), **parts: object) -> Scripted:
    """An engine with these cameras and nothing else but what is given."""
    values = {"engine": engine_status(cameras=len(cameras)), "cameras": list(cameras), **parts}
    return Scripted(Message.model_validate(values))


def busy_engine(count: int = 64) -> Scripted:
    first, history = busy(count)
    engine = Scripted(first)
    engine.history = history
    return engine

"""Where what happened becomes rows, pictures, clips, notices and messages for clients.

Everything slow is handed on: rows to the store's writer, pictures to a thread. Knows nothing of
how alerts come about.
"""

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ulid import ULID

from monitor.api.hub import Hub
from monitor.api.metrics import Metrics
from monitor.api.schema import AlertView, HealthView, Message
from monitor.capture.records import ClipFailed, ClipWritten, EndClip, StartClip
from monitor.config.settings import CameraSettings
from monitor.errors import StoreError
from monitor.live.began import Began
from monitor.live.clock import Clock
from monitor.live.evidence import Exhibit, paths_for, write_snapshot
from monitor.live.health import Closed, HealthNews, Opened
from monitor.live.known import WRITTEN_S, KnownAlerts
from monitor.live.news import AlertNews
from monitor.live.station import Station
from monitor.live.still_worker import StillKept
from monitor.records import Alert
from monitor.store import Facts, HealthEvent, Store
from monitor.store_writer import Attached, FellIll, Pictured, Recorded, Recovered, StoreWriter
from monitor.telling import Telling

log = logging.getLogger(__name__)

KEPT_HEALTH = 500  # events in memory, for clients


@dataclass(slots=True)
class _Open:
    """An alert in progress."""

    origin: datetime  # wall clock at second 0 of the machine's clock, fixed for the alert
    shown: float  # strength of what its snapshot shows
    clip: bool


class Desk:
    """All methods are called in the engine's loop and return at once."""

    def __init__(  # noqa: PLR0913, PLR0917
        self,
        store: Store,
        writer: StoreWriter,
        telling: Telling,
        hub: Hub,
        metrics: Metrics,
        folder: Path,
        clock: Clock,
    ) -> None:
        self.known = KnownAlerts(store, hub)
        self._writer = writer
        self._telling = telling
        self._hub = hub
        self._metrics = metrics
        self._folder = folder
        self._clock = clock
        self._open: dict[str, _Open] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ill: dict[tuple[str | None, str], HealthView] = {}
        self.health: list[HealthView] = []  # oldest first
        self.clips_allowed = True
        self.began = Began()

    @property
    def open_alerts(self) -> int:
        """How many are in progress."""
        return len(self._open)

    def take_alert(self, station: Station, news: AlertNews) -> None:
        """A phase of an alert."""
        alert = news.alert
        if alert.phase == "new":
            self._begin(station, alert)
        case = self._open.setdefault(
            alert.id, _Open(self._origin(), shown=float("-inf"), clip=False)
        )
        notices = self._telling.alert(alert, news.strength, case.origin, station.settings)
        model = station.model.path if station.model else ""
        facts = Facts(
            strength=news.strength,
            peak_level=station.peak_level,
            threshold=station.calibration.rule.enter if station.calibration else None,
            model_digest=station.model.digest if station.model else "",
        )
        self._writer.put(Recorded(alert, case.origin, model, facts, tuple(notices)))
        self._show(station, news, case)
        if alert.phase == "end":
            self._end(station, alert, case)
        self.known.take(view_of(alert, news.strength, case.origin, model))
        self._soon(self.known.look(alert.id, WRITTEN_S))

    def take_picture(self, camera: CameraSettings, kept: StillKept) -> None:
        """A single picture was judged; the alert is there where it is defective."""
        alert, at = kept.alert, kept.seen.judged_at
        if alert is None:
            self._writer.put(Pictured(kept.seen))
            return
        self.began.add(camera.name, at)
        self._metrics.alert(camera.name)
        notices = tuple(self._telling.alert(alert, kept.strength, at, camera))
        self._writer.put(Pictured(kept.seen, alert, kept.snapshot, notices))
        strength = 0.0 if kept.strength is None else kept.strength
        self.known.take(view_of(alert, strength, at, kept.seen.model))
        self._soon(self.known.look(alert.id, WRITTEN_S))

    def take_clip(self, notice: ClipWritten | ClipFailed) -> None:
        """The worker has written a clip, or could not."""
        if isinstance(notice, ClipFailed):
            log.warning("no clip for alert %s: %s", notice.alert_id, notice.text)
            return
        self._writer.put(Attached(notice.alert_id, clip=self._relative(notice.path)))
        self._soon(self.known.look(notice.alert_id, WRITTEN_S))

    def take_health(self, camera: str | None, news: HealthNews, now_s: float) -> None:
        """A health event begins or is over."""
        key = (camera, news.kind)
        at = self._clock.wall(now_s)
        if isinstance(news, Closed):
            self._recover(key, at)
            return
        known = self._ill.get(key)
        view = HealthView(
            id=known.id if known else str(ULID()),
            camera=camera,
            kind=news.kind,
            severity=news.severity,
            text=news.text,
            started_at=known.started_at if known else at,
        )
        if known is not None and known.text == view.text:
            return
        self._keep_health(key, view)
        event = HealthEvent(
            view.id, camera, news.kind, news.severity, news.text, view.started_at, None
        )
        notices = () if known else tuple(self._telling.health(event))
        self._writer.put(FellIll(event, notices))
        log.log(_level(news), "%s%s", f"{camera}: " if camera else "", news.text)

    def take_fault(self, camera: str | None, kind: str, fault: str, now_s: float) -> None:
        """A health event as long as something is wrong: one line; empty: nothing is."""
        self.take_health(camera, Opened(kind, "error", fault) if fault else Closed(kind), now_s)

    def look_to_itself(self, now_s: float) -> None:
        """Whether what happens can be stored and told."""
        failing = self._writer.failing
        held = failing and f"{failing}; events are held in memory until it works"
        self.take_fault(None, "store", held, now_s)
        untold = [f"{name}: {why}" for name, why in self._telling.failing().items()]
        self.take_fault(None, "notices", "; ".join(untold), now_s)

    def forget(self, camera: str, now_s: float) -> None:
        """A camera is no more: nothing is wrong with it any longer."""
        for key in [key for key in self._ill if key[0] == camera]:
            self._recover(key, self._clock.wall(now_s))

    def alert_changed(self, alert_id: str) -> None:
        """Somebody changed its row: tell all clients."""
        self._soon(self.known.look(alert_id))

    async def close(self) -> None:
        """Let what is being written be written."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=3)

    def _begin(self, station: Station, alert: Alert) -> None:
        case = self._open[alert.id] = _Open(self._origin(), shown=float("-inf"), clip=False)
        self.began.add(station.name, case.origin + timedelta(seconds=alert.start_s))
        self._metrics.alert(station.name)
        if self.clips_allowed and station.settings.longest_clip_s:
            _, clip = paths_for(self._folder, station.name, alert.id)
            settings = station.settings
            from_s = alert.start_s - settings.pre_s
            station.send(StartClip(alert.id, clip, from_s, settings.longest_clip_s))
            case.clip = True

    def _end(self, station: Station, alert: Alert, case: _Open) -> None:
        del self._open[alert.id]
        if case.clip:
            station.send(EndClip(alert.id, alert.end_s + station.settings.post_s))

    def _show(self, station: Station, news: AlertNews, case: _Open) -> None:
        peak = news.peak
        if peak is None or peak.jpeg is None or news.strength <= case.shown:
            return
        case.shown = news.strength
        scale = station.model.map_scale if station.model else None
        exhibit = Exhibit(news.alert.id, peak.jpeg, peak.map, scale)
        self._soon(self._write_snapshot(station.name, exhibit))

    async def _write_snapshot(self, camera: str, exhibit: Exhibit) -> None:
        try:
            path = await asyncio.to_thread(write_snapshot, self._folder, camera, exhibit)
        except StoreError as error:
            now_s = self._clock.now_s()
            self.take_health(None, Opened("disk", "error", str(error)), now_s)
            return
        self._writer.put(Attached(exhibit.alert_id, snapshot=self._relative(path)))
        await self.known.look(exhibit.alert_id, WRITTEN_S)

    def _recover(self, key: tuple[str | None, str], at: datetime) -> None:
        known = self._ill.pop(key, None)
        if known is None:
            return
        over = known.model_copy(update={"ended_at": at})
        self._keep_health(key, over)
        event = HealthEvent(
            over.id, over.camera, over.kind, over.severity, over.text, over.started_at, at
        )
        self._writer.put(Recovered(over.id, at, tuple(self._telling.health(event))))

    def _keep_health(self, key: tuple[str | None, str], view: HealthView) -> None:
        if view.ended_at is None:
            self._ill[key] = view
        self.health = [known for known in self.health if known.id != view.id][-KEPT_HEALTH:]
        self.health.append(view)
        self._hub.publish(Message(health=[view]))

    def _origin(self) -> datetime:
        return self._clock.wall(0.0)

    def _relative(self, path: Path) -> str:
        return str(path.absolute())

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def view_of(alert: Alert, strength: float, origin: datetime, model: str) -> AlertView:
    """What a phase brings; its files and what people said of it come from the store."""
    return AlertView(
        id=alert.id,
        camera=alert.source,
        phase=alert.phase,
        revision=alert.revision,
        started_at=origin + timedelta(seconds=alert.start_s),
        ended_at=origin + timedelta(seconds=alert.end_s),
        peak_at=origin + timedelta(seconds=alert.peak_s),
        strength=strength,
        p_value=alert.peak_p_value,
        reason=alert.reason,
        ended_by=alert.ended_by,
        continues=alert.continues,
        model=model,
    )


def _level(news: Opened) -> int:
    return {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}[news.severity]

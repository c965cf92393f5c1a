"""The live engine: many cameras, one scorer, a store, notices and an API, for months.

Puts the parts together and keeps them going in one asyncio loop. What is decided is decided
elsewhere: per camera in `station`, over all in `crew`, what is kept and told in `desk`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any, Literal

import psutil

from monitor.api.auth import Tokens
from monitor.api.hub import Hub
from monitor.api.metrics import Metrics
from monitor.api.server import serving
from monitor.capture.feed import ProcessFeed, ThreadFeed
from monitor.capture.records import CaptureSettings
from monitor.capture.shared import sweep_stale
from monitor.config.changes import Changes, Reloader
from monitor.config.settings import CameraSettings, Settings
from monitor.errors import MonitorError, StoreError
from monitor.files import check_folder, write_atomically
from monitor.live.clock import Clock
from monitor.live.crew import Crew
from monitor.live.desk import Desk
from monitor.live.health import Closed, Opened
from monitor.live.live_log import LiveLog
from monitor.live.school import School, learner_of
from monitor.live.scoring_link import RunScorer, ScoringLink, run_scorer
from monitor.live.station import OpenFeed, Station
from monitor.live.systemd import tell_systemd
from monitor.live.view import LiveView
from monitor.recorder import safe_name
from monitor.retention import Retention
from monitor.store import Store
from monitor.store_writer import StoreWriter
from monitor.telling import Telling

log = logging.getLogger(__name__)

PUMP_S = 0.05  # half a frame at 10 per second
SUPERVISE_S = 0.5
CONTROL_S = 1.0
PUBLISH_S = 0.25  # what an eye can follow
HOUSE_S = 10.0
STOP_S = 12.0  # of the 15 that a service manager gives
SEEING = ("running", "degraded", "warmup", "learning")
DEFAULT_FPS = 10.0  # analysed frames per second while a camera has no model


class Engine:
    """One engine on one folder. `run` it once."""

    def __init__(  # noqa: PLR0913
        self,
        settings: Settings,
        run_scorer: RunScorer = run_scorer,
        *,
        reloader: Reloader | None = None,
        lines: LiveLog | None = None,
        feeds: OpenFeed | None = None,
        clock: Clock | None = None,
        rng: Random | None = None,
    ) -> None:
        self.settings = settings
        self.folder = settings.engine.folder
        self.clock = clock or Clock()
        self.started_at = self.clock.utc()
        self.url = ""  # of the API, once it serves
        self.loop_lag_s = 0.0
        self.state: Literal["starting", "running", "stopping"] = "starting"
        self.lines = lines or LiveLog()
        self._reloader = reloader
        self._run_scorer = run_scorer
        self._feeds = feeds or (ThreadFeed if settings.engine.capture == "thread" else ProcessFeed)
        self._rng = rng or Random()  # noqa: S311  jitter, no secrets
        self._stop = asyncio.Event()
        self._reload = asyncio.Event()
        self._closed_by_schedule: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    # -- from outside

    def stop(self) -> None:
        """End in good order; `run` returns when all is written."""
        self._stop.set()

    def reload(self) -> None:
        """Read the configuration again."""
        self._reload.set()

    async def run(self) -> None:
        """Until `stop`.

        Raises:
            StoreError: The folder cannot be written, or another engine works there.
            MonitorError: The API cannot be served.
        """
        async with AsyncExitStack() as held:
            await self._open(held)
            tell_systemd("READY=1")
            self.state = "running"
            log.info("watching %d cameras in %s", len(self.crew.stations), self.folder)
            try:
                await self._work()
            finally:
                self.state = "stopping"
                tell_systemd("STOPPING=1")
                await self._close()

    # -- beginning and end

    async def _open(self, held: AsyncExitStack) -> None:
        check_folder(self.folder, "events and evidence")
        for name in sweep_stale():
            log.warning("removed shared memory that a dead engine left: %s", name)
        place = self.settings.engine.store or str(self.folder / "events.db")
        self.store = held.enter_context(await asyncio.to_thread(Store, place))
        self.store.database.claim()
        self.telling = Telling(self.store, self.settings.notice, self.folder)
        orphans = self.store.close_orphans(self.telling.orphan)
        self.store.health.close_orphans(self.clock.utc())
        if orphans:
            log.warning("ended %d alert(s) that an earlier run left open", orphans)
        self.metrics = Metrics()
        self.hub = Hub()
        self.writer = StoreWriter(self.store, on_written=self.telling.wake)
        self.writer.start()
        self.retention = Retention(self.store, self.folder, self.settings.retention)
        self.desk = Desk(
            self.store, self.writer, self.telling, self.hub, self.metrics, self.folder, self.clock
        )
        engine = self.settings.engine
        self.crew = Crew(
            self._new_scorer,
            self.desk,
            self.metrics,
            self._rng,
            device=engine.device,
            stale_s=engine.stale_s,
            overload=engine.overload,
        )
        self.telling.cameras(camera.name for camera in self.settings.camera)
        self.telling.start()
        self.view = LiveView(self)
        if self.settings.api.enabled:
            api = self.settings.api
            tokens = Tokens(api.viewers, api.operators, api.admins)
            self.url = await held.enter_async_context(serving(self.view, api, tokens, self.folder))
            log.info("the API listens at %s", self.url)
        now_s = self.clock.now_s()
        self.crew.open([self._station(camera) for camera in self.settings.camera], now_s)
        self.school = School(self.crew, self.clock)
        for name in self.crew.stations:
            self.school.admit(name)

    async def _close(self) -> None:
        began_s = monotonic()
        await self.school.close()
        self.crew.close(self.clock.now_s())
        stations = list(self.crew.stations.values())
        left_s = max(1.0, STOP_S / 2 - (monotonic() - began_s))
        await asyncio.gather(*(asyncio.to_thread(s.bury, left_s) for s in stations))
        await self.desk.close()
        left_s = max(1.0, STOP_S - (monotonic() - began_s))
        if not await asyncio.to_thread(self.writer.close, left_s):
            log.error(
                "%d events could not be written: %s", self.writer.waiting, self.writer.failing
            )
        await asyncio.to_thread(self.telling.close)
        self.hub.close()

    def _new_scorer(self) -> ScoringLink:
        engine = self.settings.engine
        return ScoringLink(self._run_scorer, stale_s=engine.stale_s, kind=engine.capture)

    # -- the loops

    async def _work(self) -> None:
        loops = (
            (PUMP_S, self._pump),
            (SUPERVISE_S, self._supervise),
            (CONTROL_S, self._control),
            (PUBLISH_S, self._publish),
            (HOUSE_S, self._keep_house),
        )
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._every(span_s, step)) for span_s, step in loops]
            tasks.append(group.create_task(self._reloads()))
            await self._stop.wait()
            for task in tasks:
                task.cancel()

    async def _every(self, span_s: float, step: Callable[[], Awaitable[None] | None]) -> None:
        """Again and again; a step that fails is said and does not end the engine."""
        due_s = self.clock.now_s()
        while True:
            try:
                waiting = step()
                if waiting is not None:
                    await waiting
            except MonitorError as error:
                log.error("%s", error)
            except Exception:
                log.exception("a step of the engine failed; it goes on")
            due_s = max(due_s + span_s, self.clock.now_s())
            await asyncio.sleep(due_s - self.clock.now_s())
            if span_s == PUMP_S:
                self.loop_lag_s = max(self.clock.now_s() - due_s, 0.9 * self.loop_lag_s)

    def _pump(self) -> None:
        self.crew.pump(self.clock.now_s())

    def _supervise(self) -> None:
        now_s = self.clock.now_s()
        self._follow_schedules(now_s)
        self.crew.supervise(now_s)
        self.school.look_round()

    def _control(self) -> None:
        self.crew.control(self.clock.now_s())
        for name, station in self.crew.stations.items():
            self.telling.available(name, yes=station.state in SEEING)
            if station.strength is not None:
                self.telling.score(name, station.strength)
        tell_systemd("WATCHDOG=1")

    def _publish(self) -> None:
        if self.hub.readers:
            self.hub.publish(self.view.news())

    async def _keep_house(self) -> None:
        now_s = self.clock.now_s()
        space = await asyncio.to_thread(self.retention.step, self.clock.utc())
        self.desk.clips_allowed = space.clips_allowed
        full = Opened("disk", "error", space.text)
        self.desk.take_health(None, Closed("disk") if space.clips_allowed else full, now_s)
        failing = self.writer.failing
        stuck = Opened("store", "error", f"{failing}; events are held in memory until it works")
        self.desk.take_health(None, stuck if failing else Closed("store"), now_s)
        self.view.space = space
        await self.view.refresh()
        own = psutil.Process()
        self.metrics.process(
            "engine",
            rss_bytes=own.memory_info().rss,
            fds=own.num_fds(),
            children=len(own.children()),
        )
        self.metrics.loop_lag(self.loop_lag_s)

    async def _reloads(self) -> None:
        while True:
            await self._reload.wait()
            self._reload.clear()
            if self._reloader is None:
                log.warning("there is no configuration file to read again")
                continue
            read = await asyncio.to_thread(self._reloader.reload)
            now_s = self.clock.now_s()
            wrong = "; ".join(read.problems)
            self.desk.take_health(
                None,
                Opened("configuration", "warning", wrong) if wrong else Closed("configuration"),
                now_s,
            )
            self.settings = read.settings
            await self._apply(read.changes, now_s)

    async def _apply(self, changes: Changes, now_s: float) -> None:
        """Change what changed; the other cameras notice nothing."""
        for name in (*changes.removed, *(change.camera.name for change in changes.changed)):
            station = self.crew.remove(name, now_s)
            await asyncio.to_thread(station.bury, 2.0)
        for camera in (*changes.added, *(change.camera for change in changes.changed)):
            self.crew.add(self._station(camera), now_s)
            self.school.admit(camera.name)
        if changes.notices:
            await asyncio.to_thread(self.telling.change, self.settings.notice)
        if changes.retention:
            self.retention = Retention(self.store, self.folder, self.settings.retention)
        order = [camera.name for camera in self.settings.camera]
        self.crew.stations = {name: self.crew.stations[name] for name in order}
        self.telling.cameras(order)
        self.hub.publish(self.view.whole(removed=list(changes.removed)))

    # -- what clients may have done

    def mute(self, camera: str, until: datetime | None) -> None:
        """No notices of this camera until then; outlives a restart."""
        self.telling.mute(camera, until)
        self._soon(asyncio.to_thread(self.store.outbox.mute, camera, until))

    def save_picture(self, camera: str, jpeg: bytes) -> Path:
        """Keep a picture that a person asked for. Blocks.

        Raises:
            StoreError: The disk is full or may not be written.
        """
        moment = self.clock.utc().strftime("%Y%m%dT%H%M%S")
        path = self.folder / "pictures" / f"{safe_name(camera)}-{moment}.jpg"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, jpeg)
        except OSError as error:
            raise StoreError(f"{path}: cannot be written: {error.strerror}") from error
        return path

    # -- cameras

    def _station(self, camera: CameraSettings) -> Station:
        learner = learner_of(camera, self.folder)
        return Station(camera, capture_of(camera), self._feeds, self._rng, learner)

    def _follow_schedules(self, now_s: float) -> None:
        local = self.clock.utc().astimezone().replace(tzinfo=None)
        for name, station in self.crew.stations.items():
            is_open = station.open_at(local)
            if not is_open and not station.paused_by and station.settings.enabled:
                self._closed_by_schedule.add(name)
                self.crew.pause(name, "outside its schedule", now_s)
            elif is_open and name in self._closed_by_schedule:
                self._closed_by_schedule.discard(name)
                self.crew.resume(name, now_s)

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def capture_of(camera: CameraSettings) -> CaptureSettings:
    """How a camera is read."""
    return CaptureSettings(
        name=camera.name,
        url=camera.url,
        analysis_url=camera.analysis_url,
        transport=camera.transport,
        backend=camera.backend,
        hardware=camera.hardware,
        loop=camera.loop,
        pace=camera.pace,
        width=camera.width,
        fps=camera.fps or DEFAULT_FPS,
        ring_s=camera.pre_s + 15.0,
        privacy=tuple(tuple(polygon) for polygon in camera.privacy),
        slots=8,
    )

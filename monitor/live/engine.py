"""The live engine: many cameras, one scorer, a store, notices and an API, for months.

Puts the parts together and keeps them going in one asyncio loop. What is decided is decided
elsewhere: per camera in `station`, over all in `crew`, what is kept and told in `desk`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack, closing, suppress
from datetime import datetime
from random import Random
from time import monotonic
from typing import Any, Literal

import psutil

from monitor.api.hub import Hub
from monitor.api.metrics import Metrics
from monitor.capture.feed import ProcessFeed, ThreadFeed
from monitor.capture.shared import sweep_stale
from monitor.config.changes import Changes, Reloader
from monitor.config.settings import CameraSettings, Settings
from monitor.errors import MonitorError, StoreError
from monitor.files import check_folder
from monitor.live.clock import Clock
from monitor.live.crew import Crew
from monitor.live.desk import Desk
from monitor.live.health import Closed, Opened
from monitor.live.how_read import capture_of
from monitor.live.live_log import LiveLog
from monitor.live.minutes import Minutes
from monitor.live.opening import Door, open_store
from monitor.live.school import School, learner_of
from monitor.live.scoring_link import RunScorer, ScoringLink, loading, run_scorer
from monitor.live.station import OpenFeed, Station
from monitor.live.still_post import StillPost
from monitor.live.still_room import StillRoom, judges_stills
from monitor.live.systemd import tell_systemd
from monitor.live.view import LiveView
from monitor.live.watched import WatchedTime
from monitor.names import counted
from monitor.retention import Retention
from monitor.store_doctor import recover
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
            log.info("watching %s in %s", counted(len(self.settings.camera), "camera"), self.folder)
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
        api = self.settings.api
        door = held.enter_context(closing(Door(api, self.folder))) if api.enabled else None
        place = self.settings.engine.store or str(self.folder / "events.db")
        self.store = held.enter_context(await open_store(place, door))
        self.store.database.claim()
        self.telling = Telling(self.store, self.settings.notice, self.folder)
        self.store.health.close_orphans(self.clock.utc())
        if orphans := self.store.close_orphans(self.telling.orphan):
            log.warning("ended %d alert(s) that an earlier run left open", orphans)
        if files := await asyncio.to_thread(recover, self.store, self.folder):
            log.warning("put %d file(s) right that an earlier run left unfinished", files)
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
            load=loading(engine),
            stale_s=engine.stale_s,
            overload=engine.overload,
        )
        self.room = StillRoom(engine, self.desk, self.clock, self._rng)
        self.telling.cameras(camera.name for camera in self.settings.camera)
        self.telling.start()
        self.view = await LiveView(self).begun()
        now_s = self.clock.now_s()
        posts, stations = await self._sorted(self.settings.camera)
        for post in posts:
            self.room.add(post, now_s)
        self.crew.open(stations, now_s)
        self.watched = WatchedTime(self.folder)
        self.minutes = Minutes(self.writer, self.clock)
        self.school = School(self.crew, self.clock)
        for name in self.crew.stations:
            self.school.admit(name)
        if door is not None:
            self.url = await held.enter_async_context(door.serving(self.view))
            log.info("the API listens at %s", self.url)

    async def _close(self) -> None:
        began_s = monotonic()
        await self.school.close()
        self.crew.close(self.clock.now_s())
        stations = list(self.crew.stations.values())
        left_s = max(1.0, STOP_S / 2 - (monotonic() - began_s))
        await asyncio.gather(
            self.room.close(left_s), *(self._bury(station, left_s) for station in stations)
        )
        await self.desk.close()
        self.watched.note(self.crew.stations)
        self.minutes.note(self.crew.stations)
        await asyncio.to_thread(self.watched.save)
        left_s = max(1.0, STOP_S - (monotonic() - began_s))
        if await asyncio.to_thread(self.writer.close, left_s):
            with suppress(StoreError):  # what is wrong is watched no longer; nobody is told so
                await asyncio.to_thread(self.store.health.close_orphans, self.clock.utc())
        else:
            log.error(
                "%d events could not be written: %s", self.writer.waiting, self.writer.failing
            )
        await asyncio.to_thread(self.telling.close)
        self.hub.close()

    async def _bury(self, station: Station, timeout_s: float) -> None:
        for clip in await asyncio.to_thread(station.bury, timeout_s):
            self.desk.take_clip(clip)

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
            (HOUSE_S, self._tell_faults),
            (HOUSE_S, self._make_room),
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
        self.room.pump(self.clock.now_s())

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
        self.room.tell_available(self.telling)
        tell_systemd("WATCHDOG=1")

    def _publish(self) -> None:
        if self.hub.readers:
            self.hub.publish(self.view.news())

    def _tell_faults(self) -> None:
        now_s = self.clock.now_s()
        for name, station in self.crew.stations.items():
            self.desk.take_fault(name, "model", station.judged.told, now_s)
            if station.learner is not None:
                self.desk.take_fault(name, "learning", station.learner.fault, now_s)
        self.desk.look_to_itself(now_s)

    async def _make_room(self) -> None:
        now_s = self.clock.now_s()
        space = await asyncio.to_thread(self.retention.step, self.clock.utc())
        self.desk.clips_allowed = space.clips_allowed
        self.desk.take_fault(None, "disk", "" if space.clips_allowed else space.text, now_s)
        self.view.space = space
        await self.view.refresh()

    async def _keep_house(self) -> None:
        own = psutil.Process()
        self.metrics.process(
            "engine",
            rss_bytes=own.memory_info().rss,
            fds=own.num_fds(),
            children=len(own.children()),
        )
        self.metrics.loop_lag(self.loop_lag_s)
        self.watched.note(self.crew.stations)
        if self.watched.due(self.clock.now_s()):
            self.minutes.note(self.crew.stations)
            await asyncio.to_thread(self.watched.save)

    async def _reloads(self) -> None:
        while True:
            await self._reload.wait()
            self._reload.clear()
            if self._reloader is None:
                log.warning("there is no configuration file to read again")
                continue
            try:
                wrong = await self._reload_once(self._reloader)
            except Exception as error:  # no file may end the engine
                self._reloader.settings = self.settings  # what was read does not run
                known = isinstance(error, MonitorError | OSError | ValueError)
                wrong = str(error) if known else f"unexpected {type(error).__name__}"
                log.error("%s; the last good settings go on", wrong, exc_info=not known)
            news = Opened("configuration", "warning", wrong) if wrong else Closed("configuration")
            self.desk.take_health(None, news, self.clock.now_s())

    async def _reload_once(self, reloader: Reloader) -> str:
        """What is wrong with the new configuration; empty: it runs."""
        read = await asyncio.to_thread(reloader.reload)
        await self._apply(read.changes, read.settings)
        self.settings = read.settings
        await self.school.refresh()
        return "; ".join(read.problems)

    async def _apply(self, changes: Changes, settings: Settings) -> None:
        """Change what changed; the other cameras notice nothing.

        Raises:
            MonitorError: Something in it cannot be; the cameras are then as they were.
        """
        anew = [change.camera for change in changes.changed if change.needs != "notices"]
        posts, stations = await self._sorted([*changes.added, *anew])
        if changes.notices:
            await asyncio.to_thread(self.telling.change, settings.notice)
        for change in changes.changed:
            name = change.camera.name
            (self.room.posts.get(name) or self.crew.stations[name]).settings = change.camera
        paused = await self._dismiss([*changes.removed, *(camera.name for camera in anew)])
        for post in posts:
            self.room.add(post, self.clock.now_s())
        for station in stations:
            self.crew.add(station, self.clock.now_s(), paused.get(station.name, ""))
            self.school.admit(station.name)
        if changes.retention:
            self.retention = Retention(self.store, self.folder, settings.retention)
        order = [camera.name for camera in settings.camera]
        known = self.crew.stations
        self.crew.stations = {name: known[name] for name in order if name in known}
        self.telling.cameras(order)
        self.hub.publish(self.view.whole(removed=list(changes.removed)))

    async def _dismiss(self, names: Iterable[str]) -> dict[str, str]:
        """No cameras any more; those that people had paused, with why: it holds if they return."""
        paused = {}
        for name in names:
            if name in self.room.posts:
                await self.room.remove(name, self.clock.now_s())
                continue
            station = self.crew.remove(name, self.clock.now_s())
            self.minutes.note({name: station})
            if station.settings.enabled and name not in self._closed_by_schedule:
                paused[name] = station.paused_by
            self._closed_by_schedule.discard(name)
            await self._bury(station, 2.0)
        return paused

    # -- what clients may have done

    def mute(self, camera: str, until: datetime | None) -> None:
        """No notices of this camera until then; outlives a restart."""
        self.telling.mute(camera, until)
        self._soon(asyncio.to_thread(self.store.outbox.mute, camera, until))

    # -- cameras

    def _station(self, camera: CameraSettings) -> Station:
        learner = learner_of(camera, self.folder)
        return Station(camera, capture_of(camera), self._feeds, self._rng, learner)

    async def _sorted(
        self, cameras: Sequence[CameraSettings]
    ) -> tuple[list[StillPost], list[Station]]:
        """Those that judge single pictures, and those that watch."""
        posts, stations = [], []
        for camera in cameras:
            if await judges_stills(camera):
                posts.append(self.room.post(camera))
            else:
                stations.append(self._station(camera))
        return posts, stations

    def _follow_schedules(self, now_s: float) -> None:
        local = self.clock.utc().astimezone().replace(tzinfo=None)
        self.room.follow_schedules(local, now_s)
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

"""The engine as its API shows it: statuses, readings, health, log, pictures; what may be done."""

import asyncio
import platform
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psutil

import monitor
from monitor.addresses import public_address
from monitor.api.schema import (
    AlertWanted,
    CameraStatus,
    EngineStatus,
    HealthView,
    LogLine,
    Message,
    ScorePoint,
)
from monitor.api.stored import store_query
from monitor.api.view import Action
from monitor.errors import UsageError
from monitor.live.began import KEPT, midnight
from monitor.live.evidence import encode, keep_picture, shown
from monitor.live.station import Station
from monitor.live.still_post import StillPost
from monitor.store import AlertQuery

if TYPE_CHECKING:
    from monitor.live.engine import Engine

DAY_S = 86_400.0
LEAST = 0.25  # of a false alarm, to be expected of what was watched in a day
PICTURE_FRESH_S = 1.0  # a picture is encoded at most so often per camera


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in ("torch", "av", "numpy"):
        with suppress(PackageNotFoundError):  # an edge install has no torch
            found[name] = version(name)
    return found


VERSIONS = _versions()


class LiveView:
    """See `EngineView`. All methods are called in the engine's loop."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self.store = engine.store
        self.log = engine.lines
        self.space = engine.retention.space()
        self._told: dict[str, CameraStatus] = {}
        self._scored_to: dict[str, float] = {}
        self._pictures: dict[tuple[str, bool], tuple[float, bytes]] = {}
        self._began_s = engine.clock.now_s()
        self._counted = (self._began_s, 0, 0.0)  # when, scored by then, per second
        self._looked_up: set[str] = set()  # cameras, for their last alert in earlier runs
        self._outbox = 0
        self._unacknowledged = 0

    # -- what there is

    def status(self) -> EngineStatus:
        """The engine and its machine."""
        engine = self._engine
        crew = engine.crew
        plan = crew.plan
        state = "overloaded" if plan is not None and plan.stage else engine.state
        return EngineStatus(
            version=monitor.__version__,
            state="read_only" if engine.writer.failing else state,
            started_at=engine.started_at,
            now=engine.clock.utc(),
            cameras=len(crew.stations) + len(engine.room.posts),
            open_alerts=engine.desk.open_alerts,
            unacknowledged=self._unacknowledged,
            overload_stage=plan.stage if plan else 0,
            overload=plan.text if plan else "",
            disk_free_bytes=self.space.free_bytes,
            evidence_bytes=self.space.evidence_bytes,
            store=engine.store.database.place,
            unstored=engine.writer.failing,
            outbox_waiting=self._outbox,
            scored_per_s=self._scored_per_s(),
            loop_lag_s=round(engine.loop_lag_s, 4),
            rss_bytes=psutil.Process().memory_info().rss,
            runtime=crew.runtime,
            versions=VERSIONS,
        )

    def cameras(self) -> Sequence[CameraStatus]:
        """All cameras, in the order of the configuration."""
        engine = self._engine
        stations, room = engine.crew.stations, engine.room
        return [
            room.status(camera.name, engine.telling.muted_until(camera.name))
            if camera.name in room.posts
            else self._camera(stations[camera.name])
            for camera in engine.settings.camera
            if camera.name in room.posts or camera.name in stations
        ]

    def query(self, wanted: AlertWanted) -> AlertQuery:
        """What the store is to be asked."""
        return store_query(wanted, self.cameras())

    async def scores(
        self,
        camera: str,
        since: datetime,
        until: datetime | None = None,  # noqa: ARG002  the route cuts
    ) -> Sequence[ScorePoint]:
        """The readings kept in memory, oldest first."""
        if camera in self._engine.room.posts:
            return self._engine.room.scores(camera, since)
        station = self._station(camera)
        wall = self._engine.clock.wall
        points = ((wall(at_s), score, p) for at_s, score, p in station.counters.curve)
        return [
            ScorePoint(camera=camera, at=at, score=score, p_value=p)
            for at, score, p in points
            if at >= since
        ]

    def health(self, *, open_only: bool = False, limit: int = 100) -> Sequence[HealthView]:
        """Health events, newest first."""
        known = reversed(self._engine.desk.health)
        return [view for view in known if not (open_only and view.ended_at)][:limit]

    def log_lines(self, limit: int = 200) -> Sequence[LogLine]:
        """The newest lines of the log, oldest first."""
        return list(self.log.lines)[-limit:]

    def metrics(self) -> bytes:
        """Prometheus' text format."""
        return self._engine.metrics.render()

    async def picture(self, camera: str, *, heat: bool = False) -> bytes | None:
        """The newest picture as JPEG, of stills the newest defective one; None: there is none."""
        post = self._engine.room.posts.get(camera)
        if post is not None:
            return await asyncio.to_thread(_read, post.snapshot)
        station = self._station(camera)
        now_s = self._engine.clock.now_s()
        known = self._pictures.get((camera, heat))
        if known is not None and now_s - known[0] < PICTURE_FRESH_S:
            return known[1]
        jpeg = await asyncio.to_thread(_picture_of, station, heat)
        if jpeg is not None:
            self._pictures[camera, heat] = (now_s, jpeg)
        return jpeg

    # -- what may be done

    async def act(self, camera: str, action: Action) -> str:
        """Do it; one line on what was done."""
        engine = self._engine
        now_s = engine.clock.now_s()
        post = engine.room.posts.get(camera)
        if post is not None:
            return _act_on_stills(post, action, now_s)
        station = self._station(camera)
        if action == "pause":
            engine.crew.pause(camera, "paused by a person", now_s)
            return f"{camera} is paused"
        if action == "resume":
            engine.crew.resume(camera, now_s)
            return f"{camera} is read again"
        if action == "relearn":
            return engine.school.relearn(camera)
        return await self._snapshot(station)

    async def mute(self, camera: str, until: datetime | None) -> None:
        """No notices of this camera until then."""
        if camera not in self._engine.room.posts:
            self._station(camera)
        self._engine.mute(camera, until)

    def alert_changed(self, alert_id: str) -> None:
        """A client has changed an alert in the store: tell the others."""
        self._engine.desk.alert_changed(alert_id)

    def subscribe(self) -> AbstractAsyncContextManager[AsyncIterator[Message]]:
        """Messages from now on; the first holds the whole state."""
        return self._engine.hub.subscribe(self.whole())

    # -- messages

    def whole(self, removed: Sequence[str] = ()) -> Message:
        """The whole state."""
        return Message(
            engine=self.status(),
            cameras=list(self.cameras()),
            removed=list(removed),
            alerts=self._engine.desk.known.newest(),
            health=list(self.health(open_only=True)),
            log=list(self.log_lines()),
        )

    def news(self) -> Message:
        """What changed since the last call."""
        statuses = {status.name: status for status in self.cameras()}
        changed = [s for name, s in statuses.items() if self._told.get(name) != s]
        self._told = statuses
        return Message(
            engine=self.status(),
            cameras=changed,
            scores=self._new_scores(),
            log=self.log.since_last(),
        )

    async def begun(self) -> Self:
        """Itself, once it knows what earlier runs raised; before this one raises anything."""
        day = midnight(self._engine.clock.utc())
        self._engine.desk.began.before(day, await asyncio.to_thread(self.store.counts, day))
        await self.refresh()
        return self

    async def refresh(self) -> None:
        """Look up in the store what is too slow for a status."""
        store, began = self.store, self._engine.desk.began
        self._outbox = await asyncio.to_thread(store.outbox.waiting)
        query = AlertQuery(acknowledged=False)
        self._unacknowledged = await asyncio.to_thread(store.count, query)
        lately = self._engine.clock.utc() - KEPT
        began.labelled_true(await asyncio.to_thread(store.beginnings, "true", lately))
        names = {camera.name for camera in self._engine.settings.camera}
        if new := names - self._looked_up:  # once: what this run raises is added as it begins
            began.earlier(await asyncio.to_thread(store.last_of, new))
        self._looked_up = names
        await self._engine.desk.known.refresh()

    def _new_scores(self) -> list[ScorePoint]:
        points = []
        for name, station in self._engine.crew.stations.items():
            since_s = self._scored_to.get(name, float("-inf"))
            for at_s, score, p in reversed(station.counters.curve):
                if at_s <= since_s:
                    break
                at = self._engine.clock.wall(at_s)
                points.append(ScorePoint(camera=name, at=at, score=score, p_value=p))
            if station.counters.curve:
                self._scored_to[name] = station.counters.curve[-1][0]
        points.sort(key=lambda point: point.at)
        return points

    def _scored_per_s(self) -> float:
        now_s, scored = self._engine.clock.now_s(), self._engine.crew.scored
        since_s, before, rate = self._counted
        if now_s - since_s >= 5.0:
            rate = (scored - before) / (now_s - since_s)
            self._counted = (now_s, scored, rate)
        return round(rate, 2)

    def _station(self, camera: str) -> Station:
        station = self._engine.crew.stations.get(camera)
        if station is None:
            known = ", ".join(list(self._engine.crew.stations)[:10])
            raise UsageError(f"no camera {camera!r}; there are: {known}")
        return station

    async def _snapshot(self, station: Station) -> str:
        jpeg = await self.picture(station.name)
        if jpeg is None:
            raise UsageError(f"{station.name}: there is no picture to take")
        engine = self._engine
        when = engine.clock.utc()
        path = await asyncio.to_thread(keep_picture, engine.folder, station.name, jpeg, when)
        return f"written to {path}"

    def _camera(self, station: Station) -> CameraStatus:
        engine = self._engine
        now_s, wall = engine.clock.now_s(), engine.clock.wall
        counters, model, latest = station.counters, station.model, station.latest
        calibration, head, desk = station.calibration, station.eyes.head, engine.desk
        return CameraStatus(
            name=station.name,
            state=station.state,
            since=wall(max(station.since_s, self._began_s)).replace(microsecond=0),
            reason=station.reason,
            address=public_address(station.settings.url),
            tags=station.settings.tags,
            score=station.strength,
            p_value=latest.p_value if latest else None,
            scored_at=wall(latest.scored_s).replace(microsecond=0) if latest else None,
            fps_in=round(counters.fps_in(now_s), 1),
            fps_scored=round(counters.fps_scored(now_s), 1),
            frame_age_s=round(now_s - head.received_s, 1) if head else None,
            age_at_score_s=_rounded(counters.age_at_score_s()),
            size=head.size if head else None,
            epoch=station.epoch,
            reconnects=station.reconnects,
            drops=dict(counters.drops),
            open_alert=station.open_alert or None,
            last_alert_at=desk.began.last(station.name),
            alerts_today=desk.began.today(station.name, midnight(engine.clock.utc())),
            muted_until=engine.telling.muted_until(station.name),
            learning=station.learner.progress(now_s)
            if station.learner and station.wants_model
            else None,
            model=model.path if model else "",
            detector=model.detector if model else "",
            learned_at=_moment(model.learned_at) if model else None,
            promised_per_day=calibration.promised_per_day if calibration else None,
            measured_per_day=self._measured(station),
            watched_s=round(counters.watched_s),
            notes=list(calibration.notes) if calibration else [],
            rss_bytes=station.counted.rss_bytes,
            pid=station.feed.pid if station.feed else None,
        )

    def _measured(self, station: Station) -> float | None:
        """False alarms per day over what was watched of the last one; None: too little to say."""
        counters, calibration, clock = station.counters, station.calibration, self._engine.clock
        if calibration is None:
            return None
        since_s, lately_s = counters.watched_lately(clock.now_s())
        promised = calibration.promised_per_day
        if min(counters.watched_s, DAY_S) * promised < DAY_S or lately_s * promised < LEAST * DAY_S:
            return None
        began = self._engine.desk.began.false(station.name, clock.wall(since_s))
        return round(began / lately_s * DAY_S, 2)


def _picture_of(station: Station, heat: bool) -> bytes | None:  # noqa: FBT001
    latest = station.latest
    if heat and latest is not None and latest.jpeg is not None and latest.map is not None:
        return shown(latest.jpeg, latest.map, station.model.map_scale if station.model else None)
    feed = station.feed
    captured = feed.latest() if feed is not None else None
    return None if captured is None else encode(captured.image)


def _read(path: str) -> bytes | None:
    try:
        return Path(path).read_bytes() if path else None
    except OSError:
        return None  # retention has removed it


def _act_on_stills(post: StillPost, action: Action, now_s: float) -> str:
    if action == "pause":
        post.pause(now_s, "paused by a person")
        return f"{post.name} is paused"
    if action == "resume":
        post.start(now_s)
        return f"{post.name} is judged again"
    raise UsageError(f"{post.name} judges single pictures: there is no {action} for it")


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)

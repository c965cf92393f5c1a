"""All drop folders and product cameras of the engine, beside the crew that watches video.

Asked in the engine's loop and never waits, but where it says so.
"""

import asyncio
import logging
from datetime import datetime
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from monitor.addresses import public_address
from monitor.api.schema import CameraStatus, ScorePoint
from monitor.config.settings import CameraSettings
from monitor.live.began import midnight
from monitor.live.clock import Clock
from monitor.live.health import Closed, Opened
from monitor.live.still_post import StillPost
from monitor.live.still_worker import StillKept, StillNews, StillOrder, StillTrouble, is_still_model

if TYPE_CHECKING:
    from monitor.config.settings import EngineSettings
    from monitor.live.desk import Desk
    from monitor.telling import Telling

log = logging.getLogger(__name__)

UNWELL = ("backoff", "failed", "stalled")


async def judges_stills(camera: CameraSettings) -> bool:
    """Whether its model is one for still pictures; reads the file in a thread."""
    return bool(camera.model) and await asyncio.to_thread(is_still_model, Path(camera.model))


class StillRoom:
    """The posts, by name."""

    def __init__(self, engine: "EngineSettings", desk: "Desk", clock: Clock, rng: Random) -> None:
        self.posts: dict[str, StillPost] = {}
        self._engine = engine
        self._desk = desk
        self._clock = clock
        self._rng = rng
        self._closed_by_schedule: set[str] = set()

    def post(self, camera: CameraSettings) -> StillPost:
        """One for this camera, not started.

        Raises:
            UsageError: Its schedule cannot be read.
        """
        folder = self._engine.folder
        order = StillOrder(
            camera.name,
            camera.url,
            camera.model,
            self._engine.device,
            self._engine.runtime,
            self._engine.store or str(folder / "events.db"),
            str(folder),
            1 / camera.score_fps,
        )
        return StillPost(camera, order, self._rng, self._engine.capture)

    def add(self, post: StillPost, now_s: float) -> None:
        """Begin to judge there."""
        self.posts[post.name] = post
        if post.settings.enabled:
            post.start(now_s)
        else:
            post.pause(now_s, "disabled", "disabled")

    async def remove(self, name: str, now_s: float) -> None:
        """One less; waits for its worker."""
        post = self.posts.pop(name)
        self._closed_by_schedule.discard(name)
        await self._bury(post, 2.0)
        self._desk.forget(name, now_s)

    async def close(self, timeout_s: float) -> None:
        """End all; waits for the workers."""
        for post in self.posts.values():
            post.close()
        await asyncio.gather(*(self._bury(post, timeout_s) for post in self.posts.values()))

    def pump(self, now_s: float) -> None:
        """Take what has come."""
        for post in self.posts.values():
            before = post.state, post.reason
            for news in post.poll(now_s):
                self._take(post, news)
            if (post.state, post.reason) != before:
                said = f": {post.reason}" if post.reason else ""
                log.info("%s: %s%s", post.name, post.state, said)
                ill = Opened("stills", "warning", post.reason)
                well = post.state not in UNWELL
                if post.state != "connecting":
                    self._desk.take_health(post.name, Closed("stills") if well else ill, now_s)
                if post.slower:
                    self._desk.take_health(
                        post.name, Opened("device", "warning", post.slower), now_s
                    )

    def follow_schedules(self, local: datetime, now_s: float) -> None:
        """Pause and resume as configured."""
        for name, post in self.posts.items():
            is_open, closed = post.open_at(local), name in self._closed_by_schedule
            if not is_open and not closed and post.state not in ("paused", "disabled"):
                self._closed_by_schedule.add(name)
                post.pause(now_s, "outside its schedule")
            elif is_open and closed:
                self._closed_by_schedule.discard(name)
                post.start(now_s)

    def tell_available(self, telling: "Telling") -> None:
        """For MQTT."""
        for name, post in self.posts.items():
            telling.available(name, yes=post.state == "running")
            if post.latest is not None and post.latest.strength is not None:
                telling.score(name, post.latest.strength)

    def scores(self, name: str, since: datetime) -> list[ScorePoint]:
        """The verdicts kept in memory, oldest first."""
        wall = self._clock.wall
        points = ((wall(at_s), score, p) for at_s, score, p in self.posts[name].curve)
        return [
            ScorePoint(camera=name, at=at, score=score, p_value=p)
            for at, score, p in points
            if at >= since
        ]

    def status(self, name: str, muted_until: datetime | None) -> CameraStatus:
        """As the API shows it."""
        post, wall = self.posts[name], self._clock.wall
        latest, ready, desk = post.latest, post.ready, self._desk
        return CameraStatus(
            name=name,
            kind="stills",
            state=post.state,
            since=wall(post.since_s).replace(microsecond=0),
            reason=post.reason,
            address=public_address(post.settings.url),
            tags=post.settings.tags,
            score=latest.strength if latest else None,
            p_value=latest.p_value if latest else None,
            scored_at=None if post.latest_s is None else wall(post.latest_s).replace(microsecond=0),
            reconnects=post.restarts,
            last_alert_at=desk.began.last(name),
            alerts_today=desk.began.today(name, midnight(self._clock.utc())),
            muted_until=muted_until,
            model=post.settings.model,
            detector=ready.detector if ready else "",
            notes=list(ready.notes) if ready else [],
            judged=post.judged,
            defective=post.defective,
        )

    async def _bury(self, post: StillPost, timeout_s: float) -> None:
        for news in await asyncio.to_thread(post.bury, timeout_s):
            self._take(post, news)

    def _take(self, post: StillPost, news: StillNews) -> None:
        match news:
            case StillKept():
                post.snapshot = news.snapshot or post.snapshot
                self._desk.take_picture(post.settings, news)
            case StillTrouble():
                log.warning("%s: %s", post.name, news.text)

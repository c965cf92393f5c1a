"""One engine as the dashboard knows it: its cameras, alerts, health and log.

Takes messages in; says what changed only by counters that whoever draws compares. Imports no
Textual and asks no clock of its own.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Literal

from monitor.api.schema import (
    AlertView,
    CameraStatus,
    EngineStatus,
    HealthView,
    LogLine,
    Message,
    ScorePoint,
)
from monitor.tui.state.curve import Curve
from monitor.tui.state.words import ALERT, LOOKS, LOST, Look, look_of

MOST_ALERTS = 500  # newest kept here; older ones are asked for page by page
MOST_LOG = 2000
MOST_HEALTH = 300
AT_ONCE = 50  # newest lines of the log among which one may come again
SLOW_S = 6.0  # an engine says something every five seconds at least

OUT = ("backoff", "stalled", "failed")  # there are no pictures
WATCHED = ("running", "degraded")  # it is scored; in other states what is known is of before
OUTAGES = ("offline", "stalled", "failed")  # health events of that
LinkState = Literal["connecting", "live", "lost"]
LostHow = Literal["gone", "refused", "busy"]  # nobody is there; one says no; one says later


@dataclass(slots=True)
class Camera:
    """One camera; `changes` grows with whatever can be seen of it."""

    site: "Site"
    status: CameraStatus
    place: int  # in the order of the configuration
    curve: Curve = field(default_factory=Curve)
    changes: int = 0
    gone: bool = False  # the engine has it no more; for pages that are open
    out_since: datetime | None = None  # without pictures, through all attempts to connect

    @property
    def name(self) -> str:
        """As configured."""
        return self.status.name

    @property
    def look(self) -> Look:
        """Its state; nothing is known of it while its engine is lost."""
        if self.site.link == "lost":
            return LOST
        again = self.status.state == "connecting" and self.out_since is not None
        return LOOKS["backoff"] if again else look_of(self.status)

    @property
    def since(self) -> datetime:
        """When its state began; of a camera that is tried again and again, when it was lost."""
        return self.out_since or self.status.since

    def take(self, status: CameraStatus) -> None:
        """A newer status."""
        self.status = status
        self.changes += 1
        if status.state in OUT:
            self.out_since = min(self.out_since or status.since, status.since)
        elif status.state != "connecting":
            self.out_since = None

    @property
    def current(self) -> bool:
        """Whether its score is of now, and not what was left when the watching stopped."""
        return self.site.link != "lost" and self.status.state in WATCHED

    @property
    def score(self) -> float | None:
        """Newest, times the threshold; None where it is no number or there is none yet."""
        return self.status.score if self.curve.last is None else self.curve.last


@dataclass(slots=True)
class Site:
    """One engine. `mono` is a clock that never jumps, `wall` this machine's, for what has none."""

    name: str
    mono: Callable[[], float]
    wall: Callable[[], datetime]
    link: LinkState = "connecting"
    link_text: str = ""
    link_since: datetime | None = None
    lost_how: LostHow = "gone"  # while it is lost
    ended: str = ""  # how, of an engine that was started for this dashboard
    heard: float | None = None  # mono
    engine: EngineStatus | None = None
    cameras: dict[str, Camera] = field(default_factory=dict)
    alerts: dict[str, AlertView] = field(default_factory=dict)
    health: dict[str, HealthView] = field(default_factory=dict)
    log: deque[LogLine] = field(default_factory=lambda: deque(maxlen=MOST_LOG))
    arrangement: int = 0  # grows when cameras come, go or change their state
    alert_changes: int = 0
    log_changes: int = 0
    news: list[AlertView] = field(default_factory=list)  # new alerts nobody was told of yet
    _fresh: bool = True
    _ahead: timedelta = timedelta()  # of the engine's clock over ours

    @property
    def now(self) -> datetime:
        """The engine's clock, as far as it is known: ages are honest across two machines."""
        return self.wall() + self._ahead

    @property
    def silent_s(self) -> float:
        """Since the last message; 0 while there is no stream."""
        if self.link != "live" or self.heard is None:
            return 0.0
        return self.mono() - self.heard

    def connected(self) -> None:
        """A stream is asked for; its first message will replace everything."""
        self._fresh = True
        if self.link_since is None:
            self.link_since = self.wall()

    def lost(self, text: str, how: LostHow = "gone") -> None:
        """The stream ended, for this reason; what is known stays to be looked at."""
        self.lost_how = how
        if self.link != "lost" or self.link_since is None:
            self.link_since = self.wall()
        self.link, self.link_text = "lost", text
        self.arrangement += 1

    def take(self, message: Message) -> None:
        """One message of the stream."""
        first, self._fresh = self._fresh, False
        self.heard = self.mono()
        if self.link != "live":
            self.link, self.link_text, self.link_since = "live", "", self.wall()
            self.arrangement += 1
        if message.engine is not None:
            self.engine = message.engine
            self._ahead = message.engine.now.astimezone(UTC) - self.wall()
        self._take_cameras(message, replace=first)
        self.take_scores(message.scores)
        self._take_alerts(message.alerts, quiet=first)
        self._take_health(message.health, replace=first)
        self._take_log(message.log, replace=first)

    def _take_cameras(self, message: Message, *, replace: bool) -> None:
        present = {status.name for status in message.cameras}
        absent = [name for name in self.cameras if name not in present] if replace else []
        for name in {*message.removed, *absent}:
            camera = self.cameras.pop(name, None)
            if camera is not None:
                camera.gone = True
                self.arrangement += 1
        for status in message.cameras:
            self._take_camera(status)

    def _take_camera(self, status: CameraStatus) -> None:
        known = self.cameras.get(status.name)
        if known is None:
            place = max((c.place for c in self.cameras.values()), default=-1) + 1
            self.cameras[status.name] = camera = Camera(self, status, place)
            camera.take(status)
            self.arrangement += 1
            return
        before, kind = known.look, known.status.kind
        known.take(status)
        if known.look is not before or kind != status.kind:
            self.arrangement += 1

    def take_scores(self, points: Iterable[ScorePoint]) -> None:
        """Readings, in any number and order; those of unknown cameras are left out."""
        for point in points:
            camera = self.cameras.get(point.camera)
            if camera is not None:
                camera.curve.add(point.at.timestamp(), point.score)
                camera.changes += 1

    def _take_alerts(self, alerts: Iterable[AlertView], *, quiet: bool) -> None:
        for alert in alerts:
            known = self.alerts.get(alert.id)
            if known is not None and (known.revision > alert.revision or known == alert):
                continue
            if known is None and not quiet and alert.phase != "end":
                self.news.append(alert)
            self.alerts[alert.id] = alert
            self.alert_changes += 1
        if len(self.alerts) > MOST_ALERTS:
            oldest = sorted(self.alerts.values(), key=lambda alert: alert.started_at)
            for alert in oldest[: len(self.alerts) - MOST_ALERTS]:
                del self.alerts[alert.id]

    def _take_health(self, events: Iterable[HealthView], *, replace: bool) -> None:
        if replace:
            self.health.clear()
        for event in events:
            self.health[event.id] = event
            self._take_outage(event)
        while len(self.health) > MOST_HEALTH:
            del self.health[next(iter(self.health))]

    def _take_log(self, lines: Iterable[LogLine], *, replace: bool) -> None:
        """What was logged while a stream began is told twice."""
        if replace:
            self.log.clear()
        known = set(islice(reversed(self.log), AT_ONCE))
        new = [line for line in lines if line not in known]
        if new:
            self.log.extend(new)
            self.log_changes += 1

    def _take_outage(self, event: HealthView) -> None:
        """It has been out for longer than its newest attempt to connect."""
        camera = self.cameras.get(event.camera or "")
        if camera is not None and camera.out_since and event.kind in OUTAGES and not event.ended_at:
            camera.out_since = min(camera.out_since, event.started_at)

    def remember(self, alert: AlertView) -> None:
        """An alert as it is after something was said of it."""
        self.alerts[alert.id] = alert
        self.alert_changes += 1

    def rewind(self) -> None:
        """A replay was set to another moment: what came after it has not happened yet."""
        self.alerts.clear()
        self.health.clear()
        self.alert_changes += 1
        for camera in self.cameras.values():
            camera.curve = Curve()

    def alerting(self) -> int:
        """Cameras with an open alert."""
        return sum(camera.look is ALERT for camera in self.cameras.values())

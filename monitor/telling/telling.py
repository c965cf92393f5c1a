"""An engine's side of telling: what a phase gives to tell, who is muted, and the couriers."""

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitor.config.settings import CameraSettings, NoticeSettings
from monitor.records import Alert
from monitor.store import Store, StoredAlert
from monitor.store_health import HealthEvent
from monitor.store_outbox import Outgoing, Told
from monitor.telling.mqtt import Mqtt
from monitor.telling.notices import News, Situation, health_notices, named, notices_for
from monitor.telling.opening import open_sink
from monitor.telling.outbox import Counts, Courier
from monitor.telling.sink import Sink

CLOSE_S = 3.0  # for deliveries under way


class Telling:
    """Called from the engine's loop; returns at once. Secrets in the settings are resolved."""

    def __init__(
        self, store: Store, settings: Sequence[NoticeSettings], folder: Path | None = None
    ) -> None:
        """`folder` is what evidence paths in the store are relative to.

        Raises:
            UsageError: A sink's address is none.
        """
        self._store = store
        self._folder = folder
        self._told: dict[tuple[str, str], Told] = store.outbox.last_told()
        self._mutes = store.outbox.mutes()
        self._cameras: list[str] = []
        self._targets: dict[str, NoticeSettings] = {}
        self._sinks: dict[str, Sink] = {}
        self._couriers: dict[str, Courier] = {}
        self._running = False
        self._take(settings)

    def alert(
        self, alert: Alert, strength: float | None, origin: datetime, camera: CameraSettings
    ) -> list[Outgoing]:
        """What to write with this phase of it. MQTT's state follows, muted or not."""
        now = datetime.now(UTC)
        for sink in self._mqtt():
            sink.state(alert.source, alerting=alert.phase != "end")
        muted = self._mutes.get(alert.source)
        situation = Situation(self._targets, camera.cooldown_s, muted, self._told)
        notices = notices_for(News(alert, origin, strength, now), situation)
        for notice in notices:
            if notice.kind == "alert":
                self._told[notice.sink, notice.camera] = Told(alert.id, now)
        return notices

    def orphan(self, stored: StoredAlert) -> list[Outgoing]:
        """The end of an alert that a dead run left open; told to those who know of it."""
        alert = stored.alert
        origin = stored.started_at - timedelta(seconds=alert.start_s)
        news = News(alert, origin, stored.strength, datetime.now(UTC))
        known = {
            name: target
            for name, target in self._targets.items()
            if (told := self._told.get((name, alert.source))) and told.alert_id == alert.id
        }
        return notices_for(news, Situation(known, 0.0, self._mutes.get(alert.source), self._told))

    def health(self, event: HealthEvent) -> list[Outgoing]:
        """What to write with its beginning or, once it has one, its end."""
        return health_notices(event, self._targets, self._mutes.get(event.camera or ""))

    def mute(self, camera: str, until: datetime | None) -> None:
        """No notices of this camera until then; None: from now on again.

        In memory: `store.outbox.mute` keeps it over a restart.
        """
        self._mutes.pop(camera, None)
        if until is not None:
            self._mutes[camera] = until

    def muted_until(self, camera: str) -> datetime | None:
        """When notices come again; None: they do now."""
        until = self._mutes.get(camera)
        return until if until is not None and until > datetime.now(UTC) else None

    def cameras(self, names: Iterable[str]) -> None:
        """The cameras there are, for MQTT's discovery."""
        self._cameras = list(names)
        for sink in self._mqtt():
            sink.cameras(self._cameras)

    def available(self, camera: str, *, yes: bool) -> None:
        """Whether a camera can be seen."""
        for sink in self._mqtt():
            sink.available(camera, yes=yes)

    def score(self, camera: str, strength: float) -> None:
        """A camera's newest score; at most once a second is enough."""
        for sink in self._mqtt():
            sink.score(camera, strength)

    def start(self) -> None:
        """Begin to deliver, with what an earlier run left."""
        self._running = True
        for courier in self._couriers.values():
            courier.start()

    def wake(self) -> None:
        """Something was written: deliver it now, not at the next look (every two seconds)."""
        for courier in self._couriers.values():
            courier.wake()

    def change(self, settings: Sequence[NoticeSettings]) -> None:
        """Other sinks from now on; those that stay as they are notice nothing.

        Raises:
            UsageError: A sink's address is none; then all stays as it was.
        """
        self._take(settings)

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """Let deliveries under way end; what waits is delivered by the next run."""
        self._running = False
        _end(list(self._couriers.values()), timeout_s)
        self._couriers, self._sinks = {}, {}

    def failing(self) -> dict[str, str]:
        """One line for each sink whose notices are given up, or have waited for a while."""
        return {name: one.trouble for name, one in self._couriers.items() if one.trouble}

    def counts(self) -> dict[str, Counts]:
        """By sink."""
        return {name: courier.counts for name, courier in self._couriers.items()}

    def _take(self, settings: Sequence[NoticeSettings]) -> None:
        """The dictionaries are replaced, not changed: the engine's loop may be reading them."""
        targets = named(settings)
        fresh = {n: t for n, t in targets.items() if self._targets.get(n) != t}
        opened = {name: open_sink(target) for name, target in fresh.items()}
        kept = {n: one for n, one in self._couriers.items() if n in targets and n not in fresh}
        _end([one for name, one in self._couriers.items() if name not in kept], CLOSE_S)
        new = {n: Courier(self._store, n, s, folder=self._folder) for n, s in opened.items()}
        self._targets = targets
        self._sinks = {name: self._sinks[name] for name in kept} | opened
        self._couriers = kept | new
        for sink in opened.values():
            if isinstance(sink, Mqtt):
                sink.cameras(self._cameras)
        for courier in new.values() if self._running else ():
            courier.start()

    def _mqtt(self) -> list[Mqtt]:
        return [sink for sink in self._sinks.values() if isinstance(sink, Mqtt)]


def _end(couriers: Sequence[Courier], timeout_s: float) -> None:
    until_s = time.monotonic() + timeout_s
    for courier in couriers:
        courier.stop()
    for courier in couriers:
        courier.join(until_s)

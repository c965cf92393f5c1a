"""All engines together, as the screens ask for them: order, counts, complaints, news."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from monitor.api.schema import AlertView
from monitor.names import counted
from monitor.tui.state.site import SLOW_S, Camera, Site
from monitor.tui.state.words import Look, Tone, clock, fit, since, span

STORM = 8  # new alerts in STORM_S that are told as one
STORM_S = 60.0
WONDER_S = 3.0  # an engine in the same network answers within one
LITTLE_DISK = 2_000_000_000  # bytes; an hour of clips of a busy street


@dataclass(frozen=True, slots=True)
class Complaint:
    """One line on what is wrong, for the banner."""

    tone: Tone
    text: str


@dataclass(frozen=True, slots=True)
class Seen:
    """An alert and whose it is."""

    site: Site
    alert: AlertView


@dataclass(slots=True)
class Fleet:
    """Every engine that the dashboard is attached to."""

    sites: list[Site]
    filter: str = ""  # of names and tags, lower case
    _order: list[Camera] = field(default_factory=list)
    _order_of: tuple[object, ...] = ()
    _newest: list[Seen] = field(default_factory=list)
    _newest_of: tuple[int, ...] = ()

    @property
    def several(self) -> bool:
        """Whether names need their engine's beside them."""
        return len(self.sites) > 1

    def title(self, camera: Camera) -> str:
        """What a camera is called here."""
        return f"{camera.site.name} / {camera.name}" if self.several else camera.name

    def cameras(self) -> Sequence[Camera]:
        """Those that match the filter, who needs a person most first; else as configured."""
        key = (self.filter, *(site.arrangement for site in self.sites))
        if key != self._order_of:
            self._order_of = key
            ranked = [
                (camera.look.need, number, camera.place, camera)
                for number, site in enumerate(self.sites)
                for camera in site.cameras.values()
                if self._matches(camera)
            ]
            self._order = [entry[3] for entry in sorted(ranked, key=lambda entry: entry[:3])]
        return self._order

    def _matches(self, camera: Camera) -> bool:
        text = " ".join((self.title(camera), camera.look.word, *camera.status.tags)).lower()
        return self.filter in text

    def all(self) -> list[Camera]:
        """Every camera, as configured."""
        return [camera for site in self.sites for camera in site.cameras.values()]

    def counts(self) -> list[tuple[Look, int]]:
        """How many cameras are in which state, who needs a person first."""
        counted = Counter(camera.look for camera in self.all())
        return sorted(counted.items(), key=lambda entry: entry[0].need)

    def newest(self) -> Sequence[Seen]:
        """The alerts that are known here, newest first."""
        key = tuple(site.alert_changes for site in self.sites)
        if key != self._newest_of:
            self._newest_of = key
            seen = [Seen(site, alert) for site in self.sites for alert in site.alerts.values()]
            self._newest = sorted(seen, key=lambda one: one.alert.started_at, reverse=True)
        return self._newest

    def newest_of(self, camera: Camera) -> Seen | None:
        """Its open alert, else the newest one that is known here."""
        open_id = camera.status.open_alert
        own = [
            one
            for one in self.newest()
            if one.site is camera.site and one.alert.camera == camera.name
        ]
        return next((one for one in own if one.alert.id == open_id), own[0] if own else None)

    def storm(self) -> str:
        """One line where alerts come faster than they can be read, else nothing."""
        recent = [
            one
            for one in self.newest()[: 20 * STORM]
            if since(one.alert.started_at, one.site.now) <= STORM_S
        ]
        if len(recent) < STORM:
            return ""
        cameras = {(one.site.name, one.alert.camera) for one in recent}
        strongest = max(recent, key=lambda one: one.alert.strength or 0.0).alert
        of = counted(len(cameras), "camera")
        more = "+" if len(recent) == 20 * STORM else ""
        return (
            f"alert storm: {len(recent)}{more} alerts in the last minute on {of}, "
            f"strongest {fit(strongest.camera, 24)}"
        )

    def complaints(self) -> list[Complaint]:
        """What a person should know of engines and machine, the worst first."""
        found = [complaint for site in self.sites for complaint in self._complaints(site)]
        return sorted(found, key=lambda one: ("alert", "bad", "warn", "learn").index(one.tone))

    def _complaints(self, site: Site) -> list[Complaint]:
        whose = f"{site.name}: " if self.several else ""
        if site.link == "lost":
            return [Complaint("bad", whose + _lost(site))]
        if site.link == "connecting":
            return [Complaint("learn", whose + connecting(site))]
        found = []
        if site.silent_s > SLOW_S:
            text = f"slow link: nothing heard for {span(site.silent_s)}, what you see is old"
            found.append(Complaint("warn", whose + text))
        return found + [Complaint(one.tone, whose + one.text) for one in _of_engine(site)]


def _of_engine(site: Site) -> list[Complaint]:
    engine = site.engine
    if engine is None:
        return []
    found = []
    if engine.state == "read_only":
        text = "the store is read-only: alerts are shown, but nothing you say of them is kept"
        found.append(Complaint("bad", text))
    if engine.state in {"starting", "stopping"}:
        found.append(Complaint("learn", f"the engine is {engine.state}"))
    if engine.overload_stage or engine.state == "overloaded":
        text = engine.overload or "it scores less often than asked"
        found.append(Complaint("warn", f"overload, stage {engine.overload_stage}: {text}"))
    if 0 < engine.disk_free_bytes < LITTLE_DISK:
        free = engine.disk_free_bytes // 1_000_000
        found.append(Complaint("warn", f"the disk is nearly full: {free:,} MB free"))
    return found


def connecting(site: Site) -> str:
    """To what, and for how long where a person begins to wonder."""
    waited_s = 0.0 if site.link_since is None else since(site.link_since, site.now)
    if waited_s < WONDER_S:
        return f"connecting to {site.name} …"
    return f"connecting to {site.name} for {span(waited_s)}, no answer yet"


def _lost(site: Site) -> str:
    if site.ended:
        return site.ended
    if site.engine is None:
        return f"{site.link_text or 'no engine'}; trying again"
    at = clock(site.link_since)
    return f"engine lost at {at}, trying again; what you see is of then. {site.link_text}"


@dataclass(slots=True)
class Ringing:
    """Decides which new alerts are told, so that a storm rings once and not a hundred times."""

    mono: Callable[[], float]
    _told: list[float] = field(default_factory=list)
    _quiet_until: float = 0.0

    def tell(self, fleet: Fleet) -> list[str]:
        """Lines to be told now; takes the news of all sites. Muted cameras are not told."""
        news = [Seen(site, alert) for site in fleet.sites for alert in site.news]
        for site in fleet.sites:
            site.news.clear()
        news = [one for one in news if not _muted(one)]
        now = self.mono()
        self._told = [at for at in self._told if now - at < STORM_S] + [now] * len(news)
        if not news or now < self._quiet_until:
            return []
        if len(self._told) >= STORM:
            self._quiet_until = now + STORM_S / 2
            return [fleet.storm() or f"{len(self._told)} alerts in the last minute"]
        return [_telling(fleet, one) for one in news]


def _muted(one: Seen) -> bool:
    camera = one.site.cameras.get(one.alert.camera)
    until = camera.status.muted_until if camera else None
    return until is not None and until > one.site.now


def _telling(fleet: Fleet, one: Seen) -> str:
    name = f"{one.site.name} / {one.alert.camera}" if fleet.several else one.alert.camera
    return f"{fit(name, 60)} since {clock(one.alert.started_at)}"


def tomorrow(now: datetime) -> datetime:
    """The next morning at seven, local time; for muting until then."""
    local = now.astimezone()
    morning = local.replace(hour=7, minute=0, second=0, microsecond=0)
    return morning if morning > local else morning + timedelta(days=1)

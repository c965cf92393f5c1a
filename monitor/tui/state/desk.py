"""The desk where alerts are gone through: filters, pages, what was said and how to unsay it.

Asks engines, but imports neither Textual nor HTTP.
"""

import asyncio
import csv
import io
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import inf
from typing import Literal

from monitor.api.client_errors import EngineGone, Unanswered
from monitor.api.schema import AlertView, AlertWanted, Label, Said, Sort
from monitor.errors import MonitorError
from monitor.tui.engine import Engine
from monitor.tui.state.fleet import Seen
from monitor.tui.state.site import Site
from monitor.tui.state.words import LABELS

PAGE = 100
MOST_AT_ONCE = 500  # the API's limit
INSTANT = timedelta(microseconds=1)  # the least by which times differ
AGAIN_S = 2.0  # between questions to an engine that does not answer

Phase = Literal["all", "open", "new", "seen", "true", "normal_here", "unsure"]
PHASES: tuple[Phase, ...] = ("all", "open", "new", "seen", "true", "normal_here", "unsure")
DAYS = (0, 1, 7, 30, 365)  # 0: any
SORTS: tuple[Sort, ...] = ("newest", "oldest", "strongest")
COLUMNS = (
    *("engine", "id", "camera", "started_at", "ended_at", "strength", "p_value"),
    *("label", "acknowledged_at", "note", "reason", "clip"),
)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which alerts, in which order."""

    phase: Phase = "all"
    camera: str = ""
    days: int = 0
    text: str = ""
    sort: Sort = "newest"

    def wanted(self, site: Site, *, limit: int, offset: int) -> AlertWanted:
        """As the API asks for it."""
        label: Label | None = None
        if self.phase == "true" or self.phase == "normal_here" or self.phase == "unsure":  # noqa: PLR1714
            label = self.phase
        return AlertWanted(
            camera=self.camera or None,
            since=site.now - timedelta(days=self.days) if self.days else None,
            open=True if self.phase == "open" else None,
            acknowledged={"new": False, "seen": True}.get(self.phase),
            label=label,
            text=self.text[:200],
            sort=self.sort,
            limit=limit,
            offset=offset,
        )


@dataclass(frozen=True, slots=True)
class Source:
    """An engine to ask, and the site that keeps what it says."""

    engine: Engine
    site: Site


@dataclass(frozen=True, slots=True)
class Step:
    """What takes something back."""

    seen: Seen
    unsaid: Said
    text: str


@dataclass(frozen=True, slots=True)
class Exported:
    """A table, how many alerts are in it, and the engines that could not be asked for theirs."""

    text: str
    alerts: int
    missing: Sequence[str]


@dataclass(slots=True)
class Desk:
    """One page of alerts, of one engine or of several merged."""

    sources: Sequence[Source]
    filters: Filters = Filters()
    page: int = 0
    loaded: int = 0  # the page that the rows are of
    total: int = 0
    rows: list[Seen] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    saying: asyncio.Lock = field(default_factory=asyncio.Lock)  # one thing at a time, in order

    @property
    def pages(self) -> int:
        """At least one."""
        return max(1, -(-self.total // PAGE))

    def narrow(self, **changes: object) -> None:
        """Other filters, from the first page on."""
        self.filters = replace(self.filters, **changes)  # type: ignore[arg-type]
        self.page = self.loaded = 0

    async def load(self) -> None:
        """Ask for the page; of several engines all until its end is merged.

        Where that fails the page stays the one before, so that it is turned from what is shown.
        """
        self.page = max(0, self.page)
        try:
            rows, self.total = await self._fetch(self.page * PAGE, PAGE)
            if not rows and self.page and self.total:
                self.page = self.pages - 1
                rows, self.total = await self._fetch(self.page * PAGE, PAGE)
        except MonitorError:
            self.page = self.loaded
            raise
        self.rows, self.loaded = rows, self.page

    async def _fetch(self, offset: int, limit: int) -> "tuple[list[Seen], int]":
        if len(self.sources) == 1:
            source = self.sources[0]
            asked = self.filters.wanted(source.site, limit=limit, offset=offset)
            page = await source.engine.alerts(asked)
            return [Seen(source.site, alert) for alert in page.alerts], page.total
        rows: list[Seen] = []
        lists = self._lists(min(offset + limit, MOST_AT_ONCE))
        async for seen in _merged(lists, self.filters.sort):
            rows.append(seen)
            if len(rows) == offset + limit:
                break
        return rows[offset:], sum(one.total for one in lists)

    def _lists(self, block: int) -> "list[_Listed]":
        return [_Listed(source, self.filters, block) for source in self._there()]

    def _there(self) -> Sequence[Source]:
        """Without engines that are lost; where all are, asking them says why."""
        return [one for one in self.sources if one.site.link != "lost"] or self.sources

    def source_of(self, seen: Seen) -> Source:
        """Whom to ask about this alert."""
        return next(source for source in self.sources if source.site is seen.site)

    def refreshed(self) -> list[int]:
        """Take in what the stream has said since; the places of the rows that changed."""
        changed = []
        for place, seen in enumerate(self.rows):
            known = seen.site.alerts.get(seen.alert.id)
            if (
                known is not None
                and known is not seen.alert
                and known.revision >= seen.alert.revision
            ):
                self.rows[place] = Seen(seen.site, known)
                changed.append(place)
        return changed

    async def say(self, seen: Seen, said: Said, text: str) -> Seen:
        """Say something of an alert; remembers how to take it back.

        What was there before is asked for: what is known here may be older than what others said.

        Raises:
            Unanswered: It may be kept; how to take it back is remembered.
        """
        source = self.source_of(seen)
        async with self.saying:
            before = await source.engine.alert(seen.alert.id)
            step = Step(seen, _inverse(before, said), text)
            try:
                after = await source.engine.say(seen.alert.id, said)
            except Unanswered:
                self.steps.append(step)
                raise
            self.steps.append(step)
        return self._put(seen, after)

    async def hear(self, seen: Seen) -> Seen:
        """The alert as its engine has it, once it answers again and has done what waited there."""
        engine = self.source_of(seen).engine
        while True:
            try:
                await engine.alert(seen.alert.id)
                await asyncio.sleep(AGAIN_S)
                return self._put(seen, await engine.alert(seen.alert.id))
            except EngineGone:
                await asyncio.sleep(AGAIN_S)

    async def undo(self) -> Step | None:
        """Take back what was said last; None where nothing is left."""
        async with self.saying:  # what is being said now is what was said last
            if not self.steps:
                return None
            step = self.steps[-1]
            engine = self.source_of(step.seen).engine
            after = await engine.say(step.seen.alert.id, step.unsaid)
            self.steps.pop()
        self._put(step.seen, after)
        return step

    def _put(self, seen: Seen, alert: AlertView) -> Seen:
        now = Seen(seen.site, alert)
        seen.site.remember(alert)
        self.rows = [now if row.alert.id == alert.id else row for row in self.rows]
        return now

    def neighbour(self, seen: Seen, step: int, *, unacknowledged: bool = False) -> Seen | None:
        """The next row (or with -1 the one before) on this page, from an alert on."""
        places = [place for place, row in enumerate(self.rows) if row.alert.id == seen.alert.id]
        place = (places[0] if places else -1) + step
        while 0 <= place < len(self.rows):
            row = self.rows[place]
            if not (unacknowledged and row.alert.acknowledged_at):
                return row
            place += step
        return None

    async def export(self) -> Exported:
        """All alerts that match, as CSV."""
        found: list[Seen] = []
        there, filters = self._there(), self.filters
        for source in there:
            found += await _all_of(source, filters)
        found.sort(key=lambda seen: _rank(seen, filters.sort))
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(map(_cells, found))
        missing = [one.site.name for one in self.sources if one not in there]
        return Exported(file.getvalue(), len(found), missing)


async def _all_of(source: Source, filters: Filters) -> list[Seen]:
    """Of one engine, in order but for their strength.

    Each block is asked for from the instant on that the one before ended in: by its place, it
    would skip as many as have ceased to match since.
    """
    found: dict[str, Seen] = {}
    newest, offset = replace(filters, sort="newest"), 0
    until: datetime | None = None
    while True:
        asked = newest.wanted(source.site, limit=MOST_AT_ONCE, offset=offset)
        page = await source.engine.alerts(asked.model_copy(update={"until": until}))
        found |= {alert.id: Seen(source.site, alert) for alert in page.alerts}
        if len(page.alerts) < MOST_AT_ONCE:
            break
        after = page.alerts[-1].started_at + INSTANT
        offset = offset + len(page.alerts) if after == until else 0  # all of one instant
        until = after
    rows = list(found.values())
    return rows[::-1] if filters.sort == "oldest" else rows


class _Listed:
    """The alerts of one engine that match, in order, asked for block by block."""

    def __init__(self, source: Source, filters: Filters, block: int) -> None:
        self.total = 0
        self._source = source
        self._filters = filters
        self._block = block

    async def each(self) -> AsyncGenerator[Seen, None]:
        """As many as there are, or as are taken."""
        site, offset = self._source.site, 0
        while True:
            asked = self._filters.wanted(site, limit=self._block, offset=offset)
            page = await self._source.engine.alerts(asked)
            self.total = page.total
            for alert in page.alerts:
                yield Seen(site, alert)
            offset += len(page.alerts)
            if not page.alerts or offset >= page.total:
                return


async def _merged(lists: Sequence[_Listed], sort: Sort) -> AsyncGenerator[Seen, None]:
    """Of several engines in the order that each has its own in."""
    waiting: list[tuple[Seen, AsyncGenerator[Seen, None]]] = []
    for one in lists:
        stream = one.each()
        if (first := await anext(stream, None)) is not None:
            waiting.append((first, stream))
    while waiting:
        place = min(range(len(waiting)), key=lambda number: _rank(waiting[number][0], sort))
        seen, stream = waiting[place]
        yield seen
        if (following := await anext(stream, None)) is not None:
            waiting[place] = following, stream
        else:
            del waiting[place]


def _rank(seen: Seen, sort: Sort) -> float:
    if sort == "strongest":
        return inf if seen.alert.strength is None else -seen.alert.strength
    began = seen.alert.started_at.timestamp()
    return -began if sort == "newest" else began


def _inverse(before: AlertView, said: Said) -> Said:
    return Said(
        acknowledged=None if said.acknowledged is None else before.acknowledged_at is not None,
        label=None if said.label is None else before.label or "none",
        note=None if said.note is None else before.note,
        pinned=None if said.pinned is None else before.pinned,
    )


def _cells(seen: Seen) -> list[str]:
    """Of the columns; a text that a spreadsheet would take for a formula is led by a quote."""
    alert = seen.alert
    values = (
        seen.site.name,
        alert.id,
        alert.camera,
        alert.started_at.isoformat(),
        alert.ended_at.isoformat(),
        "" if alert.strength is None else f"{alert.strength:.6g}",
        "" if alert.p_value is None else f"{alert.p_value:.6g}",
        LABELS[alert.label] if alert.label else "",
        alert.acknowledged_at.isoformat() if alert.acknowledged_at else "",
        alert.note,
        alert.reason,
        alert.clip_path,
    )
    texts = {2, 9, 10, 11}
    return [
        f"'{value}" if number in texts and value[:1] in ("=", "+", "-", "@") else value
        for number, value in enumerate(values)
    ]

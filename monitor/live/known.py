"""Alerts as clients know them: the phase raised last, what people said of it, what files it has.

A phase is told at once, with what the store was last seen to keep beside it. The store is looked at
again once that phase is written, and whenever somebody has changed a row; what differs is told.
"""

import asyncio
from collections.abc import Iterable

from monitor.api.hub import Hub
from monitor.api.schema import AlertView, Message
from monitor.api.stored import alert_view
from monitor.errors import MonitorError
from monitor.store import Store, StoredAlert

NEWEST = 50  # ended ones that a new client is told of, besides all that are open
WRITTEN_S = 0.3  # the writer gathers for 0.1 s
STORED = (
    *("acknowledged_at", "label", "note", "pinned"),
    *("region", "has_snapshot", "has_clip", "clip_path"),
)  # what a row has and no phase brings


class KnownAlerts:
    """All methods are called in the engine's loop; the store is asked in a thread."""

    def __init__(self, store: Store, hub: Hub) -> None:
        self._store = store
        self._hub = hub
        self._known: dict[str, AlertView] = {}
        self._asked: set[str] = set()
        self._looking = asyncio.Lock()  # one look at a time: what was read first is told first

    def newest(self) -> list[AlertView]:
        """Oldest of them first."""
        return sorted(self._known.values(), key=lambda view: view.started_at)

    def take(self, phase: AlertView) -> None:
        """An alert begins, goes on or ends; what else is known of it stays."""
        known = self._known.get(phase.id)
        self._tell([_with_stored(phase, known) if known else phase])

    async def look(self, alert_id: str, after_s: float = 0.0) -> None:
        """Tell of it as the store has it; a store that cannot be read is said elsewhere."""
        await asyncio.sleep(after_s)
        self._asked.add(alert_id)
        async with self._looking:
            asked, self._asked = self._asked, set()  # also for those that waited behind this look
            if asked:
                try:
                    self._take_stored(await asyncio.to_thread(self._store.those, asked))
                except MonitorError:
                    return

    async def refresh(self) -> None:
        """Look at the newest of all, which other programs may have changed.

        Raises:
            StoreError: The store cannot be read.
        """
        async with self._looking:
            before = set(self._known)
            found = await asyncio.to_thread(self._store.find, limit=NEWEST)
            self._take_stored(found)
            for alert_id in before - {stored.alert.id for stored in found}:
                if alert_id in self._known and self._known[alert_id].phase == "end":
                    del self._known[alert_id]

    def _take_stored(self, found: Iterable[StoredAlert]) -> None:
        views = map(self._newer, map(alert_view, found))
        self._tell([view for view in views if view != self._known.get(view.id)])

    def _newer(self, row: AlertView) -> AlertView:
        """The row, of a phase that may not be written yet."""
        known = self._known.get(row.id)
        return row if known is None or known.revision < row.revision else _with_stored(known, row)

    def _tell(self, views: list[AlertView]) -> None:
        if not views:
            return
        self._known |= {view.id: view for view in views}
        ended = [view for view in self.newest() if view.phase == "end"]
        for view in ended[:-NEWEST]:  # never one of the NEWEST rows, which would be news again
            del self._known[view.id]
        self._hub.publish(Message(alerts=views))


def _with_stored(phase: AlertView, row: AlertView) -> AlertView:
    return phase.model_copy(update={name: getattr(row, name) for name in STORED})

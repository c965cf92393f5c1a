"""What the store is to hold of the alerts of one source; what it refused is offered again.

Knows nothing of how alerts or evidence come about.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from monitor.names import noted
from monitor.recorder import Evidence
from monitor.records import Alert
from monitor.store import Store

ENTRIES = 4  # alerts whose clip may still come: the last one and the one before, twice over


@dataclass(slots=True)
class _Entry:
    alert: Alert
    snapshot: Path | None = None
    clip: Path | None = None
    saved: bool = False


class Ledger:
    """The alerts as they are to be in the store; what it refused is offered again."""

    def __init__(self, store: Store | None, origin: datetime, model: str) -> None:
        self._store = store
        self._model = model
        self._entries: dict[str, _Entry] = {}
        self.origin = origin
        self.failing = False

    @property
    def unstored(self) -> int:
        """How many alerts the store does not have in their last state."""
        return sum(not entry.saved for entry in self._entries.values())

    def snapshot_of(self, alert_id: str) -> Path | None:
        """Where the alert's picture lies, if it has one."""
        return self._entries[alert_id].snapshot

    def note(self, alert: Alert) -> None:
        """Take a phase of an alert."""
        entry = self._entries.setdefault(alert.id, _Entry(alert))
        entry.alert, entry.saved = alert, False
        self.flush()

    def attach(self, evidence: Evidence) -> None:
        """Take what lies on the disk by now."""
        entry = self._entries[evidence.alert_id]
        entry.snapshot = evidence.snapshot or entry.snapshot
        entry.clip = evidence.clip or entry.clip
        entry.saved = False
        self.flush()

    def flush(self) -> None:
        """Store what is not stored; what is, and is old, is forgotten.

        Raises:
            StoreError: At the first that the store does not take.
        """
        for entry in self._entries.values():
            if not entry.saved:
                self._store_one(entry)
        self.failing = False
        for alert_id in list(self._entries)[:-ENTRIES]:
            del self._entries[alert_id]

    def _store_one(self, entry: _Entry) -> None:
        if self._store is not None:
            self.failing = True  # until it has not
            self._store.record(entry.alert, origin=self.origin, model=self._model)
            self._store.attach(
                entry.alert.id,
                snapshot="" if entry.snapshot is None else noted(entry.snapshot),
                clip="" if entry.clip is None else noted(entry.clip),
            )
        entry.saved = True

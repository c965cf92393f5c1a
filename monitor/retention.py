"""How long evidence is kept: by days, by bytes, and by what must stay free on the disk.

The alerts' rows stay: they are small, and the history is worth keeping. Curves go by days.
Evidence of alerts that are pinned, or that go on, is never removed. A row gives its files up
before they go.
"""

import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from monitor.config.settings import RetentionSettings
from monitor.errors import StoreError
from monitor.evidence_files import files_of, walk
from monitor.store import Store
from monitor.store_garbage import Held

BATCH = 50  # alerts per look at the disk
OUTBOX_KEPT = timedelta(days=7)  # of notices that were told
HEALTH_KEPT = timedelta(days=365)
CURVES_KEPT = timedelta(days=30)  # at most: of 64 cameras half a gigabyte


@dataclass(frozen=True, slots=True)
class Space:
    """What there is, and whether clips may be written."""

    free_bytes: int
    evidence_bytes: int
    clips_allowed: bool = True
    text: str = ""  # one line, where they may not
    removed: int = 0  # alerts whose evidence went in this step


class Retention:
    """One folder of evidence. `step` looks and removes, `space` only looks."""

    def __init__(self, store: Store, folder: Path, settings: RetentionSettings) -> None:
        self._store = store
        self._folder = folder
        self._settings = settings

    def space(self) -> Space:
        """As it is now; the evidence is counted anew."""
        used = sum(found.size_bytes for found in walk(self._folder))
        return self._judge(used, removed=0)

    def room_for(self, size_bytes: int) -> bool:
        """Whether a file of that size may be written now; asked before each clip."""
        return self._free() - size_bytes >= self._settings.least_free_bytes

    def step(self, now: datetime) -> Space:
        """Remove what is due: too old, then the oldest until there is room. Takes long at first.

        Raises:
            StoreError: The database cannot be written.
        """
        self._store.garbage.empty()
        removed = self._remove_old(now) if self._settings.days else 0
        used = sum(found.size_bytes for found in walk(self._folder))
        while self._too_much(used):
            batch = self._store.garbage.removable(limit=BATCH)
            freed, count = self._remove(batch, until=used)
            used -= freed
            removed += count
            if not count:
                break
        self._store.outbox.prune(now - OUTBOX_KEPT)
        self._store.health.prune(now - HEALTH_KEPT)
        self._store.curves.prune(now - self._curves_kept())
        return self._judge(used, removed)

    def _curves_kept(self) -> timedelta:
        days = self._settings.days
        return min(timedelta(days=days), CURVES_KEPT) if days else CURVES_KEPT

    def _remove_old(self, now: datetime) -> int:
        before = now - timedelta(days=self._settings.days)
        removed = 0
        while batch := self._store.garbage.removable(before=before, limit=BATCH):
            count = self._remove(batch)[1]
            removed += count
            if not count:
                break
        return removed

    def _remove(self, batch: list[Held], until: int | None = None) -> tuple[int, int]:
        """Bytes and alerts; with `until`, the bytes used now, ends where there is room again."""
        freed = count = 0
        for held in batch:
            if until is not None and not self._too_much(until - freed):
                break
            files = files_of(self._folder, held.snapshot, held.clip)
            sizes = sum(_size(path) for path in files)
            if self._store.garbage.disown(held, files):
                self._store.garbage.empty()
                freed, count = freed + sizes, count + 1
        return freed, count

    def _too_much(self, used: int) -> bool:
        most = self._settings.most_bytes
        return bool(most and used > most) or self._free() < self._settings.least_free_bytes

    def _free(self) -> int:
        try:
            return shutil.disk_usage(self._folder).free
        except OSError as error:
            raise StoreError(
                f"{self._folder}: cannot be looked at: {error.strerror or error}"
            ) from error

    def _judge(self, used: int, removed: int) -> Space:
        free, least = self._free(), self._settings.least_free_bytes
        if free < least:
            text = (
                f"no clips are written: {_say(free)} free at {self._folder}, {_say(least)} must"
                " stay free, and there is no evidence left that may be removed"
            )
            return Space(free, used, clips_allowed=False, text=text, removed=removed)
        most = self._settings.most_bytes
        if most and used > most:
            text = (
                f"no clips are written: evidence takes {_say(used)} of {_say(most)}, and all of it"
                " is pinned or of alerts that go on"
            )
            return Space(free, used, clips_allowed=False, text=text, removed=removed)
        return Space(free, used, removed=removed)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _say(size_bytes: int) -> str:
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:.3g} {unit}"
    return f"{size_bytes} bytes"

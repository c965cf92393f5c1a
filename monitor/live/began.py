"""When the alerts of each camera began: how many today, how many were false, and the last one.

Is told all of it; asks no store and no clock.
"""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

KEPT = timedelta(hours=27)  # a day of whole hours, also one in which clocks are set back

Beginnings = defaultdict[str, list[datetime]]  # by camera, in order


class Began:
    """All moments are aware."""

    def __init__(self) -> None:
        self._ours: Beginnings = defaultdict(list)  # of this run
        self._true: Beginnings = defaultdict(list)  # of any, as labelled
        self._last: dict[str, datetime] = {}
        self._before: tuple[datetime | None, Mapping[str, int]] = None, {}

    def add(self, camera: str, at: datetime) -> None:
        """An alert begins."""
        self._last[camera] = at
        ours = self._ours[camera]
        insort(ours, at)
        del ours[: bisect_left(ours, at - KEPT)]

    def before(self, day: datetime, counts: Mapping[str, int]) -> None:
        """How many began on the day that this run began in, and before it."""
        self._before = day, counts

    def earlier(self, last: Mapping[str, datetime]) -> None:
        """The last ones of cameras that had none in this run yet."""
        self._last = {**last, **self._last}

    def labelled_true(self, lately: Iterable[tuple[str, datetime]]) -> None:
        """All that people have labelled so, as far back as is counted."""
        self._true.clear()
        for camera, at in lately:
            insort(self._true[camera], at)

    def last(self, camera: str) -> datetime | None:
        """None: it never had one."""
        return self._last.get(camera)

    def today(self, camera: str, day: datetime) -> int:
        """How many began since this day did."""
        first, counts = self._before
        return _since(self._ours, camera, day) + (counts.get(camera, 0) if day == first else 0)

    def false(self, camera: str, since: datetime) -> int:
        """How many of this run, of the last day at most, that nobody labelled true."""
        return max(0, _since(self._ours, camera, since) - _since(self._true, camera, since))


def midnight(now: datetime) -> datetime:
    """When the day of this moment began, by local time."""
    day = now.astimezone().replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
    return day.astimezone()


def _since(began: Beginnings, camera: str, since: datetime) -> int:
    moments = began.get(camera, [])
    return len(moments) - bisect_left(moments, since)

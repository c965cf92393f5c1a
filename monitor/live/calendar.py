"""When a camera watches: "mon-fri 08:00-18:00", "sat,sun", "22:00-06:00"; several add up.

Wall clock of the place, as a person reads it off the wall; summer time is the caller's.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from monitor.errors import UsageError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LONG_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DAY_MIN = 24 * 60
WEEK_MIN = 7 * DAY_MIN
TIMES = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")
EXAMPLE = 'expected something like "mon-fri 08:00-18:00", "sat,sun 00:00-24:00" or "22:00-06:00"'


@dataclass(frozen=True, slots=True)
class Calendar:
    """The minutes of a week, counted from Monday 00:00, at which it is open."""

    minutes: frozenset[int]

    @classmethod
    def parse(cls, texts: Sequence[str]) -> Self:
        """Add up the entries; none at all is always.

        Raises:
            UsageError: One cannot be read.
        """
        if not texts:
            return cls(frozenset(range(WEEK_MIN)))
        return cls(frozenset(minute for text in texts for minute in _minutes_of(text)))

    def open_at(self, local: datetime) -> bool:
        """Whether it is open at this moment of the wall clock."""
        return _minute_of(local) in self.minutes

    def next_change(self, local: datetime) -> datetime | None:
        """When it opens or closes next, on the wall clock; None: never."""
        now, is_open = _minute_of(local), self.open_at(local)
        for ahead in range(1, WEEK_MIN):
            if ((now + ahead) % WEEK_MIN in self.minutes) != is_open:
                return local.replace(second=0, microsecond=0) + timedelta(minutes=ahead)
        return None


def _minute_of(local: datetime) -> int:
    return local.weekday() * DAY_MIN + local.hour * 60 + local.minute


def _minutes_of(text: str) -> Iterable[int]:
    plain = text.strip().casefold()
    times = TIMES.search(plain)
    named = (plain[: times.start()] if times else plain).strip()
    if not plain or (times and plain[times.end() :].strip()):
        raise UsageError(f"schedule {text!r}: {EXAMPLE}")
    days = _days_of(named, text) if named else range(7)
    begin, end = _span_of(times, text) if times else (0, DAY_MIN)
    for day in days:
        for minute in range(begin, end):
            yield (day * DAY_MIN + minute) % WEEK_MIN


def _days_of(named: str, text: str) -> list[int]:
    days: list[int] = []
    for part in named.split(","):
        first, _, last = (end.strip() for end in part.partition("-"))
        begin = _day_of(first, text)
        end = _day_of(last, text) if "-" in part else begin
        days += [(begin + i) % 7 for i in range((end - begin) % 7 + 1)]
    return days


def _day_of(name: str, text: str) -> int:
    for names in (DAYS, LONG_DAYS):
        if name in names:
            return names.index(name)
    raise UsageError(
        f"schedule {text!r}: {name!r} is no day; days are {', '.join(DAYS)}; {EXAMPLE}"
    )


def _span_of(times: re.Match[str], text: str) -> tuple[int, int]:
    """Begin and end in minutes from the day's start; past midnight the end is over 24 h."""
    hour, minute, end_hour, end_minute = (int(part) for part in times.groups())
    begin, end = hour * 60 + minute, end_hour * 60 + end_minute
    if minute > 59 or end_minute > 59 or begin >= DAY_MIN or end > DAY_MIN:
        raise UsageError(f"schedule {text!r}: times run from 00:00 to 24:00")
    if begin == end:
        raise UsageError(f"schedule {text!r}: begins and ends at once; a whole day is 00:00-24:00")
    return begin, end if end > begin else end + DAY_MIN

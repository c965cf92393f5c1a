"""The machine's two clocks: one that only goes on, and one that people read and set."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


def _utc() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """All spans are measured on `now_s`; `wall` is for people and for the store."""

    now_s: Callable[[], float] = time.monotonic
    utc: Callable[[], datetime] = _utc

    def wall(self, at_s: float) -> datetime:
        """The wall clock, as it is set now, at a moment of `now_s`; aware UTC."""
        return self.utc() - timedelta(seconds=self.now_s() - at_s)

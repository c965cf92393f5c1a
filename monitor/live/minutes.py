"""The cameras' readings on their way to the store, a minute's worth at a time."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import takewhile

from monitor.live.clock import Clock
from monitor.live.station import Station
from monitor.store_curves import minutes_of
from monitor.store_writer import Measured, StoreWriter


class Minutes:
    """Hands each reading to the writer once.

    While the database cannot be written they stay in the stations' own memory, which is bounded:
    events must never wait behind curves.
    """

    def __init__(self, writer: StoreWriter, clock: Clock) -> None:
        self._writer = writer
        self._clock = clock
        self._taken_s: dict[str, float] = {}  # camera -> its newest reading that was handed over

    def note(self, stations: Mapping[str, Station]) -> None:
        """All that came since the last call."""
        if self._writer.failing:
            return
        minutes = []
        for name, station in stations.items():
            readings = list(self._since(name, station))
            minutes += minutes_of(name, readings)
        if minutes:
            self._writer.put(Measured(tuple(minutes)))

    def _since(self, name: str, station: Station) -> Iterator[tuple[datetime, float]]:
        taken_s = self._taken_s.get(name, float("-inf"))
        newest = takewhile(lambda one: one[0] > taken_s, reversed(station.counters.curve))
        for at_s, score, _ in newest:
            self._taken_s[name] = max(at_s, self._taken_s.get(name, at_s))
            yield self._clock.wall(at_s), score

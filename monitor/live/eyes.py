"""What is seen of one camera: whether the picture can be judged, whether anything moves in it.

Knows heads of frames only: their times and what the worker measured on them.
"""

from collections.abc import Iterable, Iterator

from monitor.capture.ring import Head
from monitor.live.blindness import Blindness, Sight
from monitor.live.gate import MotionGate
from monitor.live.health import HealthNews


class Eyes:
    """One camera's newest frame, and what it and those before it amount to."""

    def __init__(self, gate: MotionGate) -> None:
        self._gate = gate
        self._blindness = Blindness()
        self._judged = 0  # sequence of the newest frame that was scored, held or passed over
        self.seen = 0  # sequence of the newest frame whose head was read
        self.head: Head | None = None
        self.sight: Sight | None = None

    @property
    def blind(self) -> bool:
        """Whether the picture shows nothing of the scene."""
        return self.sight is not None and bool(self.sight.blind)

    @property
    def suspended(self) -> bool:
        """Whether scores mean nothing just now."""
        return self.sight is not None and self.sight.suspended

    @property
    def why(self) -> str:
        """Of blindness, in one line."""
        return (self.sight.why or self.sight.blind) if self.sight else ""

    @property
    def moving(self) -> bool:
        """Whether something moved lately."""
        return self.head is not None and self._gate.moving(self.head.received_s)

    def look(self, heads: Iterable[Head]) -> Iterator[HealthNews]:
        """Take frames in order."""
        for head in heads:
            self.seen, self.head = head.sequence, head
            self.sight = self._blindness.feed(head.stats, head.received_s)
            lighting = self.sight.lighting
            self._gate.feed(head.stats.motion, head.received_s, lighting=lighting)
            yield from self.sight.news

    def reconnected(self, now_s: float) -> None:
        """A new epoch begins."""
        self._blindness.reconnected(now_s)

    def new_ring(self) -> None:
        """Sequences count from the beginning again."""
        self.seen = self._judged = 0
        self.head = self.sight = None

    def relearn(self) -> None:
        """The view is meant to be as it is now."""
        self._blindness.relearn()

    def waiting_s(self) -> float | None:
        """When the newest frame that may be judged came; None: there is none."""
        if self.head is None or self.head.sequence <= self._judged or self.suspended:
            return None
        return self.head.received_s

    def judged(self) -> None:
        """The newest frame is scored, held or passed over."""
        if self.head is not None:
            self._judged = self.head.sequence

    def wants(self, *, alert_open: bool, forced: bool) -> bool:
        """Whether the newest frame is worth scoring."""
        assert self.head is not None  # it was waiting
        return self._gate.wants(self.head.received_s, alert_open=alert_open, forced=forced)

    def scored(self, strength: float, at_s: float) -> None:
        """A frame was scored so many times the threshold."""
        self._gate.scored(strength, at_s)

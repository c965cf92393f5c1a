"""What a camera's station tells: to be stored, shown, or carried out by the crew."""

from dataclasses import dataclass

from monitor.capture.records import ClipFailed, ClipWritten
from monitor.live.health import Closed, Opened
from monitor.live.messages import Attach, Detach, LiveReading
from monitor.live.supervision import StateChanged
from monitor.records import Alert


@dataclass(frozen=True, slots=True, eq=False)
class AlertNews:
    """A phase of an alert, with the reading of its peak where that is known."""

    alert: Alert
    strength: float
    peak: LiveReading | None


StationNews = (
    AlertNews | Opened | Closed | StateChanged | ClipWritten | ClipFailed | Attach | Detach
)

"""The keys by which alerts are judged, the same wherever one is looked at."""

from typing import Protocol, runtime_checkable

from textual.binding import Binding

from monitor.tui.state.fleet import Seen


@runtime_checkable
class Showing(Protocol):
    """A screen that shows an alert which can be judged."""

    def chosen(self) -> Seen | None:
        """Which, if any."""

    def changed(self, seen: Seen) -> None:
        """Something was said of it."""


JUDGING = (
    Binding("a", "app.acknowledge", "Ack"),
    Binding("t", "app.label('true')", "True"),
    Binding("n", "app.label('normal_here')", "Normal"),
    Binding("y", "app.label('unsure')", "Unsure", show=False),
    Binding("e", "app.note", "Note"),
    Binding("u", "app.undo", "Undo"),
    Binding("P", "app.pin", "Keep for ever", show=False),
    Binding("o", "app.open_clip", "Open clip", show=False),
)

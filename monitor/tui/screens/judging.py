"""The keys by which alerts are judged, the same wherever one is looked at."""

from textual.binding import Binding

JUDGING = (
    Binding("a", "acknowledge", "Ack"),
    Binding("t", "label('true')", "True"),
    Binding("n", "label('normal_here')", "Normal"),
    Binding("y", "label('unsure')", "Unsure", show=False),
    Binding("e", "note", "Note"),
    Binding("u", "undo", "Undo"),
    Binding("P", "pin", "Keep for ever", show=False),
    Binding("o", "open_clip", "Open clip", show=False),
)

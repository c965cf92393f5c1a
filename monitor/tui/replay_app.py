"""The dashboard over a recording: a line of time to scrub along, and the keys for it."""

from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.widget import Widget

from monitor.tui.app import Dashboard
from monitor.tui.renderables.palette import BOLD
from monitor.tui.replay import Replay
from monitor.tui.state.recording import Recording
from monitor.tui.state.words import TIMES, clock, when

MARGIN_S = 0.5  # between here and an alert that counts as another
REFUSED = frozenset(  # actions: nothing can be changed of what was
    ("acknowledge", "label", "note", "pin", "undo", "mute", "pause", "relearn", "snapshot")
)
SPARE = frozenset(("density", "span", "level", "heat"))  # less wanted than what moves in time
STEP_S, STRIDE_S = 5.0, 30.0  # of a short one; of a long one a hundredth, and a twentieth


class Timeline(Widget):
    """Where in the recording this is; a click or a drag goes elsewhere."""

    DEFAULT_CSS = "Timeline { height: 1; background: $surface; }"

    def __init__(self, replay: Replay) -> None:
        super().__init__()
        self._replay = replay
        self._from = 0
        self._cells = 1
        recording = replay.recording
        self._alerts = [
            (recording.second(a.started_at), recording.second(a.ended_at))
            for track in recording.tracks
            for a in track.alerts
        ]

    def on_mount(self) -> None:
        """Twice a second."""
        self.set_interval(0.5, self.refresh)

    def render(self) -> Text:
        """Playing or not, the line with its alerts, speed."""
        app = self.app
        assert isinstance(app, Dashboard)
        palette, replay = app.palette, self._replay
        end = max(1e-9, replay.recording.end_s)
        left = f" {'▶' if replay.playing else '‖'} {self._where()} "
        right = f" {replay.speed:g}{TIMES} "
        self._from = len(left)
        self._cells = max(1, self.size.width - len(left) - len(right))
        text = Text(left, palette.accent + BOLD, no_wrap=True)
        here = min(self._cells - 1, int(replay.position_s / end * self._cells))
        for cell in range(self._cells):
            begin, stop = cell / self._cells * end, (cell + 1) / self._cells * end
            alert = any(first < stop and last >= begin for first, last in self._alerts)
            style = palette.over if alert else palette.accent if cell <= here else palette.faint
            text.append("●" if cell == here else "━" if alert or cell < here else "─", style)
        return text.append(right, palette.text)

    def _where(self) -> str:
        """By the clock; in videos, which had none, by their own seconds."""
        recording, here = self._replay.recording, self._replay.position_s
        if recording.videos:
            return f"{_clock(here)} / {_clock(recording.end_s)}"
        end = recording.moment(recording.end_s)
        return f"{when(recording.moment(here), end)} / {clock(end)}"

    def _go(self, x: int) -> None:
        share = (x - self._from + 0.5) / self._cells
        app = self.app
        assert isinstance(app, ReplayDashboard)
        app.seek(share * self._replay.recording.end_s)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Go there, and on while the button is held."""
        self.capture_mouse()
        self._go(event.x)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """While the button is held."""
        if event.button:
            self._go(event.x)

    def on_mouse_up(self) -> None:
        """Let go."""
        self.release_mouse()


class ReplayDashboard(Dashboard):
    """Same screens, same view-model; space plays, comma and full stop step."""

    rings = False
    refused = REFUSED
    spare = SPARE
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "play", "Play"),
        Binding("comma", "step(-1)", "Back", key_display=","),
        Binding("full_stop", "step(1)", "On", key_display="."),
        Binding("less_than_sign", "stride(-1)", "Further back", key_display="<", show=False),
        Binding("greater_than_sign", "stride(1)", "Further on", key_display=">", show=False),
        Binding("right_square_bracket", "alert(1)", "Next alert", key_display="]"),
        Binding("left_square_bracket", "alert(-1)", "Alert before", key_display="[", show=False),
        Binding("plus", "speed(1)", "Faster", key_display="+", show=False),
        Binding("minus", "speed(-1)", "Slower", key_display="-", show=False),
        Binding("0", "seek_start", "From the start", show=False),
    ]

    def __init__(
        self, recording: Recording, *, settings: Path | None = None, **options: Any
    ) -> None:
        self.replay = Replay(recording)
        options = {"images": "off"} | options  # a result has no pictures
        super().__init__([self.replay], settings=settings, **options)

    @property
    def span_s(self) -> int:
        """Short videos fill their curves."""
        return 60 if self.replay.recording.end_s < 150 else self.remembered.span_s

    def timeline(self) -> Widget:
        """Over the footer."""
        return Timeline(self.replay)

    def seek(self, second: float) -> None:
        """Another moment: curves and alerts are as they were then."""
        if second < self.replay.position_s:
            self.fleet.sites[0].rewind()
        self.replay.seek(second)
        for line in self.screen.query(Timeline):
            line.refresh()

    def action_play(self) -> None:
        """Play or pause; at the end, from the start."""
        if self.replay.position_s >= self.replay.recording.end_s:
            self.seek(0.0)
            self.replay.playing = True
        else:
            self.replay.playing = not self.replay.playing

    def action_step(self, steps: int) -> None:
        """A little back or on."""
        self._move(steps, STEP_S, 1 / 100)

    def action_stride(self, steps: int) -> None:
        """Further back or on."""
        self._move(steps, STRIDE_S, 1 / 20)

    def _move(self, steps: int, least_s: float, share: float) -> None:
        step_s = max(least_s, self.replay.recording.end_s * share)
        self.seek(self.replay.position_s + steps * step_s)

    def action_alert(self, step: int) -> None:
        """To the beginning of the next alert, or with -1 of the one before."""
        recording, here = self.replay.recording, self.replay.position_s
        begins = sorted(
            recording.second(alert.started_at) for t in recording.tracks for alert in t.alerts
        )
        ahead = [at for at in begins if at > here + MARGIN_S]
        behind = [at for at in begins if at < here - MARGIN_S]
        found = ahead[0] if step > 0 and ahead else behind[-1] if step < 0 and behind else None
        if found is None:
            self.tell("no alert after this" if step > 0 else "no alert before this")
        else:
            self.seek(found)

    def action_speed(self, steps: int) -> None:
        """Faster or slower."""
        self.replay.faster(steps)

    def action_seek_start(self) -> None:
        """From the start."""
        self.seek(0.0)


def _clock(second: float) -> str:
    whole = int(second)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes:02d}:{whole % 60:02d}"

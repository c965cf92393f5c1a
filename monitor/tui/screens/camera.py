"""One camera: its picture, its curve, its numbers, and what can be done about it."""

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Static

from monitor.errors import MonitorError
from monitor.tui.messages import AlertChosen
from monitor.tui.renderables.facts import fact_table
from monitor.tui.renderables.palette import BOLD, Palette
from monitor.tui.renderables.tile import state_words
from monitor.tui.screens.page import Page
from monitor.tui.state.site import Camera
from monitor.tui.state.telling import of_camera
from monitor.tui.state.words import fit, span
from monitor.tui.widgets.chart import Chart, Shade
from monitor.tui.widgets.picture import Picture

SPANS_S = (300, 900, 3600)
FETCH_S = 1.0  # between pictures; half cells of a moving scene say no more at ten a second


class CameraScreen(Page):
    """Over the screen that it was opened from; escape goes back to it."""

    TAB = "live"
    HELP = """\
## Camera

The newest picture once a second, **h** lays the map of what is unusual over it. The curve shows
times the threshold, alerts are shaded. **promise** compares the false alarms that were promised
with the alerts that nobody labelled true.

**m** mutes notices, alerts are still kept. **p** pauses. **R** learns its normality anew.
**x** takes a snapshot and inspects it. **[** and **]** go to the cameras beside it.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Back"),
        Binding("h", "heat", "Heat map"),
        Binding("m", "mute", "Mute"),
        Binding("a", "acknowledge", "Acknowledge"),
        Binding("p", "pause", "Pause"),
        Binding("s", "span", "Span"),
        Binding("R", "relearn", "Relearn", show=False),
        Binding("x", "snapshot", "Snapshot", show=False),
        Binding("enter", "alert", "Its alert", show=False),
        Binding("left_square_bracket", "beside(-1)", "Previous", key_display="[", show=False),
        Binding("right_square_bracket", "beside(1)", "Next", key_display="]", show=False),
    ]

    def __init__(self, camera: Camera) -> None:
        super().__init__()
        self.camera = camera
        self._heat = False
        self._span = 0
        self._fetching = False

    def parts(self) -> ComposeResult:
        """Picture beside numbers, curve under both."""
        self.picture = Picture(self.dashboard.images, live=True, id="picture")
        self.headline = Static(id="headline", markup=False)
        self.facts = Static(id="facts", markup=False)
        self.chart = Chart(id="chart")
        yield self.headline
        with Vertical(id="camera"):
            with Horizontal(id="above"):
                yield self.picture
                with VerticalScroll(id="numbers"):
                    yield self.facts
            yield self.chart

    def on_mount(self) -> None:
        """Pictures come by a timer of their own, which rests while another screen is on."""
        super().on_mount()
        self.set_interval(FETCH_S, self._fetch)
        self.call_after_refresh(self._fetch)

    def themed(self, palette: Palette) -> None:
        """The curve has its colours from the palette, which is drawn anew at each beat."""

    def paint(self, palette: Palette, beat: int) -> None:
        """Numbers and curve once a second."""
        super().paint(palette, beat)
        if beat % 4:
            return
        camera = self.camera
        tone = palette.tone(camera.look.tone, bold=True)
        line = Text(f" {camera.look.symbol} ", tone)
        state = "REMOVED from the configuration" if camera.gone else state_words(camera)
        room = max(10, self.size.width - len(state) - 8)
        line.append(fit(self.dashboard.fleet.title(camera), room), palette.text + BOLD)
        line.append(f"  {state}", tone)
        self.headline.update(line)
        self.facts.update(fact_table(of_camera(camera), palette))
        self._draw(palette)

    def _draw(self, palette: Palette) -> None:
        room = max(10, self.chart.size.width - 7) * 2
        now, span_s = self.camera.site.now.timestamp(), SPANS_S[self._span]
        step = max(1, -(-span_s // room))
        columns = -(-span_s // step)
        levels = self.camera.curve.levels(now, span_s, columns)
        end = (int(now) // step + 1) * step
        self.chart.draw(levels, end - step * columns, end, self._shades(), palette)

    def _shades(self) -> list[Shade]:
        site = self.camera.site
        return [
            Shade(
                alert.started_at.timestamp(),
                (site.now if alert.phase != "end" else alert.ended_at).timestamp(),
            )
            for alert in site.alerts.values()
            if alert.camera == self.camera.name
        ]

    def _fetch(self) -> None:
        if self.is_current and not self._fetching and self.dashboard.images != "off":
            self.dashboard.do(self._fetch_picture, "picture")
        elif self.dashboard.images == "off":
            self.picture.show(None)

    async def _fetch_picture(self) -> None:
        camera = self.camera
        if camera.gone or camera.site.link == "lost":
            self.picture.show(None, "removed" if camera.gone else "engine lost")
            return
        self._fetching = True
        try:
            data = await self.dashboard.engine_of(camera).picture(camera.name, heat=self._heat)
            if camera is self.camera:
                paused = camera.status.state == "paused"
                self.picture.show(data, "paused" if paused else "no picture yet")
        except MonitorError as error:
            self.picture.show(None, str(error))
        finally:
            self._fetching = False

    # what a person does

    def camera_shown(self) -> Camera:
        """The one that it is about."""
        return self.camera

    def action_heat(self) -> None:
        """The map of what is unusual, over the picture or not."""
        self._heat = not self._heat
        self.dashboard.tell("heat map on" if self._heat else "heat map off")
        self._fetch()

    def action_span(self) -> None:
        """A longer or shorter curve."""
        self._span = (self._span + 1) % len(SPANS_S)
        self.dashboard.tell(f"curve: the last {span(SPANS_S[self._span])}")
        self.repaint()

    def action_alert(self) -> None:
        """The page of its newest alert."""
        seen = self.dashboard.fleet.newest_of(self.camera)
        if seen is not None:
            self.post_message(AlertChosen(seen))

    @on(AlertChosen)
    def _open_alert(self, event: AlertChosen) -> None:
        self.dashboard.open_alert(event.seen)

    def action_beside(self, step: int) -> None:
        """The camera before or after it on the wall."""
        cameras = list(self.dashboard.fleet.cameras())
        if not cameras:
            return
        place = cameras.index(self.camera) if self.camera in cameras else 0
        self.camera = cameras[(place + step) % len(cameras)]
        self.picture.show(None)
        self.repaint()
        self._fetch()

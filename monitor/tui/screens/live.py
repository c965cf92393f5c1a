"""The first screen: all cameras, the newest alerts."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, Static

from monitor.tui.messages import AlertChosen, CameraChosen
from monitor.tui.renderables.palette import Palette
from monitor.tui.screens.page import Page
from monitor.tui.state.fleet import Fleet, connecting
from monitor.tui.state.settings import Density
from monitor.tui.state.site import Camera
from monitor.tui.state.words import span
from monitor.tui.widgets.bars import Newest
from monitor.tui.widgets.wall import Wall

DENSITIES: tuple[Density, ...] = ("auto", "large", "small", "line")
SPANS_S = (60, 300, 900, 3600)
EMPTY = """\
No cameras yet.

The engine runs, but its configuration has no [[camera]].
Add one to the file that it was started with, such as

    [[camera]]
    name  = "north door"
    url   = "rtsp://192.168.1.20/stream"
    learn = "15 min"

and start it again; or try  oddwatch demo
"""


def _waiting(fleet: Fleet) -> str:
    """For whom; and what to do, once it is long."""
    waits = [connecting(site) for site in fleet.sites if site.link == "connecting"]
    if all(text.endswith("…") for text in waits):
        return "\n".join(waits)
    return "\n".join([*waits, "", "Is that its address, and does it run?  oddwatch status URL"])


def _refused(fleet: Fleet) -> str:
    """What each said, whole: in the line on top it is cut; and what can be done."""
    reasons = [site.link_text for site in fleet.sites if site.link_text]
    hows = {site.lost_how for site in fleet.sites if site.link == "lost"}
    if hows == {"busy"}:
        return "\n".join([*reasons, "", "It is asked again and again; nothing need be done here."])
    if hows - {"gone"}:
        advice = "With a token:  oddwatch tui URL --token file:PATH, or ODDWATCH_TOKEN"
    else:
        reasons.insert(0, "No engine answers.")
        advice = "Start one with  oddwatch watch CONFIG.toml"
    return "\n".join([*reasons, "", advice, "Another one:  oddwatch tui http://HOST:8737"])


class LiveScreen(Page):
    """Which camera needs a person."""

    TAB = "live"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "acknowledge", "Acknowledge"),
        Binding("m", "mute", "Mute"),
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("d", "density", "Tiles"),
        Binding("s", "span", "Span"),
        Binding("n", "newest", "Newest alert", show=False),
        Binding("escape", "clear", "All cameras", show=False),
    ]

    def parts(self) -> ComposeResult:
        """Wall, strip, and a line to filter by that is away until it is asked for."""
        dashboard = self.dashboard
        density = dashboard.remembered.density
        self.wall = Wall(dashboard.fleet, density=density, span_s=dashboard.span_s)
        self.newest = Newest(self.dashboard.fleet)
        self.note = Static(id="note", markup=False)
        kept = dashboard.fleet.filter
        self.input = Input(kept, placeholder="name, tag or state", id="filter")
        self.input.set_class(bool(kept), "-said")
        self.input.can_focus = False  # keys are the wall's, from its first camera on
        yield self.wall
        yield self.note
        yield self.newest
        yield self.input

    def themed(self, palette: Palette) -> None:
        """The wall is drawn anew."""
        self.wall.set_palette(palette)

    def paint(self, palette: Palette, beat: int) -> None:
        """Cameras at twice a second, at once where their order changes."""
        super().paint(palette, beat)
        fleet = self.dashboard.fleet
        arrangement = sum(site.arrangement for site in fleet.sites)
        if beat % 2 == 0 or arrangement != getattr(self, "_arrangement", -1):
            self._arrangement = arrangement
            self._say_why_empty()
            self.wall.paint()
        self.newest.paint(palette)

    def _say_why_empty(self) -> None:
        fleet = self.dashboard.fleet
        shown = bool(fleet.cameras())
        self.wall.set_class(not shown, "-empty")
        self.note.set_class(not shown, "-said")
        if shown:
            if self.focused is None:
                self.wall.focus()
            self.input.can_focus = True
            return
        if any(fleet.all()):
            self.note.update(f"No camera matches “{fleet.filter}”.  Escape shows all.")
        elif any(site.engine for site in fleet.sites):
            self.note.update(EMPTY)
        elif any(site.link == "connecting" for site in fleet.sites):
            self.note.update(_waiting(fleet))
        else:
            self.note.update(_refused(fleet))

    # what a person does

    @on(CameraChosen)
    def _open_camera(self, event: CameraChosen) -> None:
        self.dashboard.open_camera(event.camera)

    @on(AlertChosen)
    def _open_alert(self, event: AlertChosen) -> None:
        self.dashboard.open_alert(event.seen)

    def camera_shown(self) -> Camera | None:
        """Under the cursor."""
        return self.wall.chosen

    def action_density(self) -> None:
        """Larger and smaller tiles."""
        place = DENSITIES.index(self.wall.density)
        self.wall.density = DENSITIES[(place + 1) % len(DENSITIES)]
        self.dashboard.remember(density=self.wall.density)
        self.dashboard.tell(f"tiles: {self.wall.density}")
        self.wall.paint()

    def action_span(self) -> None:
        """Curves of a longer or shorter time."""
        place = SPANS_S.index(self.wall.span_s) if self.wall.span_s in SPANS_S else 0
        self.wall.span_s = SPANS_S[(place + 1) % len(SPANS_S)]
        self.dashboard.remember(span_s=self.wall.span_s)
        self.dashboard.tell(f"curves: the last {span(self.wall.span_s)}")
        self.wall.set_palette(self.dashboard.palette)
        self.wall.paint()

    def action_filter(self) -> None:
        """Show the line to filter by."""
        self.input.add_class("-said")
        self.input.can_focus = True
        self.input.focus()

    def action_clear(self) -> None:
        """All cameras again."""
        self.input.value = ""
        self.input.remove_class("-said")
        self.dashboard.remember(filter="")
        self.wall.focus()

    @on(Input.Changed, "#filter")
    def _filtered(self, event: Input.Changed) -> None:
        self.dashboard.fleet.filter = event.value.strip().lower()
        self._say_why_empty()
        self.wall.paint()

    @on(Input.Submitted, "#filter")
    def _kept(self) -> None:
        self.dashboard.remember(filter=self.dashboard.fleet.filter)
        self.wall.focus()

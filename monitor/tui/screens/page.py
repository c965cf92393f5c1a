"""What all full screens share: a line on top, a banner, a footer, and being painted on demand."""

from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer

from monitor.tui.renderables.palette import Palette
from monitor.tui.widgets.bars import Banner, TopLine

if TYPE_CHECKING:
    from monitor.tui.app import Dashboard


class Page(Screen[None]):
    """A screen that is painted by the app, at most four times a second and only while it shows."""

    TAB: ClassVar[str] = ""  # the title on top that is lit
    ready = False  # composed, with sizes: it may be painted

    @property
    def dashboard(self) -> "Dashboard":
        """The app."""
        return cast("Dashboard", self.app)

    def compose(self) -> ComposeResult:
        """The frame around a screen's own parts."""
        self.top = TopLine(self.dashboard.fleet, self.TAB)
        self.banner = Banner(self.dashboard.fleet)
        yield self.top
        yield self.banner
        yield from self.parts()
        timeline = self.dashboard.timeline()
        if timeline is not None:
            yield timeline
        yield Footer(show_command_palette=False)

    def parts(self) -> "list[Widget] | ComposeResult":
        """A screen's own widgets."""
        return []

    def on_mount(self) -> None:
        """First paint, once sizes are known."""
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        self.ready = True
        self.repaint()

    def on_screen_resume(self) -> None:
        """Catch up with what happened while another screen was on."""
        if self.ready:
            self.call_after_refresh(self.repaint)

    def repaint(self) -> None:
        """Paint with this theme, whatever has changed."""
        if self.ready:
            self.themed(self.dashboard.palette)
            self.paint(self.dashboard.palette, beat=0)

    def themed(self, palette: Palette) -> None:
        """Another theme is on."""

    def paint(self, palette: Palette, beat: int) -> None:
        """Draw what has changed. `beat` counts quarters of a second."""
        self.banner.paint(palette)
        if beat % 2 == 0:
            self.top.paint(palette)

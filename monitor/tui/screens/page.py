"""What all full screens share: a line on top, a banner, a footer, and being painted on demand.

And what can be done with the alert or the camera that a screen shows, the same by key everywhere
and by name in the command palette.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import ActiveBinding
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer

from monitor.api.schema import Label
from monitor.tui.renderables.palette import Palette
from monitor.tui.state.fleet import Seen
from monitor.tui.state.site import Camera
from monitor.tui.widgets.bars import Banner, TopLine

if TYPE_CHECKING:
    from monitor.tui.app import Dashboard


def action_name(action: str) -> str:
    """Without what it is called with."""
    return action.partition("(")[0]


def _less_shown(active: ActiveBinding) -> ActiveBinding:
    return active._replace(binding=replace(active.binding, show=False))


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

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """What footer and help tell of: nothing that would be refused here."""
        app = self.dashboard
        return {
            key: _less_shown(active) if action_name(active.binding.action) in app.spare else active
            for key, active in super().active_bindings.items()
            if action_name(active.binding.action) not in app.refused
        }

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

    # what it shows

    def camera_shown(self) -> Camera | None:
        """The one that it is about, or under the cursor."""
        return None

    def chosen(self) -> Seen | None:
        """The alert that it is about, or under the cursor; of a camera its open or newest one."""
        camera = self.camera_shown()
        return None if camera is None else self.dashboard.fleet.newest_of(camera)

    def changed(self, seen: Seen) -> None:
        """Something was said of an alert."""

    # what a person does with it

    def action_acknowledge(self) -> None:
        """The alert, or take that back."""
        camera, deeds = self.camera_shown(), self.dashboard.deeds
        if camera is not None:
            deeds.acknowledge_camera(camera)
        elif (seen := self.chosen()) is not None:
            deeds.acknowledge(seen)

    def action_label(self, label: Label) -> None:
        """Say what the alert was."""
        if (seen := self.chosen()) is not None:
            self.dashboard.deeds.label(seen, label)

    def action_note(self) -> None:
        """Write a line on the alert."""
        if (seen := self.chosen()) is not None:
            self.dashboard.deeds.ask_note(seen)

    def action_pin(self) -> None:
        """Keep the alert for ever, or as others."""
        if (seen := self.chosen()) is not None:
            self.dashboard.deeds.pin(seen)

    def action_open_clip(self) -> None:
        """Of the alert."""
        if (seen := self.chosen()) is not None:
            self.dashboard.deeds.open_clip(seen)

    def action_undo(self) -> None:
        """What was said last, of whatever alert."""
        self.dashboard.deeds.undo()

    def action_export(self) -> None:
        """Alerts that match the filters."""
        self.dashboard.deeds.export(self.dashboard.desk)

    def action_export_alert(self) -> None:
        """The alert that is shown, as files."""
        if (seen := self.chosen()) is not None:
            self.dashboard.deeds.export_alert(seen)

    def action_newest(self) -> None:
        """The newest alert's page."""
        if newest := self.dashboard.fleet.newest():
            self.dashboard.open_alert(newest[0])

    def action_mute(self) -> None:
        """No notices of the camera for a while."""
        self._with_camera(self.dashboard.deeds.ask_mute)

    def action_pause(self) -> None:
        """Pause the camera, or go on."""
        self._with_camera(self.dashboard.deeds.pause_or_resume)

    def action_relearn(self) -> None:
        """Ask, then let the camera forget what is normal and learn it anew."""
        self._with_camera(self.dashboard.deeds.ask_relearn)

    def action_snapshot(self) -> None:
        """Take a picture and keep it."""
        self._with_camera(self.dashboard.deeds.snapshot)

    def _with_camera(self, deed: Callable[[Camera], None]) -> None:
        camera = self.camera_shown()
        if camera is None:
            self.dashboard.tell("choose a camera first: 1 Live")
        else:
            deed(camera)

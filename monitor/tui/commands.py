"""The command palette: every action by its name, and every camera."""

from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from monitor.tui.screens.page import action_name
from monitor.tui.state.site import Camera

if TYPE_CHECKING:
    from monitor.tui.app import Dashboard

ACTIONS = (
    ("Live: all cameras", "app.show('live')", "1"),
    ("Alerts: table with filters", "app.show('alerts')", "2"),
    ("Stills: product lines", "app.show('stills')", "3"),
    ("Health: engine, disk, log", "app.show('health')", "4"),
    ("Help for what has the focus", "app.help", "?"),
    ("Acknowledge the alert, or take that back", "acknowledge", "a"),
    ("Label the alert: true", "label('true')", "t"),
    ("Label the alert: normal here", "label('normal_here')", "n"),
    ("Label the alert: unsure", "label('unsure')", "y"),
    ("Write a note on the alert", "note", "e"),
    ("Undo what was said last", "undo", "u"),
    ("Keep the alert for ever, or as others", "pin", "P"),
    ("Open the clip of the alert", "open_clip", "o"),
    ("Export the alert: its facts, picture and clip", "export_alert", "x"),
    ("Export the alerts that match as CSV", "export", "x"),
    ("Mute the camera", "mute", "m"),
    ("Pause the camera, or go on", "pause", "p"),
    ("Let the camera relearn", "relearn", "R"),
    ("Take a snapshot of the camera", "snapshot", "x"),
    ("Go to the newest alert", "newest", ""),
    ("Alarm: bell on or off", "app.ring('bell')", "B"),
    ("Alarm: notification on or off", "app.ring('notification')", "B"),
    ("Alarm: flash on or off", "app.ring('flash')", "B"),
    ("Theme: dark or light", "app.light", ""),
    ("Save a picture of this screen (SVG)", "app.screenshot", ""),
)


class Commands(Provider):
    """Actions, then cameras by name."""

    @property
    def _dashboard(self) -> "Dashboard":
        return cast("Dashboard", self.app)

    def _actions(self) -> list[tuple[str, str, str]]:
        """Without what would be refused here."""
        refused = self._dashboard.refused
        return [one for one in ACTIONS if action_name(one[1]) not in refused]

    async def discover(self) -> Hits:
        """Before anything is typed: all actions."""
        for name, action, key in self._actions():
            yield DiscoveryHit(name, lambda action=action: self._run(action), help=_key(key))

    async def search(self, query: str) -> Hits:
        """Those whose name matches."""
        matcher = self.matcher(query)
        for name, action, key in self._actions():
            score = matcher.match(name)
            if score > 0:
                shown = matcher.highlight(name)
                yield Hit(score, shown, lambda action=action: self._run(action), help=_key(key))
        for camera in self._dashboard.fleet.all():
            name = f"Camera: {self._dashboard.fleet.title(camera)}"
            score = matcher.match(name)
            if score > 0:
                yield Hit(score, matcher.highlight(name), lambda camera=camera: self._open(camera))

    async def _run(self, action: str) -> None:
        await self.app.run_action(action, self.screen)

    async def _open(self, camera: Camera) -> None:
        self._dashboard.open_camera(camera)


def _key(key: str) -> str | None:
    return f"key {key}" if key else None

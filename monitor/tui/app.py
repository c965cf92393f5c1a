"""The dashboard: screens over a view-model that follows one or several engines.

A thin client: closing it stops no engine. Messages are only taken in as they come; four times a
second the screen that shows paints what has changed, and screens that do not show rest.
"""

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

from textual import events
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.theme import Theme
from textual.widget import Widget
from textual.worker import Worker, WorkerState

from monitor.api.schema import Label
from monitor.tui.commands import Commands
from monitor.tui.deeds import Deeds
from monitor.tui.engine import Engine
from monitor.tui.link import Link
from monitor.tui.renderables.palette import Palette
from monitor.tui.screens.alert import AlertScreen
from monitor.tui.screens.alerts import AlertsScreen
from monitor.tui.screens.ask import ChoiceScreen, TooSmallScreen
from monitor.tui.screens.camera import CameraScreen
from monitor.tui.screens.health import HealthScreen
from monitor.tui.screens.help import HelpScreen
from monitor.tui.screens.judging import Showing
from monitor.tui.screens.live import LiveScreen
from monitor.tui.screens.page import Page
from monitor.tui.screens.stills import StillsScreen
from monitor.tui.state.desk import Desk, Source
from monitor.tui.state.fleet import Fleet, Ringing, Seen
from monitor.tui.state.settings import Remembered, load_settings, save_settings
from monitor.tui.state.site import Camera, Site
from monitor.tui.themes import OWN, palette
from monitor.tui.widgets.picture import Images

PAINT_S = 0.25  # four times a second; more is not seen, and costs
LEAST_COLUMNS, LEAST_ROWS = 60, 15
FLASH_S = 0.8
Alarm = Literal["bell", "notification", "flash"]


def utc_now() -> datetime:
    """This machine's clock."""
    return datetime.now(UTC)


class Dashboard(App[str]):
    """Follows `engines`; gives back "stop" where it owns one and was asked to stop it."""

    TITLE = "oddwatch"
    CSS_PATH: ClassVar = "dash.tcss"
    MODES: ClassVar[dict[str, Callable[[], Screen[Any]] | str]] = {
        "live": LiveScreen,
        "alerts": AlertsScreen,
        "stills": StillsScreen,
        "health": HealthScreen,
    }
    DEFAULT_MODE: ClassVar[str] = "live"
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-narrow"),
        (110, "-wide"),
    ]
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-short"),
        (36, "-tall"),
    ]
    COMMANDS: ClassVar = App.COMMANDS | {Commands}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("1", "show('live')", "Live", show=False),
        Binding("2", "show('alerts')", "Alerts", show=False),
        Binding("3", "show('stills')", "Stills", show=False),
        Binding("4", "show('health')", "Health", show=False),
        Binding("B", "ask_ring", "What an alert does", show=False),
        Binding("q", "leave", "Quit"),
        Binding("ctrl+q", "leave", "Quit", show=False, priority=True),
    ]

    def __init__(
        self,
        engines: Sequence[Engine],
        *,
        images: Images = "half",
        settings: Path | None = None,
        owned: bool = False,
        wall: Callable[[], datetime] = utc_now,
        mono: Callable[[], float] = time.monotonic,
    ) -> None:
        """`settings`: the file that remembers; None: nothing is. `owned`: ask when it closes."""
        super().__init__()
        self.images: Images = images
        self.wall = wall
        self._settings = settings
        self.remembered = load_settings(settings) if settings else Remembered()
        self.links = [Link(engine, Site(_site_name(engine.url), mono, wall)) for engine in engines]
        self.fleet = Fleet([link.site for link in self.links])
        self.desk = Desk([Source(link.engine, link.site) for link in self.links])
        self.deeds = Deeds(self)
        self._owned = owned
        self._ringing = Ringing(mono)
        self._beat = 0
        for theme in OWN:
            self.register_theme(theme)
        known = self.remembered.theme in self.available_themes
        self.theme = self.remembered.theme if known else OWN[0].name
        self.palette: Palette = palette(self.get_css_variables())

    @property
    def span_s(self) -> int:
        """Of the curves on the wall."""
        return self.remembered.span_s

    def timeline(self) -> Widget | None:
        """A widget over the footer; for replays."""
        return None

    def on_mount(self) -> None:
        """Follow the engines, and paint."""
        self.theme_changed_signal.subscribe(self, self._themed)
        for number, link in enumerate(self.links):
            self.do(link.follow, f"link-{number}")
        self.set_interval(PAINT_S, self._paint)

    async def on_unmount(self) -> None:
        """Let go of the engines; they go on."""
        for link in self.links:
            await link.engine.close()

    def _themed(self, theme: Theme) -> None:
        self.palette = palette(self.get_css_variables())
        self.remember(theme=theme.name)
        if isinstance(self.screen, Page):
            self.screen.repaint()

    def _paint(self) -> None:
        self._beat += 1
        if not self.screen_stack:  # it begins, or ends
            return
        for line in self._ringing.tell(self.fleet):
            self._ring(line)
        if isinstance(self.screen, Page) and self.screen.ready:
            self.screen.paint(self.palette, self._beat)

    def _ring(self, line: str) -> None:
        if self.remembered.bell:
            self.bell()
        if self.remembered.notification:
            self.notify(line, title="▲ ALERT", severity="error", timeout=8, markup=False)
        if self.remembered.flash and isinstance(self.screen, Page):
            top = self.screen.top
            top.add_class("-flash")
            self.set_timer(FLASH_S, lambda: top.remove_class("-flash"))

    # for the screens

    def do(self, work: Callable[[], Awaitable[None]], group: str, *, alone: bool = True) -> None:
        """Run beside the screen; `alone` cancels what ran in that group. A failure is told."""
        self.run_worker(work, group=group, exclusive=alone, exit_on_error=False)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A bug in what ran beside costs a line, not the dashboard."""
        if event.state is WorkerState.ERROR:
            error = event.worker.error
            self.fail(f"unexpected {type(error).__name__}: {error}")

    def tell(self, text: str) -> None:
        """One line in a corner."""
        self.notify(text, markup=False, timeout=4)

    def fail(self, error: object) -> None:
        """What did not work, in one line."""
        self.notify(str(error), markup=False, severity="warning", timeout=8)

    def remember(self, **changes: object) -> None:
        """Keep settings for the next run."""
        self.remembered = self.remembered.model_copy(update=changes)
        if self._settings is not None:
            save_settings(self._settings, self.remembered)

    def engine_of(self, camera: Camera) -> Engine:
        """Whom to ask about it."""
        return next(link.engine for link in self.links if link.site is camera.site)

    def open_camera(self, camera: Camera) -> None:
        """Its page, over this screen."""
        if isinstance(self.screen, CameraScreen) and self.screen.camera is camera:
            return
        self.push_screen(CameraScreen(camera))

    def open_alert(self, seen: Seen) -> None:
        """Its page, over this screen."""
        if all(row.alert.id != seen.alert.id for row in self.desk.rows):
            self.desk.rows = list(self.fleet.newest()[:100])
        self.push_screen(AlertScreen(seen))

    # sizes

    def on_resize(self, event: events.Resize) -> None:
        """Say so where nothing has room."""
        small = event.size.width < LEAST_COLUMNS or event.size.height < LEAST_ROWS
        shown = isinstance(self.screen, TooSmallScreen)
        if small and not shown:
            self.push_screen(TooSmallScreen())
        elif shown and not small:
            self.pop_screen()

    # actions

    async def action_show(self, mode: str) -> None:
        """Another screen; pages over it are closed, and it is as it was left."""
        while len(self.screen_stack) > 1 and isinstance(self.screen, Page):
            self.pop_screen()
        if isinstance(self.screen, Page):
            await self.switch_mode(mode)

    def action_help(self) -> None:
        """For what has the focus, else for the screen."""
        if isinstance(self.screen, HelpScreen):
            return
        focused = self.screen.focused
        text = (focused.HELP if focused is not None else None) or self.screen.HELP
        self.push_screen(HelpScreen(text or "", dict(self.screen.active_bindings), self.palette))

    def action_leave(self) -> None:
        """Quit; ask first where an engine would end with it."""
        if not self._owned:
            self.exit("leave")
            return
        options = (
            ("", "Stay"),
            ("leave", "Close the dashboard; the engine goes on without it"),
            ("stop", "Stop the engine too; nothing is watched then"),
        )
        title = "This dashboard started the engine."
        self.push_screen(
            ChoiceScreen(title, options), lambda answer: self.exit(answer) if answer else None
        )

    def action_light(self) -> None:
        """Our dark theme or our light one."""
        dark = self.current_theme.dark
        self.theme = OWN[1].name if dark else OWN[0].name

    def action_ask_ring(self) -> None:
        """What an alert does here."""
        names: tuple[tuple[Alarm, str], ...] = (
            ("bell", "bell of the terminal"),
            ("notification", "notification in the corner"),
            ("flash", "flash of the line on top"),
        )
        options = [
            (name, f"{'[x]' if getattr(self.remembered, name) else '[ ]'} {text}")
            for name, text in names
        ]
        self.push_screen(
            ChoiceScreen("When an alert begins", options),
            lambda name: self.action_ring(name) if name else None,
        )

    def action_ring(self, name: str) -> None:
        """Switch one of them."""
        on = not getattr(self.remembered, name)
        self.remember(**{name: on})
        self.tell(f"an alert {'has' if on else 'has no'} {name} from now on")

    def _chosen(self) -> Seen | None:
        screen = self.screen
        seen = screen.chosen() if isinstance(screen, Showing) else None
        camera = self._camera() if seen is None else None
        return self.fleet.newest_of(camera) if camera is not None else seen

    def _camera(self) -> Camera | None:
        if isinstance(self.screen, CameraScreen):
            return self.screen.camera
        return self.screen.wall.chosen if isinstance(self.screen, LiveScreen) else None

    def action_acknowledge(self) -> None:
        """The alert that is shown."""
        if (seen := self._chosen()) is not None:
            self.deeds.acknowledge(seen)

    def action_label(self, label: Label) -> None:
        """The alert that is shown."""
        if (seen := self._chosen()) is not None:
            self.deeds.label(seen, label)

    def action_note(self) -> None:
        """On the alert that is shown."""
        if (seen := self._chosen()) is not None:
            self.deeds.ask_note(seen)

    def action_pin(self) -> None:
        """The alert that is shown."""
        if (seen := self._chosen()) is not None:
            self.deeds.pin(seen)

    def action_open_clip(self) -> None:
        """Of the alert that is shown."""
        if (seen := self._chosen()) is not None:
            self.deeds.open_clip(seen)

    def action_undo(self) -> None:
        """What was said last."""
        self.deeds.undo()

    def action_export(self) -> None:
        """Alerts that match the filters."""
        self.deeds.export(self.desk)

    def action_mute_camera(self) -> None:
        """The camera that is shown."""
        if (camera := self._camera()) is not None:
            self.deeds.ask_mute(camera)

    def action_on_camera(self, action: str) -> None:
        """Of the camera that is shown."""
        camera = self._camera()
        if camera is None:
            self.tell("choose a camera first: 1 Live")
        elif action == "relearn":
            self.deeds.ask_relearn(camera)
        elif action == "snapshot":
            self.deeds.act(camera, "snapshot")
        else:
            self.deeds.act(camera, "resume" if camera.status.state == "paused" else "pause")

    def action_newest(self) -> None:
        """The newest alert's page."""
        if newest := self.fleet.newest():
            self.open_alert(newest[0])

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Textual's own, less what ours say better."""
        for command in super().get_system_commands(screen):
            if command.title not in {"Quit", "Keys", "Screenshot"}:
                yield command
        yield SystemCommand("Quit", "The engine goes on", self.action_leave)


def _site_name(url: str) -> str:
    return url.removeprefix("http://").removeprefix("https://")

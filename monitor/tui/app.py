"""The dashboard: screens over a view-model that follows one or several engines.

A thin client: closing it stops no engine. Messages are only taken in as they come; four times a
second the screen that shows paints what has changed, and screens that do not show rest.
"""

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from textual import events
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.theme import Theme
from textual.widget import Widget
from textual.worker import Worker, WorkerState

from monitor.tui.alarm import Alarm, Ring
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
from monitor.tui.screens.live import LiveScreen
from monitor.tui.screens.page import Page
from monitor.tui.screens.stills import StillsScreen
from monitor.tui.state.desk import Desk, Source
from monitor.tui.state.fleet import Fleet, Seen
from monitor.tui.state.settings import Remembered, load_settings, save_settings
from monitor.tui.state.site import Camera, Site
from monitor.tui.terminal import leave_on_signals
from monitor.tui.themes import OWN, palette
from monitor.tui.widgets.picture import Images

PAINT_S = 0.25  # four times a second; more is not seen, and costs
LEAST_COLUMNS, LEAST_ROWS = 60, 15


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
    rings = True  # whether an alert is more than something to be seen
    refused: ClassVar[frozenset[str]] = frozenset()  # actions that are not told of
    spare: ClassVar[frozenset[str]] = frozenset()  # those that the footer has no room for
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (36, "-tall")]  # noqa: RUF012
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
        ended: Callable[[], str] | None = None,
        wall: Callable[[], datetime] = utc_now,
        mono: Callable[[], float] = time.monotonic,
    ) -> None:
        """`settings`: what remembers, or nothing does.

        `ended`: of an engine that was started for it, how that ended; nothing while it runs.
        """
        super().__init__()
        self.images: Images = images
        self.wall = wall
        self._settings = settings
        self.remembered = load_settings(settings) if settings else Remembered()
        self.links = [Link(engine, Site(_site_name(engine.url), mono, wall)) for engine in engines]
        self.fleet = Fleet([link.site for link in self.links])
        self.fleet.filter = self.remembered.filter
        sources = [Source(link.engine, link.site) for link in self.links]
        self.desk = Desk(sources, self.remembered.filters())
        self.deeds = Deeds(self)
        self._ended = ended
        self.alarm = Alarm(self, mono)
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
        leave_on_signals(lambda: self.exit("leave"))

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
        if self._ended is not None:
            self.links[0].site.ended = self._ended()
        if self.rings:
            self.alarm.tell()
        if isinstance(self.screen, Page) and self.screen.ready:
            self.screen.paint(self.palette, self._beat)

    # for the screens

    def do(self, work: Callable[[], Awaitable[None]], group: str, *, alone: bool = True) -> None:
        """Run beside the screen; `alone` cancels what ran in that group. A failure is told."""
        self.run_worker(work, group=group, exclusive=alone, exit_on_error=False)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A bug in what ran beside costs a line, not the dashboard."""
        if event.state is WorkerState.ERROR:
            error = event.worker.error
            self.fail(f"unexpected {type(error).__name__}: {error}")

    def tell(self, text: str, seconds: float = 4) -> None:
        """One line in a corner; longer where there is a path to be read off."""
        self.notify(text, markup=False, timeout=seconds)

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
        keys = dict(self.screen.active_bindings)
        self.push_screen(HelpScreen(text or "", keys, self.palette, self._leaving()))

    def action_leave(self) -> None:
        """Quit; ask first where an engine would end with it."""
        if not self._owns():
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

    def _owns(self) -> bool:
        """Whether an engine runs that was started for it."""
        return self._ended is not None and not self._ended()

    def _leaving(self) -> str:
        """What becomes of engines."""
        return "asks what becomes of the engine" if self._owns() else "no engine ends with it"

    def action_light(self) -> None:
        """Our dark theme or our light one."""
        dark = self.current_theme.dark
        self.theme = OWN[1].name if dark else OWN[0].name

    def action_ask_ring(self) -> None:
        """What an alert does here."""
        self.alarm.ask()

    def action_ring(self, name: Ring) -> None:
        """Switch one of them."""
        self.alarm.switch(name)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Textual's own, less what ours say better."""
        for command in super().get_system_commands(screen):
            if command.title not in {"Quit", "Keys", "Screenshot"}:
                yield command
        yield SystemCommand("Quit", self._leaving(), self.action_leave)


def _site_name(url: str) -> str:
    return url.removeprefix("http://").removeprefix("https://")

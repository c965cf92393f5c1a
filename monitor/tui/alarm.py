"""What an alert does to whoever sits before the terminal: bell, notification, flash."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from monitor.tui.screens.ask import ChoiceScreen
from monitor.tui.screens.page import Page
from monitor.tui.state.fleet import Ringing

if TYPE_CHECKING:
    from monitor.tui.app import Dashboard

FLASH_S = 0.8
Ring = Literal["bell", "notification", "flash"]
NAMES: tuple[tuple[Ring, str], ...] = (
    ("bell", "bell of the terminal"),
    ("notification", "notification in the corner"),
    ("flash", "flash of the line on top"),
)


class Alarm:
    """Bound to one dashboard, whose settings say what is on."""

    def __init__(self, dashboard: "Dashboard", mono: Callable[[], float]) -> None:
        self._dashboard = dashboard
        self._ringing = Ringing(mono)

    def tell(self) -> None:
        """What is new; a storm is one line."""
        for line in self._ringing.tell(self._dashboard.fleet):
            self._ring(line)

    def _ring(self, line: str) -> None:
        app = self._dashboard
        if app.remembered.bell:
            app.bell()
        if app.remembered.notification:
            app.notify(line, title="▲ ALERT", severity="error", timeout=8, markup=False)
        if app.remembered.flash and isinstance(app.screen, Page):
            top = app.screen.top
            top.add_class("-flash")
            app.set_timer(FLASH_S, lambda: top.remove_class("-flash"))

    def ask(self) -> None:
        """Which of them."""
        kept = self._dashboard.remembered
        options = [(n, f"{'[x]' if getattr(kept, n) else '[ ]'} {text}") for n, text in NAMES]
        known: dict[str | None, Ring] = {name: name for name, _ in NAMES}

        def answered(name: str | None) -> None:
            if name in known:
                self.switch(known[name])

        self._dashboard.push_screen(ChoiceScreen("When an alert begins", options), answered)

    def switch(self, name: Ring) -> None:
        """On or off, also for the next run."""
        on = not getattr(self._dashboard.remembered, name)
        self._dashboard.remember(**{name: on})
        self._dashboard.tell(f"an alert {'has' if on else 'has no'} {name} from now on")

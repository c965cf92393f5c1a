"""All alerts, in a table with filters: to be found, gone through and judged."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import DataTable, Input, Static

from monitor.errors import MonitorError
from monitor.names import counted
from monitor.tui.renderables.palette import Palette
from monitor.tui.screens.judging import JUDGING
from monitor.tui.screens.page import Page
from monitor.tui.state.desk import DAYS, PAGE, PHASES, SORTS
from monitor.tui.state.fleet import Seen
from monitor.tui.state.words import LABELS, fit
from monitor.tui.widgets.alert_table import AlertTable

DAY_WORDS = {0: "all days", 1: "last day", 7: "last week", 30: "last month", 365: "last year"}
PHASE_WORDS: dict[str, str] = {
    "all": "all states",
    "open": "open",
    "new": "not seen",
    "seen": "seen",
} | {str(label): word for label, word in LABELS.items()}
TYPED_S = 0.2  # between letters of a word; longer than most people take
LOADS = "alerts"  # the group of workers of which the last one counts
RELOAD_BEATS = 8  # two seconds between looks for new alerts, quarters of a second


class AlertsScreen(Page):
    """A page of a hundred at a time, through years of them."""

    TAB = "alerts"
    BINDINGS: ClassVar[list[BindingType]] = [
        *JUDGING,
        Binding("slash", "search", "Search", key_display="/"),
        Binding("f", "phase", "State"),
        Binding("c", "camera", "Camera", show=False),
        Binding("d", "days", "Days", show=False),
        Binding("s", "sort", "Sort", show=False),
        Binding("full_stop", "turn(1)", "Next page", key_display=".", show=False),
        Binding("comma", "turn(-1)", "Page before", key_display=",", show=False),
        Binding("x", "export", "Export", show=False),
        Binding("r", "reload", "Reload", show=False),
        Binding("escape", "clear", "All alerts", show=False),
    ]

    def parts(self) -> ComposeResult:
        """Filters above the table, where it stands below it."""
        self.desk = self.dashboard.desk
        self.filters = Static(id="filters", markup=False)
        self.search = Input(placeholder="camera, reason or note", id="search")
        self.table = AlertTable(several=self.dashboard.fleet.several)
        self._waiting = True  # for what a person asked for
        self._known = -1
        yield self.filters
        yield self.search
        yield self.table

    def on_mount(self) -> None:
        """Columns once, rows as they are asked for."""
        super().on_mount()
        self.table.focus()
        self.action_reload()

    def themed(self, palette: Palette) -> None:
        """Rows have colours of their own."""
        self._show(palette)

    def paint(self, palette: Palette, beat: int) -> None:
        """Rows that changed; new alerts every two seconds, and only on the first page."""
        super().paint(palette, beat)
        changes = sum(site.alert_changes for site in self.dashboard.fleet.sites)
        if changes == self._known:
            return
        for place in self.desk.refreshed():
            self.table.update(self.desk.rows[place], palette)
        if self.desk.page == 0 and beat % RELOAD_BEATS == 0:
            self._known = changes
            self.action_reload()

    def action_reload(self) -> None:
        """Ask the engine for this page again."""
        self.dashboard.do(self._load, LOADS)

    async def _load_soon(self) -> None:
        """Not for every letter: the next one cancels this."""
        await asyncio.sleep(TYPED_S)
        await self._load()

    async def _load_from_end(self) -> None:
        await self._load(at_end=True)

    async def _load(self, *, at_end: bool = False) -> None:
        try:
            await self.desk.load()
        except MonitorError as error:
            self.dashboard.fail(error)
            return
        self._waiting = False
        self._known = sum(site.alert_changes for site in self.dashboard.fleet.sites)
        self._show(self.dashboard.palette)
        if at_end:
            self.table.move_cursor(row=self.table.row_count - 1)

    def _show(self, palette: Palette) -> None:
        self.table.fill(self.desk.rows, palette)
        self._say_where(palette)

    def _say_where(self, palette: Palette) -> None:
        filters = self.desk.filters
        line = Text(" ", no_wrap=True, overflow="ellipsis")
        for key, value, plain in (
            ("f", PHASE_WORDS[filters.phase], filters.phase == "all"),
            ("c", fit(filters.camera, 14) or "all cameras", not filters.camera),
            ("d", DAY_WORDS[filters.days], not filters.days),
            ("s", filters.sort, filters.sort == "newest"),
        ):
            line.append(f"{key} ", palette.accent)
            line.append(f"{value}  ", palette.dim if plain else palette.tone("warn"))
        place = self._place()
        room = self.size.width - line.cell_len - cell_len(place) - 1
        line.append(" " * max(0, room) + place, palette.text)
        self.filters.update(line)

    def _place(self) -> str:
        desk = self.desk
        if self._waiting:
            return "searching …" if desk.filters.text else "loading …"
        if not desk.total:
            return "no alert matches" if desk.filters != type(desk.filters)() else "no alerts yet"
        page = f", {desk.page + 1}/{desk.pages:,}" if desk.total > PAGE else ""
        return counted(desk.total, "alert") + page

    # what a person does

    def chosen(self) -> Seen | None:
        """The alert under the cursor."""
        place = self.table.cursor_row
        rows = self.desk.rows[: self.table.row_count]
        return rows[place] if 0 <= place < len(rows) else None

    def changed(self, seen: Seen) -> None:
        """Something was said of it."""
        self.table.update(seen, self.dashboard.palette)

    @on(DataTable.RowSelected)
    def _open(self) -> None:
        seen = self.chosen()
        if seen is not None:
            self.dashboard.open_alert(seen)

    def _narrow(self, **changes: object) -> None:
        self.desk.narrow(**changes)
        kept = self.desk.filters
        self.dashboard.remember(phase=kept.phase, days=kept.days, sort=kept.sort)
        self._ask()

    def _ask(self, load: Callable[[], Awaitable[None]] | None = None) -> None:
        """For other rows than these, and say so: a search of years takes a moment."""
        self._waiting = True
        self._say_where(self.dashboard.palette)
        self.table.move_cursor(row=0)
        self.dashboard.do(load or self._load, LOADS)

    def action_phase(self) -> None:
        """The next state or label."""
        place = PHASES.index(self.desk.filters.phase)
        self._narrow(phase=PHASES[(place + 1) % len(PHASES)])

    def action_camera(self) -> None:
        """Only the camera under the cursor, or all again."""
        seen = self.chosen()
        camera = seen.alert.camera if seen is not None and not self.desk.filters.camera else ""
        self._narrow(camera=camera)

    def action_days(self) -> None:
        """The last day, week, month, year, or all."""
        self._narrow(days=DAYS[(DAYS.index(self.desk.filters.days) + 1) % len(DAYS)])

    def action_sort(self) -> None:
        """Newest, oldest or strongest first."""
        self._narrow(sort=SORTS[(SORTS.index(self.desk.filters.sort) + 1) % len(SORTS)])

    def action_turn(self, pages: int, *, at_end: bool = False) -> None:
        """The next page or the one before, from its first alert on or its last."""
        page = min(max(self.desk.page + pages, 0), self.desk.pages - 1)
        if page != self.desk.page:
            self.desk.page = page
            self._ask(self._load_from_end if at_end else None)

    @on(AlertTable.End)
    def _turned(self, event: AlertTable.End) -> None:
        """Not while rows are on their way: those that are shown are not the page's."""
        if not (self._waiting and self._loading()):
            self.action_turn(event.pages, at_end=event.pages < 0)

    def _loading(self) -> bool:
        """A load that failed is none."""
        workers = self.dashboard.workers
        return any(one.group == LOADS and not one.is_finished for one in workers)

    def action_search(self) -> None:
        """Show the line to search by."""
        self.search.add_class("-said")
        self.search.focus()

    def action_clear(self) -> None:
        """All alerts again."""
        self.search.value = ""
        self.search.remove_class("-said")
        self.table.focus()
        self._narrow(phase="all", camera="", days=0, text="")

    @on(Input.Changed, "#search")
    def _searched(self, event: Input.Changed) -> None:
        if event.value.strip() != self.desk.filters.text:
            self.desk.narrow(text=event.value.strip())
            self._ask(self._load_soon)

    @on(Input.Submitted, "#search")
    def _found(self) -> None:
        self.table.focus()

"""The line on top, the banner under it and the strip of the newest alerts."""

from rich.text import Text
from textual import events
from textual.widget import Widget

from monitor.tui.messages import AlertChosen
from monitor.tui.renderables.bars import BRAND, SCREENS, counts, news_line, tabs
from monitor.tui.renderables.palette import BOLD, Palette
from monitor.tui.state.fleet import Fleet, Seen
from monitor.tui.state.words import fit

WIDE_ENOUGH = 96  # for the name before the screens; where it is narrow the counts matter more


class TopLine(Widget):
    """Where we are, how all cameras are, what time it is. A click on a title goes there."""

    DEFAULT_CSS = "TopLine { height: 1; background: $surface; }"

    def __init__(self, fleet: Fleet, current: str) -> None:
        super().__init__()
        self.fleet = fleet
        self.current = current
        self._palette: Palette | None = None
        self._shown: Text | None = None
        self._edge = 0

    def paint(self, palette: Palette) -> None:
        """Draw it anew where it differs."""
        self._palette = palette
        shown = self._line(palette)
        if shown != self._shown or shown.spans != getattr(self._shown, "spans", None):
            self._shown = shown
            self.refresh()

    def _line(self, palette: Palette) -> Text:
        brand = self.size.width >= WIDE_ENOUGH
        self._edge = len(BRAND) if brand else 0
        left = tabs(self.current, palette, brand=brand)
        room = self.size.width - left.cell_len
        now = self.fleet.sites[0].now
        right = counts(self.fleet, now, palette, room)
        gap = room - right.cell_len
        if gap < 0:
            right.truncate(max(0, room))
        return left.append(" " * max(0, gap)).append_text(right)

    def render(self) -> Text:
        """As it was painted last."""
        return self._shown or Text("")

    async def on_click(self, event: events.Click) -> None:
        """To the screen whose title was hit."""
        edge = self._edge
        if event.x < edge:
            return
        for _, title, name in SCREENS:
            edge += len(title) + 4
            if event.x < edge:
                await self.app.run_action(f"app.show('{name}')")
                return


class Banner(Widget):
    """What is wrong, in one line; away where nothing is."""

    DEFAULT_CSS = """
    Banner { height: 1; display: none; background: $panel; }
    Banner.-said { display: block; }
    """

    def __init__(self, fleet: Fleet) -> None:
        super().__init__()
        self.fleet = fleet
        self._shown = Text("")

    def paint(self, palette: Palette) -> None:
        """Say the worst, and how much more there is."""
        complaints = self.fleet.complaints()
        shown = Text("", no_wrap=True, end="")
        if complaints:
            more = f"  (+{len(complaints) - 1} more: 4 Health)" if len(complaints) > 1 else ""
            room = max(8, self.app.size.width - len(more) - 4)
            style = palette.tone(complaints[0].tone) + BOLD
            symbol = "…" if complaints[0].tone == "learn" else "!"
            shown = Text(f" {symbol} {fit(complaints[0].text, room)}{more}", style, no_wrap=True)
        if shown != self._shown or shown.style != self._shown.style:
            self._shown = shown
            self.set_class(bool(complaints), "-said")
            self.refresh(layout=True)

    def render(self) -> Text:
        """As it was painted last."""
        return self._shown


class Newest(Widget):
    """The newest alerts, one line each; a storm is one line."""

    DEFAULT_CSS = """
    Newest { height: 5; border-top: solid $panel-lighten-1; }
    """

    def __init__(self, fleet: Fleet) -> None:
        super().__init__(id="newest")
        self.fleet = fleet
        self._rows: list[Seen | None] = []
        self._shown = Text("")

    def paint(self, palette: Palette) -> None:
        """Draw it anew where it differs."""
        shown = self._lines(palette)
        if shown != self._shown or shown.spans != self._shown.spans:
            self._shown = shown
            self.refresh()

    def _lines(self, palette: Palette) -> Text:
        cells, rows = self.size.width, self.size.height
        storm = self.fleet.storm()
        lines: list[Text] = []
        self._rows = []
        if storm:
            lines.append(Text(fit(f" ▲ {storm}", cells), palette.over + BOLD))
            self._rows.append(None)
        for seen in self.fleet.newest()[: max(0, rows - len(lines))]:
            lines.append(news_line(self.fleet, seen, cells, palette))
            self._rows.append(seen)
        if not lines:
            lines.append(Text(" no alerts yet", palette.dim))
        return Text("\n", no_wrap=True).join(lines)

    def render(self) -> Text:
        """As it was painted last."""
        return self._shown

    def on_click(self, event: events.Click) -> None:
        """Open the alert that was hit."""
        row = event.y - 1  # under the rule
        seen = self._rows[row] if 0 <= row < len(self._rows) else None
        if seen is not None:
            self.post_message(AlertChosen(seen))

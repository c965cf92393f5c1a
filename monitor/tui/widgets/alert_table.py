"""Alerts as rows: when, where, how strong, for how long, what people said of them."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import DataTable
from textual.widgets.data_table import CellDoesNotExist, RowKey

from monitor.tui.renderables.bars import phase
from monitor.tui.renderables.palette import Palette
from monitor.tui.state.fleet import Seen
from monitor.tui.state.words import fit, one_line, since, span, times, when

COLUMNS = ("", "when", "camera", "strength", "length", "state", "reason")
WIDE = 100  # columns of a terminal in which long names have room


class AlertTable(DataTable[Text]):
    """With vi's keys, and help of its own."""

    HELP = """\
## Alerts

**/** searches in camera, reason and note as you type. **f** steps through states and labels,
**c** narrows to the camera under the cursor, **d** to the last days, **s** sorts.
**PgUp** and **PgDn** at the ends of the table, or **,** and **.**, turn the page.
**enter** opens an alert, **o** its clip, **x** writes all that match into a file.

**a** acknowledges, **t** says it was true, **n** that this is normal here, **y** that you are
not sure, **e** writes a note, **u** takes back what you said last. What you label normal is
what the camera can learn from.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", show=False),
        Binding("k", "cursor_up", show=False),
        Binding("g", "scroll_top", show=False),
        Binding("G", "scroll_bottom", show=False),
    ]

    @dataclass
    class End(Message):
        """A page is to be turned: what is shown ends here."""

        pages: int

    def __init__(self, *, several: bool) -> None:
        """`several`: engines, so that a camera needs its engine's name beside it."""
        super().__init__(cursor_type="row", zebra_stripes=False, id="alerts")
        self._several = several
        for title in COLUMNS:
            self.add_column(title, key=title)

    def fill(self, rows: Sequence[Seen], palette: Palette) -> None:
        """All rows anew, with the cursor on the alert it stood on."""
        key, offset = self._cursor_key(), self.scroll_offset.y
        with self.app.batch_update():
            self.clear()
            for seen in rows:
                self.add_row(*self._cells(seen, palette), key=_key(seen))
            if key is not None and key in self.rows:
                self.move_cursor(row=self.get_row_index(key))
                self.scroll_to(y=offset, animate=False)

    def action_page_down(self) -> None:
        """As far as is shown, then the next page."""
        if self.cursor_row >= self.row_count - 1:
            self.post_message(self.End(1))
        else:
            super().action_page_down()

    def action_page_up(self) -> None:
        """As far as is shown, then the page before."""
        if self.cursor_row <= 0:
            self.post_message(self.End(-1))
        else:
            super().action_page_up()

    def update(self, seen: Seen, palette: Palette) -> None:
        """The row of one alert; nothing where the page was turned meanwhile."""
        with suppress(CellDoesNotExist):
            for title, cell in zip(COLUMNS, self._cells(seen, palette), strict=True):
                self.update_cell(_key(seen), title, cell, update_width=False)

    def _cursor_key(self) -> RowKey | None:
        """Of the table as it stands, whatever has been loaded since."""
        if not self.is_valid_row_index(self.cursor_row):
            return None
        return self.ordered_rows[self.cursor_row].key

    def _cells(self, seen: Seen, palette: Palette) -> list[Text]:
        alert, now = seen.alert, seen.site.now
        going = alert.phase != "end"
        tone = palette.tone("alert") if going else palette.text
        quiet = palette.dim if alert.acknowledged_at and not going else tone
        name = f"{seen.site.name} / {alert.camera}" if self._several else alert.camera
        length = span(since(alert.started_at, now if going else alert.ended_at))
        told = f"“{alert.note}”  {alert.reason}" if alert.note else alert.reason
        state = tone if going else palette.tone("calm") if alert.label else palette.dim
        return [
            Text("▲" if going else "·" if alert.acknowledged_at else "•", tone),
            Text(when(alert.started_at, now), palette.dim),
            Text(fit(name, 18 if self.app.size.width < WIDE else 30), quiet),
            Text(times(alert.strength), quiet, justify="right"),
            Text(length, palette.dim, justify="right"),
            Text(phase(seen), state),
            Text(fit(one_line(told), 80), palette.dim),
        ]


def _key(seen: Seen) -> str:
    return f"{seen.site.name}\n{seen.alert.id}"

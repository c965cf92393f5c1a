"""Names and values in two columns, and lines that hang, as the pages about one thing show them."""

from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from monitor.tui.renderables.palette import Palette
from monitor.tui.state.telling import Said
from monitor.tui.state.words import one_line

LEAST_ROOM = 20  # columns beside the head of a line


def fact_table(facts: Sequence[Said], palette: Palette) -> Table:
    """Names dim, values not; long values wrap in their own column, markup stays as it is."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", ratio=1)
    for fact in facts:
        style = palette.text if fact.tone is None else palette.tone(fact.tone)
        table.add_row(Text(fact.name, palette.dim), Text(one_line(fact.value), style))
    return table


class Hanging:
    """A line whose text, where it is long, goes on under its own beginning.

    Where no room is left beside the head, it goes on at the edge.
    """

    def __init__(self, head: Text, text: Text) -> None:
        self._head, self._text = head, text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """A line, or several."""
        indent = self._head.cell_len
        room = options.max_width - indent
        if self._text.cell_len <= room or room < LEAST_ROOM:
            yield Text.assemble(self._head, self._text)
            return
        for number, line in enumerate(self._text.wrap(console, room)):
            line.rstrip()
            yield Text.assemble(self._head if number == 0 else " " * indent, line)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """As wide as one line of it."""
        return Measurement.get(console, options, Text.assemble(self._head, self._text))

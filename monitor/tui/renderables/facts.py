"""Names and values in two columns, and lines that hang, as the pages about one thing show them."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from monitor.tui.renderables.palette import Palette
from monitor.tui.state.telling import Said
from monitor.tui.state.words import one_line


def fact_table(facts: Sequence[Said], palette: Palette) -> Table:
    """Names dim, values not; long values wrap in their own column, markup stays as it is."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", ratio=1)
    for fact in facts:
        style = palette.text if fact.tone is None else palette.tone(fact.tone)
        table.add_row(Text(fact.name, palette.dim), Text(one_line(fact.value), style))
    return table


def hanging(head: Text, text: Text) -> Table:
    """A line whose text, where it is long, goes on under its own beginning."""
    table = Table.grid()
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", ratio=1)
    table.add_row(head, text)
    return table

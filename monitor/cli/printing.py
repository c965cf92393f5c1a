"""Tables and numbers as people read them; knows nothing of what they tell."""

import json
import sys
from collections.abc import Sequence
from typing import Any

from monitor.names import shown


def print_json(value: Any) -> None:
    """One document, or one line of a stream of them, whole even if the program is cut off."""
    print(json.dumps(value, ensure_ascii=False), flush=True)


def print_line(text: str) -> None:
    """Tell people something; what a file's name holds neither ends the line nor colours it."""
    print(shown(text), flush=True)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Drawn on a terminal; in a pipe aligned columns, two spaces apart, never cut off."""
    rows = [[shown(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _draw(columns, rows)
        return
    widths = [max(len(row[i]) for row in [columns, *rows]) for i in range(len(columns))]
    for row in [columns, *rows]:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


def _draw(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)


def say_span(seconds: float) -> str:
    """0.8 s, 45 s, 12.5 min, 3.2 h, 8.0 days."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / size:.{0 if size == 1 else 1}f} {unit}"
    return f"{seconds / 86_400:.1f} days"


def say_clock(seconds: float) -> str:
    """h:mm:ss.s of a source's own clock."""
    tenths = round(max(seconds, 0.0) * 10)
    minutes, rest = divmod(tenths, 600)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest // 10:02d}.{rest % 10}"

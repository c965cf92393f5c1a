"""Help for what has the focus, and the keys that work there."""

from collections.abc import Mapping
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import VerticalScroll
from textual.dom import DOMNode
from textual.screen import ModalScreen
from textual.widgets import Markdown, Static

from monitor.tui.renderables.palette import Palette

GENERAL = """\
## oddwatch

Watches cameras, learns what is usual, says what is not. **1** to **4** are the screens,
**ctrl+p** finds every action by its name, **escape** goes back, **q** quits.
"""
COMMON = (
    ("arrows, h j k l", "move"),
    ("1 2 3 4", "Live, Alerts, Stills, Health"),
    ("ctrl+p", "every action by name, and themes"),
    ("B", "bell, notification and flash: what an alert does"),
    ("?", "this help"),
    ("q", "quit; the engine goes on"),
)


class HelpScreen(ModalScreen[None]):
    """Made when it is asked for, from what was focused then."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q", "dismiss", "Close"),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    def __init__(self, text: str, keys: Mapping[str, ActiveBinding], palette: Palette) -> None:
        super().__init__()
        self._text = text or GENERAL
        self._keys = keys
        self._palette = palette

    def compose(self) -> ComposeResult:
        """Text above, keys below."""
        with VerticalScroll(classes="box help"):
            yield Markdown(self._text)
            yield Static(self._table())

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True, justify="right")
        table.add_column(ratio=1)
        told = set()
        for active in self._keys.values():
            binding = active.binding
            own = binding.action not in _generic(active.node)
            if not own or binding.description in told or not binding.description[:1].isupper():
                continue
            told.add(binding.description)
            key = self.app.get_key_display(binding)
            table.add_row(
                Text(key, self._palette.accent), Text(binding.description, self._palette.text)
            )
        for key, text in COMMON:
            table.add_row(Text(key, self._palette.accent), Text(text, self._palette.dim))
        return table

    def action_scroll(self, lines: int) -> None:
        """As in vi."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)


def _generic(node: DOMNode) -> set[str]:
    """Actions that widgets of this kind have in every Textual program."""
    own = [kind for kind in type(node).__mro__ if kind.__module__.startswith("textual")]
    bindings = [b for kind in own for b in vars(kind).get("BINDINGS", ())]
    return {b.action if isinstance(b, Binding) else b[1] for b in bindings}

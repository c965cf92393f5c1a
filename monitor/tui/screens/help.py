"""Help for what has the focus, and the keys that work there."""

from collections.abc import Mapping
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import VerticalScroll
from textual.dom import DOMNode
from textual.screen import ModalScreen, Screen
from textual.widgets import Markdown, Static

from monitor.tui.renderables.palette import Palette

GENERAL = """\
## oddwatch

Watches cameras, learns what is usual, says what is not. **1** to **4** are the screens,
**ctrl+p** finds every action by its name, **escape** goes back, **q** quits.
"""
COMMON = (
    ("1 2 3 4", "Live, Alerts, Stills, Health"),
    ("ctrl+p", "every action by name, and themes"),
    ("B", "bell, notification and flash: what an alert does"),
    ("?", "this help"),
)
TOLD = {"1", "2", "3", "4", "B", "question_mark", "q", "ctrl+q"}  # keys, in the lines of COMMON
MOVING = ("left", "right", "up", "down", "h", "j", "k", "l")


class HelpScreen(ModalScreen[None]):
    """Made when it is asked for, from what was focused then."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q", "dismiss", "Close"),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    def __init__(
        self, text: str, keys: Mapping[str, ActiveBinding], palette: Palette, leaving: str
    ) -> None:
        """`keys` are those that work where help is asked for; `leaving`, what `q` does there."""
        super().__init__()
        self._text = text or GENERAL
        self._keys = keys
        self._palette = palette
        self._leaving = leaving

    def compose(self) -> ComposeResult:
        """Text above, keys below."""
        with VerticalScroll(classes="box help"):
            yield Markdown(self._text)
            yield Static(self._table())

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True, justify="right")
        table.add_column(ratio=1)
        common = [*self._moving(), *COMMON, ("q", f"quit; {self._leaving}")]
        for lines, style in ((self._own(), self._palette.text), (common, self._palette.dim)):
            for key, text in lines:
                table.add_row(Text(key, self._palette.accent), Text(text, style))
        return table

    def _own(self) -> list[tuple[str, str]]:
        """Keys of this screen; of several for one thing the first."""
        found: dict[str, str] = {}  # by description
        for active in self._keys.values():
            binding = active.binding
            own = binding.action not in _generic(active.node) and binding.key not in TOLD
            if own and binding.description[:1].isupper():
                found.setdefault(binding.description, self.app.get_key_display(binding))
        return [(key, text) for text, key in found.items()]

    def _moving(self) -> list[tuple[str, str]]:
        """Keys of what has the focus; where a screen has one for something else, it is that."""
        found = [self._keys[key] for key in MOVING if key in self._keys]
        keys = [
            self.app.get_key_display(active.binding)
            for active in found
            if not isinstance(active.node, Screen | App)
        ]
        return [(" ".join(keys), "move")] if keys else []

    def action_scroll(self, lines: int) -> None:
        """As in vi."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)


def _generic(node: DOMNode) -> set[str]:
    """Actions that widgets of this kind have in every Textual program."""
    own = [kind for kind in type(node).__mro__ if kind.__module__.startswith("textual")]
    bindings = [b for kind in own for b in vars(kind).get("BINDINGS", ())]
    return {b.action if isinstance(b, Binding) else b[1] for b in bindings}

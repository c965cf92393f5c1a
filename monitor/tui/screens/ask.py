"""Small questions over a screen: one of several, or a line of text."""

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option


class ChoiceScreen(ModalScreen[str]):
    """One of several; the empty text where nothing was chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss('')", "Cancel"),
        Binding("j", "down"),
        Binding("k", "up"),
    ]

    def __init__(self, title: str, options: Sequence[tuple[str, str]]) -> None:
        """`options` are pairs of what is given back and what is shown."""
        super().__init__()
        self._title = title
        self._options = options

    def compose(self) -> ComposeResult:
        """A box in the middle."""
        with Vertical(classes="box"):
            yield Static(self._title, classes="title", markup=False)
            yield OptionList(*(Option(Text(text), id=key) for key, text in self._options))

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id or "")

    def action_down(self) -> None:
        """As in vi."""
        self.query_one(OptionList).action_cursor_down()

    def action_up(self) -> None:
        """As in vi."""
        self.query_one(OptionList).action_cursor_up()

    def on_click(self, event: events.Click) -> None:
        """A click beside the box cancels."""
        if event.widget is self:
            self.dismiss("")


class LineScreen(ModalScreen[str | None]):
    """A line of text; None where it was cancelled."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(self, title: str, value: str = "") -> None:
        super().__init__()
        self._title = title
        self._value = value

    def compose(self) -> ComposeResult:
        """A box in the middle."""
        with Vertical(classes="box"):
            yield Static(self._title, classes="title", markup=False)
            yield Input(self._value, max_length=2000)

    @on(Input.Submitted)
    def _done(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)


class TooSmallScreen(ModalScreen[None]):
    """What is shown where nothing else has room."""

    def compose(self) -> ComposeResult:
        """One text."""
        yield Static("This terminal is too small.\n\noddwatch needs 60 by 15 cells.", id="small")

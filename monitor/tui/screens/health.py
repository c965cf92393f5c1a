"""Engine, machine and cameras as they are, and the engine's log."""

from typing import ClassVar, Literal

from rich.console import Group, RenderableType
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Input, RichLog, Static

from monitor.api.schema import HealthView, LogLine
from monitor.tui.renderables.facts import Hanging, fact_table
from monitor.tui.renderables.palette import BOLD, Palette
from monitor.tui.screens.page import Page
from monitor.tui.state.site import Site
from monitor.tui.state.telling import of_engine
from monitor.tui.state.words import Tone, clock, fit, one_line, since, span

Level = Literal["debug", "info", "warning", "error"]
LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error")
TONES: dict[str, Tone] = {"debug": "idle", "info": "calm", "warning": "warn", "error": "bad"}


class EngineLog(RichLog):
    """With help of its own."""

    HELP = """\
## Log

What the engine wrote, newest last. **l** steps through the levels, **/** narrows to lines with
a text or a camera's name, **end** follows what comes.
"""


class HealthScreen(Page):
    """Can what I see be trusted?"""

    TAB = "health"
    HELP = """\
## Health

The engine and its machine, what is wrong now and what was, and the engine's log.

**l** steps through the levels of the log, **/** narrows it to a text or a camera's name.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("l", "level", "Log level"),
        Binding("slash", "search", "Search log", key_display="/"),
        Binding("escape", "clear", "Whole log", show=False),
    ]

    def parts(self) -> ComposeResult:
        """Engine beside troubles, log under both."""
        self.facts = [Static(markup=False, classes="engine") for _ in self.dashboard.fleet.sites]
        self.troubles = Static(id="troubles", markup=False)
        self.lines = EngineLog(id="log", max_lines=2000, wrap=True, markup=False, highlight=False)
        self.caption = Static(id="caption", markup=False)
        self.search = Input(placeholder="text or camera", id="search")
        self._level: Level = "info"
        self._text = ""
        self._written = -1
        with Vertical(id="health"):
            with Horizontal(id="above"):
                with VerticalScroll(id="engines"):
                    yield from self.facts
                with VerticalScroll(id="events"):
                    yield self.troubles
            yield self.caption
            yield self.search
            yield self.lines

    def themed(self, palette: Palette) -> None:  # noqa: ARG002
        """Lines have colours of their own."""
        self._written = -1

    def paint(self, palette: Palette, beat: int) -> None:
        """Numbers once a second, the log as it comes."""
        super().paint(palette, beat)
        if beat % 4 == 0:
            fleet = self.dashboard.fleet
            for site, facts in zip(fleet.sites, self.facts, strict=True):
                facts.border_title = None
                facts.update(fact_table(of_engine(site), palette))
            self.troubles.update(self._troubles(palette))
        changes = sum(site.log_changes for site in self.dashboard.fleet.sites)
        if changes != self._written:
            self._written = changes
            self._write(palette)

    def _troubles(self, palette: Palette) -> Group:
        found = [
            (site, event) for site in self.dashboard.fleet.sites for event in site.health.values()
        ]
        still = [one for one in found if one[1].ended_at is None]
        past = [one for one in found if one[1].ended_at is not None]
        lines: list[RenderableType] = [
            Text(
                f"{len(still)} going on" if still else "● nothing is wrong",
                palette.tone("warn" if still else "calm", bold=True),
            )
        ]
        lines += [_trouble(site, event, palette) for site, event in sorted(still, key=_order)]
        if past:
            lines.append(Text("past", palette.dim))
            lines += [
                _trouble(site, event, palette) for site, event in sorted(past, key=_order)[:50]
            ]
        return Group(*lines)

    def _write(self, palette: Palette) -> None:
        wanted = [
            (site, line)
            for site in self.dashboard.fleet.sites
            for line in site.log
            if self._wants(line)
        ]
        wanted.sort(key=lambda one: one[1].at)
        follow = self.lines.is_vertical_scroll_end
        self.lines.clear()
        for _, line in wanted[-1000:]:
            self.lines.write(_log_line(line, palette), scroll_end=follow)
        self.caption.update(self._caption(len(wanted), palette))

    def _wants(self, line: LogLine) -> bool:
        if LEVELS.index(line.level) < LEVELS.index(self._level):
            return False
        return self._text in f"{line.camera or ''} {line.text}".lower()

    def _caption(self, lines: int, palette: Palette) -> Text:
        text = Text(" log ", palette.accent + BOLD)
        text.append(f"{self._level} and worse", palette.text)
        text.append(f", with “{self._text}”" if self._text else "", palette.tone("warn"))
        return text.append(f"   {lines:,} lines", palette.dim)

    # what a person does

    def action_level(self) -> None:
        """The next level."""
        self._level = LEVELS[(LEVELS.index(self._level) + 1) % len(LEVELS)]
        self._write(self.dashboard.palette)

    def action_search(self) -> None:
        """Show the line to search by."""
        self.search.add_class("-said")
        self.search.focus()

    def action_clear(self) -> None:
        """The whole log again."""
        self.search.value = ""
        self.search.remove_class("-said")
        self.lines.focus()

    @on(Input.Changed, "#search")
    def _searched(self, event: Input.Changed) -> None:
        self._text = event.value.strip().lower()
        self._write(self.dashboard.palette)

    @on(Input.Submitted, "#search")
    def _found(self) -> None:
        self.lines.focus()


def _order(one: tuple[Site, HealthView]) -> tuple[int, float]:
    event = one[1]
    worst = ("error", "warning", "info").index(event.severity) if event.ended_at is None else 0
    return worst, -event.started_at.timestamp()


def _trouble(site: Site, event: HealthView, palette: Palette) -> Hanging:
    going = event.ended_at is None
    tone = palette.tone(TONES[event.severity]) if going else palette.dim
    end = event.ended_at or site.now
    head = Text(
        f"{'✖' if event.severity == 'error' else '!' if event.severity == 'warning' else '·'} ",
        tone,
    )
    head.append(f"{clock(event.started_at)} ", palette.dim)
    head.append(f"{fit(event.camera or site.name, 24)} ", palette.text if going else palette.dim)
    text = Text(one_line(event.text), tone)
    return Hanging(head, text.append(f"  {span(since(event.started_at, end))}", palette.dim))


def _log_line(line: LogLine, palette: Palette) -> Hanging:
    tone = palette.tone(TONES[line.level])
    head = Text(f" {clock(line.at)} ", palette.dim)
    head.append(f"{line.level:<8}", tone)
    if line.camera:
        head.append(f"{fit(line.camera, 24)}  ", palette.accent)
    return Hanging(head, Text(one_line(line.text), palette.text if line.level == "info" else tone))

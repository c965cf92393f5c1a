"""One alert: its picture, its curve, its facts, and the judgement on it."""

from datetime import datetime, timedelta
from functools import partial
from typing import ClassVar

import numpy as np
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Static

from monitor.api.schema import AlertView
from monitor.errors import MonitorError
from monitor.tui.renderables.bars import phase
from monitor.tui.renderables.facts import fact_table
from monitor.tui.renderables.palette import BOLD, Palette
from monitor.tui.screens.judging import JUDGING
from monitor.tui.screens.page import Page
from monitor.tui.state.curve import Curve, Levels
from monitor.tui.state.fleet import Seen
from monitor.tui.state.telling import of_alert
from monitor.tui.state.words import fit, times
from monitor.tui.widgets.chart import Chart, Shade
from monitor.tui.widgets.picture import Picture

AROUND = timedelta(seconds=45)  # of the curve before and after


def _around(seen: Seen) -> tuple[datetime, datetime]:
    """The span of its curve; of one that goes on, until now."""
    alert = seen.alert
    ended = seen.site.now if alert.phase != "end" else alert.ended_at
    return alert.started_at - AROUND, ended + AROUND


def _picture_of(alert: AlertView) -> datetime | None:
    """Which: that of the peak, which may yet be topped."""
    return alert.peak_at if alert.has_snapshot else None


class AlertScreen(Page):
    """Over the screen that it was opened from; escape goes back to it."""

    TAB = "alerts"
    HELP = """\
## Alert

The snapshot was taken at the peak, with the map of what was unusual over it. The curve shows the
minute before and after; the engine keeps curves for a month.

**a** acknowledges, **t** it was true, **n** normal here, **y** unsure, **e** note, **u** undo,
**P** keeps it for ever, **o** opens the clip, **x** copies picture, clip and facts into a folder
where the dashboard was started. **[** and **]** go to the alerts beside it,
**space** to the next that nobody has seen, **backspace** to the one before.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Back"),
        *JUDGING,
        Binding("x", "export_alert", "Export", show=False),
        Binding("space", "beside(1, True)", "Unseen"),
        Binding("backspace", "beside(-1, True)", "Unseen before", show=False),
        Binding("left_square_bracket", "beside(-1)", "Previous", key_display="[", show=False),
        Binding("right_square_bracket", "beside(1)", "Next", key_display="]", show=False),
    ]

    def __init__(self, seen: Seen) -> None:
        super().__init__()
        self.seen = seen
        self._curve = Curve()
        self._known: object = None

    def parts(self) -> ComposeResult:
        """Picture beside facts, curve under both."""
        self.headline = Static(id="headline", markup=False)
        self.picture = Picture(self.dashboard.images, live=False, id="picture")
        self.facts = Static(id="facts", markup=False)
        self.chart = Chart(id="chart")
        self.why = Static("", id="nocurve", markup=False)
        yield self.headline
        with Vertical(id="camera"):
            with Horizontal(id="above"):
                yield self.picture
                with VerticalScroll(id="numbers"):
                    yield self.facts
            yield self.chart
            yield self.why

    def on_mount(self) -> None:
        """Then ask for what takes time."""
        super().on_mount()
        self._open()

    def _open(self) -> None:
        self._curve = Curve()
        self.picture.show(None, "…" if self.seen.alert.has_snapshot else "no snapshot")
        self.dashboard.do(partial(self._fetch, self.seen), "alert")
        self.call_after_refresh(self.repaint)

    async def _fetch(self, seen: Seen) -> None:
        engine = self.dashboard.desk.source_of(seen).engine
        try:
            if self.dashboard.images == "off" or seen.alert.has_snapshot:
                wanted = self.dashboard.images != "off"
                data = await engine.snapshot(seen.alert.id) if wanted else None
                self.picture.show(data, "its snapshot is no longer kept")
            points = await engine.scores(seen.alert.camera, *_around(seen))
        except MonitorError as error:
            self.picture.show(None, str(error))
            return
        for point in points:
            self._curve.add(point.at.timestamp(), point.score)
        self.repaint()

    def themed(self, palette: Palette) -> None:  # noqa: ARG002
        """All of it has colours from the palette."""
        self._known = None

    def paint(self, palette: Palette, beat: int) -> None:
        """Anew where the alert changed; an open one grows longer every second."""
        super().paint(palette, beat)
        alert = self.seen.site.alerts.get(self.seen.alert.id, self.seen.alert)
        if alert is not self.seen.alert:
            before, self.seen = self.seen.alert, Seen(self.seen.site, alert)
            if _picture_of(alert) != _picture_of(before):  # it comes after the first news of it
                self.dashboard.do(partial(self._fetch, self.seen), "alert")
        if self._known == (alert,) and (alert.phase == "end" or beat % 4):
            return
        self._known = (alert,)
        going = alert.phase != "end"
        tone = palette.tone("alert", bold=True) if going else palette.text + BOLD
        line = Text(" ▲ " if going else " • ", tone)
        room = max(10, self.size.width - 44)
        line.append(f"{times(alert.strength)} ", palette.over + BOLD)
        line.append(fit(alert.camera, room), palette.text + BOLD)
        line.append(f"  {phase(self.seen)}", tone)
        line.append(self._place(), palette.dim)
        self.headline.update(line)
        self.facts.update(fact_table(of_alert(self.seen), palette))
        self._draw(palette)

    def _place(self) -> str:
        rows = self.dashboard.desk.rows
        place = next((n for n, row in enumerate(rows) if row.alert.id == self.seen.alert.id), None)
        return "" if place is None else f"   {place + 1} of {len(rows)}"

    def _draw(self, palette: Palette) -> None:
        alert = self.seen.alert
        first, last = _around(self.seen)
        begin = first.timestamp()
        end = min(last.timestamp(), self.seen.site.now.timestamp() + 1)
        columns = max(10, self.chart.size.width - 7) * 2
        kept = max(1, round(end - begin))
        levels = self._levels(end - 1, kept, min(columns, kept))
        known = not bool(np.isnan(levels).all())
        self.chart.display = known
        self.why.display = not known
        self.why.update("The engine has no curve of it any more, or never had.")
        if known:
            shade = Shade(alert.started_at.timestamp(), (last - AROUND).timestamp())
            self.chart.draw(levels, begin, end, [shade], palette)

    def _levels(self, end: float, span_s: int, columns: int) -> Levels:
        """As it was asked for, and what has come since."""
        asked = self._curve.levels(end, span_s, columns)
        camera = self.seen.site.cameras.get(self.seen.alert.camera)
        if camera is None:
            return asked
        known: Levels = np.fmax(asked, camera.curve.levels(end, span_s, columns))
        return known

    # what a person does

    def chosen(self) -> Seen | None:
        """The alert that is judged here."""
        return self.seen

    def changed(self, seen: Seen) -> None:
        """Something was said of it."""
        if seen.alert.id == self.seen.alert.id:
            self.seen = Seen(seen.site, seen.site.alerts.get(seen.alert.id, seen.alert))
        self.repaint()

    def action_beside(self, step: int, unseen: bool = False) -> None:  # noqa: FBT001, FBT002
        """The alert beside it in the table; with `unseen` the next that nobody acknowledged."""
        found = self.dashboard.desk.neighbour(self.seen, step, unacknowledged=unseen)
        if found is None:
            self.dashboard.tell(
                "no more on this page" if not unseen else "no more that nobody has seen"
            )
            return
        self.seen = found
        self._known = None
        self._open()

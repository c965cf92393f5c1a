"""The product line: what was judged, how much of it was defective, and the last pictures."""

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid, Horizontal, Vertical
from textual.widgets import DataTable, Static

from monitor.errors import MonitorError
from monitor.tui.renderables.palette import BOLD, Palette
from monitor.tui.renderables.tile import draw_curve
from monitor.tui.screens.page import Page
from monitor.tui.state.fleet import Seen
from monitor.tui.state.site import Camera
from monitor.tui.state.words import NOTHING, fit, times, when
from monitor.tui.widgets.picture import Picture

COLUMNS = ("line", "state", "judged", "defective", "share", "newest", "trend of the hour")
TREND = 24  # cells
DEFECTS = 4  # of the last ones, as pictures
EMPTY = """\
No product line is watched.

In the engine's configuration, a [[camera]] with the url of a folder that pictures are dropped
into, and the model of a still-image detector, appears here.
"""


class LinesTable(DataTable[Text]):
    """With help of its own."""

    HELP = """\
## Stills

A row per product line: pictures judged, found defective, and the curve of their scores. The
picture is the newest that was judged, beside it the last that were defective; **h** lays the map
of what is unusual over the newest. **enter** opens the line as a camera.
"""


def _framed(picture: Picture, caption: Static) -> Vertical:
    return Vertical(picture, caption, classes="still")


class StillsScreen(Page):
    """Verdicts at a glance."""

    TAB = "stills"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("h", "heat", "Heat map")]

    def parts(self) -> ComposeResult:
        """Lines above, pictures below."""
        self.table = LinesTable(cursor_type="row", id="lines")
        self.picture = Picture(self.dashboard.images, live=True, id="newest-still")
        self.defects = [
            Picture(self.dashboard.images, live=False, id=f"defect-{n}") for n in range(DEFECTS)
        ]
        self.captions = [Static(markup=False, classes="caption") for _ in range(DEFECTS + 1)]
        self.note = Static(EMPTY, id="note", markup=False)
        self._heat = False
        self._shown: dict[str, Seen | None] = {}
        with Vertical(id="stills"):
            yield self.table
            with Horizontal(id="gallery"):
                yield _framed(self.picture, self.captions[0])
                with Grid(id="defects"):
                    for picture, caption in zip(self.defects, self.captions[1:], strict=True):
                        yield _framed(picture, caption)
        yield self.note

    def on_mount(self) -> None:
        """Columns once."""
        super().on_mount()
        for title in COLUMNS:
            self.table.add_column(title, key=title)
        self.set_interval(1.0, self._fetch)

    def lines(self) -> list[Camera]:
        """Cameras that judge stills."""
        return [camera for camera in self.dashboard.fleet.all() if camera.status.kind == "stills"]

    def paint(self, palette: Palette, beat: int) -> None:
        """Numbers once a second."""
        super().paint(palette, beat)
        lines = self.lines()
        self.note.set_class(not lines, "-said")
        self.set_class(not lines, "-empty")
        if beat % 4:
            return
        if self.table.row_count != len(lines):
            self.table.clear()
            for number, camera in enumerate(lines):
                self.table.add_row(*self._cells(camera, palette), key=str(number))
            return
        for number, camera in enumerate(lines):
            for title, cell in zip(COLUMNS, self._cells(camera, palette), strict=True):
                self.table.update_cell(str(number), title, cell)

    def _cells(self, camera: Camera, palette: Palette) -> list[Text]:
        status, look = camera.status, camera.look
        share = f"{status.defective / status.judged:.2%}" if status.judged else NOTHING
        over = camera.score is not None and camera.score >= 1
        trend = Text()
        for segment in draw_curve(camera, 3600, TREND, 1, palette)[0]:
            trend.append(segment.text, segment.style)
        return [
            Text(fit(self.dashboard.fleet.title(camera), 30), palette.text),
            Text(f"{look.symbol} {look.word}", palette.tone(look.tone)),
            Text(f"{status.judged:,}", palette.text, justify="right"),
            Text(f"{status.defective:,}", palette.text, justify="right"),
            Text(share, palette.text, justify="right"),
            Text(times(camera.score), palette.over if over else palette.text, justify="right"),
            trend,
        ]

    def camera_shown(self) -> Camera | None:
        """Under the cursor."""
        lines = self.lines()
        place = self.table.cursor_row
        return lines[place] if 0 <= place < len(lines) else None

    def _fetch(self) -> None:
        if self.is_current and self.camera_shown() is not None:
            self.dashboard.do(self._fetch_pictures, "stills")

    async def _fetch_pictures(self) -> None:
        camera = self.camera_shown()
        if camera is None or camera.site.link == "lost":
            return
        palette, engine = self.dashboard.palette, self.dashboard.engine_of(camera)
        try:
            if self.dashboard.images != "off":
                self.picture.show(await engine.picture(camera.name, heat=self._heat))
            over = camera.score is not None and camera.score >= 1
            verdict = "✖ defective" if over else "● good"
            style = palette.tone("alert" if over else "calm") + BOLD
            self.captions[0].update(Text(f"{verdict}  {times(camera.score)}", style))
            await self._fetch_defects(camera)
        except MonitorError as error:
            self.picture.show(None, str(error))

    async def _fetch_defects(self, camera: Camera) -> None:
        own = [
            one
            for one in self.dashboard.fleet.newest()
            if one.site is camera.site
            and one.alert.camera == camera.name
            and one.alert.has_snapshot
        ]
        engine = self.dashboard.engine_of(camera)
        for number, picture in enumerate(self.defects):
            seen = own[number] if number < len(own) else None
            key = str(number)
            known = self._shown.get(key)
            if seen is None:
                picture.show(None, "")
                self.captions[number + 1].update("")
            elif known is None or known.alert.id != seen.alert.id:
                picture.show(await engine.snapshot(seen.alert.id))
                at = when(seen.alert.peak_at, camera.site.now)
                text = f"✖ {at}  {times(seen.alert.strength)}"
                self.captions[number + 1].update(Text(text, self.dashboard.palette.tone("alert")))
            self._shown[key] = seen

    # what a person does

    @on(DataTable.RowSelected)
    def _open(self) -> None:
        camera = self.camera_shown()
        if camera is not None:
            self.dashboard.open_camera(camera)

    @on(DataTable.RowHighlighted)
    def _moved(self) -> None:
        self._shown.clear()
        self._fetch()

    def action_heat(self) -> None:
        """The map over the newest picture, or not."""
        self._heat = not self._heat
        self._fetch()

"""All cameras, each a tile or a line: one widget, which draws only what can be seen of it."""

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from monitor.tui.messages import CameraChosen
from monitor.tui.renderables.palette import Palette
from monitor.tui.renderables.tile import Frame, draw_line, draw_tile
from monitor.tui.state.fleet import Fleet
from monitor.tui.state.plan import Plan, plan
from monitor.tui.state.settings import Density
from monitor.tui.state.site import Camera

Tile = list[Strip]


class Wall(ScrollView, can_focus=True):
    """Sorted by need, so that who needs a person stands at the top left.

    Nothing is drawn when a camera changes: `paint` draws what has changed since, when the screen
    asks for it, and refreshes only the lines that differ.
    """

    HELP = """\
## Live

Every camera, those that need a person first: **▲ ALERT**, then **◌ BLIND**, **✖ FAILED**,
**✖ STALLED**, **↻ RETRYING**, **◑ DEGRADED**, **◔ learning**, and **● normal** last.

The curve shows the last minutes. Its height is s / (1 + s), so the dotted line half-way up is
always the threshold: what is over it is coloured, and one camera can be compared with the next.
A score of 1.8 is 1.8 times the threshold; 0 is typical.

**enter** opens a camera, **a** acknowledges its alert, **m** mutes its notices,
**d** changes the size of the tiles, **s** the span of the curves, **/** filters.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "step(-1, 0)", "left", show=False),
        Binding("right,l", "step(1, 0)", "right", show=False),
        Binding("up,k", "step(0, -1)", "up", show=False),
        Binding("down,j", "step(0, 1)", "down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("pagedown", "page(1)", "page down", show=False),
        Binding("home,g", "go(0)", "first", show=False),
        Binding("end,G", "go(-1)", "last", show=False),
        Binding("enter", "choose", "Open"),
    ]

    def __init__(self, fleet: Fleet, *, density: Density, span_s: int) -> None:
        super().__init__(id="wall")
        self.fleet = fleet
        self.density = density
        self.span_s = span_s
        self.chosen: Camera | None = None
        self.plan = Plan(1, 1, 1, 0)
        self._palette: Palette | None = None
        self._tiles: dict[int, tuple[tuple[object, ...], Tile]] = {}  # by place on the wall
        self._steady = True  # the cursor follows its camera, until there is one

    def set_palette(self, palette: Palette) -> None:
        """Another theme: everything is drawn anew."""
        self._palette = palette
        self._tiles.clear()
        self.refresh()

    def paint(self) -> None:
        """Draw what has changed."""
        if self._palette is None or not self.size.width:
            return
        cameras = self.fleet.cameras()
        if self.chosen is None or self.chosen not in cameras:
            self.chosen = cameras[0] if cameras else None
        wanted = self._plan(len(cameras))
        if wanted != self.plan:
            self.plan = wanted
            self._tiles.clear()
            self.virtual_size = Size(1, wanted.total_height if cameras else 0)
            self.refresh()
        self._draw(cameras)

    def _plan(self, cameras: int) -> Plan:
        room = self.container_size  # with the scroll bar's column
        found = plan(cameras, room.width, room.height, self.density)
        if found.total_height > room.height:
            found = plan(cameras, room.width - 1, room.height, self.density)
        return found

    def _draw(self, cameras: Sequence[Camera]) -> None:
        top, layout = self.scroll_offset.y, self.plan
        first = top // layout.height * layout.columns
        last = (-(-(top + self.size.height) // layout.height)) * layout.columns
        dirty: list[Region] = []
        for place in range(first, max(last, first)):
            if place < len(cameras):
                dirty += self._redraw(place, cameras[place], top)
            elif self._tiles.pop(place, None) is not None:
                dirty.append(self._region(place, 0, layout.height, top))
        if dirty:
            self.refresh(*dirty)

    def _redraw(self, place: int, camera: Camera, top: int) -> list[Region]:
        assert self._palette is not None
        key = (camera, camera.changes, camera.look, camera is self.chosen, self._second(camera))
        known = self._tiles.get(place)
        if known is not None and known[0] == key:
            return []
        tile = self._tile(camera, self._palette)
        self._tiles[place] = (key, tile)
        if known is None or len(known[1]) != len(tile):
            return [self._region(place, 0, len(tile), top)]
        return [
            self._region(place, number, 1, top)
            for number, (old, new) in enumerate(zip(known[1], tile, strict=True))
            if old != new
        ]

    def _second(self, camera: Camera) -> int:
        return int(camera.site.now.timestamp())  # spans and curves move on without news

    def _tile(self, camera: Camera, palette: Palette) -> Tile:
        layout = self.plan
        frame = Frame(
            layout.width - (1 if layout.columns > 1 and layout.height == 1 else 0),
            layout.height,
            self.span_s,
            camera is self.chosen,
            self.fleet.title(camera),
        )
        if layout.height == 1:
            lines = [draw_line(camera, frame, palette)]
        else:
            lines = draw_tile(camera, frame, palette)
        ground = self.rich_style
        return [Strip(line).adjust_cell_length(layout.width).apply_style(ground) for line in lines]

    def _region(self, place: int, line: int, lines: int, top: int) -> Region:
        row, column = divmod(place, self.plan.columns)
        y = row * self.plan.height + line - top
        return Region(column * self.plan.width, y, self.plan.width, lines)

    def render_line(self, y: int) -> Strip:
        """One line of the wall, out of the tiles as they were drawn last."""
        width, layout, ground = self.size.width, self.plan, self.rich_style
        row, line = divmod(y + self.scroll_offset.y, layout.height)
        strips = []
        for place in range(row * layout.columns, (row + 1) * layout.columns):
            known = self._tiles.get(place)
            blank = Strip([Segment(" " * layout.width, ground)], layout.width)
            strips.append(known[1][line] if known and line < len(known[1]) else blank)
        return Strip.join(strips).adjust_cell_length(width, ground)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Draw what comes into sight."""
        super().watch_scroll_y(old_value, new_value)
        self.paint()

    def on_resize(self) -> None:
        """Lay out anew."""
        self.plan = Plan(1, 1, 1, 0)
        self.paint()

    # keys and mouse

    def _index(self) -> int:
        cameras = self.fleet.cameras()
        return cameras.index(self.chosen) if self.chosen in cameras else 0

    def select(self, index: int) -> None:
        """Move the cursor to this place, kept on the wall."""
        cameras = self.fleet.cameras()
        if not cameras:
            return
        index = min(max(index, 0), len(cameras) - 1)
        self.chosen = cameras[index]
        row = index // self.plan.columns * self.plan.height
        region = Region(0, row, 1, self.plan.height)
        self.scroll_to_region(region, animate=False, force=True)
        self.paint()

    def action_step(self, columns: int, rows: int) -> None:
        """One tile to a side."""
        index, across = self._index(), self.plan.columns
        if columns == 0 and not 0 <= index + rows * across < len(self.fleet.cameras()):
            return
        self.select(index + columns + rows * across)

    def action_page(self, pages: int) -> None:
        """As many cameras as can be seen."""
        shown = max(1, self.size.height // self.plan.height) * self.plan.columns
        self.select(self._index() + pages * shown)

    def action_go(self, index: int) -> None:
        """To the first camera, or with -1 to the last."""
        self.select(index if index >= 0 else len(self.fleet.cameras()) - 1)

    def action_choose(self) -> None:
        """Open the camera under the cursor."""
        if self.chosen is not None:
            self.post_message(CameraChosen(self.chosen))

    def on_click(self, event: events.Click) -> None:
        """Select; a second click opens."""
        offset = event.get_content_offset(self)
        if offset is None or offset.x >= self.plan.width * self.plan.columns:
            return
        row = (offset.y + self.scroll_offset.y) // self.plan.height
        index = row * self.plan.columns + offset.x // self.plan.width
        cameras = self.fleet.cameras()
        if index >= len(cameras):
            return
        again = cameras[index] is self.chosen
        self.select(index)
        if again or event.chain > 1:
            self.action_choose()

"""How cameras are laid out on a wall of so many cells."""

from dataclasses import dataclass

from monitor.tui.state.settings import Density

LEAST_WIDTH, MOST_HEIGHT = 33, 20  # a name, a state and three numbers; more says no more
SMALL, LARGE = 5, 9
LINE_WIDTH = 58
SHAPE = 5.5  # cells of width per line that look like a tile


@dataclass(frozen=True, slots=True)
class Plan:
    """So many columns of tiles, each so large; a height of 1 is the list of lines."""

    columns: int
    width: int
    height: int
    rows: int

    @property
    def total_height(self) -> int:
        """Lines that all cameras need."""
        return self.rows * self.height


def plan(cameras: int, width: int, height: int, density: Density) -> Plan:
    """The best layout: all cameras at once where that can be, else lines that scroll."""
    cameras, width, height = max(1, cameras), max(1, width), max(1, height)
    if density == "line":
        return _lines(cameras, width, height)
    fixed = {"small": SMALL, "large": LARGE}.get(density)
    most = max(1, width // LEAST_WIDTH)
    if fixed:
        columns = max(1, min(most, width // (44 if fixed == SMALL else 60), cameras))
        return Plan(columns, width // columns, fixed, -(-cameras // columns))
    plans = [_tiles(cameras, width, height, columns) for columns in range(1, most + 1)]
    fitting = [found for found in plans if found.height >= SMALL]
    if not fitting:
        return _lines(cameras, width, height)
    return min(fitting, key=lambda found: (abs(found.width / found.height - SHAPE), found.columns))


def _tiles(cameras: int, width: int, height: int, columns: int) -> Plan:
    rows = -(-cameras // columns)
    return Plan(columns, width // columns, min(MOST_HEIGHT, height // rows), rows)


def _lines(cameras: int, width: int, height: int) -> Plan:
    """As few columns as show all; a long list in one is easier to read than in three."""
    most = max(1, width // LINE_WIDTH)
    columns = min(most, -(-cameras // height))
    return Plan(columns, width // columns, 1, -(-cameras // columns))

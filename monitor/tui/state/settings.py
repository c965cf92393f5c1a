"""What the dashboard remembers of its user from one run to the next."""

from pathlib import Path
from typing import Literal

import platformdirs
from pydantic import BaseModel, ConfigDict, ValidationError

from monitor.api.schema import Sort
from monitor.errors import MonitorError
from monitor.files import write_atomically
from monitor.tui.state.desk import DAYS, Filters, Phase

FILE = "dashboard.json"
Density = Literal["auto", "large", "small", "line"]


class Remembered(BaseModel):
    """Unknown keys of a newer version are left out, not refused."""

    model_config = ConfigDict(extra="ignore")

    theme: str = "oddwatch-dark"
    density: Density = "auto"  # of the wall of cameras
    span_s: int = 300  # of the curves on it
    bell: bool = True  # an alert rings the terminal
    notification: bool = True  # and is told in a corner
    flash: bool = True  # and inverts the top line for a second
    filter: str = ""  # of the wall; shown while it is on
    phase: Phase = "all"  # of the table of alerts, as the next two
    days: int = 0
    sort: Sort = "newest"

    def filters(self) -> Filters:
        """Of the table of alerts; which camera and which words are for one visit only."""
        days = self.days if self.days in DAYS else 0
        return Filters(phase=self.phase, days=days, sort=self.sort)


def settings_path() -> Path:
    """Where the user's settings lie on this system."""
    return platformdirs.user_config_path("oddwatch") / FILE


def load_settings(path: Path) -> Remembered:
    """What was remembered; the defaults where there is nothing, or nothing that can be read."""
    try:
        return Remembered.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return Remembered()


def save_settings(path: Path, remembered: Remembered) -> None:
    """Write them; a disk that is full or read-only costs the memory, not the dashboard."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, remembered.model_dump_json(indent=2) + "\n")
    except (OSError, MonitorError):
        return

"""How states, numbers, spans and moments are said to people. Knows nothing of terminals."""

from dataclasses import dataclass
from datetime import datetime
from math import isfinite, isnan
from typing import Literal

from rich.cells import cell_len, set_cell_size

from monitor.api.schema import CameraState, CameraStatus, Label

Tone = Literal["alert", "bad", "warn", "learn", "calm", "idle"]

NOTHING = "\N{EN DASH}"
TIMES = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True, slots=True)
class Look:
    """A state for eyes: never by colour alone."""

    symbol: str
    word: str
    tone: Tone
    need: int  # 0 needs a person most


ALERT = Look("▲", "ALERT", "alert", 0)
UNSCORED = Look("◔", "no score yet", "learn", 7)
LOST = Look("✖", "no engine", "idle", 20)
LOOKS: dict[CameraState, Look] = {
    "blind": Look("◌", "BLIND", "warn", 1),
    "failed": Look("✖", "FAILED", "bad", 2),
    "stalled": Look("✖", "STALLED", "bad", 3),
    "backoff": Look("↻", "RETRYING", "warn", 4),
    "degraded": Look("◑", "DEGRADED", "warn", 5),
    "learning": Look("◔", "learning", "learn", 6),
    "warmup": Look("◔", "warming up", "learn", 7),
    "connecting": Look("↻", "connecting", "learn", 8),
    "running": Look("●", "normal", "calm", 9),
    "paused": Look("‖", "paused", "idle", 10),
    "ended": Look("■", "ended", "idle", 11),
    "disabled": Look("○", "off", "idle", 12),
}
LABELS: dict[Label, str] = {"true": "true", "normal_here": "normal here", "unsure": "unsure"}


def look_of(status: CameraStatus) -> Look:
    """An open alert outranks what the camera does beside; what was never scored is not normal."""
    if status.open_alert:
        return ALERT
    scored = status.kind == "stills" or status.score is not None or status.scored_at is not None
    return LOOKS[status.state] if scored or status.state != "running" else UNSCORED


def times(score: float | None) -> str:
    """A score as people compare it: 1.8 with a multiplication sign."""
    if score is None or isnan(score):
        return "no score"
    if not isfinite(score):
        return f"∞{TIMES}" if score > 0 else f"0.00{TIMES}"
    score = max(0.0, score)  # less than what is typical says nothing
    if score >= 1000:
        return f"{score:.0e}{TIMES}".replace("e+0", "e").replace("e+", "e")
    digits = 2 if score < 10 else 1 if score < 100 else 0
    return f"{score:.{digits}f}{TIMES}"


def span(seconds: float | None) -> str:
    """Two figures at most: `0.2 s`, `48 s`, `12 min`, `3 h 05`, `2 d 4 h`."""
    if seconds is None or not isfinite(seconds):
        return NOTHING
    seconds = max(0.0, seconds)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    if minutes < 120:
        return f"{minutes} min"
    hours = minutes // 60
    if hours < 48:
        return f"{hours} h {minutes % 60:02d}"
    return f"{hours // 24} d {hours % 24} h"


def size(count: int) -> str:
    """Bytes in the unit that leaves one to three digits: `734 MB`, `1.2 TB`."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if abs(value) < 1000:
            return f"{value:.0f} {unit}" if value >= 10 or unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def rate(per_day: float | None) -> str:
    """Of alerts; in the unit that gives a figure people can picture."""
    if per_day is None or not isfinite(per_day):
        return NOTHING
    if per_day >= 48:
        return f"{per_day / 24:.1f} an hour"
    return f"{per_day:.2g} a day" if per_day < 10 else f"{per_day:.0f} a day"


def clock(moment: datetime | None) -> str:
    """Local time of day."""
    return NOTHING if moment is None else moment.astimezone().strftime("%H:%M:%S")


def when(moment: datetime | None, now: datetime) -> str:
    """Time of day where it is today, with the date where not."""
    if moment is None:
        return NOTHING
    local, today = moment.astimezone(), now.astimezone()
    if local.date() == today.date():
        return local.strftime("%H:%M:%S")
    if local.year == today.year:
        return local.strftime("%d %b %H:%M")
    return local.strftime("%Y-%m-%d %H:%M")


def since(moment: datetime, now: datetime) -> float:
    """Seconds; 0 where a clock jumped and the moment lies ahead."""
    return max(0.0, (now - moment).total_seconds())


def one_line(text: str) -> str:
    """Without line breaks, tabs and what would steer a terminal."""
    if text.isascii() and text.isprintable():
        return text
    kept = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(kept.split())


def fit(text: str, cells: int) -> str:
    """At most so many cells wide, ended by an ellipsis where something is left out."""
    line = one_line(text)
    if cell_len(line) <= cells:
        return line
    return set_cell_size(line, cells - 1).rstrip() + "…" if cells > 1 else "…"[:cells]


def pad(text: str, cells: int) -> str:
    """Exactly so many cells wide."""
    return set_cell_size(fit(text, cells), cells)

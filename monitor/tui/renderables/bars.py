"""The lines around the screens: what is on top, and the newest alerts."""

from datetime import datetime

from rich.text import Text

from monitor.tui.renderables.palette import BOLD, Palette
from monitor.tui.state.fleet import Fleet, Seen
from monitor.tui.state.words import LABELS, one_line, pad, since, span, times, when

SCREENS = (
    ("1", "Live", "live"),
    ("2", "Alerts", "alerts"),
    ("3", "Stills", "stills"),
    ("4", "Health", "health"),
)


BRAND = " oddwatch "


def tabs(current: str, palette: Palette, *, brand: bool) -> Text:
    """The screens, and which one this is."""
    text = Text(BRAND if brand else "", style=palette.accent + BOLD, no_wrap=True, end="")
    for key, title, name in SCREENS:
        here = name == current
        text.append(f" {key} ", palette.cursor if here else palette.faint)
        text.append(f"{title} ", palette.cursor + BOLD if here else palette.dim)
    return text


def counts(fleet: Fleet, now: datetime, palette: Palette, room: int) -> Text:
    """How the cameras are, in as many words as there is room for; then the clock."""
    text = Text(no_wrap=True, end="")
    found = fleet.counts()
    room -= 12  # the clock, and a little air
    wordy = room >= sum(len(look.word) + len(str(number)) + 5 for look, number in found)
    while not wordy and found and room < sum(len(str(number)) + 4 for _, number in found):
        found = found[:-1]  # what needs a person least is left out first
    for look, number in found:
        text.append(f"{look.symbol} ", palette.tone(look.tone))
        text.append(f"{number}", palette.tone(look.tone, bold=look.tone == "alert"))
        text.append(f" {look.word}  " if wordy else "  ", palette.dim)
    text.append(now.astimezone().strftime("%H:%M:%S "), palette.text)
    return text


def phase(seen: Seen) -> str:
    """Whether it goes on, was seen to, or waits for somebody."""
    alert = seen.alert
    if alert.phase != "end":
        return "open"
    if alert.label:
        return LABELS[alert.label]
    return "seen" if alert.acknowledged_at else "new"


def news_line(fleet: Fleet, seen: Seen, cells: int, palette: Palette) -> Text:
    """One alert of the strip: when, where, how much, how long, what became of it."""
    alert, now = seen.alert, seen.site.now
    going = alert.phase != "end"
    tone = (
        palette.tone("alert") if going else palette.dim if alert.acknowledged_at else palette.text
    )
    name = f"{seen.site.name} / {alert.camera}" if fleet.several else alert.camera
    end = now if going else alert.ended_at
    text = Text(no_wrap=True, end="", overflow="ellipsis")
    text.append(f" {'▲' if going else '·' if alert.acknowledged_at else '•'} ", tone)
    text.append(f"{when(alert.started_at, now):<13}", palette.dim)
    text.append(pad(name, max(12, min(36, cells // 3))) + " ", tone)
    text.append(f"{times(alert.strength):>8} ", tone)
    text.append(f"{span(since(alert.started_at, end)):>8}  ", palette.dim)
    text.append(f"{phase(seen):<12}", tone if going else palette.dim)
    if alert.reason:
        text.append(one_line(alert.reason), palette.dim)
    text.truncate(cells, overflow="ellipsis")
    return text

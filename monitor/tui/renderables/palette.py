"""The colours that drawing uses, as styles by what they mean; a theme fills them in."""

from collections.abc import Mapping
from dataclasses import dataclass

from rich.style import Style

from monitor.tui.state.words import Tone


@dataclass(frozen=True, slots=True)
class Palette:
    """Foregrounds only: the background is that of the widget."""

    text: Style
    dim: Style
    faint: Style  # rules, borders of what is quiet, the threshold
    accent: Style
    tones: Mapping[Tone, Style]
    curve: Style  # under the threshold
    over: Style  # over it
    cursor: Style  # has a background
    shade: Style  # behind what was an alert

    def tone(self, tone: Tone, *, bold: bool = False) -> Style:
        """Of a state."""
        return self.tones[tone] + BOLD if bold else self.tones[tone]


BOLD = Style(bold=True)


def palette_of(variables: Mapping[str, str]) -> Palette:
    """From a theme's variables, each a colour such as `#ff8800`."""

    def colour(name: str) -> Style:
        return Style(color=variables[name][:7])

    alert = colour("alert")
    return Palette(
        text=colour("foreground"),
        dim=colour("dim"),
        faint=colour("faint"),
        accent=colour("accent"),
        tones={
            "alert": alert,
            "bad": colour("bad"),
            "warn": colour("warning"),
            "learn": colour("primary"),
            "calm": colour("success"),
            "idle": colour("dim"),
        },
        curve=colour("curve"),
        over=alert,
        cursor=Style(color=variables["background"][:7], bgcolor=variables["accent"][:7]),
        shade=colour("shade"),
    )

"""Two themes of our own beside Textual's, and the colours that all of them lack."""

from collections.abc import Mapping

from textual.color import Color
from textual.theme import Theme

from monitor.tui.renderables.palette import Palette, palette_of

DARK = Theme(
    name="oddwatch-dark",
    primary="#7aa2d6",
    secondary="#5b7593",
    accent="#8fd3c8",
    foreground="#d5dbe3",
    background="#10141a",
    surface="#161b23",
    panel="#1c232d",
    success="#7fb685",
    warning="#e0b15a",
    error="#f0625d",
    dark=True,
    variables={
        "curve": "#4f7f9f",
        "alert": "#ff6b5e",
        "bad": "#e58a7b",
        "footer-background": "#161b23",
        "footer-key-foreground": "#8fd3c8",
        "block-cursor-background": "#2b4a57",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#202a35",
        "border": "#3a4655",
    },
)
LIGHT = Theme(
    name="oddwatch-light",
    primary="#2f5f9a",
    secondary="#5c7590",
    accent="#0d7a6e",
    foreground="#1d2733",
    background="#f6f7f5",
    surface="#eceeeb",
    panel="#e1e5e1",
    success="#2f7d3c",
    warning="#945f00",
    error="#c02a24",
    dark=False,
    variables={
        "curve": "#6f9ab8",
        "alert": "#cc1f1a",
        "bad": "#a8442f",
        "footer-background": "#e1e5e1",
        "footer-key-foreground": "#0d7a6e",
        "block-cursor-background": "#bcdcd6",
        "block-cursor-foreground": "#10202c",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#d9dfdb",
        "border": "#a9b4ae",
    },
)
OWN = (DARK, LIGHT)


def complete(variables: Mapping[str, str]) -> dict[str, str]:
    """A theme's variables with those that only our own drawing uses, mixed from the theme's."""
    text = Color.parse(_solid(variables["foreground"], "#d0d0d0"))
    ground = Color.parse(_solid(variables["background"], "#101010"))
    error = _solid(variables["error"], "#d04040")
    mixed = {
        "dim": ground.blend(text, 0.62).hex,
        "faint": ground.blend(text, 0.27).hex,
        "curve": ground.blend(Color.parse(_solid(variables["primary"], "#5080c0")), 0.7).hex,
        "alert": error,
        "bad": error,
        "shade": ground.blend(Color.parse(error), 0.2).hex,
    }
    solid = {
        name: _solid(variables[name], fallback)
        for name, fallback in (
            ("foreground", text.hex),
            ("background", ground.hex),
            ("accent", "#80c0b0"),
            ("warning", "#d0a040"),
            ("primary", "#5080c0"),
            ("success", "#50a060"),
        )
    }
    return {
        **mixed,
        **{name: _solid(variables.get(name, ""), mix) for name, mix in mixed.items()},
        **solid,
    }


def _solid(value: str, otherwise: str) -> str:
    """As `#rrggbb`; the terminal's own colours have no figure to mix with."""
    return value if value.startswith("#") else otherwise


def palette(variables: Mapping[str, str]) -> Palette:
    """For drawing, from the theme that is on."""
    return palette_of(complete(variables))

"""Spans of time as people write them: 15 min, 1.5 h, 90 s."""

import re

UNITS_S = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86_400.0),
    **dict.fromkeys(("w", "week", "weeks"), 604_800.0),
}
SPAN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*", re.ASCII)
LONGEST_S = 30 * 86_400.0  # that a camera may be asked to learn


def parse_span(text: str, longest_s: float = LONGEST_S) -> float:
    """Seconds of "15 min", "0.5 h" or "90s".

    Raises:
        ValueError: It is none, or not over 0 and at most the longest; one line for people.
    """
    seconds = in_seconds(text)
    if seconds is None:
        raise ValueError(f'expected a span of time such as "15 min", "2 h" or "90 s", got {text!r}')
    if not 0 < seconds <= longest_s:
        most = f"{longest_s / UNITS_S['d']:,.0f} days"
        raise ValueError(f"expected a span of time over 0 and at most {most}, got {text!r}")
    return seconds


def in_seconds(text: str) -> float | None:
    """The same, however long or short; None: it is no span."""
    match = SPAN.fullmatch(text.casefold())
    if match is None or match[2] not in UNITS_S:
        return None
    return float(match[1]) * UNITS_S[match[2]]

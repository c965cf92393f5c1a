"""How `oddwatch inspect` says what it found: aligned lines for people, JSON lines for programs."""

import sys
from pathlib import Path
from typing import Any

from monitor.cli.events import say_p
from monitor.cli.printing import print_json, print_line
from monitor.names import shown
from monitor.overlay import Box
from monitor.stills.judging import VERDICTS, Judged

COLOURS = {"ok": "green", "defective": "bold red", "unjudged": "yellow"}


class Teller:
    """Says and counts verdicts."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self.counts = dict.fromkeys(VERDICTS, 0)

    def picture(
        self, one: Judged, *, place: Path | None = None, heat: Path | None = None, event: str = ""
    ) -> None:
        """Say one verdict; `place` is where the picture lies now."""
        self.counts[one.verdict] += 1
        if self._as_json:
            print_json(_as_json(one, place, heat, event))
        else:
            _print(_line(one, heat), COLOURS[one.verdict])

    def trouble(self, text: str) -> None:
        """Say what went wrong and ended nothing."""
        if self._as_json:
            print_json({"type": "trouble", "text": text})
        else:
            print(f"oddwatch: {shown(text)}", file=sys.stderr)

    def summary(self, promised: float, **facts: Any) -> None:
        """Say what there was of each kind; what else is given is for programs."""
        if self._as_json:
            print_json({"type": "summary"} | self.counts | {"promised_share": promised} | facts)
            return
        count = sum(self.counts.values())
        unjudged = self.counts["unjudged"]
        left = f", {unjudged} could not be judged" if unjudged else ""
        print(
            f"{count:,} picture{'s' * (count != 1)}: {self.counts['ok']:,} ok, "
            f"{self.counts['defective']:,} defective{left}; score 0 is typical, over 1 is "
            f"defective, as {promised:.2g} of normal pictures may be"
        )


def _line(one: Judged, heat: Path | None) -> str:
    """Verdict, score, p-value, where, which; the reason where there is no verdict."""
    score = "-" if one.displayed is None else f"{one.displayed:.2f}"
    cells = [
        f"{one.verdict:<9}",
        f"{score:>7}",
        f"p {say_p(one.p_value):<8}",
        f"{_say(one.box):<22}",
    ]
    cells.append(one.still.name if not one.why else f"{one.still.name}: {one.why}")
    return "  ".join(cells) + (f"  {heat}" if heat is not None else "")


def _say(box: Box | None) -> str:
    """Its size and its upper left corner, in pixels of the picture."""
    if box is None:
        return "-"
    return f"{box.right - box.left}x{box.bottom - box.top} at {box.left},{box.top}"


def _as_json(one: Judged, place: Path | None, heat: Path | None, event: str) -> dict[str, Any]:
    box = one.box
    return {
        "type": "picture",
        "name": one.still.name,
        "path": None if one.still.path is None else str(one.still.path),
        "verdict": one.verdict,
        "displayed": one.displayed,
        "score": one.score,
        "p_value": one.p_value,
        "box": None if box is None else [box.left, box.top, box.right, box.bottom],
        "size": None if one.size is None else list(one.size),
        "terms": one.terms,
        "why": one.why,
        "heat": None if heat is None else str(heat),
        "now_at": None if place is None else str(place),
        "event": event or None,
    }


def _print(line: str, style: str) -> None:
    if not sys.stdout.isatty():
        print_line(line)
        return
    from rich.console import Console
    from rich.text import Text

    Console().print(Text(shown(line), style=style), soft_wrap=True)

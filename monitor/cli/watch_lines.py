"""How `oddwatch watch` says what happens: aligned lines for people, JSON lines for programs."""

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.calibration import DAY_S
from monitor.cli.events import DEFAULT_FOLDER, say_p
from monitor.cli.printing import print_json, print_line, say_clock, say_span
from monitor.names import counted, shown
from monitor.promise import RULE_OF_THREE
from monitor.recorder import Evidence
from monitor.records import Reading
from monitor.sources import Source
from monitor.watching import Event, News, Summary, Trouble, WatchSettings

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

COLOURS = {"new": "bold red", "update": "yellow", "end": "green"}


class Teller(ABC):
    """Says what happens while sources are watched."""

    @abstractmethod
    def tell(self, event: Event) -> None:
        """Say one thing."""

    @contextmanager
    def about(self, source: Source, settings: WatchSettings) -> Iterator[None]:
        """What is told from here on is of this source."""
        del source, settings
        yield


class JsonTeller(Teller):
    """One object per line; its `type` says what it is."""

    def tell(self, event: Event) -> None:
        """Readings are left out: there are too many to read."""
        match event:
            case News():
                ended_at = event.started_at + timedelta(
                    seconds=event.alert.end_s - event.alert.start_s
                )
                print_json(
                    {"type": "alert"}
                    | asdict(event.alert)
                    | {
                        "started_at": event.started_at.isoformat(),
                        "ended_at": ended_at.isoformat(),
                        "strength": event.strength,
                        "snapshot": _path(event.snapshot),
                    }
                )
            case Evidence():
                print_json({"type": "clip", "alert_id": event.alert_id, "clip": _path(event.clip)})
            case Trouble():
                print_json({"type": "trouble", "text": event.text})
            case Summary():
                derived = {"judgeable": event.judgeable, "alerts_per_day": event.alerts_per_day}
                print_json({"type": "summary"} | asdict(event) | derived)


class TextTeller(Teller):
    """One line per phase, and a summary; on a terminal in colour, with a bar for files."""

    def __init__(self, store: str, out: Path) -> None:
        self._store, self._out = store, out
        self._by_clock = True
        self._bar: tuple[Progress, TaskID] | None = None

    @contextmanager
    def about(self, source: Source, settings: WatchSettings) -> Iterator[None]:
        """Files tell their own time, cameras the wall's."""
        self._by_clock = not source.live
        total = None if source.live else source.n_frames
        if total is None or not sys.stdout.isatty():
            yield
            return
        from rich.progress import Progress

        with Progress(transient=True) as progress:
            self._bar = (progress, progress.add_task(settings.name, total=total))
            yield
        self._bar = None

    def tell(self, event: Event) -> None:
        """Troubles go to standard error, all else to standard output."""
        match event:
            case Reading():
                if self._bar is not None:
                    self._bar[0].update(self._bar[1], completed=event.frame.index + 1)
            case News():
                self._print(self._line(event), COLOURS[event.alert.phase])
            case Trouble():
                print(f"oddwatch: {shown(event.text)}", file=sys.stderr)
            case Summary():
                for line in self._summary(event):
                    self._print(line)
                if event.fault:
                    print(f"oddwatch: {shown(event.fault)}", file=sys.stderr)

    def _print(self, line: str, style: str = "") -> None:
        if not sys.stdout.isatty():
            print_line(line)
            return
        from rich.console import Console
        from rich.text import Text

        console = self._bar[0].console if self._bar is not None else Console()
        console.print(Text(shown(line), style=style), soft_wrap=True)

    def _line(self, news: News) -> str:
        """When it began (so that lines of one alert are told by it), where, what, how bad."""
        alert = news.alert
        wall = f"{news.started_at.astimezone():%Y-%m-%d %H:%M:%S}"
        cells = [
            say_clock(alert.start_s) if self._by_clock else wall,
            alert.source,
            f"{alert.phase.upper():<6}",
            f"{say_span(alert.end_s - alert.start_s):>8}",
            f"{news.strength:5.1f}x the threshold",
            f"p {say_p(alert.peak_p_value):<7}",
        ]
        cells += [alert.reason] if alert.reason else []
        cells += [_near(news.snapshot)] if news.snapshot else []
        return "  ".join(cells)

    def _summary(self, summary: Summary) -> Iterator[str]:
        lost = f", {summary.lost} losses while decoding" if summary.lost else ""
        alerts = counted(summary.alerts, "alert")
        yield (
            f"{summary.source}: {summary.frames:,} frames{lost}, {say_span(summary.footage_s)} of "
            f"footage in {say_span(summary.seconds)}, {alerts}"
        )
        yield f"  promised  {say_promise(summary)}"
        if not summary.alerts:
            return
        if summary.unstored:
            yield f"  not kept  {summary.unstored} of them: the store did not take them"
        flag = "" if self._out == DEFAULT_FOLDER else f" --store {self._store}"
        yield f"  evidence  {self._out}; see: oddwatch events list{flag}"


def say_promise(summary: Summary) -> str:
    """What was promised, and whether it can be judged on so much footage."""
    promised = summary.promised_per_day
    text = f"at most {promised:g} false alarm{'' if promised == 1 else 's'} per day"
    if summary.judgeable:
        text += f"; all alerts together are {summary.alerts_per_day:.2g} per day"
    else:
        needed = say_span(RULE_OF_THREE / promised * DAY_S)
        text += f"; {say_span(summary.footage_s)} cannot show whether it is kept, {needed} can"
    if not summary.calibration_founded:
        text += "; its threshold is extrapolated from little normal footage"
    return text


def _path(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _near(path: Path) -> str:
    """As short as it can be said from here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)

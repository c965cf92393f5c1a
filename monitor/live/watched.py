"""How long each camera was judged by which model file: kept over restarts, for recalibration."""

import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

from monitor.files import write_atomically
from monitor.live.station import Station

log = logging.getLogger(__name__)

FILE = "watched.json"
EVERY_S = 60.0  # between saves: what a crash may cost
Spans = dict[str, dict[str, float]]  # model digest -> camera -> seconds


class WatchedTime:
    """Adds up what the stations' counters say; `save` blocks, the rest does not."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._spans = read_watched(self._path)
        self._counted: dict[str, float] = {}  # camera -> its counter when last asked
        self._due_s = 0.0

    def note(self, stations: Mapping[str, Station]) -> None:
        """Take what was watched since the last call."""
        for name, station in stations.items():
            now_s = station.counters.watched_s
            before_s = self._counted.get(name, 0.0)
            new_s = now_s - before_s if now_s >= before_s else now_s  # a station anew counts anew
            self._counted[name] = now_s
            if station.model is not None and new_s > 0:
                cameras = self._spans.setdefault(station.model.digest, {})
                cameras[name] = cameras.get(name, 0.0) + new_s

    def due(self, now_s: float) -> bool:
        """Whether it is time to save; asked again, it is not."""
        if now_s < self._due_s:
            return False
        self._due_s = now_s + EVERY_S
        return True

    def save(self) -> None:
        """Write it down; where that fails it is said, and the next save has it all."""
        try:
            write_atomically(self._path, json.dumps(self._spans, indent=1))
        except OSError as error:
            log.warning("%s: cannot be written: %s", self._path, error.strerror)


def read_watched(path: Path) -> Spans:
    """What an engine noted; empty where there is no such file, or it is damaged."""
    try:
        plain = json.loads(path.read_text())
        return {
            str(digest): {str(name): float(s) for name, s in cameras.items()}
            for digest, cameras in plain.items()
        }
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def watched_s(spans: Spans, digest: str, cameras: Iterable[str] | None = None) -> float:
    """Seconds of camera time under a model file; of all cameras where none are named."""
    known = spans.get(digest, {})
    return sum(known.values() if cameras is None else (known.get(name, 0.0) for name in cameras))

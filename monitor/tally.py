"""What is gathered while a video is scored: its scores, its maps against masks, time and frames."""

import time
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from monitor.computed import Computed
from monitor.datasets import Masks, Video
from monitor.evaluation.events import runs
from monitor.evaluation.pixels import PixelFigures
from monitor.evaluation.results import COLUMNS, Event, VideoScores
from monitor.records import Frame, Reading
from monitor.sources.opencv import load_cv2

Item = TypeVar("Item")

MAPS_KEPT = 256  # until they are compared with masks: 50 MB of 256 x 192, and the clock stands


class Table:
    """Scores of one video as they come, in plain arrays: days of them fit in memory."""

    def __init__(self) -> None:
        self.index = array("q")
        self._columns: defaultdict[str, array[float]] = defaultdict(lambda: array("d"))
        self._terms: defaultdict[str, array[float]] = defaultdict(lambda: array("d"))

    def add(self, reading: Reading) -> None:
        """A reading, in order of time; a term named like a column gets another name."""
        self.index.append(reading.frame.index)
        self._columns["time_s"].append(reading.frame.time_s)
        self._columns["score"].append(reading.score)
        if reading.p_value is not None:
            self._columns["p_value"].append(reading.p_value)
        for name, value in reading.terms.items():
            self._terms[f"{name}_rule" if name in COLUMNS else name].append(value)

    def scores(self, video: Video) -> VideoScores:
        """As evaluation takes them; labels are those of the scored frames."""
        index = np.array(self.index, np.int64)
        columns = {name: np.array(values) for name, values in self._columns.items()}
        return VideoScores(
            name=video.name,
            index=index,
            time_s=columns["time_s"],
            score=columns["score"],
            p_value=columns.get("p_value"),
            label=None if video.labels is None else video.labels[index],
            terms={name: np.array(values) for name, values in self._terms.items()},
            events=_events(video),
        )


def _events(video: Video) -> tuple[Event, ...] | None:
    """Of all labels: an event may begin before the first clip is whole, or between two clips."""
    if video.labels is None:
        return None
    at = video.source.time_s
    labels = video.labels[: video.n_frames]
    return tuple(Event(at(run.start), at(run.stop - 1)) for run in runs(labels))


class Clock:
    """Counts the seconds that making items takes, not those that using them does."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def time(self, items: Iterator[Item]) -> Iterator[Item]:
        """The same items; see the class."""
        while True:
            began = time.perf_counter()
            try:
                item = next(items)
            except StopIteration:
                return
            finally:
                self.seconds += time.perf_counter() - began
            yield item


class Count:
    """How many frames went by, and what computed their scores."""

    def __init__(self) -> None:
        self.frames = 0
        self.computed: set[Computed] = set()

    def count(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The same frames; see the class."""
        for frame in frames:
            self.frames += 1
            yield frame


class MapComparison:
    """Compares maps with masks, many at a time: in between, decoding would go on uncounted."""

    def __init__(self, pixels: PixelFigures | None, masks: Masks | None) -> None:
        self._pixels, self._masks = pixels, masks
        self._kept: list[tuple[int, NDArray[np.float32]]] = []

    def add(self, reading: Reading) -> None:
        """A reading with its map."""
        if self._masks is not None and reading.map is not None:
            self._kept.append((reading.frame.index, reading.map))
        if len(self._kept) >= MAPS_KEPT:
            self.flush()

    def flush(self) -> None:
        """Compare what was kept; to be called at the end of the video."""
        cv2 = load_cv2()
        for index, heat in self._kept:
            assert self._pixels is not None
            assert self._masks is not None
            mask = np.asarray(self._masks[index], np.bool_)
            size = (mask.shape[1], mask.shape[0])
            self._pixels.add(cv2.resize(heat, size, interpolation=cv2.INTER_LINEAR), mask)
        self._kept.clear()
